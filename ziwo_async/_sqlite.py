"""One SQLite file that only its owner can read, used from asyncio, from threads and from several processes."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ._private import make_private
from .errors import ConfigError, StoreError

__all__ = ["SqliteFile"]

_T = TypeVar("_T")
_BUSY_SECONDS = 5.0


class SqliteFile:
    """An SQLite file, made and opened when it is first used.

    Several objects may use one file, each with tables of its own; so may several processes. Killing a process loses
    nothing; losing power may cost the last change. What is deleted is overwritten.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | Callable[[], Path],
        *,
        what: str,
        schema: Sequence[str],
        error: type[StoreError] = StoreError,
    ) -> None:
        """Choose a file; no I/O happens yet.

        Args:
            path: The file, whose folder must exist; or what finds it when it is opened for the first time.
            what: What is kept in it, for errors, such as `masked numbers`.
            schema: Statements that make the tables where they are missing.
            error: What is raised when it cannot be read or written.
        """
        self._path = None if callable(path) else Path(path)
        self._find = path if callable(path) else None
        self._what = what
        self._schema = tuple(schema)
        self._error = error
        self._lock = threading.Lock()
        # Held for a moment only, since the event loop waits for it; the other one while the file is used.
        self._hiring = threading.Lock()
        self._thread: ThreadPoolExecutor | None = None
        self._db: sqlite3.Connection | None = None
        self._finalizer: weakref.finalize[[], SqliteFile] | None = None

    def __str__(self) -> str:
        return "in the home folder" if self._path is None else str(self._path)

    def close(self) -> None:
        """Close the file, which is also done when nothing refers to this any more. The next use opens it again."""
        with self._hiring:
            if self._thread is not None:
                self._thread.shutdown(wait=False)
                self._thread = None
        with self._lock:
            if self._finalizer is not None:
                self._finalizer()
            self._db = self._finalizer = None

    async def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Read, in the file's own thread.

        Args:
            work: What to do with the file.

        Raises:
            ConfigError: The file cannot be used: others can read it, or it is no SQLite file.
            StoreError: The file cannot be read.
        """
        return await self._run(work, False)

    async def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Change the file in its own thread: all of it, or, when the work raises, nothing.

        Cancelled meanwhile, it may have happened or not.

        Args:
            work: What to do with the file, of which nobody else changes anything meanwhile.

        Raises:
            ConfigError: The file cannot be used: others can read it, or it is no SQLite file.
            StoreError: The file cannot be written; `retryable` while another program has it locked.
        """
        return await self._run(work, True)

    async def _run(self, work: Callable[[sqlite3.Connection], _T], writes: bool) -> _T:
        # One thread, not those of the event loop: a file that is locked must not keep the program from its other work.
        with self._hiring:
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, "ziwo-sqlite")
            future = self._thread.submit(self._do, work, writes)
        return await asyncio.wrap_future(future)

    def _do(self, work: Callable[[sqlite3.Connection], _T], writes: bool) -> _T:
        with self._lock:
            db = self._opened()
            try:
                if not writes:
                    return work(db)
                db.execute("BEGIN IMMEDIATE")
                try:
                    found = work(db)
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
                return found
            except sqlite3.Error as error:
                raise self._failed("written" if writes else "read", error) from None

    def _opened(self) -> sqlite3.Connection:
        if self._db is not None:
            return self._db
        db: sqlite3.Connection | None = None
        try:
            if self._path is None and self._find is not None:
                self._path = self._find()
            path = self._path or Path()
            make_private(path)
            db = sqlite3.connect(path, check_same_thread=False, timeout=_BUSY_SECONDS, isolation_level=None)
            try:
                db.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                # Whoever opens it at the same moment sets this mode, which stays with the file.
                if not _is_locked(error):
                    raise
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA secure_delete = ON")
            for statement in self._schema:
                db.execute(statement)
        except (OSError, RuntimeError, sqlite3.Error) as error:  # RuntimeError: there is no home folder
            if db is not None:
                db.close()
            if _is_locked(error):
                raise self._failed("opened", error) from None
            raise ConfigError(f"the file of {self._what} {self} cannot be used: {error}") from None
        self._db = db
        self._finalizer = weakref.finalize(self, db.close)
        return db

    def _failed(self, how: str, error: Exception) -> StoreError:
        failed = self._error(f"the file of {self._what} {self} cannot be {how}: {error}")
        failed.retryable = _is_locked(error)
        return failed


def _is_locked(error: Exception) -> bool:
    # The low byte is the kind of failure, the rest says more about it.
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
