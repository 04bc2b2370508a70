"""The one place that touches python-socketio: Engine.IO 4 over a websocket.

The library is untyped, so its edges are `Any` here and nowhere else. It logs the address, token included, at INFO and
prints errors with a handler of its own: so it gets loggers that lead nowhere. Its reconnecting is off; ours knows about
tokens and jitter.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import NoneType
from typing import Any, Self

import aiohttp
from pydantic import JsonValue

from ..errors import CannotConnect, ConfigError, ConnectionLost
from .decoding import decode, encode, event_of
from .socket import (
    MAX_MESSAGE,
    Address,
    Listener,
    Loss,
    ProtocolRefused,
    Protocols,
    about_token,
    closed_unless_open,
    handshake_error,
    refusal,
    words,
)

__all__ = ["SocketIo"]

_log = logging.getLogger("ziwo_async.live")
_UNREADABLE = "ziwo_async: unreadable"
# Names that the library calls handlers by for reasons of its own. No server may send such an event.
_RESERVED = frozenset({"*", "connect", "connect_error", "disconnect", "__disconnect_final"})


def _nowhere() -> logging.Logger:
    # Outside of the tree of loggers: no level and no handler of the program can make it speak.
    logger = logging.Logger("ziwo_async.live.nowhere", level=logging.CRITICAL + 1)  # noqa: LOG001
    logger.addHandler(logging.NullHandler())
    return logger


def _library(left: Callable[[], None]) -> tuple[Any, Any]:
    """The library, and the class of its packets; `left` is called when the server puts us out of the feed."""
    try:
        import socketio
        from socketio import packet
    except ImportError:
        raise ConfigError("the live feed needs python-socketio: pip install 'ziwo_async[live]'") from None

    class Json:
        loads = staticmethod(decode)

        @staticmethod
        def dumps(value: JsonValue, **_: object) -> str:
            return encode(value)

    known = (packet.CONNECT, packet.DISCONNECT, packet.EVENT, packet.ACK, packet.CONNECT_ERROR)

    class Packet(packet.Packet):  # type: ignore[misc,unused-ignore]
        """A packet that cannot raise in a task of the library, where nobody would see it."""

        json = Json
        packet_type: Any
        data: Any
        namespace: Any

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)  # pyright: ignore[reportUnknownMemberType]
            if options.get("encoded_packet") in ("", b""):
                self.unreadable()

        def unreadable(self) -> None:
            self.packet_type, self.data, self.id, self.namespace = packet.EVENT, [_UNREADABLE], None, None

        def decode(self, encoded_packet: Any) -> Any:
            try:
                count: Any = super().decode(encoded_packet)  # pyright: ignore[reportUnknownMemberType]
                event = event_of(self.data) if self.packet_type == packet.EVENT else None
                if (
                    # No event of ZIWO's is binary; one that promises more would make the next message a part of it.
                    self.packet_type not in known
                    or (self.packet_type == packet.EVENT and (event is None or event[0] in _RESERVED))
                    or (self.packet_type == packet.CONNECT and not isinstance(self.data, (dict, NoneType)))
                ):
                    raise ValueError("nothing that the library should see")
            except (ValueError, TypeError, IndexError, RecursionError):
                self.unreadable()
                return 0
            if self.packet_type == packet.DISCONNECT and self.namespace in (None, "/"):
                # The library says nothing of it while it still connects.
                left()
            return count

    return socketio, Packet


class _Http:
    """What the library uses of a session. It keeps the websocket, which the library may leave open at a loss."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        # Its overloads cannot be chosen for options that are `Any`.
        self._connect: Any = session.ws_connect
        self._ws: aiohttp.ClientWebSocketResponse | None = None

    @property
    def closed(self) -> bool:
        return self._session.closed

    async def ws_connect(self, url: str, **options: Any) -> aiohttp.ClientWebSocketResponse:
        ws: aiohttp.ClientWebSocketResponse = await self._connect(url, **options)
        self._ws = ws
        return ws

    async def close(self) -> None:
        if self._ws is not None:
            await self._ws.close()
        await self._session.close()


