"""PhoneCore: does what the session machine says. Effects in, sockets, futures, media and events out.

The read path is `receive`: it decodes, moves the state and queues, and never awaits anything. All else here is what the
handles (`Call`, `Phone`) call.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import cast

from ..config import Timeouts
from ..dispatch.dispatcher import Dispatcher
from ..dispatch.owner import TaskOwner
from ..errors import (
    ClientClosed,
    ConnectionLost,
    FlowBroken,
    RequestTimeout,
    ZiwoError,
)
from ..events import STATE_EVENTS, CallEvent, Destroy, DialogEvent, Event, FlowViolation, Ringing, UnknownFrame
from ..verto.effects import (
    DialAsked,
    Effect,
    PickupAsked,
    Publish,
    Ready,
    Refused,
    RemoteSdp,
    Send,
    Settled,
    TakenOver,
)
from ..verto.frames import BatchFrame, ErrorFrame, JsonObject, ResultFrame, decode
from ..verto.session import Phase, SessionMachine
from . import wire
from .account import Account
from .announced import Announced
from .call import Call
from .commands import Commands
from .connection import Connection
from .keeper import LedgerKeeper
from .media import MediaEngine
from .mediatable import MediaTable

__all__ = ["PhoneCore"]

_log = logging.getLogger("ziwo_async.phone")


class PhoneCore:
    """The working parts of a phone.

    Attributes:
        session: The pure protocol.
        dispatcher: Where events go.
        calls: The handles of the live calls.
        connection: The present connection, or None.
        ready: The last `Ready` of the present connection; set by the server's `verto.clientReady`.
        taken_over: Whether another client took the session.
        commands: What is done with calls.
        announced: Calls that were announced by other ways than the phone's.
        began: Whether the phone was ever ready.
        closing: Whether the program closes the phone: then the end of the connection is no loss.
        draining: Whether the phone takes no new calls any more.
        keeping: Whether calls are left alive on the server when the phone closes.
        over: Whether the end was told: nothing is told after it.
        keeper: Writes the ledger, if there is a store.
        failure: Why the phone closed for good, or None.
    """

    def __init__(
        self,
        *,
        session: SessionMachine,
        dispatcher: Dispatcher,
        owner: TaskOwner,
        media: MediaEngine,
        timeouts: Timeouts,
        strict_flows: bool,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str],
    ) -> None:
        self.session = session
        self.dispatcher = dispatcher
        self.owner = owner
        self.timeouts = timeouts
        self.clock = clock
        self.new_id = new_id
        self.media = MediaTable(media, self._tell_of_media)
        self.calls: dict[str, Call] = {}
        self.connection: Connection | None = None
        self.ready: asyncio.Future[Ready] | None = None
        self.taken_over = False
        self.began = False
        self.closing = False
        self.draining = False
        self.keeping = False
        self.over = False
        self.keeper: LedgerKeeper | None = None
        self.failure: ZiwoError | None = None
        self.lost_at = 0.0
        self.failed: Callable[[ZiwoError], None] = self._note_failure
        self.log = _log
        self._strict = strict_flows
        self.commands = Commands(self)
        self.announced = Announced(self)
        self._replies: dict[int, asyncio.Future[JsonObject]] = {}

    def begin(self, connection: Connection, account: Account) -> None:
        """A new connection stands: frames of an older one mean nothing any more."""
        self.media.note_server(account.url)
        self.connection = connection
        self.ready = asyncio.get_running_loop().create_future()
        if self.session.login not in ("", account.login):
            # A session id is one agent's: under another name it would take that agent's session and calls.
            self.perform(self.session.abandon(self.clock()))
            self.session.unsaid.clear()
            self.renew_session()
        self.session.login = account.login
        self.session.agents = account.agents
        self.session.connected()

    def end(self, connection: Connection) -> None:
        """The connection has ended: open requests fail, calls are over or wait."""
        if self.connection is connection:
            self.connection = None
            self.perform(self.session.disconnected(connection.reason, self.clock(), close_code=connection.close_code))

    def tell(self, event: Event) -> None:
        """Publish an event about the phone as a whole."""
        self.dispatcher.publish(event, None, None)

    def _tell_of_media(self, event: CallEvent) -> None:
        if event.call_id in self.calls:
            self.publish(event, event.call_id)

    def renew_session(self) -> None:
        """Take a new session id: the server cannot take the old one up any more."""
        self.session.sessid = self.new_id()
        if self.keeper is not None:
            self.keeper.touch()

    def end_calls(self) -> tuple[str, ...]:
        """The phone is over: so are its calls, but for answered ones that are kept; gives the ids of those."""
        if not self.over:
            if not self.began:
                # Calls of a ledger, of which nothing was told yet: they are left to the next process, as it is.
                if self.keeper is not None:
                    self.keeper.leave()
                self.keeper = None
                told = self.session.calls.items()
                self.session.calls = {call_id: machine for call_id, machine in told if call_id in self.calls}
            self.perform(self.session.abandon(self.clock(), keep_answered=self.keeping))
            self.over = True
        return tuple(self.calls)

    def let_go(self) -> None:
        """Calls that live on at the server are ours no more."""
        self.session.calls.clear()
        self.calls.clear()

    async def forget_session(self) -> None:
        """Another client took the session: the next process of this agent must not take it back.

        Unless the other is a program with the same ledger: then the ledger is its own, and has the calls it took over.
        """
        if self.keeper is not None and not await self.keeper.is_ours():
            self.keeper.leave()
        elif self.keeper is not None:
            self.perform(self.session.abandon(self.clock()))
            self.session.unsaid.clear()
            self.session.sessid = self.new_id()
            await self.keeper.write()

    def _note_failure(self, error: ZiwoError) -> None:
        self.failure = error

    # -- the read path ---------------------------------------------------------

    def receive(self, raw: str | bytes) -> None:
        """Take one message of the server. Moves the state, resolves waiters, queues handlers; never awaits."""
        frame = decode(raw)
        if self.over and not isinstance(frame, ResultFrame | ErrorFrame):
            return
        if type(frame) is BatchFrame:
            for item in frame.frames:
                self.perform(self.session.receive(item, self.clock()))
        else:
            effects = self.session.receive(frame, self.clock())
            if effects:
                self.perform(effects)

    def perform(self, effects: Sequence[Effect]) -> None:
        """Do what the session machine says, in order."""
        for effect in effects:
            if type(effect) is Publish:
                self.publish(effect.event, effect.call_id)
            else:
                self._perform(effect)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Settled(request_id, result):
                waiting = self._replies.pop(request_id, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(result)
            case Refused(request_id, error):
                waiting = self._replies.pop(request_id, None)
                if waiting is not None and not waiting.done():
                    waiting.set_exception(error)
            case Ready():
                if self.ready is not None and not self.ready.done():
                    self.ready.set_result(effect)
            case TakenOver():
                self.taken_over = True
                if self.connection is not None:
                    # The server closes it too (measured); a phone that waited for that could wait for ever.
                    self.connection.cut("another client took the session")
            case RemoteSdp(call_id, "offer", sdp):
                self.media.note_offer(call_id, sdp)
            case _:
                self._perform_later(effect)

    def _perform_later(self, effect: Effect) -> None:
        """What needs an await gets a task; the read path has none."""
        match effect:
            case Send():
                self.owner.spawn(f"send {effect.method}", self._send_unasked, effect)
            case RemoteSdp(call_id, "attach", sdp):
                self.owner.spawn(f"re-attach call {call_id}", self.commands.reattach, call_id, sdp)
            case RemoteSdp(call_id, _, sdp):
                self.owner.spawn(f"media of call {call_id}", self.commands.accept, call_id, sdp)
            case PickupAsked(call_id):
                self.owner.spawn(f"pick up call {call_id}", self.commands.pick_up, call_id)
            case DialAsked(number, call_id):
                self.owner.spawn(f"dial as call {call_id}", self.commands.dial_asked, number, call_id)
            case _:
                pass

    def publish(self, event: Event, call_id: str | None) -> None:
        """Bring an event to whoever listens; keeps the call's handle in step."""
        if self.over and call_id is not None:
            return
        if type(event) is UnknownFrame:
            event = wire.redacted(event)
        call = None if call_id is None else self.calls.get(call_id)
        if call_id is not None and type(event) in _STATES:
            call = self._keep_in_step(call, call_id, cast("DialogEvent", event))
        if call_id is not None and self.keeper is not None:
            self.keeper.touch()
        self.dispatcher.publish(event, call_id, call)
        if self.draining and type(event) is Ringing and self.owner.running:
            self.owner.spawn(f"turn call {call_id} away", self.commands.turn_away, event.call_id)
        if self._strict and type(event) is FlowViolation:
            self.failed(FlowBroken(f"{event.input} in state '{event.state}': {event.reason}", call_id=event.call_id))

    def _keep_in_step(self, call: Call | None, call_id: str, event: DialogEvent) -> Call | None:
        if call is None:
            # Begun and ended in one step: a call of an older process, or one whose bye overtook its invite.
            machine = self.session.calls.get(call_id) or self.session.last_ended.get(call_id)
            if machine is None:
                return None
            call = self.calls[call_id] = Call(self, machine)
        call.note(event)
        self.media.note_state(call_id, event.state)
        if type(event) is Destroy:
            del self.calls[call_id]
            self.session.last_ended.pop(call_id, None)
            self.media.forget_offer(call_id)
            if self.media.has(call_id) and self.owner.running:
                self.owner.spawn(f"close media of call {call_id}", self.media.close, call_id)
        return call

    # -- requests --------------------------------------------------------------

    def check_open(self, *, new_call: bool = False) -> None:
        """Refuse commands of a phone that is closed or away, and new calls of one that is being drained.

        Raises:
            ClientClosed: It is closed, was never started, or takes no new calls any more.
            ConnectionLost: It is reconnecting.
        """
        if self.failure is not None:
            raise ClientClosed(f"the phone is closed: {self.failure}")
        if not self.owner.running:
            raise ClientClosed("the phone is not started, or closed")
        if new_call and (self.draining or self.closing):
            raise ClientClosed("the phone is being closed and takes no new calls")
        if self.connection is None or self.session.phase not in (Phase.READY, Phase.LOGGED_IN):
            raise ConnectionLost("the phone is not connected now; it reconnects by itself", reason="not connected")

    async def request(
        self, effects: Sequence[Effect] | Send, *, limit: float | None = None, ask_again: bool = True
    ) -> JsonObject:
        """Send a request and wait for its reply. The state moves before the frame is written.

        Args:
            effects: What a command of the session gave: one `Send`, and the events that go with it.
            limit: Seconds to wait for the reply, counted from when the frame was written.
            ask_again: Ask for the call's state when the reply to `verto.attach` or `verto.modify` does not come.

        Raises:
            ConnectionLost: The connection ended first.
            RequestTimeout: No reply within the limit.
            ZiwoError: The server refused, as the typed error.
        """
        connection = self.connection
        send = effects if isinstance(effects, Send) else next(e for e in effects if isinstance(e, Send))
        future: asyncio.Future[JsonObject] = asyncio.get_running_loop().create_future()
        self._replies[send.request_id] = future
        if not isinstance(effects, Send):
            self.perform([effect for effect in effects if effect is not send])
        limit = self.timeouts.verto_request if limit is None else limit
        try:
            if connection is None:
                self.session.unsent(send.request_id)
                raise ConnectionLost("the phone is not connected now", reason="not connected")
            await connection.write(send.text)
            async with asyncio.timeout(limit):
                return await future
        except TimeoutError as error:
            if isinstance(error, ZiwoError):
                raise
            if connection is not None and send.method != "verto.ping":
                connection.doubt()
            if ask_again and send.method in _TELL_STATE and send.call_id is not None and self.owner.running:
                self.owner.spawn(f"ask for call {send.call_id}", self._ask, send.call_id)
            about = f" of call {send.call_id}" if send.call_id else ""
            raise RequestTimeout(f"the server did not answer {send.method}{about} within {limit:g} s") from None
        finally:
            if self._replies.pop(send.request_id, None) is not None:
                self.session.forget(send.request_id)
            if future.done() and not future.cancelled():
                future.exception()  # seen, even when we were cancelled in the same moment
            future.cancel()

    async def ping(self, limit: float) -> None:
        """Ask for a sign of life: any reply will do.

        Raises:
            TransportError: None came within `limit` seconds.
        """
        try:
            async with asyncio.timeout(limit):
                await self.request(self.session.ping(), limit=limit)
        except TimeoutError as error:
            raise RequestTimeout(f"no sign of life within {limit:g} s") from (
                error if isinstance(error, ZiwoError) else None
            )
        except ZiwoError as error:
            if isinstance(error, ConnectionLost):
                raise
            # A refusal is a sign of life too (old servers do not know verto.ping).

    async def _ask(self, call_id: str) -> None:
        """A reply did not come; the reply to this tells the same. Asked once: then the sign of life decides."""
        if call_id in self.session.calls:
            try:
                await self.request(self.session.ask(call_id), ask_again=False)
            except ZiwoError as error:
                _log.debug("the state of call %s is not known: %s", call_id, error)

    async def _send_unasked(self, send: Send) -> None:
        try:
            await self.request(send)
        except ZiwoError as error:
            _log.debug("%s was not accepted: %s", send.method, error)

    @property
    def open_requests(self) -> int:
        """How many requests wait for their reply."""
        return len(self._replies)


# An exact look-up: isinstance on pydantic classes costs ten times that, and this is the read path.
_STATES = frozenset(STATE_EVENTS.values())
_TELL_STATE = ("verto.attach", "verto.modify")
