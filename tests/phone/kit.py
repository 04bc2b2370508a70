"""What the tests of the running parts share: a contact centre, quick clients, and a server that misbehaves."""

from __future__ import annotations

import asyncio
import gc
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from ziwo_async import (
    Call,
    CallEvent,
    DialogEvent,
    Event,
    LoginLimiter,
    Phone,
    ReconnectPolicy,
    RetryPolicy,
    Router,
    SessionEvent,
    SessionLost,
    Timeouts,
    ZiwoClient,
)
from ziwo_async.phone.account import Account
from ziwo_async.simulator import ServerOptions, SimAgent, SimCall, SimCustomer, Simulator, World

T = TypeVar("T")
E = TypeVar("E", bound=Event)

LIMIT = 20.0
"""No wait in these tests is longer."""

QUICK_SERVER = ServerOptions(
    flush_quiet=0.004,
    ready_delay=0.002,
    hold_delay=0.005,
    answer_settle=0.002,
    bridge_delay=0.004,
    dial_poll=0.01,
    close_timeout=0.2,
)
QUICK = Timeouts(connect=10.0, request=10.0, login=10.0, verto_request=10.0, close=1.0)
AGAIN_AT_ONCE = ReconnectPolicy(base=0.004, cap=0.02, stable_after=0.5, blocked_first=0.01, blocked_longest=0.1)
HURRY = 10_000
"""Logins a second: no test waits for its turn, unless it is about that."""
CUSTOMER = "+97150000000"


async def within(awaitable: Awaitable[T], seconds: float = LIMIT) -> T:
    """Wait for something, but not for ever."""
    async with asyncio.timeout(seconds):
        return await awaitable


async def until(look: Callable[[], object], what: str = "", seconds: float = LIMIT) -> None:
    """Let the loop turn until something that has no event of its own is so (a socket's end at the server)."""
    try:
        async with asyncio.timeout(seconds):
            while not look():
                await asyncio.sleep(0.001)
    except TimeoutError:
        raise AssertionError(f"still not so after {seconds} s: {what or look}") from None


def hasty(phone: Phone, **limits: float) -> None:
    """Give a phone that is connected shorter time limits: only what comes now is to fail by them."""
    phone._core.timeouts = replace(phone._core.timeouts, **limits)


