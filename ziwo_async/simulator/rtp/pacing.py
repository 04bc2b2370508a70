"""Twenty milliseconds, again and again; and the end of a task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from .pcm import SECONDS

__all__ = ["every_frame", "finish"]

_TOO_LATE = 0.2
_CANCEL_AGAIN = 0.1


async def every_frame() -> AsyncIterator[None]:
    """Yield every 20 ms of the event loop's time, without drift; a loop that was blocked does not catch up."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        yield
        due += SECONDS
        now = loop.time()
        if now - due > _TOO_LATE:
            due = now
        await asyncio.sleep(max(due - now, 0.0))


async def finish(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end; what else than the cancellation ended it is raised."""
    while not task.done():
        # Again and again: `asyncio.wait_for` of Python 3.11, which aiortc uses, can swallow a cancellation.
        task.cancel()
        await asyncio.wait({task}, timeout=_CANCEL_AGAIN)
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
