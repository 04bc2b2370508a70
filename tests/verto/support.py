"""What the tests of `verto/` share: short ways to speak to a session, and the replay of captured frames."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ziwo_async.errors import CallError
from ziwo_async.events import DialogEvent, Event, FlowViolation, UnknownFrame
from ziwo_async.verto.effects import Effect, Publish, Refused, Send
from ziwo_async.verto.frames import ErrorFrame, Frame, ResultFrame, decode
from ziwo_async.verto.session import SessionMachine

DATA = Path(__file__).parent.parent / "data"
FLOWS = DATA / "flows"
TRANSCRIPTS = DATA / "transcripts"

FLOW_NAMES = (
    "s05_echo", "s05_echo-1.10.12", "s06_early_media_remote_bye", "s07_rejected", "s08_local_bye",
    "s09_inbound", "s09_inbound-1.10.12", "s10_inbound_rejected", "s11_inbound_cancelled", "s12_call_control",
    "s13_reattach", "s13_reattach-1.10.12", "s14_other_sessid", "s23_extra",
    "z01_basic", "z02c_duplicate_with_call", "z03_pickup", "z04_dial", "z06_sendToCall", "z08_reattach",
    "z08b_detach_default", "z08c_punt_loop", "z11_eavesdrop", "z11b_eavesdrop_variants", "z11c_userspy",
    "z12_transfer", "z20_golden_agent_session",
)  # fmt: skip
"""Captured call flows: stock FreeSWITCH 1.11.2 and 1.10.12 (`s`), and ZIWO's own fork (`z`)."""

QUIRK_NAMES = (
    "s01_login_ok", "s01_login_ok-1.10.12", "s02_bad_login", "s02_bad_login-1.10.12", "s03_before_login",
    "s03_before_login-1.10.12", "s04_duplicate", "s04_duplicate-1.10.12", "s04b_preauth_punt-1.10.12", "s15_errors",
    "s15_errors-1.10.12", "s16_ping_pubsub", "s17_bad_media", "s18_trickle", "s19_ws_quirks", "s19_ws_quirks-1.10.12",
    "s21_login_expires", "s22_server_restart", "z02_duplicate", "z07_keepalive",
)  # fmt: skip
"""Captured errors, limits and quirks of the server."""

_CAUSES = {16: "NORMAL_CLEARING", 17: "USER_BUSY", 21: "CALL_REJECTED"}
BEGIN = 1_795_368_000.0
"""When a replay begins, in seconds since the epoch."""
_END_OF_SOCKET = ("ws closed", "abrupt TCP abort")


# -- short ways --------------------------------------------------------------------------------------------------------


def request(method: str, params: dict[str, Any] | None = None, frame_id: Any = 900) -> Frame:
    """A request of the server, through the real decoder."""
    return decode(json.dumps({"jsonrpc": "2.0", "id": frame_id, "method": method, "params": params or {}}))


def result(frame_id: Any, **members: Any) -> Frame:
    """A reply of the server."""
    return decode(json.dumps({"jsonrpc": "2.0", "id": frame_id, "result": members}))


def error(frame_id: Any, **members: Any) -> Frame:
    """A refusal of the server."""
    return decode(json.dumps({"jsonrpc": "2.0", "id": frame_id, "error": members}))


def invite(call_id: str, number: str = "+97150000000", **more: Any) -> Frame:
    """An inbound call."""
    params = {"callID": call_id, "sdp": "v=0", "caller_id_number": number, "callee_id_number": "agent-0011", **more}
    return request("verto.invite", params)


def ready_session(**options: Any) -> SessionMachine:
    """A session that is logged in and ready."""
    session = SessionMachine(login="agent-0011", sessid="the-session", **options)
    reconnect(session, at=0.0)
    return session


def reconnect(session: SessionMachine, *attached: str, at: float = 0.0, listed: Iterable[str] = ()) -> list[Effect]:
    """Bring a session to ready on a new socket; the server attaches and lists these calls."""
    session.connected()
    login = session.log_in("0123456789abcdef")
    effects = session.receive(result(login.request_id, message="logged in"), at)
    for call_id in attached:
        effects += session.receive(request("verto.attach", {"callID": call_id, "sdp": "v=0"}), at)
    listing = {"reattached_sessions": [*attached, *listed]}
    return effects + session.receive(request("verto.clientReady", listing), at)


