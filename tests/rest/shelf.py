"""One file behind a route, served with ranges as a good server does, or as a bad one does."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from aiohttp import web

from ziwo_async.rest.models.recording import Progress

CALL = "0d5e2c1a-7c1f-4f5e-9a53-2f8f0c9b7d11"
SURVEILLANCE = f"/surveillance/recordings/{CALL}.mp3"
SIGNED = f"/callHistory/{CALL}/recording/signed-url"
HISTORY = f"/callHistory/{CALL}/recording"


def mp3(size: int, seed: int = 1) -> bytes:
    """Bytes that begin as an mp3 does."""
    return (b"\xff\xfb\x90\x00" + random.Random(seed).randbytes(size))[:size]


@dataclass
class Shelf:
    """A handler for `Ziwo.on`.

    Attributes:
        data: The file.
        headers: What is said of it.
        ranges: Whether ranges are known.
        careless: Whether `If-Range` is ignored.
        told: Whether the length is told.
        cuts: For each of the next requests, after how many bytes of its body the connection ends; None: it does not.
        reset: Whether it ends hard.
        content_range: What is said instead of the truth.
        not_ready: How many requests are answered with 404 first.
        asked: The headers of each request.
        watched: Whether `watch` is the progress callback.

    Then a connection ends only after the client has taken what came before: aiohttp forgets what it has not given yet
    when the connection ends.
    """

    data: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "audio/mpeg", "ETag": '"v1"'})
    ranges: bool = True
    careless: bool = False
    told: bool = True
    cuts: list[int | None] = field(default_factory=list)
    reset: bool = False
    content_range: str | None = None
    not_ready: int = 0
    asked: list[dict[str, str]] = field(default_factory=list)
    watched: bool = False
    _received: int = 0
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def watch(self, progress: Progress) -> None:
        self._received = progress.received
        self._moved.set()

    async def _taken(self, count: int) -> None:
        async with asyncio.timeout(10):
            while self._received < count:
                self._moved.clear()
                await self._moved.wait()

    @property
    def starts(self) -> list[int | None]:
        """Where each request wanted to begin; None: no range."""
        found = [headers.get("Range") for headers in self.asked]
        return [None if value is None else int(value.removeprefix("bytes=").removesuffix("-")) for value in found]

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.headers))
        if self.not_ready:
            self.not_ready -= 1
            return web.json_response({"result": False, "error": {"message": "no such file"}}, status=404)
        start, status, headers = self.starts[-1], 200, dict(self.headers)
        validator = headers.get("ETag") or headers.get("Last-Modified")
        if start is not None and self.ranges and (self.careless or request.headers.get("If-Range") == validator):
            if start >= len(self.data):
                return web.Response(status=416, headers={"Content-Range": f"bytes */{len(self.data)}"})
            status = 206
            told = f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
            headers["Content-Range"] = self.content_range or told
        else:
            start = 0
        body = self.data[start:]
        response = web.StreamResponse(status=status, headers=headers)
        if self.told:
            response.content_length = len(body)
        else:
            response.enable_chunked_encoding()
        await response.prepare(request)
        cut = self.cuts.pop(0) if self.cuts else None
        await response.write(body if cut is None else body[:cut])
        if cut is not None:
            if self.watched and cut >= 16:
                await self._taken(start + cut)
            assert request.transport is not None
            if self.reset:
                request.transport.abort()
            else:
                request.transport.close()
        return response


class Endless:
    """A handler whose body begins as sound does, and never ends.

    Attributes:
        piece: What is sent over and over.
        pause: Seconds between two pieces.
        began: Set when the first piece is out.
    """

    def __init__(self, piece: bytes = b"\xff\xfb\x90\x00" * 16384, pause: float = 0.0, **headers: str) -> None:
        self.piece = piece
        self.pause = pause
        self.headers = {"Content-Type": "audio/mpeg", "ETag": '"v1"', **headers}
        self.began = asyncio.Event()
        self.sent = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=self.headers)
        response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            while True:
                await response.write(self.piece)
                self.sent += len(self.piece)
                self.began.set()
                await asyncio.sleep(self.pause)
        except ConnectionError:
            return response  # the client hangs up: that is the point
