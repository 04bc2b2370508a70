"""The typed snapshots of the live feed.

All fields but the one that names a record may be missing. Fields that are not listed are kept, and secrets among them
hidden, as in the models of REST answers. What is not known of a shape is left open instead of guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, TypeAlias, cast

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from ..events import Direction
from ..models.base import Model, Open, Seconds, Utc
from ..models.presence import AgentStatus, Presence
from ..models.shapes import as_list

__all__ = [
    "AgentTotals",
    "EndedCall",
    "LiveAgent",
    "LiveCall",
    "LiveNumber",
    "LivePosition",
    "LiveQueue",
    "LiveStats",
    "LiveStatus",
    "QueueCall",
    "QueueOfAgent",
    "QueueTotals",
    "WaitingCall",
]


def _rows(value: JsonValue) -> object:
    rows = None if value is None else as_list(value)
    return () if rows is None and value is None else value if rows is None else rows


def _moment(value: object) -> object:
    """Moments in mod_callcenter's rows are seconds since the epoch as text, "0" for never (source: an integrator)."""
    if isinstance(value, str):
        text = value.strip()
        if text.isascii() and text.isdecimal() and len(text) < 16:
            return int(text) or None
        return value or None
    return value or None


def _unknown_is_none(value: object) -> object:
    return None if value in ("", "unknown") else value


_Moment: TypeAlias = Annotated[Utc, BeforeValidator(_moment)]
_CcLogin: TypeAlias = Annotated[str | None, BeforeValidator(_unknown_is_none)]


class _Synonyms(Model):
    """A record whose fields have several spellings: the first that is there counts."""

    @model_validator(mode="before")
    @classmethod
    def _choose(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        given = cast("dict[str, JsonValue]", value)
        chosen: dict[str, JsonValue] = {}
        for name, others in cls.synonyms.items():
            if given.get(name) is None:
                for other in others:
                    if given.get(other) is not None:
                        chosen[name] = given[other]
                        break
        return {**given, **chosen} if chosen else given


class QueueOfAgent(Model):
    """A queue that an agent serves.

    Attributes:
        id: The queue's number.
        name: Its name.
    """

    id: str | None = None
    name: str | None = None


class LiveAgent(Model):
    """An agent at this moment (`GET /live/agents`; source: ZIWO Manager app).

    Attributes:
        id: The agent's number, as text.
        cc_login: The agent's ccLogin, such as `0011`.
        first_name: Given name.
        last_name: Family name.
        photo: Hash of the photo file.
        live_info: Presence: status, state, since when; None when the server sent an empty one.
        queues: The queues that the agent serves.
    """

    id: str
    cc_login: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    photo: str | None = None
    live_info: Presence = None
    queues: Annotated[tuple[QueueOfAgent, ...], BeforeValidator(_rows)] = ()

    @property
    def name(self) -> str:
        """First and last name, as far as known; else the ccLogin, else the number."""
        return " ".join(part for part in (self.first_name, self.last_name) if part) or self.cc_login or self.id

    @property
    def status(self) -> AgentStatus | None:
        """The status that the agent chose."""
        return self.live_info.status if self.live_info is not None else None

    @property
    def since(self) -> datetime | None:
        """When the status changed last, if the server told."""
        return self.live_info.since if self.live_info is not None else None


class QueueCall(_Synonyms):
    """A call in a queue, as the queue lists it. Only `state` is known for certain; the rest is kept as it came.

    Attributes:
        state: `Waiting`, ...
        call_id: The call (`callID`), when it is told.
        caller_number: Who calls (`callerID` or `callerIDNumber`), when it is told.
        joined_at: When the call came into the queue (`joinedEPOCH`), when it is told.
    """

    synonyms: ClassVar[Mapping[str, tuple[str, ...]]] = {"callerID": ("callerIDNumber",)}

    state: str | None = None
    call_id: str | None = Field(default=None, alias="callID")
    caller_number: str | None = Field(default=None, alias="callerID")
    joined_at: _Moment = Field(default=None, alias="joinedEPOCH")


class LiveQueue(_Synonyms):
    """A queue at this moment (`GET /live/queues`; source: ZIWO Manager app).

    Attributes:
        id: The queue's number, as text.
        name: Its name.
        agents: Who serves it; open data (an object in the Manager app).
        live_calls: Its calls (`liveCalls`; an older field is `calls`).
    """

    synonyms: ClassVar[Mapping[str, tuple[str, ...]]] = {"liveCalls": ("calls",)}

    id: str
    name: str | None = None
    agents: Open = None
    live_calls: Annotated[tuple[QueueCall, ...], BeforeValidator(_rows)] = ()

    @property
    def waiting(self) -> tuple[QueueCall, ...]:
        """The calls that wait."""
        return tuple(call for call in self.live_calls if (call.state or "").lower() == "waiting")


class WaitingCall(Model):
    """A call in a queue, a member of FreeSWITCH's call centre (`GET /live/queueCalls`; source: an integrator's sample).

    Attributes:
        call_id: The call (`callID`).
        session_uuid: The queue's own id of it.
        caller_id: Who calls.
        caller_name: The caller's name.
        started_at: When the call came to the contact centre (`systemEPOCH`).
        joined_at: When it came into the queue.
        bridged_at: When an agent took it; None while nobody has.
        agent: ccLogin of that agent.
        queue_name: The queue, by name.
        state: `Waiting`, ...
        score: Its weight in the queue.
    """

    call_id: str = Field(alias="callID")
    session_uuid: str | None = Field(default=None, alias="sessionUUID")
    caller_id: str | None = Field(default=None, alias="callerID")
    caller_name: str | None = None
    started_at: _Moment = Field(default=None, alias="systemEPOCH")
    joined_at: _Moment = Field(default=None, alias="joinedEPOCH")
    bridged_at: _Moment = Field(default=None, alias="bridgeEPOCH")
    agent: _CcLogin = Field(default=None, alias="agentCCLogin")
    queue_name: str | None = None
    state: str | None = None
    score: int | None = None


class LiveCall(_Synonyms):
    """A call at this moment (`GET /live/calls`). Its shape is not documented.

    So these are the names that such facts have in CDRs (source: Android SDK), in call-centre rows and in the CTI answer
    about the current call (sources: integrators); a name that the server does not use stays None, and all that it sends
    is in `model_extra`.

    Attributes:
        call_id: The call (`callID`).
        primary_call_id: The first leg (`primaryCallID`).
        direction: `inbound`, `outbound`, `internal` or `service`.
        state: FreeSWITCH's word for the state (`state` or `callState`), such as `ACTIVE`.
        caller_number: Who calls (`callerIDNumber`, `callerID` or `originalCallerIdNumber`).
        caller_name: The caller's name (`callerIDName` or `callerName`).
        did_called: The number that was called (`didCalled`).
        agent: ccLogin of the agent (`agentCCLogin`); None for `unknown`.
        queue_name: The queue, by name.
        started_at: The beginning (`startedAt`, `startDateTime` or `createdEPOCH`).
        answered_at: The answer (`answeredAt`, `answeredDateTime`, `bridgeEPOCH` or `channelBridgeEPOCH`).
        queue_id: The queue, by number.
        queue_answered_at: When an agent took the call from the queue (`queueAnsweredAt` or `queueAnsweredDateTime`).
        agent_rang_at: When the agent's phone began to ring (`agentRingStartedAt` or `agentRingStartDateTime`).
    """

    synonyms: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "state": ("callState",),
        "callerIDNumber": ("callerID", "originalCallerIdNumber"),
        "callerIDName": ("callerName",),
        "startedAt": ("startDateTime", "createdEPOCH"),
        "answeredAt": ("answeredDateTime", "bridgeEPOCH", "channelBridgeEPOCH"),
        "queueAnsweredAt": ("queueAnsweredDateTime",),
        "agentRingStartedAt": ("agentRingStartDateTime",),
    }

    call_id: str = Field(alias="callID")
    primary_call_id: str | None = Field(default=None, alias="primaryCallID")
    direction: Direction | None = None
    state: str | None = None
    caller_number: str | None = Field(default=None, alias="callerIDNumber")
    caller_name: str | None = Field(default=None, alias="callerIDName")
    did_called: str | None = None
    agent: _CcLogin = Field(default=None, alias="agentCCLogin")
    queue_name: str | None = None
    queue_id: str | None = None
    started_at: _Moment = None
    answered_at: _Moment = None
    queue_answered_at: _Moment = None
    agent_rang_at: _Moment = Field(default=None, alias="agentRingStartedAt")


