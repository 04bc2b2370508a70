"""What is said when a run in virtual time cannot go on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

    from .virtual import VirtualLoop

__all__ = ["Deadlock", "LeftBehind", "Runaway", "describe"]


_MOST_READY = 10


class Deadlock(RuntimeError):
    """Nothing is ready and no timer is set: the tasks wait for something that can never come."""


class Runaway(RuntimeError):
    """The run takes too long: more virtual time than allowed, or endless turns without any time passing."""


class LeftBehind(AssertionError):
    """The run is over, but a task, a connection, a server or a timer is still there."""


def describe(loop: VirtualLoop) -> str:
    """The tasks that wait, one line each, with the place where each of them stands."""
    lines = [f"  {task.get_name()} waits {_place(task)}" for task in loop.tasks()]
    lines += [f"  ready to run: {handle}" for handle in loop.ready()[:_MOST_READY]]
    return "\n".join(lines) if lines else "  there is no task"


def _place(task: asyncio.Task[Any]) -> str:
    """The innermost frame that can be seen, and the name of the task's own coroutine."""
    own: Any = task.get_coro()
    frame: FrameType | None = None
    inner: Any = own
    while inner is not None:
        found: FrameType | None = getattr(inner, "cr_frame", None) or getattr(inner, "gi_frame", None)
        frame = found or frame
        inner = getattr(inner, "cr_await", None) or getattr(inner, "gi_yieldfrom", None)
    name = getattr(own, "__qualname__", repr(own))
    if frame is None:
        return f"in {name}"
    code = frame.f_code
    return f"in {name}, at {code.co_qualname} ({Path(code.co_filename).name}:{frame.f_lineno})"
