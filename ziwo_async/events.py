"""Every event this package publishes: frozen pydantic models, JSON in and JSON out.

A dialog event is ZIWO's documented `event.detail` (source: ZIWO developers page, "CRM Profile Pop-up"):
`event.to_detail()` gives that object with exactly ZIWO's attribute names. There is one class per state, and all
are `DialogEvent`; a listener on a base class sees its children::

    Event
      CallEvent                    about one call; handlers get (call, event)
        DialogEvent                Requesting Trying Early Ringing Answering Active Held Hangup Destroy Recovering
        PartyChanged               verto.display: the party on the other end changed
        Muted, Unmuted             our own microphone
        MediaUp, MediaLost         audio comes, or does not come any more (with a media engine that carries audio)
        VoiceStarted, VoiceStopped somebody on the other end speaks, or does not (where asked for)
        FlowViolation              the call left the documented flow
      SessionEvent                 about the phone as a whole; handlers get (event)
        SessionReady, SessionLost, SessionRestored, SessionClosed
        AgentMessage               verto.send and verto.sendToAgentOnCall: application data for the agent
        TextMessage                verto.info: chat or real-time text
        HandlerFailed              a handler raised
        SlowConsumer               a handler or a reader is slow, and its buffer half full
        EventsDropped              a bounded buffer was full
        UnknownFrame               something the server sent that we have no word for
        FloorEvent                 about the contact centre, told by the live feed
          AgentStatusChanged       an agent has another status
          QueueCallWaiting, QueueCallAnswered, QueueCallAbandoned
          CallRecorded             a call has ended, and its CDR was written
          LiveLost, LiveRestored   the live feed itself: its connection was lost, and is back
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, Field, PlainSerializer, TypeAdapter
from pydantic.alias_generators import to_camel

__all__ = [
    "STATE_EVENTS",
    "Active",
    "AgentMessage",
    "AgentStatusChanged",
    "Answering",
    "CallData",
    "CallEvent",
    "CallRecorded",
    "Destroy",
    "DialogEvent",
    "DialogState",
    "Direction",
    "Early",
    "EavesdropAudit",
    "Event",
    "EventsDropped",
    "FloorEvent",
    "FlowViolation",
    "HandlerFailed",
    "Hangup",
    "HangupBy",
    "Held",
    "LiveLost",
    "LiveRestored",
    "LoginBlocked",
    "MediaLost",
    "MediaUp",
    "Muted",
    "PartyChanged",
    "QueueCallAbandoned",
    "QueueCallAnswered",
    "QueueCallWaiting",
    "Recovering",
    "Requesting",
    "Ringing",
    "SessionClosed",
    "SessionEvent",
    "SessionLost",
    "SessionReady",
    "SessionRestored",
    "SlowConsumer",
    "StateFlowItem",
    "TextMessage",
    "Trying",
    "UnknownFrame",
    "Unmuted",
    "VoiceStarted",
    "VoiceStopped",
    "parse_event",
]


class OpenEnum(str, Enum):
    """A string enum that takes words it does not know: they become members that carry the word.

    Unknown members are equal, hashable and serialise to the raw word, but are not part of `list(TheEnum)`;
    an exhaustive `match` therefore needs a default arm.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        unknown = cls.__dict__.get("_unknown_words")
        if unknown is None:
            unknown = {}
            type.__setattr__(cls, "_unknown_words", unknown)
        known = cast("dict[str, Self]", unknown)
        member = known.get(value)
        if member is None:
            member = str.__new__(cls, value)
            member._name_ = value
            member._value_ = value
            if len(known) < _MOST_UNKNOWN_WORDS:
                known[value] = member
        return member

    def __str__(self) -> str:
        return str(self._value_)


# A peer that invents words must not make the process grow.
_MOST_UNKNOWN_WORDS = 256


class DialogState(OpenEnum):
    """The documented states of a dialog (source: ZIWO developers page, "Events meaning")."""

    REQUESTING = "requesting"
    TRYING = "trying"
    EARLY = "early"
    RINGING = "ringing"
    ANSWERING = "answering"
    ACTIVE = "active"
    HELD = "held"
    HANGUP = "hangup"
    DESTROY = "destroy"
    RECOVERING = "recovering"


