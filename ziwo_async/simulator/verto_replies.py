"""What a method of the Verto server gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ..verto.frames import JsonObject

__all__ = ["NOT_ALLOWED", "Outcome", "Refusal", "Slow", "call_error", "refused"]

CALL_LEVEL = -32002
"""Error code of everything about calls."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error reply.

    Attributes:
        error: The error object, keys in the server's order.
        precise: A first `message` member, in front of the one in `error` (the key stands twice on the wire).
    """

    error: JsonObject
    precise: str = ""


@dataclass(frozen=True, slots=True)
class Slow:
    """A reply that takes time; the socket's other requests wait."""

    seconds: float
    finish: Callable[[], JsonObject]


Outcome: TypeAlias = "JsonObject | Refusal | Slow"

NOT_ALLOWED = Refusal({"code": -32601, "message": "Invalid Method, Missing Method or Permission Denied"})
"""No such method, no method at all, or one the user may not call: the server does not say which."""


def refused(message: str, **first: str) -> Refusal:
    """A call-level error; `first` are the members in front of the message."""
    return Refusal({**first, "message": message, "code": CALL_LEVEL})


def call_error(cause: str, code: int, precise: str) -> Refusal:
    """The error of `verto.invite`: a general text, with the precise one in front under the same key."""
    return Refusal({"message": "CALL ERROR", "causeCode": code, "cause": cause, "code": CALL_LEVEL}, precise)
