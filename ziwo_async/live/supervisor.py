"""Supervisor: connect -> subscribe all -> ask all -> serve -> lost -> back-off. The reconnect policy lives here alone.

What existing clients do wrong, and this one does not: handlers are registered once and not at each connect (they would
pile up), subscriptions are sent again at each connect (the server forgets them), and a token that is refused is renewed
before the next attempt (an old one would be refused for ever).
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol, TypeAlias

import anyio
from pydantic import SecretStr

from ..config import ReconnectPolicy, Timeouts
from ..dispatch.backoff import Backoff
from ..errors import AuthError, BadCredentials, ConnectionLost, TransportError, ZiwoError
from .connect import Connector
from .routes import is_asked
from .socket import Address, LiveSocket, TokenRefused, hide

__all__ = ["HEARTBEAT", "Feed", "Supervisor", "TokenProvider"]

_log = logging.getLogger("ziwo_async.live")

HEARTBEAT = 10.0
"""Seconds between two heartbeats of the application, as the official client sends them (source: Android SDK)."""

_REFUSALS = 3

TokenProvider: TypeAlias = Callable[[SecretStr | None], Awaitable[SecretStr]]
"""Gives the access token; given one that was refused, it gives another."""


class Feed(Protocol):
    """What the supervisor serves."""

    @property
    def wanted(self) -> tuple[str, ...]:
        """The events that somebody wants to know of."""
        ...

    def receive(self, event: str, args: tuple[object, ...]) -> None:
        """Take an event. Must not block or raise."""
        ...

    def came(self, gap_seconds: float | None) -> None:
        """There is a connection; the gap is None for the first."""
        ...

    def went(self, reason: str) -> None:
        """The connection was lost."""
        ...

    def failed(self, error: ZiwoError) -> None:
        """Nothing can help any more."""
        ...


class Supervisor:
    """Keeps the feed connected.

    Attributes:
        connected: Whether it is.
        since: When the present connection, or the last one, was made.
        connections: How many there were so far.
        started: Done once the first connection stands, or failed.
    """

    def __init__(
        self,
        feed: Feed,
        *,
        base_url: str,
        token: TokenProvider,
        tls: ssl.SSLContext | None,
        timeouts: Timeouts,
        reconnect: ReconnectPolicy,
        rng: random.Random,
    ) -> None:
        self._feed = feed
        self._base_url = base_url
        self._token = token
        self._tls = tls
        self._timeouts = timeouts
        self._policy = reconnect
        self._backoff = Backoff(reconnect, rng)
        self._connector = Connector()
        self._socket: LiveSocket | None = None
        self._refused: SecretStr | None = None
        self._in_use: SecretStr | None = None
        self._refusals = 0
        self._lost_at: float | None = None
        self._stood: float | None = None
        self.connections = 0
        self.connected = False
        self.since: datetime | None = None
        self.closing = False
        self.started: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def protocol(self) -> int | None:
        """The version of Engine.IO that the present connection speaks, or the last one spoke."""
        return self._connector.protocol

    async def run(self) -> None:
        """Connect, and connect again, until cancelled or until nothing can help any more."""
        while not self.closing:
            self._stood = None
            failure: ZiwoError | None = None
            try:
                await self._one_connection()
            except ZiwoError as error:
                failure = error
            if self._is_closing():
                return
            if failure is not None and not self._may_retry(failure):
                self._give_up(self._final(failure))
                return
            if self._backoff.exhausted(self._stood):
                self._give_up(ConnectionLost(f"gave up after {self._backoff.failures} attempts", reason="gave up"))
                return
            if isinstance(failure, TokenRefused) and self._refusals == 1 and self._may_have_expired():
                # The renewed one is tried at once.
                continue
            wait = self._backoff.next(self._stood)
            level = logging.DEBUG if self._backoff.failures > 1 else logging.WARNING
            _log.log(level, "the live feed is away (%s); next try in %.1f s", failure or "connection lost", wait)
            await asyncio.sleep(wait)

    def _is_closing(self) -> bool:
        # A call, because it changes while we wait, which type checkers cannot know.
        return self.closing

    def _may_have_expired(self) -> bool:
        # One that is thrown out of a connection that it has just opened has not: logging in again and again would not
        # help.
        return self._stood is None or self._backoff.stable(self._stood)

    def _may_retry(self, error: ZiwoError) -> bool:
        if isinstance(error, TokenRefused):
            return self._refusals < _REFUSALS or not (error.certain or self.connections == 0)
        if self.connections == 0 or isinstance(error, AuthError):
            return False
        return isinstance(error, TransportError) or error.retryable

    def _final(self, error: ZiwoError) -> ZiwoError:
        if isinstance(error, TokenRefused) and error.certain:
            return BadCredentials(f"{error}; a renewed access token was refused, too")
        return error

    def _give_up(self, error: ZiwoError) -> None:
        if not self.started.done():
            self.started.set_exception(error)
            # Seen: whoever starts the feed may have been cancelled.
            self.started.exception()
        self._feed.failed(error)

    async def _one_connection(self) -> None:
        """One connection, from opening to its end; notes for how many seconds it stood.

        Raises:
            TokenRefused: The server does not take the token, at the door or later.
            ZiwoError: There is no connection.
        """
        loop = asyncio.get_running_loop()
        token = self._in_use = await self._token(self._refused)
        self._refused = None
        try:
            address = Address(self._base_url, token, self._tls, self._timeouts)
            socket = await self._connector.open(address, self._receive)
        except TokenRefused:
            self._refused = token
            self._refusals += 1
            raise
        ready_at = loop.time()
        self._socket = socket
        try:
            self._announce(ready_at)
            await self._ask_all(socket)
            await self._serve(socket)
        except ConnectionLost:
            pass
        finally:
            self.connected = False
            self._socket = None
            self._lost_at = loop.time()
            self._stood = self._lost_at - ready_at
            if self._backoff.stable(self._stood):
                # Its token was good, though nothing may have come.
                self._refusals = 0
            with anyio.CancelScope(shield=True):
                # Bounded by Timeouts.close, so that a cancelled feed still leaves no socket behind.
                await socket.close()
            if not self.closing:
                self._feed.went(socket.loss.reason)
        if socket.loss.refused is not None:
            self._refused = token
            self._refusals += 1
            raise TokenRefused(socket.loss.reason, certain=True)

    def hide(self, text: str) -> str:
        """A text of the server without the token in use.

        Args:
            text: The text.
        """
        return text if self._in_use is None else hide(text, self._in_use)

    def _announce(self, now: float) -> None:
        self.connected = True
        self.since = datetime.now(UTC)
        self.connections += 1
        self._feed.came(None if self._lost_at is None else max(0.0, now - self._lost_at))
        if not self.started.done():
            self.started.set_result(None)

    def _receive(self, event: str, args: tuple[object, ...]) -> None:
        self._refusals = 0
        if not self.closing:
            self._feed.receive(event, args)

    async def _ask_all(self, socket: LiveSocket) -> None:
        routes = self._feed.wanted
        for route in routes:
            await socket.emit("subscribe", route)
        for route in routes:
            if is_asked(route):
                await socket.emit(route, {})

    async def _serve(self, socket: LiveSocket) -> None:
        while not socket.loss.happened.is_set():
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await socket.loss.happened.wait()
            except TimeoutError:
                await socket.emit("heartbeat", "ping")

    async def want(self, route: str) -> None:
        """Subscribe to an event that nobody wanted so far, if there is a connection; else it is done at the next.

        Args:
            route: The event's name.
        """
        socket = self._socket
        if socket is None or not self.connected:
            return
        try:
            await socket.emit("subscribe", route)
            if is_asked(route):
                await socket.emit(route, {})
        except ConnectionLost:
            # At the next connect all is asked again.
            return
