"""Hooks served by aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import ClientError, StreamReader, web
from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDict

from .request import HookRequest, HookResponse, Refused

__all__ = ["route"]


def route(handle: Callable[[HookRequest], Awaitable[HookResponse]], path: str, name: str) -> web.RouteDef:
    """Give the route of a hook. For other methods than POST aiohttp itself answers.

    Args:
        handle: Answers a request.
        path: The path, prefix included.
        name: The path without the prefix.
    """

    async def answer(request: web.Request) -> web.Response:
        content = request.content
        response = await handle(
            HookRequest(
                request.method,
                name,
                request.raw_headers,
                _chunks(content),
                whole=content.read_nowait() if content.is_eof() and content.exception() is None else None,
                arrived=asyncio.get_running_loop().time(),
            )
        )
        headers = CIMultiDict(response.headers)
        if "Connection" not in headers:
            return web.Response(status=response.status, body=response.body, headers=headers)
        last = _LastResponse(response, headers, request.protocol if "Content-Encoding" in request.headers else None)
        last.force_close()
        return last

    return web.post(path, answer)


class _LastResponse(web.Response):
    """Ends the connection: at once if there is a protocol, else after aiohttp has read on for a while.

    Of a compressed body it would unpack what it reads: a small one can keep it busy for seconds.
    """

    def __init__(self, response: HookResponse, headers: CIMultiDict[str], protocol: RequestHandler | None) -> None:
        super().__init__(status=response.status, body=response.body, headers=headers)
        self._protocol = protocol

    async def write_eof(self, data: bytes = b"") -> None:
        await super().write_eof(data)
        if self._protocol is not None:
            self._protocol.force_close()


async def _chunks(content: StreamReader) -> AsyncIterator[bytes]:
    try:
        async for chunk in content.iter_any():
            yield chunk
    except (ClientError, web.RequestPayloadError, ConnectionError):
        # It ended in the middle, or its chunks make no sense.
        raise Refused(400) from None