class Seen:
    """Every event in wire order, noted by a predicate: that is in the read path, before any handler runs."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.router = Router()
        self._waiting: list[asyncio.Future[None]] = []
        self.router.on(CallEvent, when=self._note)(_never_call)
        self.router.on(SessionEvent, when=self._note)(_never_session)

    def _note(self, event: Event) -> bool:
        self.events.append(event)
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        return False

    def of(self, kind: type[E], call_id: str | None = None) -> list[E]:
        return [
            event
            for event in self.events
            if isinstance(event, kind) and call_id in (None, getattr(event, "call_id", None))
        ]

    def words(self, call_id: str | None = None) -> list[str]:
        """The states, with a star after an inferred one."""
        return [f"{event.state}{'*' if event.inferred else ''}" for event in self.of(DialogEvent, call_id)]

    def session(self) -> list[str]:
        return [type(event).__name__ for event in self.events if isinstance(event, SessionEvent)]

    async def wait(
        self, kind: type[E], where: Callable[[E], bool] = lambda event: True, *, count: int = 1, seconds: float = LIMIT
    ) -> E:
        """Wait until the count-th such event was seen, from the beginning on."""

        def found() -> list[E]:
            return [event for event in self.of(kind) if where(event)]

        try:
            async with asyncio.timeout(seconds):
                while len(found()) < count:
                    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.append(waiter)
                    try:
                        await waiter
                    finally:
                        self._waiting.remove(waiter)
        except TimeoutError:
            names = [type(event).__name__ for event in self.events]
            raise AssertionError(f"no {kind.__name__} (number {count}) within {seconds} s; seen: {names}") from None
        return found()[count - 1]


async def _never_call(call: Call, event: CallEvent) -> None:
    raise AssertionError


async def _never_session(event: SessionEvent) -> None:
    raise AssertionError


class Desk:
    """One contact centre, and the clients that a test makes; they are all closed and looked at in the end."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.world = sim.world
        self.agent: SimAgent = sim.world.agent("5555")
        self.other: SimAgent = sim.world.agent("0011")
        self.customer: SimCustomer = sim.world.customer(CUSTOMER)
        self.customer.will(answer_after=0.003)
        self.seen = Seen()
        self.clients: list[ZiwoClient] = []
        self.phones: list[Phone] = []

    def client(self, agent: SimAgent | None = None, **options: Any) -> ZiwoClient:
        """A client with short time limits, whose events are noted in `seen`."""
        agent = agent or self.agent
        given: dict[str, Any] = {
            "username": agent.username,
            "password": agent.password,
            "api_url": self.sim.api_url,
            "timeouts": QUICK,
            "reconnect": AGAIN_AT_ONCE,
            "retry": RetryPolicy(attempts=2, base=0.001, cap=0.002),
            "strict_flows": True,
            "login_limiter": LoginLimiter(HURRY),
        }
        if "token" in options or "credentials" in options:
            del given["username"], given["password"]
        client = ZiwoClient(**(given | options))
        client.include(self.seen.router)
        self.clients.append(client)
        self.phones.append(client.phone)
        return client

    def phone(self, agent: SimAgent | None = None, url: str | None = None, **options: Any) -> Phone:
        """A phone without REST, whose events are noted in `seen`."""
        account = account_of(agent or self.agent, url or self.sim.verto_url)

        async def provider(fresh: bool) -> Account:
            return account

        return self.phone_by(provider, **options)

    def phone_by(self, provider: Callable[[bool], Awaitable[Account]], **options: Any) -> Phone:
        given: dict[str, Any] = {
            "timeouts": QUICK,
            "reconnect": AGAIN_AT_ONCE,
            "strict_flows": True,
            "limiter": LoginLimiter(HURRY),
        }
        phone = Phone(provider, **(given | options))
        phone.router.include(self.seen.router)
        self.phones.append(phone)
        return phone

    def phone_that_waits(self, gate: asyncio.Event, **options: Any) -> Phone:
        """A phone that, once it lost its connection, stays away until the gate is open."""
        account = account_of(self.agent, self.sim.verto_url)

        async def provider(fresh: bool) -> Account:
            if self.seen.of(SessionLost):
                await gate.wait()
            return account

        return self.phone_by(provider, **options)

    async def rings(self, phone: Phone, customer: SimCustomer | None = None, **options: Any) -> tuple[SimCall, Call]:
        """A customer calls; returns once it rings, with both sides' view of the call."""
        there = await (customer or self.customer).dials(options.pop("agent", self.agent), **options)
        await self.seen.wait(DialogEvent, lambda event: event.call_id == there.id)
        call = phone.call(there.id)
        assert call is not None
        return there, call

    async def talks(self, phone: Phone, customer: SimCustomer | None = None, **options: Any) -> tuple[SimCall, Call]:
        """A customer calls and is answered."""
        there, call = await self.rings(phone, customer, **options)
        await within(call.answer())
        # The server counts a call as active a moment before it connects the two ends.
        await until(lambda: there.leg is not None and there.leg.other is not None, "the call is not connected")
        return there, call

    def frames(self, method: str, agent: SimAgent | None = None) -> list[dict[str, Any]]:
        """The requests of that method that reached the server."""
        sent = [json.loads(text) for text in self.sim.journal.frames("in", (agent or self.agent).ccLogin)]
        return [frame for frame in sent if frame.get("method") == method]

    async def inject(self, **frame: Any) -> None:
        """The server sends a request."""
        await self.sim.faults.inject(self.agent, json.dumps({"jsonrpc": "2.0", "id": 900, **frame}))

    async def settled(self, phone: Phone) -> None:
        """Wait until no request waits for its reply any more."""
        await until(lambda: not phone._core.open_requests, "requests wait for replies")

    async def close(self) -> None:
        """Close what is open, and see that nothing of it is left."""
        for client in self.clients:
            await within(client.aclose(), 8)
        for phone in self.phones:
            await within(phone.aclose(), 8)
            assert_nothing_left(phone)
        await until(lambda: not self.sim.verto.sessions(), "the simulator still sees a phone")


def environment_of(agent: SimAgent, api_url: str, **more: str) -> dict[str, str]:
    """The environment of a program that runs as this agent, and nothing else of ZIWO's that may be set here."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ZIWO_")}
    account = {"ZIWO_USERNAME": agent.username, "ZIWO_PASSWORD": agent.password, "ZIWO_API_URL": api_url}
    return {**clean, **account, **more}


def account_of(agent: SimAgent, url: str) -> Account:
    return Account(login=agent.position, password_hash=agent.verto_password, url=url)


def assert_nothing_left(phone: Phone) -> None:
    """A closed phone has no request, listener, call, media or task."""
    core = phone._core
    assert core.open_requests == 0
    assert core.session.open_requests == {}
    assert core.session.calls == {}
    assert core.calls == {}
    assert core.connection is None
    assert core.media._entries == {}
    assert core.media._offers == {}
    assert phone.dispatcher.listeners == 0
    assert not phone._owner.running


@asynccontextmanager
async def contact_centre(options: ServerOptions = QUICK_SERVER, **world: Any) -> AsyncIterator[Desk]:
    async with Simulator(World(**world), options=options) as sim:
        desk = Desk(sim)
        try:
            yield desk
        finally:
            await desk.close()


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """No task, no registered socket, and no error that nobody took, may be left by what runs inside."""
    loop = asyncio.get_running_loop()
    here = asyncio.current_task()
    told: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    before = asyncio.all_tasks()
    watched = len(loop._selector.get_map())  # type: ignore[attr-defined]
    try:
        yield
    finally:
        # aiohttp's connector and server let go of their sockets one or two turns after their close.
        await until(lambda: len(loop._selector.get_map()) <= watched, "sockets are left")  # type: ignore[attr-defined]
        await until(lambda: not (asyncio.all_tasks() - before - {here, asyncio.current_task()}), "tasks are left")
        loop.set_exception_handler(None)
    gc.collect(0)
    assert told == [], told


# -- a server that may misbehave ---------------------------------------------------------------------------------


class Rogue:
    """A Verto server whose every word is the test's: `script` runs for each connection."""

    def __init__(self, script: Callable[[Rogue, Line], Coroutine[Any, Any, None]]) -> None:
        self._script = script
        self._server: Server | None = None
        self.lines: list[Line] = []
        self.url = ""
        self.pings = 0

    async def _handle(self, socket: ServerConnection) -> None:
        line = Line(socket)
        self.lines.append(line)
        try:
            await self._script(self, line)
            await line.rest()
        except (ConnectionClosed, OSError):
            pass

    async def start(self, **options: Any) -> None:
        given: dict[str, Any] = {
            "ping_interval": None, "close_timeout": 0.5, "max_size": None, "compression": None,
        }  # fmt: skip
        self._server = await serve(self._handle, "127.0.0.1", 0, **(given | options))
        port = next(iter(self._server.sockets)).getsockname()[1]
        self.url = f"{'wss' if options.get('ssl') else 'ws'}://127.0.0.1:{port}"

    async def stop(self) -> None:
        assert self._server is not None
        for line in self.lines:
            line.cut()
        self._server.close()
        await within(self._server.wait_closed())


