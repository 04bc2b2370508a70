"""Events are data: ZIWO's own spelling, JSON in and out, frozen, equal when equal, open to what is new."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ziwo_async import events
from ziwo_async.events import (
    STATE_EVENTS,
    Active,
    AgentMessage,
    AgentStatusChanged,
    CallData,
    CallEvent,
    CallRecorded,
    Destroy,
    DialogEvent,
    DialogState,
    Direction,
    Early,
    EavesdropAudit,
    Event,
    EventsDropped,
    FlowViolation,
    HandlerFailed,
    Hangup,
    HangupBy,
    LiveLost,
    LiveRestored,
    LoginBlocked,
    MediaLost,
    MediaUp,
    Muted,
    PartyChanged,
    QueueCallAbandoned,
    QueueCallAnswered,
    QueueCallWaiting,
    SessionClosed,
    SessionEvent,
    SessionLost,
    SessionReady,
    SessionRestored,
    SlowConsumer,
    StateFlowItem,
    TextMessage,
    UnknownFrame,
    Unmuted,
    VoiceStarted,
    VoiceStopped,
    parse_event,
    trusted,
)

DETAIL_KEYS = {"state", "callID", "primaryCallID", "customerNumber", "direction", "stateFlow", "currentCall"}
STEP_KEYS = {"state", "date", "dateUNIX", "inferred"}

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
moments = st.floats(0, 4e9, allow_nan=False).map(lambda at: round(at, 3))
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(words, plain, max_size=3)
texts = st.dictionaries(words, words, max_size=3)
maybe = st.none() | words


def made(kind: type[Any], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Build a model from these fields by Python name (`st.builds` would add its aliases)."""
    return st.fixed_dictionaries(fields).map(lambda values: kind(**values))


steps = st.builds(StateFlowItem.at, st.sampled_from(DialogState), moments, inferred=st.booleans())
calls = made(
    CallData, call_id=words, primary_call_id=words, direction=st.sampled_from(Direction) | words.map(Direction),
    customer_number=words, caller_id_name=words, caller_id_number=words, callee_id_name=words, callee_id_number=words,
    display_name=maybe, display_number=maybe, headers=texts, variables=texts, muted=st.booleans(),
    hangup_cause=maybe, hangup_cause_code=st.none() | st.integers(0, 999),
    hangup_by=st.none() | st.sampled_from(HangupBy), source=st.sampled_from(["phone", "live"]),
)  # fmt: skip


def dialogs(kind: type[DialogEvent]) -> st.SearchStrategy[Event]:
    return made(
        kind, call_id=words, primary_call_id=words, customer_number=words, direction=st.sampled_from(Direction),
        state_flow=st.lists(steps, min_size=1, max_size=4).map(tuple), current_call=calls,
    )  # fmt: skip


def queue_calls(kind: type[Event]) -> st.SearchStrategy[Event]:
    return made(
        kind, queue=words, call_id=words, caller_number=words, waited_seconds=st.none() | moments, agent=maybe,
        inferred=st.booleans(),
    )  # fmt: skip


