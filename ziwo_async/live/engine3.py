"""Engine.IO 3 over a websocket, for instances whose server is older than October 2023.

The client pings (`2`), the server answers (`3`). The server speaks first: `0{...}` with its times, then `40`: we are
in. Events are `42["name", ...]`, a refusal is `44"words"`, and `41` or `1` is the end (sources: ZIWO's iOS SDK,
Socket.IO's protocol documents).
"""

from __future__ import annotations

import asyncio
import logging
from typing import Self

import aiohttp
from pydantic import JsonValue

from ..errors import CannotConnect, ConnectionLost
from .decoding import decode, encode, event_of
from .socket import (
    MAX_MESSAGE,
    Address,
    Listener,
    Loss,
    Protocols,
    about_token,
    closed_unless_open,
    handshake_error,
    refusal,
    words,
)

__all__ = ["EngineThree"]

_log = logging.getLogger("ziwo_async.live")
# The servers' own defaults in seconds, for one that does not tell its times.
_PING_INTERVAL, _PING_TIMEOUT = 25.0, 60.0


class EngineThree:
    """A live socket that speaks Engine.IO 3.

    Attributes:
        loss: Its end.
        protocol: 3.
    """

    protocol: Protocols = 3

    def __init__(self, address: Address, listener: Listener) -> None:
        self.loss = Loss()
        self._address = address
        self._listener = listener
        self._http: aiohttp.ClientSession | None = None
        self._ws: aiohttp.ClientWebSocketResponse | None = None
        self._interval, self._patience = _PING_INTERVAL, _PING_TIMEOUT
        self._let_in = False
        self._heard = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def open(cls, address: Address, listener: Listener) -> Self:
        """Connect; returns when the server has let us in.

        Args:
            address: Where.
            listener: Gets the events.

        Raises:
            ProtocolRefused: The server does not speak Engine.IO 3.
            TokenRefused: It does not take the token.
            CannotConnect: There is no connection for another reason.
        """
        socket = cls(address, listener)
        async with closed_unless_open(socket):
            await socket._connect()
        return socket

    async def _connect(self) -> None:
        limit = self._address.timeouts.connect
        try:
            async with asyncio.timeout(limit):
                self._ws = await self._handshake()
                while not self._let_in:
                    self._take(await self._ws.receive())
                    if self.loss.happened.is_set():
                        if self.loss.refused is not None:
                            raise refusal(self.loss.refused, self._address)
                        raise CannotConnect(f"{self._address.shown}: {self.loss.reason}")
        except TimeoutError:
            raise CannotConnect(f"{self._address.shown} did not let us in within {limit:g} s") from None
        self._heard = asyncio.get_running_loop().time()
        for work in (self._read(self._ws), self._ping(self._ws)):
            self._tasks.append(asyncio.create_task(work, name="ziwo_async:live: engine 3"))

    async def _handshake(self) -> aiohttp.ClientWebSocketResponse:
        tls = self._address.tls
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls) if tls is not None else aiohttp.TCPConnector()
        )
        failure: Exception
        try:
            return await self._http.ws_connect(
                self._address.secret_url(f"{self._address.path}/", "&EIO=3&transport=websocket"),
                max_msg_size=MAX_MESSAGE,
                timeout=aiohttp.ClientWSTimeout(ws_close=self._address.timeouts.close),  # pyright: ignore[reportCallIssue] - made by attrs
            )
        except aiohttp.ClientError as error:
            failure = error
        # Outside of `except`: aiohttp's error holds the address, token included, and must not be the context of ours.
        if isinstance(failure, aiohttp.WSServerHandshakeError):
            raise handshake_error(failure.status, 3, self._address)
        kind = type(failure.os_error if isinstance(failure, aiohttp.ClientConnectorError) else failure).__name__
        raise CannotConnect(f"no connection to {self._address.shown}: {kind}")

    async def _read(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        try:
            await self._read_on(ws)
        finally:
            # Whatever ended it: nobody hears this connection any more.
            self.loss.tell("nothing is read any more")

    async def _read_on(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        while not self.loss.happened.is_set():
            left = self._heard + self._interval + self._patience - loop.time()
            try:
                async with asyncio.timeout(max(left, 0)):
                    message = await ws.receive()
            except TimeoutError:
                self.loss.tell("the server is silent")
                return
            self._heard = loop.time()
            self._take(message)

    async def _ping(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        while not self.loss.happened.is_set():
            await asyncio.sleep(self._interval)
            try:
                await ws.send_str("2")
            except (ConnectionError, aiohttp.ClientError, RuntimeError):
                self.loss.tell("the connection ended")

    def _take(self, message: aiohttp.WSMessage) -> None:
        if message.type is not aiohttp.WSMsgType.TEXT:
            if message.type is not aiohttp.WSMsgType.BINARY:
                self.loss.tell("the connection ended")
            return
        text: str = message.data
        kind, rest = text[:2], text[2:]
        if kind == "42":
            self._take_event(rest)
        elif kind == "40":
            # Of another namespace (`40/name`) is not ours.
            self._let_in = self._let_in or not rest.startswith("/")
        elif kind == "44":
            self.loss.tell("the server refuses us", refused=words(_decoded(rest), self._address))
        elif kind == "41" or text == "1":
            self.loss.tell("the server closed the feed")
        elif text[:1] == "0":
            self._note_times(_decoded(text[1:]))

    def _note_times(self, told: JsonValue) -> None:
        if not isinstance(told, dict):
            return
        interval, patience = told.get("pingInterval"), told.get("pingTimeout")
        if isinstance(interval, (int, float)) and interval > 0:
            self._interval = interval / 1000
        if isinstance(patience, (int, float)) and patience > 0:
            self._patience = patience / 1000

    def _take_event(self, rest: str) -> None:
        # An event may have a number, when the server wants to know that it came; or the name of another namespace.
        event = event_of(_decoded(rest.lstrip("0123456789")))
        if event is None:
            _log.warning("the live socket: a message that cannot be read was left out")
            return
        name, args = event
        if name == "error" and args and about_token(said := words(args[0], self._address)):
            self.loss.tell("the server does not take the access token any more", refused=said)
        else:
            self._listener(name, args)

    async def emit(self, event: str, data: JsonValue) -> None:
        """Send an event.

        Raises:
            ConnectionLost: The connection has ended.
        """
        if self._ws is None or self.loss.happened.is_set():
            raise ConnectionLost("the live socket is not connected", reason=self.loss.reason)
        try:
            await self._ws.send_str(f"42{encode([event, data])}")
        except (ConnectionError, aiohttp.ClientError, RuntimeError):
            self.loss.tell("the connection ended")
            raise ConnectionLost("the live socket is not connected", reason=self.loss.reason) from None

    async def close(self) -> None:
        """Close, politely if it still stands. Bounded in time; safe twice."""
        self.loss.tell("closed by the program")
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=self._address.timeouts.close)
        if self._ws is not None:
            await self._ws.close()
        if self._http is not None:
            await self._http.close()


def _decoded(text: str) -> JsonValue:
    try:
        return decode(text) if text else None
    except ValueError:
        return None
