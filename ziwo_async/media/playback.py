"""Playback: something that is being played into a call, from a file, a tone, or frames that are made as it goes."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias, cast

from ..dispatch.owner import TaskHandle, TaskOwner
from ..errors import BadArgument
from .frame import LINE_BYTES, LINE_RATE, AudioFrame
from .thread import in_thread
from .tone import Tone

if TYPE_CHECKING:
    from .sent import Sent

__all__ = ["Playback", "Sound", "Speech", "check_rate"]

Sound: TypeAlias = str | os.PathLike[str] | Tone | AsyncIterable[AudioFrame]
"""What can be played: a file, a tone, or frames of any rate and length."""
Speech: TypeAlias = AsyncIterable[AudioFrame] | AsyncIterable[bytes]
"""What can be spoken: frames, or bare PCM."""

LOWEST, HIGHEST = 4000, 192_000
"""Samples a second of what can be played."""

_log = logging.getLogger("ziwo_async.media")

# Read ahead of what is played: enough for a source that comes in bursts, and a bound for one that is too fast.
_AHEAD = 2 * LINE_RATE * 2
# Sound starts, and starts again after a gap, once there is this much, or so many frames of time went by: jitter makes
# one gap and not many, and a short word is not kept back.
_CUSHION = 3 * LINE_BYTES
_PATIENCE = 3
_READ = 0.5
# What is brought to the line's rate at once, in seconds: a long piece must not hold the loop.
_CUT = 0.1


class Playback:
    """Something that is being played. Await it to wait for its end; `stop()` ends it.

    Attributes:
        completed: Whether it was played to its end, and not stopped before, by `stop()` or with the call. While the
            media connection is lost (`MediaLost`) nobody hears it; after some seconds it goes on all the same.
    """

    def __init__(self, sent: Sent, what: str) -> None:
        """Made by `CallAudio.play` and `CallAudio.speak`."""
        self.completed = False
        self._sent = sent
        self._what = what
        self._tone: Iterator[bytes] | None = None
        self._waiting = bytearray()
        self._held = 0
        self._complete = False
        self._room = asyncio.Event()
        self._ended = asyncio.Event()
        self._error: Exception | None = None
        self._feeder: TaskHandle | None = None
        self._played = 0

    def __repr__(self) -> str:
        return f"<Playback of {self._what}, {self.seconds:.1f} s{', ended' if self.done else ''}>"

    @property
    def seconds(self) -> float:
        """How much of it was played."""
        return self._played * LINE_BYTES / 2 / LINE_RATE

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._ended.is_set()

    def __await__(self) -> Generator[object, None, None]:
        return self.wait().__await__()

    async def wait(self) -> None:
        """Wait until it has ended: played out, stopped, or over with the call.

        Raises:
            BadArgument: The file cannot be read, or is no sound.
            Exception: Whatever the frames' iterator raised.
        """
        await self._ended.wait()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Stop at once. Does nothing when it has ended."""
        if self._feeder is not None:
            self._feeder.cancel()
        self._end()

    # -- for the call ----------------------------------------------------------

    def begin(self, sound: Sound | Speech, owner: TaskOwner, rate: int | None) -> None:
        """Start it."""
        if isinstance(sound, Tone):
            self._tone = sound.frames()
        elif isinstance(sound, str | os.PathLike):
            self._feeder = owner.spawn(f"play {self._what}", self._feed, _file(sound), None)
        else:
            self._feeder = owner.spawn(f"play {self._what}", self._feed, sound, rate)
        self._sent.add(self)

    def next(self) -> bytes | None:
        """The next 20 ms; asked by `Sent`."""
        piece = next(self._tone, None) if self._tone is not None else self._take()
        if piece is not None:
            self._played += 1
        elif self._tone is not None or self._complete:
            self.completed = True
            self._end()
        return piece

    def _take(self) -> bytes | None:
        waiting = self._waiting
        if not waiting:
            self._held = 0
            return None
        if self._held < _PATIENCE and len(waiting) < _CUSHION and not self._complete:
            self._held += 1
            return None
        self._held = _PATIENCE
        piece = bytes(waiting[:LINE_BYTES]).ljust(LINE_BYTES, b"\0")
        del waiting[:LINE_BYTES]
        self._room.set()
        return piece

    async def _feed(self, source: Speech, rate: int | None) -> None:
        from ._av import Resampler

        resampler = Resampler(LINE_RATE)
        try:
            async for piece in source:
                for pcm, known in _cut(piece, rate):
                    await self._put(resampler.push(pcm, known))
            await self._put(resampler.flush())
            self._complete = True
        except Exception as error:  # noqa: BLE001 - the user's iterator may raise anything; it goes to who awaits
            self._error = error
            _log.warning("%s could not be played: %s: %s", self._what, type(error).__name__, error)
        finally:
            if isinstance(source, AsyncGenerator):
                with suppress(RuntimeError):  # it is running in a task of the user's, who then ends it
                    await source.aclose()
            if not self._complete:
                self._end()

    async def _put(self, pcm: bytes) -> None:
        self._waiting += pcm
        while len(self._waiting) > _AHEAD:
            self._room.clear()
            await self._room.wait()

    def _end(self) -> None:
        self._sent.remove(self)
        self._waiting.clear()
        self._ended.set()


def _cut(piece: object, rate: int | None) -> Iterator[tuple[bytes, int]]:
    pcm, known = (piece.pcm, piece.rate) if isinstance(piece, AudioFrame) else (piece, rate)
    if isinstance(pcm, bytearray | memoryview):
        pcm = bytes(cast("bytearray", pcm))
    if not isinstance(pcm, bytes):
        raise BadArgument(f"{type(piece).__name__} is no sound: frames are played, and bytes of PCM")
    if known is None:
        raise BadArgument("bare PCM needs to be told its rate: speak(pcm, rate=24000)")
    check_rate(known)
    size = round(known * _CUT) * 2
    for at in range(0, len(pcm), size):
        yield pcm[at : at + size], known


def check_rate(rate: int) -> None:
    """Refuse what is no rate.

    Raises:
        BadArgument: It is out of range.
    """
    if not LOWEST <= rate <= HIGHEST:
        raise BadArgument(f"{rate} is no rate; from {LOWEST} to {HIGHEST} samples a second")


async def _file(path: str | os.PathLike[str]) -> AsyncGenerator[AudioFrame]:
    from ._av import AvError, SoundReader

    try:
        reader = await in_thread(lambda: SoundReader(path))
    except (OSError, AvError) as error:
        raise BadArgument(f"{os.fspath(path)!r} cannot be played: {error.strerror or error}") from None
    try:
        while pcm := await in_thread(lambda: reader.read(_READ)):
            yield AudioFrame(pcm, LINE_RATE)
    except AvError as error:
        raise BadArgument(f"{os.fspath(path)!r} cannot be played: {error.strerror or error}") from None
    finally:
        await in_thread(reader.close)
