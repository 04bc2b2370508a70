"""SqliteStore: ledgers in an SQLite file, sealed, so that a restarted program takes its calls over."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import os
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from .._private import make_private
from ..errors import ConfigError, LedgerError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["SqliteStore"]

_SALT, _NONCE = 16, 12
# 16 MiB and about 50 ms, once for each agent.
_COST = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}


class SqliteStore:
    """Keeps ledgers in an SQLite file. Needs the extra `ledger` (`pip install "ziwo_async[ledger]"`).

    Each ledger is sealed with AES-256-GCM under a key made (scrypt) of `key`, or else of the position's password: the
    file tells nothing to those who could not log in as the agent anyway. The agents' names are in clear. Losing power
    may cost the last change; killing the process does not.
    """

    def __init__(self, path: str | os.PathLike[str], *, key: str | SecretStr | None = None) -> None:
        """Open the file, or make it, readable by its owner only.

        Args:
            path: The file.
            key: What to seal with, instead of the position's password; for those who rotate that.

        Raises:
            ConfigError: The file cannot be used: others can read it, it is no SQLite file, or the extra is missing.
        """
        if importlib.util.find_spec("cryptography") is None:  # pragma: no cover - the tests' environment has it
            raise ConfigError('SqliteStore needs the extra "ledger": pip install "ziwo_async[ledger]"')
        self._path = Path(path)
        self._key = SecretStr(key) if isinstance(key, str) else key
        self._lock = threading.Lock()
        self._ciphers: dict[tuple[bytes, str], AESGCM] = {}
        self._salts: dict[str, bytes] = {}
        try:
            make_private(self._path)
            self._db = sqlite3.connect(self._path, check_same_thread=False, timeout=5.0, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("CREATE TABLE IF NOT EXISTS ledgers (name TEXT PRIMARY KEY, sealed BLOB NOT NULL)")
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"the ledger file {self._path} cannot be used: {error}") from None

    def __repr__(self) -> str:
        return f"<SqliteStore {self._path}>"

    def close(self) -> None:
        """Close the file. Safe twice; a save after it fails with `LedgerError`."""
        with self._lock:
            self._db.close()

    async def load(self, name: str, secret: SecretStr) -> str | None:
        """Give the ledger of this name, or None.

        Raises:
            LedgerError: The file is damaged, or the ledger was sealed with another key.
        """
        return await asyncio.to_thread(self._load, name, secret)

    async def save(self, name: str, ledger: str, secret: SecretStr) -> None:
        """Keep the ledger, in place of an earlier one.

        Raises:
            LedgerError: The file cannot be written.
        """
        await asyncio.to_thread(self._save, name, ledger, secret)

    def _load(self, name: str, secret: SecretStr) -> str | None:
        from cryptography.exceptions import InvalidTag

        try:
            with self._lock:
                row = self._db.execute("SELECT sealed FROM ledgers WHERE name = ?", (name,)).fetchone()
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger file {self._path} cannot be read: {error}") from None
        if row is None:
            return None
        sealed: bytes = row[0]
        salt, nonce = sealed[:_SALT], sealed[_SALT : _SALT + _NONCE]
        try:
            text = self._cipher(salt, secret).decrypt(nonce, sealed[_SALT + _NONCE :], name.encode())
        except (InvalidTag, ValueError, TypeError):
            raise LedgerError(
                f"the ledger of {name} in {self._path} is damaged or was sealed with another key (was the position's "
                "password changed?)"
            ) from None
        self._salts[name] = salt
        return text.decode()

    def _save(self, name: str, ledger: str, secret: SecretStr) -> None:
        salt = self._salts.setdefault(name, os.urandom(_SALT))
        nonce = os.urandom(_NONCE)
        sealed = salt + nonce + self._cipher(salt, secret).encrypt(nonce, ledger.encode(), name.encode())
        try:
            with self._lock:
                self._db.execute(
                    "INSERT INTO ledgers (name, sealed) VALUES (?, ?) "
                    "ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed",
                    (name, sealed),
                )
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger file {self._path} cannot be written: {error}") from None

    def _cipher(self, salt: bytes, secret: SecretStr) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        password = (self._key or secret).get_secret_value()
        with self._lock:
            cipher = self._ciphers.get((salt, password))
        if cipher is None:
            cipher = AESGCM(hashlib.scrypt(password.encode(), salt=salt, **_COST))
            with self._lock:
                self._ciphers[salt, password] = cipher
        return cipher
