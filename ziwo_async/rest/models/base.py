"""What all models of REST answers share: how they are made, and what they never show.

Unknown fields are kept, secrets are hidden in repr and dumps, and a field that cannot be read does not cost the record:
it becomes None, and what the server sent is kept in `Model.unreadable`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, ClassVar, TypeAlias, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    JsonValue,
    PlainValidator,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from ...errors import DecodeError
from ..envelope import Reply, as_list, as_object
from ..secret_keys import hide_secrets

__all__ = ["Model", "Open", "Seconds", "Utc", "empty_is_none", "parse", "parse_rows", "zero_is_none"]

_log = logging.getLogger("ziwo_async.rest")

_UNREADABLE = "unreadable"
_WARNINGS = "api_warnings"
_EMPTY: Mapping[str, JsonValue] = MappingProxyType({})


class Model(BaseModel):
    """Base of all REST models: frozen, snake_case in Python, ZIWO's camelCase on the wire, unknown fields kept."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        alias_generator=to_camel,
        validate_by_name=True,
        hide_input_in_errors=True,
        ser_json_timedelta="float",
        # The web client types ccLogin and ccPassword as numbers, Android as strings with leading zeros; text is right.
        coerce_numbers_to_str=True,
    )

    firm: ClassVar[frozenset[str]] = frozenset()
    """Optional fields (by alias) without which the record would mislead: an unreadable one refuses it."""
    _known: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: object) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls._known = frozenset(cls.model_fields) | {str(f.alias) for f in cls.model_fields.values()}

    @model_validator(mode="before")
    @classmethod
    def _hide_secrets_in_unknown_fields(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        given = cast("dict[str, JsonValue]", value)
        known = cls._known
        unknown = {key: item for key, item in given.items() if key not in known}
        return {**given, **cast("dict[str, JsonValue]", hide_secrets(unknown))} if unknown else given

    @property
    def unreadable(self) -> Mapping[str, JsonValue]:
        """Fields whose value had another type than they are known to have, as the server sent them; usually empty."""
        found = (self.model_extra or {}).get(_UNREADABLE)
        # The server may have a field of this name too, whatever is in it.
        ours = isinstance(found, dict) and found.keys() <= self._known
        return cast("dict[str, JsonValue]", found) if ours else _EMPTY

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the server said in `info` of the answer, such as a deprecation; usually nothing.

        Each record of a list has the words about the list.
        """
        found = (self.model_extra or {}).get(_WARNINGS)
        return tuple(map(str, cast("Iterable[object]", found))) if isinstance(found, (list, tuple)) else ()


def empty_is_none(value: object) -> object:
    """Read what is empty, of whatever type, as nothing: servers send `""`, `[]` or `{}` for what is not there.

    Args:
        value: What was sent.
    """
    return None if value in ("", [], {}) else value


def zero_is_none(value: object) -> object:
    """Read a moment of 0 as nothing: FreeSWITCH writes that for what has not happened yet.

    Args:
        value: What was sent.
    """
    return None if value in (0, "0") else value


def _seconds(value: object) -> object:
    if isinstance(value, str):
        # Presence has every figure as text (source: Android SDK).
        return float(value) if value.isascii() and value.isdecimal() and len(value) < 16 else value or None
    return value


def _utc(value: datetime) -> datetime:
    # Answers are in UTC and say so with a Z (source: ZIWO docs, call trackers); one that does not say it is taken so.
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise ValueError("out of range") from None


Open: TypeAlias = Annotated[JsonValue, PlainValidator(hide_secrets)]
"""Data whose shape is not known for certain; secrets in it are hidden."""
Utc: TypeAlias = Annotated[Annotated[datetime, AfterValidator(_utc)] | None, BeforeValidator(empty_is_none)]
"""A moment, always in UTC; an empty text is None."""
Seconds: TypeAlias = Annotated[timedelta | None, BeforeValidator(_seconds)]
"""A length of time, sent as a number of seconds."""


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
    return _validate(model, {**content, **_words_of(reply)} if reply.info else dict(content))


def _records_of(model: type[_M], reply: Reply) -> list[_M] | str:
    rows = _rows_of(model, reply.content)
    if rows is None:
        return "the content is not a list"
    words = _words_of(reply)
    models: list[_M] = []
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            return f"record {number}: it is not an object"
        found = _validate(model, {**row, **words} if words else row)
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
    return {_WARNINGS: list(words)} if words else {}


def _validate(model: type[_M], given: dict[str, JsonValue], *, again: bool = True) -> _M | str:
    """Give the model, or in words why there is none."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        # Field names and error types only: pydantic's own text has the values.
        problems = error.errors(include_url=False, include_context=False, include_input=False)
    names = {str(item["loc"][0]) for item in problems if item["loc"]}
    optional = {str(f.alias) for f in model.model_fields.values() if not f.is_required()} - model.firm
    if not again or not names or not names <= optional:
        return "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['type']}" for item in problems[:5])
    _log.warning("%s: could not read %s; taken as None", model.__name__, ", ".join(sorted(names)))
    kept = {key: value for key, value in given.items() if key not in names}
    return _validate(model, {**kept, _UNREADABLE: {name: given[name] for name in sorted(names)}}, again=False)
