"""Presence: the statuses an agent can have, and for how long an agent had which."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["STATUSES", "SimStatus", "StatusLog"]

_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class SimStatus:
    """One presence status.

    Attributes:
        id: The number of `PUT /agents/status`.
        name: The text that the live data show.
        behaviour: What it means to the queues: those of "available" get calls. ZIWO has such a field
            (`GET /agent/statuses`); its words are not known, these are the simulator's.
        enabled: Whether agents may choose it.
    """

    id: int
    name: str
    behaviour: str
    enabled: bool = True


STATUSES: tuple[SimStatus, ...] = (
    SimStatus(0, "Logged Out", "logged-out"),
    SimStatus(1, "Available", "available"),
    SimStatus(2, "On Break", "break"),
    SimStatus(3, "Meeting", "meeting"),
    SimStatus(4, "Outgoing", "outgoing"),
)
"""What every contact centre has (numbers and texts: ZIWO's Android SDK)."""


class StatusLog:
    """When an agent had which status; the newest 10 000 changes.

    Args:
        status: The first status.
        at: Its beginning, in seconds since the epoch.
    """

    def __init__(self, status: str, at: float) -> None:
        self._changes: deque[tuple[float, str]] = deque([(at, status)], maxlen=_REMEMBERED)

    def changed(self, status: str, at: float) -> None:
        """The status is another one from `at` on."""
        self._changes.append((at, status))

    @property
    def since(self) -> float:
        """When the present status began."""
        return self._changes[-1][0]

    def seconds(self, begin: float, end: float) -> dict[str, float]:
        """How long each status lasted between two times; those that did not occur are missing."""
        found: dict[str, float] = {}
        changes = [*self._changes, (end, "")]
        for (since, status), (until, _) in pairwise(changes):
            lasted = min(until, end) - max(since, begin)
            if lasted > 0:
                found[status] = found.get(status, 0.0) + lasted
        return found
