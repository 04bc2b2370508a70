"""LedgerKeeper: writes the phone's ledger to a store as it changes, so that another process can take the calls over.

The phone itself never waits for the store, but for two moments: before the first login (the session id must be on disk
first, or a process killed right after would be locked out by its own session) and at the very end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Protocol
from urllib.parse import urlsplit

from pydantic import SecretStr

from ..errors import LedgerError
from ..verto.ledger import Ledger
from ..verto.session import SessionMachine
from .account import Account

__all__ = ["LedgerKeeper", "LedgerStore", "MemoryStore"]

_log = logging.getLogger("ziwo_async.ledger")


class LedgerStore(Protocol):
    """Where ledgers are kept. Each has a name, one for each agent, and is replaced as a whole."""

    async def load(self, name: str, secret: SecretStr) -> str | None:
        """Give the ledger of this name, or None.

        Args:
            name: Of the agent's session, such as `agent-0011@acme-api.aswat.co:8082`.
            secret: What it was saved with.

        Raises:
            LedgerError: It cannot be read.
        """
        ...

    async def save(self, name: str, ledger: str, secret: SecretStr) -> None:
        """Keep the ledger, in place of an earlier one.

        Args:
            name: Of the agent's session.
            ledger: The text, with the session id in clear: whoever lets it leave the memory encrypts it.
            secret: What only the agent's programs know (the position's password): to make a key of.

        Raises:
            LedgerError: It cannot be written.
        """
        ...


class MemoryStore:
    """Keeps ledgers in memory: phones of one process can take over from each other."""

    def __init__(self) -> None:
        """Make an empty store."""
        self._ledgers: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<MemoryStore {len(self._ledgers)} ledgers>"

    async def load(self, name: str, secret: SecretStr) -> str | None:
        """Give the ledger of this name, or None."""
        del secret
        return self._ledgers.get(name)

    async def save(self, name: str, ledger: str, secret: SecretStr) -> None:
        """Keep the ledger, in place of an earlier one."""
        del secret
        self._ledgers[name] = ledger


class LedgerKeeper:
    """Writes the ledger of one phone."""

    def __init__(
        self, store: LedgerStore, session: SessionMachine, clock: Callable[[], float], *, limit: float = 5.0
    ) -> None:
        """Make a keeper that has written nothing.

        Args:
            store: Where to.
            session: Whose ledger.
            clock: Tells seconds since the epoch.
            limit: Seconds that the store has for one answer.
        """
        self._limit = limit
        self._store = store
        self._session = session
        self._clock = clock
        self._changed = asyncio.Event()
        self._name = ""
        self._secret = SecretStr("")
        self._failing = False
        self._saved: str | None = None
        self._left = False
        self._writing: asyncio.Future[None] | None = None

    def use(self, account: Account) -> None:
        """Write under this agent's name from now on, sealed with this password (it may have been changed)."""
        parts = urlsplit(account.url)
        self._name = f"{account.login}@{parts.netloc}"
        self._secret = SecretStr(account.password_hash)

    async def load(self) -> Ledger | None:
        """Give what the last process of this agent left, or None. A ledger that cannot be read is left out."""
        try:
            text = await self._read()
            return None if text is None else Ledger.from_json(text)
        except Exception as error:  # noqa: BLE001 - a store of the user's own may raise anything; no phone ends for it
            _log.warning("the calls of an earlier process cannot be taken over: %s", _words(error))
            return None

    def leave(self) -> None:
        """Write nothing any more: the ledger belongs to the next process, as it is."""
        self._left = True

    async def is_ours(self) -> bool:
        """Whether the store has what we wrote last: else another process of this agent writes there."""
        try:
            return await self._read() == self._saved
        except Exception as error:  # noqa: BLE001 - as in `load`
            _log.warning("the ledger cannot be read: %s", _words(error))
            return False

    def touch(self) -> None:
        """Something changed that the ledger must tell. Never waits."""
        self._changed.set()

    async def run(self) -> None:
        """Write whenever something changed, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self.write()

    async def write(self) -> None:
        """Write the ledger as it is now. A store that fails is told of once; the phone goes on without it."""
        if self._writing is not None and not self._writing.done():
            # The writer was cancelled in the middle: what it began is not to overtake what comes now.
            await asyncio.wait([self._writing])
        if self._left:
            return
        self._writing = asyncio.ensure_future(self._save(self._session.ledger(self._clock()).to_json()))
        await asyncio.shield(self._writing)

    async def _read(self) -> str | None:
        async with self._in_time():
            return await self._store.load(self._name, self._secret)

    @asynccontextmanager
    async def _in_time(self) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(self._limit):
                yield
        except TimeoutError:
            raise LedgerError(f"the store did not answer within {self._limit:g} s") from None

    async def _save(self, text: str) -> None:
        try:
            async with self._in_time():
                await self._store.save(self._name, text, self._secret)
        except Exception as error:  # noqa: BLE001 - as in `load`
            if not self._failing:
                _log.error(
                    "the ledger cannot be written; a restarted program will not know its calls: %s", _words(error)
                )
            self._failing = True
        else:
            self._failing = False
            self._saved = text


def _words(error: Exception) -> str:
    # The text of an error that is not ours may hold the ledger, and so the session id.
    return str(error) if isinstance(error, LedgerError) else type(error).__name__
