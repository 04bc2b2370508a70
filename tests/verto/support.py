"""What the tests of `verto/` share: short ways to speak to a session, and the replay of captured frames."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ziwo_async.events import DialogEvent, Event, FlowViolation, UnknownFrame
from ziwo_async.verto.effects import Effect, Publish, Refused, Send
from ziwo_async.verto.frames import Frame, decode
from ziwo_async.verto.recording import read_recording
from ziwo_async.verto.replay import ReplayedPhone, Replayer
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

BEGIN = 1_795_368_000.0
"""When a replay begins, in seconds since the epoch."""


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


class Replay(Replayer):
    """Replays a transcript, and can end what it leaves open."""

    def __init__(self, name: str) -> None:
        self.lines = transcript(name)
        lines = (json.dumps(line).encode() + b"\n" for line in self.lines)
        super().__init__(read_recording(lines, began=BEGIN).entries)

    def whole(self) -> Replay:
        """Replay every line."""
        assert self.run()
        return self

    def drain(self) -> None:
        """End every phone: the sockets are lost, and the server has none of the calls any more."""
        at = BEGIN + max(line["rel"] for line in self.lines) + 1
        for phone in self.phones:
            self.take(phone, phone.session.disconnected("drain", at), at)
            self.take(phone, reconnect(phone.session, at=at), at)

    # -- what came out ------------------------------------------------------------

    def dialogs(self) -> list[tuple[ReplayedPhone, list[DialogEvent]]]:
        """Each call's events, calls in the order they began; a re-used call id is a new call."""
        calls: list[tuple[ReplayedPhone, list[DialogEvent]]] = []
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

    def refusals(self) -> list[tuple[ReplayedPhone, Refused]]:
        """Requests that the server refused."""
        return [(phone, effect) for phone, effect in self.effects if isinstance(effect, Refused)]

    def published(self, kind: type[Event]) -> list[tuple[ReplayedPhone, Event]]:
        """Events of one kind."""
        return [
            (phone, effect.event)
            for phone, effect in self.effects
            if isinstance(effect, Publish) and isinstance(effect.event, kind)
        ]

    def violations(self) -> list[tuple[ReplayedPhone, Event]]:
        """Flow violations."""
        return self.published(FlowViolation)

    def unknown(self) -> list[tuple[ReplayedPhone, Event]]:
        """Frames nobody had a word for."""
        return self.published(UnknownFrame)
