"""What a call knows of itself: who is on the other end, what the server told, why it ended. One field at a time."""

from __future__ import annotations

from typing import Any

import pytest

from ziwo_async.events import CallData, DialogEvent, Direction, Event, Hangup, PartyChanged
from ziwo_async.verto.call import CallMachine, Input
from ziwo_async.verto.messages import Attach, Bye, Display, Invite

PARTIES = {
    "callID": "c",
    "sdp": "v=0",
    "caller_id_name": '"Ann"',
    "caller_id_number": "{+1}",
    "callee_id_name": "'Bob'",
    "callee_id_number": "{2}",
    "variables": {"verto_svar_a": "1"},
    "verto_h_x": "y",
    "verto_h_primaryCallID": "first",
}


def offered(**more: Any) -> CallMachine:
    call = CallMachine("c")
    call.offered(Invite.read({**PARTIES, **more}), 1.0)
    return call


def active(**more: Any) -> CallMachine:
    call = offered(**more)
    call.feed(Input.ANSWER, 2.0)
    call.feed(Input.ANSWER_OK, 3.0)
    return call


def the(events: list[Event]) -> DialogEvent:
    """The first of the events, which is about a state."""
    assert isinstance(events[0], DialogEvent)
    return events[0]


# -- how it begins -----------------------------------------------------------------------------------------------------


def test_of_a_new_call_only_its_id_is_known() -> None:
    call = CallMachine("c")
    blank = CallData(call_id="c", primary_call_id="c", direction=Direction.OUTBOUND, customer_number="")
    assert call.data == blank
    assert (call.state, call.flow, call.headers) == (None, (), {})
    assert (call.detached, call.doubtful, call.media_told, call.bye_pending) == (False, False, False, False)
    assert call.data.source == "phone"


def test_an_offer_tells_all_about_both_parties() -> None:
    data = offered().data
    assert (data.caller_id_name, data.caller_id_number) == ("Ann", "+1")
    assert (data.callee_id_name, data.callee_id_number) == ("Bob", "2")
    assert (data.direction, data.customer_number, data.primary_call_id) == ("inbound", "+1", "first")
    assert data.headers == {"verto_h_x": "y", "verto_h_primaryCallID": "first"}
    assert data.variables == {"verto_svar_a": "1"}
    assert offered().headers == data.headers
    assert (data.display_name, data.display_number, data.hangup_cause, data.hangup_by) == (None, None, None, None)


@pytest.mark.parametrize(
    ("shown", "direction", "customer"), [("inbound", "outbound", "2"), ("outbound", "inbound", "+1")]
)
def test_an_attach_of_an_unknown_call_tells_the_same_but_the_direction_the_other_way(
    shown: str, direction: str, customer: str
) -> None:
    call = CallMachine("c")
    event = the(call.attached(Attach.read({**PARTIES, "display_direction": shown}), 1.0))
    data = event.current_call
    assert (data.direction, data.customer_number, data.primary_call_id) == (direction, customer, "first")
    assert (event.direction, event.customer_number, event.primary_call_id) == (direction, customer, "first")
    assert (data.caller_id_name, data.caller_id_number, data.callee_id_name, data.callee_id_number) == (
        "Ann", "+1", "Bob", "2",
    )  # fmt: skip
    assert (data.headers, data.variables) == (call.headers, {"verto_svar_a": "1"})


def test_a_transferred_call_is_the_original_caller_s() -> None:
    data = offered(verto_h_originalCallerIdNumber="+9").data
    assert (data.customer_number, data.caller_id_number) == ("+9", "+1")
    call = CallMachine("c")
    frame = {**PARTIES, "display_direction": "outbound", "verto_h_originalCallerIdNumber": "{+9}"}
    call.attached(Attach.read(frame), 1.0)
    assert call.data.customer_number == "+9"


def test_a_direction_that_is_known_outweighs_the_rule() -> None:
    call = CallMachine("c")
    event = the(call.offered(Invite.read(PARTIES), 1.0, direction=Direction.SERVICE))
    assert (event.direction, event.current_call.direction) == ("service", "service")


