"""What went over the wires, for assertions and for reading when a test fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ["Journal", "JournalEntry"]


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One line of the journal.

    Attributes:
        at: Event-loop time in seconds.
        kind: `in` and `out` are Verto frames as text, `http` is a REST request, `note` what else happened.
        peer: `ip:port` of the client.
        agent: ccLogin of the agent whose socket it is; empty before a login named one.
        text: The frame, the request line with the answer's status, or the note. Logins hold the password's hash.
    """

    at: float
    kind: Literal["in", "out", "http", "note"]
    peer: str
    agent: str
    text: str


class Journal:
    """The newest entries, oldest first; older ones are dropped and counted.

    Attributes:
        dropped: How many entries were dropped.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._entries: deque[JournalEntry] = deque(maxlen=limit)
        self._limit = limit
        self.dropped = 0

    def add(self, entry: JournalEntry) -> None:
        """Append an entry."""
        if len(self._entries) == self._limit:
            self.dropped += 1
        self._entries.append(entry)

    def __iter__(self) -> Iterator[JournalEntry]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def frames(self, kind: Literal["in", "out"], agent: str | None = None) -> list[str]:
        """The Verto frames in one direction, optionally of one agent (ccLogin) only."""
        return [e.text for e in self._entries if e.kind == kind and agent in (None, e.agent)]
