"""What the server puts into an event of the live socket, as pure functions.

An event is named like a REST route and carries the envelope of REST answers, `{result, content, info: {status}}`, as an
object or as JSON text (source: Android SDK); it may carry nothing at all (source: ZIWO's Zendesk app).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from pydantic import JsonValue
from pydantic_core import from_json

__all__ = ["Content", "Nothing", "Payload", "Refused", "read_payload"]

_WORDS = 200


@dataclass(frozen=True, slots=True)
class Content:
    """What the envelope holds.

    Attributes:
        value: The content.
    """

    value: JsonValue


@dataclass(frozen=True, slots=True)
class Refused:
    """The server answered that it does not answer.

    Attributes:
        status: `info.status`, such as 403; None when there was none.
        text: Its words, cut short; empty when it gave none.
    """

    status: int | None
    text: str

    def __str__(self) -> str:
        return f"{self.status if self.status is not None else 'refused'}: {self.text or 'no reason given'}"


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is nothing to read in the event.

    Attributes:
        problem: Why not; None when the server sent null, which means nothing.
    """

    problem: str | None = None


Payload: TypeAlias = Content | Refused | Nothing


def read_payload(args: Sequence[object], hide: Callable[[str], str] = str) -> Payload:
    """Read the arguments of an event.

    Args:
        args: What came behind the event's name.
        hide: Takes secrets out of the server's words.
    """
    value = args[0] if args else None
    if isinstance(value, (str, bytes)):
        if not value.strip():
            return Nothing()
        try:
            value = from_json(value, allow_inf_nan=False)
        except ValueError:
            return Nothing("it is no JSON")
    if value is None:
        return Nothing()
    if not isinstance(value, dict):
        return Nothing(f"it is no envelope but a {type(value).__name__}")
    envelope = cast("dict[str, JsonValue]", value)
    info = envelope.get("info")
    status = _status(info.get("status")) if isinstance(info, dict) else None
    if envelope.get("result", True) in (False, 0, "false") or status not in (None, 200):
        return Refused(status, _words(envelope, hide))
    if "content" not in envelope:
        return Nothing("it has no content")
    return Content(envelope["content"])


def _status(value: JsonValue) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 6:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _words(envelope: dict[str, JsonValue], hide: Callable[[str], str]) -> str:
    error, content = envelope.get("error"), envelope.get("content")
    for found in (
        error.get("message") if isinstance(error, dict) else error,
        envelope.get("message"),
        content.get("message") if isinstance(content, dict) else None,
    ):
        if isinstance(found, str) and found:
            text = hide(found)[: 4 * _WORDS]
            return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_WORDS]
    return ""
