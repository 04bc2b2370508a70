"""An SQLite file that only its owner can read, used from threads: what the stores of this package have in common."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from .._private import make_private
from ..errors import ConfigError, PlaceError

__all__ = ["Database"]

_T = TypeVar("_T")
_BUSY_SECONDS = 5.0


class Database:
    """One connection, made when it is first used, and used by one thread at a time.

    Killing the process loses nothing; losing power may cost the last change.
    """

    def __init__(self, path: str | os.PathLike[str], schema: Sequence[str], *, what: str) -> None:
        """Choose a file; no I/O happens yet.

        Args:
            path: The file; its folder must exist.
            schema: Statements that are run whenever the file is opened.
            what: What the file is, for errors.
        """
        self._path = Path(path)
        self._schema = tuple(schema)
        self._what = what
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._finalizer: weakref.finalize[[], Database] | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    async def run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do something with the file in a thread, in one transaction that is undone if it fails.

        Args:
            work: Gets the connection.

        Raises:
            ConfigError: The file cannot be used: others can read it, or it is no SQLite file.
            PlaceError: It cannot be read or written; `retryable` while another program has it locked.
        """
        return await asyncio.to_thread(self.run_here, work)

    def run_here(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do the same as `run`, in this thread.

        Args:
            work: Gets the connection.

        Raises:
            ConfigError: As for `run`.
            PlaceError: As for `run`.
        """
        with self._lock:
            db = self._opened()
            try:
                # Locked for writing from the beginning: who reads first and writes later can be refused in between.
                db.execute("BEGIN IMMEDIATE")
                try:
                    found = work(db)
                except BaseException:
                    db.execute("ROLLBACK")
                    raise
                db.execute("COMMIT")
            except sqlite3.Error as error:
                if db.in_transaction:
                    db.rollback()
                raise self._failed(error) from None
        return found

    def close(self) -> None:
        """Close the file, which is also done when nothing refers to this any more. The next use opens it again."""
        with self._lock:
            if self._finalizer is not None:
                self._finalizer()
            self._db = self._finalizer = None

    def _opened(self) -> sqlite3.Connection:
        if self._db is not None:
            return self._db
        db: sqlite3.Connection | None = None
        try:
            make_private(self._path)
            db = sqlite3.connect(self._path, check_same_thread=False, timeout=_BUSY_SECONDS, isolation_level=None)
            _use_wal(db)
            db.execute("PRAGMA synchronous = NORMAL")
            for statement in self._schema:
                db.execute(statement)
        except (OSError, sqlite3.Error) as error:
            if db is not None:
                db.close()
            if _is_locked(error):
                raise self._failed(error) from None
            raise ConfigError(f"{self._what} {self._path} cannot be used: {error}") from None
        self._db = db
        self._finalizer = weakref.finalize(self, db.close)
        return db

    def _failed(self, error: Exception) -> PlaceError:
        failed = PlaceError(f"{self._what} {self._path} cannot be read or written: {error}")
        failed.retryable = _is_locked(error)
        return failed


def _use_wal(db: sqlite3.Connection) -> None:
    # SQLite itself does not wait here for another process that opens the file in the same moment.
    end = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.Error as error:
            if not _is_locked(error) or time.monotonic() > end:
                raise
        time.sleep(0.01)


def _is_locked(error: Exception) -> bool:
    # The low byte is the kind of failure, the rest says more about it.
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
