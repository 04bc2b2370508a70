"""Forged, slow, repeated, broken and late requests."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from ziwo_async.simulator import Simulator, SimulatorError, WaitedInVain, World
from ziwo_async.simulator.hooks import Breakage, Variant, broken, forged, late, repeated, slow

from .receiver import DID, KEY, Receiver, linked, receiver

CUSTOMER = "+971500000000"


@pytest.fixture
async def service() -> AsyncGenerator[Receiver]:
    async with receiver() as running:
        yield running


@pytest.mark.parametrize(
    ("variant", "keys"),
    [
        (forged(), []),
        (forged("wrong"), ["wrong"]),
        (forged(""), [""]),
        (forged(KEY, "wrong"), [KEY, "wrong"]),
        (forged("k" * 4000), ["k" * 4000]),
        (forged(b"\xff\xfe"), ["\udcff\udcfe"]),
    ],
)
async def test_a_forged_request_has_other_keys(
    world: World, sim: Simulator, service: Receiver, variant: Variant, keys: list[str]
) -> None:
    linked(world, service)
    (start,) = await sim.hooks.send("start", world.trackers.find("CT"), variant)
    (end,) = await sim.hooks.send("end", world.trackers.find("CT"), variant)
    sim.hooks.cdr_to(f"{service.url}/cdr", key=KEY)
    (cdr,) = await sim.hooks.send("cdr", None, variant)
    assert [found.status for found in (start, end, cdr)] == [401] * 3
    assert [found.keys for found in service.received] == [keys] * 3
    assert [found.variant for found in sim.hooks.sent] == ["forged"] * 3
    assert list(world.trackers.logs) == []  # ZIWO has not sent it


def test_a_forged_key_is_a_header() -> None:
    with pytest.raises(ValueError, match="line breaks"):
        forged("a\r\nX: y")


async def test_a_request_that_is_sent_again_and_again(world: World, sim: Simulator, service: Receiver) -> None:
    linked(world, service)
    sim.hooks.next("end", repeated(30))
    there = await world.customer(CUSTOMER).dials(DID)
    await sim.hooks.of(there, "end")
    await sim.hooks.settle()
    ends = service.of("/endCall")
    assert len(ends) == 30
    assert all(found.data == ends[0].data for found in ends)
    assert sum(log.kind == "end" for log in world.trackers.logs) == 30
    again = await world.customer(CUSTOMER).dials(DID)  # it was ordered for one call
    await sim.hooks.of(again, "end")
    assert len(service.of("/endCall")) == 31


async def test_copies_can_come_one_after_the_other(world: World, sim: Simulator, service: Receiver) -> None:
    linked(world, service)
    done = await sim.hooks.send("start", world.trackers.find("CT"), repeated(3, apart=0.01))
    assert [found.status for found in done] == [200] * 3
    assert [found.data for found in service.received] == [{"didCalled": "061234567"}] * 3


async def test_a_call_goes_by_the_first_copy(world: World, sim: Simulator, service: Receiver) -> None:
    linked(world, service)
    sim.hooks.next("start", repeated(2, apart=60.0))
    there = await world.customer(CUSTOMER).dials(DID)
    assert (await world.history.of(there)).cause == "NO_ROUTE_DESTINATION"
    assert len(service.of("/startCall")) == 1


@pytest.mark.parametrize("variant", [slow(wait=0.1), slow(piece=40, pause=0.02)])
async def test_a_slow_body_arrives_whole_in_the_end(
    world: World, sim: Simulator, service: Receiver, variant: Variant
) -> None:
    linked(world, service)
    (done,) = await sim.hooks.send("start", world.trackers.find("CT"), variant)
    assert (done.status, service.received[0].data) == (200, {"didCalled": "061234567"})
    assert done.seconds > 0.05


async def test_the_time_limit_counts_for_a_slow_body_too(world: World, sim: Simulator, service: Receiver) -> None:
    linked(world, service, endRequestTimeout=50)
    (done,) = await sim.hooks.send("end", world.trackers.find("CT"), slow(piece=1, pause=0.5))
    assert (done.tried, done.status, done.error) == (True, None, "No answer in time")


@pytest.mark.parametrize("how", ["garbage", "empty", "truncated", "huge", "deep", "type"])
@pytest.mark.parametrize("kind", ["start", "end"])
async def test_a_broken_request_has_the_right_key(
    world: World, sim: Simulator, service: Receiver, kind: str, how: Breakage
) -> None:
    linked(world, service)
    (done,) = await sim.hooks.send("start" if kind == "start" else "end", world.trackers.find("CT"), broken(how))
    (found,) = service.received
    assert found.keys == [KEY]
    assert not found.data or how == "type"
    assert done.variant == f"broken: {how}"
    if how == "truncated":
        assert done.status is None
    assert list(world.trackers.logs) == []
    assert len(str(done.fields)) < 10_000


async def test_an_end_that_overtakes_the_start(world: World, sim: Simulator, service: Receiver) -> None:
    linked(world, service)
    sim.hooks.next("start", late())
    there = await world.customer(CUSTOMER).dials(DID)
    assert there.state == "waiting"
    await there.hangs_up()
    await sim.hooks.of(there, "start")
    assert [found.path for found in service.received] == ["/endCall", "/startCall"]
    assert there.state == "ended"
    assert there.tracked is not None
    assert there.tracked.tried == []


async def test_a_late_start_is_not_waited_for_beyond_its_time(world: World, sim: Simulator, service: Receiver) -> None:
    linked(world, service, startRequestTimeout=20)
    sim.hooks.next("start", late())
    there = await world.customer(CUSTOMER).dials(DID)
    assert (await world.history.of(there)).cause == "NORMAL_TEMPORARY_FAILURE"
    await sim.hooks.of(there, "start")
    assert [found.path for found in service.received] == ["/endCall", "/startCall"]


async def test_what_cannot_be_ordered_or_waited_for(world: World, sim: Simulator, service: Receiver) -> None:
    linked(world, service)
    with pytest.raises(SimulatorError, match="only a startCall"):
        sim.hooks.next("end", late())
    with pytest.raises(SimulatorError, match="go to a tracker"):
        await sim.hooks.send("start")
    with pytest.raises(SimulatorError, match="no CDR web hook"):
        await sim.hooks.send("cdr")
    service.hangs = True
    there = await world.customer(CUSTOMER).dials(DID)
    with pytest.raises(WaitedInVain, match="no end request"):
        await sim.hooks.of(there, "end", timeout=0.01)
    with pytest.raises(WaitedInVain, match="1 requests are under way"):
        await sim.hooks.settle(timeout=0.01)


async def test_a_record_can_be_told_again(world: World, sim: Simulator, service: Receiver) -> None:
    linked(world, service)
    record = world.history.add(customer=CUSTOMER, did=DID, talk=3)
    (done,) = await sim.hooks.send("end", world.trackers.find("CT"), record=record)
    assert (done.call_id, done.fields["callerIDNumber"]) == (record.call_id, CUSTOMER)