class Direction(OpenEnum):
    """Direction of a call as the agent sees it (source: ZIWO developers page, "Events data")."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"
    INTERNAL = "internal"
    SERVICE = "service"


class HangupBy(OpenEnum):
    """Who ended a call: us, the other side, or the loss of the connection."""

    LOCAL = "local"
    REMOTE = "remote"
    LOST = "lost"


def ziwo_alias(name: str) -> str:
    """Spell a Python attribute as ZIWO does: `call_id` is `callID`, `date_unix` is `dateUNIX`."""
    return _CAPITALS.sub(lambda found: found.group().upper(), to_camel(name))


_CAPITALS = re.compile(r"(?:Id|Unix)(?=[A-Z]|$)")


class _Model(
    BaseModel,
    frozen=True,
    extra="allow",
    alias_generator=ziwo_alias,
    validate_by_name=True,
    validate_by_alias=True,
    hide_input_in_errors=True,
    ser_json_inf_nan="null",
):
    """What every event and its parts share: frozen, ZIWO's spelling as aliases, unknown fields kept."""


class StateFlowItem(_Model, frozen=True):
    """One step of a call's `stateFlow` (source: ZIWO developers page: `state`, `date`, `dateUNIX`).

    Attributes:
        state: The state the call entered.
        date: When, in UTC.
        date_unix: The same moment in seconds since the epoch, with fractions (`dateUNIX`).
        inferred: Whether the server jumped over this state, so that we published it in its place.
    """

    state: DialogState
    date: datetime
    date_unix: float
    inferred: bool = False

    @classmethod
    def at(cls, state: DialogState, when: float, *, inferred: bool = False) -> Self:
        """Build the step for the moment `when` (seconds since the epoch)."""
        return cls(state=state, date=datetime.fromtimestamp(when, UTC), date_unix=when, inferred=inferred)


class CallData(_Model, frozen=True):
    """The full data of a call at the moment of an event (`currentCall`).

    Attributes:
        call_id: Id of the current leg (`callID`).
        primary_call_id: Id of the first leg; the call's own id when there is no other (`primaryCallID`).
        direction: As the agent sees it.
        customer_number: The customer's number, as given by the server or dialled by us.
        caller_id_name: Caller's name as the server sent it, quotes removed.
        caller_id_number: Caller's number as the server sent it.
        callee_id_name: Callee's name.
        callee_id_number: Callee's number; of an inbound call this is the agent's position.
        display_name: Name of the party we talk to now (`verto.display`), when the server told.
        display_number: Its number.
        headers: Every `verto_h_*` header, by its full name.
        variables: Every `verto_svar_*` variable, by its full name.
        muted: Whether our microphone is off.
        hangup_cause: FreeSWITCH hang-up cause, once the call ended.
        hangup_cause_code: Its number (may be over 127).
        hangup_by: Who ended it.
        source: Where the event comes from: `phone`, or `live` for the live feed.
    """

    call_id: str
    primary_call_id: str
    direction: Direction
    customer_number: str
    caller_id_name: str = ""
    caller_id_number: str = ""
    callee_id_name: str = ""
    callee_id_number: str = ""
    display_name: str | None = None
    display_number: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    variables: dict[str, str] = Field(default_factory=dict)
    muted: bool = False
    hangup_cause: str | None = None
    hangup_cause_code: int | None = None
    hangup_by: HangupBy | None = None
    source: Literal["phone", "live"] = "phone"


class Event(_Model, frozen=True):
    """Base of every event."""


class CallEvent(Event, frozen=True):
    """Base of the events about one call. Handlers of these get `(call, event)`."""

    call_id: str

    def to_cloudevent(self, source: str = "ziwo_async") -> dict[str, Any]:
        """Return the event as a CloudEvents 1.0 object (a plain dict; no dependency).

        Args:
            source: URI-reference of the producer, for instance `/acme/agent-0011`.
        """
        data = self.model_dump(mode="json", by_alias=True)
        return {
            "specversion": "1.0",
            "id": self._event_id(),
            "source": source,
            "type": f"ziwo.{_event_word(type(self))}",
            "subject": self.call_id,
            "datacontenttype": "application/json",
            "data": data,
        }

    def _event_id(self) -> str:
        return f"{self.call_id}:{_event_word(type(self))}"


