"""CTI by api_key, and the agent's own click to call by token."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from aiohttp import web
from pydantic import SecretStr

from ziwo_async import Ringing, ZiwoClient
from ziwo_async.errors import BadCredentials, ConfigError, Conflict, DecodeError, NotFound, SpendRefused
from ziwo_async.rest.auth import Credentials
from ziwo_async.rest.click_to_call import click_to_call
from ziwo_async.rest.cti import CtiResource
from ziwo_async.spend import SpendPolicy

KEY = "CANARY-cti-key-77"
NUMBER = "+97150000000"
AGENT = "/integrations/cti/agents/0011"
QUEUE_INFO = {
    "callID": "c-1",
    "didCalled": "+97140000000",
    "callerPosition": "agent-0011",
    "callerID": "agent-0011",
    "callerName": "Ada",
    "calleeID": NUMBER,
    "calleeName": "Grace",
    "calleePosition": NUMBER,
    "createdEPOCH": "1468150595",
    "calleeDirection": "outbound",
    "callState": "ACTIVE",
    "calleeCallState": "ACTIVE",
    "direction": "outbound",
    "channelBridgeEPOCH": "1468150607",
    "originalCallerIdName": "Ada",
    "originalCallerIdNumber": "agent-0011",
}


@pytest.fixture
def cti(kit, ziwo) -> CtiResource:
    return CtiResource(kit.transport(ziwo.url, api_key=SecretStr(KEY)))


def only_the_key_was_sent(ziwo) -> None:
    assert ziwo.logins == 0
    for headers, path in zip(ziwo.headers, ziwo.raw_paths, strict=True):
        assert headers["api_key"] == KEY
        assert "access_token" not in headers
        assert KEY not in path


async def test_login_at_the_web_phone_or_another_position(kit, ziwo, cti):
    for position in ("agent-0011", "my desk"):
        ziwo.answers("POST", f"{AGENT}/login/{position}", lambda: kit.ok({}))
    await cti.agent_login("0011")
    await cti.agent_login("0011", position="my desk")
    assert ziwo.raw_paths == [f"{AGENT}/login/agent-0011", f"{AGENT}/login/my%20desk"]
    only_the_key_was_sent(ziwo)


@pytest.mark.parametrize("content", [{"callID": "c-1", "more": 1}, "c-1", " c-1\n"])
async def test_a_call_with_the_number_in_the_path(kit, ziwo, cti, content):
    ziwo.answers("POST", f"{AGENT}/call/{NUMBER}", lambda: kit.ok(content))
    assert (await cti.call("0011", NUMBER)).call_id == "c-1"
    assert ziwo.raw_paths == [f"{AGENT}/call/%2B97150000000"]
    only_the_key_was_sent(ziwo)


async def test_a_call_with_the_number_in_the_form(kit, ziwo, cti):
    forms: list[dict[str, str]] = []

    async def call(request: web.Request) -> web.Response:
        forms.append({key: str(value) for key, value in (await request.post()).items()})
        return kit.ok({"callID": "c-1"})

    ziwo.on("POST", f"{AGENT}/call", call)
    assert (await cti.call("0011", NUMBER, in_form=True)).call_id == "c-1"
    assert forms == [{"number": NUMBER}]
    only_the_key_was_sent(ziwo)


@pytest.mark.parametrize("number", ["00971 50/x?y#z", "*98#", "a@b", "x..y"])
async def test_a_number_stays_in_its_place(kit, ziwo, cti, number):
    ziwo.answers("POST", f"{AGENT}/call/{number}", lambda: kit.ok({"callID": "c-1"}))
    await cti.call("0011", number)
    assert ziwo.raw_paths[0].count("/") == AGENT.count("/") + 2
    assert "?" not in ziwo.raw_paths[0]


async def test_the_call_of_now(kit, ziwo, cti):
    ziwo.answers("GET", f"{AGENT}/call", lambda: kit.ok({"callInfo": {"x": 1}, "queueInfo": QUEUE_INFO}))
    call = await cti.current_call("0011")
    assert call is not None
    assert call.call_info == {"x": 1}
    info = call.queue_info
    assert info is not None
    assert (info.call_id, info.caller_id, info.callee_id, info.did_called) == (
        "c-1", "agent-0011", NUMBER, "+97140000000",
    )  # fmt: skip
    assert (info.call_state, info.callee_call_state, info.direction) == ("ACTIVE", "ACTIVE", "outbound")
    assert info.created_at == datetime(2016, 7, 10, 11, 36, 35, tzinfo=UTC)
    assert info.bridged_at == datetime(2016, 7, 10, 11, 36, 47, tzinfo=UTC)
    assert (info.original_caller_name, info.original_caller_number) == ("Ada", "agent-0011")
    assert not info.model_extra  # every documented field has a name
    assert (info.caller_name, info.callee_name, info.callee_direction) == ("Ada", "Grace", "outbound")
    assert (info.caller_position, info.callee_position) == ("agent-0011", NUMBER)
    only_the_key_was_sent(ziwo)


@pytest.mark.parametrize("epoch", ["0", "", 0, None])
async def test_what_has_not_happened_yet_has_no_time(kit, ziwo, cti, epoch):
    info = {**QUEUE_INFO, "channelBridgeEPOCH": epoch}
    ziwo.answers("GET", f"{AGENT}/call", lambda: kit.ok({"callInfo": [], "queueInfo": info}))
    call = await cti.current_call("0011")
    assert call is not None
    assert call.queue_info is not None
    assert call.queue_info.bridged_at is None
    assert call.queue_info.created_at is not None


@pytest.mark.parametrize(
    "content", [{}, [], None, {"callInfo": {}, "queueInfo": {}}, {"callInfo": [], "queueInfo": []}, {"callInfo": None}]
)
async def test_an_agent_without_a_call(kit, ziwo, cti, content):
    ziwo.answers("GET", f"{AGENT}/call", lambda: kit.ok(content))
    assert await cti.current_call("0011") is None


async def test_a_call_of_which_one_part_is_known(kit, ziwo, cti):
    ziwo.answers("GET", f"{AGENT}/call", lambda: kit.ok({"callInfo": {"ccPassword": "CANARY"}, "queueInfo": []}))
    call = await cti.current_call("0011")
    assert call is not None
    assert call.queue_info is None
    assert call.call_info == {"ccPassword": "**********"}


@pytest.mark.parametrize("content", ["text", 5, [1]])
async def test_an_answer_that_is_no_call(kit, ziwo, cti, content):
    ziwo.answers("GET", f"{AGENT}/call", lambda: kit.ok(content))
    with pytest.raises(DecodeError):
        await cti.current_call("0011")


async def test_without_a_key_nothing_is_sent(kit, ziwo):
    cti = CtiResource(kit.transport(ziwo.url))
    for attempt in (cti.agent_login("0011"), cti.call("0011", NUMBER), cti.current_call("0011")):
        with pytest.raises(ConfigError, match="api_key"):
            await attempt
    assert ziwo.seen == []


async def test_a_wrong_key(kit, ziwo, cti):
    with pytest.raises(BadCredentials) as caught:
        await cti.current_call("0011")
    assert KEY not in str(caught.value)
    assert ziwo.logins == 0


async def test_reading_is_retried_and_an_unknown_agent_is_not_found(kit, ziwo, cti):
    ziwo.answers("GET", f"{AGENT}/call", lambda: kit.failed(503, "later"), lambda: kit.failed(404, "No such agent"))
    with pytest.raises(NotFound, match="No such agent"):
        await cti.current_call("0011")
    assert ziwo.count("GET", f"{AGENT}/call") == 2


# --- the agent's own click to call ----------------------------------------------------------------------------------


@pytest.mark.parametrize("roaming", [False, True])
async def test_click_to_call_of_the_agent_that_is_logged_in(kit, ziwo, roaming):
    bodies: list[object] = []

    async def call(request: web.Request) -> web.Response:
        assert ziwo.allowed(request)
        assert request.content_type == "application/json"
        bodies.append(json.loads(await request.read()))
        return kit.ok({"callID": "c-1"})

    ziwo.on("POST", f"/integrations/cti/agents/call/{NUMBER}", call)
    transport = kit.transport(ziwo.url, api_key=SecretStr(KEY))
    assert (await click_to_call(transport, NUMBER, roaming_only=roaming)).call_id == "c-1"
    assert bodies == [{"roamingOnly": roaming}]
    assert ziwo.raw_paths[-1] == "/integrations/cti/agents/call/%2B97150000000"
    assert all("api_key" not in headers for headers in ziwo.headers)  # this one goes by token
    assert ziwo.logins == 1


async def test_click_to_call_with_a_token_of_ones_own_does_not_log_in(kit, ziwo):
    ziwo.tokens.add("CANARY-token")
    ziwo.answers("POST", f"/integrations/cti/agents/call/{NUMBER}", lambda: kit.ok({"callID": "c-1"}))
    await click_to_call(kit.transport(ziwo.url, Credentials.from_token("CANARY-token")), NUMBER)
    assert ziwo.logins == 0


# --- against the simulator ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["path", "form"])
async def test_a_click_rings_the_agent_and_then_calls_the_customer(ziwo_world, ziwo_client, way):
    customer = ziwo_world.customer(NUMBER).will(answer_after=0.01)
    async with ZiwoClient(api_url=ziwo_world.api_url, api_key=ziwo_world.cti_key) as robot:
        await robot.cti.agent_login("5555")
        assert await robot.cti.current_call("5555") is None
        async with ziwo_client.expect(Ringing, timeout=5) as rings:
            made = await robot.cti.call("5555", NUMBER, in_form=way == "form")
        call = ziwo_client.phone.call(rings.event.call_id)
        assert call is not None
        await call.answer()
        await customer.is_called()
        now = await robot.cti.current_call("5555")
        assert now is not None
        assert now.queue_info is not None
        assert made.call_id in (now.queue_info.call_id, call.primary_call_id)
        assert now.queue_info.created_at is not None
        await call.hangup()
        with pytest.raises(NotFound):
            await robot.cti.current_call("9999")


async def test_the_agent_s_own_click(ziwo_world, ziwo_client):
    customer = ziwo_world.customer(NUMBER).will(answer_after=0.01)
    async with ziwo_client.expect(Ringing, timeout=5) as rings:
        await ziwo_client.agent.click_to_call(NUMBER)
    call = ziwo_client.phone.call(rings.event.call_id)
    assert call is not None
    await call.answer()
    await customer.is_called()
    await call.hangup()


async def test_a_click_for_an_agent_whose_phone_is_away(ziwo_world):
    async with ZiwoClient(api_url=ziwo_world.api_url, api_key=ziwo_world.cti_key) as robot:
        with pytest.raises(Conflict):
            await robot.cti.call("0011", NUMBER)
    async with ZiwoClient(api_url=ziwo_world.api_url, api_key="CANARY-wrong") as stranger:
        with pytest.raises(BadCredentials):
            await stranger.cti.call("0011", NUMBER)


async def test_one_policy_for_the_phone_and_for_rest(ziwo_world):
    agent = ziwo_world.agent("5555")
    policy = SpendPolicy(calls_per_minute=2, allowed_prefixes=("+971",))
    async with (
        ZiwoClient(
            username=agent.username,
            password=agent.password,
            api_url=ziwo_world.api_url,
            api_key=ziwo_world.cti_key,
            spend=policy,
        ) as ziwo,
        ziwo.phone,
    ):
        with pytest.raises(SpendRefused):
            await ziwo.phone.dial("+19005550100")
        ziwo_world.customer(NUMBER).will(answer_after=0.01)
        call = await ziwo.phone.dial(NUMBER)
        await call.wait_for("active", 5)
        await call.hangup()
        await ziwo.eavesdrops.create("0011")
        for refused in (ziwo.cti.call("5555", NUMBER), ziwo.eavesdrops.create("0011"), ziwo.phone.dial(NUMBER)):
            with pytest.raises(SpendRefused, match="2 a minute"):
                await refused
