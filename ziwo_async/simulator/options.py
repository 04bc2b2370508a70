"""What can be set on the simulated server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["ServerOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Settings and measured delays of the simulated server. All times are seconds.

    The defaults are what ZIWO's own FreeSWITCH did over loopback (measured); tests shorten them.

    Attributes:
        disable_multiple_sessions: ZIWO's setting of that name: a second login of an agent gets -32003.
        detach_timeout: How long an answered call outlives its lost socket (mod_verto `detach-timeout-sec`).
        idle_ping: Silence of the client after which the server sends `verto.ping`.
        flush_quiet: mod_verto's poll: messages of the server are written only when the client's input has been
            quiet for so long. Replies are not held back.
        login_expires: After how long a login ends (the socket is then closed without a word); None: never.
        ready_delay: From the login's reply to `verto.clientReady`.
        hold_delay: How long `verto.modify` hold and unhold take; the socket's other requests wait behind it.
        answer_settle: From a `verto.answer` to the moment the call is connected (and other ringing legs are lost);
            also from the end of one leg of a bridge to that of the other.
        bridge_delay: From the connection of two legs to `verto.display`.
        ring_timeout: How long an agent is rung when nothing else is said.
        dial_poll: How often `verto_dial` looks for the client's invite.
        dial_tries: How often it looks before it gives up.
        max_message: Longest client message in bytes; one byte more closes the socket.
        require_candidates: An SDP of a WebRTC profile without a usable ICE candidate is refused, as FreeSWITCH
            does.
        close_timeout: How long a closed websocket may take to close its TCP connection.
        recording_delay: From the end of a call until its recording is ready; 0: at once.
        recording_format: `mp3`, which is silent; or `wav`, a tone. The route and the file's name say mp3 in any case.
        live_ping_interval: From one heartbeat of the live socket to the next (Engine.IO's default).
        live_ping_timeout: How long a heartbeat of the live socket may take (Engine.IO's default).
        live_push_interval: An event of the live socket is told once in this time at most; not measured.
        event_channels: Event channels (or their part before the first dot) an agent may use.
    """

    disable_multiple_sessions: bool = False
    detach_timeout: float = 120.0
    idle_ping: float = 30.0
    flush_quiet: float = 0.05
    login_expires: float | None = None
    ready_delay: float = 0.1
    hold_delay: float = 0.25
    answer_settle: float = 0.01
    bridge_delay: float = 0.05
    ring_timeout: float = 60.0
    dial_poll: float = 0.5
    dial_tries: int = 39
    max_message: int = 999_999
    require_candidates: bool = True
    close_timeout: float = 1.0
    recording_delay: float = 0.0
    recording_format: Literal["mp3", "wav"] = "mp3"
    live_ping_interval: float = 25.0
    live_ping_timeout: float = 20.0
    live_push_interval: float = 0.05
    event_channels: tuple[str, ...] = ("presence", "conference", "demo")
