"""The format of recordings: one JSON object a line, first a header, then what happened on each connection. Pure.

A line has `rel` (seconds since the recording began, monotonic), `at` (seconds since the epoch), `conn` (which
connection) and `dir`: `send`, `recv` or `note`. Frames stand under `frame`, or as text under `raw` when they are no
plain JSON object. Transcripts of captured servers (`tests/data/transcripts`) are the same without header and `at`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

from ..errors import BadArgument
from .frames import JsonObject

__all__ = ["CLOSED", "ENDED", "FORMAT", "FULL", "OPENED", "Entry", "Recording", "read_recording"]

FORMAT = 1
"""Version of the format; the header's `ziwo_recording`."""
OPENED = "ws open"
"""Note: a connection stands."""
CLOSED = "ws closed"
"""Note: it has ended, with `reason`, `code` (or null) and `by_us`."""
ENDED = "end of recording"
"""Note: the recorder was closed; `idle` says whether no connection was open any more."""
FULL = "size limit reached"
"""Note: the recording is as long as it may be; what came later is not in it."""

_ENDS = (CLOSED, "abrupt TCP abort")
_YEAR_9999 = 253_402_300_000.0


class Entry(NamedTuple):
    """One line of a recording.

    Attributes:
        number: Its line number, from 1.
        kind: What it tells; `note` is anything that matters to people only.
        conn: The connection.
        at: When, in seconds since the epoch.
        rel: When, in seconds since the recording began.
        text: The frame as text (`send`, `recv`), or the words of a note.
        frame: The frame as an object, when it is one.
        size: Length of a received frame that was too large to be kept whole, else 0.
        reason: Why the connection ended.
        close_code: The websocket close code, when there was one.
        by_us: Whether we closed the connection.
        bye_limit: How long a hang-up waits for its confirmation, in seconds, when the line tells.
        idle: Whether no connection was left when the recorder was closed.
    """

    number: int
    kind: Literal["open", "close", "send", "recv", "end", "note"]
    conn: str
    at: float
    rel: float
    text: str = ""
    frame: JsonObject | None = None
    size: int = 0
    reason: str = ""
    close_code: int | None = None
    by_us: bool = False
    bye_limit: float | None = None
    idle: bool = False


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording as read.

    Attributes:
        entries: Its lines.
        library: Who wrote it, such as `ziwo_async 0.1.0`; empty for a transcript without a header.
        began: When it began, in seconds since the epoch; 0 when it does not tell.
        ours: Whether a `Recorder` wrote it, so that every command of ours is in it as our phone gives them.
        finished: Whether it has a closing line. Without one the process was killed, or still writes.
        truncated: Whether the last line is cut off (and was left out).
        full: Whether it ended at its size limit.
    """

    entries: tuple[Entry, ...]
    library: str = ""
    began: float = 0.0
    ours: bool = False
    finished: bool = False
    truncated: bool = False
    full: bool = False


def read_recording(lines: Iterable[bytes], *, began: float = 0.0) -> Recording:
    """Read the lines of a recording or of a transcript.

    Args:
        lines: The lines with their line feeds. A last line that was not written to its end is left out.
        began: When a recording began that does not tell (a transcript), in seconds since the epoch.

    Raises:
        BadArgument: A line cannot be read; the text says which one and why.
    """
    entries: list[Entry] = []
    opened: set[str] = set()
    header: JsonObject = {}
    truncated = False
    number = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            fields = _object(line)
        except ValueError as error:
            if line.endswith(b"\n"):
                raise BadArgument(f"line {number} {error}") from None
            truncated = True
            break
        try:
            if not entries and not header and "ziwo_recording" in fields:
                header = _header(fields)
                began = header["at"]
            elif not str(fields.get("conn", "esl")).startswith("esl"):
                entries.append(_entry(number, fields, began, opened))
        except (ValueError, RecursionError) as error:
            raise BadArgument(f"line {number} {error}") from None
    if not entries and not header:
        raise BadArgument("it is empty" if number == 0 else "it has no line of a recording")
    ends = [entry for entry in entries if entry.kind == "end"]
    return Recording(
        entries=tuple(entries),
        library=str(header.get("library", "")),
        began=began,
        ours=bool(header),
        finished=bool(ends),
        truncated=truncated,
        full=any(entry.text == FULL for entry in ends),
    )


def _object(line: bytes | str) -> JsonObject:
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise ValueError("is no JSON") from None
    if not isinstance(value, dict):
        raise ValueError("is no JSON object")
    return cast("JsonObject", value)


def _header(fields: JsonObject) -> JsonObject:
    version = fields["ziwo_recording"]
    if version != FORMAT:
        raise ValueError(f"tells format {version!r}; this release reads {FORMAT}")
    return {"library": fields.get("library", ""), "at": _number(fields, "at", _YEAR_9999)}


def _entry(number: int, fields: JsonObject, began: float, opened: set[str]) -> Entry:
    rel = _number(fields, "rel", 1e9)
    at = _number(fields, "at", _YEAR_9999) if "at" in fields else began + rel
    conn, way = str(fields["conn"]), fields.get("dir")
    if way == "note":
        return _note(number, fields, conn, at, rel, opened)
    if way not in ("send", "recv"):
        raise ValueError("is no line of a recording: its 'dir' is none of send, recv, note")
    if conn not in opened:
        raise ValueError(f"is about connection {conn!r}, which was not opened before")
    kind: Literal["send", "recv"] = "send" if way == "send" else "recv"
    frame, size = fields.get("frame"), fields.get("size")
    if "frame" in fields:
        whole = cast("JsonObject", frame) if isinstance(frame, dict) else None
        return Entry(number, kind, conn, at, rel, json.dumps(frame), whole)
    if not isinstance(fields.get("raw"), str):
        raise ValueError("has no frame: neither 'frame' nor a text 'raw'")
    text: str = fields["raw"]
    return Entry(
        number,
        kind,
        conn,
        at,
        rel,
        text,
        _reply(text) if kind == "recv" else None,
        size if isinstance(size, int) else 0,
    )


def _reply(text: str) -> JsonObject | None:
    """The object in a text that was kept as one for its repeated keys; its id is needed."""
    try:
        return _object(text)
    except ValueError:
        return None


def _note(number: int, fields: JsonObject, conn: str, at: float, rel: float, opened: set[str]) -> Entry:
    note = str(fields.get("note", ""))
    if note == OPENED:
        opened.add(conn)
        limit = _number(fields, "bye_limit", 1e9) if "bye_limit" in fields else None
        return Entry(number, "open", conn, at, rel, note, bye_limit=limit)
    if note in _ENDS or note.startswith("network"):
        code = fields.get("code")
        return Entry(
            number,
            "close" if conn in opened else "note",
            conn,
            at,
            rel,
            note,
            reason=str(fields.get("reason", note)),
            close_code=code if isinstance(code, int) else None,
            by_us=fields.get("by_us") is True,
        )
    if note in (ENDED, FULL):
        return Entry(number, "end", conn, at, rel, note, idle=fields.get("idle") is True)
    return Entry(number, "note", conn, at, rel, note)


def _number(fields: JsonObject, name: str, most: float) -> float:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most or math.isnan(value):
        raise ValueError(f"has no usable {name!r}")
    return float(value)
