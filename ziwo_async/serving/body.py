"""Bodies of requests: JSON objects, bounded in size and time."""

from __future__ import annotations

import asyncio
import json
from typing import cast

from aiohttp import web

__all__ = ["read_object"]

_MAX_BODY = 4096
# Seconds.
_SLOWEST = 10.0


async def read_object(request: web.Request) -> dict[str, object]:
    """Read a JSON object.

    Raises:
        HTTPUnsupportedMediaType: It is sent as something else. A form of another site cannot send JSON.
        HTTPRequestEntityTooLarge: It has more than 4 KiB.
        HTTPRequestTimeout: It did not come within 10 s.
        HTTPBadRequest: It is no JSON object, or ends in the middle.
    """
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="Expected JSON.")
    body = bytearray()
    try:
        async with asyncio.timeout(_SLOWEST):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > _MAX_BODY:
                    raise web.HTTPRequestEntityTooLarge(max_size=_MAX_BODY, actual_size=len(body))
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="The body did not come.") from None
    except (web.RequestPayloadError, ConnectionError):
        raise web.HTTPBadRequest(text="The body is not what it says it is.") from None
    try:
        found: object = json.loads(bytes(body))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise web.HTTPBadRequest(text="Expected a JSON object.")
    return cast("dict[str, object]", found)
