"""What the wallboard shows, as rows with ids; and what differs from what a page has already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from pydantic import JsonValue

from ..serving.changes import Changes

__all__ = ["KINDS", "Board", "Row", "Rows"]

Row: TypeAlias = Mapping[str, JsonValue]
"""One agent, queue, call or figure, as the page draws it."""
Rows: TypeAlias = Mapping[str, Row]
"""Rows by their ids."""

KINDS = ("kpis", "queues", "calls", "agents")


class Board(Changes):
    """The newest rows of each kind.

    Nothing is queued for a page: it remembers the rows that it sent, and asks for the difference when it is ready. So
    a slow page gets fewer, larger messages, and memory is bounded by the rows themselves.

    Attributes:
        hidden_calls: How many live calls have no row, because there are too many for a screen.
    """

    def __init__(self) -> None:
        self._rows: dict[str, Rows] = {kind: {} for kind in KINDS}
        super().__init__()
        self.hidden_calls = 0

    def put(self, kind: str, rows: Rows) -> None:
        """Replace the rows of a kind. Those that are equal stay the same objects, so that they are not sent again.

        Args:
            kind: One of `KINDS`.
            rows: All rows of that kind.
        """
        old = self._rows[kind]
        new = {key: old[key] if old.get(key) == row else row for key, row in rows.items()}
        if len(new) == len(old) and all(old.get(key) is row for key, row in new.items()):
            return
        self._rows[kind] = new
        self.touch()

    def rows(self, kind: str) -> Rows:
        """Give the rows of a kind."""
        return self._rows[kind]

    def seen(self) -> dict[str, Rows]:
        """Give all rows as they are now: what a page has once it was sent the difference."""
        return dict(self._rows)

    def difference(self, seen: Mapping[str, Rows]) -> dict[str, dict[str, Row | None]]:
        """Give what a page does not have: for each kind the rows by their ids, None for one that is gone.

        Args:
            seen: What the page has.
        """
        found: dict[str, dict[str, Row | None]] = {}
        for kind, rows in self._rows.items():
            before = seen.get(kind, {})
            if before is rows:
                continue
            changes: dict[str, Row | None] = {key: row for key, row in rows.items() if before.get(key) is not row}
            changes.update({key: None for key in before if key not in rows})
            if changes:
                found[kind] = changes
        return found
