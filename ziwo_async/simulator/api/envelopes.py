"""What an answer looks like: ZIWO's envelope around a content, a page of records, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from aiohttp import web

from ...verto.frames import JsonObject
from .quirks import Quirks

__all__ = ["Answer", "Page", "Refused", "content", "error"]

_LOGINS = frozenset({"ccLogin", "agentCCLogin", "ccPassword"})


class Refused(Exception):
    """The API refuses a request.

    Attributes:
        status: HTTP status.
        message: `error.message` of the envelope.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Page:
    """Some records of a collection.

    Attributes:
        rows: The records.
        total: How many there are in all.
    """

    rows: list[JsonObject]
    total: int

    @classmethod
    def all(cls, rows: Sequence[JsonObject]) -> Page:
        """A collection that is not cut into pages."""
        return cls(list(rows), len(rows))


Answer: TypeAlias = "JsonObject | Page | web.StreamResponse"
"""What a route's function gives."""


def content(answer: JsonObject | Page, quirks: Quirks, info: Mapping[str, Any]) -> web.Response:
    """A successful answer."""
    told = dict(info)
    found: Any = answer
    if isinstance(answer, Page):
        # An empty one stays a list, as in PHP.
        keyed = quirks.keyed and answer.rows and all("id" in row for row in answer.rows)
        found = {str(row["id"]): row for row in answer.rows} if keyed else answer.rows
        if quirks.totals in ("total", "both"):
            told["total"] = answer.total
        if quirks.totals in ("totalRecords", "both"):
            told["totalRecords"] = answer.total
    elif quirks.empty_as_list and not answer:
        found = []
    if quirks.numeric_logins:
        found = _with_numbers(found)
    return web.json_response({"result": True, "content": found, "info": told})


def error(status: int, message: str, quirks: Quirks, info: Mapping[str, Any]) -> web.Response:
    """A refusal."""
    return web.json_response(
        {"result": False, "error": {"message": message}, "info": dict(info)},
        status=200 if quirks.errors_with_200 else status,
    )


def _with_numbers(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _with_numbers(inner, name) for name, inner in cast("JsonObject", value).items()}
    if isinstance(value, list):
        return [_with_numbers(inner) for inner in cast("list[object]", value)]
    if key in _LOGINS and isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value