OTHERS: dict[type[Event], st.SearchStrategy[Event]] = {
    PartyChanged: made(PartyChanged, call_id=words, display_name=words, display_number=words, current_call=calls),
    Muted: made(Muted, call_id=words),
    Unmuted: made(Unmuted, call_id=words),
    MediaUp: made(MediaUp, call_id=words, codec=words, again=st.booleans()),
    MediaLost: made(
        MediaLost,
        call_id=words,
        reason=st.sampled_from(["never came", "no audio", "connection lost"]),
        seconds=moments,
    ),
    VoiceStarted: made(VoiceStarted, call_id=words, at=moments, level=st.floats(-100, 0)),
    VoiceStopped: made(VoiceStopped, call_id=words, at=moments, seconds=moments),
    FlowViolation: made(
        FlowViolation, call_id=words, state=st.none() | st.sampled_from(DialogState), input=words, reason=words
    ),
    SessionReady: made(SessionReady, login=words),
    SessionLost: made(SessionLost, reason=words, close_code=st.none() | st.integers(1000, 4999)),
    SessionRestored: made(
        SessionRestored, kept=st.lists(words).map(tuple), lost=st.lists(words).map(tuple), gap_seconds=moments
    ),
    SessionClosed: made(SessionClosed, reason=words, error=maybe),
    AgentMessage: made(AgentMessage, data=objects, call_id=maybe),
    TextMessage: made(TextMessage, text=words, sender=words, recipient=words, call_id=maybe),
    HandlerFailed: made(HandlerFailed, handler=words, error=words, failed_event=objects, call_id=maybe),
    SlowConsumer: made(
        SlowConsumer,
        consumer=words,
        call_id=maybe,
        depth=st.integers(0),
        limit=st.integers(1),
        lag_seconds=moments,
        handler=maybe,
    ),
    EavesdropAudit: made(
        EavesdropAudit,
        action=st.sampled_from(["create", "answer", "update", "end", "give up"]),
        agent=words,
        user=words,
        call_id=maybe,
        whisper=words,
        error=maybe,
        at=st.datetimes(timezones=st.just(UTC)),
    ),
    LoginBlocked: made(LoginBlocked, reason=words, attempt=st.integers(1), retry_seconds=moments),
    EventsDropped: made(EventsDropped, consumer=words, dropped=st.integers(0), call_id=maybe),
    AgentStatusChanged: made(
        AgentStatusChanged,
        agent=words,
        cc_login=maybe,
        name=words,
        status=words,
        before=maybe,
        since=st.none() | st.datetimes(timezones=st.just(UTC)),
    ),
    QueueCallWaiting: queue_calls(QueueCallWaiting),
    QueueCallAnswered: queue_calls(QueueCallAnswered),
    QueueCallAbandoned: queue_calls(QueueCallAbandoned),
    CallRecorded: made(CallRecorded, call_id=words, cdr=objects),
    LiveLost: made(LiveLost, reason=words),
    LiveRestored: made(LiveRestored, gap_seconds=moments),
    UnknownFrame: made(
        UnknownFrame, reason=words, method=maybe, params=st.none() | objects, text=words, size=st.integers(0, 10**7)
    ),
}
KINDS: dict[type[Event], st.SearchStrategy[Event]] = {kind: dialogs(kind) for kind in STATE_EVENTS.values()} | OTHERS


def a_call(**more: Any) -> CallData:
    facts = {"call_id": "c", "primary_call_id": "p", "direction": Direction.INBOUND, "customer_number": "+971"}
    return CallData(**{**facts, **more})


def a_dialog(kind: type[DialogEvent] = Early, state: str = "early", **more: Any) -> DialogEvent:
    facts: dict[str, Any] = {
        "call_id": "c", "primary_call_id": "p", "customer_number": "+971", "direction": "inbound",
        "state_flow": (StateFlowItem.at(DialogState(state), 1.5, inferred=True),), "current_call": a_call(),
    }  # fmt: skip
    return kind(**{**facts, **more})


# -- JSON in, JSON out -------------------------------------------------------------------------------------------------


def test_the_strategies_below_make_every_event_there_is() -> None:
    leaves = {
        kind
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, Event) and not kind.__subclasses__()
    }
    assert leaves == set(KINDS)
    assert set(STATE_EVENTS) == set(DialogState)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_event_survives_the_way_through_json_as_the_class_it_was(kind: type[Event]) -> None:
    @given(KINDS[kind])
    def there_and_back(event: Event) -> None:
        for form in (
            event.model_dump(mode="json", by_alias=True),
            event.model_dump_json(by_alias=True),
            event.model_dump_json(by_alias=True).encode(),
        ):
            again = parse_event(form)
            assert type(again) is kind
            assert again == event
        assert json.loads(event.model_dump_json(by_alias=True)) == event.model_dump(mode="json", by_alias=True)

    there_and_back()


