"""A contact centre in virtual time: hours of a phone's life in milliseconds, the same in every run."""

from __future__ import annotations

import asyncio

import pytest

from ziwo_async import Active, Call, DialogEvent, Event, Ringing, Router, SessionLost, SessionRestored
from ziwo_async.simulator import ServerOptions, UnknownAgent
from ziwo_async.testing import VirtualLoop, VirtualWorld, run_virtual, serve_virtual


def test_a_phone_that_is_idle_for_hours_stays_connected() -> None:
    async def main(loop: VirtualLoop) -> int:
        async with serve_virtual(loop) as world, world.phone("0011") as phone:
            await asyncio.sleep(3 * 3600)
            assert phone.ready
            assert loop.network.made == 1
            return len(world.journal.frames("in"))

    assert run_virtual(main) > 1000


def test_a_call_is_found_again_after_a_network_that_vanished_for_a_minute() -> None:
    async def main(loop: VirtualLoop) -> list[tuple[float, str]]:
        told: list[tuple[float, str]] = []
        router = Router()

        @router.during(Ringing)
        async def answer(call: Call, event: Ringing) -> None:
            await call.answer()

        @router.on(SessionLost)
        @router.on(SessionRestored)
        async def tell(event: Event) -> None:
            told.append((loop.elapsed, type(event).__name__))

        async with serve_virtual(loop) as world, world.phone(router=router) as phone:
            there = await world.customer("+97150000000").dials(world.agent("5555"))
            await there.reaches("active")
            loop.network.vanish()
            await asyncio.sleep(60)
            loop.network.come_back()
            await asyncio.sleep(60)
            assert [call.id for call in phone.calls] == [there.id]
            assert there.state == "active"
        return told

    told = run_virtual(main)
    assert [what for _, what in told] == ["SessionLost", "SessionRestored"]
    assert 10 < told[0][0] < 20
    assert 60 < told[1][0] < 70


def test_the_same_seed_gives_the_same_events_at_the_same_times() -> None:
    async def main(loop: VirtualLoop) -> list[str]:
        seen: list[str] = []
        router = Router()

        def note(event: DialogEvent) -> bool:
            seen.append(f"{loop.elapsed} {event.call_id} {event.state} {event.state_flow[-1].date_unix}")
            return False

        @router.on(DialogEvent, when=note)
        async def never(call: Call, event: DialogEvent) -> None:
            raise AssertionError

        async with serve_virtual(loop) as world, world.phone(router=router) as phone:
            call = await phone.dial("9196")
            await call.wait_for(Active)
            loop.network.links[0].reset()
            await asyncio.sleep(30)
            await call.hangup()
        return seen

    first = run_virtual(main, seed=5)
    assert len(first) > 5
    assert run_virtual(main, seed=5) == first
    assert run_virtual(main, seed=6) != first


def test_phones_of_a_world_have_the_arguments_that_are_given() -> None:
    async def main(loop: VirtualLoop) -> None:
        slow = ServerOptions(ready_delay=3)
        async with serve_virtual(loop, ["7777"], options=slow) as world:
            assert isinstance(world, VirtualWorld)
            async with world.phone("7777", session_id="mine") as phone:
                assert loop.elapsed >= 3
                assert [session.sessid for session in world.simulator.verto.sessions()] == ["mine"]
                assert phone.login == "agent-7777"
            with pytest.raises(UnknownAgent):
                world.phone("5555")

    run_virtual(main)
