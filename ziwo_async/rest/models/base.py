"""From the replies of the REST API to models."""

from __future__ import annotations

from typing import TypeVar

from pydantic import JsonValue

from ...errors import DecodeError
from ...models.base import WARNINGS, Model, Open, Seconds, Utc, empty_is_none, read, zero_is_none
from ..envelope import Reply, as_list, as_object

__all__ = ["Model", "Open", "Seconds", "Utc", "empty_is_none", "parse", "parse_rows", "zero_is_none"]

_M = TypeVar("_M", bound=Model)


def parse(model: type[_M], reply: Reply, *, method: str, path: str) -> _M:
    """Make a model of the content of a reply.

    Args:
        model: The model.
        reply: The reply.
        method: HTTP method of the request, for the error.
        path: Path of the request, for the error.

    Raises:
        DecodeError: The content is not what the route is known to answer. It names the fields, not their values.
    """
    found = _record_of(model, reply)
    if isinstance(found, str):
        # Not where the content is at hand: whatever shows the frames of an error with their variables must not find it.
        raise DecodeError(found, status=reply.status, method=method, path=path)
    return found


def parse_rows(model: type[_M], reply: Reply, *, method: str, path: str) -> list[_M]:
    """Make models of a list; an object keyed by id, and one record alone, are lists too (see `as_list`).

    The key becomes the `id` of a record that has none.

    Args:
        model: The model.
        reply: The reply.
        method: HTTP method of the request, for the error.
        path: Path of the request, for the error.

    Raises:
        DecodeError: The content is no list of records, or a record lacks what makes it one, such as its id.
    """
    found = _records_of(model, reply)
    if isinstance(found, str):
        raise DecodeError(found, status=reply.status, method=method, path=path)
    return found


def _record_of(model: type[_M], reply: Reply) -> _M | str:
    content = as_object(reply.content)
    if content is None:
        return "the content is not an object"
    return read(model, {**content, **_words_of(reply)} if reply.info else dict(content))


def _records_of(model: type[_M], reply: Reply) -> list[_M] | str:
    rows = _rows_of(model, reply.content)
    if rows is None:
        return "the content is not a list"
    words = _words_of(reply)
    models: list[_M] = []
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            return f"record {number}: it is not an object"
        found = read(model, {**row, **words} if words else row)
        if isinstance(found, str):
            return f"record {number}: {found}"
        models.append(found)
    return models


def _rows_of(model: type[_M], content: JsonValue) -> list[JsonValue] | None:
    rows = as_list(content)
    if isinstance(content, dict) and "id" in model.model_fields and rows == list(content.values()):
        return [{"id": key, **row} if isinstance(row, dict) else row for key, row in content.items()]
    return rows


def _words_of(reply: Reply) -> dict[str, JsonValue]:
    words = reply.warnings if reply.info else ()
    return {WARNINGS: list(words)} if words else {}
