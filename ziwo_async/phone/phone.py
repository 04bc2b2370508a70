"""Phone: one agent's Verto phone. Started with `async with`, ends with it."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Literal, Self

from ..config import Buffers, Liveness, ReconnectPolicy, Timeouts
from ..dispatch.dispatcher import Dispatcher
from ..dispatch.owner import TaskOwner, finish
from ..errors import BadArgument, ClientClosed, FlowBroken, ZiwoError
from ..events import Destroy, SessionClosed
from ..router import Router
from ..spend import SpendGuard
from ..verto.frames import JsonObject
from ..verto.session import Phase, SessionMachine
from .account import AccountProvider
from .call import Call, check_number
from .connection import Connector, open_socket
from .core import PhoneCore
from .keeper import LedgerKeeper, LedgerStore
from .limiter import PROCESS_LIMITER, LoginLimiter
from .media import MediaEngine, NullMedia
from .supervisor import Supervisor

__all__ = ["CallsOnStop", "Phone"]

CallsOnStop = Literal["hangup", "finish", "keep"]
"""What becomes of the calls when a phone is drained."""

_log = logging.getLogger("ziwo_async.phone")


def _new_id() -> str:
    return str(uuid.uuid4())


class Phone:
    """One agent's phone: makes and takes calls, reconnects by itself, publishes what happens as events.

    One agent has one phone session: a program that logs in as a human agent takes that agent's phone.
    """

    def __init__(
        self,
        account: AccountProvider,
        *,
        router: Router | None = None,
        media: MediaEngine | None = None,
        timeouts: Timeouts | None = None,
        reconnect: ReconnectPolicy | None = None,
        liveness: Liveness | None = None,
        buffers: Buffers | None = None,
        connector: Connector = open_socket,
        tls: ssl.SSLContext | None = None,
        on_ready: Callable[[], Awaitable[None]] | None = None,
        strict_flows: bool = False,
        session_id: str | None = None,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
        new_id: Callable[[], str] = _new_id,
        ledger: LedgerStore | None = None,
        limiter: LoginLimiter = PROCESS_LIMITER,
        guard: SpendGuard | None = None,
    ) -> None:
        """Make a phone; no I/O happens yet. `ZiwoClient` does this for you.

        Args:
            account: Gives the login, before each connection.
            router: The handlers.
            media: Makes the media of calls; by default `NullMedia`, which carries no audio.
            timeouts: Time limits.
            reconnect: How to reconnect.
            liveness: When to look for signs of life.
            buffers: How many events may wait for handlers.
            connector: Opens the websocket.
            tls: TLS settings, such as a private certificate authority.
            on_ready: Awaited each time the server is ready for us.
            strict_flows: Close with `FlowBroken` at the first `FlowViolation`, raised at the end of `async with`; for
                tests.
            session_id: Session id to take up (a secret); by default a new one.
            clock: Tells seconds since the epoch.
            rng: Jitter of the reconnect delays; by default seeded by the system.
            ledger: Where to keep what another process needs to take the calls over; by default in memory only.
            limiter: How many phones may log in within a second; by default shared by all phones of the process.
            guard: What the program may spend: asked by `dial`, transfers and consultation calls.
            new_id: Makes the session id and the ids of calls; by default random UUIDs, which nobody can guess.
        """
        self.router = router or Router()
        self._timeouts = timeouts or Timeouts()
        self._owner = TaskOwner("phone", self._crashed)
        self.dispatcher = Dispatcher(self._owner, self.router, buffers=buffers)
        session = SessionMachine(login="", sessid=session_id or new_id(), asks_again=True)
        self._core = PhoneCore(
            session=session,
            dispatcher=self.dispatcher,
            owner=self._owner,
            media=media or NullMedia(),
            timeouts=self._timeouts,
            strict_flows=strict_flows,
            clock=clock,
            new_id=new_id,
        )
        self._core.failed = self._fail
        if ledger is not None:
            self._core.keeper = LedgerKeeper(ledger, session, clock, limit=self._timeouts.close)
        self._core.commands.guard = guard
        self.announced = self._core.announced
        self._limiter = limiter
        self._own_session = session_id is not None
        self._account = account
        self._connector = connector
        self._tls = tls
        self._reconnect = reconnect or ReconnectPolicy()
        self._liveness = liveness or Liveness()
        self._on_ready = on_ready
        self._rng = rng or random.SystemRandom()
        self._used = False
        self._closing = False
        self._closer: asyncio.Task[None] | None = None
        self._drainer: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()
        self._failing = asyncio.Event()
        self._forced = asyncio.Event()
        self._said_closed = False

    def __repr__(self) -> str:
        return f"<Phone {self.login or 'not started'} {self._core.session.phase.value}, {len(self._core.calls)} calls>"

    # -- life ------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
        if error is None and isinstance(self._core.failure, FlowBroken):
            # Only with strict_flows: a test must see it even when it never asks the phone again.
            raise self._core.failure

    async def start(self) -> None:
        """Connect and log in; returns when the server is ready for calls. A phone starts once.

        Raises:
            CannotConnect: No connection could be made.
            BadCredentials: The login was refused.
            DuplicateSession: The agent has a session elsewhere.
            ConnectionLost: The server ended the connection meanwhile.
            RequestTimeout: The server did not answer in time.
            ClientClosed: The phone was started or closed before.
        """
        if self._used:
            raise ClientClosed("a phone starts only once; make a new client")
        self._used = True
        supervisor = Supervisor(
            self._core,
            self._account,
            connector=self._connector,
            tls=self._tls,
            timeouts=self._timeouts,
            reconnect=self._reconnect,
            liveness=self._liveness,
            limiter=self._limiter,
            own_session=self._own_session,
            on_ready=self._on_ready,
            rng=self._rng,
        )
        try:
            await self._owner.start()
            if self._core.keeper is not None:
                self._owner.spawn("ledger", self._core.keeper.run)
            task = self._owner.spawn("supervisor", supervisor.run)
            ended = asyncio.ensure_future(task.wait())
            try:
                await asyncio.wait([supervisor.started, ended], return_when=asyncio.FIRST_COMPLETED)
            finally:
                ended.cancel()
            if not supervisor.started.done():
                raise self._core.failure or ClientClosed("the phone was closed while it was starting")
            supervisor.started.result()
        except BaseException:
            await self.aclose()
            raise

    async def drain(self, timeout: float = 30.0, *, calls: CallsOnStop = "hangup") -> None:
        """Come to an orderly end: take no new calls, let the handlers finish, then close.

        Calls that ring, now or meanwhile, are turned away as busy. Safe in every state. From a handler it returns at
        once, since a handler cannot wait for its own end; the phone drains behind it.

        First the running handlers of `on` finish; then the calls are ended, and `during` handlers see that and finish
        within their `grace`; then the connection is closed.

        Args:
            timeout: Seconds for all that; what runs on then is cancelled.
            calls: What becomes of calls that are up. `hangup` ends them. `finish` waits for their own end, and hangs up
                when the time is over. `keep` leaves answered ones alive on the server: a phone that starts with the
                same ledger (or session id) within the server's detach window takes them over; their handlers are not
                waited for.
        """
        if self._drainer is None:
            self._core.commands.take_no_new_calls()
            self._drainer = asyncio.create_task(self._drain(timeout, calls), name="ziwo_async:phone: drain")
        if not self._owner.inside:
            await finish(self._drainer)

    async def _drain(self, timeout: float, calls: CallsOnStop) -> None:
        core = self._core
        try:
            async with asyncio.timeout(timeout):
                while calls == "finish" and core.calls and self._owner.running:
                    await self.dispatcher.wait_for(Destroy, None, None, "the end of a call")
                kept = [call.id for call in core.calls.values() if calls == "keep" and self._can_be_kept(call)]
                if calls != "keep":
                    await self.dispatcher.idle()
                await self._hang_up_all(lambda call: call.id not in kept)
                await self.dispatcher.handlers_done(but_not=kept)
        except TimeoutError:
            _log.warning("handlers or calls still go on %g s after the phone was asked to drain", timeout)
        except ZiwoError as error:
            _log.debug("the phone closed while it drained: %s", error)
        core.keeping = calls == "keep"
        await self.aclose()

    async def abort(self) -> None:
        """Close at once: no goodbye to the server, handlers are cancelled. For the second Ctrl-C."""
        self._closing = self._core.closing = self._core.keeping = True
        self._forced.set()
        if self._core.connection is not None:
            self._core.connection.cut("aborted by the program")
        await self.aclose()

    async def aclose(self) -> None:
        """Hang up all calls, close the connection, end all tasks. Safe in every state, and twice; bounded in time.

        Handlers that already have an event get `Timeouts.close` seconds to finish; calls are hung up, not kept.
        Cancelled, it closes all the same, and is cancelled then. From a handler it returns at once, since a handler
        cannot wait for its own end; the phone closes behind it.
        """
        if self._closer is None:
            self._closing = self._core.closing = True
            self._closer = asyncio.create_task(self._close(), name="ziwo_async:phone: close")
        if not self._owner.inside:
            await finish(self._closer)

    async def _close(self) -> None:
        polite = asyncio.ensure_future(self._close_politely())
        forced = asyncio.ensure_future(self._forced.wait())
        try:
            await asyncio.wait([polite, forced], return_when=asyncio.FIRST_COMPLETED)
            if polite.done():
                polite.result()
        finally:
            polite.cancel()
            forced.cancel()
            await asyncio.wait([polite, forced])
            self._tell_end()
            await self._within(self._core.media.close_all(), "the media could not be closed")
            # Twice: a peer that ignores the closing handshake may use up the first of it.
            await self._owner.aclose(2 * self._timeouts.close)
            self.dispatcher.close(ClientClosed("the phone was closed"))
            if self._core.keeper is not None and self._core.began and not self._core.taken_over:
                await self._core.keeper.write()
            self._core.let_go()
            self._closed.set()

    async def _within(self, work: Awaitable[None], failure: str) -> None:
        try:
            async with asyncio.timeout(self._timeouts.close):
                await work
        except TimeoutError:
            _log.warning("%s within %g s", failure, self._timeouts.close)

    async def _close_politely(self) -> None:
        core, limit = self._core, self._timeouts.close

        if core.failure is None and core.began:
            # Also while the phone is away: the next process, which has the ledger, tells the server.
            await self._hang_up_all(lambda call: not (core.keeping and self._can_be_kept(call)))
        left = self._tell_end()
        if self._owner.running:
            try:
                async with asyncio.timeout(limit):
                    await (self.dispatcher.handlers_done(but_not=left) if left else self.dispatcher.idle())
            except TimeoutError:
                _log.warning("handlers still run %g s after the phone was asked to close; they are cancelled", limit)

    def _can_be_kept(self, call: Call) -> bool:
        machine = self._core.session.calls.get(call.id)
        return machine is not None and machine.is_answered

    async def _hang_up_all(self, which: Callable[[Call], bool]) -> None:
        limit = self._timeouts.close + 1
        try:
            async with asyncio.timeout(limit):
                await asyncio.gather(*(self._hang_up(call) for call in list(self._core.calls.values()) if which(call)))
        except TimeoutError:
            _log.warning("not every call could be hung up within %g s", limit)

    def _tell_end(self) -> tuple[str, ...]:
        """Tell that the session is over; gives the ids of the calls that are kept."""
        left = self._core.end_calls()
        self._say_closed("closed by the program", None, left)
        return left

    async def _hang_up(self, call: Call) -> None:
        try:
            await call.hangup()
        except ZiwoError as error:
            _log.debug("call %s could not be hung up: %s", call.id, error)

    def _crashed(self, name: str, error: Exception) -> None:
        self._fail(ClientClosed(f"an internal task failed ({name}): {type(error).__name__}; see the log"))

    def _fail(self, error: ZiwoError) -> None:
        if self._core.failure is None:
            self._core.failure = error
            if not self._closing:
                self._core.end_calls()
                self._say_closed(str(error), type(error).__name__)
                self.dispatcher.close(error)
        self._failing.set()

    def _say_closed(self, reason: str, error: str | None, kept: tuple[str, ...] = ()) -> None:
        # Only a phone that was ready has a session to close; a failed start raises instead.
        if not self._said_closed and self._core.began:
            self._said_closed = True
            self.dispatcher.publish(SessionClosed(reason=reason, error=error, kept=kept), None, None)

    async def wait_closed(self) -> None:
        """Wait until the phone is closed, by `aclose()` or for an error.

        Raises:
            ZiwoError: It closed for this error (`SessionTakenOver`, `BadCredentials`, ...).
        """
        closed, failing = asyncio.ensure_future(self._closed.wait()), asyncio.ensure_future(self._failing.wait())
        try:
            await asyncio.wait([closed, failing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            closed.cancel()
            failing.cancel()
        if self._core.failure is not None:
            raise self._core.failure

    # -- what it is ------------------------------------------------------------

    @property
    def login(self) -> str:
        """The position name it is logged in as, `agent-<ccLogin>`; empty before that."""
        return self._core.session.login

    @property
    def ready(self) -> bool:
        """Whether it is connected and the server is ready for calls."""
        return self._core.session.phase is Phase.READY

    @property
    def calls(self) -> tuple[Call, ...]:
        """The live calls."""
        return tuple(self._core.calls.values())

    @property
    def dropped_events(self) -> int:
        """How many events were dropped so far, for all handlers and streams together."""
        return self.dispatcher.dropped

    def call(self, call_id: str) -> Call | None:
        """The live call with this id, or None."""
        return self._core.calls.get(call_id)

    # -- what it can do --------------------------------------------------------

    async def dial(
        self, number: str, *, variables: Mapping[str, str | bool] | None = None, call_id: str | None = None
    ) -> Call:
        """Call a number. Returns once the server took the call, which says nothing about success.

        Wait for what comes with `await call.wait_for(Active)`.

        Args:
            number: The number, sent as given.
            variables: Variables for the contact centre's dialplan; arrive as `verto_dvar_<name>`.
            call_id: Id to give to the call; by default a new UUID.

        Raises:
            BadArgument: It is no number.
            SpendRefused: The program's own `SpendPolicy` forbids it.
            CallRefused: The server did not take the call.
            MediaError: The media engine failed.
            ConnectionLost: The phone is away, or the connection ended first.
            RequestTimeout: The server did not answer in time; the call is hung up behind it.
            ClientClosed: The phone is not started, or closed.
        """
        check_number(number, "dial")
        given = dict(variables) if variables else None
        if call_id is not None and (not call_id or not call_id.isprintable()):
            raise BadArgument("dial: a call id must be a printable string that is not empty")
        self._core.commands.spend("dial", number)
        if call_id is None:
            return await self._core.commands.dial_new(number, user_variables=given)
        return await self._core.commands.dial(number, call_id, user_variables=given, primary=None)

    async def request(self, method: str, params: JsonObject | None = None) -> JsonObject:
        """Send any other Verto request; the session id is added.

        Args:
            method: For instance `verto.subscribe`.
            params: Its params.

        Returns:
            The result object. It holds the session id, a secret: do not log it.

        Raises:
            VertoError: The server refused.
            ConnectionLost: The phone is away, or the connection ended first.
            RequestTimeout: No answer in time.
            BadFrame: The params cannot be written as JSON, or are too large.
        """
        self._core.check_open()
        return await self._core.request(self._core.session.request(method, params or {}))
