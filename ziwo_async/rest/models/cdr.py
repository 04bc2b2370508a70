"""CDRs: what is known about a call that has ended."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Self, TypeAlias, cast

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from ...events import Direction, OpenEnum
from ..envelope import as_list
from .base import Model, Open, Seconds, Utc, empty_is_none, zero_is_none

__all__ = ["CallFlow", "CallResult", "Cdr", "CdrAgent", "CdrCustomer", "Emotion", "Emotions"]


class CallResult(OpenEnum):
    """How a call came out (sources: integrators; the list is not documented).

    Case, `-`, `_` and spaces do not matter: `CallResult("No Answer")` is `CallResult.NO_ANSWER`. A word that is not
    known becomes a member that carries it.
    """

    ANSWERED = "answered"
    NO_ANSWER = "no-answer"
    CANCEL = "cancel"
    BUSY = "busy"
    LOSE_RACE = "lose-race"
    FAILED = "failed"
    TIMEOUT = "timeout"

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if isinstance(value, str):
            word = _letters(value)
            for member in cls:
                if _letters(member.value) == word:
                    return member
        return super()._missing_(value)


def _letters(text: str) -> str:
    return "".join(c for c in text.lower() if c not in "-_ ")


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) and not isinstance(value, OpenEnum) else value


def _rows(value: object) -> object:
    given = cast("JsonValue", value)
    return as_list(given) if isinstance(given, dict) and given else given or ()


_RawTime: TypeAlias = Annotated[Utc, BeforeValidator(zero_is_none)]


class Emotion(Model):
    """Emotions heard in a piece of a call, each from 0 to 1 as far as is known (source: Android SDK).

    Attributes:
        anger: How much anger.
        fear: How much fear.
        happiness: How much happiness.
        neutrality: How much of none.
        sadness: How much sadness.
        error: Why there is nothing; open data.
    """

    anger: float | None = None
    fear: float | None = None
    happiness: float | None = None
    neutrality: float | None = None
    sadness: float | None = None
    error: Open = None


class Emotions(Model):
    """Emotions heard in a call (source: Android SDK).

    Attributes:
        chunks: Piece by piece.
        full: Over the whole call.
    """

    chunks: Annotated[tuple[Emotion, ...], BeforeValidator(_rows)] = ()
    full: Annotated[Emotion | None, BeforeValidator(empty_is_none)] = None


class CallFlow(Model):
    """One station on the way of a call (source: ZIWO docs, call tracker's endCall).

    Attributes:
        call_id: The call (`callID`).
        step: Counts the stations.
        extension_name: Name of the station, such as `general_incoming`.
        extension_number: Its number.
        transfered: Whether the call was transferred (ZIWO's spelling).
        hangup: Whether the call ended here.
        status: Status of the record.
        id: Number of the record.
        version: Version of the record.
        created_at: Creation of the record.
        updated_at: Last change of the record.
    """

    call_id: str | None = Field(default=None, alias="callID")
    step: int | None = None
    extension_name: str | None = None
    extension_number: str | None = None
    transfered: bool | None = None
    hangup: bool | None = None
    status: str | None = None
    id: int | str | None = None
    version: str | None = None
    created_at: Utc = None
    updated_at: Utc = None


class CdrCustomer(Model):
    """The customer of a call, with the dataset `customer` (source: Android SDK).

    Attributes:
        id: Id of the customer's profile.
        first_name: Given name.
        last_name: Family name.
    """

    id: str | None = None
    first_name: str | None = None
    last_name: str | None = None


class CdrAgent(Model):
    """The agent of a call, with the dataset `agent` (source: Android SDK).

    Attributes:
        id: Number of the user.
        first_name: Given name.
        last_name: Family name.
        username: E-mail address.
        cc_login: The agent's number, such as `0011`.
    """

    id: int | None = None
    first_name: str | None = None
    last_name: str | None = None
    username: str | None = None
    cc_login: str | None = None


class Cdr(Model):
    """A call that has ended, as the history and the call trackers' endCall tell it.

    Two families of times are there, `...At` and `...DateTime`, and a third, `...RawTime`, in endCall only; `start`,
    `answer` and `end` choose. Numbers are as ZIWO gives them: with `+`, with `00`, or local. No field but `id` is
    certain to be there. (Sources: Android SDK, ZIWO docs for endCall, Manager app)

    Attributes:
        id: Number of the record; a text such as `46:5196` in ZIWO's endCall example.
        call_id: The call's UUID (`callID`), which recordings go by.
        direction: `inbound`, `outbound`, `internal` or `service`.
        result: How the call came out.
        result_text: The result as ZIWO spelled it; not a field of ZIWO's.
        disposition: `ANSWER`, ...
        hangup_cause: FreeSWITCH cause, such as `NORMAL_CLEARING`.
        hangup_by: `originator`, `originatee`, ...
        started_at: Start of the call.
        answered_at: Answer.
        ended_at: End.
        start_date_time: Start, second family.
        answered_date_time: Answer, second family.
        end_date_time: End, second family.
        start_raw_time: Start, sent as seconds since the epoch.
        answered_raw_time: Answer, sent as seconds since the epoch; 0 is None.
        end_raw_time: End, sent as seconds since the epoch.
        duration: From start to end.
        talk_time: Talking.
        ring_time: Ringing.
        hold_time: On hold.
        ivr_time: In the voice menu.
        queue_talk_time: Talking, in the queue's count.
        queue_wait_time: Waiting in the queue.
        agent_wait_time: Waiting for the agent.
        caller_id_name: Name of the caller.
        caller_id_number: Number of the caller; in an outbound call the trunk's, not the customer's.
        did_called: Inbound: our number that was called. Outbound: the number dialled.
        channel_name: FreeSWITCH channel, such as `sofia/external/<number>`.
        call_leg_side: Seen as `unknown` in endCall.
        gateway: Gateway of the call.
        position: Name of the position; in endCall the number that answered.
        position_id: Its number.
        agent_id: Number of the agent's user.
        agent_cc_login: The agent's number, such as `0011`; `unknown` when there was none.
        agent_ring_started_at: Start of the ringing at the agent.
        agent_ring_start_date_time: The same, second family.
        other_side_user_id: The other user of an internal call.
        queue_id: Number of the queue.
        queue_name: Name of the queue; not certain to exist.
        queue_entered_at: The call entered the queue.
        queue_enter_date_time: The same, second family.
        queue_answered_at: The call was answered out of the queue.
        queue_answered_date_time: The same, second family.
        number_id: Number of the record of our number (DID).
        customer_id: Id of the customer's profile.
        recording_file: `<callID>.mp3`; None while there is no recording (it takes some seconds after the end).
        voicemail: Whether the caller was sent to the voicemail.
        lost_in_ivr: Whether the caller hung up in the voice menu.
        non_working_hours: Whether the call came outside of working hours.
        non_fcr_repeats: Repeated calls that are no first-call resolution, as a count (`nonFCRRepeats`).
        flags: A number, not explained anywhere.
        audio_quality: A number up to 100 as far as is known.
        ivr_file: File of the voice menu.
        status: Status of the record (`active`), not of the call.
        version: Version of the record.
        created_at: Creation of the record.
        updated_at: Last change of the record.
        extended_info: Snapshots of agents, numbers, positions and queues; open data, with every `ccPassword` hidden.
        emotions: Emotions heard.
        call_flows: Stations of the call; in endCall only.
        tags: With the dataset `tags`; open data.
        notes: With the dataset `notes`; open data.
        customer: With the dataset `customer`.
        agent: With the dataset `agent`.
    """

    firm: ClassVar[frozenset[str]] = frozenset({"callID", "direction"})

    id: int | str
    call_id: str | None = Field(default=None, alias="callID")
    direction: Annotated[Direction | None, BeforeValidator(_lower)] = None
    result: CallResult | None = None
    result_text: str | None = None
    disposition: str | None = None
    hangup_cause: str | None = None
    hangup_by: str | None = None
    started_at: Utc = None
    answered_at: Utc = None
    ended_at: Utc = None
    start_date_time: Utc = None
    answered_date_time: Utc = None
    end_date_time: Utc = None
    start_raw_time: _RawTime = None
    answered_raw_time: _RawTime = None
    end_raw_time: _RawTime = None
    duration: Seconds = None
    talk_time: Seconds = None
    ring_time: Seconds = None
    hold_time: Seconds = None
    ivr_time: Seconds = None
    queue_talk_time: Seconds = None
    queue_wait_time: Seconds = None
    agent_wait_time: Seconds = None
    caller_id_name: str | None = Field(default=None, alias="callerIDName")
    caller_id_number: str | None = Field(default=None, alias="callerIDNumber")
    did_called: str | None = None
    channel_name: str | None = None
    call_leg_side: str | None = None
    gateway: str | None = None
    position: str | None = None
    position_id: int | str | None = None
    agent_id: int | None = None
    agent_cc_login: str | None = Field(default=None, alias="agentCCLogin")
    agent_ring_started_at: Utc = None
    agent_ring_start_date_time: Utc = None
    other_side_user_id: int | str | None = None
    queue_id: int | str | None = None
    queue_name: str | None = None
    queue_entered_at: Utc = None
    queue_enter_date_time: Utc = None
    queue_answered_at: Utc = None
    queue_answered_date_time: Utc = None
    number_id: int | str | None = None
    customer_id: int | str | None = None
    recording_file: str | None = None
    voicemail: bool | None = None
    lost_in_ivr: bool | None = Field(default=None, alias="lostInIVR")
    non_working_hours: bool | None = None
    non_fcr_repeats: int | None = Field(default=None, alias="nonFCRRepeats")
    flags: int | None = None
    audio_quality: int | None = None
    ivr_file: str | None = None
    status: str | None = None
    version: str | None = None
    created_at: Utc = None
    updated_at: Utc = None
    extended_info: Open = None
    emotions: Annotated[Emotions | None, BeforeValidator(empty_is_none)] = None
    call_flows: Annotated[tuple[CallFlow, ...], BeforeValidator(_rows)] = ()
    tags: Open = None
    notes: Open = None
    customer: Annotated[CdrCustomer | None, BeforeValidator(empty_is_none)] = None
    agent: Annotated[CdrAgent | None, BeforeValidator(empty_is_none)] = None

    @model_validator(mode="before")
    @classmethod
    def _keep_the_word(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        given = cast("dict[str, object]", value)
        word = given.get("result")
        if not isinstance(word, str) or given.keys() & {"resultText", "result_text"}:
            return given
        return {**given, "resultText": str(word)}

    @property
    def key(self) -> str:
        """What tells two calls apart: the `callID`, or `#` and the record's number when there is none."""
        return self.call_id or f"#{self.id}"

    @property
    def start(self) -> datetime | None:
        """Start of the call, from the first family that has it."""
        return self.started_at or self.start_date_time or self.start_raw_time

    @property
    def answer(self) -> datetime | None:
        """Answer of the call, from the first family that has it."""
        return self.answered_at or self.answered_date_time or self.answered_raw_time

    @property
    def end(self) -> datetime | None:
        """End of the call, from the first family that has it."""
        return self.ended_at or self.end_date_time or self.end_raw_time

    @property
    def answered(self) -> bool:
        """Whether a person answered: the result says so, or there is no result and a time of answer.

        A voicemail answers too, but is no person: such a call counts as not answered.
        """
        if self.voicemail:
            return False
        return self.answer is not None if self.result is None else self.result is CallResult.ANSWERED

    @property
    def missed(self) -> bool:
        """Whether somebody called us and reached nobody: inbound and not answered; a voicemail counts as missed."""
        return self.direction is Direction.INBOUND and not self.answered

    @property
    def customer_number(self) -> str | None:
        """The customer's number as ZIWO gives it.

        Inbound: the caller's number. Outbound: the number dialled. None for internal and service calls, which have no
        customer.
        """
        if self.direction is Direction.INBOUND:
            return self.caller_id_number
        return self.did_called if self.direction is Direction.OUTBOUND else None
