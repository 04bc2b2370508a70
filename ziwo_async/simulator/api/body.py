"""The body of a request: a form or a JSON object. What cannot be read is refused, as a real API does."""

from __future__ import annotations

import json
import zlib
from typing import Any, cast

from aiohttp import web
from aiohttp.http import HttpProcessingError

from ...verto.frames import JsonObject
from .envelopes import Refused

__all__ = ["read_fields"]

# What aiohttp and Python raise for bodies that are broken, or are not what their headers say.
_UNREADABLE = (
    ValueError,
    LookupError,
    RuntimeError,
    AssertionError,
    zlib.error,
    web.RequestPayloadError,
    HttpProcessingError,
)


async def read_fields(http: web.Request) -> JsonObject:
    """Read the fields of a body; none when there is no body, or JSON that is no object.

    Raises:
        Refused: The body is not what its headers say, or holds a file.
    """
    if http.content_type == "application/json":
        return await _json(http)
    try:
        form = dict(await http.post())
    except _UNREADABLE:
        raise Refused(400, "Invalid form") from None
    for name, value in form.items():
        if not isinstance(value, str):
            raise Refused(400, f"{name} must be a text")
    return form


async def _json(http: web.Request) -> JsonObject:
    try:
        body: Any = json.loads(await http.text())
        # Neither NaN and infinity nor halves of characters can be sent back.
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except _UNREADABLE:
        raise Refused(400, "Invalid JSON") from None
    return cast("JsonObject", body) if isinstance(body, dict) else {}
