"""Skills: which agents serve which queues (seen in use by an integrator)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...verto.frames import JsonObject
from . import rows
from .ask import Ask, Route, whole_number
from .envelopes import Page, Refused

if TYPE_CHECKING:
    from ..people import SimAgent
    from ..queues import SimQueue

__all__ = ["ROUTES"]


async def list_queues(ask: Ask) -> Page:
    """All queues."""
    return Page.all([rows.queue(queue, agents=True) for queue in ask.world.queues])


async def add(ask: Ask) -> JsonObject:
    """Put an agent into a queue."""
    agent, fields = _agent(ask), await ask.fields()
    queue = _queue(ask, str(fields.get("queue")))
    priority = whole_number(str(fields.get("priority", "1")))
    if priority is None:
        raise Refused(400, "priority must be a number")
    queue.priorities[agent.id] = priority
    if agent not in queue.agents:
        queue.agents.append(agent)
        ask.world.agent_changed()
    return {}


async def remove(ask: Ask) -> JsonObject:
    """Take an agent out of a queue."""
    agent, queue = _agent(ask), _queue(ask, ask.named("queue"))
    if agent not in queue.agents:
        raise Refused(404, "The agent does not have this skill")
    queue.agents.remove(agent)
    queue.priorities.pop(agent.id, None)
    return {}


def _agent(ask: Ask) -> SimAgent:
    found = next((agent for agent in ask.world.agents if str(agent.id) == ask.named("agent")), None)
    if found is None:
        raise Refused(404, "No such agent")
    return found


def _queue(ask: Ask, wanted: str) -> SimQueue:
    found = next((queue for queue in ask.world.queues if str(queue.id) == wanted), None)
    if found is None:
        raise Refused(404, "No such queue")
    return found


ROUTES = (
    Route("GET", "/admin/skills/listQueues/", list_queues, right="admin"),
    Route("POST", "/admin/skills/agents/{agent}/", add, right="admin"),
    Route("DELETE", "/admin/skills/agents/{agent}/{queue}", remove, right="admin"),
)
