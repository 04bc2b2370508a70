"""One websocket from open to close: pump in, pump out, liveness. Knows nothing of calls.

Facts it lives by (FreeSWITCH, measured): WebSocket pings are off, because the server answers none; a request
`verto.ping` after 10 s of silence is the sign of life; no sub-protocol and no extension is offered; a client that
sends more often than every 50 ms gets no server messages, so a long burst of ours makes a pause.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI, WebSocketException
from websockets.frames import Frame, Opcode
from websockets.protocol import Event

from ..config import Liveness, Timeouts
from ..errors import CannotConnect, ConnectionLost, TransportError
from . import wire
from .clockwatch import ClockWatch

__all__ = ["Connection", "Connector", "Socket", "how_it_ended", "open_socket"]

# Frames over 1 MiB are told and skipped by the decoder; what is over this ends the socket, so that memory is bounded.
_HARD_LIMIT = 8 * 1_048_576
_READ_AT_ONCE = 32_768
_QUIET = 0.06
_BURST = 0.5


class Socket(Protocol):
    """What is needed of a websocket; the seam for a faster library."""

    def start(self, on_message: Callable[[bytes], None]) -> None:
        """Hand over each message from now on, those that came before included. Called once."""
        ...

    async def send(self, message: str) -> None:
        """Send one text message; raises `ConnectionClosed` when the socket has ended."""
        ...

    async def close(self) -> None:
        """Close with a handshake."""
        ...

    async def wait_closed(self) -> None:
        """Wait until the socket has ended, in whatever way."""
        ...

    def ending(self) -> ConnectionClosed:
        """How it ended."""
        ...

    def abort(self) -> None:
        """End it at once, without a handshake."""
        ...


Connector = Callable[[str, Timeouts, "ssl.SSLContext | None"], Awaitable[Socket]]


class _PushConnection(ClientConnection):
    """A websocket that hands each message over where it is parsed.

    The library's own way is a queue and a task that waits for it: a wake-up for each message, which costs several times
    what parsing does. Nothing here ever waits, so the queue is not needed; messages stay bounded by `max_size`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._on_message: Callable[[bytes], None] | None = None
        self._early: list[bytes] = []
        self._parts: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Read less at once; called by asyncio.

        By default a plain transport reads 256 KiB and a turn of the loop then parses 300 frames before any handler
        runs: 32 KiB keeps turns short, and costs a fifth less CPU a frame, since objects die young (measured).
        """
        if hasattr(transport, "max_size"):
            setattr(transport, "max_size", _READ_AT_ONCE)  # noqa: B010 - asyncio documents no other way
        super().connection_made(transport)

    def process_event(self, event: Event) -> None:
        """Take one frame; called by the library."""
        if type(event) is not Frame or event.opcode not in _DATA:
            super().process_event(event)
            return
        data = bytes(event.data)
        if not event.fin:
            self._parts.append(data)
            return
        if self._parts:
            data = b"".join([*self._parts, data])
            self._parts.clear()
        if self._on_message is None:
            self._early.append(data)
        else:
            self._on_message(data)

    def start(self, on_message: Callable[[bytes], None]) -> None:
        early, self._early = self._early, []
        self._on_message = on_message
        for data in early:
            on_message(data)

    def ending(self) -> ConnectionClosed:
        return self.protocol.close_exc

    def abort(self) -> None:
        self.transport.abort()


_DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)


class _NoFrames(logging.LoggerAdapter[logging.Logger]):
    """The library's own log without DEBUG: there it would show our frames as they are, the session id included."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802
        """Whether the library may log at this level."""
        return level > logging.DEBUG and super().isEnabledFor(level)


_NO_FRAMES = _NoFrames(logging.getLogger("websockets.client"))


async def open_socket(url: str, timeouts: Timeouts, tls: ssl.SSLContext | None) -> Socket:
    """Open a websocket to the Verto server.

    Raises:
        CannotConnect: DNS, refused, unreachable, TLS, or no websocket there.
    """
    try:
        async with asyncio.timeout(timeouts.connect):
            opened = await connect(
                url,
                ssl=(tls or True) if url.startswith("wss:") else None,
                create_connection=_PushConnection,
                ping_interval=None,
                compression=None,
                max_size=_HARD_LIMIT,
                open_timeout=None,
                close_timeout=timeouts.close,
                user_agent_header=None,
                logger=_NO_FRAMES,
            )
            return cast("_PushConnection", opened)
    except TimeoutError:
        raise CannotConnect(f"the phone server {url} did not answer within {timeouts.connect} s") from None
    except ssl.SSLError as error:
        why = getattr(error, "verify_message", "") or error.reason or type(error).__name__
        raise CannotConnect(
            f"no secure connection to the phone server {url}: {why}; check the host name and the certificate"
        ) from None
    except (InvalidHandshake, InvalidURI, WebSocketException) as error:
        raise CannotConnect(
            f"{url} is no Verto phone server ({type(error).__name__}: {error}); check the address and the port"
        ) from None
    except OSError as error:
        raise CannotConnect(
            f"cannot reach the phone server {url}: {error.strerror or error}; check the contact centre's name, "
            "the network and any firewall (ZIWO uses port 8082)"
        ) from None


