"""Bytes of a file as an answer: ranges, entity tags, and a connection that is cut in the middle."""

from __future__ import annotations

import asyncio
import re
import zlib
from typing import TYPE_CHECKING

from aiohttp import web

from ..tcp import send_reset

if TYPE_CHECKING:
    from ..http_faults import HttpFaults

__all__ = ["send_bytes"]

_CHUNK = 64 * 1024
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


async def send_bytes(request: web.Request, data: bytes, content_type: str, faults: HttpFaults) -> web.StreamResponse:
    """Send a file, or the range of it that was asked for.

    Several ranges, or a range that is not understood, are ignored: the whole file is sent (RFC 9110).
    """
    tag = f'"{len(data):x}-{zlib.crc32(data):08x}"'
    headers = {"ETag": tag, "Accept-Ranges": "bytes", "Content-Type": content_type}
    begin, end, status = 0, len(data), 200
    asked = _RANGE.fullmatch(request.headers.get("Range", ""))
    if asked is not None and request.headers.get("If-Range", tag) == tag and any(asked.groups()):
        first, last = asked.groups()
        begin = int(first) if first else max(len(data) - int(last), 0)
        end = min(int(last) + 1, len(data)) if first and last else len(data)
        if begin >= end:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
        status = 206
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{len(data)}"
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = end - begin
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    cut = faults.take_cut()
    stop = end if cut is None else min(begin + cut, end)
    try:
        await _write(response, memoryview(data)[begin:stop])
    except ConnectionError:
        return response  # the client has gone
    if cut is not None and isinstance(request.transport, asyncio.Transport):
        send_reset(request.transport)
    return response


async def _write(response: web.StreamResponse, data: memoryview) -> None:
    for at in range(0, len(data), _CHUNK):
        await response.write(data[at : at + _CHUNK])
