"""One Engine.IO connection, whatever carries it: its packets in both directions, and its heartbeat."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from .payloads import Protocol

if TYPE_CHECKING:
    from aiohttp import web

    from ..clock import Clock, Timer

__all__ = ["CLOSE", "MESSAGE", "NOOP", "PING", "PONG", "UPGRADE", "EngineSession"]

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0123456"

MOST_BYTES = 1_000_000
"""Longest message of a client, as the handshake tells it."""

_MOST_WAITING = 10_000


class EngineSession:
    """A connection from its handshake to its end.

    Attributes:
        sid: Its id.
        protocol: 3: the client sends pings. 4: the server does.
        carrier: What carries it now.
        ended: Why it is over; empty: it is not.

    Args:
        sid: Its id.
        protocol: Engine.IO's version.
        carrier: What carries it at first.
        clock: Time.
        interval: Seconds from one ping to the next.
        timeout: Seconds that the other side may take for it.
    """

    on_message: Callable[[str], None]
    on_end: Callable[[], None]

    def __init__(
        self,
        sid: str,
        protocol: Protocol,
        carrier: Literal["polling", "websocket"],
        clock: Clock,
        *,
        interval: float,
        timeout: float,
    ) -> None:
        self.sid = sid
        self.protocol: Protocol = protocol
        self.carrier: Literal["polling", "websocket"] = carrier
        self.ended = ""
        self._clock = clock
        self._interval = interval
        self._timeout = timeout
        self._waiting: deque[str] = deque()
        self._wake = asyncio.Event()
        self._timer: Timer | None = None
        self._frozen = False
        self._silent = False
        self._polled = False
        self._release_poll = False
        self._tcp: asyncio.Transport | None = None

    def open(self) -> None:
        """Send the handshake, and begin to look after the heartbeat."""
        handshake: dict[str, object] = {
            "sid": self.sid,
            "upgrades": ["websocket"] if self.carrier == "polling" else [],
            "pingInterval": round(self._interval * 1000),
            "pingTimeout": round(self._timeout * 1000),
        }
        if self.protocol == 4:
            handshake["maxPayload"] = MOST_BYTES
        self.send(OPEN + json.dumps(handshake))
        self._beat()

    def send(self, packet: str) -> None:
        """Send a packet when there is a way to; a client that takes none for too long is given up."""
        if self.ended or self._frozen:
            return
        if len(self._waiting) >= _MOST_WAITING:
            self.abort("the client does not read")
            return
        self._waiting.append(packet)
        self._wake.set()

    def received(self, packet: str) -> None:
        """The client has sent a packet."""
        if self.ended or self._frozen:
            return
        kind, data = packet[:1], packet[1:]
        if kind == MESSAGE:
            self.on_message(data)
        elif kind == CLOSE:
            self.end("closed by the client")
        elif kind == PING and self.protocol == 3 and not self._silent:
            self.send(PONG + data)
        if (self.protocol == 3 or kind == PONG) and not self.ended:
            self._beat()

    # ---- heartbeat -------------------------------------------------------------------------------------------

    def _beat(self) -> None:
        """There is a sign of life: begin to count again."""
        self._stop_timer()
        if self.protocol == 4:
            self._timer = self._clock.later(self._interval, self._ping)
        else:
            self._timer = self._clock.later(self._interval + self._timeout, self._time_out)

    def _ping(self) -> None:
        if self._silent:
            self._timer = None
            return
        self.send(PING)
        self._timer = self._clock.later(self._timeout, self._time_out)

    def _time_out(self) -> None:
        self.abort("ping timeout")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def fall_silent(self) -> None:
        """Send no ping, and answer none; everything else goes on."""
        self._silent = True

    def freeze(self) -> None:
        """Send nothing any more and read nothing, as if the network were gone; the TCP connection stays."""
        self._frozen = True
        self._waiting.clear()
        self._stop_timer()

    # ---- the end ---------------------------------------------------------------------------------------------

    def end(self, reason: str) -> None:
        """It is over; what waits is still sent."""
        if self.ended:
            return
        self.ended = reason
        self._stop_timer()
        self._wake.set()
        self.on_end()

    def abort(self, reason: str) -> None:
        """Reset the TCP connection that carries it, without a word."""
        tcp, self._tcp = self._tcp, None
        self._waiting.clear()
        self.end(reason)
        if tcp is not None:
            tcp.abort()

    # ---- polling ---------------------------------------------------------------------------------------------

    @property
    def polled(self) -> bool:
        """Whether a request of the client waits for packets."""
        return self._polled

    async def poll(self, tcp: asyncio.Transport | None) -> list[str]:
        """Wait for packets; gives all that there are."""
        self._polled, self._tcp = True, tcp
        try:
            while not (self._waiting or self.ended or self._release_poll):
                self._wake.clear()
                await self._wake.wait()
            if self._release_poll:
                return [NOOP]
            packets = list(self._waiting)
            self._waiting.clear()
            return packets or [CLOSE]
        finally:
            self._polled = self._release_poll = False
            if self._tcp is tcp:
                self._tcp = None

    def probed(self) -> None:
        """A websocket is there to take over: a poll that waits is released, so that the client can switch."""
        if self._polled:
            self._release_poll = True
            self._wake.set()

    # ---- websocket -------------------------------------------------------------------------------------------

    def carried_by(self, tcp: asyncio.Transport | None) -> None:
        """A websocket carries it from now on."""
        self.probed()
        self.carrier = "websocket"
        self._tcp = tcp

    async def write_to(self, ws: web.WebSocketResponse) -> None:
        """Send all packets over a websocket until the end; then close it."""
        while True:
            while self._waiting:
                await ws.send_str(self._waiting.popleft())
            if self.ended:
                break
            self._wake.clear()
            await self._wake.wait()
        await ws.close()
