"""CTI by api_key, and the agent's own click to call."""

from __future__ import annotations

import pytest

from ziwo_async.simulator import Simulator, World

from .api import Api, hangs_up, phone, picks_up

BASE = "/integrations/cti/agents/0011"


@pytest.fixture
def key(world: World) -> dict[str, str]:
    return {"api_key": world.cti_key}


async def test_the_key_in_header_query_or_body_and_no_token(
    anonymous: Api, api: Api, world: World, key: dict[str, str]
) -> None:
    path = f"{BASE}/login/agent-0011"
    for how in ({"headers": key}, {"params": key}, {"data": key}, {"json": key}):
        world.agent("0011").set_ready(False)
        assert (await anonymous("POST", path, **how)).content == {}
        assert world.agent("0011").ready
    for how in ({}, {"headers": {"api_key": "wrong"}}, {"data": {"api_key": ""}}, {"headers": {"api_key": "é"}}):
        assert (await anonymous("POST", path, **how)).status == 401
    assert (await api("POST", path)).status == 401  # a token is no key
    assert World(seed=1).cti_key != World(seed=2).cti_key


async def test_unknown_agents_and_positions(anonymous: Api, key: dict[str, str]) -> None:
    assert (await anonymous("POST", "/integrations/cti/agents/9/login/agent-9", headers=key)).status == 404
    assert (await anonymous("POST", f"{BASE}/login/agent-5555", headers=key)).status == 404
    assert (await anonymous("POST", f"{BASE}/call/+971", headers=key)).status == 412
    assert (await anonymous("GET", "/integrations/cti/agents/9/call", headers=key)).status == 404


async def test_click_to_call_rings_the_agent_and_then_the_customer(
    anonymous: Api, world: World, connect, key: dict[str, str]
) -> None:
    customer = world.customer("+971501234567").will(ring=0.01, answer_after=0.01)
    client = await phone(connect, world.agent("0011"))
    assert (await anonymous("GET", f"{BASE}/call", headers=key)).content == {}
    answer = await anonymous("POST", f"{BASE}/call/%2B971501234567", headers=key)
    call_id = answer.content["callID"]
    (call,) = world.calls
    assert (call.state, customer._calls) == ("ringing", [])
    info = (await anonymous("GET", f"{BASE}/call", headers=key)).content
    assert info["callInfo"] == {}
    assert (info["queueInfo"]["callState"], info["queueInfo"]["channelBridgeEPOCH"]) == ("RINGING", "0")
    assert await picks_up(client) == call_id
    assert await customer.is_called() is call
    shown = await client.expect("verto.display")
    assert shown["display_number"] == "+971501234567"
    info = (await anonymous("GET", f"{BASE}/call", headers=key)).content["queueInfo"]
    assert (info["callID"], info["didCalled"], info["direction"]) == (call_id, "+971501234567", "outbound")
    assert info["callerID"] == "agent-0011"
    assert (info["callState"], info["calleeCallState"]) == ("ACTIVE", "ACTIVE")
    assert int(info["channelBridgeEPOCH"]) >= int(info["createdEPOCH"]) > 0
    assert all(isinstance(value, str) for value in info.values())
    await hangs_up(client, call_id)
    cdr = await world.history.of(call)
    assert (cdr.direction, cdr.result, cdr.customer, cdr.did) == (
        "outbound",
        "answered",
        "+971501234567",
        "+971501234567",
    )
    assert cdr.hung_up_by == "originator"
    assert (await anonymous("GET", f"{BASE}/call", headers=key)).content == {}


async def test_the_number_in_a_form_with_two_zeros(anonymous: Api, world: World, connect, key: dict[str, str]) -> None:
    world.customer("+971501234567").is_busy(after=0.01)
    client = await phone(connect, world.agent("0011"))
    answer = await anonymous("POST", f"{BASE}/call", data={"number": "00971501234567"}, headers=key)
    assert await picks_up(client) == answer.content["callID"]
    assert (await client.expect("verto.bye"))["cause"] == "USER_BUSY"
    cdr = await world.history.of(world.calls[-1])
    assert (cdr.direction, cdr.result, cdr.agent) == ("outbound", "busy", world.agent("0011"))
    assert (await anonymous("POST", f"{BASE}/call", data={}, headers=key)).status == 400


async def test_an_agent_who_does_not_answer(anonymous: Api, world: World, connect, key: dict[str, str]) -> None:
    customer = world.customer("+971")
    client = await phone(connect, world.agent("0011"))
    await anonymous("POST", f"{BASE}/call/+971", headers=key)
    await hangs_up(client, str((await client.expect("verto.invite"))["callID"]), "CALL_REJECTED")
    cdr = await world.history.of(world.calls[-1])
    assert (cdr.direction, cdr.result, cdr.did, customer._calls) == ("outbound", "busy", "+971", [])


async def test_a_number_that_does_not_exist_and_a_colleague(
    anonymous: Api, world: World, connect, key: dict[str, str]
) -> None:
    client = await phone(connect, world.agent("0011"))
    other = await phone(connect, world.agent("5555"))
    await anonymous("POST", f"{BASE}/call/12345", headers=key)
    await picks_up(client)
    assert (await client.expect("verto.bye"))["cause"] == "UNALLOCATED_NUMBER"
    assert (await world.history.of(world.calls[-1])).result == "failed"
    await anonymous("POST", f"{BASE}/call/5555", headers=key)
    await picks_up(client)
    invite = await other.expect("verto.invite")
    assert invite["caller_id_number"] == "agent-0011"


async def test_the_agents_own_click_to_call_needs_a_token(
    api: Api, anonymous: Api, world: World, sim: Simulator, connect, key: dict[str, str]
) -> None:
    world.customer("+971501234567")
    path = "/integrations/cti/agents/call/%2B971501234567"
    assert (await api("POST", path, json={"roamingOnly": False})).status == 412
    client = await phone(connect, world.agent("0011"))
    assert (await anonymous("POST", path, headers=key)).status == 401
    answer = await api("POST", path, json={"roamingOnly": False})
    assert (await client.expect("verto.invite"))["callID"] == answer.content["callID"]
    assert world.calls[-1].did == "+971501234567"
    sim.rest.quirks.empty_as_list = True
    assert (await anonymous("GET", "/integrations/cti/agents/5555/call", headers=key)).content == []
