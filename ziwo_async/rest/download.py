"""One download to a file: it goes on after a break, and the file appears whole or not at all."""

from __future__ import annotations

import asyncio
import contextvars
import os
import random
import stat
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from ..config import RetryPolicy
from ..errors import (
    BadArgument,
    CannotConnect,
    ConnectionLost,
    DecodeError,
    RecordingNotReady,
    RequestTimeout,
    ServerError,
)
from .models.recording import Progress, Recording
from .part import Known, Part
from .sound import SOUNDS, sound_of
from .sound_source import BeginAnew, ResumePoint, SoundBody, SoundSource

__all__ = ["ProgressCallback", "download", "in_thread"]

ProgressCallback = Callable[[Progress], object]
"""What is called, in the event loop, after each piece that came."""

_T = TypeVar("_T")
_PIECE = 512 * 1024  # what is written at once: each write costs a trip to a thread


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the file goes.

    Attributes:
        stem: Path without extension, if the target is a folder; else the path.
        is_folder: Whether the kind of sound gives the extension.
    """

    stem: str
    is_folder: bool

    @property
    def part(self) -> str:
        return f"{self.stem}.part"

    def path(self, extension: str) -> str:
        return f"{self.stem}.{extension}" if self.is_folder else self.stem


async def download(
    source: SoundSource,
    target: str | os.PathLike[str],
    *,
    progress: ProgressCallback | None,
    resume: bool,
    overwrite: bool,
    timeout: float,
    retry: RetryPolicy,
) -> Recording:
    """Bring a recording into a file, readable by this user only.

    Args:
        source: Where it comes from.
        target: A file; or a folder, then the file is named by the call's UUID and the kind of sound.
        progress: Called after each piece.
        resume: Take up what an earlier download left in `<target>.part`, and leave such a part when this one breaks.
        overwrite: Whether the file may exist already.
        timeout: Seconds for all of it.
        retry: How often in a row the transfer may break without any progress, and how the pauses grow.

    Raises:
        BadArgument: The target exists, cannot be made, or is in use by another download.
        RequestTimeout: It took longer than `timeout`.
        OSError: The file cannot be written, because the disk is full for instance.
        ZiwoError: As `SoundSource.opened` and `SoundBody.chunks`.
    """
    place = await in_thread(partial(_place, target, source.call_id, overwrite=overwrite))
    part = Part(place.part)
    transfer = _Transfer(source, part, progress, retry)
    keep = resume
    try:
        await in_thread(part.open)
        if not resume:
            part.known = None
        limit = asyncio.timeout(timeout)
        try:
            async with limit:
                await transfer.run()
        except TimeoutError:
            if not limit.expired():
                raise
        if limit.expired():
            raise RequestTimeout(f"the recording did not come whole within {timeout:g} s")
        return await in_thread(partial(_finish, part, place, overwrite=overwrite))
    except DecodeError:
        keep = keep and not transfer.spoilt
        raise
    finally:
        await in_thread(partial(part.close, keep=keep))


async def in_thread(work: Callable[[], _T]) -> _T:
    """Do blocking work in a thread. A caller that is cancelled still waits for its end: files are not closed under it.

    Args:
        work: What to do; it should not take long.
    """
    context = contextvars.copy_context()
    # Not asyncio.to_thread: its task would be cancelled at the end of asyncio.run, while the thread goes on.
    done: asyncio.Future[_T] = asyncio.get_running_loop().run_in_executor(None, lambda: context.run(work))
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        while not done.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([done])
        done.exception()  # looked at: the cancellation is what is told
        raise


class _Transfer:
    """The bytes' way from a source to a part."""

    def __init__(self, source: SoundSource, part: Part, progress: ProgressCallback | None, retry: RetryPolicy) -> None:
        self._source = source
        self._part = part
        self._progress = progress
        self._retry = retry
        self.spoilt = False

    async def run(self) -> None:
        """Fill the part. A break is followed by another try, as long as there is progress."""
        best = self._part.size
        fruitless = pauses = 0
        while True:
            try:
                await self._once()
                return
            except BeginAnew:
                self._part.known = None  # so this cannot happen twice in a row
                continue
            except (CannotConnect, ConnectionLost, RecordingNotReady, RequestTimeout, ServerError) as error:
                if not self._source.answered:
                    raise  # the transport has tried often enough
                failed = error
            gained = self._part.size - best
            best = max(best, self._part.size)
            fruitless = 0 if gained > 0 else fruitless + 1
            # A server that gives a byte and cuts, again and again, is asked ever more seldom.
            pauses = 0 if gained >= _PIECE else pauses + 1
            if fruitless >= self._retry.attempts:
                raise failed
            pause = min(self._retry.cap, self._retry.base * 2 ** min(pauses, 16))
            await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - jitter, not cryptography

    async def _once(self) -> None:
        async with self._source.opened(await self._resume_point()) as sound:
            if sound.start == 0:
                known = Known(
                    call_id=self._source.call_id, route=sound.route, validator=sound.validator, total=sound.size
                )
                await in_thread(partial(self._part.restart, known))
            await self._receive(sound)

    async def _resume_point(self) -> ResumePoint | None:
        known, size = self._part.known, self._part.size
        if known is None or known.validator is None or known.call_id != self._source.call_id or size == 0:
            return None
        if known.total is not None and size > known.total:
            return None
        if size == known.total:
            # It was complete but for its name. The last byte is asked for, to hear whether it is still that version.
            size -= 1
            await in_thread(partial(self._part.trim, size))
        return (
            ResumePoint(route=known.route, start=size, validator=known.validator, total=known.total) if size else None
        )

    async def _receive(self, sound: SoundBody) -> None:
        waiting: list[bytes] = []
        held, received = 0, sound.start
        try:
            async with aclosing(sound.chunks()) as chunks:
                async for chunk in chunks:
                    waiting.append(chunk)
                    held += len(chunk)
                    if held >= _PIECE:
                        ready, waiting, held = waiting, [], 0
                        await in_thread(partial(self._part.append, ready))
                    received += len(chunk)
                    if self._progress is not None:
                        self._progress(Progress(received, sound.size))
        except BaseException as error:
            self.spoilt = isinstance(error, DecodeError)
            with suppress(OSError):  # the first failure is the one to tell
                await in_thread(partial(self._part.append, waiting))
            raise
        await in_thread(partial(self._part.append, waiting))


