"""Where the phone's websocket listens."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from ...config import check_url
from .base import Model

__all__ = ["WebSocketAddress", "WebrtcConfig"]


class WebSocketAddress(Model):
    """Where the phone's websocket listens, on the host of the REST API.

    Attributes:
        protocol: `wss` (`ws` only makes sense on loopback).
        port: TCP port, 8082 at ZIWO.
    """

    protocol: Literal["wss", "ws"]
    port: int = Field(ge=1, le=65535)

    @field_validator("protocol", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


class WebrtcConfig(Model):
    """Content of `GET /fs/webrtc/config` (source: official web client).

    Attributes:
        web_socket: Scheme and port of the phone's websocket.
    """

    web_socket: WebSocketAddress

    def verto_url(self, api_url: str) -> str:
        """Give the websocket address: this protocol and port, on the host of the REST API.

        Args:
            api_url: The address of the REST API.

        Raises:
            ConfigError: The server says `ws` and the host is not loopback: a password must not go over it.
        """
        host = urlsplit(api_url).hostname or ""
        shown = f"[{host}]" if ":" in host else host
        url = f"{self.web_socket.protocol}://{shown}:{self.web_socket.port}"
        return check_url(url, scheme="wss", what="the phone address that the server tells (/fs/webrtc/config)")
