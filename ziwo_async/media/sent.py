"""Sent: what we say in a call. Several sources are mixed; with none, or muted, it is silence."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable
from typing import Protocol

from .frame import FRAME_SECONDS, level_of

__all__ = ["Sent", "Source"]

SentSink = Callable[[bytes | None, float], None]
LevelSink = Callable[[float | None, float], None]

# So long, in seconds, what is played waits for a line that asks for nothing, because the connection is lost or does not
# come to be. After that it is played for nobody, and comes to its end.
_PATIENCE = 5.0
_STEP = 0.1
_MOST = 50


class Source(Protocol):
    """Something that is played."""

    def next(self) -> bytes | None:
        """The next 20 ms at the line's rate; None when there is nothing now."""
        ...

    def stop(self) -> None:
        """The call is over."""
        ...


class Sent:
    """What we say in one call, over all its connections.

    Attributes:
        muted: Whether silence is sent, whatever is played.
        frames: How many frames were asked for by the line.
    """

    def __init__(self) -> None:
        """Make one that says nothing."""
        self.muted = False
        self.frames = 0
        self._sources: list[Source] = []
        self._sinks: list[SentSink] = []
        self._levels: list[LevelSink] = []
        self._asked_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def tick(self) -> bytes | None:
        """What is sent in the next 20 ms; None for silence. Asked by the line, at its pace."""
        self.frames += 1
        self._asked_at = at = asyncio.get_running_loop().time()
        pieces = [piece for source in tuple(self._sources) if (piece := source.next()) is not None]
        pcm = None if self.muted or not pieces else pieces[0] if len(pieces) == 1 else mixed(pieces)
        if self._sinks or self._levels:
            for sink in tuple(self._sinks):
                sink(pcm, at)
            level = None if pcm is None or not self._levels else level_of(memoryview(pcm).cast("h")[::12])
            for told in tuple(self._levels):
                told(level, at)
        return pcm

    def add(self, source: Source) -> None:
        """Play something."""
        self._sources.append(source)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._asked_at = max(self._asked_at, loop.time())
            self._timer = loop.call_later(_PATIENCE, self._look)

    def remove(self, source: Source) -> None:
        """Play it no more."""
        if source in self._sources:
            self._sources.remove(source)

    def listen(self, sink: SentSink) -> Callable[[], None]:
        """Call a function with what is sent (None for silence) and the loop's time; gives what ends that."""
        self._sinks.append(sink)
        return lambda: self._sinks.remove(sink) if sink in self._sinks else None

    def meter(self, sink: LevelSink) -> Callable[[], None]:
        """Call a function with its level (None for silence) and the loop's time; gives the function that ends that."""
        self._levels.append(sink)
        return lambda: self._levels.remove(sink) if sink in self._levels else None

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        left = self._asked_at + _PATIENCE - loop.time()
        if left <= 0:
            self._pass_time(-left)
            left = _STEP
        if self._sources:
            self._timer = loop.call_later(left, self._look)

    def _pass_time(self, seconds: float) -> None:
        count = int(seconds / FRAME_SECONDS)
        self._asked_at += count * FRAME_SECONDS
        for _ in range(min(count, _MOST)):
            for source in tuple(self._sources):
                source.next()

    def end(self) -> None:
        """The call is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for source in tuple(self._sources):
            source.stop()
        self._sources.clear()
        self._sinks.clear()
        self._levels.clear()


def mixed(pieces: list[bytes]) -> bytes:
    """Several voices at once, each as loud as before; what is too loud together is clipped."""
    voices = [memoryview(piece).cast("h") for piece in pieces]
    return array("h", [max(-32768, min(32767, sum(together))) for together in zip(*voices, strict=False)]).tobytes()
