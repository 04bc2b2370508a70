"""Received: what is heard in a call. Drained as it comes, given to whoever reads, and kept for nobody."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self
from weakref import WeakSet

from ..errors import BadArgument
from .frame import RATES, AudioFrame, level_of

if TYPE_CHECKING:
    import av

__all__ = ["FrameStream", "Received"]

PcmSink = Callable[[bytes, float], None]
LevelSink = Callable[[float, float], None]


class FrameStream:
    """Frames of 20 ms, as an async iterator that ends with the call.

    It begins with the first step (or `async with`), holds a bounded number of frames, and drops the oldest when one
    more comes. For one task; several may have a stream each.

    Attributes:
        dropped: How many frames were dropped, because they were not read in time.
    """

    def __init__(self, received: Received, rate: int, buffer: int) -> None:
        """Made by `CallAudio.frames`."""
        self.dropped = 0
        self._received = received
        self._rate = rate
        self._frames: deque[AudioFrame] = deque(maxlen=buffer)
        self._waiter: asyncio.Future[None] | None = None
        self._begun = self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AudioFrame:
        self._begin()
        if self._waiter is not None:
            raise RuntimeError("a stream of frames is for one task: make another one")
        while not self._frames:
            if self._ended:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._frames.popleft()

    async def __aenter__(self) -> Self:
        self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End it; frames that it holds are not given any more."""
        self._frames.clear()
        self._received.remove(self, self._rate)
        self.end()

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._received.add(self, self._rate)

    def put(self, frame: AudioFrame) -> None:
        """Take a frame; called for each that comes."""
        if len(self._frames) == self._frames.maxlen:
            self.dropped += 1
        self._frames.append(frame)
        self._wake()

    def end(self) -> None:
        """There will be no more."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class _Rate:
    """Who wants frames at one rate."""

    def __init__(self, rate: int) -> None:
        from ._av import Converter

        self.converter = Converter(rate)
        # Weak: a stream that is left in the middle (`break`) is gone, and costs nothing any more.
        self.streams: WeakSet[FrameStream] = WeakSet()
        self.sinks: list[PcmSink] = []


class Received:
    """What is heard in one call, over all its connections.

    Attributes:
        frames: How many frames came.
    """

    def __init__(self, heard: Callable[[float], None]) -> None:
        """Make one to which nobody listens.

        Args:
            heard: Called with the loop's time for each frame that comes.
        """
        self.frames = 0
        self._heard = heard
        self._rates: dict[int, _Rate] = {}
        self._levels: list[LevelSink] = []
        self._ended = False

    def push(self, frame: av.AudioFrame) -> None:
        """Take a decoded frame. With nobody listening, that is all that happens to it."""
        self.frames += 1
        now = asyncio.get_running_loop().time()
        self._heard(now)
        if self._levels:
            level = _level_of(frame)
            for told in tuple(self._levels):
                told(level, now)
        if self._rates:
            frame.pts = None  # packets that were lost leave gaps, which are nobody's concern here
            for rate, wanted in tuple(self._rates.items()):
                self._give(rate, wanted, frame, now)

    def _give(self, rate: int, wanted: _Rate, frame: av.AudioFrame, now: float) -> None:
        if not wanted.streams and not wanted.sinks:
            del self._rates[rate]
            return
        for pcm in wanted.converter.convert(frame):
            for sink in tuple(wanted.sinks):
                sink(pcm, now)
            if wanted.streams:
                made = AudioFrame(pcm, rate, time.time())
                for stream in wanted.streams:
                    stream.put(made)

    def stream(self, rate: int, buffer: int) -> FrameStream:
        """A new stream of frames, which has not begun.

        Raises:
            BadArgument: There is no such rate, or the buffer holds nothing.
        """
        if rate not in RATES or buffer < 1:
            raise BadArgument(f"frames can be had at {', '.join(map(str, RATES))} samples a second, and a buffer of 1")
        return FrameStream(self, rate, buffer)

    def add(self, stream: FrameStream, rate: int) -> None:
        """Let a stream have frames."""
        if self._ended:
            stream.end()
        else:
            self._rates.setdefault(rate, _Rate(rate)).streams.add(stream)

    def remove(self, stream: FrameStream, rate: int) -> None:
        """Let a stream have no more frames."""
        if rate in self._rates:
            self._rates[rate].streams.discard(stream)

    def listen(self, rate: int, sink: PcmSink) -> Callable[[], None]:
        """Call a function with each frame's PCM and the loop's time; gives the function that ends that."""
        sinks = self._rates.setdefault(rate, _Rate(rate)).sinks
        sinks.append(sink)
        return lambda: sinks.remove(sink) if sink in sinks else None

    def meter(self, sink: LevelSink) -> Callable[[], None]:
        """Call a function with each frame's level and the loop's time; gives the function that ends that."""
        self._levels.append(sink)
        return lambda: self._levels.remove(sink) if sink in self._levels else None

    def end(self) -> None:
        """The call is over."""
        self._ended = True
        for wanted in self._rates.values():
            for stream in tuple(wanted.streams):
                stream.end()
        self._rates.clear()
        self._levels.clear()


def _level_of(frame: av.AudioFrame) -> float:
    # From some 80 of its samples, of the first channel: energy does not mind the gaps.
    channels = frame.layout.nb_channels
    samples = memoryview(frame.planes[0]).cast("B")[: frame.samples * channels * 2].cast("h")
    return level_of(samples[:: max(1, frame.samples // 80) * channels])
