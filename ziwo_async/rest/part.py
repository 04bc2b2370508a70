"""The file that a download grows in: private, locked, resumable, and put in place in one step.

Everything here blocks, and is for threads. `<target>.part` has the bytes, `<target>.part.json` what is known of them:
no address, no secret.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import get_args

from pydantic import JsonValue

from ..errors import BadArgument
from .models.recording import RecordingRoute
from .sound import HEAD

__all__ = ["Known", "Part", "is_validator"]

_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NOTE_LIMIT = 4096
_TRIES = 5
_LONGEST_VALIDATOR = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of the bytes of a part.

    Attributes:
        call_id: Whose recording it is.
        route: Where it comes from.
        validator: What the server calls this version of it: `ETag` or `Last-Modified`. None: it cannot be resumed.
        total: Its length in bytes, when the server told it.
    """

    call_id: str
    route: RecordingRoute
    validator: str | None
    total: int | None


class Part:
    """The growing file. Nobody else writes to it: other downloads of the same target are refused.

    Attributes:
        size: Bytes in it.
        known: What is known of them.
    """

    def __init__(self, path: str) -> None:
        """Name it; no I/O happens.

        Args:
            path: The part's path.
        """
        self._path = path
        self._note = f"{path}.json"
        self._fd: int | None = None
        self.size = 0
        self.known: Known | None = None

    def open(self) -> None:
        """Make the file, or take the one that an earlier download left.

        Raises:
            BadArgument: It cannot be made; or what stands there is a link, is not ours, or is in use.
        """
        try:
            for _ in range(_TRIES):
                if self._taken():
                    self._take_note()
                    return
        except (OSError, ValueError) as error:
            if isinstance(error, BadArgument):
                raise
            why = error.strerror if isinstance(error, OSError) else str(error)
            text = f"{self._path} cannot be made: {why}"
        else:
            text = f"{self._path} comes and goes; is another program at work there?"
        raise BadArgument(text)

    def restart(self, known: Known) -> None:
        """Begin anew.

        Args:
            known: What is known of the bytes that will come.
        """
        self.trim(0)
        self.known = known
        with suppress(FileNotFoundError):
            os.unlink(self._note)
        # After the truncation: a note must never speak of bytes that are not its own.
        fd = os.open(self._note, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
        try:
            _write(fd, json.dumps({"ziwo_async.part": 1, **asdict(known)}).encode("ascii"))
        finally:
            os.close(fd)

    def append(self, chunks: Sequence[bytes]) -> None:
        """Write at the end.

        Args:
            chunks: What to write.

        Raises:
            OSError: The disk is full, for instance. What was written up to then counts.
        """
        try:
            for chunk in chunks:
                self.size += _write(self._open, chunk)
        except OSError as error:
            self.size = os.fstat(self._open).st_size
            raise OSError(error.errno, error.strerror, self._path) from None

    def head(self) -> bytes:
        """Give the first bytes."""
        os.lseek(self._open, 0, os.SEEK_SET)
        found = os.read(self._open, HEAD)
        os.lseek(self._open, 0, os.SEEK_END)
        return found

    def trim(self, size: int) -> None:
        """Forget the last bytes.

        Args:
            size: How many stay.
        """
        os.ftruncate(self._open, size)
        self.size = os.lseek(self._open, 0, os.SEEK_END)

    def publish(self, target: str, *, overwrite: bool) -> None:
        """Put the file in its place, whole and on disk.

        Args:
            target: The place.
            overwrite: Whether it may stand there already.

        Raises:
            BadArgument: It stands there already.
        """
        os.fsync(self._open)
        if sys.platform == "win32":
            self._close()  # an open file cannot be renamed there
        # Elsewhere it stays open, and so locked, until it has its name: nobody can take it up as a part of theirs.
        if overwrite:
            os.replace(self._path, target)
        else:
            self._publish_new(target)
        with suppress(FileNotFoundError):
            os.unlink(self._note)
        self._close()

    def close(self, *, keep: bool) -> None:
        """Leave the part; safe after `publish`, and when it was never opened.

        Args:
            keep: Whether it stays for a later download; it goes nevertheless when none could go on with it.
        """
        if self._fd is None:
            return
        useful = keep and self.size > 0 and self.known is not None and self.known.validator is not None
        if not useful and sys.platform != "win32":
            self._remove()  # the part first: a part without its note would be taken for somebody else's
        self._close()
        if not useful and sys.platform == "win32":
            self._remove()

    # --- inside ---------------------------------------------------------------------------------------------------

    @property
    def _open(self) -> int:
        assert self._fd is not None
        return self._fd

    def _close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _remove(self) -> None:
        for path in (self._path, self._note):
            with suppress(FileNotFoundError):
                os.unlink(path)

    def _publish_new(self, target: str) -> None:
        text = f"{target} exists: pass overwrite=True, or choose another place"
        try:
            # A link, unlike a rename, never replaces what came there in the meantime.
            os.link(self._path, target, follow_symlinks=False)
        except FileExistsError:
            pass
        except (OSError, NotImplementedError):  # a file system without links
            if not os.path.lexists(target):
                os.replace(self._path, target)
                return
        else:
            os.unlink(self._path)
            return
        raise BadArgument(text)

    def _taken(self) -> bool:
        """Open and lock it; False when it went away meanwhile."""
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
        except FileExistsError:
            try:
                _check_ours(self._path, os.lstat(self._path))
                fd = os.open(self._path, os.O_RDWR | _FLAGS)
            except FileNotFoundError:
                return False
        try:
            return self._checked(fd)
        finally:
            if self._fd != fd:
                os.close(fd)

    def _checked(self, fd: int) -> bool:
        found = os.fstat(fd)
        _check_ours(self._path, found)  # once more: it may be another file by now
        if not _locked(fd):
            raise BadArgument(f"{self._path} is in use: another download of the same target is under way")
        try:
            there = os.lstat(self._path)
        except FileNotFoundError:
            return False
        if not os.path.samestat(found, there):
            return False
        if found.st_nlink > 1:
            # A process died between linking the target and removing the part: the bytes are the target's now.
            os.unlink(self._path)
            return False
        if hasattr(os, "fchmod"):
            os.fchmod(fd, 0o600)
        self._fd, self.size = fd, os.lseek(fd, 0, os.SEEK_END)
        return True

    def _take_note(self) -> None:
        try:
            text = self._read_note()
            self.known = _known(text)
            if self.known is None and (text or self.size):
                # Not removed: the downloads of other programs have such names too.
                path = self._note if text else self._path
                raise BadArgument(f"{path} was not written by this package: remove it, or choose another place")
        except (OSError, BadArgument):
            if self.size == 0:
                os.unlink(self._path)
            self._close()
            raise

    def _read_note(self) -> bytes:
        try:
            fd = os.open(self._note, os.O_RDONLY | _FLAGS)
        except FileNotFoundError:
            return b""
        try:
            _check_ours(self._note, os.fstat(fd))
            return os.read(fd, _NOTE_LIMIT)
        finally:
            os.close(fd)


def _known(text: bytes) -> Known | None:
    try:
        note: JsonValue = json.loads(text)
    except ValueError:
        return None
    if not isinstance(note, dict) or note.get("ziwo_async.part") != 1:
        return None
    call_id, validator, total = note.get("call_id"), note.get("validator"), note.get("total")
    route = next((route for route in get_args(RecordingRoute) if route == note.get("route")), None)
    if not isinstance(call_id, str) or route is None:
        return None
    if not (validator is None or (isinstance(validator, str) and is_validator(validator))):
        return None
    if not (total is None or isinstance(total, int)):
        return None
    return Known(call_id=call_id, route=route, validator=validator, total=total)


def _write(fd: int, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]  # a disk that gets full takes a part of it
    return len(data)


def is_validator(text: str | None) -> bool:
    """Whether a text can be sent as `If-Range` (or there is none).

    Args:
        text: The value of an `ETag` or `Last-Modified`.
    """
    return text is None or (0 < len(text) <= _LONGEST_VALIDATOR and text.isascii() and text.isprintable())


def _check_ours(path: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode) or (hasattr(os, "geteuid") and found.st_uid != os.geteuid()):
        raise BadArgument(f"{path} is a link, or no file of this user: remove it first")


def _locked(fd: int) -> bool:
    """Lock an open file against other downloads, of this process and others, until it is closed."""
    if sys.platform == "win32":
        return True  # a file that another one has open can be neither renamed nor removed there
    import fcntl

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a network file system without locks
    return True
