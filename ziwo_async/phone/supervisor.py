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

import anyio

from ..config import Liveness, ReconnectPolicy, Timeouts
from ..dispatch.backoff import Backoff
from ..errors import (
    AuthError,
    ConnectionLost,
    DuplicateSession,
    Forbidden,
    RequestTimeout,
    SessionTakenOver,
    TransportError,
    ZiwoError,
)
from ..events import LoginBlocked, SessionLost, SessionReady, SessionRestored
from ..verto.ledger import Ledger
from .account import Account, AccountProvider
from .connection import Connection, Connector
from .core import PhoneCore
from .limiter import LoginLimiter
from .signin import Reunion, SignIn, check_there

__all__ = ["Supervisor"]

_log = logging.getLogger("ziwo_async.phone")

_REFUSALS = 3
# Servers up to FreeSWITCH 1.10.6 may need a second login before they offer a call again.
_ASK_AGAIN_AFTER = 1.5
_CUT_SHORT = 2


@dataclass(frozen=True, slots=True)
class _Lost:
    """A connection has ended.

    Attributes:
        reason: Why, for people.
        ready_seconds: For how long the phone was ready; None when it never was on this connection.
    """

    reason: str
    ready_seconds: float | None


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
        limiter: LoginLimiter,
        own_session: bool,
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
        self._limiter = limiter
        self._on_ready = on_ready
        self._rng = rng
        self._sign_in = SignIn(core)
        self._backoff = Backoff(reconnect, rng)
        # Whether the session id was in use before: by this phone, or by the process whose ledger we took over.
        self._own = own_session
        self._looked = False
        self._left: Ledger | None = None
        self._began = False
        # Whether the present connection was told to be there: then its end is told, too.
        self._announced = False
        self._asked = False
        self._refusals = 0
        self._blocked = 0
        self._cut_short = 0
        self._older_sessid: str | None = None
        self.started: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Connect, and connect again, until cancelled or until nothing can help any more."""
        # A phone that closes has told its end: it does not come back behind it.
        while not self._core.closing:
            lost: _Lost | None = None
            failure: ZiwoError | None = None
            try:
                lost = await self._one_connection()
            except ZiwoError as error:
                failure = error
            if self._core.taken_over:
                failure = SessionTakenOver(
                    f"another client logged in with the session of {self._core.session.login}; this phone stays "
                    "closed, since both would throw each other out for ever"
                )
                await self._core.forget_session()
            if failure is not None and not self._may_retry(failure):
                self._give_up(failure)
                return
            if self._backoff.exhausted(lost.ready_seconds if lost is not None else None):
                self._give_up(ConnectionLost(f"gave up after {self._backoff.failures} attempts", reason="gave up"))
                return
            await asyncio.sleep(self._wait_after(lost, failure))

    def _wait_after(self, lost: _Lost | None, failure: ZiwoError | None) -> float:
        """Seconds until the next attempt; says why there must be one."""
        if isinstance(failure, DuplicateSession):
            self._blocked += 1
            wait = self._backoff.blocked(self._blocked)
            _log.warning("the phone cannot log in, next try in %.0f s: %s", wait, failure)
            self._core.tell(LoginBlocked(reason=str(failure), attempt=self._blocked, retry_seconds=round(wait, 3)))
            return wait
        if failure is not None:
            level = logging.DEBUG if self._backoff.failures else logging.WARNING
            _log.log(level, "the phone cannot log in: %s", failure)
        if lost is not None and lost.ready_seconds is None:
            return _ASK_AGAIN_AFTER
        ready_seconds = lost.ready_seconds if lost is not None else None
        wait = self._backoff.next(ready_seconds, calls_wait=self._calls_wait())
        if lost is not None and not self._core.closing:
            _log.warning("the phone lost its connection (%s); next try in %.1f s", lost.reason, wait)
        return wait

    def _calls_wait(self) -> bool:
        """Whether the server may still hold a call for us."""
        away = asyncio.get_running_loop().time() - self._core.lost_at
        return away < self._policy.detach_window and any(c.detached for c in self._core.session.calls.values())

    def _may_retry(self, error: ZiwoError) -> bool:
        if isinstance(error, SessionTakenOver | Forbidden):
            return False
        if isinstance(error, DuplicateSession):
            if self._older_sessid is not None:
                # Our own old connection is not dead for the server yet: only with its session id can we take its place.
                self._core.session.sessid, self._older_sessid = self._older_sessid, None
            return self._own
        if not self._began:
            return False
        if isinstance(error, AuthError):
            self._refusals += 1
            return self._refusals < _REFUSALS
        return isinstance(error, TransportError) or error.retryable

    def _note_cut_short(self) -> None:
        """A session that the server cannot take up must not lock us out: with nothing left to save, begin a new one."""
        self._cut_short += 1
        if self._began and self._cut_short >= _CUT_SHORT and not self._calls_wait():
            self._cut_short = 0
            # The one that was ready last: those between were never taken up.
            self._older_sessid = self._older_sessid or self._core.session.sessid
            self._core.renew_session()

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
        await self._look_for_a_ledger(account)
        await self._limiter.wait()
        socket = await self._connector(account.url, self._timeouts, self._tls)
        connection = Connection(socket, self._liveness, self._timeouts)
        core.begin(connection, account)
        reader = watcher = None
        ready_at: float | None = None
        loop = asyncio.get_running_loop()
        try:
            # Refused when the phone was closed in this very turn: then the socket must be closed, too.
            reader = core.owner.spawn("reader", self._read, connection)
            await self._take_over()
            try:
                found = await self._sign_in(connection, account, own=self._own)
            except (ConnectionLost, RequestTimeout):
                self._note_cut_short()
                raise
            if found.stranded and not self._asked:
                self._asked = True
                return _Lost("a call was not offered again; logging in once more", None)
            lost = self._lose(found)
            if self._on_ready is not None:
                await self._on_ready()
            check_there(connection)
            ready_at = loop.time()
            self._announce(found, lost, account)
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

        def receive(raw: bytes) -> None:
            # A frame of an older connection says nothing about the present one.
            if core.connection is connection:
                core.receive(raw)

        await connection.read(receive)
        if core.connection is not connection:
            return
        if self._announced:
            self._announced = False
            core.lost_at = asyncio.get_running_loop().time()
            if not core.taken_over and not core.closing:
                core.tell(SessionLost(reason=connection.reason, close_code=connection.close_code))
        core.end(connection)

    async def _look_for_a_ledger(self, account: Account) -> None:
        if self._core.keeper is None:
            return
        self._core.keeper.use(account)
        if self._looked:
            return
        left = await self._core.keeper.load()
        self._looked = True
        if left is not None and left.login == account.login:
            self._left = left
            self._own = True

    async def _take_over(self) -> None:
        """Before the first login: the calls of an earlier process are ours, and our session id is on disk."""
        core = self._core
        if self._began or core.keeper is None:
            return
        if self._left is not None and not core.session.calls:
            core.lost_at = asyncio.get_running_loop().time()
            core.perform(core.session.restore(self._left, core.clock()))
        await core.keeper.write()

    def _lose(self, found: Reunion) -> tuple[str, ...]:
        """The calls that were asked for twice, and in vain, are over."""
        core = self._core
        for call_id in found.stranded:
            core.perform(core.session.lose(call_id, core.clock(), exists=True))
        return (*found.lost, *found.stranded)

    def _announce(self, found: Reunion, lost: tuple[str, ...], account: Account) -> None:
        core = self._core
        if core.closing:
            return
        self._announced = self._own = True
        self._asked = False
        self._sign_in.told()
        self._older_sessid = None
        self._refusals = self._blocked = self._cut_short = 0
        gap = asyncio.get_running_loop().time() - core.lost_at
        first, self._began = not self._began, True
        if first:
            core.began = True
            core.tell(SessionReady(login=account.login))
            if not self.started.done():
                self.started.set_result(None)
            left, self._left = self._left, None
            if left is None or not (found.kept or lost):
                return
            gap = core.clock() - left.saved_at
        core.tell(
            SessionRestored(kept=found.kept, lost=lost, unknown=found.unknown, gap_seconds=round(max(gap, 0.0), 3))
        )
