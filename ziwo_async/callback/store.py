"""Where callbacks are kept: an SQLite file that several processes may use."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from .._sqlite import SqliteFile
from ..errors import BadArgument, SpendRefused, StoreError
from ..telephone import number_key, same_number
from .records import LONGEST_PAUSE, Callback

__all__ = ["Limits", "SqliteCallbacks"]

_log = logging.getLogger("ziwo_async.callback")

# due_at: none when it is over. extension: of an open dial.
_TABLE = (
    "CREATE TABLE IF NOT EXISTS callbacks (id TEXT PRIMARY KEY, number_key TEXT NOT NULL, requested_at REAL NOT NULL, "
    "due_at REAL, extension TEXT, record TEXT NOT NULL)"
)
_SCHEMA = (
    # A dial must be on the disk before it is sent, also when the power fails: otherwise it would be made again.
    "PRAGMA synchronous = FULL",
    _TABLE,
    "CREATE INDEX IF NOT EXISTS callbacks_due ON callbacks (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS callbacks_number ON callbacks (number_key, requested_at)",
    "CREATE TABLE IF NOT EXISTS callback_keys (key TEXT PRIMARY KEY, id TEXT NOT NULL)",
)
_SAVE = (
    "INSERT INTO callbacks (id, number_key, requested_at, due_at, extension, record) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (id) DO UPDATE SET due_at = excluded.due_at, extension = excluded.extension, record = excluded.record"
)
_RECORD = TypeAdapter(Callback)
# So far a clock may be set back without any notice being taken: seconds.
_CLOCK = 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be asked for.

    Attributes:
        per_contact: How many callbacks of one number within the window.
        window: Seconds.
        open: How many callbacks may be under way.
    """

    per_contact: int
    window: float
    open: int


class SqliteCallbacks:
    """Keeps callbacks in an SQLite file that only its owner can read; made when it is first used.

    The visitors' numbers are in it in clear, until `purge`. Killing the process or losing power loses nothing that was
    reported. Several processes may share the file: each dial is made by one of them.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Choose a file; no I/O happens yet.

        Args:
            path: The file; its folder must exist.
        """
        self._file = SqliteFile(path, what="callbacks", schema=_SCHEMA)
        self._told: set[str] = set()

    def __repr__(self) -> str:
        return f"<SqliteCallbacks {self._file}>"

    def close(self) -> None:
        """Close the file, which is also done when nothing refers to this any more. The next use opens it again."""
        self._file.close()

    async def add(self, wanted: Callback, key: str | None, limits: Limits, now: float) -> tuple[Callback, bool]:
        """Keep a new callback; or give the one that is meant: with the same key, or open for the same number.

        Args:
            wanted: The new one.
            key: Idempotency key.
            limits: How much may be asked for.
            now: The time.

        Returns:
            The callback, and whether it is the new one.

        Raises:
            BadArgument: The key was used for another number.
            SpendRefused: Too many were asked for.
            StoreError: The file cannot be written.
            ConfigError: The file cannot be used.
        """
        return await self._file.write(lambda db: _add(db, wanted, key, limits, now))

    async def get(self, id: str) -> Callback | None:  # noqa: A002 - as everywhere in the package
        """Give a callback, or None.

        Args:
            id: Its id.

        Raises:
            StoreError: The file cannot be read, or the record in it.
            ConfigError: The file cannot be used.
        """
        return await self._file.read(lambda db: _get(db, id))

    async def change(
        self, id: str, work: Callable[[Callback, frozenset[str]], Callback]  # noqa: A002
    ) -> tuple[Callback, Callback] | None:  # fmt: skip
        """Change a callback, of which nobody else changes anything meanwhile.

        Args:
            id: Its id.
            work: Makes the new one of the old one, and of the agents that other open dials have.

        Returns:
            Before and after; None when there is no such callback.

        Raises:
            StoreError: The file cannot be read or written.
            ConfigError: The file cannot be used.
        """

        def changed(db: sqlite3.Connection) -> tuple[Callback, Callback] | None:
            before = _get(db, id)
            if before is None:
                return None
            rows = db.execute("SELECT extension FROM callbacks WHERE extension IS NOT NULL AND id != ?", (id,))
            after = work(before, frozenset(str(row[0]) for row in rows))
            if after != before:
                _save(db, after)
            return before, after

        return await self._file.write(changed)

    async def open(self) -> list[Callback]:
        """Give all callbacks that are not over, those that are due first first.

        Raises:
            StoreError: The file cannot be read.
            ConfigError: The file cannot be used.
        """
        text = "SELECT id, record FROM callbacks WHERE due_at IS NOT NULL ORDER BY due_at"
        return await self._file.read(lambda db: self._readable(db.execute(text)))

    async def due(self, now: float) -> tuple[list[Callback], float | None]:
        """Give the callbacks that are due, and when the next one is.

        One that is due later than it can be was written before a clock was set back: it is due too.

        Args:
            now: The time.

        Raises:
            StoreError: The file cannot be read.
            ConfigError: The file cannot be used.
        """

        def look(db: sqlite3.Connection) -> tuple[list[Callback], float | None]:
            far = now + LONGEST_PAUSE + _CLOCK
            rows = db.execute("SELECT id, record FROM callbacks WHERE due_at <= ? OR due_at > ?", (now, far))
            found = [it for it in self._readable(rows) if _is_due(it, now)]
            (later,) = db.execute("SELECT min(due_at) FROM callbacks WHERE due_at > ?", (now,)).fetchone()
            return found, later

        return await self._file.read(look)

    async def purge(self, before: float) -> int:
        """Forget callbacks that are over and were asked for before a moment, and their keys; tell how many.

        Args:
            before: The moment.

        Raises:
            StoreError: The file cannot be written.
            ConfigError: The file cannot be used.
        """

        def work(db: sqlite3.Connection) -> int:
            count = db.execute("DELETE FROM callbacks WHERE due_at IS NULL AND requested_at < ?", (before,)).rowcount
            db.execute("DELETE FROM callback_keys WHERE id NOT IN (SELECT id FROM callbacks)")
            return count

        return await self._file.write(work)

    def _readable(self, rows: Iterable[tuple[str, object]]) -> list[Callback]:
        """One record that cannot be read must not stop the others; it is told once."""
        found: list[Callback] = []
        for id, record in rows:  # noqa: A001
            try:
                found.append(_read(record))
            except StoreError as error:
                if id not in self._told:
                    self._told.add(id)
                    _log.error("callback %s is left as it is: %s", id, error)
        return found