def events_of(effects: Iterable[Effect]) -> list[Event]:
    """What was published, in order."""
    return [effect.event for effect in effects if isinstance(effect, Publish)]


def states_of(effects: Iterable[Effect]) -> list[str]:
    """The states that were published, inferred ones with a star."""
    found = (event for event in events_of(effects) if isinstance(event, DialogEvent))
    return [f"{event.state}{'*' if event.inferred else ''}" for event in found]


def only_send(effects: Iterable[Effect]) -> Send:
    """The one frame that is to be written."""
    (send,) = (effect for effect in effects if isinstance(effect, Send))
    return send


def flow_words(event: DialogEvent) -> str:
    """A call's flow in one line: `requesting trying early* active hangup destroy`, `*` for inferred."""
    return " ".join(f"{step.state}{'*' if step.inferred else ''}" for step in event.state_flow)


# -- replay of captured frames -----------------------------------------------------------------------------------------


def transcript(name: str) -> list[dict[str, Any]]:
    """The captured frames of the Verto sockets, in order. Most are shared with the simulator's tests."""
    shared = shared_path(name)
    path = shared if shared.exists() else FLOWS / f"{name}.jsonl"
    lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if not line.get("conn", "esl").startswith("esl")]


def shared_path(name: str) -> Path:
    """Where the simulator's data holds this transcript, if it does."""
    scenario, _, version = name.partition("-")
    server = f"freeswitch-{version or '1.11.2'}" if name.startswith("s") else "ziwo-1.10.11"
    return TRANSCRIPTS / server / f"{scenario}.jsonl"


def expected(name: str) -> dict[str, Any]:
    """What the transcript must become by the design's table, read without the package (see `test_replay`)."""
    loaded: dict[str, Any] = json.loads((FLOWS / f"{name}.flows.json").read_text(encoding="utf-8"))
    return loaded


class Phone:
    """One captured client: a session machine that lives on over the sockets of one session id."""

    def __init__(self, name: str, sessid: str | None, first_id: int) -> None:
        self.name = name
        self.sessid = sessid
        # Recorded ids begin at 1 on each socket; ours are far away, so that only mapped replies find a request.
        self.session = SessionMachine(login="agent-0011", sessid=sessid or name, first_id=first_id)
        self.socket: str | None = None
        self.taken_over = False
        self.ids: dict[str, int] = {}


