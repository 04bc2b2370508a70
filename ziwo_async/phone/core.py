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
from ..errors import (
    ClientClosed,
    ConnectionLost,
    FlowBroken,
    MediaError,
    RequestTimeout,
    WrongState,
    ZiwoError,
)
from ..events import STATE_EVENTS, Destroy, DialogEvent, DialogState, Event, FlowViolation, Ringing, UnknownFrame
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
from .call import Call
from .connection import Connection
from .dispatch import Dispatcher
from .keeper import LedgerKeeper
from .media import MediaEngine
from .mediatable import MediaTable
from .owner import TaskOwner

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
        self._new_id = new_id
        self.media = MediaTable(media)
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
        self._replies: dict[int, asyncio.Future[JsonObject]] = {}

    def begin(self, connection: Connection, account: Account) -> None:
        """A new connection stands: frames of an older one mean nothing any more."""
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

    def renew_session(self) -> None:
        """Take a new session id: the server cannot take the old one up any more."""
        self.session.sessid = self._new_id()
        if self.keeper is not None:
            self.keeper.touch()

    def end_calls(self) -> tuple[str, ...]:
        """The phone is over: so are its calls, but for answered ones that are kept; gives the ids of those."""
        if not self.over:
            if not self.began:
                # Calls of a ledger, of which nothing was told yet: they are left to the next process, as it is.
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
        """Another client took the session: the next process of this agent must not take it back."""
        if self.keeper is not None:
            self.perform(self.session.abandon(self.clock()))
            self.session.unsaid.clear()
            self.session.sessid = self._new_id()
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
                self.owner.spawn(f"re-attach call {call_id}", self._reattach, call_id, sdp)
            case RemoteSdp(call_id, _, sdp):
                self.owner.spawn(f"media of call {call_id}", self._accept, call_id, sdp)
            case PickupAsked(call_id):
                self.owner.spawn(f"pick up call {call_id}", self._pick_up, call_id)
            case DialAsked(number, call_id):
                self.owner.spawn(f"dial as call {call_id}", self._dial_asked, number, call_id)
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
            self.owner.spawn(f"turn call {call_id} away", self._turn_away, event.call_id)
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
        if type(event) is Destroy:
            del self.calls[call_id]
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

    # -- commands with media ---------------------------------------------------

    async def dial_new(
        self, number: str, *, user_variables: dict[str, str | bool] | None = None, primary: str | None = None
    ) -> Call:
        """Call a number with a new call id."""
        return await self.dial(number, self._new_id(), user_variables=user_variables, primary=primary)

    async def dial(
        self, number: str, call_id: str, *, user_variables: dict[str, str | bool] | None, primary: str | None
    ) -> Call:
        """Call a number; returns once the server took the call (`trying`)."""
        self.check_open(new_call=True)
        if call_id in self.session.calls or self.media.has(call_id):
            # Before the media are touched: they belong to the call that has the id.
            state = str(self.session.calls[call_id].state) if call_id in self.session.calls else "requesting"
            raise WrongState("a live call has this id already", call_id=call_id, state=state)
        offer = await self.media.offer(call_id)
        try:
            self.check_open(new_call=True)
            effects = self.session.dial(
                call_id, number, offer, self.clock(), user_variables=user_variables, primary_call_id=primary
            )
        except BaseException:
            await self.media.close(call_id)
            raise
        handle = self._handle_after(effects, call_id)
        try:
            await self.request([effect for effect in effects if isinstance(effect, Send)])
        except (RequestTimeout, asyncio.CancelledError):
            # The server may have taken the call all the same: a call nobody holds must not go on ringing.
            self._hang_up_behind(call_id)
            raise
        return handle

    def _handle_after(self, effects: list[Effect], call_id: str) -> Call:
        self.perform([effect for effect in effects if not isinstance(effect, Send)])
        return self.calls[call_id]

    def _hang_up_behind(self, call_id: str) -> None:
        if call_id in self.session.calls and self.owner.running:
            self.owner.spawn(f"hang up call {call_id}", self._hang_up_quietly, call_id)

    def take_no_new_calls(self) -> None:
        """Calls cannot be answered any more: those that ring, now or later, are turned away at once."""
        self.draining = True
        if self.owner.running:
            for call in self.calls.values():
                if call.state is DialogState.RINGING:
                    self.owner.spawn(f"turn call {call.id} away", self._turn_away, call.id)

    async def _turn_away(self, call_id: str) -> None:
        await self._hang_up_quietly(call_id, "USER_BUSY")

    async def _hang_up_quietly(self, call_id: str, cause: str | None = None) -> None:
        call = self.calls.get(call_id)
        if call is not None:
            try:
                await call.hangup(cause)
            except ZiwoError as error:
                _log.debug("call %s could not be hung up: %s", call_id, error)

    async def answer(self, call_id: str) -> None:
        """Answer a ringing call; returns once the server accepted (`active`)."""
        self.check_open(new_call=True)
        machine = self.session.calls.get(call_id)
        state = None if machine is None else machine.state
        offer = self.media.offer_of(call_id)
        if offer is None:
            raise WrongState(f"it is in state '{state}' and cannot be answered", call_id=call_id, state=str(state))
        answer = await self.media.answer(call_id, offer)
        self.check_open(new_call=True)
        await self.request(self.session.answer(call_id, answer, self.clock()))

    async def hang_up(self, call_id: str, cause: str, cause_code: int | None) -> None:
        """End a call; returns once it is destroyed. Goes on to the end even when the caller is cancelled."""
        if self.connection is None or self.session.phase is Phase.OFFLINE:
            self.perform(self.session.hang_up_unsent(call_id, cause, cause_code, self.clock()))
            return
        effects = self.session.hang_up(call_id, cause, cause_code, self.clock())
        # Told now, not when the task gets its turn: the connection may end before that, and `destroy` comes first.
        self.perform([effect for effect in effects if not isinstance(effect, Send)])
        send = next(effect for effect in effects if isinstance(effect, Send))
        task = self.owner.spawn(f"hang up call {call_id}", self._finish_bye, call_id, send)
        await task.wait()

    async def _finish_bye(self, call_id: str, send: Send) -> None:
        try:
            await self.request(send, limit=self.timeouts.close)
        except ZiwoError as error:
            _log.debug("the bye of call %s was not confirmed: %s", call_id, error)
        # Already destroyed when the server confirmed, refused or the socket ended: then this changes nothing.
        self.perform(self.session.bye_timed_out(call_id, self.clock()))

    async def _accept(self, call_id: str, sdp: str) -> None:
        try:
            await self.media.accept(call_id, sdp)
        except MediaError as error:
            await self._media_failed(call_id, error)

    async def _reattach(self, call_id: str, sdp: str) -> None:
        try:
            answer = await self.media.answer(call_id, sdp)
            await self.request(self.session.attach(call_id, answer))
        except MediaError as error:
            await self._media_failed(call_id, error)
        except ZiwoError as error:
            _log.warning("call %s could not be re-attached: %s", call_id, error)

    async def _media_failed(self, call_id: str, error: MediaError) -> None:
        _log.error("the media of call %s failed: %s", call_id, error)
        call = self.calls.get(call_id)
        if call is not None and not call.is_over:
            await self._hang_up_quietly(call_id)

    async def _pick_up(self, call_id: str) -> None:
        try:
            await self.answer(call_id)
        except WrongState as error:
            # The server repeats itself (measured), or somebody else was quicker.
            _log.debug("the server asked to pick up call %s, which needs no more: %s", call_id, error)
        except ZiwoError as error:
            _log.warning("the server asked to pick up call %s, which failed: %s", call_id, error)

    async def _dial_asked(self, number: str, call_id: str) -> None:
        try:
            async with asyncio.timeout(_DIAL_WITHIN):
                await self.dial(number, call_id, user_variables=None, primary=None)
        except TimeoutError:
            _log.warning("the server asked to dial as call %s, which took longer than %s s", call_id, _DIAL_WITHIN)
        except ZiwoError as error:
            _log.warning("the server asked to dial as call %s, which failed: %s", call_id, error)

    @property
    def open_requests(self) -> int:
        """How many requests wait for their reply."""
        return len(self._replies)


# An exact look-up: isinstance on pydantic classes costs ten times that, and this is the read path.
_STATES = frozenset(STATE_EVENTS.values())
_TELL_STATE = ("verto.attach", "verto.modify")
# The server gives up after 19.5 s (measured), and takes a late invite for a new call: better none than that.
_DIAL_WITHIN = 15.0
