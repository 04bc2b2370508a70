"""Supervisor: connect -> log in -> ready -> lost -> ..., as its own unit. The reconnect policy lives here alone.

The first connection is made once and fails loudly; once the phone was ready, transport errors are retried for ever.
What can never help is final at once: wrong credentials, and `verto.punt` (another client took the session).
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio

from ..config import Liveness, ReconnectPolicy, Timeouts
from ..errors import (
    AuthError,
    ConnectionLost,
    DuplicateSession,
    RequestTimeout,
    SessionTakenOver,
    TransportError,
    ZiwoError,
)
from ..events import SessionLost, SessionReady, SessionRestored
from ..verto.effects import Ready
from .account import Account, AccountProvider
from .backoff import Backoff
from .connection import Connection, Connector
from .core import PhoneCore

__all__ = ["Supervisor"]

_log = logging.getLogger("ziwo_async.phone")

# Our own old socket is being removed when the server says "duplicate" to our own session id (measured: 48 to 53 ms).
_OWN_DUPLICATE = (0.06, 0.3, 1.0, 3.0)
_DUPLICATE_WAIT = 20.0
_REFUSALS = 3


@dataclass(frozen=True, slots=True)
class _Lost:
    reason: str
    ready_seconds: float


class Supervisor:
    """Keeps the phone connected."""

    def __init__(
        self,
        core: PhoneCore,
        account: AccountProvider,
        *,
        connector: Connector,
        tls: ssl.SSLContext | None,
        timeouts: Timeouts,
        reconnect: ReconnectPolicy,
        liveness: Liveness,
        on_ready: Callable[[], Awaitable[None]] | None,
        rng: random.Random,
    ) -> None:
        self._core = core
        self._account = account
        self._connector = connector
        self._tls = tls
        self._timeouts = timeouts
        self._policy = reconnect
        self._liveness = liveness
        self._on_ready = on_ready
        self._rng = rng
        self._began = False
        # Whether the present connection was told to be there: then its end is told, too.
        self._announced = False
        self._refusals = 0
        self.started: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Connect, and connect again, until cancelled or until nothing can help any more."""
        backoff = Backoff(self._policy, self._rng)
        while True:
            lost: _Lost | None = None
            failure: ZiwoError | None = None
            wait = 0.0
            try:
                lost = await self._one_connection()
            except ZiwoError as error:
                failure = error
            if self._core.taken_over:
                failure = SessionTakenOver(
                    f"another client logged in with the session of {self._core.session.login}; this phone stays "
                    "closed, since both would throw each other out for ever"
                )
            if failure is not None:
                if not self._may_retry(failure):
                    self._give_up(failure)
                    return
                wait = _DUPLICATE_WAIT if isinstance(failure, DuplicateSession) else 0.0
                level = logging.DEBUG if backoff.failures else logging.WARNING
                _log.log(level, "the phone cannot log in: %s", failure)
            if self._policy.max_attempts is not None and backoff.failures >= self._policy.max_attempts:
                self._give_up(ConnectionLost(f"gave up after {backoff.failures} attempts", reason="gave up"))
                return
            delay = wait + backoff.next(lost.ready_seconds if lost is not None else None)
            if lost is not None:
                _log.warning("the phone lost its connection (%s); next try in %.1f s", lost.reason, delay)
            await asyncio.sleep(delay)

    def _may_retry(self, error: ZiwoError) -> bool:
        if isinstance(error, SessionTakenOver) or not self._began:
            return False
        if isinstance(error, DuplicateSession | TransportError):
            return True
        if isinstance(error, AuthError):
            self._refusals += 1
            return self._refusals < _REFUSALS
        return error.retryable

    def _give_up(self, error: ZiwoError) -> None:
        if not self.started.done():
            self.started.set_exception(error)
            # Seen: whoever starts the phone may have been cancelled.
            self.started.exception()
        self._core.failed(error)

    async def _one_connection(self) -> _Lost:
        """One connection, from opening to its end. Returns when it was ready and got lost; raises when never ready."""
        core = self._core
        account = await self._account(self._refusals > 0)
        socket = await self._connector(account.url, self._timeouts, self._tls)
        connection = Connection(socket, self._liveness, self._timeouts)
        core.begin(connection, account)
        reader = watcher = None
        ready_at: float | None = None
        loop = asyncio.get_running_loop()
        try:
            # Refused when the phone was closed in this very turn: then the socket must be closed, too.
            reader = core.owner.spawn("reader", self._read, connection)
            await self._log_in(account)
            ready = await self._until_ready(connection)
            if self._on_ready is not None:
                await self._on_ready()
            self._check_there(connection)
            ready_at = loop.time()
            self._refusals = 0
            self._announce(ready, account, loop)
            watcher = core.owner.spawn("liveness", connection.watch, core.ping)
            await connection.lost.wait()
        finally:
            if watcher is not None:
                watcher.cancel()
            with anyio.CancelScope(shield=True):
                # Bounded by Timeouts.close, so that a cancelled phone still leaves no socket behind.
                await connection.close()
                if reader is not None:
                    await reader.wait()
            core.end(connection)
        return _Lost(connection.reason, core.lost_at - ready_at)

    async def _read(self, connection: Connection) -> None:
        """Read until the socket ends; then everything that waits for it is told at once, in the same turn."""
        core = self._core
        await connection.read(core.receive)
        if core.connection is not connection:
            return
        if self._announced:
            self._announced = False
            core.lost_at = asyncio.get_running_loop().time()
            if not core.taken_over and not core.closing:
                core.tell(SessionLost(reason=connection.reason, close_code=connection.close_code))
        core.end(connection)

    async def _log_in(self, account: Account) -> None:
        tries = iter(_OWN_DUPLICATE if self._began else ())
        while True:
            try:
                await self._core.request(self._core.session.log_in(account.password_hash))
                return
            except DuplicateSession:
                delay = next(tries, None)
                if delay is None:
                    raise
                await asyncio.sleep(delay)
            except ConnectionLost as error:
                raise ConnectionLost(
                    f"the phone server closed the connection during the login of {account.login}: {error.reason}",
                    reason=error.reason,
                    close_code=error.close_code,
                ) from None

    async def _until_ready(self, connection: Connection) -> Ready:
        ready = self._core.ready
        assert ready is not None  # set by core.begin just before
        lost = asyncio.ensure_future(connection.lost.wait())
        either: list[asyncio.Future[Any]] = [ready, lost]
        try:
            await asyncio.wait(either, timeout=self._timeouts.login, return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
        self._check_there(connection)
        if ready.done():
            return ready.result()
        raise RequestTimeout(
            f"the server accepted the login, but sent no verto.clientReady in {self._timeouts.login:g} s"
        )

    def _check_there(self, connection: Connection) -> None:
        if connection.lost.is_set():
            raise ConnectionLost(
                f"the connection was lost before the phone was ready: {connection.reason}",
                reason=connection.reason,
                close_code=connection.close_code,
            )

    def _announce(self, ready: Ready, account: Account, loop: asyncio.AbstractEventLoop) -> None:
        core = self._core
        self._announced = True
        if not self._began:
            self._began = core.began = True
            core.tell(SessionReady(login=account.login))
            if not self.started.done():
                self.started.set_result(None)
            return
        gap = loop.time() - core.lost_at
        core.tell(SessionRestored(kept=(*ready.kept, *ready.unknown), lost=ready.lost, gap_seconds=round(gap, 3)))
