"""LiveFeed, `ziwo.live`: everybody's calls and presence, without touching anybody's phone."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from ..config import Buffers, ReconnectPolicy, Timeouts
from ..dispatch.dispatcher import Dispatcher
from ..dispatch.owner import TaskOwner, finish
from ..dispatch.streams import EventStream, Expectation, Overflow
from ..errors import ClientClosed, HandlerRejected, ZiwoError
from ..events import CallEvent, Event, FloorEvent, LiveLost, LiveRestored
from ..router import Registration, Router
from . import routes
from .floor import Floor
from .models import (
    AgentTotals,
    EndedCall,
    LiveAgent,
    LiveCall,
    LiveNumber,
    LivePosition,
    LiveQueue,
    LiveStats,
    LiveStatus,
    QueueTotals,
    WaitingCall,
)
from .payload import Content, Nothing, Refused, read_payload
from .snapshots import Keyed, Reader, Rows, Single
from .supervisor import Supervisor, TokenProvider
from .watch import Topic, Watch

__all__ = ["LiveFeed"]

_log = logging.getLogger("ziwo_async.live")

E = TypeVar("E", bound=Event)
T = TypeVar("T")

_ENDED_KEPT = 1_000


class _EventOnly(Router):
    """The handlers of the live feed, which has no call to give."""

    def matching(self, kind: type[Event]) -> tuple[Registration, ...]:
        """The handlers of an event class; those that want a call are left out, and told once per class."""
        found = super().matching(kind)
        for registration in found:
            if registration.with_call:
                _log.error("%s wants a call, which the live feed does not have: it is never called", registration.name)
        return tuple(registration for registration in found if not registration.with_call)


class _Route(Generic[T]):
    """How one event of the socket becomes items of a topic."""

    def __init__(self, topic: Topic[T], read: Reader[T], differ: Callable[[T], list[Event]] | None) -> None:
        self.topic = topic
        self.read = read
        self.differ = differ


class LiveFeed:
    """The live feed of a contact centre: `async with ziwo.live`, then `ziwo.live.agents()` and its like.

    It connects and stays connected. Each event is subscribed to when somebody first asks for it, and again at each
    connect. Most events are for admins; what the server refuses is in `Watch.refused`.

    ```python
    async with ziwo.live:
        async for agents in ziwo.live.agents():
            print([agent.name for agent in agents.values() if agent.status == "Available"])
    ```
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: TokenProvider,
        router: Router | None = None,
        reconnect: ReconnectPolicy | None = None,
        ssl: ssl.SSLContext | None = None,
        timeouts: Timeouts | None = None,
        buffers: Buffers | None = None,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        """Make a feed; no I/O happens yet.

        Args:
            base_url: Address of the REST API; the socket is under it, at `/socket`.
            token: Gives the access token; given one that was refused, it gives another, or raises.
            router: Handlers to start with.
            reconnect: How it reconnects.
            ssl: TLS settings.
            timeouts: Time limits.
            buffers: How many events may wait for handlers.
            clock: Seconds since the epoch.
            rng: Where the jitter comes from.

        Raises:
            HandlerRejected: A handler of the router wants a call.
        """
        self._base_url = base_url
        self._token = token
        self._reconnect = reconnect or ReconnectPolicy()
        self._tls = ssl
        self._timeouts = timeouts or Timeouts()
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - jitter, no secret
        self._owner = TaskOwner("live", self._crashed)
        self.router = _EventOnly()
        self.dispatcher = Dispatcher(self._owner, self.router, buffers=buffers)
        self._floor = Floor()
        self._floor_wanted = False
        self._wanted: dict[str, None] = {}
        self._strange: set[tuple[str, str]] = set()
        self._supervisor: Supervisor | None = None
        self._used = False
        self._closer: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()
        self._failing = asyncio.Event()
        self._forced = asyncio.Event()
        self._failure: ZiwoError | None = None
        floor = self._floor
        self._routes: dict[str, _Route[Any]] = {
            routes.AGENTS: self._route(Keyed(LiveAgent), floor.agents),
            routes.QUEUES: self._route(Keyed(LiveQueue)),
            routes.CALLS: self._route(Keyed(LiveCall, "callID"), lambda found: floor.calls(found, self._clock())),
            routes.QUEUE_CALLS: self._route(
                Rows(WaitingCall, "callID"), lambda found: floor.queue_calls(found, self._clock())
            ),
            routes.POSITIONS: self._route(Keyed(LivePosition)),
            routes.NUMBERS: self._route(Keyed(LiveNumber)),
            routes.STATS: self._route(Single(LiveStats)),
            routes.BY_AGENTS: self._route(Keyed(AgentTotals)),
            routes.BY_QUEUES: self._route(Keyed(QueueTotals)),
            routes.STATUS: self._route(Single(LiveStatus)),
        }
        self._ended: Topic[EndedCall] = Topic(self, keep=_ENDED_KEPT)
        self._ended_rows = Rows(EndedCall, "callID")
        if router is not None:
            self.include(router)

    def _route(self, read: Reader[T], differ: Callable[[T], list[Event]] | None = None) -> _Route[T]:
        return _Route(Topic[T](self), read, differ)

    def __repr__(self) -> str:
        state = "closed" if self._closed.is_set() else "connected" if self.connected else "not connected"
        return f"<LiveFeed {self._base_url} {state}>"

    # -- what it tells ---------------------------------------------------------

    def agents(self) -> Watch[Mapping[str, LiveAgent]]:
        """Watch the agents, by id (`GET /live/agents`; source: ZIWO Manager app). For admins."""
        return self._watch(routes.AGENTS)

    def queues(self) -> Watch[Mapping[str, LiveQueue]]:
        """Watch the queues and their calls, by id (`GET /live/queues`; source: ZIWO Manager app). For admins."""
        return self._watch(routes.QUEUES)

    def calls(self) -> Watch[Mapping[str, LiveCall]]:
        """Watch the live calls (`GET /live/calls`; source: ZIWO's Zendesk app; its shape is not known). For admins."""
        return self._watch(routes.CALLS)

    def queue_calls(self) -> Watch[tuple[WaitingCall, ...]]:
        """Watch the calls that wait in queues (`GET /live/queueCalls`; source: an integrator's sample). For admins."""
        return self._watch(routes.QUEUE_CALLS)

    def positions(self) -> Watch[Mapping[str, LivePosition]]:
        """Watch the positions, by id (`GET /live/positions`; source: ZIWO's Zendesk app, no shape). For admins."""
        return self._watch(routes.POSITIONS)

    def numbers(self) -> Watch[Mapping[str, LiveNumber]]:
        """Watch the numbers, by id (`GET /live/numbers`; source: an integrator, without a shape). For admins."""
        return self._watch(routes.NUMBERS)

    def stats(self) -> Watch[LiveStats]:
        """Watch the figures of the day (`GET /live/stats`; source: ZIWO Manager app). For admins."""
        return self._watch(routes.STATS)

    def statistics_by_agents(self) -> Watch[Mapping[str, AgentTotals]]:
        """Watch the agents' figures of the day, by id.

        (`GET /live/statistics/channels/calls/by/agents`; source: ZIWO Manager app) For admins.
        """
        return self._watch(routes.BY_AGENTS)

    def statistics_by_queues(self) -> Watch[Mapping[str, QueueTotals]]:
        """Watch the queues' figures of the day, by id.

        (`GET /live/statistics/channels/calls/by/queues`; source: ZIWO Manager app) For admins.
        """
        return self._watch(routes.BY_QUEUES)

    def status(self) -> Watch[LiveStatus]:
        """Watch one's own presence (`GET /live/status`; source: Android SDK). For agents."""
        return self._watch(routes.STATUS)

    def call_history(self) -> Watch[EndedCall]:
        """Watch calls end, each once, from now on (`GET /callHistory`; source: an integrator). For admins.

        A slow reader misses the oldest of more than 1000; they are counted. Calls that end while the feed is away are
        not told: the history over REST has them.
        """
        self._want(routes.CALL_HISTORY)
        return Watch(self._ended, from_now=True)

    def _watch(self, route: str) -> Watch[Any]:
        self._want(route)
        return Watch(self._routes[route].topic)

    # -- events ----------------------------------------------------------------

    def events(self, kind: type[E], *, buffer: int = 1000, overflow: Overflow = "drop_oldest") -> EventStream[E]:
        """Read events as an async iterator, from `async with` on: `FloorEvent`s, and dialog events of every agent.

        Args:
            kind: A class of events; its children are seen too (`Event` for all).
            buffer: How many unread events are kept.
            overflow: What to do with one more: `drop_oldest`, `drop_newest`, or `fail` the reader.

        Raises:
            ConfigError: `buffer` or `overflow` make no sense.
        """
        self._want_floor()
        return EventStream(self.dispatcher, kind, buffer=buffer, overflow=overflow)

    def expect(
        self, kind: type[E], *, where: Callable[[E], bool] | None = None, timeout: float | None = None
    ) -> Expectation[E]:
        """Arm first, then act: the event is awaited at the end of the `async with` block and is then in `.event`.

        Args:
            kind: A class of events.
            where: Which of them; None for the next.
            timeout: Seconds to wait at the end of the block (`ExpectTimeout`); None waits for ever.
        """
        self._want_floor()
        return Expectation(self.dispatcher, kind, where, timeout)

    def include(self, router: Router) -> None:
        """Add the handlers of a router.

        Raises:
            HandlerRejected: A handler wants a call, and the live feed has none to give; or the routers would include
                each other.
        """
        for registration in router.registrations():
            if registration.with_call:
                raise HandlerRejected(
                    f"{registration.name}: wants (call, event), but the live feed has no call to act on; take (event)"
                )
        self.router.include(router)
        self._want_floor()

    def _want_floor(self) -> None:
        self._floor_wanted = True
        for route in routes.FLOOR:
            self._want(route)

    # -- life ------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Connect; from now on the feed reconnects by itself. A feed starts once.

        Raises:
            CannotConnect: No connection could be made.
            BadCredentials: The login, or the renewed token, was refused.
            ConfigError: The extra `live` is not installed.
            ClientClosed: It was started or closed before.
        """
        if self._used:
            raise ClientClosed("a live feed starts only once; make a new client")
        self._used = True
        supervisor = self._supervisor = Supervisor(
            self,
            base_url=self._base_url,
            token=self._token,
            tls=self._tls,
            timeouts=self._timeouts,
            reconnect=self._reconnect,
            rng=self._rng,
        )
        try:
            await self._owner.start()
            task = self._owner.spawn("supervisor", supervisor.run)
            ended = asyncio.ensure_future(task.wait())
            try:
                await asyncio.wait([supervisor.started, ended], return_when=asyncio.FIRST_COMPLETED)
            finally:
                ended.cancel()
            if not supervisor.started.done():
                raise self._failure or ClientClosed("the live feed was closed while it was starting")
            supervisor.started.result()
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close the connection, end all tasks. Safe in every state, and twice; bounded in time.

        Handlers that already have an event get `Timeouts.close` seconds to finish. From a handler it returns at once,
        since a handler cannot wait for its own end; the feed closes behind it.
        """
        if self._closer is None:
            self._used = True
            waiting = self._close(self.dispatcher.idle, self._timeouts.close)
            self._closer = asyncio.create_task(waiting, name="ziwo_async:live: close")
        if not self._owner.inside:
            await finish(self._closer)

    async def drain(self, timeout: float = 30.0) -> None:
        """Come to an orderly end: no new events, running handlers finish, then it is closed.

        Args:
            timeout: Seconds that handlers get; what runs on then is cancelled.
        """
        if self._closer is None:
            self._used = True
            waiting = self._close(self.dispatcher.handlers_done, timeout)
            self._closer = asyncio.create_task(waiting, name="ziwo_async:live: drain")
        if not self._owner.inside:
            await finish(self._closer)

    async def abort(self) -> None:
        """Close at once: handlers are cancelled. For the second Ctrl-C."""
        self._forced.set()
        await self.aclose()

    async def _close(self, handlers: Callable[[], Awaitable[None]], limit: float) -> None:
        if self._supervisor is not None:
            self._supervisor.closing = True
        done, forced = asyncio.ensure_future(handlers()), asyncio.ensure_future(self._forced.wait())
        try:
            await asyncio.wait([done, forced], timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                _log.warning("handlers of the live feed still run; they are cancelled")
        finally:
            done.cancel()
            forced.cancel()
            await asyncio.wait([done, forced])
            # Twice: a peer that ignores the closing handshake may use up the first of it.
            await self._owner.aclose(2 * self._timeouts.close)
            self.dispatcher.close(ClientClosed("the live feed was closed"))
            self._end_topics(self._failure)
            self._closed.set()

    async def wait_closed(self) -> None:
        """Wait until the feed is closed, by `aclose()` or for an error.

        Raises:
            ZiwoError: It closed for this error.
        """
        closed, failing = asyncio.ensure_future(self._closed.wait()), asyncio.ensure_future(self._failing.wait())
        try:
            await asyncio.wait([closed, failing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            closed.cancel()
            failing.cancel()
        if self._failure is not None:
            raise self._failure

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""
        return self._supervisor is not None and self._supervisor.connected

    @property
    def since(self) -> datetime | None:
        """When the present connection, or the last one, was made."""
        return self._supervisor.since if self._supervisor is not None else None

    @property
    def protocol(self) -> int | None:
        """The version of Engine.IO in use, 4 or 3; None before the first connection."""
        return self._supervisor.protocol if self._supervisor is not None else None

    @property
    def connections(self) -> int:
        """How many connections there were so far."""
        return self._supervisor.connections if self._supervisor is not None else 0

    # -- what the supervisor tells ---------------------------------------------

    @property
    def wanted(self) -> tuple[str, ...]:
        """The events of the socket that somebody wants to know of."""
        return tuple(self._wanted)

    def _want(self, route: str) -> None:
        if route not in self._wanted:
            self._wanted[route] = None
            if self._supervisor is not None and self.connected and self._owner.running:
                self._owner.spawn(f"subscribe to {route}", self._supervisor.want, route)

    def came(self, gap_seconds: float | None) -> None:
        """There is a connection; called by the supervisor."""
        if gap_seconds is not None:
            self._tell(LiveRestored(gap_seconds=round(gap_seconds, 3)))

    def went(self, reason: str) -> None:
        """The connection was lost; called by the supervisor."""
        self._floor.gap()
        self._tell(LiveLost(reason=reason))

    def failed(self, error: ZiwoError) -> None:
        """Nothing can help any more; called by the supervisor."""
        if self._failure is None:
            self._failure = error
            self._end_topics(error)
            self.dispatcher.close(error)
            self._failing.set()

    def receive(self, event: str, args: tuple[object, ...]) -> None:
        """Take an event of the socket; called by the supervisor. Never blocks or raises."""
        try:
            self._receive(event, args)
        except Exception as error:  # noqa: BLE001 - a bug of ours; raised from here, it ends the reading of the socket
            self._note(event, f"it could not be taken, {type(error).__name__}", bug=True)

    def _receive(self, event: str, args: tuple[object, ...]) -> None:
        route = self._routes.get(event)
        if route is None and event != routes.CALL_HISTORY:
            self._note(event, "an event that we have no word for")
            return
        topic = self._ended if route is None else route.topic
        match read_payload(args, self._hide):
            case Nothing(problem):
                if problem is not None:
                    self._note(event, problem)
            case Refused() as refused:
                topic.refused = str(refused)
                self._note(event, str(refused))
            case Content(value):
                if route is None:
                    self._take_ended(value)
                else:
                    self._take(event, route, value)

    def _take(self, event: str, route: _Route[Any], value: Any) -> None:
        found = route.read(value)
        if found is None:
            self._note(event, f"its content is no such thing but a {type(value).__name__}")
            return
        route.topic.put(found)
        if route.differ is not None and self._floor_wanted:
            for told in route.differ(found):
                self._tell(told)

    def _take_ended(self, value: Any) -> None:
        for call in self._ended_rows(value) or ():
            told = self._floor.recorded(call, self._clock())
            if told:
                self._ended.put(call)
            for event in told:
                self._tell(event)

    def _tell(self, event: Event) -> None:
        call_id = getattr(event, "call_id", None) if isinstance(event, CallEvent | FloorEvent) else None
        self.dispatcher.publish(event, call_id, None)

    def _hide(self, text: str) -> str:
        return text if self._supervisor is None else self._supervisor.hide(text)

    def _note(self, event: str, problem: str, *, bug: bool = False) -> None:
        # Each once: what a server does wrong it does every second. The name is the server's, so it is cut.
        what = (self._hide(event)[:100], problem)
        if what not in self._strange and len(self._strange) < _STRANGE_KEPT:
            self._strange.add(what)
            _log.log(logging.ERROR if bug else logging.WARNING, "the live feed: %s: %s", what[0], problem, exc_info=bug)

    def _end_topics(self, error: ZiwoError | None) -> None:
        for topic in (self._ended, *(route.topic for route in self._routes.values())):
            topic.end(error)

    def _crashed(self, name: str, error: Exception) -> None:
        self.failed(ClientClosed(f"an internal task failed ({name}): {type(error).__name__}; see the log"))


_STRANGE_KEPT = 100
