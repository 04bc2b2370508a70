"""Twenty milliseconds, again and again; and the end of a task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from .pcm import SECONDS

__all__ = ["every_frame", "finish"]

_TOO_LATE = 0.2


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
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