class DialogEvent(CallEvent, frozen=True):
    """A call entered a state: ZIWO's documented `event.detail`.

    Attributes:
        state: The state entered.
        call_id: Id of the current leg (`callID`).
        primary_call_id: Id of the first leg (`primaryCallID`).
        customer_number: Number of the customer called or calling (`customerNumber`).
        direction: `outbound`, `inbound`, `internal` or `service`.
        state_flow: The states the call went through, this one last (`stateFlow`).
        current_call: The full data of the call (`currentCall`).
    """

    # Set by __init_subclass__ for each of the ten classes; None here, where any state may stand.
    STATE: ClassVar[DialogState | None] = None

    state: DialogState
    call_id: str
    primary_call_id: str
    customer_number: str
    direction: Direction
    state_flow: tuple[StateFlowItem, ...]
    current_call: CallData

    @property
    def at(self) -> datetime:
        """When the state was entered (UTC)."""
        return self.state_flow[-1].date

    @property
    def inferred(self) -> bool:
        """Whether the server jumped over this state, so that we published it in its place."""
        return self.state_flow[-1].inferred

    @property
    def headers(self) -> dict[str, str]:
        """Every `verto_h_*` header of the call, by its full name."""
        return self.current_call.headers

    @property
    def agent(self) -> str | None:
        """In events of the live feed: the agent's ccLogin, such as `0011`. None when it is our own phone that tells."""
        found = (self.current_call.model_extra or {}).get("agentCCLogin")
        return found if isinstance(found, str) else None

    @property
    def source(self) -> str:
        """`phone` when the event is about our own call, `live` when the live feed told it."""
        return self.current_call.source

    def to_detail(self) -> dict[str, Any]:
        """Return ZIWO's documented `event.detail` object (JSON types, ZIWO's attribute names)."""
        return self.model_dump(mode="json", by_alias=True)

    def _event_id(self) -> str:
        return f"{self.call_id}:{len(self.state_flow)}:{self.state}"


class Requesting(DialogEvent, frozen=True):
    """Outbound: the operator is asked to make the call (`verto.invite` written)."""

    STATE = DialogState.REQUESTING
    state: Literal[DialogState.REQUESTING] = DialogState.REQUESTING


class Trying(DialogEvent, frozen=True):
    """Outbound: the operator tries to make the call (`CALL CREATED`; says nothing about success)."""

    STATE = DialogState.TRYING
    state: Literal[DialogState.TRYING] = DialogState.TRYING


class Early(DialogEvent, frozen=True):
    """Outbound: the call waits for the customer to pick up (`verto.media`)."""

    STATE = DialogState.EARLY
    state: Literal[DialogState.EARLY] = DialogState.EARLY


class Ringing(DialogEvent, frozen=True):
    """Inbound: the call rings at the agent's phone (`verto.invite` of the server)."""

    STATE = DialogState.RINGING
    state: Literal[DialogState.RINGING] = DialogState.RINGING


class Answering(DialogEvent, frozen=True):
    """Inbound: the agent is answering (`verto.answer` written)."""

    STATE = DialogState.ANSWERING
    state: Literal[DialogState.ANSWERING] = DialogState.ANSWERING


class Active(DialogEvent, frozen=True):
    """Agent and customer can talk to each other."""

    STATE = DialogState.ACTIVE
    state: Literal[DialogState.ACTIVE] = DialogState.ACTIVE


class Held(DialogEvent, frozen=True):
    """The customer was put on hold by the agent (`holdState: held`)."""

    STATE = DialogState.HELD
    state: Literal[DialogState.HELD] = DialogState.HELD


class _Ended(DialogEvent, frozen=True):
    @property
    def cause(self) -> str | None:
        """FreeSWITCH hang-up cause, such as `NORMAL_CLEARING`."""
        return self.current_call.hangup_cause

    @property
    def cause_code(self) -> int | None:
        """Number of the cause (may be over 127)."""
        return self.current_call.hangup_cause_code

    @property
    def by(self) -> HangupBy | None:
        """Who ended the call."""
        return self.current_call.hangup_by


class Hangup(_Ended, frozen=True):
    """The call is being hung up; says by whom and why."""

    STATE = DialogState.HANGUP
    state: Literal[DialogState.HANGUP] = DialogState.HANGUP


