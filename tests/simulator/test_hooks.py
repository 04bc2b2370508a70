"""A call to a call tracker's number: the service is asked, its rules are tried in order, and it is told the end."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from ziwo_async.simulator import SimCall, Simulator, SimulatorError, World
from ziwo_async.simulator.hooks import TrackedCall

from .api import Api, hangs_up, phone, picks_up
from .client import Connect
from .receiver import DID, KEY, Receiver, call, linked, receiver

CUSTOMER = "+971500000000"
PAGE = Path(__file__).parents[1] / "data" / "developers-page" / "end-call.json"


@pytest.fixture
async def service() -> AsyncGenerator[Receiver]:
    async with receiver() as running:
        yield running


def tracked(found: SimCall) -> TrackedCall:
    assert found.tracked is not None
    return found.tracked


def shape(value: Any) -> Any:
    """The members in their order, and the types of their values."""
    if isinstance(value, dict):
        return [(name, shape(found)) for name, found in value.items()]
    return [shape(found) for found in value] if isinstance(value, list) else type(value)


async def test_start_call_is_the_documented_request(world: World, sim: Simulator, service: Receiver) -> None:
    linked(world, service)
    there = await world.customer(CUSTOMER).dials(DID)
    assert (await sim.hooks.of(there, "start")).status == 200
    (start,) = service.of("/startCall")
    assert start.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert start.keys == [KEY]
    assert start.data == {"didCalled": DID}
    assert "Authorization" not in start.headers


@pytest.mark.parametrize(
    ("kind", "content_type"), [("urlencoded", "application/x-www-form-urlencoded"), ("json", "application/json")]
)
async def test_start_call_can_say_more_and_be_written_otherwise(
    world: World, sim: Simulator, service: Receiver, kind: Any, content_type: str
) -> None:
    linked(world, service)
    sim.hooks.start_body = kind
    sim.hooks.caller_field, sim.hooks.call_id_field = "callerIDNumber", "callID"
    there = await world.customer(CUSTOMER).dials(DID)
    await sim.hooks.of(there, "start")
    (start,) = service.of("/startCall")
    assert start.headers["Content-Type"] == content_type
    assert start.data == {"didCalled": DID, "callerIDNumber": CUSTOMER, "callID": there.primary_call_id}


async def test_rules_ring_one_agent_after_the_other_with_the_rules_number(
    world: World, sim: Simulator, service: Receiver, connect: Connect
) -> None:
    linked(world, service)
    first, second = world.agent("0011"), world.agent("5555")
    one, two = await phone(connect, first), await phone(connect, second)
    service.rules(call("0011", callerID=DID, timeout=1), call("5555", timeout=30))
    there = await world.customer(CUSTOMER).dials(DID)
    assert there.state == "waiting"
    invite = await one.expect("verto.invite")
    assert (invite["caller_id_number"], invite["verto_h_originalCallerIdNumber"]) == (DID, DID)
    assert invite["verto_h_primaryCallID"] == there.primary_call_id
    assert there.state == "ringing"
    assert (await one.expect("verto.bye"))["cause"] == "NO_ANSWER"
    call_id = await picks_up(two)  # the caller's own number is shown where the rule has none
    assert sim.switch.legs[call_id].caller.number == CUSTOMER
    await tracked(there).reaches("talking")
    assert [(tried.rule.number, tried.outcome) for tried in tracked(there).tried] == [
        ("0011", "NO_ANSWER"),
        ("5555", "answered"),
    ]
    assert there.state == "active"
    await hangs_up(two, call_id)
    end = await sim.hooks.of(there, "end")
    assert (end.status, there.state, tracked(there).state) == (200, "ended", "over")
    assert len(service.of("/endCall")) == 1


async def test_end_call_has_the_record_that_the_history_has(
    world: World, sim: Simulator, service: Receiver, connect: Connect, api: Api
) -> None:
    linked(world, service)
    client = await phone(connect, world.agent("5555"))
    service.rules(call("5555"))
    there = await world.customer(CUSTOMER, name="Layla").dials(DID)
    await hangs_up(client, await picks_up(client))
    await sim.hooks.of(there, "end")
    (end,) = service.of("/endCall")
    assert (end.headers["Content-Type"], end.keys) == ("application/json", [KEY])
    cdr = end.data
    (row,) = await api.rows("/callHistory/")
    same = set(cdr) & set(row) - {"id", "version", "audioQuality", "extendedInfo"}
    assert {name: cdr[name] for name in same} == {name: row[name] for name in same}
    assert (cdr["disposition"], cdr["callerIDName"], cdr["agentCCLogin"]) == ("ANSWER", "Layla", "5555")
    assert (cdr["id"], cdr["version"]) == (f"46:{row['id']}", "3")
    numbers = cdr["extendedInfo"]["numbers"]
    assert (numbers["linkType"], numbers["linkData"], numbers["did"]) == ("callTracker", "CT", DID)
    (flow,) = cdr["callFlows"]
    assert (flow["callID"], flow["step"], flow["extensionNumber"]) == (there.primary_call_id, 1, DID)


async def test_rules_call_numbers_outside(world: World, sim: Simulator, service: Receiver) -> None:
    linked(world, service)
    world.customer("0505874603").is_busy()
    mobile = world.customer("047654321").will(answer_after=0.01).hangs_up_after(0.05)
    service.rules(call("0505874603", timeout=10), call("1", timeout=5), call("0011"), call("047654321", timeout=10))
    there = await world.customer(CUSTOMER).dials(DID)
    assert await mobile.is_called() is there
    await there.reaches("active")
    await there.reaches("ended")
    assert [tried.outcome for tried in tracked(there).tried] == [
        "USER_BUSY",
        "UNALLOCATED_NUMBER",  # nobody has that number
        "USER_NOT_REGISTERED",  # an agent without a phone
        "answered",
    ]
    cdr = await world.history.of(there)
    assert (cdr.result, cdr.agent, cdr.position, cdr.hung_up_by) == ("answered", None, "047654321", "originatee")
    await sim.hooks.of(there, "end")
    told = service.of("/endCall")[0].data
    assert shape(told) == shape(json.loads(PAGE.read_text()))
    assert (told["position"], told["agentCCLogin"], told["disposition"]) == ("047654321", "unknown", "ANSWER")
    assert told["recordingFile"] == f"{there.primary_call_id}.mp3"


async def test_a_number_outside_that_rings_too_long_is_given_up(
    world: World, sim: Simulator, service: Receiver
) -> None:
    linked(world, service)
    world.customer("0505874603").will(answer_after=60.0)
    service.rules(call("0505874603", timeout=1))
    there = await world.customer(CUSTOMER).dials(DID)
    await there.reaches("ringing")
    cdr = await world.history.of(there)
    assert (cdr.result, cdr.cause, cdr.hung_up_by) == ("no-answer", "NO_ANSWER", "unknown")
    assert (await sim.hooks.of(there, "end")).status == 200
    assert service.of("/endCall")[0].data["answeredDateTime"] is None


@pytest.mark.parametrize("place", ["content", "rule"])
async def test_a_flag_asks_for_the_voicemail(world: World, sim: Simulator, service: Receiver, place: str) -> None:
    linked(world, service)
    sim.hooks.voicemail_flag, sim.hooks.voicemail_seconds = "vm", 0.05
    if place == "content":
        service.rules(call("0011"), vm=True)
    else:
        service.rules(call("0011", vm=True))
    there = await world.customer(CUSTOMER).dials(DID)
    cdr = await world.history.of(there)
    assert (cdr.voicemail, cdr.result, cdr.cause) == (True, "no-answer", "NO_ANSWER")
    assert cdr.has_recording
    assert there.voicemail_since is not None
    assert tracked(there).state == "over"


async def test_playbacks_are_noted(world: World, sim: Simulator, service: Receiver) -> None:
    linked(world, service, welcomePlayback="cafe", errorPlayback="beef")
    there = await world.customer(CUSTOMER).dials(DID)
    assert tracked(there).playbacks == [("welcome", "cafe")]
    cdr = await world.history.of(there)  # there are no rules
    assert tracked(there).playbacks == [("welcome", "cafe")]
    assert (cdr.result, cdr.cause) == ("failed", "NO_ROUTE_DESTINATION")


async def test_the_logs_hold_what_was_said(world: World, sim: Simulator, service: Receiver, api: Api) -> None:
    linked(world, service, endRequestURL=service.url.replace("//", "//user:pass@") + "/endCall?token=t0ken")
    there = await world.customer(CUSTOMER).dials(DID)
    await sim.hooks.of(there, "end")
    assert service.of("/endCall")[0].headers["Authorization"] == "Basic dXNlcjpwYXNz"
    end, start = await api.rows("/admin/callTrackers/logs")
    assert (start["type"], start["status"], start["callID"]) == ("start", 200, there.primary_call_id)
    assert start["request"] == {"didCalled": DID}
    assert start["response"]["content"] == {"didCalled": DID, "rules": []}
    assert end["request"]["didCalled"] == DID
    for text in (str(end), str(list(world.trackers.logs)), str(list(sim.hooks.sent)), str(list(sim.journal))):
        assert "pass" not in text
        assert "t0ken" not in text
        assert KEY not in text


async def test_the_cdr_web_hook_is_told_every_record(
    world: World, sim: Simulator, service: Receiver, connect: Connect, api: Api
) -> None:
    sim.hooks.cdr_to(f"{service.url}/cdr", key=KEY)
    client = await phone(connect, world.agent("5555"))
    there = await world.customer(CUSTOMER).dials(world.agent("5555"))
    await hangs_up(client, await picks_up(client))
    assert (await sim.hooks.of(there, "cdr")).status == 200
    (told,) = service.of("/cdr")
    assert (told.headers["Content-Type"], told.keys) == ("application/json", [KEY])
    assert told.data == {"action": "create", "content": (await api.get("/callHistory/")).content[0]}
    world.history.add(customer=CUSTOMER)
    await sim.hooks.settle()
    assert len(service.of("/cdr")) == 2
    world.history.add(customer=CUSTOMER)
    sim.hooks.cdr_to(None)  # for those to come
    world.history.add(customer=CUSTOMER)
    await sim.hooks.settle()
    assert len(service.of("/cdr")) == len(sim.hooks.sent) == 3
    assert "hook: cdr, plain, POST" in "".join(entry.text for entry in sim.journal if entry.kind == "note")


async def test_a_number_leads_to_what_it_is_linked_to(world: World, sim: Simulator, connect: Connect) -> None:
    customer = world.customer(CUSTOMER)
    queue = world.queue("sales", agents=[world.agent("5555")])
    number = world.add_number("1", link=queue)
    waiting = await customer.dials(number)
    assert (waiting.queue, waiting.did, waiting.state) == (queue, "1", "waiting")
    world.add_number("2")
    nowhere = await customer.dials("2")
    assert (nowhere.did, nowhere.state, nowhere.cause) == ("2", "ended", "NO_ROUTE_DESTINATION")
    tracker = world.add_tracker("gone")
    world.add_number("3", link=tracker)
    world.trackers.remove(tracker)
    assert (await customer.dials("3")).cause == "NO_ROUTE_DESTINATION"
    with pytest.raises(SimulatorError, match="no number '4'; it has: 1, 2, 3"):
        await customer.dials("4")


async def test_a_call_is_transferred_after_a_rule(
    world: World, sim: Simulator, service: Receiver, connect: Connect
) -> None:
    linked(world, service)
    one, two = await phone(connect, world.agent("0011")), await phone(connect, world.agent("5555"))
    service.rules(call("0011"), call("047654321"))
    there = await world.customer(CUSTOMER).dials(DID)
    call_id = await picks_up(one)
    await tracked(there).reaches("talking")
    await one.ask("verto.modify", dialogParams={"callID": call_id}, action="transfer", destination="5555")
    second = str((await two.expect("verto.invite"))["callID"])
    await hangs_up(two, second, "CALL_REJECTED")  # the next rule is not tried any more
    cdr = await world.history.of(there)
    assert (cdr.result, [tried.outcome for tried in tracked(there).tried]) == ("answered", ["answered"])
