"""How records are shown: a table for people, JSON lines or CSV for programs. Each at once, however many there are."""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Literal, Protocol, TypeAlias, TypeVar

from pydantic import BaseModel, JsonValue, SecretStr
from rich.text import Text

from .. import HookUrl
from .running import plain
from .screen import Screen

__all__ = [
    "Column",
    "Form",
    "Show",
    "local",
    "seconds",
    "show_fields",
    "show_json_object",
    "show_with",
    "span",
    "told",
    "utc",
]

Form: TypeAlias = Literal["table", "json", "csv"]
"""How records are shown."""

_R = TypeVar("_R", bound=BaseModel)
_R_contra = TypeVar("_R_contra", bound=BaseModel, contravariant=True)
_GAP = "  "
# What spreadsheets take for a formula. Full-width forms count too: some spreadsheets fold them.
_FORMULA = re.compile(r"[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]")
_TELEPHONE_NUMBER = re.compile(r"\+[0-9]+")


@dataclass(frozen=True, slots=True)
class Column(Generic[_R]):
    """A column of a table or of CSV.

    Attributes:
        title: Its title; in CSV the name of the field.
        cell: Gives the text of a record's cell.
        width: How wide it is at least, in a table whose rows are not known before.
    """

    title: str
    cell: Callable[[_R], str | None]
    width: int = 0


class Show(Protocol[_R_contra]):
    """Shows records."""

    def row(self, record: _R_contra, /) -> None:
        """Show a record."""
        ...

    def end(self) -> None:
        """There are no more records."""
        ...


def show_with(
    columns: Sequence[Column[_R]], form: Form, *, measured: int = 0, whole: Callable[[_R], object] | None = None
) -> Show[_R]:
    """Choose how records are shown.

    Args:
        columns: What is shown of a record in a table, or in CSV.
        form: How.
        measured: How many rows of a table are held back, to make its columns as wide as they need to be.
        whole: Gives what JSON shows; by default all that the server told.
    """
    if form == "json":
        return _JsonLines(whole or told)
    return _Csv(columns) if form == "csv" else _Table(columns, measured)


class _JsonLines(Generic[_R]):
    def __init__(self, whole: Callable[[_R], object]) -> None:
        self._whole = whole

    def row(self, record: _R) -> None:
        show_json_object(self._whole(record))

    def end(self) -> None:
        pass


class _Csv(Generic[_R]):
    """RFC 4180: a header, CRLF, quotes where they are needed. No cell is a formula."""

    def __init__(self, columns: Sequence[Column[_R]]) -> None:
        self._columns = columns
        # On Windows stdout makes CRLF of LF by itself.
        self._writer = csv.writer(sys.stdout, lineterminator="\n" if os.linesep == "\r\n" else "\r\n")
        self._writer.writerow([column.title for column in columns])
        sys.stdout.flush()

    def row(self, record: _R) -> None:
        self._writer.writerow([_harmless(column.cell(record) or "") for column in self._columns])
        sys.stdout.flush()

    def end(self) -> None:
        pass


def _harmless(text: str) -> str:
    if _FORMULA.match(text) and _TELEPHONE_NUMBER.fullmatch(text) is None:
        text = f"'{text}"
    return plain(text)


class _Table(Generic[_R]):
    """Columns of text, in colours on a terminal and plain in a pipe; nothing is cut off."""

    def __init__(self, columns: Sequence[Column[_R]], measured: int) -> None:
        self._columns = columns
        self._console = Screen()
        self._widths = [max(column.width, len(column.title)) for column in columns]
        self._held: list[list[str]] = []
        self._measured = measured
        self._begun = False

    def row(self, record: _R) -> None:
        cells = [plain(column.cell(record) or "") for column in self._columns]
        if self._begun:
            self._print(cells)
            return
        self._held.append(cells)
        if len(self._held) > self._measured:
            self._begin()

    def end(self) -> None:
        if not self._begun:
            self._begin()

    def _begin(self) -> None:
        self._begun = True
        for cells in self._held:
            self._widths = [max(width, len(cell)) for width, cell in zip(self._widths, cells, strict=True)]
        self._print([column.title for column in self._columns], style="bold")
        for cells in self._held:
            self._print(cells)
        self._held.clear()

    def _print(self, cells: Sequence[str], style: str = "") -> None:
        padded = (cell.ljust(width) for cell, width in zip(cells, self._widths, strict=True))
        # Text, not markup: what a server sends has no say in the colours.
        self._console.print(Text(_GAP.join(padded).rstrip(), style=style), soft_wrap=True, highlight=False)


# --- one thing --------------------------------------------------------------------------------------------------------


def show_fields(fields: Mapping[str, str | None]) -> None:
    """Show the fields of one thing to people, a line each; those without a value are not shown."""
    console = Screen()
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        if value:
            line = Text(f"{name:<{width}}{_GAP}", style="bold")
            line.append(plain(value), style="default")
            console.print(line, soft_wrap=True, highlight=False)


def show_json_object(value: object) -> None:
    """Write a value as JSON on one line, in ASCII, so that neither encoding nor control characters matter."""
    sys.stdout.write(json.dumps(value, default=_as_json) + "\n")
    sys.stdout.flush()


def told(record: BaseModel) -> Mapping[str, JsonValue]:
    """Give what the server told of a record, in its own spelling, with every secret hidden."""
    return record.model_dump(by_alias=True, exclude_unset=True)


def _as_json(value: object) -> str | int | float:
    if isinstance(value, datetime):
        return utc(value) or ""
    if isinstance(value, timedelta):
        return seconds(value)
    if isinstance(value, (SecretStr, HookUrl)):
        return str(value)  # hidden, as far as it is secret
    raise TypeError(f"{type(value).__name__} is not JSON")


# --- cells ------------------------------------------------------------------------------------------------------------


def local(moment: datetime | None) -> str:
    """A moment for people, in the time zone of this machine."""
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def utc(moment: datetime | None) -> str | None:
    """A moment for programs: ISO 8601, in UTC."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def seconds(length: timedelta) -> int | float:
    """A length of time for programs."""
    found = length.total_seconds()
    return int(found) if found.is_integer() else found


def span(length: timedelta | None) -> str:
    """A length of time for people, such as `1:02:03` or `4:05`."""
    if length is None:
        return ""
    minutes, seconds = divmod(round(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
