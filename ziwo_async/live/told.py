"""What was told already: a bounded memory, so that nothing is told twice."""

from __future__ import annotations

from collections import OrderedDict
from enum import Flag, auto

__all__ = ["Said", "Told"]


class Said(Flag):
    """What was told of a call."""

    WAITING = auto()
    OUTCOME = auto()
    RECORDED = auto()
    DIALOG_OVER = auto()


class Told:
    """What was told of the calls of late. Past `limit` calls the one that was longest untouched is forgotten."""

    def __init__(self, limit: int = 100_000) -> None:
        """Remember nothing.

        Args:
            limit: How many calls are remembered.
        """
        self._limit = limit
        self._said: OrderedDict[str, Said] = OrderedDict()

    def __len__(self) -> int:
        return len(self._said)

    def of(self, call_id: str) -> Said:
        """What was told of a call."""
        return self._said.get(call_id, Said(0))

    def once(self, call_id: str, what: Said) -> bool:
        """Whether this may be told now: it was not before. From now on it was."""
        said = self.of(call_id)
        if said & what:
            return False
        self._said[call_id] = said | what
        self._said.move_to_end(call_id)
        while len(self._said) > self._limit:
            self._said.popitem(last=False)
        return True
