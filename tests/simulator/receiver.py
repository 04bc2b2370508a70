"""Somebody's web service that ZIWO calls: aiohttp, and nothing of the package's own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from ziwo_async.simulator import SimNumber, World

KEY = "0123456789abcdef-key"
DID = "061234567"


class Received:
    """One request."""

    def __init__(self, request: web.Request) -> None:
        self.path = request.path
        self.headers = request.headers
        self.data: Any = None

    @property
    def keys(self) -> list[str]:
        return self.headers.getall("X-API-KEY", [])


class Receiver:
    """Knows its key, answers with `rules`, and keeps every request."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[Received] = []
        self.content: dict[str, Any] = {"rules": []}
        self.reply: Callable[[], web.Response] | None = None
        self.hangs = False
        self.released = asyncio.Event()
        self.began = asyncio.Event()

    def rules(self, *rules: dict[str, Any], **beside: Any) -> None:
        self.content = {"rules": list(rules), **beside}

    def of(self, path: str) -> list[Received]:
        return [one for one in self.received if one.path == path]

    async def handle(self, request: web.Request) -> web.Response:
        one = Received(request)
        self.received.append(one)
        self.began.set()
        with contextlib.suppress(Exception):  # of what is broken nothing is kept
            one.data = dict(await request.post()) if "json" not in request.content_type else await request.json()
        if self.hangs:
            await self.released.wait()
        if one.keys != [KEY]:
            return web.json_response({"result": False, "error": {"message": "no"}, "info": {}}, status=401)
        if self.reply is not None:
            return self.reply()
        content = {"didCalled": DID, **self.content} if request.path == "/startCall" else {}
        return web.json_response({"result": True, "content": content, "info": {}})


@asynccontextmanager
async def receiver() -> AsyncGenerator[Receiver]:
    service, app = Receiver(), web.Application(client_max_size=256 * 1024)
    app.router.add_post("/{path:.*}", service.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield service
    finally:
        service.released.set()
        await runner.cleanup()


def linked(world: World, service: Receiver | str, **fields: str | int | None) -> SimNumber:
    """A number that leads to a tracker whose services are these."""
    url = service if isinstance(service, str) else service.url
    given: dict[str, str | int | None] = {
        "startRequestURL": f"{url}/startCall",
        "startRequestAPIKey": KEY,
        "endRequestURL": f"{url}/endCall",
        "endRequestAPIKey": KEY,
        **fields,
    }
    return world.add_number(DID, link=world.add_tracker("CT", **given))


def call(number: str, **fields: Any) -> dict[str, Any]:
    return {"action": "call", "number": number, **fields}
