"""The HTTP server: listening, what happens around every request, and the routes of all subjects."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from ..journal import Journal, JournalEntry
from ..live.server import PATHS as LIVE_PATHS
from ..people import SimAgent
from . import (
    account,
    agents,
    calls,
    crm,
    cti,
    directory,
    eavesdrop,
    recordings,
    skills,
    static,
    statistics,
    trackers,
)
from .ask import Ask, Route
from .envelopes import Page, Refused, content, error
from .quirks import Quirks
from .signed import SignedFiles

if TYPE_CHECKING:
    from ..clock import Clock
    from ..faults import Faults
    from ..live import LiveServer
    from ..options import ServerOptions
    from ..world import World

__all__ = ["Rest"]

_ROUTES: tuple[Route, ...] = (
    *account.ROUTES,
    *agents.ROUTES,
    *directory.ROUTES,
    *calls.ROUTES,
    *recordings.ROUTES,
    *eavesdrop.ROUTES,
    *trackers.ROUTES,
    *crm.ROUTES,
    *cti.ROUTES,
    *skills.ROUTES,
    *statistics.ROUTES,
    *static.ROUTES,
)
_MOST_TOKENS = 10_000
_LARGEST_BODY = 8 * 1024 * 1024
_NO_TOKEN = "Invalid access token"  # noqa: S105


class Rest:
    """The HTTP server. `faults`, `live` and `verto_port` are set by `Simulator` before it listens.

    Attributes:
        world: The contact centre.
        clock: Time.
        options: Settings of the server.
        quirks: Ways of answering; change them at any time.
        signed: The other origin, to which signed URLs lead.
    """

    faults: Faults
    live: LiveServer | None
    verto_port: int

    def __init__(self, world: World, clock: Clock, journal: Journal, options: ServerOptions) -> None:
        self.world = world
        self.clock = clock
        self.options = options
        self.quirks = Quirks()
        self.signed = SignedFiles(self)
        self._journal = journal
        self._tokens: dict[str, SimAgent] = dict(world.tokens)
        self._runner: web.AppRunner | None = None
        self._address = ("127.0.0.1", 0)

    @property
    def api_url(self) -> str:
        """Base URL of the API, without a slash at the end."""
        return "http://{}:{}".format(*self._address)

    async def listen(self, host: str, port: int) -> int:
        """Start to listen; gives the port."""

        @web.middleware
        async def around(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            return await self._around(request, handler)

        app = web.Application(middlewares=[around], client_max_size=_LARGEST_BODY)
        for route in _ROUTES:
            answer = self._answerer(route)
            for path in route.paths:
                if route.method == "GET":
                    app.router.add_get(path, answer)  # and HEAD
                else:
                    app.router.add_route(route.method, path, answer)
        if self.live is not None:
            self.live.add_routes(app)
        # Nothing of a test outlives it: connections are not waited for when the simulator closes.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self._address = (host, int(self._runner.addresses[0][1]))
        await self.signed.listen(host)
        return self._address[1]

    async def close(self) -> None:
        """Stop listening and close every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
        await self.signed.close()

    # ---- tokens ----------------------------------------------------------------------------------------------

    def accept_token(self, token: str, agent: SimAgent) -> None:
        """Accept an access token that no login has handed out, such as the one of ZIWO's examples."""
        self._tokens[token] = agent
        if len(self._tokens) > _MOST_TOKENS:
            del self._tokens[next(iter(self._tokens))]

    def user_of(self, token: str) -> SimAgent | None:
        """Whose token it is; None: it is not accepted."""
        return self._tokens.get(token)

    def forget_token(self, token: str) -> None:
        """The token ends."""
        self._tokens.pop(token, None)

    def expire_tokens(self) -> None:
        """Forget every access token."""
        self._tokens.clear()

    # ---- around every request --------------------------------------------------------------------------------

    async def _around(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if self.live is not None and request.path in LIVE_PATHS:
            return await handler(request)  # the live socket has faults and a journal of its own
        response = await self._answer(request, handler)
        late = self.faults.http_lateness(request.path)
        if late > 0:
            await asyncio.sleep(late)
        agent = self._tokens.get(request.headers.get("access_token", ""))
        entry = f"{request.method} {request.path} {response.status}"
        self._journal.add(
            JournalEntry(
                self.clock.monotonic(), "http", request.remote or "", agent.ccLogin if agent is not None else "", entry
            )
        )
        return response

    async def _answer(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        late = self.faults.http_delay(request.path)
        if late > 0:
            await asyncio.sleep(late)
        scripted = self.faults.take_http(request.path)
        if scripted is not None:
            headers = scripted.headers
            if isinstance(scripted.body, dict):
                return web.json_response(scripted.body, status=scripted.status, headers=headers)
            kind = {} if "Content-Type" in headers else {"Content-Type": "text/html; charset=utf-8"}
            return web.Response(text=scripted.body or "", status=scripted.status, headers={**headers, **kind})
        try:
            return await handler(request)
        except Refused as refused:
            return self._refusal(refused.status, refused.message)
        except web.HTTPException as problem:
            # Of an unknown path only those are told that it is unknown who may ask at all.
            if request.match_info.http_exception is not None and self._user(request) is None:
                return self._refusal(401, _NO_TOKEN)
            status = 404 if problem.status == 405 else problem.status
            return self._refusal(status, "Not Found" if status == 404 else problem.reason)

    def _answerer(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            ask = Ask(self, request, self._user(request, query=route.access == "recording"))
            await self._admit(route, ask)
            found = await route.handler(ask)
            if route.method != "GET":
                self.world.watch.poke()  # whatever it has changed, such as a name
            if isinstance(found, (dict, Page)):
                return content(found, self.quirks, self.faults.take_info())
            return found

        return answer

    async def _admit(self, route: Route, ask: Ask) -> None:
        if route.access == "key":
            await self._check_key(ask)
        elif route.access != "open" and route.right and route.right not in ask.agent.rights:
            raise Refused(403, f"You have no permission for this: {route.right}")
        elif route.access != "open":
            _ = ask.agent

    async def _check_key(self, ask: Ask) -> None:
        """The CTI key may be in the header, the query or the body (ZIWO developers page)."""
        given = ask.http.headers.get("api_key") or ask.text("api_key")
        if not given:
            given = str((await ask.fields()).get("api_key", ""))
        if not hmac.compare_digest(given.encode(errors="surrogatepass"), self.world.cti_key.encode()):
            raise Refused(401, "Invalid api_key")

    def _user(self, request: web.Request, *, query: bool = False) -> SimAgent | None:
        token = request.headers.get("access_token", "")
        if not token and query:
            token = request.query.get("access_token", "")
        return self._tokens.get(token)

    def _refusal(self, status: int, message: str) -> web.Response:
        return error(status, message, self.quirks, self.faults.take_info())
