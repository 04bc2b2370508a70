"""A phone inside a web service that owns its event loop and its HTTP session.

    ziwo simulate                                    # in one terminal; it prints the three variables
    python examples/embedding_in_a_service.py        # in another one
    curl -N http://127.0.0.1:8056/events             # in a third: the calls, as server-sent events
    curl http://127.0.0.1:8056/health

The service lends its aiohttp session to the client, starts the phone with the application and closes it with the
application. Every dialog event goes as a CloudEvent to an in-process bus, and from there to whoever listens.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import aiohttp
from aiohttp import web

from ziwo_async import Call, DialogEvent, Ringing, Router, ZiwoClient

CloudEvent = dict[str, Any]


class Bus:
    """Hands every CloudEvent to every listener; a listener that does not keep up loses the oldest."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[CloudEvent]] = set()

    def publish(self, event: CloudEvent) -> None:
        """Hand an event to every listener, without waiting for any."""
        for listener in self._listeners:
            if listener.full():
                listener.get_nowait()
            listener.put_nowait(event)

    def listen(self) -> asyncio.Queue[CloudEvent]:
        """Begin to listen; `forget` must follow."""
        listener: asyncio.Queue[CloudEvent] = asyncio.Queue(maxsize=1000)
        self._listeners.add(listener)
        return listener

    def forget(self, listener: asyncio.Queue[CloudEvent]) -> None:
        """Stop listening."""
        self._listeners.discard(listener)


BUS = web.AppKey("bus", Bus)
ZIWO = web.AppKey("ziwo", ZiwoClient)
router = Router()


@router.during(Ringing)
async def answer(call: Call, event: Ringing) -> None:
    await call.answer()


async def forward(ziwo: ZiwoClient, bus: Bus) -> None:
    async with ziwo.events(DialogEvent, buffer=1000, overflow="drop_oldest") as events:
        async for event in events:
            bus.publish(event.to_cloudevent(source="/acme/phone"))


async def phone(app: web.Application) -> AsyncIterator[None]:
    """Cleanup context: the phone lives as long as the application."""
    async with aiohttp.ClientSession() as http, ZiwoClient.from_env(http=http, router=router) as ziwo:
        app[ZIWO] = ziwo
        forwarding = asyncio.create_task(forward(ziwo, app[BUS]))
        try:
            async with ziwo.phone:
                yield
            await forwarding  # the stream ends with the phone, after the last event
        finally:
            forwarding.cancel()


async def health(request: web.Request) -> web.Response:
    ziwo = request.app[ZIWO]
    return web.json_response({"ready": ziwo.phone.ready, "calls": [call.id for call in ziwo.phone.calls]})


async def events(request: web.Request) -> web.StreamResponse:
    """Server-sent events: one CloudEvent each."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    bus = request.app[BUS]
    listener = bus.listen()
    try:
        with suppress(ConnectionResetError):  # the listener went away
            while True:
                event = await listener.get()
                await response.write(f"id: {event['id']}\ndata: {json.dumps(event)}\n\n".encode())
    finally:
        bus.forget(listener)
    return response


def make_app() -> web.Application:
    app = web.Application()
    app[BUS] = Bus()
    app.cleanup_ctx.append(phone)
    app.add_routes([web.get("/health", health), web.get("/events", events)])
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8056")), shutdown_timeout=0.5)
