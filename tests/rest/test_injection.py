"""Names and ids of every kind, thrown at everything that puts them into an address: none can leave its place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import unquote

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ziwo_async import ConfigError, RetryPolicy, ZiwoClient, ZiwoError

NASTY = st.one_of(
    st.text(max_size=30),
    st.text(alphabet="./\\%25efEF?#&;:@ a0\r\n\t\0'\"<>|*~", max_size=20),
    st.sampled_from(
        [
            "..", ".", "../profile", "..%2Fprofile", "%2e%2e/profile", "x/../../profile", "a?access_token=1", "a#b",
            "//evil.com/x", "http://evil.com/", "\\\\evil.com\\x", "a\r\nX: y", "a\0b", "\u202e", "\ud83d\ude00",
            "a;b", "a&limit=1", "%", "%zz", "é", "\N{FULLWIDTH SOLIDUS}", "‥/", "1/block", "x" * 300,
        ]
    ),
)  # fmt: skip

Ask = Callable[[ZiwoClient, str], Awaitable[object]]
PLACES: dict[str, tuple[str, str, Ask]] = {
    "position": ("/agents/autologin/", "", lambda ziwo, name: ziwo.agent.autologin(name)),
    "record": ("/callHistory/", "", lambda ziwo, name: ziwo.calls.get(name)),
    "number": ("/integrations/cti/agents/call/", "", lambda ziwo, name: ziwo.agent.click_to_call(name)),
    "cti agent": ("/integrations/cti/agents/", "/call/1", lambda ziwo, name: ziwo.cti.call(name, "1")),
    "cti number": ("/integrations/cti/agents/0011/call/", "", lambda ziwo, name: ziwo.cti.call("0011", name)),
    "cti login": (
        "/integrations/cti/agents/0011/login/",
        "",
        lambda ziwo, name: ziwo.cti.agent_login("0011", position=name),
    ),
    "eavesdrop": ("/live/calls/eavesdrop/", "", lambda ziwo, name: ziwo.eavesdrops.create(name)),
    "whisper": ("/live/calls/eavesdrop/", "", lambda ziwo, name: ziwo.eavesdrops.update(name, whisper="both")),
    "tracker": ("/admin/callTrackers/", "", lambda ziwo, name: ziwo.trackers.delete(name)),
    "block": ("/admin/callTrackers/", "/block", lambda ziwo, name: ziwo.trackers.block(name)),
    "file": ("/storage/", "", lambda ziwo, name: ziwo.static.storage(name)),
}


class Ear:
    """A server that answers everything alike, and keeps the raw targets."""

    def __init__(self) -> None:
        self.targets: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.targets.append(request.raw_path)
        content = {"callID": "c", "id": 1, "name": "n"}
        return web.json_response({"result": True, "content": content, "info": {}})


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=NASTY)
async def test_no_name_leaves_its_place(place: str, name: str) -> None:
    assert await thrown(place, name) in {"sent", "refused"}


@pytest.mark.parametrize("place", PLACES)
async def test_ordinary_names_are_sent(place: str) -> None:
    """Else the test above might see nothing but refusals."""
    assert await thrown(place, "0011") == "sent"


async def thrown(place: str, name: str) -> str:
    before, after, ask = PLACES[place]
    ear = Ear()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", ear.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with ZiwoClient(api_url=url, token="t", api_key="k", retry=RetryPolicy(attempts=1)) as ziwo:
            await ask(ziwo, name)
    except ConfigError:
        assert ear.targets == []
        return "refused"
    except ZiwoError:
        pass  # the answer was none: what counts is what was sent
    finally:
        await runner.cleanup()
    (target,) = ear.targets
    assert target.startswith(before)
    assert target.endswith(after)
    middle = target[len(before) : len(target) - len(after)]
    assert middle
    assert not set(middle) & set("/?#\\ \r\n\0")
    assert unquote(middle, errors="strict") == name
    return "sent"
