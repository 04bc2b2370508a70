"""Sound files that appear whole or not at all. Blocking: for threads."""

from __future__ import annotations

import os
import re
import stat
import tempfile
import wave
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from ..errors import BadArgument

__all__ = ["Format", "SoundFile", "target_of"]

Format: TypeAlias = Literal["wav", "mp3", "ogg"]
"""Kinds of sound files that can be written."""

_FORMATS: dict[str, Format] = {"wav": "wav", "mp3": "mp3", "ogg": "ogg"}
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 100
# What the size in the head of a WAV file can tell, less the head itself.
_WAV_MOST = 2**32 - 2**10


def target_of(path: str | os.PathLike[str], kind: str | None, call_id: str, *, overwrite: bool) -> tuple[Path, Format]:
    """Where a recording goes, and what kind of file it is.

    Args:
        path: A file; or a folder, then the file is named by the call.
        kind: What is asked for; None to take it from the name, and `wav` when that says nothing.
        call_id: The call. It came from the server, so its name is made of harmless characters only.
        overwrite: Whether the file may exist already.

    Raises:
        BadArgument: It cannot be written there, or there is no such format.
    """
    text: object = os.fspath(path)
    if not isinstance(text, str) or not text or "\0" in text:
        raise BadArgument(f"{text!r} is no path to save a recording at")
    target = Path(text)
    if target.is_dir():
        chosen = kind or "wav"
        target /= f"{_UNSAFE.sub('_', call_id)[:_LONGEST].strip('.') or 'call'}.{chosen}"
    else:
        chosen = kind or target.suffix.lower().removeprefix(".") or "wav"
    found = _FORMATS.get(chosen)
    if found is None:
        raise BadArgument(f"record: there is no format {chosen!r}; there are {', '.join(_FORMATS)}")
    if not target.parent.is_dir():
        raise BadArgument(f"{target} cannot be saved: there is no folder {target.parent}")
    _check_free(target, overwrite=overwrite)
    return target, found


def _check_free(target: Path, *, overwrite: bool) -> None:
    try:
        found = target.lstat()
    except FileNotFoundError:
        return
    if not overwrite:
        raise BadArgument(f"{target} exists: pass overwrite=True, or choose another place")
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISLNK(found.st_mode):
        raise BadArgument(f"{target} is no file, and is not replaced")


class _Writer(Protocol):
    def write(self, pcm: bytes) -> bool: ...
    def close(self) -> None: ...


def _writer(path: str, kind: Format, rate: int, channels: int) -> _Writer:
    if kind == "wav":
        return _WavWriter(path, rate, channels)
    from ._av import SoundWriter

    return SoundWriter(path, kind, rate, channels)


class _WavWriter:
    def __init__(self, path: str, rate: int, channels: int) -> None:
        self._file = wave.open(path, "wb")  # noqa: SIM115 - it is open as long as the recording goes on
        self._file.setnchannels(channels)
        self._file.setsampwidth(2)
        self._file.setframerate(rate)
        self._written = 0

    def write(self, pcm: bytes) -> bool:
        if self._written + len(pcm) > _WAV_MOST:
            return False
        self._written += len(pcm)
        self._file.writeframesraw(pcm)
        return True

    def close(self) -> None:
        self._file.close()


class SoundFile:
    """A sound file in the making, beside its place and under another name until it is whole."""

    def __init__(self, target: Path, kind: Format, rate: int, channels: int, *, overwrite: bool) -> None:
        """Begin the file, readable by this user only.

        Args:
            target: Where it will be.
            kind: Its format.
            rate: Samples a second.
            channels: 1 or 2.
            overwrite: Whether it may take the place of another.

        Raises:
            BadArgument: Nothing can be written there.
        """
        self._target = target
        self._overwrite = overwrite
        self._closed = False
        try:
            handle, self._part = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
            os.close(handle)
        except OSError as error:
            raise BadArgument(f"{target} cannot be saved: {error.strerror}") from None
        try:
            self._writer = _writer(self._part, kind, rate, channels)
        except BaseException:
            self._remove()
            raise

    def write(self, pcm: bytes) -> bool:
        """Add samples, interleaved when there are two channels.

        Returns:
            Whether there was room: a file of its kind may hold no more.

        Raises:
            OSError: It cannot be written, because the disk is full for instance.
        """
        return self._writer.write(pcm)

    def finish(self) -> None:
        """Make it whole and put it in its place.

        Raises:
            OSError: It cannot be written.
            BadArgument: Something has come to be in its place meanwhile.
        """
        try:
            self._close()
            if self._overwrite:
                os.replace(self._part, self._target)
            else:
                self._place_new()
        finally:
            self._remove()

    def _place_new(self) -> None:
        try:
            os.link(self._part, self._target)  # unlike a rename, it never replaces
        except FileExistsError:
            raise BadArgument(f"{self._target} exists: pass overwrite=True, or choose another place") from None
        except OSError:
            # A file system without links: a moment is left in which another program could lose its file.
            _check_free(self._target, overwrite=False)
            os.replace(self._part, self._target)

    def discard(self) -> None:
        """Leave nothing."""
        try:
            with suppress(OSError):
                self._close()
        finally:
            self._remove()

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self._writer.close()

    def _remove(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._part)
