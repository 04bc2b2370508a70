"""Which hooks were handled already: in a file, across restarts and processes."""

from __future__ import annotations

import os
import sqlite3
import time

from .._sqlite import SqliteFile
from ..errors import ConfigError
from .once import Claim

__all__ = ["SqliteOnce"]

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS once (
        key TEXT PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL, done INTEGER NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS once_until ON once (until)",
)
# What is over is deleted so many at a time, so that no request pays for all of it.
_FORGET_AT_ONCE = 100


class SqliteOnce:
    """Remembers in an SQLite file that only its owner can read; it holds ids of calls and times.

    Several processes on one machine may share the file. When a process dies in the middle of a handler, its claim is
    free after the lease, and a request that comes again then runs the handler once more: at least once, then.
    """

    def __init__(self, path: str | os.PathLike[str], *, ttl: float = 86_400.0, lease: float = 60.0) -> None:
        """Choose a file; no I/O happens yet.

        Args:
            path: The file; its folder must exist.
            ttl: Seconds for which what was handled is remembered.
            lease: Seconds after which a claim that is not renewed is free again. Running handlers renew it three times
                as often; a program whose event loop stands still for so long can lose it.

        Raises:
            ConfigError: A value makes no sense.
        """
        if not 0 < ttl < float("inf") or not 0 < lease < float("inf"):
            raise ConfigError("ttl and lease must be greater than 0")
        self._file = SqliteFile(path, what="handled calls", schema=_SCHEMA)
        self._ttl = ttl
        self._lease = lease

    def __repr__(self) -> str:
        return f"<SqliteOnce {self._file}>"

    @property
    def lease(self) -> float:
        """Seconds within which a claim is renewed."""
        return self._lease

    def close(self) -> None:
        """Close the file, which is also done when nothing refers to this any more. The next use opens it again."""
        self._file.close()

    async def claim(self, key: str, owner: str) -> Claim:
        """Ask whether to go ahead.

        Args:
            key: What is to be handled.
            owner: Who asks.

        Raises:
            ConfigError: The file cannot be used.
            StoreError: The file cannot be read or written.
        """

        def work(db: sqlite3.Connection) -> Claim:
            now = time.time()
            db.execute(
                "DELETE FROM once WHERE key IN (SELECT key FROM once WHERE until <= ? AND key != ? LIMIT ?)",
                (now, key, _FORGET_AT_ONCE),
            )
            row = db.execute("SELECT owner, until, done FROM once WHERE key = ?", (key,)).fetchone()
            if row is not None and row[1] > now:
                if row[2]:
                    return "done"
                if row[0] != owner:
                    return "busy"
            db.execute(
                "INSERT INTO once (key, owner, until, done) VALUES (?, ?, ?, 0) ON CONFLICT (key) DO UPDATE SET "
                "owner = excluded.owner, until = excluded.until, done = 0",
                (key, owner, now + self._lease),
            )
            return "yours"

        return await self._file.write(work)

    async def finish(self, key: str, owner: str) -> None:
        """Note that it was handled.

        Args:
            key: What was handled.
            owner: Whose claim it was.

        Raises:
            ConfigError: The file cannot be used.
            StoreError: The file cannot be read or written.
        """

        def work(db: sqlite3.Connection) -> None:
            # A claim that was not renewed in time may have been deleted; what was done under it was done all the same.
            db.execute(
                "INSERT INTO once (key, owner, until, done) VALUES (?, ?, ?, 1) ON CONFLICT (key) DO UPDATE SET "
                "until = excluded.until, done = 1 WHERE owner = excluded.owner AND done = 0",
                (key, owner, time.time() + self._ttl),
            )

        await self._file.write(work)

    async def release(self, key: str, owner: str) -> None:
        """Note that it was not handled.

        Args:
            key: What was not handled.
            owner: Whose claim it was.

        Raises:
            ConfigError: The file cannot be used.
            StoreError: The file cannot be read or written.
        """

        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM once WHERE key = ? AND owner = ? AND done = 0", (key, owner))

        await self._file.write(work)
