"""JSON of the live socket: one decoder for both protocols, stricter and quicker than Python's."""

from __future__ import annotations

import json
from typing import cast

from pydantic import JsonValue
from pydantic_core import from_json

__all__ = ["decode", "encode", "event_of"]


def decode(text: str) -> JsonValue:
    """Parse JSON.

    Raises:
        ValueError: It is none, has NaN or infinity, or is nested absurdly.
    """
    # Equal texts become one object (the default): then the comparison with the last snapshot is quick.
    return cast("JsonValue", from_json(text, allow_inf_nan=False, cache_strings="all"))


def encode(value: JsonValue) -> str:
    """Write JSON in one line."""
    return json.dumps(value, separators=(",", ":"))


def event_of(value: JsonValue) -> tuple[str, tuple[JsonValue, ...]] | None:
    """The name and the arguments of an event; None when it is none."""
    if isinstance(value, list) and value and isinstance(value[0], str):
        return value[0], tuple(value[1:])
    return None
