"""Virtual time: an asyncio event loop whose clock jumps to the next timer when nothing is ready.

Hours of waiting run in milliseconds, and a run can be repeated exactly: nothing in it depends on the machine, on real
time or on the addresses of objects. The loop has no real I/O: connections live in memory (`network`), threads,
subprocesses and real sockets are refused with an error. When nothing is ready and no timer is set, nothing can ever
happen again: that is a `Deadlock`, which names the waiting tasks.

    def test_an_hour_of_silence() -> None:
        async def main(loop: VirtualLoop) -> None:
            await asyncio.sleep(3600)
            assert loop.elapsed == 3600

        run_virtual(main)
"""

from __future__ import annotations

import asyncio
import math
import random
import socket
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, NoReturn, TypeVar, cast

from .network import MemoryServer, Network, ProtocolFactory
from .stuck import Deadlock, LeftBehind, Runaway, describe
from .transport import MemoryTransport

__all__ = ["VirtualLoop", "run_virtual"]

T = TypeVar("T")

_BEGIN = 1_000.0
_BEGIN_EPOCH = 1_767_225_600.0  # 2026-01-01T00:00:00Z
_MOST_TURNS = 100_000
_SECONDS_TO_END = 60.0


class _Ordered:
    """Gives an object a hash that does not depend on its address: sets of it have the same order in every run."""

    order: int

    def __hash__(self) -> int:
        return self.order


class _Future(_Ordered, asyncio.Future[Any]):
    def __init__(self, order: int, loop: asyncio.AbstractEventLoop) -> None:
        self.order = order
        super().__init__(loop=loop)


class _Task(_Ordered, asyncio.Task[Any]):
    def __init__(self, order: int, coro: Coroutine[Any, Any, Any], **options: Any) -> None:
        self.order = order  # asked for by the registry of tasks, while the rest is being made
        super().__init__(coro, **options)


