"""Customers, queues, transfers, and ZIWO's own requests."""

from __future__ import annotations

import asyncio

import pytest

from ziwo_async.simulator import SimulatorError, WaitedInVain, World

from .client import SDP, RawClient
from .conftest import Connect


@pytest.fixture
async def phone(world: World, connect: Connect) -> RawClient:
    client = await connect()
    await client.login(world.agent("0011"))
    return client


def invite(client: RawClient, number: str, call_id: str = "c1", sdp: str = SDP) -> int:
    return client.request("verto.invite", sdp=sdp, dialogParams={"callID": call_id, "destination_number": number})


async def outcome(client: RawClient) -> tuple[list[str], dict]:
    """The methods up to the bye, and the bye's params."""
    seen: list[str] = []
    while True:
        frame = await client.get()
        if frame.get("method") == "verto.bye":
            return seen, frame["params"]
        seen.append(frame.get("method") or frame["result"]["message"])


async def test_customer_answers_with_early_media(world: World, phone: RawClient) -> None:
    customer = world.customer("+971").will(answer_after=0.02, early_media=True, ring=0.01)
    customer.hangs_up_after(0.1)
    invite(phone, "+971")
    call = await customer.is_called()
    await call.reaches("active")
    seen, bye = await outcome(phone)
    assert seen == ["CALL CREATED", "verto.media", "verto.answer", "verto.display"]
    assert bye == {"callID": "c1", "causeCode": 16, "cause": "NORMAL_CLEARING"}
    assert call.primary_call_id == "c1"


@pytest.mark.parametrize(
    ("script", "code", "cause"),
    [
        (lambda c: c.will_reject(), 21, "CALL_REJECTED"),
        (lambda c: c.is_busy(), 17, "USER_BUSY"),
        (lambda c: c.never_answers(after=0.01), 19, "NO_ANSWER"),
    ],
    ids=["rejects", "busy", "no answer"],
)
async def test_customer_does_not_answer(world: World, phone: RawClient, script, code: int, cause: str) -> None:
    script(world.customer("+971"))
    invite(phone, "+971")
    assert await outcome(phone) == (["CALL CREATED"], {"callID": "c1", "causeCode": code, "cause": cause})


@pytest.mark.parametrize(
    ("number", "sdp", "code", "cause"),
    [
        ("123456", SDP, 1, "UNALLOCATED_NUMBER"),
        ("5555", SDP, 806, "USER_NOT_REGISTERED"),
        ("9196", "garbage", 88, "INCOMPATIBLE_DESTINATION"),
        ("9196", SDP.replace("127.0.0.1 40000 typ", "a1b2.local 40000 typ"), 88, "INCOMPATIBLE_DESTINATION"),
    ],
)
async def test_call_created_says_nothing(phone: RawClient, number: str, sdp: str, code: int, cause: str) -> None:
    invite(phone, number, sdp=sdp)
    assert await outcome(phone) == (["CALL CREATED"], {"callID": "c1", "causeCode": code, "cause": cause})


async def test_headers_and_variables_reach_the_client(world: World, phone: RawClient) -> None:
    customer = world.customer("+971", name="Ann")
    call = await customer.dials(
        world.agent("0011"), headers={"verto_h_x": "1"}, variables={"verto_svar_queue": "sales", "hidden": "1"}
    )
    params = await phone.expect("verto.invite")
    assert params["verto_h_x"] == "1"
    assert params["verto_h_primaryCallID"] == call.primary_call_id
    assert params["verto_h_originalCallerIdNumber"] == "+971"
    assert (params["caller_id_name"], params["caller_id_number"]) == ("Ann", "+971")
    assert params["variables"]["verto_svar_queue"] == "sales"
    assert "hidden" not in params["variables"]
    with pytest.raises(SimulatorError, match="verto_h_"):
        await customer.dials(world.agent("0011"), headers={"x": "1"})


