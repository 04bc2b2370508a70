"""TaskOwner: one root task that owns everything a phone starts.

No cancel scope of ours is ever open in a user's task between calls: the task group lives inside the root task, so
exit stacks, fixtures and service lifespans may enter and leave from different tasks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TypeVarTuple, Unpack

import anyio
from anyio.abc import TaskGroup

from ..errors import ClientClosed

__all__ = ["TaskHandle", "TaskOwner", "finish"]

_log = logging.getLogger("ziwo_async.phone")
_Ts = TypeVarTuple("_Ts")
_inside: ContextVar[TaskOwner | None] = ContextVar("ziwo_async_owner", default=None)


class TaskHandle:
    """A task of a `TaskOwner`: can be cancelled and waited for."""

    __slots__ = ("_done", "_owner", "_scope", "name")

    def __init__(self, name: str, owner: TaskOwner) -> None:
        self.name = name
        self._owner = owner
        self._scope = anyio.CancelScope()
        self._done = asyncio.Event()

    def cancel(self) -> None:
        """Ask the task to stop; it does at its next await."""
        self._scope.cancel()

    async def wait(self) -> None:
        """Wait until the task has ended, in whatever way."""
        await self._done.wait()

    @property
    def done(self) -> bool:
        """Whether the task has ended."""
        return self._done.is_set()

    async def run(
        self, function: Callable[[Unpack[_Ts]], Awaitable[None]], args: tuple[*_Ts], crashed: _Crashed
    ) -> None:
        """Run the task's function; called by the owner."""
        _inside.set(self._owner)
        try:
            with self._scope:
                await function(*args)
        except Exception as error:  # noqa: BLE001
            # A task of ours must not raise: this is a bug of ours or of a media engine. It is told, never swallowed.
            _log.exception("%s ended with an error", self.name)
            crashed(self.name, error)
        finally:
            self._done.set()


_Crashed = Callable[[str, Exception], None]


class TaskOwner:
    """Owns tasks. `start()` first, `spawn()` in between, `aclose()` in the end cancels and awaits them all."""

    def __init__(self, name: str, crashed: _Crashed) -> None:
        """Make an owner that is not started.

        Args:
            name: For the names of its tasks.
            crashed: Called with a task's name and error when it ends with one.
        """
        self._name = name
        self._crashed = crashed
        self._group: TaskGroup | None = None
        self._stop = asyncio.Event()
        self._root: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the root task."""
        started = asyncio.Event()
        self._root = asyncio.create_task(self._run(started), name=f"ziwo_async:{self._name}")
        await started.wait()

    async def _run(self, started: asyncio.Event) -> None:
        async with anyio.create_task_group() as group:
            self._group = group
            started.set()
            await self._stop.wait()
            self._group = None
            group.cancel_scope.cancel()

    @property
    def running(self) -> bool:
        """Whether tasks can be spawned."""
        return self._group is not None

    @property
    def inside(self) -> bool:
        """Whether the caller runs in a task of this owner (a handler): it cannot wait for its own end."""
        return _inside.get() is self

    def spawn(self, name: str, function: Callable[[Unpack[_Ts]], Awaitable[None]], *args: *_Ts) -> TaskHandle:
        """Start a task.

        Raises:
            ClientClosed: The owner is not started, or closes.
        """
        if self._group is None:
            raise ClientClosed(f"{self._name} is closed")
        handle = TaskHandle(f"{self._name}: {name}", self)
        self._group.start_soon(handle.run, function, args, self._crashed, name=f"ziwo_async:{handle.name}")
        return handle

    async def aclose(self, limit: float) -> None:
        """Cancel all tasks and wait for them. Safe to call twice, and when never started.

        Args:
            limit: Seconds to wait for tasks that do not end when cancelled (a handler may swallow it).
        """
        self._stop.set()
        root = self._root
        if root is None:
            return
        _, still = await asyncio.wait([root], timeout=limit)
        if still:
            _log.error("%s: tasks did not end within %s s of being cancelled", self._name, limit)


async def finish(task: asyncio.Task[None]) -> None:
    """Wait for a task that must come to its end, such as a closing; a cancellation takes effect after it.

    Shielded from both kinds: a cancelled task, and a cancelled scope of anyio (which would cancel again and again).
    """
    cancelled: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is not None:
        raise cancelled
    task.result()
