"""Eavesdrop: how a call that listens begins, and who hears us in it."""

from __future__ import annotations

import pytest
from aiohttp import web

from ziwo_async import Ringing, ZiwoClient
from ziwo_async.errors import BadArgument, ConfigError, Conflict, Forbidden, NotFound
from ziwo_async.rest.eavesdrops import EavesdropsResource

CALL = "3f159fc0-0576-469f-8a16-aa3a69e20db2"


@pytest.fixture
def eavesdrops(kit, ziwo) -> EavesdropsResource:
    return EavesdropsResource(kit.transport(ziwo.url))


def takes(kit, ziwo, method: str, path: str, content: object) -> list[bytes]:
    bodies: list[bytes] = []

    async def handler(request: web.Request) -> web.Response:
        assert request.content_type == "application/x-www-form-urlencoded"
        bodies.append(await request.read())
        return kit.ok(content)

    ziwo.on(method, path, handler)
    return bodies


async def test_create_as_ziwos_page_shows_it(kit, ziwo, eavesdrops):
    bodies = takes(kit, ziwo, "POST", "/live/calls/eavesdrop/5555", {"callID": CALL})
    call = await eavesdrops.create("5555")
    assert call.call_id == CALL
    assert (await eavesdrops.create("5555", position="mydesk")).call_id == CALL
    assert bodies == [b"", b"positionName=mydesk"]


@pytest.mark.parametrize("whisper", ["agent", "both", "none"])
async def test_update_as_ziwos_page_shows_it(kit, ziwo, eavesdrops, whisper):
    bodies = takes(kit, ziwo, "PUT", f"/live/calls/eavesdrop/{CALL}", {})
    await eavesdrops.update(CALL, whisper=whisper)
    assert bodies == [f"whisper={whisper}".encode()]


async def test_what_makes_no_sense_is_refused_before_anything_is_sent(ziwo, eavesdrops):
    for whisper in ("", "Agent", "customer", None):
        with pytest.raises(BadArgument, match="agent, both, none"):
            await eavesdrops.update(CALL, whisper=whisper)
    for position in ("", "  "):
        with pytest.raises(BadArgument, match="position"):
            await eavesdrops.create("5555", position=position)
    for bad in ("", "..", "a\nb"):
        with pytest.raises(ConfigError):
            await eavesdrops.create(bad)
        with pytest.raises(ConfigError):
            await eavesdrops.update(bad, whisper="none")
    assert ziwo.seen == []


async def test_an_agent_s_number_stays_in_its_place(kit, ziwo, eavesdrops):
    takes(kit, ziwo, "POST", "/live/calls/eavesdrop/a/b?c", {"callID": CALL})
    await eavesdrops.create("a/b?c")
    assert ziwo.raw_paths[-1] == "/live/calls/eavesdrop/a%2Fb%3Fc"
    with pytest.raises(ConfigError):
        await eavesdrops.create("../../x")
    assert len([path for path in ziwo.raw_paths if path.startswith("/live")]) == 1


@pytest.mark.parametrize(("status", "kind"), [(403, Forbidden), (404, NotFound), (412, Conflict)])
async def test_errors_have_their_class(kit, ziwo, eavesdrops, status, kind):
    ziwo.answers("POST", "/live/calls/eavesdrop/5555", lambda: kit.failed(status, "why"))
    ziwo.answers("PUT", f"/live/calls/eavesdrop/{CALL}", lambda: kit.failed(status, "why"))
    with pytest.raises(kind, match="why"):
        await eavesdrops.create("5555")
    with pytest.raises(kind, match="why"):
        await eavesdrops.update(CALL, whisper="none")


# --- against the simulator ------------------------------------------------------------------------------------------


async def test_an_eavesdrop_call_rings_our_own_phone_and_can_be_changed(ziwo_world, ziwo_client):
    async with ziwo_client.expect(Ringing, timeout=5) as rings:
        made = await ziwo_client.eavesdrops.create("0011")
    assert rings.event.call_id == made.call_id
    call = ziwo_client.phone.call(made.call_id)
    assert call is not None
    await call.answer()
    await ziwo_client.eavesdrops.update(made.call_id, whisper="both")
    assert [there.whisper for there in ziwo_world.calls if there.id == made.call_id] == ["both"]
    await call.hangup()
    with pytest.raises(NotFound):
        await ziwo_client.eavesdrops.update(made.call_id, whisper="none")


async def test_who_may_not_listen(ziwo_world):
    agent = ziwo_world.add_agent("7777", rights=("admin",))
    async with ZiwoClient(username=agent.username, password=agent.password, api_url=ziwo_world.api_url) as ziwo:
        with pytest.raises(Forbidden):
            await ziwo.eavesdrops.create("0011")
