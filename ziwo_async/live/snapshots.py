"""Snapshots out of contents: collections keyed by id, lists, and single records.

A record that did not change since the last snapshot keeps its model, so that 500 agents of whom three changed cost
three validations. Records that cannot be read are left out and counted; one bad row must not cost the snapshot.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Generic, TypeVar

from pydantic import JsonValue

from ..models.base import Model, read

__all__ = ["Keyed", "Reader", "Rows", "Single"]

_log = logging.getLogger("ziwo_async.live")

M = TypeVar("M", bound=Model)
T = TypeVar("T")
Reader = Callable[[JsonValue], T | None]
"""Makes a snapshot of a content; None when the content is nothing that it could be."""


class _Records(Generic[M]):
    """Reads records, and keeps those that stay the same."""

    def __init__(self, model: type[M], key: str, *, fill: bool) -> None:
        """Make a reader.

        Args:
            model: The model of a record.
            key: The field that names a record, on the wire.
            fill: Whether a record that lacks it is named by the key under which it stands.
        """
        self._model = model
        self._key = key
        self._fill = fill
        self._kept: dict[str, tuple[JsonValue, M]] = {}
        self.unreadable = 0

    def read(self, rows: Iterable[tuple[str, JsonValue]]) -> dict[str, M]:
        """Read rows, each with the key under which it stands; empty: it stands in a list."""
        before = self._kept
        fresh: dict[str, tuple[JsonValue, M]] = {}
        found: dict[str, M] = {}
        for key, row in rows:
            if not isinstance(row, dict):
                self._complain(f"it is no object but a {type(row).__name__}")
                continue
            name = row.get(self._key)
            if name is None and self._fill and key:
                row = {**row, self._key: key}  # noqa: PLW2901 - the record as it should have come
                name = key
            where = key or (str(name) if isinstance(name, (str, int)) else "")
            if not where:
                self._complain(f"it has no {self._key}")
                continue
            old = before.get(where)
            if old is not None and old[0] == row:
                fresh[where] = old
                found[where] = old[1]
                continue
            made = read(self._model, row)
            if isinstance(made, str):
                self._complain(made)
                continue
            fresh[where] = (row, made)
            found[where] = made
        self._kept = fresh
        return found

    def _complain(self, problem: str) -> None:
        self.unreadable += 1
        # Told at 1, 2, 4, 8, ...: a server that sends a strange row sends it every second.
        if self.unreadable & (self.unreadable - 1) == 0:
            _log.warning("%s: left out, %s (%d so far)", self._model.__name__, problem, self.unreadable)


def _pairs(content: JsonValue) -> Iterable[tuple[str, JsonValue]] | None:
    """Rows of a collection: an object keyed by id, or a list (sources: ZIWO Manager app, an integrator)."""
    if isinstance(content, list):
        return [("", row) for row in content]
    if content is None:
        return ()
    return content.items() if isinstance(content, dict) else None


class Keyed(Generic[M]):
    """Reads collections into a mapping by id."""

    def __init__(self, model: type[M], key: str = "id") -> None:
        self._records = _Records(model, key, fill=True)

    def __call__(self, content: JsonValue) -> Mapping[str, M] | None:
        """Read one snapshot."""
        pairs = _pairs(content)
        return None if pairs is None else MappingProxyType(self._records.read(pairs))


class Rows(Generic[M]):
    """Reads collections into a tuple."""

    def __init__(self, model: type[M], key: str) -> None:
        self._records = _Records(model, key, fill=False)

    def __call__(self, content: JsonValue) -> tuple[M, ...] | None:
        """Read one snapshot."""
        if isinstance(content, dict):
            # Keyed by an id of its own; the record has the name that counts.
            content = list(content.values()) if all(isinstance(row, dict) for row in content.values()) else [content]
        pairs = _pairs(content)
        return None if pairs is None else tuple(self._records.read(pairs).values())


class Single(Generic[M]):
    """Reads one record; `[]` is an empty one (PHP has one spelling for both)."""

    def __init__(self, model: type[M]) -> None:
        self._model = model

    def __call__(self, content: JsonValue) -> M | None:
        """Read one snapshot."""
        if content == []:
            content = {}
        if not isinstance(content, dict):
            return None
        made = read(self._model, content)
        if isinstance(made, str):
            _log.warning("%s: unreadable, %s", self._model.__name__, made)
            return None
        return made
