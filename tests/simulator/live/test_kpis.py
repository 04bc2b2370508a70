"""The counts of a day: which calls are in them, and that a new day begins with none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ziwo_async.simulator import Clock, Simulator, World

EVENING = datetime(2026, 3, 2, 23, 50, tzinfo=UTC)


class Time:
    """A time of day that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = EVENING

    def __call__(self) -> float:
        return self.now.timestamp()


@pytest.fixture
def time() -> Time:
    return Time()


async def test_calls_count_on_the_day_on_which_they_began(world: World, time: Time) -> None:
    async with Simulator(world, clock=Clock(epoch=time)) as sim:
        add = world.history.add

        def count() -> int:
            return int(sim.live.hub.floor().stats()["totalCleanCallsIn"])

        add(customer="+1", talk=60, started_at=EVENING - timedelta(days=1))
        add(customer="+2", talk=60, started_at=EVENING)
        assert count() == 1
        time.now = EVENING + timedelta(minutes=20)
        assert count() == 0
        add(customer="+3", talk=300, started_at=EVENING + timedelta(minutes=9))  # over midnight: yesterday's
        assert count() == 0
        add(customer="+4", talk=60, started_at=EVENING + timedelta(minutes=11))
        add(customer="+5", talk=60, started_at=EVENING + timedelta(minutes=12))
        assert count() == 2


async def test_a_record_that_ends_the_day_before_anybody_looks_is_counted_once(world: World, time: Time) -> None:
    async with Simulator(world, clock=Clock(epoch=time)) as sim:
        time.now = EVENING + timedelta(minutes=20)
        world.history.add(customer="+1", talk=60, started_at=EVENING + timedelta(minutes=11))
        assert sim.live.hub.floor().stats()["totalCleanCallsIn"] == 1


async def test_what_was_in_the_history_before_the_simulator_began_counts(world: World, time: Time) -> None:
    world.history.add(customer="+1", talk=60, started_at=EVENING)
    async with Simulator(world, clock=Clock(epoch=time)) as sim:
        assert sim.live.hub.floor().stats()["totalInboundTalkTime"] == 60
