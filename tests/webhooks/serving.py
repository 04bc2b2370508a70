"""A service of hooks on a real server, and requests byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import uvicorn
from aiohttp import web

from ziwo_async.webhooks import CdrHook, TrackerService

__all__ = ["KEY", "SERVERS", "Reply", "form", "post", "read_reply", "send", "serve"]

KEY = "0123456789-the-key-of-the-tests"
SERVERS = ("aiohttp", "uvicorn")
LIMIT = 30.0


class _Server(uvicorn.Server):
    """Leaves the signals alone, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: object = None) -> None:
        await super().startup(sockets)  # type: ignore[arg-type]
        self.listens.set()


@asynccontextmanager
async def serve(service: TrackerService | CdrHook, server: str, prefix: str = "") -> AsyncIterator[int]:
    """Serve on a free port of loopback; gives it."""
    if server == "aiohttp":
        app = web.Application()
        app.add_routes(service.routes(prefix))
        # Longer than any test waits: what ends a connection is then not aiohttp's patience.
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, lingering_time=120.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()
            await service.aclose()
        return
    config = uvicorn.Config(
        service.asgi(prefix),
        host="127.0.0.1",
        port=0,
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    running = _Server(config)
    task = asyncio.create_task(running.serve())
    try:
        async with asyncio.timeout(LIMIT):
            await running.listens.wait()
        yield running.servers[0].sockets[0].getsockname()[1]
    finally:
        running.should_exit = True
        await task


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    """Read one response."""
    async with asyncio.timeout(LIMIT):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Reply(int(head[0].split()[1]), headers, body)


async def send(port: int, request: bytes) -> Reply:
    """Send bytes as they are, and read the response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await read_reply(reader)
    finally:
        writer.close()


def form(**fields: str) -> tuple[bytes, bytes]:
    """The body that `curl --form` sends, and its content type."""
    mark = "------------------------d74496d66958873e"
    parts = (
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    return f"{''.join(parts)}--{mark}--\r\n".encode(), f"multipart/form-data; boundary={mark}".encode()


def post(
    path: str,
    body: bytes,
    content_type: bytes = b"application/json",
    *,
    keys: tuple[bytes, ...] = (KEY.encode(),),
    more: bytes = b"",
) -> bytes:
    """A POST as bytes, with any number of `X-API-Key` headers."""
    head = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: %s\r\n" % (path.encode(), content_type)
    head += b"".join(b"X-API-Key: %s\r\n" % key for key in keys)
    return head + b"Content-Length: %d\r\n%s\r\n" % (len(body), more) + body