async def test_caller_cancels_and_states_are_told(world: World, phone: RawClient) -> None:
    call = await world.customer("+971").dials(world.agent("0011"))
    await phone.expect("verto.invite")
    with pytest.raises(WaitedInVain, match="is ringing, not active"):
        await call.reaches("active", timeout=0.01)
    await call.cancels()
    assert (await phone.expect("verto.bye"))["causeCode"] == 487
    with pytest.raises(WaitedInVain, match="has ended: ORIGINATOR_CANCEL"):
        await call.reaches("active")


async def test_absent_agent_is_not_registered(world: World, phone: RawClient) -> None:
    call = await world.customer("+971").dials(world.agent("5555"))
    assert (call.state, call.cause) == ("ended", "USER_NOT_REGISTERED")


async def test_bad_answer_leaves_it_ringing(world: World, phone: RawClient) -> None:
    call = await world.customer("+971").dials(world.agent("0011"))
    await phone.expect("verto.invite")
    reply = await phone.ask("verto.answer", sdp="v=0", dialogParams={"callID": call.id})
    assert reply["error"] == {"message": "CODEC ERROR", "code": -32002}
    assert call.state == "ringing"
    await phone.ask("verto.answer", sdp=SDP, dialogParams={"callID": call.id})
    await call.reaches("active")


async def test_hold_party_change_and_hangup(world: World, phone: RawClient) -> None:
    call = await world.customer("+971").dials(world.agent("0011"))
    await phone.expect("verto.invite")
    await phone.ask("verto.answer", sdp=SDP, dialogParams={"callID": call.id})
    await phone.expect("verto.display")
    reply = await phone.ask("verto.modify", action="hold", dialogParams={"callID": call.id})
    assert list(reply["result"]) == ["callID", "action", "holdState", "sessid"]
    assert call.state == "held"
    await call.changes_party("Bob", "+972")
    shown = await phone.expect("verto.display")
    assert (shown["display_name"], shown["display_number"]) == ("Bob", "+972")
    await call.hangs_up("MEDIA_TIMEOUT")
    assert (await phone.expect("verto.bye"))["causeCode"] == 804


async def test_transfer_to_another_agent_keeps_the_call(world: World, phone: RawClient, connect: Connect) -> None:
    other = await connect()
    await other.login(world.agent("5555"), "s2")
    call = await world.customer("+971").dials(world.agent("0011"))
    await phone.expect("verto.invite")
    await phone.ask("verto.answer", sdp=SDP, dialogParams={"callID": call.id})
    await phone.expect("verto.display")
    first = call.id
    reply = await phone.ask("verto.modify", action="transfer", destination="5555", dialogParams={"callID": first})
    assert reply["result"]["message"] == "CALL TRANSFERRED"
    assert (await phone.expect("verto.bye"))["cause"] == "NORMAL_CLEARING"
    offered = await other.expect("verto.invite")
    assert offered["verto_h_primaryCallID"] == call.primary_call_id
    await other.ask("verto.answer", sdp=SDP, dialogParams={"callID": offered["callID"]})
    await call.reaches("active")
    assert call.id == offered["callID"] != first


async def test_queue_rings_the_first_free_agent_and_then_the_next(world: World, connect: Connect) -> None:
    clients = [await connect(), await connect()]
    agents = [world.agent("0011"), world.agent("5555")]
    for client, agent in zip(clients, agents, strict=True):
        await client.login(agent, agent.ccLogin)
    call = await world.customer("+971").dials(world.queue("sales", agents=agents))
    assert call.state == "waiting"
    for agent in agents:
        agent.set_ready(True)
        agent.set_status("Available")
    offered = await clients[0].expect("verto.invite")
    await clients[0].ask("verto.bye", cause="CALL_REJECTED", dialogParams={"callID": offered["callID"]})
    offered = await clients[1].expect("verto.invite")
    await clients[1].ask("verto.answer", sdp=SDP, dialogParams={"callID": offered["callID"]})
    await call.reaches("active")
    assert [leg.agent for leg in call.legs] == agents
    assert world.queue("sales").waiting == []


