"""An agent's own session: the position, the presence, and the directories agents see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...verto.frames import JsonObject
from . import rows
from .ask import Ask, Route
from .envelopes import Page, Refused

if TYPE_CHECKING:
    from ..people import SimAgent
    from ..queues import SimQueue

__all__ = ["ROUTES", "log_in_position"]


# ---- the position and the presence ---------------------------------------------------------------------------


async def autologin(ask: Ask) -> JsonObject:
    """Log the position in: the agent gets calls of queues."""
    log_in_position(ask.agent, ask.http.match_info.get("position", ask.agent.position))
    return {}


def log_in_position(agent: SimAgent, position: str) -> None:
    """Log a position in, which makes a logged-out agent available."""
    if not position or position != agent.position:
        raise Refused(404, f"No such position: {position}")
    if agent.status == "Logged Out":
        agent.set_status("Available")
    agent.set_ready(True)


async def logout(ask: Ask) -> JsonObject:
    """Log the position out; 412 when it is."""
    if not ask.agent.ready:
        raise Refused(412, "Agent is already logged out")
    return await autologout(ask)


async def autologout(ask: Ask) -> JsonObject:
    """Log the position out."""
    ask.agent.set_status("Logged Out")
    ask.agent.set_ready(False)
    return {}


async def set_status(ask: Ask) -> JsonObject:
    """Change the presence: the number of a status, and with JSON a comment."""
    fields = await ask.fields()
    number = str(fields.get("number"))
    status = next((status for status in ask.world.statuses if str(status.id) == number and status.enabled), None)
    if status is None:
        raise Refused(400, "Invalid status number")
    ask.agent.set_status(status.name, str(fields.get("comment") or ""))
    return {}


async def statuses(ask: Ask) -> Page:
    """The statuses of the contact centre (seen in use by an integrator)."""
    enabled = ask.flag("enabled")
    return Page.all([rows.status(status) for status in ask.world.statuses if enabled in (None, status.enabled)])


# ---- directories ---------------------------------------------------------------------------------------------


async def colleagues(ask: Ask) -> Page:
    """All agents, with their presence."""
    agents = ask.sort(
        ask.world.agents,
        {
            "id": lambda agent: agent.id,
            "firstName": lambda agent: agent.first_name.casefold(),
            "lastName": lambda agent: agent.last_name.casefold(),
            "ccLogin": lambda agent: agent.ccLogin,
        },
    )
    found = [
        {
            **rows.agent_short(agent),
            "photo": agent.photo,
            "liveInfo": {name: rows.live_info(agent)[name] for name in ("state", "status")},
        }
        for agent in ask.cut(agents)
    ]
    return Page(found, len(agents))


async def queues(ask: Ask) -> Page:
    """All queues; `dataset=agents` and `dataset=stats` add to them (seen in use by an integrator)."""
    datasets = ask.many("dataset")
    found: list[JsonObject] = []
    for queue in ask.cut(ask.world.queues):
        row = rows.queue(queue, agents="agents" in datasets)
        if "stats" in datasets:
            row["stats"] = _queue_stats(queue)
        found.append(row)
    return Page(found, len(ask.world.queues))


def _queue_stats(queue: SimQueue) -> JsonObject:
    """What `dataset=stats` adds; no source shows its fields, these are the simulator's."""
    return {"totalWaitingCalls": len(queue.waiting), "totalAgents": len(queue.agents)}


async def own_queues(ask: Ask) -> Page:
    """The queues of the agent."""
    return Page.all([rows.queue(queue) for queue in ask.world.queues if ask.agent in queue.agents])


async def own_numbers(ask: Ask) -> Page:
    """The numbers of the contact centre."""
    return Page.all([rows.number(number) for number in ask.world.numbers])


async def own_agents(ask: Ask) -> Page:
    """All agents, in short (seen in use by an integrator)."""
    return Page.all([rows.agent_short(agent) for agent in ask.world.agents])


ROUTES = (
    *(
        Route("PUT", path, autologin)
        for name in ("autologin", "autoLogin")
        for path in (f"/agents/{name}", f"/agents/{name}/{{position}}")
    ),
    Route("PUT", "/agents/logout", logout),
    Route("PUT", "/agents/autologout", autologout),
    Route("PUT", "/agents/status", set_status),
    Route("GET", "/agent/statuses/", statuses),
    Route("GET", "/agent/agents/", colleagues),
    Route("GET", "/agent/queues/", queues),
    Route("GET", "/agents/channels/calls/listQueues/", own_queues),
    Route("GET", "/agents/channels/calls/listNumbers/", own_numbers),
    Route("GET", "/agents/channels/calls/listAgents/", own_agents),
)