def test_a_dialog_event_is_ziwo_s_documented_detail_and_nothing_more() -> None:
    for kind in STATE_EVENTS.values():
        assert kind.STATE is not None
        detail = a_dialog(kind, str(kind.STATE)).to_detail()
        assert set(detail) == DETAIL_KEYS
        assert detail["state"] == kind.STATE.value
        assert set(detail["stateFlow"][0]) == STEP_KEYS
        assert parse_event(detail) == a_dialog(kind, str(kind.STATE))


def test_the_parts_of_a_detail_are_plain_json_in_ziwo_s_spelling() -> None:
    detail = a_dialog().to_detail()
    assert detail["stateFlow"] == [
        {"state": "early", "date": "1970-01-01T00:00:01.500000Z", "dateUNIX": 1.5, "inferred": True}
    ]
    assert (detail["callID"], detail["primaryCallID"], detail["customerNumber"]) == ("c", "p", "+971")
    assert set(detail["currentCall"]) == {
        "callID", "primaryCallID", "direction", "customerNumber", "callerIDName", "callerIDNumber", "calleeIDName",
        "calleeIDNumber", "displayName", "displayNumber", "headers", "variables", "muted", "hangupCause",
        "hangupCauseCode", "hangupBy", "source",
    }  # fmt: skip


def test_both_spellings_are_read() -> None:
    assert Muted.model_validate({"callID": "c"}) == Muted.model_validate({"call_id": "c"}) == Muted(call_id="c")


def test_a_dialog_event_tells_when_where_and_whether_it_was_inferred() -> None:
    event = a_dialog(current_call=a_call(headers={"verto_h_a": "1"}, source="live"))
    assert event.at == datetime.fromtimestamp(1.5, UTC)
    assert event.inferred
    assert (event.headers, event.source) == ({"verto_h_a": "1"}, "live")


@pytest.mark.parametrize("kind", [Hangup, Destroy])
def test_the_end_of_a_call_tells_the_cause_and_who(kind: type[DialogEvent]) -> None:
    call = a_call(hangup_cause="USER_BUSY", hangup_cause_code=17, hangup_by="remote")
    event = a_dialog(kind, kind.__name__.lower(), current_call=call)
    assert isinstance(event, Hangup | Destroy)
    assert (event.cause, event.cause_code, event.by) == ("USER_BUSY", 17, HangupBy.REMOTE)


# -- equal, frozen, open -----------------------------------------------------------------------------------------------


def test_events_are_equal_when_equal_and_cannot_be_changed() -> None:
    assert a_dialog() == a_dialog()
    assert a_dialog() != a_dialog(call_id="d")
    assert Muted(call_id="c") != Unmuted(call_id="c")
    event = a_dialog()
    with pytest.raises(ValidationError, match="frozen"):
        event.call_id = "d"  # type: ignore[misc]


def test_a_class_takes_its_own_state_only() -> None:
    with pytest.raises(ValidationError):
        Early.model_validate({**a_dialog(Early).to_detail(), "state": "active"})


def test_unknown_fields_are_kept() -> None:
    detail = {**a_dialog().to_detail(), "newThing": {"a": 1}}
    detail["currentCall"]["verto_h_x"] = "y"
    event = parse_event(detail)
    assert isinstance(event, Early)
    assert event.model_extra == {"newThing": {"a": 1}}
    assert event.to_detail() == detail


def test_errors_of_validation_do_not_quote_what_was_read() -> None:
    with pytest.raises(ValidationError) as caught:
        parse_event({"event": "session_ready", "login": ["hunter2"]})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("enum", [DialogState, Direction, HangupBy])
def test_enums_are_open_to_new_words(enum: type[DialogState]) -> None:
    known = list(enum)
    new = enum("dancing")
    assert new == enum("dancing")
    assert (new.name, new.value, str(new), f"{new}") == ("dancing", "dancing", "dancing", "dancing")
    assert new == "dancing"
    assert hash(new) == hash("dancing")
    assert new != 5
    assert json.dumps(new) == '"dancing"'
    assert list(enum) == known
    assert known[0] == known[0].value
    with pytest.raises(ValueError, match="5"):
        enum(5)


