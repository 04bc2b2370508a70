"""Small parts of the session machine: its phases, an open request, a bounded memory of ids."""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum
from typing import NamedTuple

__all__ = ["OpenRequest", "Phase", "Recent"]

_REMEMBERED = 512


class Phase(str, Enum):
    """How far the session is on its present socket."""

    OFFLINE = "offline"
    CONNECTED = "connected"
    LOGGING_IN = "logging in"
    LOGGED_IN = "logged in"
    READY = "ready"
    TAKEN_OVER = "taken over"


class OpenRequest(NamedTuple):
    """A request that waits for its reply.

    Attributes:
        method: Its method.
        action: Action of a `verto.modify`, cause of a `verto.bye`, else empty.
        call_id: The call it is about, if any.
        stale: Whether that call is over: the reply says nothing about a later call that uses the id again.
    """

    method: str
    action: str
    call_id: str | None
    stale: bool = False


class Recent(OrderedDict[str | int, None]):
    """A memory of the last 512 ids."""

    def note(self, key: str | int) -> None:
        """Remember this id, and forget the oldest when there are too many."""
        self[key] = None
        if len(self) > _REMEMBERED:
            self.popitem(last=False)
