"""The events of the live socket, by name: who may see each, and what it tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .floor import Floor

if TYPE_CHECKING:
    from ..people import SimAgent

__all__ = ["CALL_HISTORY", "EVENTS", "Event"]

CALL_HISTORY = "GET /callHistory"


@dataclass(frozen=True, slots=True)
class Event:
    """An event.

    Attributes:
        content: Gives the content of its envelope.
        admin: Whether only admins may see it.
        own: Whether everybody sees something else.
    """

    content: Callable[[Floor, SimAgent], object]
    admin: bool = True
    own: bool = False


EVENTS: dict[str, Event] = {
    "GET /live/status": Event(lambda floor, user: floor.status(user), admin=False, own=True),
    "GET /profile": Event(lambda floor, user: floor.profile(user), admin=False, own=True),
    "GET /live/agents": Event(lambda floor, _: floor.agents()),
    "GET /live/queues": Event(lambda floor, _: floor.queues()),
    "GET /live/calls": Event(lambda floor, _: floor.calls()),
    "GET /live/queueCalls": Event(lambda floor, _: floor.queue_calls()),
    "GET /live/numbers": Event(lambda floor, _: floor.numbers()),
    "GET /live/positions": Event(lambda floor, _: floor.positions()),
    "GET /live/stats": Event(lambda floor, _: floor.stats()),
    "GET /live/statistics/channels/calls/by/agents": Event(lambda floor, _: floor.statistics_by_agents()),
    "GET /live/statistics/channels/calls/by/queues": Event(lambda floor, _: floor.statistics_by_queues()),
    # Only subscribing to it is known. Who asks is told that there is nothing new: `[]`.
    CALL_HISTORY: Event(lambda _, __: []),
}
"""Every event with a source (official apps and integrators)."""
