"""A user's function: async in the event loop, plain in a thread, and either within a time limit."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar, cast

from ..errors import HandlerRejected

__all__ = ["THREAD_NAME", "Handler", "OutOfTime", "Strays", "Threads", "result_of", "within"]

_R = TypeVar("_R")
_MOST_THREADS = 32
_MOST_GIVEN_UP = 1000
THREAD_NAME = "ziwo-webhook"
"""With what the names of all these threads begin."""


class Threads:
    """The threads of one handler: it cannot take those of another or of the program, nor the other way round."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._given_up = 0

    async def run(self, function: Callable[..., _R], *args: object) -> _R:
        """Call a function in a thread, with the context variables of here.

        Cancelling it before it has begun keeps it from beginning; afterwards it runs on, and its result is lost.

        Args:
            function: The function.
            args: Its arguments.

        Raises:
            RuntimeError: All threads hang, and many calls were given up while they waited for one.
        """
        if self._given_up >= _MOST_GIVEN_UP:
            # Each of them stays in the queue of the pool until a thread is free, which may be never.
            raise RuntimeError("all its threads hang")
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_MOST_THREADS, THREAD_NAME)
        pool = self._pool
        future = pool.submit(self._do, contextvars.copy_context(), function, args)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if future.cancelled() and pool is self._pool:
                self._given_up += 1
                if self._given_up == _MOST_GIVEN_UP:
                    pool.submit(self._do, contextvars.Context(), _nothing, ())  # it comes after all of them
            raise

    def _do(self, context: contextvars.Context, function: Callable[..., _R], args: tuple[object, ...]) -> _R:
        try:
            return context.run(_call, function, args)
        finally:
            # This thread now takes from the queue what was given up.
            self._given_up = 0

    def close(self) -> None:
        """Let the threads end after what they do now. What comes later gets new ones."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
            self._given_up = 0


class Handler(Generic[_R]):
    """What a user registered.

    Attributes:
        name: The function's name, for logs.
        threaded: Whether it runs in a thread, and therefore cannot be cancelled.
    """

    def __init__(self, function: Callable[..., object], *, arguments: int) -> None:
        """Check a function.

        Args:
            function: The function.
            arguments: How many arguments it gets.

        Raises:
            HandlerRejected: It cannot be called like that.
        """
        if not callable(function):
            raise HandlerRejected("a handler is a function")
        self.name = str(getattr(function, "__qualname__", type(function).__qualname__))
        try:
            inspect.signature(function).bind(*[None] * arguments)
        except TypeError:
            raise HandlerRejected(f"the handler {self.name} is called with {arguments} arguments") from None
        except ValueError:  # some built-in functions have no signature
            pass
        self._function = function
        self._threads = Threads()
        self.threaded = not _is_async(function)

    async def __call__(self, *args: object) -> _R:
        """Call it.

        Args:
            args: Its arguments.
        """
        try:
            found = await self._threads.run(self._function, *args) if self.threaded else self._function(*args)
            while inspect.isawaitable(found):
                found = await cast("Awaitable[object]", found)
        except SystemExit:
            # It would end the server, and with it every other call.
            raise RuntimeError("it wanted to end the program") from None
        return cast("_R", found)

    def close(self) -> None:
        """Let its threads end."""
        self._threads.close()


class Strays:
    """Tasks that were given up, and have not ended yet: owned here until they have."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Future[object]] = set()

    def take(self, task: asyncio.Task[_R]) -> None:
        """Cancel a task, and keep it until it has ended.

        Args:
            task: The task; its result and its error are of no interest any more.
        """
        self._tasks.add(cast("asyncio.Future[object]", task))
        task.add_done_callback(self._ended)
        task.cancel()

    def _ended(self, task: asyncio.Future[_R]) -> None:
        self._tasks.discard(cast("asyncio.Future[object]", task))
        if not task.cancelled():
            task.exception()  # otherwise asyncio says that nobody looked

    async def aclose(self, limit: float) -> int:
        """Wait until they have ended.

        Args:
            limit: Seconds to wait at most.

        Returns:
            How many have not.
        """
        if not self._tasks:
            return 0
        _, pending = await asyncio.wait(self._tasks, timeout=limit)
        return len(pending)


class OutOfTime(Exception):
    """A handler took too long; unlike TimeoutError, no handler can raise it."""


async def within(coroutine: Coroutine[object, object, _R], seconds: float, strays: Strays) -> _R:
    """Await something for so long and no longer, even if it does not heed its cancellation.

    Args:
        coroutine: What to await, in a task of its own.
        seconds: How long.
        strays: Who owns the task when it was given up.

    Raises:
        OutOfTime: The time is over.
        RuntimeError: It was cancelled from inside.
    """
    task = asyncio.create_task(coroutine)
    try:
        done, _ = await asyncio.wait((task,), timeout=max(seconds, 0.0))
    except BaseException:
        strays.take(task)
        raise
    if not done:
        strays.take(task)
        raise OutOfTime
    return result_of(task)


def result_of(task: asyncio.Task[_R]) -> _R:
    """Give the result of a task that has ended, or raise its error.

    Args:
        task: The task.

    Raises:
        RuntimeError: It was cancelled, which must not look as if we were; or it raised what is no `Exception`, which
            whoever waits would not catch.
    """
    if task.cancelled():
        raise RuntimeError("it was cancelled from inside")
    error = task.exception()
    if error is not None and not isinstance(error, (Exception, KeyboardInterrupt)):
        raise RuntimeError(f"it raised {type(error).__name__}") from error
    return task.result()


def _nothing() -> None:
    pass


def _call(function: Callable[..., _R], args: tuple[object, ...]) -> _R:
    try:
        return function(*args)
    except StopIteration:
        # asyncio cannot carry it from a thread to who waits, who would then wait forever.
        raise RuntimeError("it raised StopIteration") from None


def _is_async(function: Callable[..., object]) -> bool:
    while isinstance(function, functools.partial):
        function = cast("Callable[..., object]", function.func)  # pyright: ignore[reportUnknownMemberType]
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004
