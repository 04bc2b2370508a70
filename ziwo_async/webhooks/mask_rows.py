"""The rows of a masking table: what they are, and the SQL of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..errors import BadArgument, MaskTaken
from ..telephone import digits, number_key, same_number
from .models import Rule, call

__all__ = ["SCHEMA", "Mask", "Masks", "Row", "is_hidden"]

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS masks (
        did TEXT NOT NULL, caller TEXT, number TEXT NOT NULL, caller_id TEXT, timeout INTEGER,
        expires INTEGER, over INTEGER NOT NULL DEFAULT 0,
        did_key TEXT NOT NULL, caller_key TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS masks_by_key ON masks (caller_key, did_key)",
    "CREATE INDEX IF NOT EXISTS masks_by_end ON masks (expires)",
)
_COLUMNS = "rowid, did, caller, number, caller_id, timeout, expires, over"
_ANYBODY = ""
"""The key of the rows for any caller."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_LONGEST_NUMBER = 64


@dataclass(frozen=True, slots=True)
class Mask:
    """A row: whoever calls this number of ours reaches that one.

    Attributes:
        did: Our number that is called.
        number: Who is reached.
        caller: Whose calls are meant; None: everybody's for whom there is no row of their own.
        expires: From then on the row counts no more; None: it does until it is removed.
        caller_id: The number to show, one of ours; None: the one that was called.
        timeout: Seconds to ring; None: as long as `call` lets ring.
    """

    did: str
    number: str
    caller: str | None = None
    expires: datetime | None = None
    caller_id: str | None = None
    timeout: int | None = None

    def rule(self, shown: str | None) -> Rule:
        """Give the rule that connects the caller.

        Args:
            shown: The number to show, if the row has none of its own.

        Raises:
            BadArgument: There is no such rule.
        """
        if self.timeout is None:
            return call(self.number, caller_id=self.caller_id or shown)
        return call(self.number, caller_id=self.caller_id or shown, timeout=self.timeout)

    def is_written(self, did: str, caller: str | None) -> bool:
        """Whether its numbers have exactly these digits.

        Args:
            did: Our number.
            caller: The caller's.
        """
        return digits(self.did) == digits(did) and digits(self.caller or "") == digits(caller or "")


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it is stored.

    Attributes:
        id: Its number.
        mask: What it says.
        over: It was ended before its time.
    """

    id: int
    mask: Mask
    over: bool

    def counts(self, now: datetime) -> bool:
        """Whether it counts.

        Args:
            now: The present.
        """
        return not self.over and (self.mask.expires is None or self.mask.expires > now)


class Masks:
    """Reads and writes rows, within a transaction of its caller, and compares numbers by the rules of a country."""

    def __init__(self, region: str | None) -> None:
        """Choose the country of numbers that do not name theirs."""
        self._region = region
        self.same("", "")  # refuses what is no region

    def same(self, a: str, b: str) -> bool:
        """Whether two numbers are the same."""
        return same_number(a, b, region=self._region)

    def agree(self, masks: Sequence[Mask]) -> bool:
        """Whether all of them lead to one number."""
        return all(self.same(mask.number, masks[0].number) for mask in masks[1:])

    def checked(self, mask: Mask) -> Mask:
        """Give a row back, if it may be one.

        Raises:
            BadArgument: It may not.
        """
        for name, number in (("did", mask.did), ("number", mask.number), ("caller_id", mask.caller_id)):
            if number is not None:
                _check(name, number)
        if mask.caller is not None:
            _check("caller", mask.caller)
            if is_hidden(mask.caller):
                raise BadArgument("this caller hides their number; leave caller out for everybody")
            if self.same(mask.caller, mask.number):
                raise BadArgument("a caller cannot be connected with themselves")
        if self.same(mask.did, mask.number):
            raise BadArgument("a number that leads to itself would ring for ever")
        if mask.caller_id is not None and any(
            self.same(mask.caller_id, hidden) for hidden in (mask.caller, mask.number) if hidden is not None
        ):
            raise BadArgument("caller_id would show what the mask hides: give a number of yours")
        mask.rule(None)  # refuses what no rule can have
        return mask

    def all(self, db: sqlite3.Connection) -> list[Row]:
        """Give all rows, oldest first."""
        return _select(db, "1")

    def of(self, db: sqlite3.Connection, did: str, caller: str | None) -> list[Row]:
        """Give the rows of one number and one caller, those that count no more too."""
        key = _ANYBODY if caller is None else number_key(caller)
        found = _select(db, "caller_key = ? AND did_key = ?", key, number_key(did))
        return [row for row in found if self.same(row.mask.did, did) and self._is_caller(row, caller)]

    def of_caller(self, db: sqlite3.Connection, caller: str) -> list[Row]:
        """Give the rows of one caller, those that count no more too."""
        found = _select(db, "caller_key = ?", number_key(caller))
        return [row for row in found if self._is_caller(row, caller)]

    def put(self, db: sqlite3.Connection, mask: Mask, now: datetime, *, replace: bool) -> None:
        """Write a row in the place of those for the same number and caller.

        Raises:
            MaskTaken: One of them counts and leads to somebody else.
        """
        there = self.of(db, mask.did, mask.caller)
        if not replace and any(row.counts(now) and not self.same(row.mask.number, mask.number) for row in there):
            raise MaskTaken(f"by {mask.did} this caller reaches somebody else", dids=(mask.did,))
        self.delete(db, there)
        db.execute(
            "INSERT INTO masks (did, caller, number, caller_id, timeout, expires, did_key, caller_key) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                mask.did,
                mask.caller,
                mask.number,
                mask.caller_id,
                mask.timeout,
                None if mask.expires is None else _ticks(mask.expires),
                number_key(mask.did),
                _ANYBODY if mask.caller is None else number_key(mask.caller),
            ),
        )

    def choose(self, db: sqlite3.Connection, both: Mapping[str, Sequence[Mask]], now: datetime) -> str:
        """Choose the number for a pair: their own, else one that neither used, else the one left alone for longest.

        Args:
            db: The file.
            both: For each number the two rows that would be written.
            now: The present.

        Raises:
            MaskTaken: On each of them one of the two reaches somebody else.
        """
        free: list[tuple[datetime, int, str]] = []
        for place, (did, masks) in enumerate(both.items()):
            found = [(row, mask) for mask in masks for row in self.of(db, did, mask.caller)]
            live = [(row, mask) for row, mask in found if row.counts(now)]
            if any(not self.same(row.mask.number, mask.number) for row, mask in live):
                continue
            if live:
                return did
            ends = [row.mask.expires for row, _ in found if row.mask.expires is not None]
            free.append((max(ends, default=_EPOCH), place, did))
        if not free:
            raise MaskTaken("on each of these numbers one of the two reaches somebody else", dids=tuple(both))
        return min(free)[2]

    def end(self, db: sqlite3.Connection, rows: Iterable[Row], now: datetime) -> None:
        """Let rows count no more, whatever a clock says later."""
        db.executemany(
            "UPDATE masks SET over = 1, expires = ? WHERE rowid = ?", [(_ticks(now), row.id) for row in rows]
        )

    def delete(self, db: sqlite3.Connection, rows: Iterable[Row]) -> None:
        """Delete rows."""
        db.executemany("DELETE FROM masks WHERE rowid = ?", [(row.id,) for row in rows])

    def delete_ended(self, db: sqlite3.Connection, before: datetime) -> int:
        """Delete the rows that had ended by then; give how many."""
        return db.execute("DELETE FROM masks WHERE expires <= ?", (_ticks(before),)).rowcount

    def _is_caller(self, row: Row, caller: str | None) -> bool:
        mine = row.mask.caller
        return mine is None if caller is None else mine is not None and self.same(mine, caller)


def is_hidden(caller: str) -> bool:
    """Whether a caller's number is none: `anonymous`, `unknown`, nothing, or only zeros.

    Args:
        caller: What stands for the caller.
    """
    return not digits(caller).strip("0")


def _check(name: str, number: str) -> None:
    if not isinstance(number, str) or not number.strip() or not number.isprintable() or len(number) > _LONGEST_NUMBER:
        raise BadArgument(f"{name} is one printable line of at most {_LONGEST_NUMBER} characters")


def _ticks(moment: datetime) -> int:
    return (moment - _EPOCH) // _TICK


def _select(db: sqlite3.Connection, where: str, *values: str) -> list[Row]:
    found = db.execute(f"SELECT {_COLUMNS} FROM masks WHERE {where} ORDER BY rowid", values)  # noqa: S608 - our own text
    return [
        Row(
            id=rowid,
            mask=Mask(did, number, caller, None if end is None else _EPOCH + end * _TICK, caller_id, timeout),
            over=bool(over),
        )
        for rowid, did, caller, number, caller_id, timeout, end, over in found
    ]