class Destroy(_Ended, frozen=True):
    """The call is over. The last event of every call, exactly once."""

    STATE = DialogState.DESTROY
    state: Literal[DialogState.DESTROY] = DialogState.DESTROY


class Recovering(DialogEvent, frozen=True):
    """After a reconnect the server offered a call that was not over (`verto.attach`)."""

    STATE = DialogState.RECOVERING
    state: Literal[DialogState.RECOVERING] = DialogState.RECOVERING


class PartyChanged(CallEvent, frozen=True):
    """The party on the other end changed, or was told for the first time (`verto.display`)."""

    event: Literal["party_changed"] = "party_changed"
    display_name: str
    display_number: str
    current_call: CallData


class Muted(CallEvent, frozen=True):
    """Our microphone was switched off. Local: the server is not told."""

    event: Literal["muted"] = "muted"


class Unmuted(CallEvent, frozen=True):
    """Our microphone was switched on again. Local: the server is not told."""

    event: Literal["unmuted"] = "unmuted"


class MediaUp(CallEvent, frozen=True):
    """Audio of the call comes in: for the first time, or again after `MediaLost`.

    Told by a media engine that carries audio (`AiortcMedia`); the server never tells.

    Attributes:
        codec: The codec in use, such as `opus`.
        again: Whether it had been lost.
    """

    event: Literal["media_up"] = "media_up"
    codec: str
    again: bool = False


class MediaLost(CallEvent, frozen=True):
    """No audio of the call comes in. Told once; `MediaUp` tells when it is back. The call itself goes on.

    The server sends nothing while the other side is away (a customer's agent whose connection is lost, for instance),
    so that it may come back by itself.

    Attributes:
        reason: `never came`: the call is active and no audio ever came. `no audio`: it stopped. `connection lost`: the
            media connection failed; only a re-attachment brings it back.
        seconds: For how long nothing came.
    """

    event: Literal["media_lost"] = "media_lost"
    reason: Literal["never came", "no audio", "connection lost"]
    seconds: float


class VoiceStarted(CallEvent, frozen=True):
    """Somebody on the other end has begun to speak, judged by loudness alone.

    Attributes:
        at: Since when, in seconds since the epoch.
        level: How loud it is, in dBFS: 0 is the loudest there is, speech about -30 to -15.
    """

    event: Literal["voice_started"] = "voice_started"
    at: float
    level: float


class VoiceStopped(CallEvent, frozen=True):
    """Nobody on the other end speaks any more.

    Attributes:
        at: Since when, in seconds since the epoch.
        seconds: For how long there was voice.
    """

    event: Literal["voice_stopped"] = "voice_stopped"
    at: float
    seconds: float


class FlowViolation(CallEvent, frozen=True):
    """Something happened to a call that the documented flow has no place for. The call goes on.

    Attributes:
        state: The state the call was (and stays) in.
        input: What happened, in the words of the call machine.
        reason: Why it does not fit.
    """

    event: Literal["flow_violation"] = "flow_violation"
    state: DialogState | None
    input: str
    reason: str


class SessionEvent(Event, frozen=True):
    """Base of the events about the phone as a whole. Handlers of these get `(event)`."""


class SessionReady(SessionEvent, frozen=True):
    """The phone is logged in and ready for calls (`verto.clientReady`). Once per phone.

    Attributes:
        login: The position name we are logged in as, such as `agent-0011`.
    """

    event: Literal["session_ready"] = "session_ready"
    login: str


class SessionLost(SessionEvent, frozen=True):
    """The connection was lost; the phone reconnects by itself.

    Attributes:
        reason: Why, for people.
        close_code: Websocket close code, when there was one. FreeSWITCH gives 1000 whatever the cause.
    """

    event: Literal["session_lost"] = "session_lost"
    reason: str
    close_code: int | None = None


class SessionRestored(SessionEvent, frozen=True):
    """The phone is logged in again after a loss. Follows each `SessionLost`, unless `SessionClosed` does.

    Attributes:
        kept: Call ids that live on.
        lost: Call ids that ended in the gap; their `Hangup` and `Destroy` were published.
        gap_seconds: How long the phone was away. After a restart of the program: since its ledger was last written.
        unknown: Those of `kept` that we had no record of.
    """

    event: Literal["session_restored"] = "session_restored"
    kept: tuple[str, ...]
    lost: tuple[str, ...]
    gap_seconds: float
    unknown: tuple[str, ...] = ()


