"""Statistics out of the statuses and the history."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from ziwo_async.simulator import Clock, Simulator, World

from .api import Api
from .conftest import FAST

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Time:
    """A time of day that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now.timestamp()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def sim(world: World, time: Time) -> AsyncIterator[Simulator]:
    async with Simulator(world, options=FAST, clock=Clock(epoch=time)) as running:
        yield running


async def test_seconds_in_each_status_since_midnight(api: Api, world: World, time: Time) -> None:
    agent = world.add_agent("0012")
    time.now = NOON - timedelta(hours=13)  # the evening before
    agent.status_log.changed("Meeting", time())
    time.now = NOON
    agent.set_status("Available")
    time.now += timedelta(seconds=90)
    agent.set_status("On Break")
    time.now += timedelta(seconds=30)
    answer = await api.get("/statistics/resources/agents/by/agents", rollingDate="today")
    midday = 12 * 3600
    assert answer.content[str(agent.id)] == {
        "Meeting": midday,
        "Available": 90,
        "On Break": 30,
        "All": midday + 120,
    }
    assert (await api.get("/statistics/resources/agents/by/agents", rollingDate="week")).status == 400


async def test_seconds_of_all_agents(api: Api, world: World, time: Time) -> None:
    for agent in world.agents:
        agent.status_log.changed("Available", time())
    time.now += timedelta(seconds=60)
    answer = await api.get("/statistics/resources/agents/", fromDate="2026-03-02", toDate="2026-03-02")
    assert answer.content == {"Available": 120, "On Break": 0, "LoggedOut": 0, "All": 120}


async def test_summary_by_day(api: Api, world: World) -> None:
    agent = world.agent("0011")
    history = world.history
    history.add(agent=agent, started_at=NOON, wait=4, ring=6, talk=30)
    history.add(started_at=NOON, wait=20, result="cancel")
    history.add(agent=agent, started_at=NOON, direction="outbound", talk=5)
    history.add(agent=agent, started_at=NOON - timedelta(days=1), ring=2, talk=5)
    history.add(started_at=NOON - timedelta(days=9), talk=5)
    query = {"fromDate": "2026-03-01", "toDate": "2026-03-02"}
    whole = (await api.get("/statistics/summary/", **query)).content
    assert (whole["totalInboundCalls"], whole["totalAbandonedCalls"], whole["averageWaitingTime"]) == (3, 1, 11)
    days = (await api.get("/statistics/summary/", breakdown="date", **query)).content
    assert {day: found["totalInboundCalls"] for day, found in days.items()} == {"2026-03-01": 1, "2026-03-02": 2}
    assert (await api.get("/statistics/summary", fromDate="yesterday")).status == 400