Rogues = Callable[..., Awaitable[Rogue]]


@asynccontextmanager
async def rogues() -> AsyncIterator[Rogues]:
    """Makes servers that misbehave, and stops them in the end."""
    made: list[Rogue] = []

    async def make(script: Callable[[Rogue, Line], Coroutine[Any, Any, None]], **options: Any) -> Rogue:
        server = Rogue(script)
        await server.start(**options)
        made.append(server)
        return server

    yield make
    for server in made:
        await server.stop()


class Line:
    """One connection to a `Rogue`."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []
        self.replies_to: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {}

    async def next(self) -> dict[str, Any]:
        """The next frame of the client."""
        frame = json.loads(await self.socket.recv())
        self.frames.append(frame)
        return frame

    async def send(self, **frame: Any) -> None:
        await self.raw(json.dumps({"jsonrpc": "2.0", **frame}))

    async def raw(self, message: str | bytes) -> None:
        await self.socket.send(message)

    async def result(self, request: dict[str, Any], **result: Any) -> None:
        await self.send(id=request["id"], result=result)

    async def error(self, request: dict[str, Any], **error: Any) -> None:
        await self.send(id=request["id"], error=error)

    async def log_in(self, *kept: str) -> None:
        """Take the login and be ready."""
        request = await self.next()
        assert request["method"] == "login"
        await self.result(request, message="logged in", sessid=request["params"]["sessid"])
        await self.send(id=1, method="verto.clientReady", params={"reattached_sessions": list(kept)})

    async def rest(self) -> None:
        """Answer all that comes, in the usual words, until the client goes."""
        while True:
            request = await self.next()
            reply = self.replies_to.get(request["method"], _usual)(request)
            if reply is not None:
                await self.send(id=request["id"], **reply)

    def cut(self) -> None:
        self.socket.transport.abort()


def _usual(request: dict[str, Any]) -> dict[str, Any]:
    match request["method"]:
        case "verto.invite":
            return {"result": {"message": "CALL CREATED", "callID": request["params"]["dialogParams"]["callID"]}}
        case "verto.bye":
            return {"result": {"message": "CALL ENDED"}}
        case "verto.modify":
            action = request["params"]["action"]
            return {"result": {"action": action, "holdState": "held" if action == "hold" else "active"}}
        case _:
            return {"result": {"message": "SENT"}}


async def ready_then_rest(rogue: Rogue, line: Line) -> None:
    """The script of a server that behaves."""
    await line.log_in()


def stays(reply: dict[str, Any] | None) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    return lambda request: reply


# -- cancellation --------------------------------------------------------------------------------------------------


class StepCount:
    """Counts the turns of the event loop, those in which nothing of a test spins, and cancels a task at one."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._plain = self._loop._run_once  # type: ignore[attr-defined]
        self._left = 0
        self._task: asyncio.Task[Any] | None = None

    def _turn(self) -> None:
        self._plain()
        self._left -= 1
        if self._left == 0 and self._task is not None:
            self._task.cancel()

    async def run(self, operation: Callable[[], Coroutine[Any, Any, Any]], cancel_at: int) -> bool:
        """Run an operation and cancel it at that turn; returns whether it was done before."""
        self._task = asyncio.create_task(operation())
        self._left = cancel_at
        self._loop._run_once = self._turn  # type: ignore[attr-defined]
        try:
            await asyncio.wait([self._task], timeout=LIMIT)
        finally:
            del self._loop._run_once  # type: ignore[attr-defined]
        assert self._task.done(), f"cancelled at turn {cancel_at}, it hangs"
        if self._task.cancelled():
            return False
        self._task.result()
        return True
