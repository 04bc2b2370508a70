"""The events of the live socket that we listen to. They are named like REST routes (sources: see each)."""

from __future__ import annotations

from typing import Final

__all__ = [
    "AGENTS",
    "BY_AGENTS",
    "BY_QUEUES",
    "CALLS",
    "CALL_HISTORY",
    "FLOOR",
    "NUMBERS",
    "POSITIONS",
    "QUEUES",
    "QUEUE_CALLS",
    "STATS",
    "STATUS",
    "is_asked",
]

AGENTS: Final = "GET /live/agents"  # ZIWO Manager app
QUEUES: Final = "GET /live/queues"  # ZIWO Manager app
CALLS: Final = "GET /live/calls"  # ZIWO's Zendesk app; the shape is not documented
QUEUE_CALLS: Final = "GET /live/queueCalls"  # an integrator's sample
POSITIONS: Final = "GET /live/positions"  # ZIWO's Zendesk app
NUMBERS: Final = "GET /live/numbers"  # an integrator
STATS: Final = "GET /live/stats"  # ZIWO Manager app
BY_AGENTS: Final = "GET /live/statistics/channels/calls/by/agents"  # ZIWO Manager app
BY_QUEUES: Final = "GET /live/statistics/channels/calls/by/queues"  # ZIWO Manager app
STATUS: Final = "GET /live/status"  # Android SDK
CALL_HISTORY: Final = "GET /callHistory"  # an integrator

FLOOR: Final = (AGENTS, QUEUE_CALLS, CALLS, CALL_HISTORY)
"""What floor events are made of."""


def is_asked(route: str) -> bool:
    """Whether a snapshot is asked for at each connect. The history only tells what is new: asking would mean all of it.

    Args:
        route: The event's name.
    """
    return route != CALL_HISTORY
