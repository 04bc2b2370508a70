"""Calls become records: each kind once, when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ziwo_async.simulator import Cdr, Clock, Simulator, SimulatorError, WaitedInVain, World
from ziwo_async.testing import VirtualLoop, run_virtual

from .api import Api, dial, hangs_up, phone, picks_up
from .client import RawClient
from .conftest import FAST


async def show(client: RawClient) -> None:
    """The two ends are connected."""
    while (await client.get()).get("method") != "verto.display":
        pass


def summary(cdr: Cdr) -> tuple[str, str, str, str]:
    return cdr.direction, cdr.result, cdr.cause, cdr.hung_up_by


async def test_inbound_answered(world: World, api: Api, connect) -> None:
    agent = world.agent("0011")
    world.add_number("97140000001")
    client = await phone(connect, agent)
    call = await world.customer("+971501234567", name="Ann").dials(agent)
    call_id = await picks_up(client)
    await show(client)
    assert await api.rows("/callHistory/") == []
    await hangs_up(client, call_id)
    cdr = await world.history.of(call)
    assert summary(cdr) == ("inbound", "answered", "NORMAL_CLEARING", "originatee")
    (row,) = await api.rows("/callHistory/")
    expected = {
        "id": 1,
        "callID": call.primary_call_id,
        "direction": "inbound",
        "result": "answered",
        "disposition": "ANSWER",
        "hangupCause": "NORMAL_CLEARING",
        "callerIDNumber": "+971501234567",
        "callerIDName": "Ann",
        "didCalled": "97140000001",
        "channelName": "sofia/external/+971501234567",
        "numberId": 1,
        "agentId": agent.id,
        "agentCCLogin": "0011",
        "recordingFile": f"{call.primary_call_id}.mp3",
        "voicemail": False,
        "queueId": None,
    }
    assert expected.items() <= row.items()
    assert row["startedAt"] <= row["agentRingStartedAt"] <= row["answeredAt"] <= row["endedAt"]
    for past, name in (("started", "start"), ("answered", "answered"), ("ended", "end")):
        stamp = datetime.strptime(row[f"{past}At"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
        assert row[f"{past}At"][-5] == "."
        assert row[f"{name}DateTime"] == row[f"{past}At"]
        assert row[f"{name}RawTime"] == int(stamp.timestamp())
    assert row["extendedInfo"]["agents"]["ccPassword"] == agent.cc_password
    assert not {"tags", "notes", "customer", "agent"} & set(row)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        (lambda call, client: call.hangs_up(), ("inbound", "cancel", "ORIGINATOR_CANCEL", "originator")),
        (lambda call, client: call.cancels(), ("inbound", "cancel", "ORIGINATOR_CANCEL", "originator")),
        (
            lambda call, client: hangs_up(client, call.id, "CALL_REJECTED"),
            ("inbound", "busy", "CALL_REJECTED", "originatee"),
        ),
        (lambda call, client: asyncio.sleep(0), ("inbound", "no-answer", "NO_ANSWER", "originatee")),
    ],
    ids=["hangs up", "cancels", "rejected", "nobody answers"],
)
async def test_inbound_unanswered(world: World, api: Api, connect, ends: Callable, expected: tuple) -> None:
    client = await phone(connect, world.agent("0011"))
    call = await world.customer("+971").dials(world.agent("0011"), ring_timeout=0.1)
    await client.expect("verto.invite")
    await ends(call, client)
    assert summary(await world.history.of(call)) == expected
    (row,) = await api.rows("/agents/channels/calls/")
    assert (row["answeredAt"], row["answeredRawTime"], row["recordingFile"], row["talkTime"]) == (None, None, None, 0)
    assert row["agentCCLogin"] == "0011"
    assert (await api.get(f"/surveillance/recordings/{call.primary_call_id}.mp3")).status == 404


async def test_a_caller_who_leaves_in_the_moment_of_the_answer_was_answered(world: World, connect) -> None:
    agent = world.agent("0011")
    client = await phone(connect, agent)
    call = await world.customer("+971501234567").dials(agent)
    await picks_up(client)
    await call.reaches("active")  # before the two ends are joined
    await call.hangs_up()
    cdr = await world.history.of(call)
    assert summary(cdr) == ("inbound", "answered", "NORMAL_CLEARING", "originator")
    assert (cdr.agent, cdr.answered_at) == (agent, cdr.ended_at)


async def test_an_absent_agent_is_a_failed_call_of_nobody(world: World, api: Api) -> None:
    call = await world.customer("+971").dials(world.agent("0011"))
    assert summary(await world.history.of(call))[:3] == ("inbound", "failed", "USER_NOT_REGISTERED")
    (row,) = await api.rows("/callHistory/")
    assert (row["agentCCLogin"], row["agentId"], row["disposition"]) == ("unknown", None, "FAILED")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (lambda c: c.will(answer_after=0.01).hangs_up_after(0.05), ("answered", "NORMAL_CLEARING", "originatee")),
        (lambda c: c.is_busy(), ("busy", "USER_BUSY", "originatee")),
        (lambda c: c.never_answers(after=0.02), ("no-answer", "NO_ANSWER", "originatee")),
        (lambda c: c.will_reject(cause="NO_ROUTE_DESTINATION"), ("failed", "NO_ROUTE_DESTINATION", "originatee")),
    ],
    ids=["answered", "busy", "no answer", "failed"],
)
async def test_outbound(world: World, api: Api, connect, script: Callable, expected: tuple) -> None:
    world.add_number("97140000001")
    script(world.customer("+971501234567"))
    client = await phone(connect, world.agent("0011"))
    dial(client, "+971501234567")
    while (await client.get()).get("method") != "verto.bye":
        pass
    cdr = await world.history.of(world.calls[-1])
    assert summary(cdr) == ("outbound", *expected)
    (row,) = await api.rows("/callHistory/")
    assert (row["callID"], row["agentCCLogin"]) == ("c1", "0011")
    # Here the caller is the contact centre's number; the customer is in didCalled and channelName.
    assert row["callerIDNumber"] == "97140000001"
    assert (row["didCalled"], row["channelName"]) == ("+971501234567", "verto.rtc/+971501234567")


async def test_an_agent_gives_up_and_a_number_that_does_not_exist(world: World, connect) -> None:
    world.customer("+971").will(answer_after=None)
    client = await phone(connect, world.agent("0011"))
    dial(client, "+971")
    await world.customer("+971").is_called()
    await hangs_up(client, "c1", "ORIGINATOR_CANCEL")
    cdr = await world.history.of(world.calls[-1])
    assert summary(cdr) == ("outbound", "cancel", "ORIGINATOR_CANCEL", "originator")
    dial(client, "12345", "c2")
    while (await client.get()).get("method") != "verto.bye":
        pass
    cdr = await world.history.of(world.calls[-1])
    assert (*summary(cdr)[:2], cdr.customer) == ("outbound", "failed", "12345")


async def test_between_agents(world: World, api: Api, connect) -> None:
    client = await phone(connect, world.agent("0011"))
    other = await phone(connect, world.agent("5555"))
    dial(client, "5555")
    call_id = await picks_up(other)
    await show(other)
    await hangs_up(other, call_id)
    cdr = await world.history.of(world.calls[-1])
    assert summary(cdr) == ("internal", "answered", "NORMAL_CLEARING", "originatee")
    assert cdr.agents == (world.agent("0011"), world.agent("5555"))
    (row,) = await api.rows("/callHistory/")
    assert (row["agentCCLogin"], row["callerIDNumber"], row["didCalled"]) == ("0011", "0011", "5555")
    assert row["otherSideUserId"] == world.agent("5555").id
    assert len(world.history) == 1


async def test_eavesdrop_is_a_service_without_recording(world: World, api: Api, connect) -> None:
    client = await phone(connect, world.agent("0011"))
    await api("POST", "/live/calls/eavesdrop/5555")
    call_id = await picks_up(client)
    await hangs_up(client, call_id)
    cdr = await world.history.of(world.calls[-1])
    assert (*summary(cdr)[:2], cdr.call_id, cdr.agent) == ("service", "answered", call_id, world.agent("0011"))
    (row,) = await api.rows("/callHistory/")
    assert (row["recordingFile"], row["didCalled"]) == (None, "5555")


async def test_the_echo_test_is_a_service(world: World, connect) -> None:
    client = await phone(connect, world.agent("0011"))
    dial(client, "9196")
    await world.customer("9196").is_called()
    await world.calls[-1].reaches("active")
    await hangs_up(client, "c1")
    assert summary(await world.history.of(world.calls[-1]))[:2] == ("service", "answered")


async def test_a_queue_that_tries_two_agents(world: World, api: Api, connect) -> None:
    queue = world.queue("sales", agents=list(world.agents))
    world.add_number("97140000009")
    world.add_number("97140000001", link=queue)
    phones = []
    for agent in world.agents:
        phones.append(await phone(connect, agent))
        agent.set_ready(True)
        agent.set_status("Available")
    call = await world.customer("+971").dials(queue)
    first, second = phones
    await hangs_up(first, str((await first.expect("verto.invite"))["callID"]), "CALL_REJECTED")
    await picks_up(second)
    await show(second)
    await call.hangs_up()
    cdr = await world.history.of(call)
    assert summary(cdr) == ("inbound", "answered", "NORMAL_CLEARING", "originator")
    assert (cdr.agent, cdr.agents, len(world.history)) == (world.agent("5555"), world.agents, 1)
    (row,) = await api.rows("/callHistory/")
    assert (row["queueId"], row["queueName"], row["didCalled"]) == (queue.id, "sales", "97140000001")
    assert row["queueEnteredAt"] == row["queueEnterDateTime"] == row["startedAt"]
    assert row["queueAnsweredAt"] == row["answeredAt"]
    leaked = row["extendedInfo"]["queues"]["agents"]
    assert [agent["ccPassword"] for agent in leaked] == [agent.cc_password for agent in world.agents]


async def test_a_caller_who_leaves_the_queue(world: World, connect) -> None:
    agent = world.agent("0011")
    client = await phone(connect, agent)
    queue = world.queue("sales", agents=[agent])
    agent.set_ready(True)
    agent.set_status("Available")
    call = await world.customer("+971").dials(queue)
    await hangs_up(client, str((await client.expect("verto.invite"))["callID"]), "CALL_REJECTED")
    await call.reaches("waiting")
    await asyncio.sleep(0)
    assert len(world.history) == 0
    await call.hangs_up()
    cdr = await world.history.of(call)
    assert summary(cdr) == ("inbound", "cancel", "ORIGINATOR_CANCEL", "originator")
    assert (cdr.queue, cdr.agent) == (queue, agent)


async def test_a_transferred_call_is_one_record(world: World, connect) -> None:
    client = await phone(connect, world.agent("0011"))
    other = await phone(connect, world.agent("5555"))
    call = await world.customer("+971").dials(world.agent("0011"))
    call_id = await picks_up(client)
    await show(client)
    await client.ask("verto.modify", action="transfer", destination="5555", dialogParams={"callID": call_id})
    await picks_up(other)
    await show(other)
    assert len(world.history) == 0
    await call.hangs_up()
    cdr = await world.history.of(call)
    assert summary(cdr) == ("inbound", "answered", "NORMAL_CLEARING", "originator")
    assert (cdr.agent, cdr.agents) == (world.agent("5555"), world.agents)
    assert len(world.history) == 1


async def test_an_attended_transfer_leaves_two_records(world: World, connect) -> None:
    client = await phone(connect, world.agent("0011"))
    other = await phone(connect, world.agent("5555"))
    inbound = await world.customer("+971").dials(world.agent("0011"))
    first = await picks_up(client)
    await show(client)
    dial(client, "5555")
    await picks_up(other)
    await show(other)
    inner = world.calls[-1]
    reply = await client.ask("verto.modify", action="replace", replaceCallID="c1", dialogParams={"callID": first})
    assert "error" not in reply
    cdr = await world.history.of(inbound)
    assert summary(cdr)[:2] == ("inbound", "answered")
    await show(other)
    await hangs_up(other, inner.id)
    assert summary(await world.history.of(inner))[:2] == ("internal", "answered")
    assert len(world.history) == 2


async def test_hold_is_counted(world: World, api: Api, connect, sim: Simulator) -> None:
    client = await phone(connect, world.agent("0011"))
    call = await world.customer("+971").dials(world.agent("0011"))
    call_id = await picks_up(client)
    await show(client)
    for action in ("hold", "unhold", "hold"):
        await client.ask("verto.modify", action=action, dialogParams={"callID": call_id})
        await asyncio.sleep(0.05)
    await call.hangs_up()
    cdr = await world.history.of(call)
    assert 0.1 <= cdr.hold < cdr.talk


async def test_a_lost_socket_ends_the_record_later(world: World, sim: Simulator, connect) -> None:
    agent = world.agent("0011")
    client = await phone(connect, agent)
    call = await world.customer("+971").dials(agent)
    await picks_up(client)
    await show(client)
    await sim.faults.cut_phone_socket(agent)
    assert len(world.history) == 0
    assert await sim.faults.detach_expired(agent) == 1
    cdr = await world.history.of(call)
    assert (cdr.result, cdr.cause) == ("answered", "RECOVERY_ON_TIMER_EXPIRE")


async def test_a_server_that_dies_ends_every_call(world: World, sim: Simulator, connect) -> None:
    client = await phone(connect, world.agent("0011"))
    talking = await world.customer("+971").dials(world.agent("0011"))
    await picks_up(client)
    await show(client)
    waiting = await world.customer("+972").dials(world.queue("empty"))
    await asyncio.sleep(0.01)  # it has been looked at
    await sim.faults.server_restart()
    for call in (talking, waiting):
        cdr = await world.history.of(call)
        assert (cdr.cause, cdr.hung_up_by) == ("SYSTEM_SHUTDOWN", "unknown")


async def test_what_is_over_when_the_simulator_ends_is_written(world: World) -> None:
    async with Simulator(world, options=FAST) as sim:
        client = await RawClient.connect(sim.verto_url)
        await client.login(world.agent("0011"))
        call = await world.customer("+971").dials(world.agent("0011"))
        await picks_up(client)
        await show(client)
    client.abort()
    cdr = world.history.by_call_id(call.primary_call_id)
    assert cdr is not None
    assert (cdr.result, cdr.cause) == ("answered", "SYSTEM_SHUTDOWN")


async def test_two_phones_ring_and_one_record_is_made(world: World, connect) -> None:
    agent = world.agent("0011")
    first, second = await phone(connect, agent, "one"), await phone(connect, agent, "two")
    call = await world.customer("+971").dials(agent)
    await first.expect("verto.invite")
    await picks_up(second)
    assert (await first.expect("verto.bye"))["cause"] == "LOSE_RACE"
    await show(second)
    await call.hangs_up()
    assert summary(await world.history.of(call)) == ("inbound", "answered", "NORMAL_CLEARING", "originator")
    assert len(world.history) == 1


# ---- records without calls -----------------------------------------------------------------------------------


def test_records_are_added_without_a_simulator() -> None:
    world = World(agents=("0011",))
    agent, begin = world.agent("0011"), datetime(2026, 3, 2, 12, tzinfo=UTC)
    cdr = world.history.add(customer="+971", agent=agent, started_at=begin, wait=2, ring=5, talk=30)
    assert (cdr.id, cdr.result, cdr.cause) == (1, "answered", "NORMAL_CLEARING")
    assert (cdr.duration, cdr.talk, cdr.ring, cdr.wait) == (37, 30, 5, 7)
    assert cdr.started_at == begin.timestamp()
    missed = world.history.add(customer="+971", agent=agent, ring=20)
    assert (missed.result, missed.cause, missed.has_recording) == ("no-answer", "NO_ANSWER", False)
    mail = world.history.add(customer="+971", voicemail=True)
    assert (mail.result, mail.recording_seconds, mail.has_recording) == ("no-answer", 5.0, True)
    assert world.history.add(id=46).id == 46
    assert world.history.add().id == 47
    assert [found.id for found in world.history] == [1, 2, 3, 46, 47]
    world.history.delete(missed)
    assert [found.id for found in world.history] == [1, 3, 46, 47]
    assert world.history.by_id(2) is None
    assert world.history.by_call_id(missed.call_id) is None
    with pytest.raises(SimulatorError, match="already"):
        world.history.add(id=46)
    with pytest.raises(SimulatorError, match="time zone"):
        world.history.add(started_at=datetime(2026, 3, 2))  # noqa: DTZ001


def test_old_records_are_forgotten() -> None:
    world = World(agents=())
    world.history.limit = 100
    first = world.history.add(call_id="first")
    world.history.recordings["first"] = b"x"
    for _ in range(200):
        world.history.add()
    assert 100 <= len(world.history) <= 120
    assert world.history.by_id(first.id) is None
    assert "first" not in world.history.recordings
    assert world.history.by_id(201) is not None


def test_ids_and_calls_of_the_same_seed_are_the_same() -> None:
    one, two, other = World(seed=3), World(seed=3), World(seed=4)
    ids = [world.history.add().call_id for world in (one, two, other)]
    assert ids[0] == ids[1] != ids[2]
    one.history.add()
    assert one.new_uuid() == two.new_uuid()  # the calls' own ids do not depend on it


async def test_waiting_for_a_record_is_bounded(world: World, connect) -> None:
    await phone(connect, world.agent("0011"))
    call = await world.customer("+971").dials(world.agent("0011"))
    with pytest.raises(WaitedInVain, match="is ringing"):
        await world.history.of(call, timeout=0.01)


async def test_the_recording_is_ready_later(world: World) -> None:
    async with Simulator(world, options=replace(FAST, recording_delay=0.05)) as sim:
        client = await RawClient.connect(sim.verto_url)
        await client.login(world.agent("0011"))
        call = await world.customer("+971").dials(world.agent("0011"))
        await picks_up(client)
        await show(client)
        await call.hangs_up()
        cdr = await world.history.of(call)
        assert not cdr.has_recording
        ready = await world.watch.until(lambda: cdr.has_recording or None, 5.0, lambda: "not ready")
        assert ready
        client.abort()


def test_the_history_is_written_in_virtual_time_too() -> None:
    async def main(loop: VirtualLoop) -> None:
        world = World()
        clock = Clock(epoch=loop.epoch)
        async with Simulator(world, clock=clock, serve_rest=False) as sim:
            client = await RawClient.connect(sim.verto_url)
            await client.login(world.agent("0011"))
            call = await world.customer("+971").hangs_up_after(3600.0).dials(world.agent("0011"))
            await asyncio.sleep(7)
            await picks_up(client)
            cdr = await world.history.of(call, timeout=4000.0)
            assert (round(cdr.ring), round(cdr.talk), cdr.hung_up_by) == (7, 3600, "originator")
            await client.close()

    run_virtual(main)
