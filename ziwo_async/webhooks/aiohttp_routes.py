"""Hooks served by aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import ClientError, StreamReader, web
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
        made = web.Response(status=response.status, body=response.body, headers=CIMultiDict(response.headers))
        if "Connection" in made.headers:
            made.force_close()
        return made

    return web.post(path, answer)


async def _chunks(content: StreamReader) -> AsyncIterator[bytes]:
    try:
        async for chunk in content.iter_any():
            yield chunk
    except (ClientError, web.RequestPayloadError, ConnectionError):
        # It ended in the middle, or its chunks make no sense.
        raise Refused(400) from None
