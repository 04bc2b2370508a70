"""One client's websocket, and mod_verto's loop around it.

The websocket is the sans-I/O protocol of the `websockets` library under a plain asyncio transport: that gives hold
of TCP (resets, half-open connections, both in one event loop turn) and lets the server be as odd as the real one,
see `ServerWebSocket`. There is no task per socket: everything happens in callbacks and owned timers.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from ..verto.frames import JsonObject
from . import wire
from .journal import JournalEntry
from .outgoing import Outgoing
from .people import SimAgent
from .tcp import send_reset

if TYPE_CHECKING:
    from typing import Literal

    from .clock import Timer
    from .verto_server import VertoServer

__all__ = ["ServerWebSocket", "VertoSession"]


class ServerWebSocket(ServerProtocol):
    """A websocket server as libks is one (measured): it never sends PONG, and closes with 1000 whatever happens.

    Overrides two methods of the `websockets` library through which every frame and every failure pass. No
    extension and no sub-protocol is negotiated, no origin checked, any path accepted.
    """

    def send_frame(self, frame: Frame) -> None:
        """Send a frame, unless it is a PONG: libks has no ping handling."""
        if frame.opcode is not Opcode.PONG:
            super().send_frame(frame)

    def fail(self, code: CloseCode | int, reason: str = "") -> None:
        """Close with 1000 and no reason; only an unknown opcode gives 1002."""
        kept = code == CloseCode.PROTOCOL_ERROR and "opcode" in reason
        super().fail(code if kept else CloseCode.NORMAL_CLOSURE, "")


class VertoSession(asyncio.Protocol):
    """One connection of a client.

    Attributes:
        sessid: Bound by the first request, before any password is checked; empty before.
        login_id: Login name without domain, stored before the password is checked (ZIWO's server): what
            "Duplicate Session", `verto.dial` and `verto.send` look for.
        agent: Who is logged in, or tries to be (cleared when the password is wrong).
        authenticated: A login succeeded.
        client_ready: `verto.clientReady` was sent.
        punted: Another socket has taken the sessid; this one is about to be closed.
        remembered_name: First caller name an invite of this socket carried.
        user_variables: `userVariables` of the login.
        expires: Epoch second at which the login ends; None: never.
        subscriptions: Event channels.
    """

    def __init__(self, server: VertoServer) -> None:
        self._server = server
        self._ws = ServerWebSocket(max_size=server.options.max_message)
        self._transport: asyncio.Transport | None = None
        self.peer = ""
        self.sessid = ""
        self.login_id = ""
        self.agent: SimAgent | None = None
        self.authenticated = False
        self.client_ready = False
        self.punted = False
        self.remembered_name = ""
        self.user_variables: dict[str, str] = {}
        self.expires: int | None = None
        self.subscriptions: dict[str, int] = {}
        self._frozen = False
        self._gone = False
        self._parts: list[bytes] = []
        self._inbox: deque[str] = deque()
        self._outbox: list[str] = []
        self._outgoing = Outgoing(server.clock, self._later, self.write_text)
        self._busy = False
        self._ready_armed = False
        self._last_input = server.clock.monotonic()
        self._flush_timer: Timer | None = None
        self._idle_timer: Timer | None = None
        self._timers: set[Timer] = set()

    @property
    def gone(self) -> bool:
        """The connection is lost or was closed."""
        return self._gone

    # ---- the connection --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: a client has connected."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        name = transport.get_extra_info("peername")
        self.peer = f"{name[0]}:{name[1]}" if name else ""
        if self._server.closing or self._server.down or self._server.faults.refusing:
            self._gone = True
            send_reset(transport)
            return
        self._server.joined(self)
        self._arm_idle(self._server.options.idle_ping)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes have come. An exception here is a bug of the simulator and fails the test."""
        if not self._frozen:
            self._server.clock.guarded(lambda: self._receive(data))

    def _receive(self, data: bytes) -> None:
        self._ws.receive_data(data)
        self._pump()

    def eof_received(self) -> bool:
        """asyncio: the client has closed its side."""
        if not self._frozen:
            self._ws.receive_eof()
            self._pump()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is over."""
        self._server.disconnected(self)
        self._server.clock.guarded(self._lost)

    def _pump(self) -> None:
        for event in self._ws.events_received():
            if isinstance(event, Request):
                self._ws.send_response(self._ws.accept(event))
            elif isinstance(event, Frame):
                self._frame(event)
        self._write_out()

    def _write_out(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        for data in self._ws.data_to_send():
            if data:
                transport.write(data)
            else:
                transport.close()
                return
        if self._ws.close_expected():
            self._later(self._server.options.close_timeout, transport.abort)

    def _frame(self, frame: Frame) -> None:
        if self._gone:
            return  # closed by the server: only the closing handshake is still of interest
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._parts.append(bytes(frame.data))
            if frame.fin:
                message, self._parts = b"".join(self._parts), []
                self._message(message.decode("utf-8", "replace"))
        elif frame.opcode in (Opcode.PING, Opcode.PONG):
            # libks hands these up as if they were messages: JSON in a PING is executed, other bytes are refused.
            self._message(bytes(frame.data).decode("utf-8", "replace"))

    def _message(self, text: str) -> None:
        self._last_input = self._server.clock.monotonic()
        if self._outbox:
            self._arm_flush(restart=True)
        if not text:
            return
        self._note("in", text)
        if self.punted:
            # The thread of a punted socket wakes up with this input, and goes.
            self._close()
            return
        self._inbox.append(text)
        self._work()

    def _work(self) -> None:
        while self._inbox and not self._busy and not self._gone:
            self._server.handle(self, self._inbox.popleft())

    # ---- writing ---------------------------------------------------------------------------------------------

    def reply(self, text: str) -> None:
        """Write a reply: at once, unless the faults say otherwise."""
        delay = self._server.faults.reply_delay
        if delay > 0:
            self._later(delay, lambda: self._say(text))
        else:
            self._say(text)

    def block(self, seconds: float, then: Callable[[], None]) -> None:
        """The server thinks (hold takes a quarter second): later requests of this socket wait."""
        self._busy = True

        def done() -> None:
            self._busy = False
            then()
            self._work()

        self._later(seconds, done)

    def queue(self, method: str, params: JsonObject) -> None:
        """Queue a request of the server; it is written when the client's input has been quiet."""
        if self._gone:
            return
        self._outbox.append(wire.request_text(self._server.next_id(), method, params))
        self._arm_flush()

    def write_now(self, method: str, params: JsonObject) -> None:
        """Write a request of the server past the queue (`verto.punt`)."""
        self.write_text(wire.request_text(self._server.next_id(), method, params))

    def _say(self, text: str) -> None:
        faults, agent = self._server.faults, self.agent
        self._outgoing.say(text, late=faults.message_delay, swap=lambda: faults.take_swap(agent))

    def write_text(self, text: str) -> None:
        """Write a text frame, past every fault."""
        if self._gone or self._frozen or self._ws.state is not State.OPEN:
            return
        self._note("out", text)
        self._ws.send_text(text.encode("utf-8", "replace"))
        self._write_out()

    def _arm_flush(self, *, restart: bool = False) -> None:
        # mod_verto polls for input; each poll that times out without any flushes the queue.
        quiet = self._server.options.flush_quiet
        silence = self._server.clock.monotonic() - self._last_input
        # A hair before the end of a poll counts as its end: else a busy socket is looked at again in the same moment.
        wait = 0.0 if quiet <= 0 else quiet * (math.floor(silence / quiet + 1e-6) + 1) - silence
        if self._flush_timer is not None:
            if not restart:
                return
            self._flush_timer.cancel()
        self._flush_timer = self._server.clock.later(wait, self._flush)

    def _flush(self) -> None:
        self._flush_timer = None
        if self._busy:
            self._arm_flush()
            return
        ready, self._outbox = self._outbox, []
        for text in ready:
            self._say(text)

    def _arm_idle(self, seconds: float) -> None:
        self._idle_timer = self._server.clock.later(seconds, self._idle)

    def _idle(self) -> None:
        limit = self._server.options.idle_ping
        silence = self._server.clock.monotonic() - self._last_input
        rest = limit - math.fmod(silence, limit) if limit > 0 else 1.0
        # Timers may fire a hair early or late: a rest of nearly a whole period means that the period has just ended.
        if silence >= limit * 0.99 and (rest > limit * 0.5 or rest < limit * 0.01):
            params: JsonObject = {} if self.expires is None else {"auth-expires": self.expires}
            self.queue("verto.ping", {**params, "serno": int(self._server.clock.epoch())})
        self._arm_idle(max(rest, limit * 0.01, 0.001))

    # ---- login and its end -----------------------------------------------------------------------------------

    def arm_ready_once(self) -> None:
        """A request succeeded on a logged-in socket: after the first one, `verto.clientReady` follows."""
        if self._ready_armed or self._gone:
            return
        self._ready_armed = True
        self._later(self._server.options.ready_delay, self._ready)
        if self.expires is not None:
            self._later(self._server.options.login_expires or 0.0, self.drop)

    def _ready(self) -> None:
        calls = self._server.switch.session_ready(self.sessid)
        self.client_ready = True
        self.queue("verto.clientReady", {"reattached_sessions": calls})
        if self._server.clock.monotonic() - self._last_input >= self._server.options.flush_quiet * 0.99:
            if self._flush_timer is not None:
                self._flush_timer.cancel()
            self._flush()
        self._server.world.agent_changed()

    def punt(self) -> None:
        """Another socket has taken this sessid: say so, let the calls go, and close at the next wake-up."""
        self.write_now("verto.punt", {})
        self.punted = True
        self._server.switch.session_lost(self.sessid)
        self._later(self._server.options.flush_quiet, self._close)

    def drop(self) -> None:
        """Close the connection from the server's side, without a word (code 1000)."""
        self._close()

    def _close(self) -> None:
        if self._gone:
            return
        if not self._frozen and self._ws.state is State.OPEN:
            self._ws.send_close(CloseCode.NORMAL_CLOSURE, "")
            self._write_out()
        elif self._transport is not None:
            self._transport.abort()
        self._leave()

    def abort(self) -> None:
        """Reset the TCP connection; the loss is handled before this returns."""
        if self._transport is not None:
            send_reset(self._transport)
        self._lost()

    def freeze(self) -> None:
        """The network is gone: neither read nor write; only a reset or the end of the simulator ends it."""
        self._frozen = True
        if self._transport is not None:
            self._transport.pause_reading()

    def _lost(self) -> None:
        for timer in tuple(self._timers):
            timer.cancel()
        self._timers.clear()
        self._leave()

    def _leave(self) -> None:
        if self._gone:
            return
        self._gone = True
        for timer in (self._flush_timer, self._idle_timer):
            if timer is not None:
                timer.cancel()
        self._server.left(self)
        if self.sessid and not self.punted:
            self._server.switch.session_lost(self.sessid)
        self._server.world.agent_changed()

    def shut(self) -> None:
        """The simulator ends: the connection is reset, as by a server that is killed (s24)."""
        self._gone = True
        self._lost()
        if self._transport is not None:
            send_reset(self._transport)

    # ---- small things ----------------------------------------------------------------------------------------

    def _later(self, delay: float, callback: Callable[[], None]) -> None:
        def fire() -> None:
            self._timers.discard(timer)
            callback()

        timer = self._server.clock.later(delay, fire)
        self._timers.add(timer)

    def _note(self, kind: Literal["in", "out"], text: str) -> None:
        agent = self.agent.ccLogin if self.agent is not None else ""
        self._server.journal.add(JournalEntry(self._server.clock.monotonic(), kind, self.peer, agent, text))
