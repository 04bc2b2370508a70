"""Presence: the status an agent has, as REST answers and the live feed tell it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field, JsonValue

from ..events import OpenEnum
from .base import Model, Utc, read

__all__ = ["AgentPresence", "AgentStatus", "Presence"]


class AgentStatus(OpenEnum):
    """The statuses that every contact centre has (source: Android SDK). Admins may add others, and rename these.

    The value is the text that ZIWO shows; `number` is what `PUT /agents/status` takes.
    """

    LOGGED_OUT = "Logged Out"
    AVAILABLE = "Available"
    ON_BREAK = "On Break"
    MEETING = "Meeting"
    OUTGOING = "Outgoing"

    @property
    def number(self) -> int | None:
        """The number to send; None for a status of the contact centre's own."""
        return _NUMBERS.get(self.value)


_NUMBERS = {status.value: number for number, status in enumerate(AgentStatus)}


def _number(value: object) -> object:
    """Numbers come as text (source: Android SDK); one that is none must not cost the rest of the presence."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return value if isinstance(value, (int, float)) else None


def _never_is_none(value: object) -> object:
    return _number(value) or None


_Count: TypeAlias = Annotated[int | None, BeforeValidator(_number)]
_Seconds: TypeAlias = Annotated[timedelta | None, BeforeValidator(_number)]
_Epoch: TypeAlias = Annotated[Utc, BeforeValidator(_never_is_none)]


class AgentPresence(Model):
    """What an agent does at this moment (`liveInfo` of a user; source: Android SDK). Every field may be missing.

    Attributes:
        status: The status that the agent chose.
        state: What the queues make of it; the words are not documented.
        position: The device on which the agent is reached, such as `agent-0011`.
        since: When the status changed last.
        last_bridged_at: When the agent was connected with a caller of a queue last.
        last_unbridged_at: When that ended.
        calls_answered: Calls of queues that the agent answered.
        no_answer_count: Calls of queues that rang in vain.
        talk_time: Time spent with callers of queues.
        wrap_up_time: The pause after a call.
    """

    status: AgentStatus | None = None
    state: str | None = None
    position: str | None = None
    since: _Epoch = Field(default=None, alias="lastStatusChangeEPOCH")
    last_bridged_at: _Epoch = Field(default=None, alias="lastBridgeEPOCH")
    last_unbridged_at: _Epoch = Field(default=None, alias="lastUnBridgeEPOCH")
    calls_answered: _Count = None
    no_answer_count: _Count = None
    talk_time: _Seconds = None
    wrap_up_time: _Seconds = None


def _presence(value: JsonValue) -> object:
    """A presence with a field that cannot be read keeps the others; an empty one (`{}`, `[]`) is None."""
    if not isinstance(value, (dict, list)):
        return value
    if not value:
        return None
    found = read(AgentPresence, value) if isinstance(value, dict) else value
    return value if isinstance(found, str) else found


Presence: TypeAlias = Annotated[AgentPresence | None, BeforeValidator(_presence)]
"""`liveInfo` inside a record."""