@pytest.mark.parametrize(("primary", "told"), [(None, "c"), ("", "c"), ("p", "p")])
def test_a_dialled_call_is_to_its_number_and_is_its_own_first_leg_unless_told(primary: str | None, told: str) -> None:
    call = CallMachine("c")
    event = the(call.dial("+1", 1.0, primary_call_id=primary))
    assert (event.call_id, event.primary_call_id, event.customer_number, event.direction) == (
        "c", told, "+1", "outbound",
    )  # fmt: skip
    assert event.current_call.callee_id_number == "+1"
    assert event.current_call.caller_id_number == ""


def test_an_agent_on_the_other_end_makes_a_call_internal_however_it_begins() -> None:
    agents = {"0012"}
    calls = [CallMachine("c", agents=agents) for _ in range(4)]
    calls[0].dial("0012", 1.0)
    calls[1].offered(Invite.read({"callID": "c", "caller_id_number": "0012"}), 1.0)
    calls[2].attached(Attach.read({"callID": "c", "caller_id_number": "0012"}), 1.0)
    calls[3].attached(Attach.read({"callID": "c", "callee_id_number": "0012", "display_direction": "inbound"}), 1.0)
    assert [str(call.data.direction) for call in calls] == ["internal"] * 4


def test_a_second_beginning_changes_nothing_that_is_known() -> None:
    other = {"callID": "c", "caller_id_number": "+7", "caller_id_name": "Eve", "verto_h_x": "z"}
    call = active()
    before = call.data
    call.dial("+7", 4.0)
    call.offered(Invite.read(other), 4.0)
    call.attached(Attach.read(other), 4.0)
    call.connection_lost(5.0)
    call.attached(Attach.read(other), 6.0)
    assert call.data == before


# -- while it lives ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "number"), [("Eve", "7"), ("Eve", "6"), ("Bob", "7"), ("Bob", "6"), ("{Eve}", '"7"'), ("", "")]
)
def test_a_display_names_the_party_in_the_event_and_in_what_is_known(name: str, number: str) -> None:
    call = active()
    call.displayed(Display("c", "Bob", "6", {}), 4.0)
    (event,) = call.displayed(Display("c", name, number, {}), 5.0)
    assert isinstance(event, PartyChanged)
    told = (name.strip("{}"), number.strip('"'))
    assert event.call_id == "c"
    assert (event.display_name, event.display_number) == told
    assert event.current_call is call.data
    assert (call.data.display_name, call.data.display_number) == told
    # The parties of the call itself, the customer above all, stay.
    assert (call.data.caller_id_name, call.data.customer_number) == ("Ann", "+1")
    assert [str(step.state) for step in call.flow] == ["ringing", "answering", "active"]


def test_headers_of_a_display_are_added_to_those_that_are_known() -> None:
    call = active()
    call.displayed(Display("c", "Bob", "6", {"verto_h_x": "new", "verto_h_z": "1"}), 4.0)
    headers = {"verto_h_x": "new", "verto_h_primaryCallID": "first", "verto_h_z": "1"}
    assert call.data.headers == headers
    call.displayed(Display("c", "Bob", "6", {}), 5.0)
    assert call.data.headers == headers
    assert call.headers == headers


@pytest.mark.parametrize("headers", [{}, {"verto_h_x": "y", "verto_h_primaryCallID": "first"}])
def test_a_display_that_tells_nothing_new_builds_nothing_new(headers: dict[str, str]) -> None:
    # It comes again and again in a long call; events share what did not change.
    call = active()
    call.displayed(Display("c", "Bob", "6", {}), 4.0)
    before = call.data
    call.displayed(Display("c", "Bob", "6", headers), 5.0)
    call.displayed(Display("c", "Bob", "6", call.headers), 6.0)
    assert call.data is before


@pytest.mark.parametrize("ended", [False, True])
def test_a_display_before_or_after_the_life_of_a_call_changes_nothing(ended: bool) -> None:
    call = active() if ended else CallMachine("c")
    if ended:
        call.hang_up("X", 1, 4.0)
    before = call.data
    assert not any(isinstance(event, PartyChanged) for event in call.displayed(Display("c", "E", "7", {"h": "1"}), 5.0))
    assert call.data == before


