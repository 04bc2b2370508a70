"""SessionMachine: one phone's side of the protocol. Pure: frames and commands in, effects out.

It lives as long as the phone does, over many sockets: `connected()` begins a new one, `disconnected()` ends it. It owns
the request ids, the table of open requests, the calls, and what is known of the session; it knows no socket, no clock
and no future. Commands that make no sense in a call's state raise `WrongState` and change nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from pydantic import SecretStr

from ..errors import CallGone, ConnectionLost, WrongState
from ..events import DialogState, Direction, Event, Muted, Unmuted
from . import params as m
from .call import CallMachine, Input
from .effects import Effect, Publish, Refused, Send
from .frames import Frame, JsonObject, encode_request
from .inbound import ASK, receive
from .ledger import Ledger
from .messages import Bye
from .parts import OpenRequest, Phase, Recent

__all__ = ["Phase", "SessionMachine"]


class SessionMachine:
    """One phone's side of the protocol.

    Attributes:
        login: Position name, `agent-<ccLogin>`.
        phase: How far it is.
        calls: The live calls by id.
        agents: ccLogins of the contact centre's agents.
        sessid: Our session id: a capability, never logged. The same over reconnects, so that calls are re-attached.
        auth_expires: When the server will drop the socket (seconds since the epoch), if it told.
        open_requests: The requests that wait for a reply, by id.
        forgotten: Ids of requests nobody waits for any more.
        ended: Ids of calls that are over; one that the server offers again is ended there, too.
        unsaid: Calls that are over for us while the server could not be told, with the cause; told once it is ready.
        asks_again: Whether answered calls that were not re-attached are left for `ask` and `lose`, instead of being
            over at once.
        offered_again: Calls re-attached on this socket; `strangers` are those of them we had no record of.
        last_ended: The calls that ended last, for whoever has yet to tell of them.
        early_byes: Byes of calls we do not have, on this socket: their invites may have been overtaken.
        services: Ids by which calls of kind `service` were announced to us (eavesdrop), the latest ones.
    """

    def __init__(
        self, *, login: str, sessid: str, agents: Collection[str] = (), first_id: int = 1, asks_again: bool = False
    ) -> None:
        """Make a session that is not connected.

        Args:
            login: Position name, `agent-<ccLogin>`.
            sessid: Our session id.
            agents: ccLogins of the contact centre's agents, for the direction `internal`.
            first_id: Id of the first request.
            asks_again: Leave answered calls that were not re-attached for `ask` and `lose`.
        """
        self.login = login
        self.sessid = sessid
        self.phase = Phase.OFFLINE
        self.calls: dict[str, CallMachine] = {}
        self.auth_expires: int | None = None
        self.agents = agents
        self._next_id = first_id
        self.open_requests: dict[int, OpenRequest] = {}
        self.forgotten = Recent()
        self.ended = Recent()
        self.unsaid: dict[str, str] = {}
        self.asks_again = asks_again
        self.offered_again: set[str] = set()
        self.strangers: set[str] = set()
        self.early_byes: dict[str, Bye] = {}
        self.last_ended: dict[str, CallMachine] = {}
        self.services = Recent()

    # -- sockets ------------------------------------------------------------

    def connected(self) -> None:
        """A new socket is open. Nothing was said on it yet."""
        self.phase = Phase.CONNECTED
        self.offered_again.clear()
        self.strangers.clear()
        self.early_byes.clear()

    def disconnected(self, reason: str, at: float, *, close_code: int | None = None) -> list[Effect]:
        """The socket ended: every open request fails now, unanswered calls are over, answered ones wait.

        Args:
            reason: Why, for people.
            at: Now, in seconds since the epoch.
            close_code: The websocket close code, if there was one.
        """
        self.phase = Phase.OFFLINE
        effects: list[Effect] = []
        # A bye may not have arrived: said again after the next login, which does no harm when it had.
        self.unsaid.update(self._byes(self.open_requests.values()))
        opened, self.open_requests = self.open_requests, {}
        for request_id, request in opened.items():
            self.forgotten.note(request_id)
            about = f" of call {request.call_id}" if request.call_id else ""
            text = f"the connection was lost ({reason}) before {request.method}{about} was answered"
            effects.append(Refused(request_id, ConnectionLost(text, reason=reason, close_code=close_code)))
        for call in list(self.calls.values()):
            if not call.doubtful:
                self.publish(effects, call, call.connection_lost(at))
        return effects

    # -- commands ------------------------------------------------------------

    def log_in(self, password_hash: str, user_variables: Mapping[str, str | bool] | None = None) -> Send:
        """Log in. Never twice on a socket that refused, but for -32003 with our own session id (measured).

        Args:
            password_hash: Lower-case hex MD5 of ccLogin + ccPassword.
            user_variables: Channel variables for every call of the session.
        """
        self.phase = Phase.LOGGING_IN
        params = m.login_params(
            login=self.login, password_hash=password_hash, sessid=self.sessid, user_variables=user_variables
        )
        return self.send("login", params)

    def ping(self) -> Send:
        """Ask for a sign of life: any reply is one. WebSocket pings are not answered by FreeSWITCH (measured)."""
        return self.send("verto.ping", {"sessid": self.sessid})

    def dial(
        self,
        call_id: str,
        number: str,
        sdp: str,
        at: float,
        *,
        user_variables: Mapping[str, str | bool] | None = None,
        primary_call_id: str | None = None,
    ) -> list[Effect]:
        """Call a number.

        Raises:
            WrongState: A live call has this id.
        """
        if call_id in self.calls:
            state = str(self.calls[call_id].state)
            raise WrongState("a live call has this id already", call_id=call_id, state=state)
        params = m.invite_params(
            call_id=call_id, number=number, sdp=sdp, sessid=self.sessid, user_variables=user_variables
        )
        send = self.send("verto.invite", params, call_id)
        call = self.begin(call_id)
        return self._after(send, call, call.dial(number, at, primary_call_id=primary_call_id))

    def answer(self, call_id: str, sdp: str, at: float) -> list[Effect]:
        """Answer a ringing inbound call (also again, after the first answer was refused for its media).

        Raises:
            WrongState: The call does not ring.
            CallGone: There is no such call.
        """
        call = self._need(call_id, "answered", DialogState.RINGING, DialogState.ANSWERING)
        if self._opened(call_id, "verto.answer"):
            raise WrongState("it is being answered already", call_id=call_id, state=str(call.state))
        send = self.send("verto.answer", m.answer_params(call_id=call_id, sdp=sdp, sessid=self.sessid), call_id)
        return self._after(send, call, call.feed(Input.ANSWER, at))

    def attach(self, call_id: str, sdp: str) -> list[Effect]:
        """Answer `verto.attach` with our media.

        Raises:
            CallGone: There is no such call.
        """
        self._need(call_id, "re-attached", *_LIVE)
        params = m.attach_params(call_id=call_id, sdp=sdp, sessid=self.sessid)
        return [self.send("verto.attach", params, call_id)]

    def hang_up(self, call_id: str, cause: str, cause_code: int | None, at: float) -> list[Effect]:
        """End a call, in any live state.

        Raises:
            WrongState: The call is being hung up or over.
            CallGone: There is no such call.
        """
        call = self._need(call_id, "hung up", *_LIVE)
        params = m.bye_params(call_id=call_id, cause=cause, cause_code=cause_code, sessid=self.sessid)
        send = self.send("verto.bye", params, call_id, cause)
        return self._after(send, call, call.hang_up(cause, cause_code, at))

    def hang_up_unsent(self, call_id: str, cause: str, cause_code: int | None, at: float) -> list[Effect]:
        """End a call while there is no connection: over for us now, said to the server after the next login.

        Raises:
            WrongState: The call is being hung up or over.
            CallGone: There is no such call.
        """
        call = self._need(call_id, "hung up", *_LIVE)
        effects: list[Effect] = []
        self.unsaid[call_id] = cause
        self.publish(effects, call, [*call.hang_up(cause, cause_code, at), *call.feed(Input.BYE_TIMEOUT, at)])
        return effects

    def bye(self, call_id: str, cause: str) -> Send:
        """Tell the server to end a call that is over for us."""
        params = m.bye_params(call_id=call_id, cause=cause, cause_code=None, sessid=self.sessid)
        return self.send("verto.bye", params, call_id, cause)

    def ask(self, call_id: str) -> Send:
        """Ask whether the server knows a call: it answers an action it does not know with the call's state (measured).

        A call that is gone is told to be over by the reply, `CALL DOES NOT EXIST`.
        """
        return self.send("verto.modify", m.modify_params(call_id=call_id, action=ASK, sessid=self.sessid), call_id, ASK)

    def lose(self, call_id: str, at: float, *, exists: bool) -> list[Effect]:
        """Give up a call that was asked for in vain.

        Args:
            call_id: The call.
            at: Now, in seconds since the epoch.
            exists: Whether the server still has it: then it is told to end it, since nobody is there any more.
        """
        effects: list[Effect] = []
        call = self.calls.get(call_id)
        if call is not None and call.detached:
            self.publish(effects, call, call.gone(at))
            if exists:
                effects.append(self.bye(call_id, "NORMAL_CLEARING"))
        return effects

    def abandon(self, at: float, *, keep_answered: bool = False) -> list[Effect]:
        """The session ends for good: every call that is left is over for us.

        Args:
            at: Now, in seconds since the epoch.
            keep_answered: But for answered calls, which another process is to take over.
        """
        effects: list[Effect] = []
        for call in list(self.calls.values()):
            if not (keep_answered and call.is_answered):
                self.publish(effects, call, call.gone(at))
        return effects

    # -- the ledger ------------------------------------------------------------

    def ledger(self, at: float) -> Ledger:
        """What another process must know to take the calls over.

        Args:
            at: Now, in seconds since the epoch.
        """
        entries = [call.entry for call in self.calls.values()]
        calls = tuple(entry for entry in entries if entry is not None)
        unsaid = {**self._byes(self.open_requests.values()), **self.unsaid}
        return Ledger(login=self.login, sessid=SecretStr(self.sessid), saved_at=at, calls=calls, unsaid=unsaid)

    def restore(self, ledger: Ledger, at: float) -> list[Effect]:
        """Take over what another process left. Its calls wait to be re-attached.

        Those that are not answered, as far as the ledger knows, may have been just before the process was killed: they
        are over at `verto.clientReady`, unless the server offers them.

        Args:
            ledger: What it left.
            at: Now, in seconds since the epoch.
        """
        self.sessid = ledger.sessid.get_secret_value()
        effects: list[Effect] = []
        for call_id, cause in ledger.unsaid.items():
            self.unsaid[call_id] = cause
            self.ended.note(call_id)
        for entry in ledger.calls:
            call = self.calls[entry.data.call_id] = CallMachine.restored(entry)
            if entry.state in (*_UNANSWERED, DialogState.RECOVERING):
                call.detached = call.doubtful = True
            else:
                self.publish(effects, call, call.connection_lost(at))
        return effects

    def _byes(self, requests: Iterable[OpenRequest]) -> dict[str, str]:
        # A stale one was for an earlier call: it must not end a live call that has the same id.
        return {
            request.call_id: request.action
            for request in requests
            if request.method == "verto.bye"
            and request.call_id is not None
            and not (request.stale and request.call_id in self.calls)
        }

    def bye_timed_out(self, call_id: str, at: float) -> list[Effect]:
        """Nothing confirmed our bye within its time limit: the call is over for us, and perhaps for nobody else."""
        call = self.calls.get(call_id)
        effects: list[Effect] = []
        if call is not None:
            self.publish(effects, call, call.feed(Input.BYE_TIMEOUT, at))
        return effects

    def modify(self, call_id: str, action: str, **extra: str) -> list[Effect]:
        """`hold`, `unhold`, `transfer` (`destination=`), `replace` (`replaceCallID=`) an answered call.

        Raises:
            WrongState: The call is not answered.
            CallGone: There is no such call.
        """
        self._need(call_id, f"changed ({action})", *_ANSWERED)
        params = m.modify_params(call_id=call_id, action=action, sessid=self.sessid, **extra)
        return [self.send("verto.modify", params, call_id, action)]

    def dtmf(self, call_id: str, digits: str) -> list[Effect]:
        """Send DTMF digits, all in one message: the server falls silent to clients that chatter (measured).

        Raises:
            WrongState: The call is being hung up or over.
            CallGone: There is no such call.
        """
        self._need(call_id, "sent DTMF", *_LIVE)
        params = m.dtmf_params(call_id=call_id, digits=digits, sessid=self.sessid)
        return [self.send("verto.info", params, call_id)]

    def send_to_call(self, call_id: str, variables: Mapping[str, str | bool]) -> list[Effect]:
        """Set `verto_dvar_*` variables of a call (ZIWO's `verto.sendToCall`).

        Raises:
            WrongState: The call is being hung up or over.
            CallGone: There is no such call.
        """
        self._need(call_id, "given variables", *_LIVE)
        params = m.send_to_call_params(call_id=call_id, variables=variables, sessid=self.sessid)
        return [self.send("verto.sendToCall", params, call_id)]

    def request(self, method: str, params: JsonObject) -> Send:
        """Send any other request; the session id is added."""
        return self.send(method, {**params, "sessid": self.sessid})

    def mute(self, call_id: str, *, muted: bool) -> list[Effect]:
        """Note that our microphone is off or on. Local: nothing is sent.

        Raises:
            WrongState: The call is being hung up or over.
            CallGone: There is no such call.
        """
        call = self._need(call_id, "muted", *_LIVE)
        if not call.set_muted(muted):
            return []
        event: Event = Muted(call_id=call_id) if muted else Unmuted(call_id=call_id)
        return [Publish(event, call_id)]

    def set_direction(self, call_id: str, direction: Direction) -> None:
        """Say what kind of call it is when something outside the protocol knows better.

        Raises:
            CallGone: There is no such call.
        """
        self._need(call_id, "classified", *_LIVE).set_direction(direction)

    def unsent(self, request_id: int) -> None:
        """A request was never written, since there was no connection any more: no reply will come."""
        request = self.open_requests.pop(request_id, None)
        if request is not None:
            self.unsaid.update(self._byes([request]))

    def forget(self, request_id: int) -> None:
        """Nobody waits for this reply any more (time limit or cancellation).

        A late reply is not reported as unknown, and still moves the call it is about.
        """
        if request_id in self.open_requests:
            self.forgotten.note(request_id)
            if len(self.open_requests) > _MOST_OPEN:
                # A server that never answers must not fill our memory.
                del self.open_requests[next(old for old in self.open_requests if old in self.forgotten)]

    def _need(self, call_id: str, wish: str, *states: DialogState) -> CallMachine:
        call = self.calls.get(call_id)
        if call is None:
            if call_id in self.ended:
                raise WrongState(f"it is over, it cannot be {wish}", call_id=call_id, state="destroy")
            raise CallGone(f"there is no such call, it cannot be {wish}", call_id=call_id)
        if call.state not in states:
            raise WrongState(
                f"it is in state '{call.state}' and cannot be {wish}", call_id=call_id, state=str(call.state)
            )
        return call

    def _opened(self, call_id: str | None, method: str) -> list[int]:
        return [
            request_id
            for request_id, request in self.open_requests.items()
            if request.call_id == call_id and request.method == method and not request.stale
        ]

    def gave_up(self, method: str, call_id: str | None) -> bool:
        """Whether a request of this method for this call is open, though nobody waits for its reply any more."""
        return any(request_id in self.forgotten for request_id in self._opened(call_id, method))

    def send(self, method: str, params: JsonObject, call_id: str | None = None, action: str = "") -> Send:
        """Give a request the next id and note it as open."""
        request_id = self._next_id
        text = encode_request(request_id, method, params)
        self._next_id += 1
        self.open_requests[request_id] = OpenRequest(method, action, call_id)
        return Send(text, request_id, method, call_id)

    def _after(self, send: Send, call: CallMachine, events: list[Event]) -> list[Effect]:
        effects: list[Effect] = [send]
        self.publish(effects, call, events)
        return effects

    def publish(self, effects: list[Effect], call: CallMachine, events: list[Event]) -> None:
        """Add the events of a call to the effects, and let go of the call when it is over."""
        call_id = call.call_id
        for event in events:
            effects.append(Publish(event, call_id))  # noqa: PERF401 - a generator costs more than these one or two
        if call.state is DialogState.DESTROY and self.calls.pop(call.call_id, None) is not None:
            self.ended.note(call.call_id)
            self.last_ended[call.call_id] = call
            if len(self.last_ended) > _LAST_ENDED:
                del self.last_ended[next(iter(self.last_ended))]
            for request_id, request in self.open_requests.items():
                if request.call_id == call.call_id:
                    self.open_requests[request_id] = request._replace(stale=True)

    def begin(self, call_id: str) -> CallMachine:
        """Make the machine of a new call."""
        # An id that is used again: the bye that was left unsaid was for the old call.
        self.unsaid.pop(call_id, None)
        call = self.calls[call_id] = CallMachine(call_id, agents=self.agents)
        return call

    def receive(self, frame: Frame, at: float) -> list[Effect]:
        """Take one frame and return what is to be done, in order. Never raises for what a server may send.

        Args:
            frame: As `decode` gave it.
            at: Now, in seconds since the epoch.
        """
        return receive(self, frame, at)


_MOST_OPEN = 256
_LAST_ENDED = 32
_UNANSWERED = (DialogState.REQUESTING, DialogState.TRYING, DialogState.EARLY, DialogState.RINGING)
_ANSWERED = (DialogState.ACTIVE, DialogState.HELD)
_LIVE = tuple(state for state in DialogState if state not in (DialogState.HANGUP, DialogState.DESTROY))
