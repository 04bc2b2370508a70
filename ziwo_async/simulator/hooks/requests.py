"""One request to somebody's service: what is sent, and what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from ...verto.frames import JsonObject
from .bodies import StartBody, encode
from .post import Outgoing
from .variants import Variant

if TYPE_CHECKING:
    from ..trackers import SimTracker

__all__ = ["HookKind", "HookRequest", "Job", "Service", "logged_answer"]

HookKind: TypeAlias = Literal["start", "end", "cdr"]

_LONGEST_LOGGED = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRequest:
    """A request that was made, or could not be.

    Attributes:
        kind: `start` and `end` of a call tracker, or the `cdr` web hook.
        call_id: The call it was about.
        url: Where it went, without user, password and query.
        variant: What was special about it.
        fields: What it said. A record in it has all that the history's has.
        tried: Something was sent, or at least the connection.
        status: The HTTP status; None: there was no answer.
        body: The body of the answer.
        error: Why there was none; empty when there was.
        seconds: How long it took.
    """

    kind: HookKind
    call_id: str
    url: str
    variant: str
    fields: JsonObject = field(repr=False)
    tried: bool
    status: int | None = None
    body: bytes = field(default=b"", repr=False)
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Service:
    """Whom to ask."""

    url: str | None = field(repr=False)
    key: str | None = field(repr=False)
    limit: float


@dataclass(frozen=True, slots=True)
class Job:
    """A request that is to be made."""

    kind: HookKind
    service: Service
    call_id: str
    fields: JsonObject = field(repr=False)
    variant: Variant
    encoding: StartBody
    logged: SimTracker | None

    def outgoing(self) -> Outgoing:
        """What is sent."""
        variant, key = self.variant, self.service.key
        said = {**self.fields, "padding": "x" * variant.padding} if variant.padding else self.fields
        content_type, body = encode(said, self.encoding)
        own = () if key is None else (key.encode(errors="replace"),)
        return Outgoing(
            content_type=variant.content_type or content_type,
            body=body if variant.body is None else variant.body,
            keys=own if variant.keys is None else variant.keys,
            wait=variant.wait,
            piece=variant.piece,
            pause=variant.pause,
            cut=variant.cut,
        )


def logged_answer(body: bytes) -> JsonObject | None:
    """What a log keeps of an answer."""
    if len(body) > _LONGEST_LOGGED:
        return None
    try:
        found: object = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return cast("JsonObject", found) if isinstance(found, dict) else None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
