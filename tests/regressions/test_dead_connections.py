"""Failures of other clients with connections that are dead, or that they took for dead. Each test names the tracker."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Literal

import pytest

from ziwo_async import (
    Call,
    DialogState,
    Hangup,
    PartyChanged,
    Ringing,
    Router,
    SessionLost,
    SessionRestored,
)
from ziwo_async.phone.clockwatch import ClockWatch

from ..phone.kit import CUSTOMER, until, within
from .rig import LOGIN, Rig, in_virtual_time

Direction = Literal["both", "to_server", "to_client"]


@pytest.mark.parametrize("direction", ["both", "to_server", "to_client"])
@in_virtual_time()
async def test_aiohttp_4153_a_peer_that_is_gone_is_noticed_within_16_seconds(rig: Rig, direction: Direction) -> None:
    """aiohttp #4153, #2309, #8540, #5860, #961 (15 minutes): the heartbeat passed, or receive was never told."""
    await rig.started()
    _, call = await rig.desk.talks(rig.desk.phones[0])
    await asyncio.sleep(7.3)
    gone = rig.now
    rig.proxy.black_hole(direction, on="present")
    lost = await rig.seen.wait(SessionLost, seconds=60)
    # 10 s of silence, then 5 s for a reply; the silence may have begun before the network went.
    assert rig.now - gone <= 15.0
    assert lost.reason == "no sign of life from the server for 15 s"
    assert lost.close_code is None
    restored = await rig.seen.wait(SessionRestored, seconds=60)
    assert rig.now - gone <= 15.0 + 0.5 + LOGIN
    assert restored.kept == (call.id,)


@in_virtual_time()
async def test_aiohttp_7508_a_handler_that_sleeps_a_minute_costs_no_connection_and_no_event(rig: Rig) -> None:
    """aiohttp #7508, websockets #1620, Azure #31067: a busy consumer made the library close a good socket."""
    handled: list[str] = []
    router = Router()

    @router.on(PartyChanged)
    async def busy(call: Call, event: PartyChanged) -> None:
        if not handled:
            await asyncio.sleep(60)
        handled.append(event.display_name)

    phone = rig.phone()
    phone.router.include(router)
    await phone.start()
    _, call = await rig.desk.talks(phone)
    # The name of the party is told once by the call itself.
    await until(lambda: rig.seen.of(PartyChanged))
    told = len(rig.seen.of(PartyChanged))
    for number in range(6_000):
        params = {"callID": call.id, "display_name": f"{number}", "display_number": CUSTOMER}
        await rig.desk.inject(method="verto.display", params=params)
        await asyncio.sleep(0.01)
    assert len(rig.seen.of(PartyChanged)) == 6_000 + told
    await until(lambda: len(handled) == 6_000 + told)
    assert handled[told:] == [f"{number}" for number in range(6_000)]
    assert rig.seen.of(SessionLost) == []
    assert rig.proxy.accepted == 1
    assert phone.dropped_events == 0


@pytest.mark.parametrize("seed", range(5))
@in_virtual_time(limit=40_000)
async def test_slack_sdk_1701_after_any_drop_every_later_event_arrives(rig: Rig, seed: int) -> None:
    """slack-sdk #1701, #1446, #1110, bolt #1529, slack #1462: "new session established", then no events for ever."""
    rng = random.Random(seed)
    phone = await rig.started(strict_flows=False)
    faults = rig.desk.sim.faults
    for turn in range(20):
        match rng.randrange(6):
            case 0:
                rig.proxy.reset()
            case 1:
                rig.proxy.cut()
            case 2:
                rig.proxy.black_hole(rng.choice(["both", "to_server", "to_client"]), on="present")
            case 3:
                await faults.close_phone_socket(rig.desk.agent)
            case 4:
                await faults.server_restart(rng.uniform(0, 40))
            case _:
                rig.loop.network.vanish()
                await asyncio.sleep(rng.uniform(1, 200))
                rig.loop.network.come_back()
        # Sometimes another fault strikes while the phone is on its way back.
        if rng.random() < 0.3:
            await asyncio.sleep(rng.uniform(0, 1))
            rig.proxy.reset()
        # At worst: 15 s until a dead connection is noticed, 30 s until the next attempt, 10 s for one that hangs.
        await asyncio.sleep(60)
        assert phone.ready, turn
        there = await rig.desk.world.customer(f"+9715{turn:08d}").dials(rig.desk.agent)
        await rig.seen.wait(Ringing, lambda event, call_id=there.id: event.call_id == call_id, seconds=2)
        await there.hangs_up()
        await rig.seen.wait(Hangup, lambda event, call_id=there.id: event.call_id == call_id, seconds=2)


@pytest.mark.parametrize("clock", ["stops", "goes on"])
@pytest.mark.parametrize("asleep", [31.0, 3600.0])
@in_virtual_time()
async def test_connect_streams_386_after_a_sleep_the_phone_looks_at_once_and_takes_calls(
    rig: Rig, asleep: float, clock: str
) -> None:
    """amazon-connect-streams #386, #428, #477, #613, #1127: busy or "missed" after the laptop slept."""
    slept = 0.0

    class Sleepy(ClockWatch):
        def __init__(self, loop_time: Callable[[], float], jump: float) -> None:
            super().__init__(loop_time, jump, slept_time=lambda: loop_time() + slept)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ziwo_async.phone.connection.ClockWatch", Sleepy)
        phone = await rig.started()
        _, call = await rig.desk.talks(phone)
        await asyncio.sleep(1)
        # The machine sleeps, and its network address is another one when it wakes.
        rig.proxy.black_hole(on="present")
        if clock == "goes on":
            rig.loop.suspend(asleep)
        else:
            # Linux: the loop's own clock stands still meanwhile.
            slept = asleep
        woke = rig.now
        await rig.seen.wait(SessionLost, seconds=60)
        # The next look at the clocks is 2 s away at most, and the sign of life has 5 s.
        assert rig.now - woke <= 7.0
        restored = await rig.seen.wait(SessionRestored, seconds=60)
        assert rig.now - woke <= 7.0 + 0.5 + LOGIN
        if clock == "stops":
            assert restored.kept == (call.id,)
        again, second = await rig.desk.rings(phone, rig.desk.world.customer("+97151111111"))
        await within(second.answer())
        await again.reaches("active")
        assert second.state is DialogState.ACTIVE


@in_virtual_time()
async def test_discord_8486_a_server_that_accepts_and_cuts_every_login_is_neither_hammered_nor_left(rig: Rig) -> None:
    """discord.js #8486, discord-api-docs #1619: resuming a session that is broken locked the client out."""
    phone = await rig.started()
    rig.desk.sim.faults.close_during_login(12)
    rig.proxy.reset()
    await rig.seen.wait(SessionRestored, seconds=600)
    # 0.5 + 1 + 2 + 4 + 8 + 16 + 7 times 30 s: the longest jitter; the counter is not reset by a mere connection.
    assert rig.seen.at(SessionRestored) - rig.seen.at(SessionLost) == pytest.approx(31.5 + 7 * 30, abs=13 * LOGIN)
    assert phone.ready
    assert rig.proxy.accepted == 14