class LivePosition(Model):
    """A position: a device on which an agent is reached (`GET /live/positions`).

    The shape of the event is not shown anywhere; the fields are those of positions inside CDRs (source: Android SDK).

    Attributes:
        id: Its number, as text.
        name: Its name, such as `agent-0011`.
        type: What it is.
        connected: Whether it is connected.
        agent: Its agent; open data.
        live_info: Device, address, pings; open data.
    """

    id: str
    name: str | None = None
    type: str | None = None
    connected: bool | None = None
    agent: Open = None
    live_info: Open = None


class LiveNumber(Model):
    """A telephone number (`GET /live/numbers`).

    The shape of the event is not shown anywhere; the fields are those of numbers in REST (source: official web client).

    Attributes:
        id: Its number, as text.
        did: The telephone number.
        did_display: As it is shown.
        link_type: What it leads to: `queue`, `callTracker`, ...
        link_data: The name of that.
        status: Status of the record.
    """

    id: str
    did: str | None = None
    did_display: str | None = None
    link_type: str | None = None
    link_data: Open = None
    status: str | None = None


class LiveStatus(Model):
    """One's own presence (`GET /live/status`; source: Android SDK). For agents.

    Attributes:
        status: The status.
        since: Since when.
        source: Who changed it: `agent`, or `fs-disconnect` when the phone was lost.
        force: Whether it was forced upon the agent, as far as the name tells.
    """

    status: AgentStatus | None = None
    since: _Moment = None
    source: str | None = None
    force: bool | None = None


class EndedCall(Model):
    """A call that has ended (`GET /callHistory`; source: an integrator). Only `callID` is sure; the rest is kept.

    Attributes:
        call_id: The call (`callID`).
    """

    call_id: str = Field(alias="callID")


