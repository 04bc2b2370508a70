"""CampaignNumbers: which number stands in which advertisement, and how many calls each brought (call tracking)."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from .._sqlite import SqliteFile
from ..errors import BadArgument
from ..events import Direction
from ..telephone import digits, number_key, same_number
from .models import EndCall, StartCall
from .rehearsal import is_rehearsal

__all__ = ["CampaignNumbers", "SourceCounts"]

_log = logging.getLogger("ziwo_async.webhooks")

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS campaign_numbers (
        number TEXT NOT NULL, key TEXT NOT NULL, source TEXT, since INTEGER NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS campaign_numbers_by_key ON campaign_numbers (key)",
    # A call has up to two rows: it started, and it ended.
    """CREATE TABLE IF NOT EXISTS campaign_calls (
        call TEXT NOT NULL, ended INTEGER NOT NULL, source TEXT, at INTEGER NOT NULL, answered INTEGER NOT NULL,
        talk INTEGER NOT NULL, PRIMARY KEY (call, ended)) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS campaign_calls_by_time ON campaign_calls (at)",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(milliseconds=1)
_LONGEST_TALK = timedelta(days=7)
"""What a CDR says beyond that is a mistake, and must not spoil a sum."""
_SKEW = timedelta(minutes=2)
"""So much earlier than its number got its first source a call may have started by ZIWO's clock, which has seconds."""
_LONGEST_TEXT = 200
_ANSWERED = frozenset({"answer", "answered"})
_NOT_ANSWERED = frozenset({"noanswer", "busy", "cancel", "cancelled", "canceled", "failed", "congestion", "timeout"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCounts:
    """What the numbers of one source brought.

    Attributes:
        source: The source; None: numbers that had none.
        started: Calls that landed, by the start calls. A request that is sent twice counts twice when it has no
            `callID`, which ZIWO does not document.
        ended: Calls that are over, by the end calls.
        answered: Of these, those that somebody answered.
        missed: Of these, those that nobody answered; a voicemail is missed.
        talk: How long those who answered talked, in all.
    """

    source: str | None
    started: int = 0
    ended: int = 0
    answered: int = 0
    missed: int = 0
    talk: timedelta = timedelta()


class CampaignNumbers:
    """Numbers, their sources and the counts of their calls, in an SQLite file that only its owner can read.

    Several processes may use it at once. It holds your numbers, ids of calls and times: nothing about callers. Numbers
    may be given in any spelling, and are compared by the rules of `same_number`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        region: str | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """Choose a file; no I/O happens yet.

        Args:
            path: The file; its folder must exist. Other tables may be in it.
            region: The country of numbers that do not name theirs, as an ISO code of two letters. It counts only with
                the extra `numbers`.
            clock: Gives the present, with a time zone; by default this machine's.

        Raises:
            BadArgument: There is no such region.
        """
        same_number("", "", region=region)
        self._file = SqliteFile(path, what="campaign numbers", schema=_SCHEMA)
        self._region = region
        self._clock = clock or _now

    def __repr__(self) -> str:
        return f"<CampaignNumbers {self._file}>"

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._file.close()

    # --- numbers ------------------------------------------------------------------------------------------------------

    async def assign(self, number: str, source: str | None, *, since: datetime | None = None) -> None:
        """Give a number to a source. Calls from before stay with the source that it had then.

        Doing so again changes nothing, so that a program may do it at every start.

        Args:
            number: Our number.
            source: Such as `billboard airport`; None takes the number away from its source.
            since: From when on, with a time zone; by default from now.

        Raises:
            BadArgument: The number or the source is empty or too long, or `since` has no time zone.
            ConfigError: The file cannot be used.
            StoreError: The file cannot be written.
        """
        _check("number", number)
        if source is not None:
            _check("source", source)
        moment = _ticks(since, "since") if since is not None else _ticks(self._clock(), "clock")

        def work(db: sqlite3.Connection) -> None:
            known = self._written(db, number) or number
            if _source_at(db, known, moment, skew=0) != source:
                db.execute("DELETE FROM campaign_numbers WHERE number = ? AND since = ?", (known, moment))
                db.execute(
                    "INSERT INTO campaign_numbers (number, key, source, since) VALUES (?, ?, ?, ?)",
                    (known, number_key(known), source, moment),
                )

        await self._file.write(work)

    async def numbers(self) -> dict[str, str]:
        """Give the source of each number that has one now.

        Raises:
            ConfigError: The file cannot be used.
            StoreError: The file cannot be read.
        """
        now = _ticks(self._clock(), "clock")
        return await self._file.read(lambda db: _current(db, now))

    async def source(self, number: str) -> str | None:
        """Give the source that a number has now, or None.

        Args:
            number: Our number.

        Raises:
            ConfigError: The file cannot be used.
            StoreError: The file cannot be read.
        """
        now = _ticks(self._clock(), "clock")
        return await self._file.read(lambda db: self._source_of(db, number, now, skew=0))

    # --- calls --------------------------------------------------------------------------------------------------------

    async def started(self, start: StartCall) -> str | None:
        """Count a call that has landed, and give the source of its number, or None.

        Nothing is counted while the handler is only tried out (`is_rehearsal`).

        Args:
            start: The start call. One with the `callID` of an earlier one is not counted again.

        Raises:
            ConfigError: The file cannot be used.
            StoreError: The file cannot be written. Let it out of your handler: the call gets the fallback.
        """
        now = _ticks(self._clock(), "clock")
        key = start.call_id or f"?{uuid4()}"

        def work(db: sqlite3.Connection) -> str | None:
            found = self._source_of(db, start.did_called, now, skew=0)
            if not tried:
                _count(db, key, False, found, now, False, 0)
            return found

        tried = is_rehearsal()
        return await (self._file.read(work) if tried else self._file.write(work))

    async def ended(self, end: EndCall) -> str | None:
        """Count a call that is over, once however often it is told, and give the source it came by, or None.

        A call that did not come in is not counted, so that the CDRs of a whole contact centre may be given. Neither is
        one while the handler is only tried out (`is_rehearsal`).

        Args:
            end: The end call, or the CDR of a web hook.

        Raises:
            ConfigError: The file cannot be used.
            StoreError: The file cannot be written. Let it out of your handler: ZIWO is told that it failed.
        """
        did = end.did_called
        if end.direction not in (None, Direction.INBOUND) or not did:
            return None
        at = _ticks(end.start or end.end or self._clock(), "clock")
        answered = _is_answered(end)
        talk = _talk(end) // _TICK if answered else 0

        def work(db: sqlite3.Connection) -> str | None:
            told = db.execute("SELECT source FROM campaign_calls WHERE call = ? AND NOT ended", (end.key,)).fetchone()
            found = told[0] if told is not None else self._source_of(db, did, at, skew=_SKEW // _TICK)
            if not tried:
                _count(db, end.key, True, found, at, answered, talk)
            return found

        tried = is_rehearsal()
        return await (self._file.read(work) if tried else self._file.write(work))

    async def counts(self, *, since: datetime | None = None, until: datetime | None = None) -> list[SourceCounts]:
        """Give the counts of every source, by name; last, where there were any, those of numbers without one.

        Args:
            since: Calls that started then or later, with a time zone.
            until: Calls that started before, with a time zone.

        Raises:
            BadArgument: A moment has no time zone.
            ConfigError: The file cannot be used.
            StoreError: The file cannot be read.
        """
        begin = -(2**62) if since is None else _ticks(since, "since")
        end = 2**62 if until is None else _ticks(until, "until")
        now = _ticks(self._clock(), "clock")

        def work(db: sqlite3.Connection) -> list[SourceCounts]:
            rows = db.execute(
                "SELECT source, SUM(NOT ended), SUM(ended), SUM(ended AND answered), SUM(ended AND NOT answered), "
                "SUM(talk) FROM campaign_calls WHERE at >= ? AND at < ? GROUP BY source",
                (begin, end),
            ).fetchall()
            found = {source: SourceCounts(source=source) for source in _current(db, now).values()}
            for source, started, ended, answered, missed, talk in rows:
                found[source] = SourceCounts(
                    source=source,
                    started=started,
                    ended=ended,
                    answered=answered,
                    missed=missed,
                    talk=talk * _TICK,
                )
            return sorted(found.values(), key=lambda one: (one.source is None, one.source or ""))

        return await self._file.read(work)

    async def purge(self, before: datetime) -> int:
        """Forget the calls that started before; give how many. Their counts go with them.

        Args:
            before: The moment, with a time zone. Leave the last two days: a call that is told again after it was
                forgotten is counted again.

        Raises:
            BadArgument: The moment has no time zone.
            ConfigError: The file cannot be used.
            StoreError: The file cannot be written.
        """
        moment = _ticks(before, "before")

        def work(db: sqlite3.Connection) -> int:
            (calls,) = db.execute("SELECT COUNT(DISTINCT call) FROM campaign_calls WHERE at < ?", (moment,)).fetchone()
            db.execute("DELETE FROM campaign_calls WHERE at < ?", (moment,))
            return int(calls)

        return await self._file.write(work)

    # --- inside, in a worker thread -----------------------------------------------------------------------------------

    def _written(self, db: sqlite3.Connection, number: str) -> str | None:
        """How a number is written in the file; None when it is not there, or could be one of several."""
        rows = db.execute("SELECT DISTINCT number FROM campaign_numbers WHERE key = ?", (number_key(number),))
        found = [known for (known,) in rows if same_number(known, number, region=self._region)]
        if len(found) > 1:
            found = [known for known in found if digits(known) == digits(number)]
            if len(found) != 1:
                _log.warning("tracking: %r could be one of several numbers, and was taken for none", number)
                return None
        return found[0] if found else None

    def _source_of(self, db: sqlite3.Connection, number: str, at: int, *, skew: int) -> str | None:
        known = self._written(db, number)
        return None if known is None else _source_at(db, known, at, skew=skew)


def _source_at(db: sqlite3.Connection, known: str, at: int, *, skew: int) -> str | None:
    row = db.execute(
        "SELECT source FROM campaign_numbers WHERE number = ? AND since <= ? ORDER BY since DESC LIMIT 1", (known, at)
    ).fetchone()
    if row is None:
        row = db.execute(
            "SELECT source FROM campaign_numbers WHERE number = ? AND since <= ? ORDER BY since LIMIT 1",
            (known, at + skew),
        ).fetchone()
    return None if row is None else row[0]


def _current(db: sqlite3.Connection, now: int) -> dict[str, str]:
    rows = db.execute("SELECT number, source FROM campaign_numbers WHERE since <= ? ORDER BY since, rowid", (now,))
    return {number: source for number, source in dict(rows.fetchall()).items() if source is not None}


def _count(
    db: sqlite3.Connection, call: str, ended: bool, source: str | None, at: int, answered: bool, talk: int
) -> None:
    db.execute(
        "INSERT INTO campaign_calls (call, ended, source, at, answered, talk) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (call, ended) DO NOTHING",
        (call, ended, source, at, answered, talk),
    )


def _is_answered(end: EndCall) -> bool:
    """Whether somebody answered. The tracker's welcome may answer the line, so the word of the CDR comes first."""
    if end.voicemail or end.result is not None:
        return end.answered
    word = "".join(letter for letter in (end.disposition or "").casefold() if letter.isalpha())
    if word in _ANSWERED or word in _NOT_ANSWERED:
        return word in _ANSWERED
    return end.answered


def _talk(end: EndCall) -> timedelta:
    talk = end.talk_time
    if talk is None and end.answer is not None and end.end is not None:
        talk = end.end - end.answer
    return min(max(talk or timedelta(), timedelta()), _LONGEST_TALK)


def _check(name: str, text: str) -> None:
    if not isinstance(text, str) or not text.strip() or not text.isprintable() or len(text) > _LONGEST_TEXT:
        raise BadArgument(f"{name} is one printable line of at most {_LONGEST_TEXT} characters")


def _now() -> datetime:
    return datetime.now(UTC)


def _ticks(moment: datetime, name: str) -> int:
    if moment.tzinfo is None:
        raise BadArgument(f"{name} needs a time zone, such as datetime.now(UTC) has")
    return (moment - _EPOCH) // _TICK