class LoginBlocked(SessionEvent, frozen=True):
    """The server says that somebody else is logged in as this agent (-32003); the phone tries again, but rarely.

    A network that vanished can lock the agent's name for 16 minutes (measured with ZIWO's FreeSWITCH).

    Attributes:
        reason: What it said, for people.
        attempt: How often it said so in a row.
        retry_seconds: When the next attempt is made, from now.
    """

    event: Literal["login_blocked"] = "login_blocked"
    reason: str
    attempt: int
    retry_seconds: float


class SessionClosed(SessionEvent, frozen=True):
    """The phone is closed and stays closed. The last event of a phone.

    Attributes:
        reason: Why, for people.
        error: Name of the error class when it closed for an error (`SessionTakenOver`, ...), else None.
        kept: Call ids that were left alive on the server (`drain(calls="keep")`).
    """

    event: Literal["session_closed"] = "session_closed"
    reason: str
    error: str | None = None
    kept: tuple[str, ...] = ()


class EavesdropAudit(SessionEvent, frozen=True):
    """Somebody was listened to: one for each step, to be kept where the law or the house wants it.

    Attributes:
        action: `create` (the call was asked for), `answer` (we listen from now on), `update` (who hears us has
            changed), `end` (we listen no more), or `give up` (nothing came of it).
        agent: The agent listened to, as asked for.
        user: The position that listens, `agent-<ccLogin>`.
        call_id: The eavesdrop call; None before the server told it.
        whisper: Who hears us: `agent`, `both` or `none`.
        error: Name of the error class when the step failed, else None.
        at: When, UTC.
    """

    event: Literal["eavesdrop_audit"] = "eavesdrop_audit"
    action: Literal["create", "answer", "update", "end", "give up"]
    agent: str
    user: str
    call_id: str | None = None
    whisper: str = "none"
    error: str | None = None
    at: datetime


class AgentMessage(SessionEvent, frozen=True):
    """Application data for the agent (`verto.send`, or `verto.sendToAgentOnCall` with a call id).

    Attributes:
        data: The object that was sent.
        call_id: The call it belongs to (`verto.sendToAgentOnCall`), or None.
    """

    event: Literal["agent_message"] = "agent_message"
    data: dict[str, Any]
    call_id: str | None = None


class TextMessage(SessionEvent, frozen=True):
    """A chat message or real-time text (`verto.info`).

    Attributes:
        text: The words.
        sender: Who sent it, when the server told.
        recipient: To whom.
        call_id: The call it belongs to, or None.
    """

    event: Literal["text_message"] = "text_message"
    text: str
    sender: str = ""
    recipient: str = ""
    call_id: str | None = None


class HandlerFailed(SessionEvent, frozen=True):
    """A handler raised, or was taken out of a call for being too slow (`overflow="fail"`). The session goes on.

    Logged as an error when nobody listens to this.

    Attributes:
        handler: Qualified name of the handler.
        error: The exception's class and text; `StreamOverflow: ...` when it was too slow.
        failed_event: The event it was called with, or that was too much, as JSON data.
        call_id: The call it was about, or None.
    """

    event: Literal["handler_failed"] = "handler_failed"
    handler: str
    error: str
    failed_event: dict[str, Any]
    call_id: str | None = None


class SlowConsumer(SessionEvent, frozen=True):
    """Half of the bound of a consumer is used up. Told once, and again only after it fell under a quarter of it.

    Attributes:
        consumer: Who is slow: `the handlers of call <id>`, `the handlers of the session`, `the handlers of all calls`
            (the room they share), the name of a handler with a bound of its own, or `events(<class>)` for a stream.
        call_id: The call whose events wait; None for the session's and for a stream.
        depth: How many events wait.
        limit: How many may wait. Past that `overflow=` of the handler or the stream says what happens.
        lag_seconds: How long the oldest of them waits already.
        handler: The name of the handler that runs meanwhile and keeps them waiting; None when none does.
    """

    event: Literal["slow_consumer"] = "slow_consumer"
    consumer: str
    call_id: str | None = None
    depth: int
    limit: int
    lag_seconds: float
    handler: str | None = None


