"""Start calls out of the logs of call trackers, of which ZIWO documents the route and no field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast
from urllib.parse import parse_qsl

from pydantic import JsonValue, ValidationError
from pydantic_core import from_json

from .body import parts_of
from .models import StartCall

__all__ = ["LoggedStart", "read_log"]

_Object: TypeAlias = Mapping[str, JsonValue]

_DID = "didcalled"
_CDR_MARKS = frozenset({"answeredrawtime", "callflows", "disposition", "enddatetime", "endrawtime", "hangupcause"})
"""What an end call has beside `didCalled`, and a start call has not."""
_KIND_KEYS = frozenset({"endpoint", "event", "hook", "kind", "path", "request", "requesttype", "type", "url"})
_END_WORDS = frozenset({"end", "endcall", "endrequest", "callend"})
_DEEPEST = 12
_LONGEST_TEXT = 262_144
_LINE_END = re.compile("\r?\n")
_DID_IN_TEXT = re.compile(r"did_?called\W{1,6}(\+?[0-9](?:[0-9 ()./-]*[0-9])?)", re.IGNORECASE)
_END_IN_TEXT = re.compile(r"answeredRawTime|endDateTime|endRawTime|hangupCause", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LoggedStart:
    """A start call that was logged.

    Attributes:
        start: The call, as the service would get it again.
        rules: What was answered then, if the log has it.
        at: When, as the log has it; empty when it does not say.
    """

    start: StartCall
    rules: tuple[_Object, ...] | None
    at: str


def read_log(record: _Object, *, caller_field: str = "callerIDNumber") -> LoggedStart | Literal["end", "unclear"]:
    """Find the start call in a log record: `didCalled` is looked for anywhere in it.

    In nested objects, that is, in lists of names and values, and in texts that are JSON or a form, whole or cut off.

    Args:
        record: The record.
        caller_field: Which field beside `didCalled` is the caller's number.

    Returns:
        The call; or `end` when the record is about an end call, and `unclear` when there is no `didCalled` in it.
    """
    objects = list(_objects(record, _DEEPEST))
    if any(_says_end(found) for found in objects):
        return "end"
    # The answer repeats didCalled: it tells of the call only when nothing else does.
    told = [found for found in objects if _did(found) is not None]
    for found in sorted(told, key=lambda one: ("rules" in one, caller_field not in one)):
        fields = {key: value for key, value in found.items() if _letters(key) != _DID and key != "rules"}
        try:
            start = StartCall.of({**fields, "didCalled": _did(found)}, caller_field=caller_field)
        except ValidationError:
            continue
        return LoggedStart(start, _rules(objects), _moment(record))
    return "unclear"


def _did(found: _Object) -> JsonValue:
    return next((value for key, value in found.items() if _letters(key) == _DID and value not in (None, "")), None)


def _says_end(found: _Object) -> bool:
    if _CDR_MARKS & {_letters(key) for key in found}:
        return True
    return any(
        _letters(key) in _KIND_KEYS
        and isinstance(value, str)
        and _letters(value.partition("?")[0].rstrip("/").rpartition("/")[2]) in _END_WORDS
        for key, value in found.items()
    )


def _rules(objects: Iterable[_Object]) -> tuple[_Object, ...] | None:
    for found in objects:
        rules = found.get("rules")
        if isinstance(rules, list) and all(isinstance(rule, dict) for rule in rules):
            return tuple(cast("list[_Object]", rules))
    return None


def _moment(record: _Object) -> str:
    for name in ("createdAt", "date", "dateTime", "time", "timestamp", "startedAt", "requestedAt", "updatedAt"):
        value = record.get(name)
        if isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != "":
            return str(value)
    return ""


def _objects(value: JsonValue | _Object, depth: int) -> Iterator[_Object]:
    """Every object inside of a value, the outer ones first."""
    if depth == 0:
        return
    inside: Iterable[JsonValue] = ()
    if isinstance(value, Mapping):
        yield value
        inside = value.values()
    elif isinstance(value, list):
        pairs = _pairs(value)
        if pairs:
            yield pairs
        inside = value
    elif isinstance(value, str) and len(value) <= _LONGEST_TEXT:
        inside = _in_text(value)
    for item in inside:
        yield from _objects(item, depth - 1)


def _pairs(items: list[JsonValue]) -> _Object:
    """Fields that are written as a list of names and values."""
    found: dict[str, JsonValue] = {}
    for item in items:
        if isinstance(item, dict) and "value" in item:
            name = item.get("name", item.get("key"))
            if isinstance(name, str):
                found[name] = item["value"]
    return found


def _in_text(text: str) -> list[JsonValue]:
    bare = text.strip()
    if bare[:1] in ("{", "["):
        try:
            return [cast("JsonValue", from_json(bare))]
        except ValueError:
            pass  # cut off, or no JSON
    if _DID_IN_TEXT.search(bare) is None and _DID not in bare.casefold():
        return []
    return [_form(bare) or _scraps(bare)]


def _form(text: str) -> dict[str, JsonValue]:
    if text.startswith("--"):
        return _parts(text)
    if re.fullmatch(r"[^\s{}<>\"']+", text) is None:
        return {}
    return dict(parse_qsl(text, keep_blank_values=True))


def _parts(text: str) -> dict[str, JsonValue]:
    """The fields of multipart form data, as far as they are there."""
    found: dict[str, JsonValue] = {}
    body = _LINE_END.sub("\r\n", text)  # a log may have changed them
    boundary = body.partition("\r\n")[0].removeprefix("--").rstrip()
    with suppress(ValueError):
        found.update(parts_of(body.encode(), boundary.encode()))  # up to what cannot be read
    return found


def _scraps(text: str) -> dict[str, JsonValue]:
    """What is left of a text that is neither JSON nor a form, such as JSON that was cut off."""
    if _END_IN_TEXT.search(text):
        return {"type": "end"}
    match = _DID_IN_TEXT.search(text)
    return {} if match is None else {"didCalled": match[1]}


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())