def test_variables_are_added_and_those_of_a_call_that_was_not_begun_are_not() -> None:
    call = active()
    call.media_arrived({"verto_svar_b": "2"}, 4.0, answered=True)
    assert call.data.variables == {"verto_svar_a": "1", "verto_svar_b": "2"}
    before = call.data
    call.media_arrived({}, 5.0, answered=True)
    assert call.data is before
    blank = CallMachine("c")
    blank.media_arrived({"verto_svar_b": "2"}, 1.0, answered=False)
    assert blank.data.variables == {}


def test_variables_told_with_the_answer_are_in_its_event() -> None:
    for answered, state in ((True, "active"), (False, "early")):
        call = CallMachine("c")
        call.dial("+1", 1.0)
        event = call.media_arrived({"verto_svar_b": "2"}, 2.0, answered=answered)[-1]
        assert isinstance(event, DialogEvent)
        assert (str(event.state), event.current_call.variables) == (state, {"verto_svar_b": "2"})


def test_muting_tells_whether_it_changed_something() -> None:
    call = active()
    assert [call.set_muted(muted) for muted in (False, True, True, False)] == [False, True, False, True]
    assert call.data.muted is False
    call.set_muted(True)
    assert call.data.muted is True


def test_data_is_built_once_for_each_change() -> None:
    call = active()
    assert call.data is call.data
    before = call.data
    call.set_direction(Direction.SERVICE)
    assert (before.direction, call.data.direction) == ("inbound", "service")


# -- what an event says ------------------------------------------------------------------------------------------------


def test_each_state_has_its_time_its_class_and_the_flow_so_far() -> None:
    call = CallMachine("c")
    events = [*call.dial("+1", 1.5), *call.feed(Input.ANSWERED, 2.5)]
    assert [type(event).__name__ for event in events] == ["Requesting", "Trying", "Early", "Active"]
    flow = [(str(step.state), step.date_unix, step.date.timestamp(), step.inferred) for step in call.flow]
    assert flow == [
        ("requesting", 1.5, 1.5, False), ("trying", 2.5, 2.5, True),
        ("early", 2.5, 2.5, True), ("active", 2.5, 2.5, False),
    ]  # fmt: skip
    assert {step.date.utcoffset().total_seconds() for step in call.flow} == {0.0}  # type: ignore[union-attr]
    for index, event in enumerate(events):
        assert isinstance(event, DialogEvent)
        assert event.state_flow == call.flow[: index + 1]
        assert event.state is call.flow[index].state
        assert (event.call_id, event.current_call) == ("c", call.data)


# -- how it ends -------------------------------------------------------------------------------------------------------

ENDS: list[tuple[str, Any, tuple[str | None, int | None, str]]] = [
    ("bye", lambda c: c.ended(Bye("c", "USER_BUSY", 17), 9.0), ("USER_BUSY", 17, "remote")),
    ("bye without a word", lambda c: c.ended(Bye("c", "", None), 9.0), (None, None, "remote")),
    ("hang_up", lambda c: c.hang_up("CALL_REJECTED", 21, 9.0), ("CALL_REJECTED", 21, "local")),
    ("refused", lambda c: c.refused("CALL_ERROR", 27, 9.0), ("CALL_ERROR", 27, "remote")),
    ("refused without a word", lambda c: c.refused(None, None, 9.0), (None, None, "remote")),
    ("gone", lambda c: c.gone(9.0), (None, None, "lost")),
    ("attach_failed", lambda c: c.attach_failed(9.0), ("BEARERCAPABILITY_NOTAVAIL", 58, "lost")),
    ("connection_lost", lambda c: c.connection_lost(9.0), ("DESTINATION_OUT_OF_ORDER", 27, "lost")),
]


@pytest.mark.parametrize(("end", "why"), [case[1:] for case in ENDS], ids=[case[0] for case in ENDS])
def test_the_end_says_its_cause_its_number_and_who(end: Any, why: tuple[str | None, int | None, str]) -> None:
    call = CallMachine("c")
    call.dial("+1", 1.0)
    hangup = end(call)[0]
    assert isinstance(hangup, Hangup)
    assert (hangup.cause, hangup.cause_code, hangup.by) == why
    assert hangup.state_flow[-1].date_unix == 9.0


