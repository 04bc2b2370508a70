"""What all models have in common, those of REST answers and those of the live feed.

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

from .secret_keys import hide_secrets

__all__ = ["WARNINGS", "Model", "Open", "Seconds", "Utc", "empty_is_none", "read", "zero_is_none"]

_log = logging.getLogger("ziwo_async.models")

WARNINGS = "api_warnings"
"""Under this name a record keeps what the server said about the answer (see `Model.warnings`)."""

_UNREADABLE = "unreadable"
_EMPTY: Mapping[str, JsonValue] = MappingProxyType({})


class Model(BaseModel):
    """Base of all models: frozen, snake_case in Python, ZIWO's camelCase on the wire, unknown fields kept."""

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
    synonyms: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Other spellings of fields, by alias, for models that take the first that is there."""
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
        found = (self.model_extra or {}).get(WARNINGS)
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


def read(model: type[_M], given: dict[str, JsonValue], *, again: bool = True) -> _M | str:
    """Give the model, or in words why there is none: field names and kinds of problem, never values.

    Args:
        model: The model.
        given: The record as the server sent it.
        again: Whether optional fields that cannot be read are left out and kept in `Model.unreadable`.
    """
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
    spelled = {name: (name, *model.synonyms.get(name, ())) for name in sorted(names)}
    sent = {
        name: next((given[s] for s in spellings if given.get(s) is not None), None)
        for name, spellings in spelled.items()
    }
    dropped = {spelling for spellings in spelled.values() for spelling in spellings}
    kept = {key: value for key, value in given.items() if key not in dropped}
    return read(model, {**kept, _UNREADABLE: sent}, again=False)
