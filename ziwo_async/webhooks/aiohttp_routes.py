"""Hooks served by aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from aiohttp import ClientError, StreamReader, web

from .request import HookRequest, HookResponse, Refused

__all__ = ["routes"]


def routes(
    handle: Callable[[HookRequest], Awaitable[HookResponse]], paths: Sequence[str], *, skip: int
) -> list[web.RouteDef]:
    """Give a route for each path. For other methods than POST aiohttp itself answers.

    Args:
        handle: Answers a request.
        paths: The paths, prefix included.
        skip: The length of the prefix.
    """

    async def answer(request: web.Request) -> web.Response:
        content = request.content
        response = await handle(
            HookRequest(
                method=request.method,
                path=request.path[skip:],
                headers=request.raw_headers,
                chunks=_chunks(content),
                whole=content.read_nowait() if content.is_eof() and content.exception() is None else None,
                arrived=asyncio.get_running_loop().time(),
            )
        )
        return web.Response(status=response.status, body=response.body, headers=response.headers)

    return [web.post(path, answer) for path in paths]


async def _chunks(content: StreamReader) -> AsyncIterator[bytes]:
    try:
        async for chunk in content.iter_any():
            yield chunk
    except (ClientError, web.RequestPayloadError, ConnectionError):
        # It ended in the middle, or its chunks make no sense.
        raise Refused(400) from None