@pytest.mark.parametrize("end", [case[1] for case in ENDS], ids=[case[0] for case in ENDS])
def test_the_first_cause_stays_and_a_call_that_was_not_begun_or_is_over_takes_none(end: Any) -> None:
    call = CallMachine("c")
    call.dial("+1", 1.0)
    call.hang_up("FIRST", 1, 2.0)
    end(call)
    assert (call.data.hangup_cause, call.data.hangup_cause_code, call.data.hangup_by) == ("FIRST", 1, "local")
    call.feed(Input.BYE_TIMEOUT, 3.0)
    end(call)
    assert (call.data.hangup_cause, call.data.hangup_cause_code, call.data.hangup_by) == ("FIRST", 1, "local")
    blank = CallMachine("c")
    end(blank)
    assert (blank.state, blank.data.hangup_cause, blank.data.hangup_by) == (None, None, None)


def test_a_bye_of_ours_is_pending_until_the_call_is_over() -> None:
    call = active()
    call.hang_up("X", None, 4.0)
    assert call.bye_pending is True
    call.feed(Input.BYE_CONFIRMED, 5.0)
    assert call.bye_pending is False
    # Where there is nothing to hang up, nothing is pending.
    for other in (CallMachine("c"), call):
        other.hang_up("X", None, 6.0)
        assert other.bye_pending is False


def test_a_call_waits_from_the_loss_until_it_is_offered_again_or_over() -> None:
    call = active()
    call.connection_lost(4.0)
    assert call.detached is True
    call.attached(Attach.read(PARTIES), 5.0)
    assert (call.state, call.detached) == ("recovering", False)
    call.connection_lost(6.0)
    assert call.detached is True
    call.attached(Attach.read(PARTIES), 7.0)
    assert (call.state, call.detached) == ("recovering", False)
    call.connection_lost(8.0)
    call.gone(9.0)
    assert (call.state, call.detached) == ("destroy", False)
    call.connection_lost(10.0)
    assert call.detached is False


@pytest.mark.parametrize("held", [False, True])
def test_what_a_call_goes_back_to_is_what_it_was_or_what_was_told_since(held: bool) -> None:
    call = active()
    if held:
        call.hold_state(held=True, at=4.0)
    for told in (None, True, False):
        call.connection_lost(5.0)
        call.attached(Attach.read(PARTIES), 6.0)
        if told is not None:
            assert call.hold_state(held=told, at=6.5) == []
        call.feed(Input.ATTACH_OK, 7.0)
        assert call.state == ("held" if (held if told is None else told) else "active")
    # What was told while the call lived, too, is not carried over to a later recovery.
    call.hold_state(held=True, at=8.0)
    call.connection_lost(9.0)
    call.attached(Attach.read(PARTIES), 10.0)
    call.feed(Input.ATTACH_OK, 11.0)
    assert call.state == "held"


def test_what_a_call_is_follows_its_state() -> None:
    call = CallMachine("c")
    seen = []
    for give in (
        lambda: call.offered(Invite.read(PARTIES), 1.0),
        lambda: call.feed(Input.ANSWER, 2.0),
        lambda: call.feed(Input.ANSWER_OK, 3.0),
        lambda: call.hold_state(held=True, at=4.0),
        lambda: call.attached(Attach.read(PARTIES), 5.0) if call.connection_lost(5.0) == [] else None,
        lambda: call.hang_up("X", None, 6.0),
        lambda: call.feed(Input.BYE_CONFIRMED, 7.0),
    ):
        give()
        seen.append((str(call.state), call.is_inbound_ringing, call.is_answered, call.is_over, call.is_outbound))
    assert seen == [
        ("ringing", True, False, False, False),
        ("answering", False, False, False, False),
        ("active", False, True, False, False),
        ("held", False, True, False, False),
        ("recovering", False, True, False, False),
        ("hangup", False, False, False, False),
        ("destroy", False, False, True, False),
    ]