def _is_due(it: Callback, now: float) -> bool:
    return it.due_at is not None and not now < it.due_at <= now + it.plan.longest_pause + _CLOCK


def _add(
    db: sqlite3.Connection, wanted: Callback, key: str | None, limits: Limits, now: float
) -> tuple[Callback, bool]:
    if key is not None and (row := db.execute("SELECT id FROM callback_keys WHERE key = ?", (key,)).fetchone()):
        known = _get(db, str(row[0]))
        if known is not None:
            if not same_number(known.contact, wanted.contact):
                raise BadArgument("the key was used for a callback of another number")
            return known, False
    text = "SELECT record FROM callbacks WHERE number_key = ? AND (due_at IS NOT NULL OR requested_at > ?)"
    rows = db.execute(text, (number_key(wanted.contact), now - limits.window))
    same = [found for row in rows if same_number((found := _read(row[0])).contact, wanted.contact)]
    kept = next((found for found in same if not found.over), None)
    if kept is None:
        _check_limits(db, wanted, same, limits, now)
        _save(db, wanted)
    if key is not None:
        # Also for one that was open already: asked again with this key when it is over, nobody is called again.
        db.execute("INSERT OR REPLACE INTO callback_keys (key, id) VALUES (?, ?)", (key, (kept or wanted).id))
    return kept or wanted, kept is None


def _check_limits(
    db: sqlite3.Connection, wanted: Callback, same: list[Callback], limits: Limits, now: float
) -> None:  # fmt: skip
    if len(same) >= limits.per_contact:
        wait = max(min(found.requested_at for found in same) + limits.window - now, 0.0)
        text = f"{limits.per_contact} callbacks of this number within {limits.window:g} s are allowed"
        raise SpendRefused(text, reason="rate", number=wanted.contact, retry_after=wait)
    (count,) = db.execute("SELECT count(*) FROM callbacks WHERE due_at IS NOT NULL").fetchone()
    if count >= limits.open:
        text = f"{limits.open} callbacks are under way, and no more are allowed"
        raise SpendRefused(text, reason="rate", number=wanted.contact)


def _get(db: sqlite3.Connection, id: str) -> Callback | None:  # noqa: A002
    row = db.execute("SELECT record FROM callbacks WHERE id = ?", (id,)).fetchone()
    return None if row is None else _read(row[0])


def _save(db: sqlite3.Connection, it: Callback) -> None:
    extension = None if it.attempt is None else it.attempt.extension
    record = _RECORD.dump_json(it).decode()
    db.execute(_SAVE, (it.id, number_key(it.contact), it.requested_at, it.due_at, extension, record))


def _read(text: object) -> Callback:
    try:
        return _RECORD.validate_json(text if isinstance(text, (str, bytes)) else b"")
    except ValidationError:
        raise StoreError("a callback in the file cannot be read: it is damaged, or of a later version") from None
