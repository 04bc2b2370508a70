"""Counting what is published, handled and dropped, and when a consumer counts as slow."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Tally", "marks", "worth_telling"]


@dataclass(slots=True)
class Tally:
    """What became of the events for one kind of consumer. One event for three handlers counts three times.

    Attributes:
        published: How many there were.
        handled: How many were given to their handler or reader.
        dropped: How many were dropped, by whatever policy, or because the phone closed.
    """

    published: int = 0
    handled: int = 0
    dropped: int = 0

    @property
    def waiting(self) -> int:
        """How many wait, or were left unread in a stream."""
        return self.published - self.handled - self.dropped


def marks(limit: int) -> tuple[int, int]:
    """The depths at which a consumer is told to be slow, and under which it may be told again: half and a quarter."""
    return (limit + 1) // 2, (limit + 3) // 4


def worth_telling(dropped: int) -> bool:
    """Whether this count of dropped events is told: 1, 2, 4, 8, ... Telling each would make the slow one slower."""
    return dropped & (dropped - 1) == 0
