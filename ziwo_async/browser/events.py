"""BrowserEvents: the calls of a client, for web pages: a script, a stream of events, and commands where allowed."""

from __future__ import annotations

import hashlib
import hmac
import inspect
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib.resources import files
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from aiohttp import web

from ..dispatch.owner import TaskOwner
from ..errors import ConfigError
from ..events import STATE_EVENTS, DialogEvent, Event, SessionEvent
from ..serving.body import read_object
from ..serving.gate import Gate
from ..serving.streams import Stream, Streams, message
from .backlog import Backlog
from .control import Control

if TYPE_CHECKING:
    from ..client import ZiwoClient
    from ..dispatch.streams import EventStream

__all__ = ["Allow", "BrowserEvents"]

_log = logging.getLogger("ziwo_async.browser")

Allow: TypeAlias = Callable[[web.Request], bool | Awaitable[bool]]
"""Says whether who sent a request may see the calls. May be async; may raise an HTTP error of aiohttp instead."""

SCRIPT = "ziwo-events.js"
_PREFIX = "/ziwo"
_COOKIE = "ziwo_events"
# Seconds. The page takes 15 s of silence for a lost server.
_HEARTBEAT = 5.0
_MAX_STREAMS = 64
_BUFFER = 10_000
# Events that one stream takes out of the backlog: a slow page must not keep more of them alive.
_AT_ONCE = 50
# Seconds that commands get when the end comes.
_LIMIT = 5.0
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BrowserEvents:
    """Tells web pages of a client's calls as ZIWO's web phone does: `_jorel-dialog-state-<state>` events on `window`.

    ```python
    async with ZiwoClient.from_env() as ziwo, BrowserEvents(ziwo) as events, ziwo.phone:
        events.add_to(app)      # then, in the page: <script src="/ziwo/ziwo-events.js"></script>
    ```

    Pages that stand on the same origin are told each event once, in order, also over a lost connection; many tabs of a
    browser share one connection. A page that is opened in the middle of a call is told the state that the call is in.
    (Source of the events: ZIWO developers page, "CRM Profile Pop-up".)
    """

    def __init__(
        self,
        client: ZiwoClient,
        *,
        allow: Allow | None = None,
        control: bool = False,
        origins: Iterable[str] = (),
        source: Literal["phone", "live"] = "phone",
        where: Callable[[DialogEvent], bool] | None = None,
    ) -> None:
        """Make it; no I/O happens yet.

        Args:
            client: Whose calls they are.
            allow: Who may see them, for a service that knows its users. By default who has the token, which is in
                `link()`.
            control: Whether pages may command the phone too: `detail.dialog` has `answer()`, `hangup()`, `hold()`,
                `unhold()`, `dtmf()` and `transfer()`, and `window['_jorel-callPhoneNumber'](number)` calls.
            origins: Where the pages are, such as `https://crm.example`. By default loopback alone.
            source: Whose calls are told: those of the client's own `phone`, or with `live` those of all agents. The
                live feed (`ziwo.live`) is started elsewhere.
            where: Which events are told; all by default. For instance, of the live feed,
                `lambda event: event.agent == "5555"`.

        Raises:
            ConfigError: An origin is none; or `control` is asked for over the live feed, which can only watch.
        """
        if source not in {"phone", "live"}:
            raise ConfigError(f"source must be phone or live, not {source!r}")
        if control and source == "live":
            raise ConfigError("control=True needs the client's own phone: over the live feed calls can only be watched")
        self._client = client
        self._allow = allow
        self._live_feed = source == "live"
        self._where = where
        self._gate = Gate(_COOKIE, origins=origins)
        self._backlog = Backlog()
        self._streams = Streams(_MAX_STREAMS)
        self._control = Control(client.phone, lambda: self.calls) if control else None
        self._control_token = secrets.token_urlsafe(32) if control else None
        self._owner = TaskOwner("browser", self._crashed)
        self._running = False
        self._over = False

    def __repr__(self) -> str:
        what = "live feed" if self._live_feed else "phone"
        return f"<BrowserEvents of the {what}, {len(self._streams)} streams, {len(self.calls)} calls>"

    # -- life ------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Begin to read the client's events. The phone may be started before or after.

        Raises:
            ConfigError: It was started before.
        """
        if self._running or self._over:
            raise ConfigError("BrowserEvents starts only once; make another")
        self._running = True
        source = self._client.live if self._live_feed else self._client
        stream = source.events(Event, buffer=_BUFFER)
        await stream.__aenter__()
        try:
            self._backlog.begin_anew(self._calls_of_the_phone())
            await self._owner.start()
            self._owner.spawn("read", self._read, stream)
        except BaseException:
            await stream.__aexit__(None, None, None)
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running = False
        self.end_streams()
        if self._control is not None:
            await self._control.aclose()
        await self._owner.aclose(_LIMIT)

    def end_streams(self) -> None:
        """End all streams, and open no more: a server that closes waits for them otherwise. `add_to` sees to it."""
        self._over = True
        self._streams.ending = True
        self._backlog.touch()

    async def _read(self, stream: EventStream[Event]) -> None:
        dropped = 0
        try:
            async for event in stream:
                if stream.dropped > dropped:
                    dropped = stream.dropped
                    # What the live feed has now is not known: its next events tell.
                    known = self.calls.values() if self._live_feed else self._calls_of_the_phone()
                    self._backlog.begin_anew(known)
                if isinstance(event, DialogEvent):
                    if self._wanted(event):
                        self._backlog.add(event)
                elif isinstance(event, SessionEvent):
                    self._backlog.touch()  # the phone may have gone, or come back
        finally:
            await stream.__aexit__(None, None, None)
            self._backlog.touch()

    def _wanted(self, event: DialogEvent) -> bool:
        try:
            return self._where is None or bool(self._where(event))
        except Exception:  # noqa: BLE001 - the user's own code; what it cannot judge is shown to nobody
            _log.exception("where= failed, so that an event of call %s is not told", event.call_id)
            return False

    def _calls_of_the_phone(self) -> list[DialogEvent]:
        if self._live_feed:
            return []
        told = [
            STATE_EVENTS.get(call.state, DialogEvent)(
                state=call.state,
                call_id=call.id,
                primary_call_id=call.primary_call_id,
                customer_number=call.customer_number,
                direction=call.direction,
                state_flow=call.state_flow,
                current_call=call.data,
            )
            for call in self._client.phone.calls
            if call.state_flow and not call.is_over
        ]
        return [event for event in told if self._wanted(event)]

    def _crashed(self, name: str, error: Exception) -> None:
        # The owner has logged it. Nothing comes any more, so the pages reconnect, and are told that it is over.
        del name, error
        self.end_streams()

    # -- what it is ------------------------------------------------------------

    @property
    def calls(self) -> Mapping[str, DialogEvent]:
        """The live calls that pages were told of: the last event of each, by its id."""
        return self._backlog.calls

    @property
    def live(self) -> bool:
        """Whether news come: the phone, or the live feed, is connected."""
        return self._client.live.connected if self._live_feed else self._client.phone.ready

    def link(self, page: str) -> str:
        """Give the address that opens a page with the token, in the part that browsers do not send. A secret.

        The script hands the token over once, takes it out of the address bar, and has a cookie from then on.

        Args:
            page: The address of a page with the script.

        Raises:
            ConfigError: `allow` decides who may see the calls, so there is no token.
        """
        if self._allow is not None:
            raise ConfigError("there is no token: allow= says who may see the calls")
        return f"{page.partition('#')[0]}#ziwo-token={self._gate.token.get_secret_value()}"

    # -- serving ---------------------------------------------------------------

    def add_to(self, app: web.Application, prefix: str = "/ziwo") -> None:
        """Serve the script, the stream and what belongs to them under a prefix; the streams end when the app does.

        Args:
            app: The application, before it runs.
            prefix: What the paths begin with. The script is at `<prefix>/ziwo-events.js`.

        Raises:
            ConfigError: The prefix does not begin with a slash, or ends with one.
        """
        app.add_routes(self.routes(prefix))

        async def end(app: web.Application) -> None:
            del app
            self.end_streams()

        app.on_shutdown.append(end)

    def routes(self, prefix: str = "/ziwo") -> list[web.RouteDef]:
        """Give the routes alone. Call `end_streams()` when the app shuts down; `add_to` does both.

        Args:
            prefix: What the paths begin with.

        Raises:
            ConfigError: The prefix does not begin with a slash, or ends with one.
        """
        if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
            raise ConfigError(f"a prefix begins with a slash and does not end with one, such as /ziwo: {prefix!r}")
        if prefix != _PREFIX:
            self._gate.call_cookie(f"{_COOKIE}_{hashlib.sha256(prefix.encode()).hexdigest()[:8]}")
        routes = [
            web.get(f"{prefix}/{SCRIPT}", self._safely(_script())),
            web.get(f"{prefix}/calls", self._safely(self._give_calls)),
            web.get(f"{prefix}/events", self._safely(self._stream), allow_head=False),
        ]
        if self._allow is None:
            routes.append(web.post(f"{prefix}/session", self._safely(self._gate.enter)))
        if self._control is not None:
            routes.append(web.post(f"{prefix}/control", self._safely(self._command)))
        return routes

    async def check(self, request: web.Request) -> None:
        """Refuse a request of somebody who may not see the calls; for your own routes beside these.

        Args:
            request: The request.

        Raises:
            HTTPForbidden: It was made to another name, by a page of another site, or by somebody whom `allow` refuses.
            HTTPUnauthorized: The token is needed.
        """
        self._gate.check_names(request)
        if self._allow is None:
            self._gate.check_session(request)
            return
        allowed = self._allow(request)
        if inspect.isawaitable(allowed):
            allowed = await allowed
        if allowed is not True:
            raise web.HTTPForbidden(text="Not for you.")

    def _safely(self, handler: _Handler) -> _Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                self._gate.check_names(request)
                response = await handler(request)
            except web.HTTPException as refusal:
                refusal.headers.update(_HEADERS)
                raise
            if not response.prepared:
                response.headers.update(_HEADERS)
            return response

        return handle

    def _check_running(self) -> None:
        if not self._running or self._over:
            raise web.HTTPServiceUnavailable(text="The calls are not read now.")

    async def _give_calls(self, request: web.Request) -> web.Response:
        await self.check(request)
        self._check_running()
        return web.json_response(self._news(request.query.get("after", "")))

    def _news(self, after: str) -> dict[str, object]:
        """What a page needs that was told all up to an event: what came since, or all calls as they are now."""
        common: dict[str, object] = {"live": self.live, "control": self._control_token}
        missed = self._backlog.after(after)
        if missed is not None:
            return common | {"events": [{"id": key, "detail": json.loads(text)} for key, text in missed]}
        at, calls = self._backlog.everything()
        return common | {"id": at, "calls": calls}

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        await self.check(request)
        self._check_running()
        after = request.headers.get("Last-Event-ID") or request.query.get("after", "")
        async with self._streams.opened(request, headers=_HEADERS) as stream:
            await self._tell(stream, after)
        return stream.response

    async def _tell(self, stream: Stream, at: str) -> None:
        live, last = None, 0.0
        while not self._streams.ending:
            missed = self._backlog.after(at, most=_AT_ONCE)
            if missed is None:
                news = self._news(at)
                at = str(news["id"])
                await stream.write(message("calls", news, id=at))
            for at, text in missed or ():
                await stream.write(message("state", text, id=at))
            if self.live is not live or time.monotonic() - last >= _HEARTBEAT:
                live, last = self.live, time.monotonic()
                await stream.write(message("beat", {"id": at, "live": live}))
            elif self._backlog.is_last(at):
                await self._backlog.wait(_HEARTBEAT)

    async def _command(self, request: web.Request) -> web.Response:
        await self.check(request)
        self._check_running()
        assert self._control is not None
        assert self._control_token is not None
        given = request.headers.get("X-Ziwo-Control", "")
        # Only a script that could read our answers knows it: no form, and no page of another site.
        if not hmac.compare_digest(given.encode(errors="replace"), self._control_token.encode()):
            raise web.HTTPForbidden(text="The token for commands is needed.")
        status, answer = await self._control.do(await read_object(request))
        return web.json_response(answer, status=status)


def _script() -> _Handler:
    body = files("ziwo_async.browser").joinpath("page", SCRIPT).read_bytes()

    async def give(request: web.Request) -> web.StreamResponse:
        del request
        return web.Response(body=body, content_type="text/javascript", charset="utf-8")

    return give
