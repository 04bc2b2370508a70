"""The two shapes in which ZIWO sends collections, and the empty list that may stand for either."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from pydantic import JsonValue

__all__ = ["JsonObject", "as_list", "as_object"]

JsonObject: TypeAlias = Mapping[str, JsonValue]


def as_object(content: JsonValue) -> JsonObject | None:
    """Give an object; `[]` and nothing are the empty object; None when the value is anything else."""
    if isinstance(content, dict):
        return content
    if content is None or content == []:
        return {}
    return None


def as_list(content: JsonValue) -> list[JsonValue] | None:
    """Give a list; the values of an object keyed by id are one too; None when the value is anything else.

    An object whose values are not all objects is one record, and becomes a list of one (source: ZIWO docs, call
    trackers).
    """
    if isinstance(content, list):
        return content
    if content is None:
        return []
    if isinstance(content, dict):
        values = list(content.values())
        return values if all(isinstance(item, dict) for item in values) else [content]
    return None