class Replay:
    """Feeds a transcript through session machines, one per captured client, frame by frame."""

    def __init__(self, name: str) -> None:
        self.lines = transcript(name)
        self.phones: list[Phone] = []
        self.effects: list[tuple[Phone, Effect]] = []
        self.refused_commands: list[list[Any]] = []
        self._by_socket: dict[str, Phone] = {}
        self._sessids = dict(reversed(list(self._logins())))

    def _logins(self) -> Iterator[tuple[str, str | None]]:
        for line in self.lines:
            frame = line.get("frame")
            if line["dir"] == "send" and isinstance(frame, dict) and frame.get("method") == "login":
                params = frame.get("params")
                if isinstance(params, dict):
                    yield line["conn"], params.get("sessid")

    def run(self) -> Replay:
        """Replay every line."""
        for line in self.lines:
            socket, at = line["conn"], BEGIN + line["rel"]
            if line["dir"] == "note":
                self._note(line["note"], socket, at)
            elif line["dir"] == "send":
                self._sent(self._by_socket[socket], line.get("frame"), at)
            else:
                text = json.dumps(line["frame"]) if "frame" in line else line["raw"]
                self._received(self._by_socket[socket], text, at)
        return self

    def drain(self) -> None:
        """End every phone: the sockets are lost, and the server has none of the calls any more."""
        at = BEGIN + max(line["rel"] for line in self.lines) + 1
        for phone in self.phones:
            self._take(phone, phone.session.disconnected("drain", at))
            self._take(phone, reconnect(phone.session, at=at))

    def _note(self, note: str, socket: str, at: float) -> None:
        phone = self._by_socket.get(socket)
        if note == "ws open":
            phone = self._phone_of(socket)
            phone.socket = socket
            phone.ids = {}
            phone.session.connected()
            self._by_socket[socket] = phone
        elif phone is not None and phone.socket == socket and (note in _END_OF_SOCKET or note.startswith("network")):
            phone.socket = None
            self._take(phone, phone.session.disconnected(note, at))

    def _phone_of(self, socket: str) -> Phone:
        sessid = self._sessids.get(socket)
        for phone in reversed(self.phones):
            if sessid and phone.sessid == sessid and phone.socket is None and not phone.taken_over:
                return phone
        self.phones.append(Phone(socket, sessid, first_id=1_000_000 * (len(self.phones) + 1)))
        return self.phones[-1]

    def _received(self, phone: Phone, text: str, at: float) -> None:
        frame = decode(text)
        if isinstance(frame, ResultFrame | ErrorFrame) and frame.id is not None:
            mapped = phone.ids.pop(json.dumps(json.loads(text)["id"]), None)
            frame = frame if mapped is None else frame._replace(id=mapped)
        self._take(phone, phone.session.receive(frame, at))

    def _sent(self, phone: Phone, frame: Any, at: float) -> None:
        if not isinstance(frame, dict) or not isinstance(frame.get("method"), str):
            return
        method = frame["method"]
        params = frame.get("params")
        params = params if isinstance(params, dict) else {}
        try:
            effects = self._command(phone, method, params, at)
        except CallError as refusal:
            self.refused_commands.append([phone.name, method, refusal.call_id, type(refusal).__name__])
            effects = [phone.session.request(method, params)]
        send = only_send(effects)
        assert send.method == method
        phone.ids[json.dumps(frame.get("id"))] = send.request_id
        self._take(phone, effects)

    def _command(self, phone: Phone, method: str, params: dict[str, Any], at: float) -> list[Effect]:
        """Give the command that the captured client gave; malformed and unknown ones as plain requests."""
        session = phone.session
        if method == "login":
            return [session.log_in(str(params.get("passwd")))]
        dialog = params.get("dialogParams")
        call_id = dialog.get("callID") if isinstance(dialog, dict) else None
        sdp = params.get("sdp")
        if isinstance(call_id, str) and call_id:
            assert isinstance(dialog, dict)
            if method == "verto.bye":
                code = params.get("causeCode")
                code = None if code is None else int(code)
                cause = params.get("cause") or _CAUSES.get(code or 16, "NORMAL_CLEARING")
                return session.hang_up(call_id, cause, code, at)
            if method == "verto.modify":
                return session.modify(call_id, str(params.get("action")))
            if isinstance(sdp, str) and sdp:
                if method == "verto.invite":
                    return session.dial(call_id, dialog.get("destination_number", ""), sdp, at)
                if method == "verto.answer":
                    return session.answer(call_id, sdp, at)
                if method == "verto.attach":
                    return session.attach(call_id, sdp)
        return [session.request(method, params)]

    def _take(self, phone: Phone, effects: list[Effect]) -> None:
        for effect in effects:
            phone.taken_over = phone.taken_over or type(effect).__name__ == "TakenOver"
            self.effects.append((phone, effect))

    # -- what came out ------------------------------------------------------------

    def dialogs(self) -> list[tuple[Phone, list[DialogEvent]]]:
        """Each call's events, calls in the order they began; a re-used call id is a new call."""
        calls: list[tuple[Phone, list[DialogEvent]]] = []
        open_calls: dict[tuple[str, str], list[DialogEvent]] = {}
        for phone, effect in self.effects:
            if isinstance(effect, Publish) and isinstance(effect.event, DialogEvent):
                key = (phone.name, effect.event.call_id)
                if key not in open_calls:
                    open_calls[key] = []
                    calls.append((phone, open_calls[key]))
                open_calls[key].append(effect.event)
                if effect.event.state == "destroy":
                    del open_calls[key]
        return calls

    def refusals(self) -> list[tuple[Phone, Refused]]:
        """Requests that the server refused."""
        return [(phone, effect) for phone, effect in self.effects if isinstance(effect, Refused)]

    def published(self, kind: type[Event]) -> list[tuple[Phone, Event]]:
        """Events of one kind."""
        return [
            (phone, effect.event)
            for phone, effect in self.effects
            if isinstance(effect, Publish) and isinstance(effect.event, kind)
        ]

    def violations(self) -> list[tuple[Phone, Event]]:
        """Flow violations."""
        return self.published(FlowViolation)

    def unknown(self) -> list[tuple[Phone, Event]]:
        """Frames nobody had a word for."""
        return self.published(UnknownFrame)
