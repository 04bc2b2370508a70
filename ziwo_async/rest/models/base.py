"""Models out of replies; the models' base itself lives in `ziwo_async.models`, below everything that reads JSON."""

from __future__ import annotations

from typing import TypeVar, cast

from pydantic import JsonValue

from ...errors import DecodeError
from ...models.base import Model, Open, Seconds, Utc, read
from ..envelope import Reply, as_list, as_object

__all__ = ["Model", "Open", "Seconds", "Utc", "parse", "parse_rows"]

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
    content = as_object(reply.content)
    if content is None:
        problem = "the content is not an object"
    else:
        found = read(model, cast("dict[str, JsonValue]", content))
        if not isinstance(found, str):
            return found
        problem = found
    # Outside of `except`, so that pydantic's error, which holds the values, is not even the context of ours.
    raise DecodeError(problem, status=reply.status, method=method, path=path)


def parse_rows(model: type[_M], reply: Reply, *, method: str, path: str) -> list[_M]:
    """Make models of a list; an object keyed by id, and one record alone, are lists too (see `as_list`).

    Args:
        model: The model.
        reply: The reply.
        method: HTTP method of the request, for the error.
        path: Path of the request, for the error.

    Raises:
        DecodeError: The content is no list of records, or a record lacks what makes it one, such as its id.
    """
    rows = as_list(reply.content)
    problem = "the content is not a list"
    if rows is not None:
        models: list[_M] = []
        for number, row in enumerate(rows):
            found = read(model, row) if isinstance(row, dict) else "it is not an object"
            if isinstance(found, str):
                problem = f"record {number}: {found}"
                break
            models.append(found)
        else:
            return models
    raise DecodeError(problem, status=reply.status, method=method, path=path)
