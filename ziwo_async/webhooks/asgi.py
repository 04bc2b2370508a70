"""Hooks as an ASGI application (ASGI 3, https://asgi.readthedocs.io), without a framework."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from typing import Any, TypeAlias, cast

from .request import HookRequest, HookResponse, Refused

__all__ = ["AsgiApp"]

# ASGI servers and frameworks write their own types with Any, and these must fit them.
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class AsgiApp:
    """An ASGI application, to be served alone or mounted into another one."""

    def __init__(
        self,
        handle: Callable[[HookRequest], Awaitable[HookResponse]],
        close: Callable[[], Awaitable[None]],
        prefix: str,
    ) -> None:
        """Make it.

        Args:
            handle: Answers a request.
            close: Called when the server ends.
            prefix: What stands before the paths.
        """
        self._handle = handle
        self._close = close
        self._prefix = prefix

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection.

        Args:
            scope: What it is.
            receive: Gives what comes.
            send: Takes what goes.
        """
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        pairs = cast("Iterable[tuple[bytes, bytes]]", scope["headers"])
        request = HookRequest(
            str(scope["method"]),
            self._path_of(scope),
            [(bytes(name), bytes(value)) for name, value in pairs],
            _chunks(receive),
            whole=None,
            arrived=asyncio.get_running_loop().time(),
        )
        response = await self._handle(request)
        fields = [(name.lower().encode(), value.encode()) for name, value in response.headers]
        if str(scope.get("http_version", "1.1")) >= "2":
            # There a connection carries other requests too, and the header is forbidden.
            fields = [field for field in fields if field[0] != b"connection"]
        fields.append((b"content-length", b"%d" % len(response.body)))
        await send({"type": "http.response.start", "status": response.status, "headers": fields})
        await send({"type": "http.response.body", "body": response.body})

    def _path_of(self, scope: Message) -> str:
        path = str(scope["path"])
        raw = cast("object", scope.get("raw_path"))
        if path.endswith("/") and isinstance(raw, bytes) and not raw.endswith(b"/"):
            # Litestar takes away what we are mounted under, and adds a slash.
            path = path[:-1]
        # What a framework mounted us under is in the path, by the standard; older ones have taken it away.
        for start in (str(scope.get("root_path") or "").rstrip("/"), self._prefix):
            if start and path.startswith(start + "/"):
                path = path[len(start) :]
            elif start and start == self._prefix:
                return ""
        return path

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._close()
                await send({"type": "lifespan.shutdown.complete"})
                return


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] != "http.request":
            # The client has gone. What is answered then goes nowhere, by the standard.
            raise Refused(400)
        yield bytes(message.get("body", b""))
        if not message.get("more_body", False):
            return