def test_a_peer_that_invents_words_does_not_make_the_process_grow() -> None:
    made = [Direction(f"word {number}") for number in range(1_000)]
    assert [str(word) for word in made] == [f"word {number}" for number in range(1_000)]
    assert Direction("word 999") == made[-1]
    assert len(Direction.__dict__["_unknown_words"]) <= 256


def test_a_dialog_event_of_an_unknown_state_is_read_as_the_base_class() -> None:
    event = parse_event({**a_dialog().to_detail(), "state": "dancing"})
    assert type(event) is DialogEvent
    assert event.state == "dancing"
    assert event.to_cloudevent()["type"] == "ziwo.dialog"


@pytest.mark.parametrize(
    "data", ["", "5", "[]", "{}", b"\xff", '{"event":"no_such_event"}', '{"state":5}', '{"event":5,"call_id":"c"}']
)
def test_what_is_no_event_is_refused_with_a_value_error(data: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"not an event|validation error"):
        parse_event(data)


def test_an_unreadable_frame_is_shown_by_its_beginning_only() -> None:
    assert UnknownFrame(reason="not JSON", text="x" * 5_000).text == "x" * 2_000
    with pytest.raises(ValidationError):
        UnknownFrame(reason="not JSON", text=5)  # type: ignore[arg-type]


# -- CloudEvents -------------------------------------------------------------------------------------------------------


def test_a_dialog_event_becomes_a_cloudevent_with_an_id_per_step() -> None:
    event = a_dialog()
    assert event.to_cloudevent("/acme/agent-0011") == {
        "specversion": "1.0",
        "id": "c:1:early",
        "source": "/acme/agent-0011",
        "type": "ziwo.dialog.early",
        "subject": "c",
        "datacontenttype": "application/json",
        "data": event.to_detail(),
    }
    json.dumps(event.to_cloudevent())


def test_other_call_events_become_cloudevents_too() -> None:
    cloud = Muted(call_id="c").to_cloudevent()
    assert (cloud["type"], cloud["subject"], cloud["source"]) == ("ziwo.muted", "c", "ziwo_async")
    assert cloud["data"] == {"event": "muted", "callID": "c"}
    assert CallEvent(call_id="c").to_cloudevent()["type"] == "ziwo.CallEvent"


# -- the quick way of the call machine ---------------------------------------------------------------------------------


@given(calls, st.lists(steps, min_size=1, max_size=3).map(tuple))
def test_a_trusted_model_equals_the_validated_one(call: CallData, flow: tuple[StateFlowItem, ...]) -> None:
    fields = {name: getattr(call, name) for name in CallData.model_fields}
    quick_call = trusted(CallData, fields)
    assert quick_call == call
    facts: dict[str, Any] = {
        "call_id": "c", "state": DialogState.ACTIVE, "primary_call_id": "p", "customer_number": "1",
        "direction": Direction.INBOUND, "state_flow": flow, "current_call": quick_call,
    }  # fmt: skip
    quick, checked = trusted(Active, dict(facts)), Active(**facts)
    assert quick == checked
    assert quick.model_dump_json(by_alias=True) == checked.model_dump_json(by_alias=True)
    assert quick.to_detail() == checked.to_detail()
    assert parse_event(quick.to_detail()) == quick
    with pytest.raises(ValidationError, match="frozen"):
        quick.call_id = "d"  # type: ignore[misc]


# -- the module --------------------------------------------------------------------------------------------------------


def test_every_public_event_is_exported() -> None:
    public = {
        name
        for name, kind in vars(events).items()
        if isinstance(kind, type) and issubclass(kind, Event) and not name.startswith("_")
    }
    assert public <= set(events.__all__)


def test_listening_to_a_base_class_sees_its_children() -> None:
    assert all(issubclass(kind, DialogEvent) for kind in STATE_EVENTS.values())
    for kind in KINDS:
        assert issubclass(kind, CallEvent) != issubclass(kind, SessionEvent)