def how_it_ended(closed: ConnectionClosed) -> tuple[int | None, str]:
    """Give the close code that the server sent, if any, and the reason in words for people.

    Args:
        closed: What the socket says of its end.
    """
    frame, who = (closed.rcvd, "the server closed the connection") if closed.rcvd else (closed.sent, "")
    if frame is None:
        return None, "the connection broke without a word"
    said = f" ({frame.reason})" if frame.reason else ""
    text = f"{who or 'the connection was closed'} with code {frame.code}{said}"
    return (frame.code if closed.rcvd else None), text


class Connection:
    """One open websocket.

    Attributes:
        lost: Set once the socket has ended.
        reason: Why it ended, for people.
        close_code: The close code, when there was a close frame.
    """

    def __init__(self, socket: Socket, liveness: Liveness, timeouts: Timeouts) -> None:
        """Take over an open socket.

        Args:
            socket: The websocket.
            liveness: When to look for a sign of life.
            timeouts: The time limit of closing.
        """
        self.lost = asyncio.Event()
        self._stir = asyncio.Event()
        self._suspect = False
        self.reason = ""
        self.close_code: int | None = None
        self._socket = socket
        self._liveness = liveness
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()
        self._sent = 0.0
        self._burst_began = 0.0
        self._writing = asyncio.Lock()

    async def read(self, receive: Callable[[bytes], None]) -> None:
        """Hand over each message as it comes, until the socket ends. Never raises for the socket's end."""
        clock, wanted = self._loop.time, wire.log.isEnabledFor
        broken: list[Exception] = []

        def take(raw: bytes) -> None:
            self._heard = clock()
            if wanted(logging.DEBUG):
                wire.show("<", raw)
            try:
                receive(raw)
            except Exception as error:  # noqa: BLE001 - a bug of ours must not end in the library's callback, unseen
                broken.append(error)
                self.cut("an internal error")

        try:
            self._socket.start(take)
            await self._socket.wait_closed()
            self._note(self._socket.ending())
        finally:
            self.reason = self.reason or "the connection was closed by us"
            self.lost.set()
            self._stir.set()
        if broken:
            raise broken[0]

    def _note(self, closed: ConnectionClosed) -> None:
        self.close_code, reason = how_it_ended(closed)
        self.reason = self.reason or reason

    async def write(self, text: str) -> None:
        """Send one frame, in the order of calls.

        Raises:
            ConnectionLost: The socket has ended.
        """
        async with self._writing:
            await self._make_pauses()
            wire.show(">", text)
            try:
                await self._socket.send(text)
            except ConnectionClosed:
                raise ConnectionLost(
                    "the connection to the phone server was lost while sending", reason=self.reason
                ) from None
            self._sent = self._loop.time()

    async def _make_pauses(self) -> None:
        """Let the server speak: it sends its own messages only when our input was quiet for 50 ms."""
        now = self._loop.time()
        if now - self._sent >= _QUIET:
            self._burst_began = now
        elif now - self._burst_began >= _BURST:
            await asyncio.sleep(_QUIET - (now - self._sent))
            self._burst_began = self._loop.time()

    async def watch(self, ping: Callable[[float], Awaitable[None]]) -> None:
        """Look for signs of life until the socket ends; cut it when there are none.

        Args:
            ping: Sends `verto.ping` and waits for a reply, of whatever kind, at most so many seconds
                (`TransportError` else).
        """
        silence, reply, tick = self._liveness.silence, self._liveness.reply, self._liveness.tick
        clocks = ClockWatch(self._loop.time, self._liveness.jump)
        while not self.lost.is_set():
            pause = max(min(self._heard + silence - self._loop.time(), tick), 0)
            await self._stirred_within(pause)
            asked = self._loop.time()
            if not clocks.jumped(pause) and not self._suspect and asked < self._heard + silence:
                continue
            self._suspect = False
            try:
                await ping(reply)
            except TransportError:
                if self._heard < asked:
                    self.cut(f"no sign of life from the server for {silence + reply:g} s")
                    return
            # A machine that slept meanwhile: the reply may be older than that.
            self._suspect = clocks.jumped(0) or self._suspect

    async def _stirred_within(self, seconds: float) -> None:
        """Wait for the end of the socket, or for a doubt, so many seconds at most."""
        self._stir.clear()
        if self.lost.is_set() or self._suspect:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._stir.wait()
        except TimeoutError:
            pass

    def doubt(self) -> None:
        """A request was not answered in time: look for a sign of life now."""
        self._suspect = True
        self._stir.set()

    def cut(self, reason: str) -> None:
        """End the socket at once, without a handshake: the peer is not there to take part in one."""
        self.reason = self.reason or reason
        self._socket.abort()

    async def close(self) -> None:
        """Close the socket, with a handshake if the server takes part in one, in bounded time."""
        try:
            async with asyncio.timeout(self._timeouts.close):
                await self._socket.close()
        except TimeoutError:
            self.cut("the server did not answer the closing handshake")
