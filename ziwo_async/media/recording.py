"""RecordingHandle: a recording that goes on until it is stopped, or the call ends."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..dispatch.owner import finish
from ..errors import BadArgument
from .files import SoundFile, target_of
from .frame import LINE_RATE
from .thread import in_thread
from .timeline import Direction, Timeline, joined

if TYPE_CHECKING:
    from .received import Received
    from .sent import Sent

__all__ = ["RecordingHandle", "open_recording"]

_log = logging.getLogger("ziwo_async.media")

# What is written at once, and how late a frame may come and still be heard in the file.
_EVERY = 0.25
_LATENCY = 0.3
# So late, the loop was blocked, and what came meanwhile is still to be read.
_LATE = 0.1


class RecordingHandle:
    """A recording of one call. It stops with the call, or with `stop()`; the file appears then, whole.

    Attributes:
        path: Where the file will be.
        full: Whether it has ended by itself, because a WAV file holds no more than 4 GiB.
    """

    def __init__(self, path: Path, file: SoundFile, rate: int, direction: Direction) -> None:
        """Made by `CallAudio.record`."""
        from . import _av

        self.path = path
        self.full = False
        self._file = file
        self._rate = rate
        self._direction: Direction = direction
        self._timeline = Timeline(rate, asyncio.get_running_loop().time())
        self._line = _av.Resampler(rate)
        self._written = 0
        self._stopping = asyncio.Event()
        self._leave: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<RecordingHandle {self.path} {self._direction}, {self.seconds:.1f} s>"

    @property
    def seconds(self) -> float:
        """How much of it is written."""
        return self._written / self._rate

    @property
    def dropped(self) -> int:
        """How many frames are missing, because they kept coming faster than they last, or the disk took nothing."""
        return self._timeline.dropped

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._task is not None and self._task.done()

    async def stop(self) -> Path:
        """End it and wait for the file, also when cancelled. Safe to call twice.

        Returns:
            Where the file is.

        Raises:
            BadArgument: Something has come to be in its place meanwhile.
            OSError: It could not be written, because the disk is full for instance; then there is no file.
        """
        self._stopping.set()
        return await self.wait()

    async def wait(self) -> Path:
        """Wait until it has ended, with the call for instance. Raises as `stop`."""
        assert self._task is not None
        if self._stopping.is_set():
            await finish(self._task)
        else:
            await asyncio.shield(self._task)
        return self.path

    # -- for the call ----------------------------------------------------------

    def begin(self, received: Received, sent: Sent) -> None:
        """Listen and write."""
        if self._direction != "sent":
            self._leave.append(received.listen(self._rate, self._heard))
        if self._direction != "received":
            self._leave.append(sent.listen(self._said))
        # Its own task, not the call's: it outlives the call for as long as the file needs to become whole.
        self._task = asyncio.create_task(self._run(), name=f"ziwo_async:media: record {self.path.name}")
        self._task.add_done_callback(_looked_at)

    def end(self) -> asyncio.Task[None]:
        """The call is over; gives the task that makes the file whole."""
        self._stopping.set()
        assert self._task is not None
        return self._task

    def _heard(self, pcm: bytes, at: float) -> None:
        self._timeline.add(0, pcm, at)

    def _said(self, pcm: bytes | None, at: float) -> None:
        if pcm is not None:
            self._timeline.add(1, self._line.push(pcm, LINE_RATE), at)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            waited = False
            while not self._stopping.is_set() and not self.full:
                due = loop.time() + _EVERY
                try:
                    async with asyncio.timeout_at(due):
                        await self._stopping.wait()
                except TimeoutError:
                    waited = not waited and loop.time() - due > _LATE
                    if not waited:
                        await self._write(loop.time() - _LATENCY)
            self._stop_listening()
            await self._write(loop.time())
            await in_thread(self._file.finish)
        except BaseException:
            self._stop_listening()
            await in_thread(self._file.discard)
            raise

    async def _write(self, until: float) -> None:
        received, sent = self._timeline.take(until)
        if not received or self.full:
            return
        if await in_thread(lambda: self._file.write(joined(received, sent, self._direction))):
            self._written += len(received) // 2
        else:
            self.full = True
            _log.warning("%s holds no more: the recording ends", self.path)

    def _stop_listening(self) -> None:
        for leave in self._leave:
            leave()
        self._leave.clear()


def _looked_at(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a recording failed: %s", error)


async def open_recording(
    path: str | os.PathLike[str],
    call_id: str,
    *,
    kind: str | None,
    overwrite: bool,
    direction: Direction,
    rate: int,
) -> RecordingHandle:
    """Begin the file of a recording.

    Raises:
        BadArgument: It cannot be written there, or an argument makes no sense.
    """
    if direction not in ("mixed", "received", "sent", "both"):
        raise BadArgument(f"record: there is no direction {direction!r}; there are mixed, received, sent and both")

    begun: list[SoundFile] = []

    def begin() -> Path:
        target, chosen = target_of(path, kind, call_id, overwrite=overwrite)
        begun.append(SoundFile(target, chosen, rate, 2 if direction == "both" else 1, overwrite=overwrite))
        return target

    try:
        target = await in_thread(begin)
        return RecordingHandle(target, begun[0], rate, direction)
    except BaseException:
        for file in begun:
            await in_thread(file.discard)
        raise