async def test_pickup_send_and_send_on_call(world: World, phone: RawClient) -> None:
    agent = world.agent("0011")
    call = await world.customer("+971").dials(agent)
    assert await agent.picks_up(call)
    await phone.expect("verto.invite")
    assert await phone.expect("verto.pickup") == {"callID": call.id}
    assert await agent.send({"event": "popup", "n": [1, None]})
    assert await phone.expect("verto.send") == {"data": {"event": "popup", "n": [1, None]}}
    assert await agent.send_on_call(call, {"crm": 1}, uuid=call.id)
    assert await phone.expect("verto.sendToAgentOnCall") == {"callID": call.id, "data": {"crm": 1}, "uuid": call.id}
    assert not await world.agent("5555").send({})
    assert not await world.agent("5555").send_on_call(call, {})
    await call.cancels()
    assert not await agent.picks_up(call)


async def test_told_to_dial(world: World, phone: RawClient) -> None:
    agent = world.agent("0011")
    assert not await world.agent("5555").told_to_dial("1")
    asked = asyncio.create_task(agent.told_to_dial("9196"))
    params = await phone.expect("verto.dial")
    assert list(params) == ["number", "uuid"]
    invite(phone, params["number"], params["uuid"])
    assert await asked
    assert not await agent.told_to_dial("9196")  # nobody dials: 39 looks


async def test_variables_and_dtmf_from_the_client(world: World, phone: RawClient) -> None:
    invite(phone, "9196")
    for _ in range(2):
        await phone.get()
    call = world.calls[-1]
    variables = {"crmId": "42", "flag": True, "num": 7, "empty": ""}
    await phone.ask("verto.sendToCall", action="x", dialogParams={"callID": "c1", "userVariables": variables})
    assert call.variables == {"verto_dvar_crmId": "42", "verto_dvar_flag": "true"}
    await phone.ask("verto.info", dtmf="12", dialogParams={"callID": "c1"})
    assert world.dtmf == [("c1", "12")]


async def test_eavesdrop_rings_the_supervisor(world: World, phone: RawClient, connect: Connect) -> None:
    supervisor = await connect()
    await supervisor.login(world.agent("5555"), "s2")
    spy = await world.agent("5555").eavesdrops(world.agent("0011"), headers={"verto_h_x": "1"})
    params = await supervisor.expect("verto.invite")
    assert (params["caller_id_name"], params["verto_h_x"]) == ("Eavesdrop", "1")
    await supervisor.ask("verto.answer", sdp=SDP, dialogParams={"callID": spy.id})
    call = await world.customer("+971").dials(world.agent("0011"))
    await phone.expect("verto.invite")
    await phone.ask("verto.answer", sdp=SDP, dialogParams={"callID": call.id})
    assert (await supervisor.expect("verto.display"))["display_number"] == "+971"
    await call.hangs_up()
    assert spy.state == "active"


async def test_subscriptions_and_broadcast(world: World, phone: RawClient) -> None:
    reply = await phone.ask("verto.subscribe", eventChannel=["presence", "private"])
    assert reply["result"]["subscribedChannels"] == ["presence"]
    assert reply["result"]["unauthorizedChannels"] == ["private"]
    event = {"eventChannel": "presence.x", "data": {"a": 1}, "localBroadcast": True}
    await phone.ask("verto.broadcast", **event)
    got = await phone.expect("verto.event")
    assert (got["eventSerno"], got["subscribedChannel"]) == (0, "presence")
    reply = await phone.ask("verto.unsubscribe", eventChannel="presence")
    assert reply["result"]["unsubscribedChannels"] == ["presence"]


async def test_a_world_that_is_served_for_months_forgets_old_calls_but_no_live_one(
    world: World, phone: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ziwo_async.simulator.world._REMEMBERED", 3)
    live = await world.customer("+970").dials(world.agent("0011"))
    for number in range(12):
        call = await world.customer(f"+97{number}1").dials(world.agent("0011"))
        await call.hangs_up()
        phone.request("verto.info", dtmf="1", dialogParams={"callID": live.id})
    assert world.calls[0] is live
    assert len(world.calls) <= 7
    await asyncio.sleep(0.01)
    assert len(world.dtmf) <= 6