class _Selector:
    """Where asyncio's loop would wait for sockets: here the time moves on instead."""

    def __init__(self, move_on: Callable[[float | None], None]) -> None:
        self._move_on = move_on

    def select(self, timeout: float | None) -> list[Any]:
        """Called once in each turn; None: there is nothing to wait for."""
        self._move_on(timeout)
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop in virtual time. Use `run_virtual`, which also sees to it that nothing is left behind.

    Args:
        seed: Seed of `rng` and of the network.
        limit: Seconds of virtual time after which the run is ended with `Runaway`.

    Attributes:
        seed: The seed given.
        rng: For the test's own random choices.
        network: Servers and connections, and their faults.
        errors: What was told to the loop's exception handler.
    """

    def __init__(self, seed: int = 0, *, limit: float = 86_400.0) -> None:
        super().__init__()
        self.seed = seed
        self.rng = random.Random(f"test {seed}")
        self.network = Network(self, random.Random(f"network {seed}"))
        self.errors: list[dict[str, Any]] = []
        self._now = _BEGIN
        self._limit = limit
        self._turns = 0
        self._last_order = 0
        self._last_task = 0
        # These are the names that asyncio's own loops use: what is ready, and a heap of timers.
        self._ready: deque[asyncio.Handle] = deque()
        self._scheduled: list[asyncio.TimerHandle] = []
        self._selector = _Selector(self._move_on)
        # No timer fires before its time, not by a hair: who looks at the clock then would set it again for ever.
        self._clock_resolution = math.ulp(self._now)
        self.set_task_factory(cast("Any", self._make_task))
        self.set_exception_handler(lambda _, context: self.errors.append(context))

    def __repr__(self) -> str:
        return f"<VirtualLoop at {self.elapsed:g} s, seed {self.seed}>"

    # ---- time ------------------------------------------------------------------------------------------------

    def time(self) -> float:
        """The loop's time in seconds."""
        return self._now

    @property
    def elapsed(self) -> float:
        """Seconds of virtual time since the loop was made."""
        return self._now - _BEGIN

    def epoch(self) -> float:
        """The time of day in seconds since the epoch: each loop begins at 2026-01-01T00:00:00Z."""
        return _BEGIN_EPOCH + self._now - _BEGIN

    def suspend(self, seconds: float) -> None:
        """Let time jump although timers are due in between, as on a machine that slept: they all fire late."""
        self._now += seconds
        self._clock_resolution = math.ulp(self._now)

    def allow(self, seconds: float) -> None:
        """Let the run take so many seconds of virtual time from now on."""
        self._limit = self.elapsed + seconds
        self._turns = 0

    def _move_on(self, timeout: float | None) -> None:
        if timeout == 0:
            self._turns += 1
            if self._turns > _MOST_TURNS:
                raise Runaway(
                    f"{_MOST_TURNS} turns of the loop without any time passing, at {self.elapsed:g} s of virtual "
                    f"time: something runs in a circle\n{describe(self)}"
                )
            return
        if timeout is None:
            raise Deadlock(
                f"nothing can happen any more at {self.elapsed:g} s of virtual time: no callback is ready and no timer "
                f"is set\n{describe(self)}"
            )
        self._turns = 0
        self._now = max(self._now, self._scheduled[0].when())
        self._clock_resolution = math.ulp(self._now)
        if self.elapsed > self._limit:
            raise Runaway(f"not done within {self._limit:g} s of virtual time\n{describe(self)}")

    # ---- what asyncio wants of a loop ------------------------------------------------------------------------

    def create_future(self) -> asyncio.Future[Any]:
        """Make a future."""
        self._last_order += 1
        return _Future(self._last_order, self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, T] | Generator[Any, None, T],
        *,
        name: object = None,
        context: Context | None = None,
        **options: Any,
    ) -> asyncio.Task[T]:
        """Start a task. Its number, when it gets no name, is this loop's own: asyncio counts over all loops."""
        if name is None:
            self._last_task += 1
            name = f"Task-{self._last_task}"
        return super().create_task(coro, name=name, context=context, **options)

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        self._last_order += 1
        return _Task(self._last_order, coro, loop=loop, **options)

    def _process_events(self, event_list: list[Any]) -> None:
        del event_list

    def _write_to_self(self) -> None:
        """Wake the loop, for `call_soon_threadsafe`: it never sleeps."""

    # ---- the network -----------------------------------------------------------------------------------------

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: ProtocolFactory,
        host: str | None = None,
        port: int | None = None,
        *,
        sock: object = None,
        ssl: object = None,
        **options: object,
    ) -> MemoryServer:
        """Listen in memory. The options of real sockets (backlog, reuse_address, ...) mean nothing here."""
        del options
        self._no_real(sock, ssl)
        return self.network.listen(protocol_factory, host, port)

    async def create_connection(
        self,
        protocol_factory: ProtocolFactory,
        host: str | None = None,
        port: int | None = None,
        *,
        sock: object = None,
        ssl: object = None,
        **options: object,
    ) -> tuple[MemoryTransport, Any]:
        """Connect in memory.

        Raises:
            ConnectionRefusedError: Nobody listens there.
        """
        del options
        self._no_real(sock, ssl)
        return await self.network.connect(protocol_factory, host or "127.0.0.1", port or 0)

    def _no_real(self, sock: object, ssl: object) -> None:
        if sock is not None:
            self._refuse("a real socket")
        if ssl:
            self._refuse("TLS (use ws:// instead of wss://)")

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> list[Any]:
        """Every name is known, as itself."""
        del options
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))]

    # ---- what cannot be virtual ------------------------------------------------------------------------------

    def _refuse(self, what: str) -> NoReturn:
        raise RuntimeError(f"virtual time has no place for {what}: everything must happen inside the loop, in memory")

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> NoReturn:  # type: ignore[override]
        """Refused: a thread takes real time."""
        self._refuse("threads (run_in_executor, asyncio.to_thread)")

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> NoReturn:  # type: ignore[override]
        """Refused: a file descriptor is real."""
        self._refuse("file descriptors (add_reader)")

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> NoReturn:  # type: ignore[override]
        """Refused: a file descriptor is real."""
        self._refuse("file descriptors (add_writer)")

    async def sock_connect(self, sock: Any, address: Any) -> NoReturn:
        """Refused: aiohttp opens its sockets itself, so REST cannot run in virtual time."""
        self._refuse("real sockets (sock_connect; aiohttp uses it)")

    async def subprocess_exec(self, *args: Any, **options: Any) -> NoReturn:
        """Refused: a subprocess takes real time."""
        self._refuse("subprocesses")

    async def subprocess_shell(self, *args: Any, **options: Any) -> NoReturn:
        """Refused: a subprocess takes real time."""
        self._refuse("subprocesses")

    # ---- the end ---------------------------------------------------------------------------------------------

    def left(self) -> list[str]:
        """What is still there, in words: tasks, connections, servers, and timers that are neither due nor cancelled."""
        current = asyncio.current_task() if self.is_running() else None
        found = [f"task {task.get_name()}" for task in self.tasks() if task is not current]
        found += [f"connection {link!r}" for link in self.network.links]
        found += [f"server on {server.sockets[0].getsockname()}" for server in self.network.servers]
        timers = sorted((handle for handle in self._scheduled if not handle.cancelled()), key=_when)
        found += [f"timer in {handle.when() - self._now:g} s: {handle!r}" for handle in timers]
        return found

    def ready(self) -> list[str]:
        """The callbacks that run next."""
        return [repr(handle) for handle in self._ready if not handle.cancelled()]

    def tasks(self) -> list[asyncio.Task[Any]]:
        """The tasks that are not done, oldest first."""
        return sorted(asyncio.all_tasks(self), key=hash)