class EventsDropped(SessionEvent, frozen=True):
    """A bounded buffer was full and events were dropped by its policy. Told at 1, 2, 4, 8, ... of them.

    For handlers the last count is told too, once nothing waits for them any more; then the count starts anew.

    Attributes:
        consumer: Whose buffer, in the words of `SlowConsumer`.
        dropped: How many so far.
        call_id: The call whose events were dropped; None for the session's and for a stream.
    """

    event: Literal["events_dropped"] = "events_dropped"
    consumer: str
    dropped: int
    call_id: str | None = None


def _cut(value: object) -> object:
    return value[:_UNKNOWN_SHOWN] if isinstance(value, str) else value


_UNKNOWN_SHOWN = 2_000


class UnknownFrame(SessionEvent, frozen=True):
    """The server sent something we have no word for: kept, told, harmless.

    Attributes:
        reason: Why it is unknown: `unknown method`, `not JSON`, `too large`, ...
        method: The method, when it had one.
        params: Its params, when it had some.
        text: The beginning of the frame (2 000 characters at most), when it could not be decoded.
        size: Length of the frame in characters or bytes, when it could not be decoded.
    """

    event: Literal["unknown_frame"] = "unknown_frame"
    reason: str
    method: str | None = None
    params: dict[str, Any] | None = None
    text: Annotated[str, BeforeValidator(_cut), PlainSerializer(str)] = ""
    size: int = 0


class FloorEvent(SessionEvent, frozen=True):
    """Base of what the live feed tells about the contact centre. Handlers of these get `(event)`."""


class AgentStatusChanged(FloorEvent, frozen=True):
    """An agent has another status than in the snapshot before (`GET /live/agents`; source: ZIWO Manager app).

    The first snapshot tells what is, not what changed: it makes no events. Statuses that came and went between two
    snapshots cannot be seen.

    Attributes:
        agent: The agent's number, as text.
        cc_login: The agent's ccLogin, such as `0011`.
        name: First and last name.
        status: What it is now, in ZIWO's words (`Available`, `On Break`, ...).
        before: What it was; None when the agent was not seen before.
        since: When it changed, if the server said so (`lastStatusChangeEPOCH`), in UTC.
    """

    event: Literal["agent_status_changed"] = "agent_status_changed"
    agent: str
    cc_login: str | None = None
    name: str = ""
    status: str
    before: str | None = None
    since: datetime | None = None


class _QueueCall(FloorEvent, frozen=True):
    queue: str
    call_id: str
    caller_number: str = ""
    waited_seconds: float | None = None
    agent: str | None = None
    inferred: bool = False


class QueueCallWaiting(_QueueCall, frozen=True):
    """A call waits in a queue (`GET /live/queueCalls`; source: an integrator's sample). At most once per call.

    Attributes:
        queue: The queue's name as the server sent it.
        call_id: The call (`callID`).
        caller_number: Who calls.
        waited_seconds: How long it waited when it was seen, if the server's times tell.
        agent: None: no agent has it.
        inferred: False: the row says so.
    """

    event: Literal["queue_call_waiting"] = "queue_call_waiting"


class QueueCallAnswered(_QueueCall, frozen=True):
    """An agent took a call that waited in a queue. At most once per call, and never together with an abandonment.

    Attributes:
        queue: The queue's name as the server sent it.
        call_id: The call (`callID`).
        caller_number: Who calls.
        waited_seconds: How long it waited, if the server's times tell.
        agent: The agent's ccLogin, when it was told.
        inferred: Whether the row did not say so itself: it had gone from the queue, and the live calls had an agent.
    """

    event: Literal["queue_call_answered"] = "queue_call_answered"


class QueueCallAbandoned(_QueueCall, frozen=True):
    """The caller gave up before an agent took the call. At most once per call.

    Attributes:
        queue: The queue's name as the server sent it.
        call_id: The call (`callID`).
        caller_number: Who called.
        waited_seconds: How long it waited, if the server's times tell.
        agent: None.
        inferred: Whether no row and no CDR said so: it went from the queue while we watched, and no live call is left.
    """

    event: Literal["queue_call_abandoned"] = "queue_call_abandoned"


