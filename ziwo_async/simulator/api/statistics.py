"""Statistics: for how long agents had which status, and a summary of the calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ...verto.frames import JsonObject
from .ask import Ask, Route
from .envelopes import Refused

__all__ = ["ROUTES"]


async def by_agents(ask: Ask) -> JsonObject:
    """Seconds in each status since midnight (UTC), by agent id; `All` is their sum (ZIWO Manager app)."""
    if ask.text("rollingDate") not in ("", "today"):
        raise Refused(400, "rollingDate must be today")
    now = datetime.fromtimestamp(ask.world.now(), UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    found: JsonObject = {}
    for agent in ask.world.agents:
        seconds = agent.status_log.seconds(midnight.timestamp(), now.timestamp())
        whole = {name: round(value) for name, value in seconds.items()}
        found[str(agent.id)] = {**whole, "All": sum(whole.values())}
    return found


async def agents(ask: Ask) -> JsonObject:
    """Seconds in each status of all agents together (weakly sourced: one integrator)."""
    begin, end = ask.period()
    totals: dict[str, int] = {"Available": 0, "On Break": 0, "LoggedOut": 0}
    for agent in ask.world.agents:
        for name, value in agent.status_log.seconds(begin, min(end, ask.world.now())).items():
            key = name.replace("Logged Out", "LoggedOut")
            totals[key] = totals.get(key, 0) + round(value)
    return {**totals, "All": sum(totals.values())}


async def summary(ask: Ask) -> JsonObject:
    """Numbers of calls; with `breakdown=date` by day (weakly sourced: one integrator)."""
    begin, end = ask.period()
    if not ask.text("breakdown"):
        return _summary(ask, begin, end)
    if ask.text("breakdown") != "date":
        raise Refused(400, "breakdown must be date")
    days = sorted({_day(cdr.started_at) for cdr in ask.world.history if begin <= cdr.started_at < end})
    return {
        day.strftime("%Y-%m-%d"): _summary(ask, day.timestamp(), (day + timedelta(days=1)).timestamp()) for day in days
    }


def _day(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _summary(ask: Ask, begin: float, end: float) -> JsonObject:
    calls = [cdr for cdr in ask.world.history if begin <= cdr.started_at < end]
    inbound = [cdr for cdr in calls if cdr.direction == "inbound"]
    waits = [cdr.wait for cdr in inbound]
    online = [agent for agent in ask.world.agents if agent.status != "Logged Out"]
    return {
        "totalInboundCalls": len(inbound),
        "totalOutgoingCalls": sum(cdr.direction == "outbound" for cdr in calls),
        "totalAbandonedCalls": sum(cdr.answered_at is None for cdr in inbound),
        "averageWaitingTime": round(sum(waits) / len(waits)) if waits else 0,
        "averageAgentsOnline": len(online),
    }


ROUTES = (
    Route("GET", "/statistics/resources/agents/by/agents/", by_agents, right="admin"),
    Route("GET", "/statistics/resources/agents/", agents, right="admin"),
    Route("GET", "/statistics/summary/", summary, right="admin"),
)