def _when(timer: asyncio.TimerHandle) -> float:
    return timer.when()


def run_virtual(
    main: Callable[[VirtualLoop], Coroutine[Any, Any, T]],
    *,
    seed: int = 0,
    limit: float = 86_400.0,
    check: bool = True,
) -> T:
    """Run a coroutine function in virtual time, in a loop of its own.

    Args:
        main: Called with the loop; `asyncio.get_running_loop()` is the same.
        seed: Seed of the loop's `rng` and of the network's jitter and split points.
        limit: Seconds of virtual time that the run may take.
        check: Whether something left behind is an error.

    Returns:
        What `main` returned.

    Raises:
        Deadlock: Nothing is ready and no timer is set, so nothing can ever happen again.
        Runaway: It took longer than `limit`, or the loop turns without any time passing.
        LeftBehind: `main` is done, but a task, connection, server or timer is still there.
        ExceptionGroup: An error that nobody took was told to the loop's exception handler.
        RuntimeError: There is a running loop already, or the code asks for something real (a socket, a thread).
    """
    if _is_running():
        raise RuntimeError(
            "there is a running loop already: call run_virtual from a plain function, not from a coroutine"
        )
    context = Context()
    loop = VirtualLoop(seed, limit=limit)
    try:
        task = context.run(loop.create_task, main(loop))
        result = loop.run_until_complete(task)
        left = loop.left() if check else []
    finally:
        _end(loop)
    if loop.errors:
        raise ExceptionGroup("told to the loop's exception handler", [_error_of(context) for context in loop.errors])
    if left:
        raise LeftBehind("left behind at the end of the run:\n" + "\n".join(f"  {line}" for line in left))
    return result


def _is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _end(loop: VirtualLoop) -> None:
    """Cancel what still runs, let it end, and close the loop."""
    try:
        tasks = loop.tasks()
        for task in tasks:
            task.cancel()
        loop.allow(_SECONDS_TO_END)
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=_SECONDS_TO_END))
        loop.run_until_complete(loop.shutdown_asyncgens())
    except (Deadlock, Runaway):
        # What cannot be ended stays; what `main` raised, or `LeftBehind`, says more about it.
        loop.errors.clear()
    finally:
        loop.close()


def _error_of(context: dict[str, Any]) -> Exception:
    error = context.get("exception")
    return error if isinstance(error, Exception) else RuntimeError(str(context.get("message")))
