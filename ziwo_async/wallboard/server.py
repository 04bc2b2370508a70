"""The server of the wallboard's page: a few files, a session, and one stream of changes for each page."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from importlib.resources import files
from types import TracebackType
from typing import Protocol, Self

from aiohttp import web

from ..serving.gate import Gate
from ..serving.streams import Stream, Streams, message
from .board import Board

__all__ = ["FeedState", "WallboardServer"]

_PAGE = {
    "": "index.html",
    **{name: name for name in ("board.css", "board.js", "icon.svg", "list.js", "main.js", "rows.js", "text.js")},
}
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_HEADERS = {
    # Inline scripts and other hosts are refused, and so is any text that would be parsed as HTML.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
# Seconds. The page takes 8 s of silence for a lost server.
_HEARTBEAT = 2.0
# Changes within so many seconds are one message.
_PACE = 0.1
_MAX_STREAMS = 16


class FeedState(Protocol):
    """What the server asks about where the rows come from."""

    @property
    def live(self) -> bool:
        """Whether the rows are kept up to date."""
        ...

    @property
    def at(self) -> float | None:
        """When the last news came (seconds since 1970), if ever."""
        ...

    @property
    def notes(self) -> dict[str, str]:
        """What is not told, and why, by the kind of row."""
        ...


class WallboardServer:
    """Serves a board on 127.0.0.1, from `async with` on.

    Attributes:
        gate: Who may see it; it has the token.
    """

    def __init__(self, board: Board, feed: FeedState, *, title: str, port: int = 0) -> None:
        """Make a server; no I/O happens yet.

        Args:
            board: The rows.
            feed: Whether they are up to date.
            title: What the page is called, such as the name of the contact centre.
            port: Where to listen; 0 for any free port.
        """
        self.gate = Gate("ziwo_wallboard")
        self._board = board
        self._feed = feed
        self._title = title
        self._wanted_port = port
        self._port = 0
        self._streams = Streams(_MAX_STREAMS)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The address of the page, without the token."""
        return f"http://127.0.0.1:{self._port}/"

    @property
    def link(self) -> str:
        """The address that opens the page: with the token, in the part that browsers do not send. A secret."""
        return f"{self.url}#token={self.gate.token.get_secret_value()}"

    def __repr__(self) -> str:
        return f"<WallboardServer {self.url}>"

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            OSError: The port is taken, or may not be used.
        """
        app = web.Application(middlewares=[self._guard])
        app.on_response_prepare.append(_add_headers)
        app.on_shutdown.append(self._end_streams)
        for path, name in _PAGE.items():
            app.router.add_get(f"/{path}", _file(name))
        app.router.add_get("/session", self._session)
        app.router.add_post("/session", self.gate.enter)
        app.router.add_get("/stream", self._stream, allow_head=False)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
        try:
            await self._runner.setup()
            site = web.TCPSite(self._runner, "127.0.0.1", self._wanted_port)
            await site.start()
        except BaseException:
            await self._runner.cleanup()
            raise
        self._port = self._runner.addresses[0][1]
        self.gate.serve_on(self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _end_streams(self, app: web.Application) -> None:
        del app
        self._streams.ending = True
        self._board.touch()

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.gate.check_names(request, first=request.path == "/" and request.method == "GET")
        return await handler(request)

    async def _session(self, request: web.Request) -> web.Response:
        self.gate.check_session(request)
        return web.Response(status=204)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        self.gate.check_session(request)
        async with self._streams.opened(request) as stream:
            await self._send_changes(stream)
        return stream.response

    async def _send_changes(self, stream: Stream) -> None:
        everything = self._board.difference({})
        seen = self._board.seen()
        await self._send(stream, {**everything, "full": True, "title": self._title})
        last, live = time.monotonic(), self._feed.live
        while not self._streams.ending:
            await self._board.wait(_HEARTBEAT)
            await asyncio.sleep(_PACE)
            changes = self._board.difference(seen)
            seen = self._board.seen()
            if changes or self._feed.live != live or time.monotonic() - last >= _HEARTBEAT:
                live = self._feed.live
                await self._send(stream, {**changes})
                last = time.monotonic()

    async def _send(self, stream: Stream, told: dict[str, object]) -> None:
        told |= {
            "now": time.time(),
            "live": self._feed.live,
            "at": self._feed.at,
            "notes": self._feed.notes,
            "hidden_calls": self._board.hidden_calls,
        }
        await stream.write(message("board", told))


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    del request
    response.headers.update(_HEADERS)
    response.headers.pop("Server", None)


def _file(name: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    body = files("ziwo_async.wallboard").joinpath("page", name).read_bytes()
    content_type = _TYPES[name.rpartition(".")[2]]

    async def give(request: web.Request) -> web.Response:
        del request
        return web.Response(body=body, content_type=content_type, charset=None if "svg" in content_type else "utf-8")

    return give