class SocketIo:
    """A live socket that speaks Engine.IO 4.

    Attributes:
        loss: Its end.
        protocol: 4.
    """

    protocol: Protocols = 4

    def __init__(self, address: Address, listener: Listener) -> None:
        self.loss = Loss()
        socketio, packet_class = _library(lambda: self.loss.tell("the server closed the feed"))
        self._address = address
        self._listener = listener
        self._refused: str | None = None
        self._http: _Http | None = None
        self._closing = False
        self._client: Any = None
        self._make: Any = socketio.AsyncClient
        self._options: dict[str, Any] = {
            "reconnection": False,
            "handle_sigint": False,
            "logger": _nowhere(),
            "engineio_logger": _nowhere(),
            "serializer": packet_class,
            "request_timeout": address.timeouts.close,
            "timestamp_requests": False,
            "websocket_extra_options": {"max_msg_size": MAX_MESSAGE},
        }

    @classmethod
    async def open(cls, address: Address, listener: Listener) -> Self:
        """Connect; returns when the server has let us in.

        Args:
            address: Where.
            listener: Gets the events.

        Raises:
            ProtocolRefused: The server does not speak Engine.IO 4.
            TokenRefused: It does not take the token.
            CannotConnect: There is no connection for another reason.
            ConfigError: The extra `live` is not installed.
        """
        socket = cls(address, listener)
        async with closed_unless_open(socket):
            await socket._connect()
        return socket

    async def _connect(self) -> None:
        limit = self._address.timeouts.connect
        tls = self._address.tls
        connector = aiohttp.TCPConnector(ssl=tls) if tls is not None else aiohttp.TCPConnector()
        self._http = _Http(aiohttp.ClientSession(connector=connector))
        self._client = self._make(http_session=self._http, **self._options)
        self._client.on("*", self._event)
        self._client.on("connect_error", self._connect_error)
        self._client.on("disconnect", self._disconnected)
        failure: BaseException | None = None
        try:
            async with asyncio.timeout(limit):
                await self._client.connect(
                    self._address.secret_url(""),
                    transports=["websocket"],
                    socketio_path=self._address.path,
                    wait_timeout=limit,
                )
        except asyncio.CancelledError:
            raise
        except TimeoutError:
            raise CannotConnect(f"{self._address.shown} did not let us in within {limit:g} s") from None
        except Exception as error:  # noqa: BLE001 - whatever the library raises; its text may hold the address
            failure = error
        # Outside of `except`: the errors of the libraries hold the address, token included, and must be no context.
        if failure is not None:
            raise self._error_of(failure)
        if self._client.get_sid() == self._client.eio.sid:
            # A server of Socket.IO 2 takes any version without a word, lets everybody in unasked and without a session
            # id of their own, and then waits in vain for the pings that clients of Engine.IO 3 send.
            raise ProtocolRefused(f"{self._address.shown} speaks Engine.IO 3")
        if self._client.eio.state != "connected":
            # It ended between our entry and now: the library tells of no end before its `connect` has returned.
            self.loss.tell("the connection ended")

    def _error_of(self, failure: BaseException) -> CannotConnect:
        # Without a cause it is the namespace that was refused; the library tells a failed handshake in the same way.
        if self._refused is not None and failure.__cause__ is None:
            return refusal(self._refused, self._address)
        seen: BaseException | None = failure
        while seen is not None:
            if isinstance(seen, aiohttp.WSServerHandshakeError):
                return handshake_error(seen.status, 4, self._address)
            if isinstance(seen, aiohttp.ClientConnectorError):
                return CannotConnect(f"no connection to {self._address.shown}: {type(seen.os_error).__name__}")
            seen = seen.__cause__ or seen.__context__
        return CannotConnect(f"no connection to {self._address.shown}: {type(failure).__name__}")

    def _event(self, event: str, *args: object) -> None:
        if event == "error" and args and about_token(text := words(args[0], self._address)):
            self.loss.tell("the server does not take the access token any more", refused=text)
        elif event == _UNREADABLE:
            _log.warning("the live socket: a message that cannot be read was left out")
        else:
            self._listener(event, args)

    def _connect_error(self, *args: object) -> None:
        self._refused = words(args[0] if args else None, self._address)
        if self._client is not None and self._client.connected:
            self.loss.tell("the server closed the feed", refused=self._refused)

    def _disconnected(self, *args: object) -> None:
        if not self._closing:
            self.loss.tell(str(args[0]) if args else "the connection ended")

    async def emit(self, event: str, data: JsonValue) -> None:
        """Send an event.

        Raises:
            ConnectionLost: The connection has ended.
        """
        if self.loss.happened.is_set() or not self._client.connected:
            raise ConnectionLost("the live socket is not connected", reason=self.loss.reason)
        await self._client.emit(event, data)

    async def close(self) -> None:
        """Close, politely if it still stands. Bounded in time; safe twice."""
        self._closing = True
        self.loss.tell("closed by the program")
        if self._client is not None:
            try:
                async with asyncio.timeout(self._address.timeouts.close):
                    await self._client.disconnect()
            except Exception as error:  # noqa: BLE001 - a connection that is closed anyway
                _log.debug("the live socket did not close politely: %s", type(error).__name__)
            for task in (self._client.eio.read_loop_task, self._client.eio.write_loop_task):
                if task is not None and not task.done():
                    task.cancel()
                    await asyncio.wait([task], timeout=self._address.timeouts.close)
        if self._http is not None:
            await self._http.close()
