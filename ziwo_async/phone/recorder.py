"""Recorder: keeps every frame of a phone in a file, as a wrapper of whatever opens its websocket.

Each line is written at once and by one system call, so that a killed process leaves a file that can be read. The event
loop waits for the write: use a local disk. A phone that is not recorded pays nothing.
"""

from __future__ import annotations

import json
import logging
import os
import ssl
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed

from ..config import Timeouts
from ..errors import ConfigError, ZiwoError
from ..verto.recording import CLOSED, ENDED, FORMAT, FULL, OPENED
from .cleaner import Cleaner
from .connection import Connector, Socket, how_it_ended, open_socket

__all__ = ["Recorder"]

_log = logging.getLogger("ziwo_async.recorder")

_LIMIT = 256 * 1_048_576
# Room that is kept for the closing line.
_CLOSING = 200


class Recorder:
    """Records the frames of a phone, both ways, with times and without secrets.

    ```python
    with Recorder("run.jsonl") as recorder:
        async with ZiwoClient("acme", username=u, password=p, connector=recorder.connector()) as ziwo, ziwo.phone:
            ...
    ```

    Kept out are session ids, passwords, tokens, and what would let others into the media. Call ids, names, message
    texts and (without `mask_numbers`) telephone numbers are in it: treat the file as personal data.

    Attributes:
        path: The file.
        frames: How many frames were recorded.
        stopped: Why the recording stopped before it was closed; empty while it runs.
    """

    def __init__(self, path: str | os.PathLike[str], *, mask_numbers: bool = False, limit: int = _LIMIT) -> None:
        """Make the file and write its header.

        Args:
            path: The file; it must not exist yet. It can be read and written by its owner only (mode 0600).
            mask_numbers: Mask telephone numbers as `+9715****526`, and hide DTMF digits.
            limit: Longest size of the file in bytes; then a closing line says so, and nothing more is recorded.

        Raises:
            ConfigError: The file exists or cannot be made, or the limit makes no sense.
        """
        if limit < 2 * _CLOSING:
            raise ConfigError(f"a recording of at most {limit} bytes would hold nothing; give at least {2 * _CLOSING}")
        self.path = os.fspath(path)
        self.frames = 0
        self.stopped = ""
        self._limit = limit
        self._written = 0
        self._sockets = 0
        self._open: set[str] = set()
        self._cleaner = Cleaner(mask_numbers=mask_numbers)
        self._file = _create(self.path)
        self._began = time.monotonic()
        self._write(
            {
                "ziwo_recording": FORMAT,
                "library": f"ziwo_async {_version()}",
                "at": round(time.time(), 6),
                "masked_numbers": mask_numbers,
            }
        )

    def __repr__(self) -> str:
        return f"<Recorder {self.path} {self.frames} frames{', stopped' if self.stopped else ''}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the recording; close the phones that it records first. Safe twice."""
        if not self._file.closed:
            self._line("", "note", note=ENDED, idle=not self._open)
            self._file.close()

    def connector(self, inner: Connector = open_socket) -> Connector:
        """Make a connector that records: give it to `ZiwoClient(connector=...)`.

        Args:
            inner: What opens the websocket; by default the library `websockets`.
        """

        async def connect(url: str, timeouts: Timeouts, tls: ssl.SSLContext | None) -> Socket:
            self._sockets += 1
            conn = str(self._sockets)
            try:
                socket = await inner(url, timeouts, tls)
            except ZiwoError as error:
                # Its text names the host.
                self._line(conn, "note", note="no connection", reason=type(error).__name__)
                raise
            self._open.add(conn)
            self._line(conn, "note", note=OPENED, bye_limit=timeouts.close)
            return _RecordedSocket(self, conn, socket)

        return connect

    # -- lines -----------------------------------------------------------------

    def frame(self, conn: str, way: str, raw: str | bytes) -> None:
        """Note a frame; called by the socket.

        Args:
            conn: The connection.
            way: `send` or `recv`.
            raw: The frame as it is on the wire.
        """
        if self._file.closed:
            return
        try:
            cleaned = self._cleaner.frame(raw)
        except Exception as error:  # noqa: BLE001 - whatever a server sends, a recording must not end its call
            self._stop(f"a frame could not be cleaned ({type(error).__name__})")
            return
        self.frames += 1
        if cleaned.frame is not None:
            self._line(conn, way, frame=cleaned.frame)
        elif cleaned.size:
            self._line(conn, way, raw=cleaned.raw, size=cleaned.size)
        else:
            self._line(conn, way, raw=cleaned.raw)

    def ended(self, conn: str, reason: str, code: int | None, *, by_us: bool) -> None:
        """Note the end of a connection; called by the socket, once or more.

        Args:
            conn: The connection.
            reason: Why, in words.
            code: The server's close code.
            by_us: Whether we closed it.
        """
        if conn in self._open:
            self._open.remove(conn)
            self._line(conn, "note", note=CLOSED, reason=self._cleaner.text(reason), code=code, by_us=by_us)

    def _line(self, conn: str, way: str, **more: object) -> None:
        rel = time.monotonic() - self._began
        self._write({"rel": round(rel, 6), "at": round(time.time(), 6), "conn": conn, "dir": way, **more})

    def _write(self, fields: dict[str, Any]) -> None:
        if self._file.closed:
            return
        line = json.dumps(fields, separators=(",", ":")).encode("ascii") + b"\n"
        full = self._written + len(line) + _CLOSING > self._limit and fields.get("note") != ENDED
        if full:
            now = {"rel": fields.get("rel", 0.0), "at": fields["at"]}
            closing = {**now, "conn": "", "dir": "note", "note": FULL, "limit": self._limit}
            line = json.dumps(closing, separators=(",", ":")).encode("ascii") + b"\n"
        try:
            left = memoryview(line)
            while left:
                # Less than all is written where the disk ends; the next try then says why.
                left = left[self._file.write(left) :]
        except OSError as error:
            self._stop(error.strerror or type(error).__name__)
            return
        self._written += len(line)
        if full:
            self._stop(f"it reached its limit of {self._limit} bytes")

    def _stop(self, why: str) -> None:
        self.stopped = why
        self._file.close()
        _log.warning("the recording %s stopped: %s", self.path, why)