# --- files: blocking, for threads -----------------------------------------------------------------------------------


def _place(target: str | os.PathLike[str], call_id: str, *, overwrite: bool) -> _Place:
    text: object = os.fspath(target)
    if not isinstance(text, str) or not text or "\0" in text or not _has_bytes(text):
        raise BadArgument(f"{text!r} is no path to save a recording at")
    if os.path.isdir(text):
        place = _Place(os.path.join(text, call_id), is_folder=True)
    else:
        place = _Place(text, is_folder=False)
        folder = os.path.dirname(text) or os.curdir
        if not os.path.isdir(folder) or not os.path.basename(text):
            raise BadArgument(f"{text} cannot be saved: there is no folder {folder}")
    for path in {place.path(sound.extension) for sound in SOUNDS}:
        _check_free(path, overwrite=overwrite)
    return place


def _has_bytes(path: str) -> bool:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:  # half of a character
        return False
    return True


def _check_free(path: str, *, overwrite: bool) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    except OSError as error:
        text = f"{path} cannot be saved: {error.strerror}"
    else:
        if not overwrite:
            text = f"{path} exists: pass overwrite=True, or choose another place"
        elif stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode):
            return  # what replaces a link is the file, and not what the link leads to
        else:
            text = f"{path} is no file, and is not replaced"
    raise BadArgument(text)


def _finish(part: Part, place: _Place, *, overwrite: bool) -> Recording:
    sound = sound_of(part.head())
    known = part.known
    assert sound is not None, "what is no sound is not written"
    assert known is not None
    path = place.path(sound.extension)
    part.publish(path, overwrite=overwrite)
    return Recording(
        path=Path(path), size=part.size, content_type=sound.content_type, call_id=known.call_id, route=known.route
    )