class AgentTotals(Model):
    """What an agent did today (`GET /live/statistics/channels/calls/by/agents`; source: ZIWO Manager app).

    Attributes:
        id: The agent's number, as text.
        total_inbound_calls: Calls that came in.
        total_queue_answered_calls: Those of queues that were answered.
        total_inbound_duration: How long they took.
    """

    id: str | None = None
    total_inbound_calls: int | None = None
    total_queue_answered_calls: int | None = None
    total_inbound_duration: Seconds = None


class QueueTotals(Model):
    """What a queue saw today (`GET /live/statistics/channels/calls/by/queues`; source: ZIWO Manager app).

    Attributes:
        id: The queue's number, as text.
        total_queue_landed_calls: Calls that came into it.
    """

    id: str | None = None
    total_queue_landed_calls: int | None = None


_Length: TypeAlias = Seconds
_Ratio: TypeAlias = float | None


class LiveStats(Model):
    """The figures of the day (`GET /live/stats`; source: ZIWO Manager app). Lengths are in seconds on the wire.

    Attributes:
        sla: Service level.
        total_acd_calls: Calls of queues (`totalACDCalls`).
        total_ivr_landed_calls: Calls that came into the voice menu.
        total_lost_in_ivr_calls: Those that ended there.
        total_clean_calls_in: ZIWO's count of inbound calls that are not phantoms.
        total_phantom_calls_in: Inbound phantoms, in ZIWO's words.
        total_transferred_calls: Calls that were transferred.
        total_abandoned_calls: Calls whose caller gave up.
        percentage_abandoned_calls: The same in percent.
        total_voicemails: Messages left.
        total_queue_answered_calls: Calls of queues that were answered.
        answer_seizure_ratio: Answered calls to attempts.
        average_calls_answered_per_agent: Calls per agent.
        average_waiting_time: Wait of callers.
        average_abandon_time: Wait of those who gave up.
        average_inbound_handle_time: Handling of an inbound call.
        average_inbound_talk_time: Talking in an inbound call.
        average_speed_of_answer: Time to the answer.
        average_queue_talk_time: Talking in a call of a queue.
        total_inbound_talk_time: Talking in inbound calls.
        total_outgoing_calls: Calls made.
        total_clean_calls_out: ZIWO's count of outbound calls that are not phantoms.
        total_phantom_calls_out: Outbound phantoms, in ZIWO's words.
        average_outbound_handle_time: Handling of an outbound call.
        average_outbound_talk_time: Talking in an outbound call.
        total_outbound_talk_time: Talking in outbound calls.
        total_agents_logged_in: Agents that are logged in.
        total_agents_on_call: Agents that are on a call.
        total_agents_on_available_status: Agents whose status is Available.
        total_agents_on_break_status: Agents whose status is On Break.
        total_agents_on_meeting_status: Agents whose status is Meeting.
        total_agents_on_outgoing_status: Agents whose status is Outgoing.
        total_hold_time: Time on hold.
        total_agents: All agents.
    """

    sla: _Ratio = Field(default=None, alias="SLA")
    total_acd_calls: int | None = Field(default=None, alias="totalACDCalls")
    total_ivr_landed_calls: int | None = Field(default=None, alias="totalIVRLandedCalls")
    total_lost_in_ivr_calls: int | None = Field(default=None, alias="totalLostInIVRCalls")
    total_clean_calls_in: int | None = None
    total_phantom_calls_in: int | None = None
    total_transferred_calls: int | None = None
    total_abandoned_calls: int | None = None
    percentage_abandoned_calls: _Ratio = None
    total_voicemails: int | None = None
    total_queue_answered_calls: int | None = None
    answer_seizure_ratio: _Ratio = None
    average_calls_answered_per_agent: _Ratio = None
    average_waiting_time: _Length = None
    average_abandon_time: _Length = None
    average_inbound_handle_time: _Length = None
    average_inbound_talk_time: _Length = None
    average_speed_of_answer: _Length = None
    average_queue_talk_time: _Length = None
    total_inbound_talk_time: _Length = None
    total_outgoing_calls: int | None = None
    total_clean_calls_out: int | None = None
    total_phantom_calls_out: int | None = None
    average_outbound_handle_time: _Length = None
    average_outbound_talk_time: _Length = None
    total_outbound_talk_time: _Length = None
    total_agents_logged_in: int | None = None
    total_agents_on_call: int | None = None
    total_agents_on_available_status: int | None = None
    total_agents_on_break_status: int | None = None
    total_agents_on_meeting_status: int | None = None
    total_agents_on_outgoing_status: int | None = None
    total_hold_time: _Length = None
    total_agents: int | None = None

    def figures(self) -> dict[str, float]:
        """All figures that came, by ZIWO's names; lengths in seconds."""
        found: dict[str, float] = {}
        for name, field in type(self).model_fields.items():
            value: object = getattr(self, name)
            if isinstance(value, timedelta):
                found[str(field.alias)] = value.total_seconds()
            elif isinstance(value, (int, float)):
                found[str(field.alias)] = value
        return found