class CallRecorded(FloorEvent, frozen=True):
    """A call has ended and is in the history (`GET /callHistory`; source: an integrator). Once per call.

    What ended while the live feed was away is not known to be told again by the server: the call history over REST is
    the safety net.

    Attributes:
        call_id: The call (`callID`).
        cdr: What the server sent about it: at least `callID`; read the rest over REST where it is missing.
            Secrets are hidden.
    """

    event: Literal["call_recorded"] = "call_recorded"
    call_id: str
    cdr: dict[str, Any] = Field(default_factory=dict)


class LiveLost(FloorEvent, frozen=True):
    """The live feed lost its connection; it reconnects by itself. Until then its snapshots are stale.

    Attributes:
        reason: Why, for people.
    """

    event: Literal["live_lost"] = "live_lost"
    reason: str


class LiveRestored(FloorEvent, frozen=True):
    """The live feed is connected again; snapshots are on their way.

    Attributes:
        gap_seconds: For how long it was away: what came and went meanwhile was not seen.
    """

    event: Literal["live_restored"] = "live_restored"
    gap_seconds: float


STATE_EVENTS: dict[DialogState, type[DialogEvent]] = {
    DialogState.REQUESTING: Requesting,
    DialogState.TRYING: Trying,
    DialogState.EARLY: Early,
    DialogState.RINGING: Ringing,
    DialogState.ANSWERING: Answering,
    DialogState.ACTIVE: Active,
    DialogState.HELD: Held,
    DialogState.HANGUP: Hangup,
    DialogState.DESTROY: Destroy,
    DialogState.RECOVERING: Recovering,
}
"""The event class of each documented state."""

_OTHERS: dict[str, type[Event]] = {
    str(cls.model_fields["event"].default): cls
    for cls in (
        PartyChanged, Muted, Unmuted, MediaUp, MediaLost, VoiceStarted, VoiceStopped, FlowViolation, SessionReady,
        SessionLost, SessionRestored, SessionClosed, EavesdropAudit, LoginBlocked, AgentMessage, TextMessage,
        HandlerFailed, SlowConsumer, EventsDropped, UnknownFrame, AgentStatusChanged, QueueCallWaiting,
        QueueCallAnswered, QueueCallAbandoned, CallRecorded, LiveLost, LiveRestored,
    )
}  # fmt: skip


def trusted(cls: type[M], values: dict[str, Any]) -> M:
    """Build a model without validating it: for the call machine, whose types mypy checks, at a quarter of the cost.

    Args:
        cls: The model class.
        values: Every field of it, by Python name, already of the right type, in the order of the class.
    """
    fields = _FIELDS.get(cls)
    if fields is None:
        fields = _FIELDS[cls] = set(cls.model_fields)
    made: M = _new(cls)
    _put(made, "__dict__", values)
    _put(made, "__pydantic_fields_set__", fields)
    _put(made, "__pydantic_extra__", _NO_EXTRA)
    _put(made, "__pydantic_private__", None)
    return made


_new, _put = object.__new__, object.__setattr__
# Shared by all instances: they are frozen, and a copy with changes gets its own.
_FIELDS: dict[type[BaseModel], set[str]] = {}
_NO_EXTRA: dict[str, Any] = {}
M = TypeVar("M", bound=BaseModel)

_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


def _event_word(cls: type[Event]) -> str:
    if issubclass(cls, DialogEvent):
        return f"dialog.{cls.STATE}" if cls.STATE else "dialog"
    return str(cls.model_fields["event"].default) if "event" in cls.model_fields else cls.__name__


def parse_event(data: dict[str, Any] | str | bytes) -> Event:
    """Read an event back from its JSON form, as the class it was.

    Args:
        data: What `event.model_dump(mode="json", by_alias=True)` or `model_dump_json` gave.

    Raises:
        ValueError: The data is not an event of ours (pydantic's `ValidationError` is a `ValueError`).
    """
    fields = _OBJECT.validate_json(data) if isinstance(data, str | bytes) else data
    other = fields.get("event")
    if isinstance(other, str) and other in _OTHERS:
        return _OTHERS[other].model_validate(fields)
    state = fields.get("state")
    if not isinstance(state, str):
        raise ValueError("not an event: it has neither a known 'event' nor a 'state'")
    return STATE_EVENTS.get(DialogState(state), DialogEvent).model_validate(fields)
