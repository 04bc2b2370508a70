"""Mixer: every 20 ms, whoever speaks is heard by whoever listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from .pacing import every_frame, finish
from .pcm import Frame, Source, mix

__all__ = ["Listener", "Mixer", "Patch"]


class Listener(Protocol):
    """Somebody who hears."""

    async def put(self, frame: Frame | None) -> None:
        """20 ms of what is heard; None: nothing is sent at all."""
        ...


class Patch(NamedTuple):
    """Who hears what.

    Attributes:
        listener: Who.
        sources: What; several are added up.
        voice: What the listener says itself: it goes on when nobody hears it.
    """

    listener: Listener
    sources: Sequence[Source]
    voice: Source | None = None


class Mixer:
    """Asks, every 20 ms, who hears whom, and does it.

    A source is taken from once in 20 ms, however many hear it. Use it as `async with Mixer(plan):`, or call `run` in
    a task of your own.

    Args:
        plan: Gives the patches of this moment.
    """

    def __init__(self, plan: Callable[[], Iterable[Patch]]) -> None:
        self._plan = plan
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if task is not None:
            await finish(task)

    async def run(self) -> None:
        """Mix until cancelled."""
        async for _ in every_frame():
            await self.tick()

    async def tick(self) -> None:
        """Mix 20 ms."""
        said: dict[int, Frame | None] = {}
        patches = list(self._plan())
        for patch in patches:
            for source in (*patch.sources, patch.voice):
                if source is not None and id(source) not in said:
                    said[id(source)] = source.take()
        for patch in patches:
            await patch.listener.put(mix(said[id(source)] for source in patch.sources))
