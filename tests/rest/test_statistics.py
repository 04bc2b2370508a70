"""Statistics: times by status, and sums over calls."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta

import pytest

from ziwo_async.errors import BadArgument, DecodeError
from ziwo_async.rest.auth import Credentials
from ziwo_async.rest.models.status import AgentStatus
from ziwo_async.rest.statistics import StatisticsResource
from ziwo_async.testing import serve

BY_AGENTS = "/statistics/resources/agents/by/agents"
AGENTS = "/statistics/resources/agents/"
SUMMARY = "/statistics/summary/"
MAY = (date(2024, 5, 1), date(2024, 5, 31))


@pytest.fixture
def statistics(kit, ziwo):
    return StatisticsResource(kit.transport(ziwo.url))


async def test_today_by_agent(statistics, ziwo, kit):
    content = {"7": {"On Break": 60, "Prayer": "12.5", "All": 72.5}, "12": []}
    ziwo.answers("GET", BY_AGENTS, lambda: kit.ok(content))
    found = await statistics.today_by_agent()
    assert found == {
        7: {"On Break": timedelta(minutes=1), "Prayer": timedelta(seconds=12.5), "All": timedelta(seconds=72.5)},
        12: {},
    }
    assert found[7][AgentStatus.ON_BREAK] == timedelta(minutes=1)
    assert ziwo.raw_paths[-1] == f"{BY_AGENTS}?rollingDate=today"


@pytest.mark.parametrize("content", [[], {}, None])
async def test_today_without_agents(statistics, ziwo, kit, content):
    ziwo.answers("GET", BY_AGENTS, lambda: kit.ok(content))
    assert await statistics.today_by_agent() == {}


@pytest.mark.parametrize(
    "content", ["x", 5, [1], [{"All": 1}], {"Ada": {"All": 1}}, {"7": 5}, {"-7": {}}, {"\u0667": {}}]
)
async def test_today_that_is_not_keyed_by_agent(statistics, ziwo, kit, content):
    ziwo.answers("GET", BY_AGENTS, lambda: kit.ok(content))
    with pytest.raises(DecodeError, match="keyed by agent id") as caught:
        await statistics.today_by_agent()
    assert caught.value.path == BY_AGENTS


async def test_a_time_that_is_none_costs_only_itself(statistics, ziwo, kit, caplog):
    odd = {"a": None, "b": True, "c": "soon", "d": [], "e": "nan", "f": 1e300, "All": 5}
    ziwo.answers("GET", BY_AGENTS, lambda: kit.ok({"7": odd}))
    assert await statistics.today_by_agent() == {7: {"All": timedelta(seconds=5)}}
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert warnings == ["statistics: 6 of 7 values are no number of seconds"]


async def test_agents(statistics, ziwo, kit):
    ziwo.answers("GET", AGENTS, lambda: kit.ok({"Available": 3600, "LoggedOut": 0, "All": 3600}))
    found = await statistics.agents(*MAY)
    assert found == {"Available": timedelta(hours=1), "LoggedOut": timedelta(0), "All": timedelta(hours=1)}
    assert ziwo.raw_paths[-1] == f"{AGENTS}?fromDate=2024-05-01&toDate=2024-05-31"


async def test_agents_that_are_no_object(statistics, ziwo, kit):
    ziwo.answers("GET", AGENTS, lambda: kit.ok([1]))
    with pytest.raises(DecodeError, match="not an object"):
        await statistics.agents(*MAY)


SUMS = {"totalInboundCalls": 4, "totalAbandonedCalls": 1, "averageWaitingTime": 7.5, "averageAgentsOnline": 2.5}


@pytest.mark.parametrize(
    ("content", "groups"),
    [
        (SUMS, [None]),
        ([SUMS, SUMS], [None, None]),
        ({"2024-05-01": SUMS, "2024-05-02": SUMS}, ["2024-05-01", "2024-05-02"]),
        ({**SUMS, "agents": {"7": 1}}, [None]),
        ([], []),
        ({}, []),
    ],
)
async def test_summary_in_any_shape(statistics, ziwo, kit, content, groups):
    ziwo.answers("GET", SUMMARY, lambda: kit.ok(content))
    found = await statistics.summary(*MAY)
    assert [sums.group for sums in found] == groups
    for sums in found:
        assert (sums.total_inbound_calls, sums.total_abandoned_calls) == (4, 1)
        assert sums.average_waiting_time == timedelta(seconds=7.5)
        assert sums.average_agents_online == 2.5
    assert ziwo.raw_paths[-1] == f"{SUMMARY}?fromDate=2024-05-01&toDate=2024-05-31&breakdown=date"


async def test_summary_as_a_whole(statistics, ziwo, kit):
    ziwo.answers("GET", SUMMARY, lambda: kit.ok({**SUMS, "totalOutgoingCalls": 3}))
    (sums,) = await statistics.summary("2024-05-01", datetime(2024, 5, 31, 23, tzinfo=UTC), breakdown=None)
    assert sums.model_extra == {"totalOutgoingCalls": 3}
    assert ziwo.raw_paths[-1] == f"{SUMMARY}?fromDate=2024-05-01&toDate=2024-05-31"


async def test_summary_that_is_none(statistics, ziwo, kit):
    ziwo.answers("GET", SUMMARY, lambda: kit.ok([5]))
    with pytest.raises(DecodeError):
        await statistics.summary(*MAY)


async def test_days_in_the_wrong_order(statistics, ziwo):
    with pytest.raises(BadArgument, match="after the last"):
        await statistics.agents(*reversed(MAY))
    with pytest.raises(BadArgument, match="after the last"):
        await statistics.summary(*reversed(MAY))
    assert ziwo.seen == []


async def test_statistics_of_a_contact_centre(kit):
    async with serve() as world:
        sim = world.agent("0011")
        today = datetime.now(UTC)
        yesterday = today - timedelta(days=1)
        for day, talk in ((yesterday, 0.0), (today, 5.0), (today, 5.0)):
            world.history.add(customer="+971500000001", agent=sim, started_at=day, ring=4, talk=talk)
        transport = kit.transport(world.api_url, Credentials.from_password(sim.username, sim.password))
        statistics = StatisticsResource(transport)

        times = await statistics.today_by_agent()
        assert set(times) == {agent.id for agent in world.agents}
        assert "All" in times[sim.id]
        assert "Available" in await statistics.agents(yesterday, today)
        by_day = {sums.group: sums for sums in await statistics.summary(yesterday, today)}
        assert {day: sums.total_inbound_calls for day, sums in by_day.items()} == {
            f"{yesterday:%Y-%m-%d}": 1,
            f"{today:%Y-%m-%d}": 2,
        }
        (whole,) = await statistics.summary(yesterday, today, breakdown=None)
        assert (whole.group, whole.total_inbound_calls, whole.total_abandoned_calls) == (None, 3, 1)