class _RecordedSocket:
    """A websocket whose frames are noted."""

    def __init__(self, recorder: Recorder, conn: str, inner: Socket) -> None:
        self._recorder = recorder
        self._conn = conn
        self._inner = inner
        self._closing = False
        self._reason = ""

    def start(self, on_message: Callable[[bytes], None]) -> None:
        note, conn = self._recorder.frame, self._conn

        def take(raw: bytes) -> None:
            # First: what it makes us send comes later in the file, too.
            note(conn, "recv", raw)
            on_message(raw)

        self._inner.start(take)

    async def send(self, message: str) -> None:
        # Before it is sent: the state has moved, whether the socket takes the frame or not.
        self._recorder.frame(self._conn, "send", message)
        await self._inner.send(message)

    async def close(self) -> None:
        self._closing = True
        await self._inner.close()
        self._ended()

    async def wait_closed(self) -> None:
        await self._inner.wait_closed()
        self._ended()

    def ending(self) -> ConnectionClosed:
        return self._inner.ending()

    def abort(self) -> None:
        self._reason = "we cut it off: the server gave no sign of life"
        self._inner.abort()

    def _ended(self) -> None:
        code, reason = how_it_ended(self._inner.ending())
        if self._closing:
            reason = "we closed the connection"
        elif code is None:
            reason = self._reason or reason
        self._recorder.ended(self._conn, reason, code, by_us=self._closing)


def _create(path: str) -> Any:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        return open(os.open(path, flags, 0o600), "wb", buffering=0)
    except FileExistsError:
        raise ConfigError(f"{path} exists: a recording never writes over a file; choose another name") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"the recording {path} cannot be made: {why}") from None


def _version() -> str:
    from .. import __version__

    return __version__
