"""Replay: a recording through session machines, one for each session, line by line. Pure.

Frames of the server go in as they came. Frames of ours become the commands that made them, because it is a command that
moves a call's state, when its frame is written. What was never written is not in a recording: muting, and a direction
set from outside. A hang-up while there was no connection is seen when the call is offered again, and is replayed there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple, cast

from ..errors import BadFrame, CallError
from ..events import DialogState, Event, SessionClosed, SessionLost, SessionReady, SessionRestored
from .effects import Effect, Publish, Ready, Send, TakenOver
from .frames import MAX_INBOUND, ErrorFrame, Frame, JsonObject, ResultFrame, UnreadableFrame, decode
from .recording import Entry
from .session import SessionMachine

__all__ = ["RefusedCommand", "ReplayedPhone", "Replayer", "Told"]

_CAUSE_CODE = re.compile(r"[0-9]{1,4}")
_CAUSES = {16: "NORMAL_CLEARING", 17: "USER_BUSY", 21: "CALL_REJECTED"}
# Recorded ids begin at 1 for each phone; ours are far away, so that only mapped replies find a request.
_IDS_APART = 1_000_000


class RefusedCommand(NamedTuple):
    """A recorded command that makes no sense in the call's state: our phone would have refused it."""

    phone: str
    method: str
    call_id: str | None
    error: str


class Told(NamedTuple):
    """One event of a replay, with when it was told and by which phone."""

    at: float
    phone: str
    event: Event


class ReplayedPhone:
    """One recorded client: a session machine that lives on over the connections of one session id.

    Attributes:
        name: Its first connection.
        session: Its protocol.
        socket: Its present connection, or None.
        taken_over: Whether another client took the session.
    """

    def __init__(self, name: str, sessid: str | None, first_id: int, agents: Collection[str]) -> None:
        """Make a phone that is not connected."""
        self.name = name
        self.sessid = sessid
        self.session = SessionMachine(login="", sessid=sessid or name, agents=agents, first_id=first_id)
        self.socket: str | None = None
        self.taken_over = False
        self.ids: dict[str, int] = {}
        self.unasked: list[Send] = []
        self.byes: dict[str, float] = {}
        self.bye_limit: float | None = None
        self.began = False
        self.ready = False
        self.lost_at = 0.0


