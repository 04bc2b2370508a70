"""MaskingTable: who reaches whom through a number of ours, without seeing the other's number (call masking)."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from .._sqlite import SqliteFile
from ..errors import BadArgument
from .mask_rows import SCHEMA, Mask, Masks, Row, is_hidden
from .models import Answer, StartCall

__all__ = ["Mask", "MaskingTable", "Pair"]

_log = logging.getLogger("ziwo_async.webhooks")

Expires: TypeAlias = datetime | timedelta
"""A moment with a time zone, or a length of time from now."""
_LONGEST_KEEP = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two who reach each other by calling one number of ours.

    Attributes:
        did: The number for both of them.
        one: One number.
        other: The other one.
        expires: Until when.
    """

    did: str
    one: str
    other: str
    expires: datetime


class MaskingTable:
    """A masking table in an SQLite file that only its owner can read; made when it is first used.

    Several processes may use it at once. Numbers may be given in any spelling, and are compared by the rules of
    `same_number`. A caller who hides their number (`anonymous`, nothing, only zeros) is one of whom nothing is known.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        region: str | None = None,
        keep: timedelta = timedelta(days=1),
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """Choose a file; no I/O happens yet.

        Args:
            path: The file; its folder must exist. Other tables may be in it.
            region: The country of numbers that do not name theirs, as an ISO code of two letters. It counts only with
                the extra `numbers`.
            keep: How long a row is remembered after it has ended, so that `pair` can give a number that the two did
                not use lately. Older ones are deleted whenever something is added.
            clock: Gives the present, with a time zone; by default this machine's.

        Raises:
            BadArgument: There is no such region, or `keep` is negative or longer than a year.
        """
        self._masks = Masks(region)
        if not timedelta() <= keep <= _LONGEST_KEEP:
            raise BadArgument(f"keep is 0 to {_LONGEST_KEEP.days} days")
        self._file = SqliteFile(path, what="masked numbers", schema=SCHEMA)
        self._keep = keep
        self._clock = clock or _now

    def __repr__(self) -> str:
        return f"<MaskingTable {self._file}>"

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._file.close()

    async def add(
        self,
        did: str,
        number: str,
        *,
        caller: str | None = None,
        expires: Expires | None = None,
        caller_id: str | None = None,
        timeout: int | None = None,
        replace: bool = False,
    ) -> Mask:
        """Add a row. Where the same caller reaches the same number already, it is renewed.

        Args:
            did: Our number that is called.
            number: Who is reached.
            caller: Whose calls are meant; None: everybody's for whom there is no row of their own.
            expires: Until when: a moment with a time zone, or a length of time from now. None: until it is removed.
            caller_id: The number to show, one of ours; by default the one that was called.
            timeout: Seconds to ring.
            replace: Whether it may take the place of a row by which they reach somebody else.

        Raises:
            BadArgument: A number is none, somebody would be connected with themselves, the number to show is the
                caller's or the one that is called, or `expires` is over.
            MaskTaken: By a row that counts they reach somebody else.
            ConfigError: The file cannot be used.
            StoreError: The file cannot be written.
        """
        now = self._clock()
        mask = self._masks.checked(Mask(did, number, caller, _until(expires, now), caller_id, timeout))

        def work(db: sqlite3.Connection) -> None:
            self._masks.delete_ended(db, now - self._keep)
            self._masks.put(db, mask, now, replace=replace)

        await self._file.write(work)
        return mask

    async def pair(
        self, one: str, other: str, *, dids: str | Sequence[str], expires: Expires, timeout: int | None = None
    ) -> Pair:
        """Let two reach each other by calling the same number of ours; each sees that number only.

        Of several numbers the first is taken that neither of them has used; else the one that they have not used for
        the longest time, so that an old entry in somebody's list of calls leads to nobody new. Two who are a pair
        already stay on their number, and are renewed.

        It needs the caller's number in the start call, which ZIWO does not document; see `rules`.

        Args:
            one: One number.
            other: The other one.
            dids: The numbers of ours to choose from.
            expires: Until when: a moment with a time zone, or a length of time from now.
            timeout: Seconds to ring.

        Returns:
            The number that was chosen.

        Raises:
            BadArgument: A number is none, there are no numbers to choose from, the two are one, or `expires` is over.
            MaskTaken: On each of the numbers one of the two reaches somebody else. Nothing was written.
            ConfigError: The file cannot be used.
            StoreError: The file cannot be written.
        """
        now = self._clock()
        until = _until(expires, now)
        if until is None:
            raise BadArgument("a pair needs a time when it expires")
        pool = (dids,) if isinstance(dids, str) else tuple(dids)
        if not pool:
            raise BadArgument("a pair needs a number of ours")
        both = {
            did: [self._masks.checked(Mask(did, b, a, until, None, timeout)) for a, b in ((one, other), (other, one))]
            for did in pool
        }

        def work(db: sqlite3.Connection) -> str:
            self._masks.delete_ended(db, now - self._keep)
            did = self._masks.choose(db, both, now)
            for mask in both[did]:
                self._masks.put(db, mask, now, replace=False)
            return did

        return Pair(await self._file.write(work), one, other, until)

    async def remove(self, did: str, *, caller: str | None = None) -> bool:
        """Delete a row.

        Args:
            did: Our number.
            caller: Whose row; None: the one for everybody else.

        Returns:
            Whether there was one that counted.

        Raises:
            ConfigError: The file cannot be used.
            StoreError: The file cannot be written.
        """
        now = self._clock()

        def work(db: sqlite3.Connection) -> bool:
            fitting = self._masks.of(db, did, caller)
            found = [row for row in fitting if row.mask.is_written(did, caller)] or fitting
            self._masks.delete(db, found)
            return any(row.counts(now) for row in found)

        return await self._file.write(work)

    async def unpair(self, one: str, other: str) -> int:
        """End the pair of these two, on whichever number.

        The rows count no more, whatever a clock says later, and are remembered for `keep`.

        Args:
            one: One number.
            other: The other one.

        Returns:
            How many rows ended: one for each direction.

        Raises:
            ConfigError: The file cannot be used.
            StoreError: The file cannot be written.
        """
        now = self._clock()

        def work(db: sqlite3.Connection) -> int:
            ended = [
                row
                for a, b in ((one, other), (other, one))
                for row in self._masks.of_caller(db, a)
                if row.counts(now) and self._masks.same(row.mask.number, b)
            ]
            self._masks.end(db, ended, now)
            return len(ended)

        return await self._file.write(work)

    async def find(self, did: str, caller: str | None = None) -> Mask | None:
        """Give the row that decides a call: the caller's own, else the one for everybody else.

        Where the caller's number is written so that it could be one of several (without its country), and they reach
        different people, none of these rows is taken: nobody is connected by a guess.

        Args:
            did: Our number that was called.
            caller: Who called; None when that is not known.

        Raises:
            ConfigError: The file cannot be used.
            StoreError: The file cannot be read.
        """
        now = self._clock()

        def work(db: sqlite3.Connection) -> tuple[list[Row], list[Row]]:
            own = [] if caller is None or is_hidden(caller) else self._masks.of(db, did, caller)
            return own, self._masks.of(db, did, None)

        own, anybody = await self._file.read(work)
        return self._one(own, did, caller, now) or self._one(anybody, did, None, now)

    async def all(self, *, did: str | None = None) -> list[Mask]:
        """Give the rows that count, oldest first.

        Args:
            did: Only those of this number of ours.

        Raises:
            ConfigError: The file cannot be used.
            StoreError: The file cannot be read.
        """
        now = self._clock()
        found = await self._file.read(self._masks.all)
        return [row.mask for row in found if row.counts(now) and (did is None or self._masks.same(row.mask.did, did))]

    async def purge(self) -> int:
        """Delete every row that counts no more; give how many.

        Raises:
            ConfigError: The file cannot be used.
            StoreError: The file cannot be written.
        """
        now = self._clock()
        return await self._file.write(lambda db: self._masks.delete_ended(db, now))

    async def rules(self, start: StartCall) -> Answer | None:
        """Answer a start call: ring who is behind the mask, and show a number of ours.

        None when there is no row for it: the call is none of this table's, or the caller is not known and there is no
        row for everybody. None too when the caller would be connected with themselves. Decide yourself what becomes of
        such a call.

        Args:
            start: The start call. That it has the caller's number is not documented by ZIWO; without it only rows for
                everybody are found.

        Raises:
            ConfigError: The file cannot be used.
            StoreError: The file cannot be read.
        """
        mask = await self.find(start.did_called, start.caller)
        if mask is None or (start.caller is not None and self._masks.same(mask.number, start.caller)):
            return None
        return Answer((mask.rule(start.did_called),))

    def _one(self, rows: Iterable[Row], did: str, caller: str | None, now: datetime) -> Mask | None:
        fitting = [row.mask for row in rows if row.counts(now)]
        if not self._masks.agree(fitting):
            fitting = [mask for mask in fitting if mask.is_written(did, caller)]
            if not fitting or not self._masks.agree(fitting):
                _log.warning("masking: several rows of %r fit this caller, and none of them was taken", did)
                return None
        return fitting[0] if fitting else None


def _until(expires: Expires | None, now: datetime) -> datetime | None:
    if expires is None:
        return None
    if isinstance(expires, datetime) and expires.tzinfo is None:
        raise BadArgument("expires needs a time zone, such as datetime.now(UTC) + timedelta(hours=1) has")
    try:
        # To UTC first: else a day with a change of the clocks would have its wall clock's length.
        until = (now.astimezone(UTC) + expires if isinstance(expires, timedelta) else expires).astimezone(UTC)
    except OverflowError:
        raise BadArgument("expires is after the end of time: leave it out for no end") from None
    if until <= now:
        raise BadArgument("expires is over already")
    return until


def _now() -> datetime:
    return datetime.now(UTC)
