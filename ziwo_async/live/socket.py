"""What a live socket is to the rest of the feed, whichever protocol it speaks."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias, cast
from urllib.parse import quote, urlsplit

import anyio
from pydantic import JsonValue, SecretStr

from ..config import Timeouts
from ..errors import CannotConnect

__all__ = ["Address", "Listener", "LiveSocket", "Loss", "ProtocolRefused", "Protocols", "TokenRefused", "about_token"]

Protocols: TypeAlias = Literal[3, 4]
Listener: TypeAlias = Callable[[str, tuple[object, ...]], None]
"""Gets each event: its name and what came behind it. It must not block or raise."""

MAX_MESSAGE = 32 * 1024 * 1024
"""Longest message in bytes: a snapshot of 500 agents has about half a megabyte."""

_WORDS = 200


@dataclass(frozen=True, slots=True)
class Address:
    """Where the live socket is, and with what one enters.

    Attributes:
        base_url: Address of the REST API.
        token: The access token. It can only travel in the query (source: all official clients), so the address with it
            is made at the last moment, and never shown.
        tls: TLS settings.
        timeouts: Time limits.
    """

    base_url: str
    token: SecretStr = field(repr=False)
    tls: ssl.SSLContext | None
    timeouts: Timeouts

    @property
    def shown(self) -> str:
        """The address without its query, for messages."""
        return f"{self.base_url}/socket"

    @property
    def path(self) -> str:
        """The path of the socket, without slashes at its ends."""
        return f"{urlsplit(self.base_url).path.strip('/')}/socket".strip("/")

    def secret_url(self, path: str, more: str = "") -> str:
        """The address with the token in it. Never to be kept, logged or raised.

        Args:
            path: Path behind the host.
            more: More of the query.
        """
        parts = urlsplit(self.base_url)
        token = quote(self.token.get_secret_value(), safe="")
        return f"{parts.scheme}://{parts.netloc}/{path}?access_token={token}{more}"


class ProtocolRefused(CannotConnect):
    """The server does not speak this version of Engine.IO. Internal: the other one is tried."""


class TokenRefused(CannotConnect):
    """The server does not let us in. Internal: the token is renewed.

    Attributes:
        certain: Whether it says that it is for the token.
    """

    def __init__(self, text: str, *, certain: bool) -> None:
        super().__init__(text)
        self.certain = certain


@dataclass(slots=True)
class Loss:
    """The end of a connection, to be waited for.

    Attributes:
        happened: Set once the connection has ended.
        reason: Why, for people.
        refused: The server's words, when it threw us out for the token.
    """

    happened: asyncio.Event = field(default_factory=asyncio.Event)
    reason: str = "the connection ended"
    refused: str | None = None

    def tell(self, reason: str, *, refused: str | None = None) -> None:
        """Note the end; only the first counts."""
        if not self.happened.is_set():
            self.reason, self.refused = reason, refused
            self.happened.set()


class LiveSocket(Protocol):
    """One connection, from the handshake to its end.

    Attributes:
        loss: Its end.
        protocol: The version of Engine.IO that it speaks.
    """

    loss: Loss
    protocol: Protocols

    async def emit(self, event: str, data: JsonValue) -> None:
        """Send an event.

        Raises:
            ConnectionLost: The connection has ended.
        """
        ...

    async def close(self) -> None:
        """Close, politely if it still stands. Bounded in time; safe twice."""
        ...


@asynccontextmanager
async def closed_unless_open(socket: LiveSocket) -> AsyncGenerator[None]:
    """Close a socket whose opening, the block, fails or is cancelled.

    Args:
        socket: The socket.
    """
    try:
        yield
    except BaseException:
        # Whoever cancels us does so at each await, and this one has to be come through.
        with anyio.CancelScope(shield=True):
            await socket.close()
        raise


def hide(text: str, token: SecretStr) -> str:
    """A text without the token, in the spelling that it has in the address, too: servers repeat what they refuse.

    Args:
        text: The server's words, not cut yet.
        token: The token.
    """
    secret = token.get_secret_value()
    for spelling in {secret, quote(secret, safe="")} - {""}:
        text = text.replace(spelling, "[token]")
    return text


def words(value: object, address: Address) -> str:
    """The server's words in a refusal: a text, or an object with a message; cut short, in one line.

    Args:
        value: What it sent.
        address: Where we were refused.
    """
    if isinstance(value, dict):
        value = cast("dict[str, object]", value).get("message")
    text = hide(value, address.token) if isinstance(value, str) else ""
    return " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * _WORDS]).split())[:_WORDS]


def about_token(text: str) -> bool:
    """Whether a refusal is about the token. Known is `Invalid access token` (source: ZIWO's Zendesk app)."""
    return "token" in text.lower()


def refusal(text: str, address: Address) -> TokenRefused:
    """The error for a refusal after the handshake.

    Args:
        text: The server's words.
        address: Where.
    """
    return TokenRefused(f"{address.shown} lets us not in: {text or 'no reason given'}", certain=about_token(text))


def handshake_error(status: int, protocol: Protocols, address: Address) -> CannotConnect:
    """The error for an HTTP answer in place of a websocket.

    Args:
        status: HTTP status code.
        protocol: What was offered.
        address: Where.
    """
    if status == 400:
        # Socket.IO's own: {"code": 5, "message": "Unsupported protocol version"}; its body is not to be had here.
        return ProtocolRefused(f"{address.shown} does not speak Engine.IO {protocol} (HTTP 400)")
    if status in (401, 403):
        return TokenRefused(f"{address.shown} refuses the access token (HTTP {status})", certain=True)
    return CannotConnect(f"{address.shown} answers with HTTP {status} instead of a websocket")