class Replayer:
    """Feeds a recording through session machines.

    Attributes:
        phones: The recorded clients.
        effects: All that the machines wanted done, in order.
        told: All events, in order.
        refused_commands: Commands our machine does not allow; they were replayed as plain requests.
    """

    def __init__(self, entries: Sequence[Entry], *, agents: Collection[str] = (), ours: bool = False) -> None:
        """Make a replay that has not begun.

        Args:
            entries: The lines of the recording.
            agents: ccLogins of the contact centre's agents, for the direction `internal`.
            ours: Whether a `Recorder` wrote it: then a re-attached call that was answered with a bye was over before.
        """
        self.entries = entries
        self.phones: list[ReplayedPhone] = []
        self.effects: list[tuple[ReplayedPhone, Effect]] = []
        self.told: list[Told] = []
        self.refused_commands: list[RefusedCommand] = []
        self._agents = agents
        self._by_socket: dict[str, ReplayedPhone] = {}
        self._sessids = dict(reversed(list(self._logins())))
        self._hung_up = self._hung_up_offline() if ours else {}

    def _logins(self) -> Iterator[tuple[str, str | None]]:
        for entry in self.entries:
            if entry.kind == "send" and entry.frame is not None and entry.frame.get("method") == "login":
                params = _object(entry.frame.get("params"))
                if params is not None:
                    sessid = params.get("sessid")
                    yield entry.conn, sessid if isinstance(sessid, str) else None

    def _hung_up_offline(self) -> dict[int, str]:
        """The attach frames whose call was over for us: they were answered with a bye and nothing else."""
        waiting: dict[tuple[str, str], int] = {}
        found: dict[int, str] = {}
        for entry in self.entries:
            params = _object(entry.frame.get("params")) if entry.frame is not None else None
            if entry.frame is None or params is None:
                continue
            method = entry.frame.get("method")
            if entry.kind == "recv" and method == "verto.attach":
                waiting[entry.conn, str(params.get("callID"))] = entry.number
            elif entry.kind == "send":
                number = waiting.pop((entry.conn, _call_id(params) or ""), None)
                if number is not None and method == "verto.bye":
                    found[number] = str(params.get("cause") or _CAUSES[16])
        return found

    def run(self, until: Callable[[Event], bool] | None = None) -> bool:
        """Replay every line, or up to the one that brings a wanted event.

        Args:
            until: Tells whether an event is the wanted one.

        Returns:
            Whether it came; True without `until`.
        """
        seen = 0
        for entry in self.entries:
            self._step(entry)
            if until is not None and any(until(told.event) for told in self.told[seen:]):
                return True
            seen = len(self.told)
        return until is None

    def _step(self, entry: Entry) -> None:
        for phone in self.phones:
            self._end_late_byes(phone, entry)
        if entry.kind == "end":
            self._finish(entry)
            return
        if entry.kind == "open":
            self._open(entry)
            return
        whose = self._by_socket.get(entry.conn)
        if whose is None or entry.kind == "note":
            return
        if entry.kind == "close":
            if whose.socket == entry.conn:
                self._close(whose, entry)
        elif entry.kind == "send":
            self._sent(whose, entry)
        else:
            self._received(whose, entry)

    # -- connections ------------------------------------------------------------

    def _open(self, entry: Entry) -> None:
        phone = self._phone_of(entry.conn)
        phone.socket = entry.conn
        phone.bye_limit = entry.bye_limit
        phone.ids = {}
        phone.unasked = []
        phone.session.connected()
        self._by_socket[entry.conn] = phone

    def _phone_of(self, socket: str) -> ReplayedPhone:
        sessid = self._sessids.get(socket)
        for phone in reversed(self.phones):
            if sessid and phone.sessid == sessid and phone.socket is None and not phone.taken_over:
                return phone
        self.phones.append(ReplayedPhone(socket, sessid, _IDS_APART * (len(self.phones) + 1), self._agents))
        return self.phones[-1]

    def _close(self, phone: ReplayedPhone, entry: Entry) -> None:
        phone.socket = None
        if phone.ready:
            phone.ready = False
            phone.lost_at = entry.rel
            if not entry.by_us:
                lost = SessionLost(reason=entry.reason, close_code=entry.close_code)
                self.told.append(Told(entry.at, phone.name, lost))
        reason, code = entry.reason or entry.text, entry.close_code
        self.take(phone, phone.session.disconnected(reason, entry.at, close_code=code), entry.at)

    def _finish(self, entry: Entry) -> None:
        """A recorder that was closed after its phones: what was left of the calls was over for us."""
        if not entry.idle:
            return
        for phone in self.phones:
            self.take(phone, phone.session.abandon(entry.at), entry.at)
            if phone.began:
                self.told.append(Told(entry.at, phone.name, SessionClosed(reason="the end of the recording")))

    # -- frames ------------------------------------------------------------

    def _received(self, phone: ReplayedPhone, entry: Entry) -> None:
        if entry.number in self._hung_up and entry.frame is not None:
            call_id = str((_object(entry.frame.get("params")) or {}).get("callID"))
            call = phone.session.calls.get(call_id)
            if call is not None and call.detached and call.state is not DialogState.HANGUP:
                cause = self._hung_up[entry.number]
                self.take(phone, phone.session.hang_up_unsent(call_id, cause, None, entry.at), entry.at)
        frame: Frame = decode(entry.text)
        if entry.size > MAX_INBOUND:
            # Only its beginning was kept; what the decoder said of it was this.
            why = f"too large: {entry.size} bytes, the limit is {MAX_INBOUND}"
            frame = UnreadableFrame(why, entry.text, entry.size)
        if isinstance(frame, ResultFrame | ErrorFrame) and frame.id is not None and entry.frame is not None:
            mapped = phone.ids.pop(json.dumps(entry.frame.get("id")), None)
            frame = frame if mapped is None else frame._replace(id=mapped)
        effects = phone.session.receive(frame, entry.at)
        phone.unasked += [effect for effect in effects if isinstance(effect, Send)]
        self.take(phone, effects, entry.at)
        for effect in effects:
            if isinstance(effect, Ready):
                self._ready(phone, effect, entry)

    def _ready(self, phone: ReplayedPhone, ready: Ready, entry: Entry) -> None:
        phone.ready = True
        event: Event = SessionReady(login=phone.session.login)
        if phone.began:
            gap = round(max(entry.rel - phone.lost_at, 0.0), 3)
            event = SessionRestored(kept=(*ready.kept, *ready.unknown), lost=ready.lost, gap_seconds=gap)
        phone.began = True
        self.told.append(Told(entry.at, phone.name, event))

    def _sent(self, phone: ReplayedPhone, entry: Entry) -> None:
        frame = entry.frame
        method = frame.get("method") if frame is not None else None
        if frame is None or not isinstance(method, str):
            return
        try:
            effects = self._effects_of(phone, method, _object(frame.get("params")) or {}, entry)
        except BadFrame as refusal:
            # Nothing that our phone could have written.
            self.refused_commands.append(RefusedCommand(phone.name, method, None, type(refusal).__name__))
            return
        for effect in effects:
            if isinstance(effect, Send):
                phone.ids[json.dumps(frame.get("id"))] = effect.request_id
        self.take(phone, [effect for effect in effects if effect not in phone.unasked], entry.at)
        phone.unasked = [send for send in phone.unasked if send not in effects]

    def _effects_of(self, phone: ReplayedPhone, method: str, params: JsonObject, entry: Entry) -> list[Effect]:
        try:
            return self._command(phone, method, params, entry)
        except CallError as refusal:
            for send in phone.unasked:
                if (send.method, send.call_id) == (method, refusal.call_id):
                    # Nobody asked for it: the machine wanted it written when it read a frame.
                    return [send]
            refused = RefusedCommand(phone.name, method, refusal.call_id, type(refusal).__name__)
            self.refused_commands.append(refused)
            return [phone.session.request(method, params)]

    def _command(self, phone: ReplayedPhone, method: str, params: JsonObject, entry: Entry) -> list[Effect]:
        """Give the command that the recorded client gave; malformed and unknown ones as plain requests."""
        session, at = phone.session, entry.at
        if method == "login":
            session.login = str(params.get("login", ""))
            return [session.log_in(str(params.get("passwd")))]
        dialog = _object(params.get("dialogParams")) or {}
        call_id, sdp = _call_id(params), params.get("sdp")
        if call_id is None:
            return [session.request(method, params)]
        if method == "verto.bye":
            effects = session.hang_up(call_id, *_cause_of(params), at)
            if phone.bye_limit is not None:
                phone.byes[call_id] = entry.rel + phone.bye_limit
            return effects
        if method == "verto.modify":
            return session.modify(call_id, str(params.get("action")))
        if isinstance(sdp, str) and sdp:
            if method == "verto.invite":
                return session.dial(call_id, str(dialog.get("destination_number", "")), sdp, at)
            if method == "verto.answer":
                return session.answer(call_id, sdp, at)
            if method == "verto.attach":
                return session.attach(call_id, sdp)
        return [session.request(method, params)]

    def _end_late_byes(self, phone: ReplayedPhone, entry: Entry) -> None:
        """Our phone waits so long for the confirmation of a bye, and no longer."""
        for call_id, due in list(phone.byes.items()):
            if call_id not in phone.session.calls:
                del phone.byes[call_id]
            elif due <= entry.rel:
                del phone.byes[call_id]
                at = entry.at - (entry.rel - due)
                self.take(phone, phone.session.bye_timed_out(call_id, at), at)

    def take(self, phone: ReplayedPhone, effects: list[Effect], at: float) -> None:
        """Note what a machine wants done.

        Args:
            phone: Whose machine.
            effects: What it wants done.
            at: When, in seconds since the epoch.
        """
        for effect in effects:
            phone.taken_over = phone.taken_over or isinstance(effect, TakenOver)
            self.effects.append((phone, effect))
            if isinstance(effect, Publish):
                self.told.append(Told(at, phone.name, effect.event))


def _object(value: object) -> JsonObject | None:
    return cast("JsonObject", value) if isinstance(value, dict) else None


def _call_id(params: JsonObject) -> str | None:
    dialog = _object(params.get("dialogParams"))
    call_id = dialog.get("callID") if dialog is not None else None
    return call_id if isinstance(call_id, str) and call_id else None


def _cause_of(params: JsonObject) -> tuple[str, int | None]:
    code = params.get("causeCode")
    if isinstance(code, str) and _CAUSE_CODE.fullmatch(code):
        code = int(code)
    number = code if isinstance(code, int) else None
    return str(params.get("cause") or _CAUSES.get(number or 16, _CAUSES[16])), number
