"""Streams of server-sent events: counted, limited, and ended with their server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress

from aiohttp import web

__all__ = ["Stream", "Streams", "message"]

# Seconds that one write may take: a page that reads nothing for so long is gone.
_SLOWEST_WRITE = 30.0


def message(event: str, data: Mapping[str, object] | str, *, id: str | None = None) -> bytes:  # noqa: A002 - its name in the standard
    """Write one event.

    Args:
        event: Its type.
        data: What it tells: JSON, or what is written as ASCII JSON already.
        id: Its id, if it has one.
    """
    # ASCII JSON has no line break in it, so one line is one message.
    text = data if isinstance(data, str) else json.dumps(data)
    return f"{f'id: {id}' + chr(10) if id else ''}event: {event}\ndata: {text}\n\n".encode()


class Stream:
    """One open stream."""

    def __init__(self, response: web.StreamResponse) -> None:
        """Made by `Streams`."""
        self.response = response

    async def write(self, data: bytes) -> None:
        """Write, and wait until there is room for more.

        Raises:
            TimeoutError: The page does not read.
            ConnectionError: It went away.
        """
        async with asyncio.timeout(_SLOWEST_WRITE):
            await self.response.write(data)


class Streams:
    """The open streams of a server.

    Attributes:
        ending: Whether they are to end.
    """

    def __init__(self, most: int) -> None:
        """Make an empty set.

        Args:
            most: How many may be open at once.
        """
        self._most = most
        self._open = 0
        self.ending = False

    def __len__(self) -> int:
        return self._open

    @asynccontextmanager
    async def opened(self, request: web.Request, *, headers: Mapping[str, str] | None = None) -> AsyncGenerator[Stream]:
        """Open a stream; it ends with the block. A page that goes away, or does not read, ends the block quietly.

        Args:
            request: Who asks for it.
            headers: More headers of the answer.

        Raises:
            HTTPServiceUnavailable: Too many are open.
        """
        if self._open >= self._most:
            raise web.HTTPServiceUnavailable(text="Too many open pages.")
        # A proxy must not hold events back until it has a buffer full.
        own = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
        stream = Stream(web.StreamResponse(headers={**(headers or {}), **own}))
        self._open += 1
        try:
            await stream.response.prepare(request)
            with suppress(ConnectionError):
                yield stream
        except TimeoutError:
            # Its buffer is full, so there is no room for a goodbye either.
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._open -= 1
