"""The session machine: what each command writes and each frame of the server does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ziwo_async.errors import (
    BadCredentials,
    BadFrame,
    CallGone,
    CallRefused,
    ConnectionLost,
    DuplicateSession,
    Forbidden,
    MediaError,
    TransferFailed,
    VertoError,
    WrongState,
    ZiwoError,
)
from ziwo_async.events import (
    AgentMessage,
    CallData,
    Destroy,
    DialogEvent,
    Direction,
    Event,
    FlowViolation,
    Hangup,
    Muted,
    PartyChanged,
    TextMessage,
    UnknownFrame,
    Unmuted,
)
from ziwo_async.verto.effects import (
    DialAsked,
    Effect,
    LoggedIn,
    PickupAsked,
    Publish,
    Ready,
    Refused,
    RemoteSdp,
    Send,
    Settled,
    TakenOver,
)
from ziwo_async.verto.frames import MAX_OUTBOUND, ErrorFrame, decode
from ziwo_async.verto.parts import Recent
from ziwo_async.verto.replies import cause_of, error_of
from ziwo_async.verto.session import Phase, SessionMachine

from .support import error, events_of, invite, only_send, ready_session, reconnect, request, result, states_of


def written(effects: list[Effect]) -> dict[str, Any]:
    """The params of the one frame that is to be written."""
    params: dict[str, Any] = json.loads(only_send(effects).text)["params"]
    return params


def active_outbound(session: SessionMachine, call_id: str = "out") -> None:
    send = only_send(session.dial(call_id, "9196", "v=0", 1.0))
    session.receive(result(send.request_id, message="CALL CREATED", callID=call_id), 1.1)
    session.receive(request("verto.answer", {"callID": call_id, "sdp": "v=0"}), 1.2)


def active_inbound(session: SessionMachine, call_id: str = "in") -> None:
    session.receive(invite(call_id), 1.0)
    send = only_send(session.answer(call_id, "v=0", 1.1))
    session.receive(result(send.request_id), 1.2)


def last_dialog(effects: list[Effect]) -> DialogEvent:
    event = events_of(effects)[-1]
    assert isinstance(event, DialogEvent)
    return event


def unknown_reasons(effects: list[Effect]) -> list[str]:
    return [event.reason for event in events_of(effects) if isinstance(event, UnknownFrame)]


# -- login -------------------------------------------------------------------------------------------------------------


def test_the_phases_of_a_session_follow_its_frames() -> None:
    session = SessionMachine(login="agent-0011", sessid="s")
    assert session.phase is Phase.OFFLINE
    session.connected()
    assert session.phase is Phase.CONNECTED
    login = session.log_in("hash", {"crm": "1"})
    assert session.phase is Phase.LOGGING_IN
    params = {"login": "agent-0011", "passwd": "hash", "sessid": "s", "userVariables": {"crm": "1"}}
    assert json.loads(login.text) == {"jsonrpc": "2.0", "method": "login", "params": params, "id": 1}
    effects = session.receive(result(1, message="logged in", **{"auth-expires": 1795369023}), 0.0)
    assert effects[1] == LoggedIn(1795369023)
    assert isinstance(effects[0], Settled)
    assert (session.phase, session.auth_expires) == (Phase.LOGGED_IN, 1795369023)
    effects = session.receive(request("verto.clientReady", {"reattached_sessions": []}), 0.0)
    assert effects == [Ready((), (), ())]
    assert session.phase is Phase.READY
    assert session.receive(request("verto.punt"), 0.0) == [TakenOver()]
    assert session.phase is Phase.TAKEN_OVER
    session.disconnected("closed", 0.0)
    assert session.phase is Phase.OFFLINE


def test_a_session_that_was_taken_over_is_never_ready_again() -> None:
    session = ready_session()
    session.receive(request("verto.punt"), 0.0)
    session.receive(request("verto.clientReady", {"reattached_sessions": []}), 1.0)
    assert session.phase is Phase.TAKEN_OVER


def test_the_attach_of_an_unanswered_call_is_not_answered() -> None:
    session = ready_session()
    session.receive(invite("ringing"), 0.0)
    offered = session.receive(request("verto.attach", {"callID": "ringing", "sdp": "v=0"}), 1.0)
    assert not any(isinstance(effect, RemoteSdp) for effect in offered)
    assert session.calls["ringing"].state == "ringing"


def test_a_second_login_on_a_ready_session_does_not_put_it_back() -> None:
    session = ready_session()
    login = session.log_in("hash")
    session.phase = Phase.READY
    session.receive(result(login.request_id), 0.0)
    assert session.phase is Phase.READY


@pytest.mark.parametrize("value", [True, "soon", None, [], float("inf")])
def test_an_expiry_that_is_no_number_is_no_expiry(value: object) -> None:
    session = SessionMachine(login="agent-0011", sessid="s")
    session.connected()
    login = session.log_in("hash")
    session.receive(result(login.request_id, **{"auth-expires": value}), 0.0)
    assert session.auth_expires is None


def test_the_server_s_ping_renews_the_expiry_and_needs_no_answer() -> None:
    session = ready_session()
    assert session.receive(request("verto.ping", {"serno": 1, "auth-expires": 99}), 0.0) == []
    assert session.auth_expires == 99
    assert session.receive(request("verto.ping", {"serno": 2}), 0.0) == []
    assert session.auth_expires == 99


def test_request_ids_count_up_over_sockets_and_may_begin_anywhere() -> None:
    session = SessionMachine(login="agent-0011", sessid="s", first_id=40)
    assert [session.ping().request_id, session.ping().request_id] == [40, 41]
    session.disconnected("x", 0.0)
    session.connected()
    assert session.ping().request_id == 42


def test_any_request_carries_the_session_id() -> None:
    assert written([ready_session().request("verto.subscribe", {"eventChannel": "x"})]) == {
        "eventChannel": "x",
        "sessid": "the-session",
    }


# -- the error of every refusal ----------------------------------------------------------------------------------------

LOGIN_ERRORS = [
    (-32000, "Authentication Required", BadCredentials),
    (-32001, "Authentication Failure", BadCredentials),
    (-32001, "", BadCredentials),
    (-32003, "Duplicate Session", DuplicateSession),
    (-32004, "IP Rejected", Forbidden),
    (-32601, "Permission Denied", VertoError),
    (None, "", VertoError),
]


@pytest.mark.parametrize(("code", "message", "kind"), LOGIN_ERRORS)
def test_a_refused_login_is_told_by_its_code(code: int | None, message: str, kind: type[ZiwoError]) -> None:
    refusal = error_of(ErrorFrame(1, code, message, {}), "login", "", None)
    assert type(refusal) is kind
    if kind is BadCredentials:
        assert (message or "no reason given") in str(refusal)


CALL_ERRORS: list[tuple[str, str, str, type[ZiwoError]]] = [
    ("verto.answer", "", "CALL DOES NOT EXIST", CallGone),
    ("verto.bye", "", "CALL DOES NOT EXIST", CallGone),
    ("verto.modify", "transfer", "CALL DOES NOT EXIST", CallGone),
    ("verto.invite", "", "SDP missing: CALL ERROR", CallRefused),
    ("verto.invite", "", "", CallRefused),
    ("verto.answer", "", "CODEC ERROR", MediaError),
    ("verto.answer", "", "", MediaError),
    ("verto.attach", "", "MEDIA ERROR", MediaError),
    ("verto.modify", "transfer", "call is not bridged", TransferFailed),
    ("verto.modify", "replace", "replaceCallID missing", TransferFailed),
    ("verto.modify", "transfer", "", TransferFailed),
    ("verto.modify", "hold", "action missing", VertoError),
    ("verto.modify", "updateMedia", "SDP missing", VertoError),
    ("verto.info", "", "Params data missing", VertoError),
    ("verto.sendToCall", "", "action missing", VertoError),
]


@pytest.mark.parametrize(("method", "action", "message", "kind"), CALL_ERRORS)
def test_a_refused_call_command_becomes_its_typed_error(
    method: str, action: str, message: str, kind: type[ZiwoError]
) -> None:
    refusal = error_of(ErrorFrame(1, -32002, message, {}), method, action, "the-call")
    assert type(refusal) is kind
    if kind is not CallGone:
        assert (message or "no reason given") in str(refusal)


def test_a_refused_request_about_no_call_keeps_code_and_words() -> None:
    refusal = error_of(ErrorFrame(1, None, "", {}), "verto.subscribe", "", None)
    assert isinstance(refusal, VertoError)
    assert (refusal.code, refusal.message, refusal.method) == (None, "", "verto.subscribe")
    assert str(refusal) == "verto.subscribe was refused by the server: no reason given (no code)"


def test_the_cause_of_a_refused_call_is_told() -> None:
    frame = ErrorFrame(1, -32002, "CALL ERROR", {"cause": "DESTINATION_OUT_OF_ORDER", "causeCode": 27})
    refusal = error_of(frame, "verto.invite", "", "a")
    assert isinstance(refusal, CallRefused)
    assert (refusal.cause, refusal.cause_code, refusal.call_id) == ("DESTINATION_OUT_OF_ORDER", 27, "a")
    assert "(DESTINATION_OUT_OF_ORDER 27)" in str(refusal)
    assert cause_of(ErrorFrame(1, None, "", {"cause": 5, "causeCode": "27"})) == (None, None)


# -- outbound calls ----------------------------------------------------------------------------------------------------


def test_an_outbound_call_goes_the_documented_way() -> None:
    session = ready_session()
    effects = session.dial("c", "+97150000000", "v=0", 1.0, user_variables={"vip": True}, primary_call_id="first")
    assert states_of(effects) == ["requesting"]
    assert isinstance(effects[0], Send)
    assert written(effects)["dialogParams"]["userVariables"] == {"vip": True}
    assert last_dialog(effects).primary_call_id == "first"
    request_id = only_send(effects).request_id
    effects = session.receive(result(request_id, message="CALL CREATED", callID="c"), 2.0)
    assert effects[0] == Settled(request_id, {"message": "CALL CREATED", "callID": "c"})
    assert states_of(effects) == ["trying"]
    effects = session.receive(
        request("verto.media", {"callID": "c", "sdp": "v=1", "variables": {"verto_svar_a": 1}}), 3.0
    )
    assert states_of(effects) == ["early"]
    assert effects[0] == RemoteSdp("c", "answer", "v=1")
    assert last_dialog(effects).current_call.variables == {"verto_svar_a": "1"}
    effects = session.receive(request("verto.answer", {"callID": "c"}), 4.0)
    assert states_of(effects) == ["active"]
    effects = session.receive(request("verto.bye", {"callID": "c", "cause": "NORMAL_CLEARING", "causeCode": 16}), 5.0)
    assert states_of(effects) == ["hangup", "destroy"]
    ended = last_dialog(effects)
    assert isinstance(ended, Destroy)
    assert (ended.cause, ended.cause_code, ended.by) == ("NORMAL_CLEARING", 16, "remote")
    assert session.calls == {}


def test_the_server_s_description_is_applied_from_whichever_frame_brings_it_first() -> None:
    session = ready_session()
    session.dial("c", "1", "v=0", 1.0)
    assert session.receive(request("verto.media", {"callID": "c"}), 2.0)[0] != RemoteSdp("c", "answer", "")
    effects = session.receive(request("verto.answer", {"callID": "c", "sdp": "v=1"}), 3.0)
    assert RemoteSdp("c", "answer", "v=1") in effects
    effects = session.receive(request("verto.media", {"callID": "c", "sdp": "v=2"}), 4.0)
    assert effects == []


def test_early_media_of_an_inbound_call_violates_the_flow_and_is_not_applied_as_an_answer() -> None:
    session = ready_session()
    session.receive(invite("in"), 1.0)
    effects = session.receive(request("verto.media", {"callID": "in", "sdp": "v=1"}), 2.0)
    (violation,) = effects
    assert isinstance(violation, Publish)
    assert isinstance(violation.event, FlowViolation)


def test_media_of_a_call_that_is_being_hung_up_is_not_applied() -> None:
    session = ready_session()
    session.dial("c", "1", "v=0", 1.0)
    session.hang_up("c", "NORMAL_CLEARING", 16, 1.5)
    assert session.receive(request("verto.media", {"callID": "c", "sdp": "v=1"}), 2.0) == []


def test_a_live_call_id_cannot_be_dialled_again_and_nothing_is_sent() -> None:
    session = ready_session()
    session.dial("c", "1", "v=0", 1.0)
    before = dict(session.open_requests)
    with pytest.raises(WrongState, match="a live call has this id") as caught:
        session.dial("c", "2", "v=0", 2.0)
    assert caught.value.state == "requesting"
    assert session.open_requests == before


def test_an_invite_too_large_to_be_sent_begins_no_call() -> None:
    session = ready_session()
    opened, next_id = dict(session.open_requests), session.ping().request_id + 1
    with pytest.raises(BadFrame):
        session.dial("c", "1", "x" * MAX_OUTBOUND, 1.0)
    assert session.calls == {}
    assert set(session.open_requests) - set(opened) == {next_id - 1}
    assert session.ping().request_id == next_id


def test_a_refused_invite_ends_the_call_with_the_server_s_cause() -> None:
    session = ready_session()
    send = only_send(session.dial("c", "1", "v=0", 1.0))
    refusal = error(send.request_id, message="CALL ERROR", causeCode=27, cause="DESTINATION_OUT_OF_ORDER", code=-32002)
    effects = session.receive(refusal, 2.0)
    assert isinstance(effects[0], Refused)
    assert isinstance(effects[0].error, CallRefused)
    assert states_of(effects) == ["hangup", "destroy"]
    assert last_dialog(effects).current_call.hangup_cause == "DESTINATION_OUT_OF_ORDER"


# -- inbound calls -----------------------------------------------------------------------------------------------------


def test_an_inbound_call_goes_the_documented_way() -> None:
    session = ready_session()
    effects = session.receive(invite("c", "+97150000000", caller_id_name='"Sales"', verto_h_primaryCallID="p"), 1.0)
    assert effects[0] == RemoteSdp("c", "offer", "v=0")
    assert states_of(effects) == ["ringing"]
    ringing = last_dialog(effects)
    assert (ringing.customer_number, ringing.direction, ringing.primary_call_id) == ("+97150000000", "inbound", "p")
    assert ringing.current_call.caller_id_name == "Sales"
    assert ringing.headers == {"verto_h_primaryCallID": "p"}
    effects = session.answer("c", "v=1", 2.0)
    assert states_of(effects) == ["answering"]
    assert written(effects) == {"sdp": "v=1", "dialogParams": {"callID": "c"}, "sessid": "the-session"}
    effects = session.receive(result(only_send(effects).request_id), 3.0)
    assert states_of(effects) == ["active"]


def test_a_call_is_answered_once_at_a_time_and_again_after_a_media_error() -> None:
    session = ready_session()
    session.receive(invite("c"), 1.0)
    first = only_send(session.answer("c", "bad", 2.0))
    with pytest.raises(WrongState, match="being answered already"):
        session.answer("c", "good", 2.1)
    effects = session.receive(error(first.request_id, message="CODEC ERROR", code=-32002), 2.2)
    assert isinstance(effects[0], Refused)
    assert isinstance(effects[0].error, MediaError)
    assert states_of(effects) == []
    second = only_send(session.answer("c", "good", 2.3))
    assert states_of(session.receive(result(second.request_id), 2.4)) == ["active"]


def test_an_answer_to_a_call_that_is_gone_ends_it_as_lost() -> None:
    session = ready_session()
    session.receive(invite("c"), 1.0)
    send = only_send(session.answer("c", "v=0", 2.0))
    effects = session.receive(error(send.request_id, message="CALL DOES NOT EXIST", code=-32002), 3.0)
    assert isinstance(effects[0], Refused)
    assert isinstance(effects[0].error, CallGone)
    assert states_of(effects) == ["hangup", "destroy"]
    assert last_dialog(effects).current_call.hangup_by == "lost"


def test_a_forked_call_may_be_lost_after_a_successful_answer() -> None:
    session = ready_session()
    active_inbound(session)
    effects = session.receive(request("verto.bye", {"callID": "in", "cause": "LOSE_RACE", "causeCode": 702}), 3.0)
    assert states_of(effects) == ["hangup", "destroy"]
    assert last_dialog(effects).current_call.hangup_cause_code == 702


def test_a_call_offered_twice_violates_the_flow_and_goes_on_ringing() -> None:
    session = ready_session()
    session.receive(invite("c"), 1.0)
    (event,) = events_of(session.receive(invite("c"), 2.0))
    assert isinstance(event, FlowViolation)
    assert (event.call_id, event.state, event.input) == ("c", "ringing", "verto.invite")
    assert session.calls["c"].state == "ringing"


def test_pickup_is_a_wish_only_for_a_ringing_inbound_call() -> None:
    session = ready_session()
    session.receive(invite("c"), 1.0)
    assert session.receive(request("verto.pickup", {"callID": "c"}), 1.1) == [PickupAsked("c")]
    session.answer("c", "v=0", 1.2)
    assert session.receive(request("verto.pickup", {"callID": "c"}), 1.3) == []
    session.dial("o", "1", "v=0", 1.4)
    assert session.receive(request("verto.pickup", {"callID": "o"}), 1.5) == []
    session.receive(request("verto.bye", {"callID": "c"}), 1.6)
    assert session.receive(request("verto.pickup", {"callID": "c"}), 1.7) == []
    effects = session.receive(request("verto.pickup", {"callID": "never"}), 1.8)
    assert unknown_reasons(effects) == ["verto.pickup for a call we do not have"]


# -- commands in a call ------------------------------------------------------------------------------------------------


def test_hold_and_unhold_follow_the_state_the_server_confirms() -> None:
    session = ready_session()
    active_outbound(session)
    hold = only_send(session.modify("out", "hold"))
    assert json.loads(hold.text)["params"]["action"] == "hold"
    assert states_of(session.receive(result(hold.request_id, action="hold", holdState="held"), 2.0)) == ["held"]
    toggle = only_send(session.modify("out", "toggleHold"))
    assert states_of(session.receive(result(toggle.request_id, holdState="active"), 3.0)) == ["active"]
    transfer = only_send(session.modify("out", "transfer", destination="55"))
    assert states_of(session.receive(result(transfer.request_id, holdState="held"), 4.0)) == []
    for odd in ({}, {"holdState": "maybe"}):
        again = only_send(session.modify("out", "hold"))
        assert states_of(session.receive(result(again.request_id, **odd), 5.0)) == []


def test_a_refused_command_leaves_the_call_as_it_is() -> None:
    session = ready_session()
    active_outbound(session)
    transfer = only_send(session.modify("out", "transfer", destination="55"))
    (refused,) = session.receive(error(transfer.request_id, message="call is not bridged", code=-32002), 2.0)
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, TransferFailed)
    assert session.calls["out"].state == "active"


def test_digits_variables_and_pings_are_written_and_settled() -> None:
    session = ready_session()
    active_outbound(session)
    effects = session.dtmf("out", "12#")
    assert written(effects) == {"dtmf": "12#", "dialogParams": {"callID": "out"}, "sessid": "the-session"}
    request_id = only_send(effects).request_id
    assert session.receive(result(request_id, message="SENT"), 2.0) == [Settled(request_id, {"message": "SENT"})]
    effects = session.send_to_call("out", {"crm": "42"})
    assert written(effects)["dialogParams"] == {"callID": "out", "userVariables": {"crm": "42"}}
    assert written([session.ping()]) == {"sessid": "the-session"}


def test_muting_is_local_and_told_once() -> None:
    session = ready_session()
    active_outbound(session)
    assert session.mute("out", muted=False) == []
    assert session.mute("out", muted=True) == [Publish(Muted(call_id="out"), "out")]
    assert session.mute("out", muted=True) == []
    assert session.calls["out"].data.muted is True
    assert session.mute("out", muted=False) == [Publish(Unmuted(call_id="out"), "out")]


def test_the_direction_can_be_set_from_outside_the_protocol() -> None:
    session = ready_session()
    session.receive(invite("c"), 1.0)
    session.set_direction("c", Direction.SERVICE)
    assert last_dialog(session.answer("c", "v=0", 2.0)).direction == "service"


def test_the_agents_of_the_centre_make_a_call_internal() -> None:
    session = ready_session(agents={"0012"})
    assert last_dialog(session.dial("c", "0012", "v=0", 1.0)).direction == "internal"
    assert last_dialog(session.receive(invite("d", "0012"), 1.0)).direction == "internal"


def commands(session: SessionMachine, call_id: str) -> dict[str, Any]:
    return {
        "answer": lambda: session.answer(call_id, "v=0", 9.0),
        "attach": lambda: session.attach(call_id, "v=0"),
        "hang_up": lambda: session.hang_up(call_id, "X", None, 9.0),
        "hang_up_unsent": lambda: session.hang_up_unsent(call_id, "X", None, 9.0),
        "modify": lambda: session.modify(call_id, "hold"),
        "dtmf": lambda: session.dtmf(call_id, "1"),
        "send_to_call": lambda: session.send_to_call(call_id, {}),
        "mute": lambda: session.mute(call_id, muted=True),
        "set_direction": lambda: session.set_direction(call_id, Direction.SERVICE),
    }


@pytest.mark.parametrize("command", list(commands(SessionMachine(login="", sessid=""), "")))
def test_no_command_reaches_a_call_that_is_unknown_over_or_being_hung_up(command: str) -> None:
    session = ready_session()
    with pytest.raises(CallGone, match="there is no such call"):
        commands(session, "never")[command]()
    active_outbound(session)
    bye = only_send(session.hang_up("out", "NORMAL_CLEARING", 16, 2.0))
    with pytest.raises(WrongState, match="it is in state 'hangup'") as caught:
        commands(session, "out")[command]()
    assert caught.value.state == "hangup"
    session.receive(result(bye.request_id), 3.0)
    opened = dict(session.open_requests)
    with pytest.raises(WrongState, match="it is over") as caught:
        commands(session, "out")[command]()
    assert caught.value.state == "destroy"
    assert session.open_requests == opened


@pytest.mark.parametrize("command", ["answer", "modify"])
def test_answering_and_modifying_need_the_right_state(command: str) -> None:
    session = ready_session()
    session.dial("c", "1", "v=0", 1.0)
    with pytest.raises(WrongState, match="it is in state 'requesting'"):
        commands(session, "c")[command]()


# -- hanging up --------------------------------------------------------------------------------------------------------


def test_our_bye_hangs_up_at_once_and_destroys_when_confirmed() -> None:
    session = ready_session()
    active_outbound(session)
    effects = session.hang_up("out", "USER_BUSY", 17, 2.0)
    assert states_of(effects) == ["hangup"]
    assert written(effects) == {
        "dialogParams": {"callID": "out"}, "cause": "USER_BUSY", "causeCode": 17, "sessid": "the-session",
    }  # fmt: skip
    hangup = last_dialog(effects)
    assert isinstance(hangup, Hangup)
    assert (hangup.cause, hangup.cause_code, hangup.by) == ("USER_BUSY", 17, "local")
    effects = session.receive(result(only_send(effects).request_id, causeCode=16, cause="NORMAL_CLEARING"), 3.0)
    assert states_of(effects) == ["destroy"]
    assert last_dialog(effects).current_call.hangup_cause == "USER_BUSY"


@pytest.mark.parametrize("message", ["CALL DOES NOT EXIST", "Dialog data missing"])
def test_a_refused_bye_destroys_the_call_as_well(message: str) -> None:
    session = ready_session()
    active_outbound(session)
    bye = only_send(session.hang_up("out", "NORMAL_CLEARING", 16, 2.0))
    effects = session.receive(error(bye.request_id, message=message, code=-32002), 3.0)
    assert states_of(effects) == ["destroy"]
    assert last_dialog(effects).current_call.hangup_by == "local"


def test_both_sides_hang_up_at_once_and_the_call_ends_once() -> None:
    session = ready_session()
    active_outbound(session)
    bye = only_send(session.hang_up("out", "NORMAL_CLEARING", 16, 2.0))
    effects = session.receive(request("verto.bye", {"callID": "out", "cause": "USER_BUSY", "causeCode": 17}), 2.1)
    assert states_of(effects) == ["destroy"]
    assert last_dialog(effects).current_call.hangup_by == "local"
    refused = session.receive(error(bye.request_id, message="CALL DOES NOT EXIST", code=-32002), 2.2)
    assert [type(effect) for effect in refused] == [Refused]


def test_a_bye_that_is_never_confirmed_destroys_the_call_at_its_time_limit() -> None:
    session = ready_session()
    active_outbound(session)
    assert session.bye_timed_out("out", 2.0) == []
    session.hang_up("out", "NORMAL_CLEARING", 16, 3.0)
    assert states_of(session.bye_timed_out("out", 8.0)) == ["destroy"]
    assert session.bye_timed_out("out", 9.0) == []


def test_a_call_hung_up_without_a_connection_is_over_at_once() -> None:
    session = ready_session()
    active_outbound(session)
    session.disconnected("gone", 2.0)
    effects = session.hang_up_unsent("out", "NORMAL_CLEARING", 16, 3.0)
    assert states_of(effects) == ["hangup", "destroy"]
    assert not any(isinstance(effect, Send) for effect in effects)
    assert session.calls == {}


def lose_the_bye_with_the_socket(session: SessionMachine) -> None:
    session.hang_up("out", "NORMAL_CLEARING", 16, 2.0)
    assert states_of(session.disconnected("gone", 3.0)) == ["destroy"]


def lose_the_bye_before_the_socket(session: SessionMachine) -> None:
    session.hang_up("out", "NORMAL_CLEARING", 16, 2.0)
    assert states_of(session.bye_timed_out("out", 7.0)) == ["destroy"]
    session.disconnected("gone", 8.0)


def hang_up_while_offline(session: SessionMachine) -> None:
    session.disconnected("gone", 2.0)
    session.hang_up_unsent("out", "NORMAL_CLEARING", 16, 3.0)


@pytest.mark.parametrize("lose", [lose_the_bye_with_the_socket, lose_the_bye_before_the_socket, hang_up_while_offline])
def test_a_call_we_hung_up_unheard_is_hung_up_again_when_offered_and_never_comes_back(lose: Any) -> None:
    session = ready_session()
    active_outbound(session)
    lose(session)
    effects = reconnect(session, "out", at=10.0)
    assert states_of(effects) == []
    bye = next(effect for effect in effects if isinstance(effect, Send))
    assert (bye.method, bye.call_id) == ("verto.bye", "out")
    assert json.loads(bye.text)["params"]["dialogParams"] == {"callID": "out"}
    assert effects[-1] == Ready((), (), ())
    assert session.receive(result(bye.request_id), 11.0) == [Settled(bye.request_id, {})]
    assert session.calls == {}


# -- reconnects --------------------------------------------------------------------------------------------------------


def test_when_the_socket_ends_every_open_request_fails_once_with_the_reason() -> None:
    session = ready_session()
    active_outbound(session)
    ping, hold = session.ping(), only_send(session.modify("out", "hold"))
    effects = session.disconnected("reset by peer", 2.0, close_code=1006)
    refused = {effect.request_id: effect.error for effect in effects if isinstance(effect, Refused)}
    assert set(refused) == {ping.request_id, hold.request_id}
    lost = refused[hold.request_id]
    assert isinstance(lost, ConnectionLost)
    assert (lost.reason, lost.close_code) == ("reset by peer", 1006)
    assert str(lost) == "the connection was lost (reset by peer) before verto.modify of call out was answered"
    assert session.open_requests == {}
    assert session.disconnected("again", 3.0) == []
    assert session.receive(result(ping.request_id), 4.0) == []


def test_unanswered_calls_end_with_the_socket_and_answered_ones_wait() -> None:
    session = ready_session()
    active_outbound(session, "kept")
    session.receive(invite("rings"), 1.0)
    session.dial("dialled", "1", "v=0", 1.0)
    effects = session.disconnected("gone", 2.0)
    ended = [event for event in events_of(effects) if isinstance(event, Destroy)]
    assert {(e.call_id, e.cause, e.cause_code, e.by) for e in ended} == {
        ("rings", "DESTINATION_OUT_OF_ORDER", 27, "lost"),
        ("dialled", "DESTINATION_OUT_OF_ORDER", 27, "lost"),
    }
    assert list(session.calls) == ["kept"]
    assert session.calls["kept"].detached


def test_a_re_attached_call_recovers_and_goes_back_to_what_it_was() -> None:
    session = ready_session()
    active_outbound(session)
    hold = only_send(session.modify("out", "hold"))
    session.receive(result(hold.request_id, holdState="held"), 2.0)
    session.disconnected("gone", 3.0)
    effects = reconnect(session, "out", at=4.0)
    assert states_of(effects) == ["recovering"]
    assert RemoteSdp("out", "attach", "v=0") in effects
    assert effects[-1] == Ready(("out",), (), ())
    attach = session.attach("out", "v=1")
    assert only_send(attach).method == "verto.attach"
    assert states_of(session.receive(result(only_send(attach).request_id), 5.0)) == ["held"]


@pytest.mark.parametrize(("said", "state"), [("held", "held"), ("active", "active")])
def test_a_hold_state_told_during_recovery_is_what_the_call_goes_back_to(said: str, state: str) -> None:
    session = ready_session()
    active_outbound(session)
    session.disconnected("gone", 3.0)
    reconnect(session, "out", at=4.0)
    call = session.calls["out"]
    assert call.hold_state(held=said == "held", at=4.5) == []
    attach = only_send(session.attach("out", "v=1"))
    assert states_of(session.receive(result(attach.request_id), 5.0)) == [state]


def test_a_call_that_is_not_listed_any_more_was_lost() -> None:
    session = ready_session()
    active_outbound(session)
    session.disconnected("gone", 3.0)
    effects = reconnect(session, at=4.0)
    assert states_of(effects) == ["hangup", "destroy"]
    ended = last_dialog(effects)
    assert isinstance(ended, Destroy)
    assert (ended.cause, ended.by) == (None, "lost")
    assert effects[-1] == Ready((), ("out",), ())


def test_a_call_that_is_listed_but_was_not_offered_is_kept() -> None:
    session = ready_session()
    active_outbound(session)
    session.disconnected("gone", 3.0)
    assert reconnect(session, at=4.0, listed=["out", "foreign"])[-1] == Ready(("out",), (), ("foreign",))
    assert session.calls["out"].state == "active"


def test_a_call_nobody_knows_is_recovered_as_a_stranger() -> None:
    session = ready_session()
    session.disconnected("gone", 1.0)
    session.connected()
    frame = {"callID": "x", "sdp": "v=0", "callee_id_number": "{9196}", "display_direction": "inbound"}
    effects = session.receive(request("verto.attach", frame), 2.0)
    assert states_of(effects) == ["recovering"]
    assert (last_dialog(effects).direction, last_dialog(effects).customer_number) == ("outbound", "9196")
    frame = {"callID": "y", "caller_id_number": "55", "display_direction": "outbound", "verto_h_primaryCallID": "p"}
    effects = session.receive(request("verto.attach", frame), 2.0)
    event = last_dialog(effects)
    assert (event.direction, event.customer_number, event.primary_call_id) == ("inbound", "55", "p")
    effects = session.receive(request("verto.clientReady", {"reattached_sessions": ["x", "y"]}), 3.0)
    assert effects == [Ready((), (), ("x", "y"))]
    attach = only_send(session.attach("x", "v=1"))
    assert states_of(session.receive(result(attach.request_id), 4.0)) == ["active"]


def test_a_refused_attach_ends_the_call_as_the_server_does() -> None:
    session = ready_session()
    active_outbound(session)
    session.disconnected("gone", 3.0)
    reconnect(session, "out", at=4.0)
    attach = only_send(session.attach("out", "bad"))
    effects = session.receive(error(attach.request_id, message="CODEC ERROR", code=-32002), 5.0)
    assert states_of(effects) == ["hangup", "destroy"]
    assert last_dialog(effects).current_call.hangup_cause == "BEARERCAPABILITY_NOTAVAIL"


def test_an_attach_of_a_live_call_asks_for_new_media_and_moves_nothing() -> None:
    session = ready_session()
    active_inbound(session)
    effects = session.receive(request("verto.attach", {"callID": "in", "sdp": "v=9"}), 3.0)
    assert effects == [RemoteSdp("in", "attach", "v=9")]
    attach = only_send(session.attach("in", "v=1"))
    assert states_of(session.receive(result(attach.request_id), 4.0)) == []


def test_an_attach_of_a_call_that_is_being_hung_up_is_not_answered() -> None:
    session = ready_session()
    active_inbound(session)
    session.hang_up("in", "NORMAL_CLEARING", 16, 2.0)
    assert session.receive(request("verto.attach", {"callID": "in", "sdp": "v=9"}), 3.0) == []


def test_an_abandoned_session_ends_every_call_that_is_left() -> None:
    session = ready_session()
    active_outbound(session, "a")
    active_outbound(session, "b")
    session.hang_up("b", "NORMAL_CLEARING", 16, 2.0)
    effects = session.abandon(3.0)
    assert states_of(effects) == ["hangup", "destroy", "destroy"]
    assert session.calls == {}
    assert session.abandon(4.0) == []


# -- replies that come late --------------------------------------------------------------------------------------------


def test_a_reply_is_taken_once() -> None:
    session = ready_session()
    ping = session.ping()
    assert session.receive(result(ping.request_id), 1.0) == [Settled(ping.request_id, {})]
    again = session.receive(result(ping.request_id), 1.0)
    assert unknown_reasons(again) == [f"a reply to no request of ours (id {ping.request_id})"]


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (result("x"), "a reply to no request of ours (id x)"),
        (error(None, code=-32600, message="Invalid Request"), "an error (Invalid Request) for no request of ours"),
        (error(4711), "an error (no text) for no request of ours"),
    ],
)
def test_a_reply_to_nothing_is_told_and_harmless(frame: Any, why: str) -> None:
    assert unknown_reasons(ready_session().receive(frame, 1.0)) == [why]


def test_a_forgotten_request_still_moves_its_call_and_its_late_reply_is_no_surprise() -> None:
    session = ready_session()
    send = only_send(session.dial("c", "1", "v=0", 1.0))
    session.forget(send.request_id)
    session.forget(4711)
    effects = session.receive(result(send.request_id, message="CALL CREATED"), 40.0)
    assert states_of(effects) == ["trying"]
    assert session.receive(result(send.request_id), 41.0) == []
    assert unknown_reasons(session.receive(result(4711), 42.0)) == ["a reply to no request of ours (id 4711)"]


def test_a_late_reply_about_an_ended_call_does_not_touch_the_next_call_with_its_id() -> None:
    session = ready_session()
    active_outbound(session, "c")
    hold = only_send(session.modify("c", "hold"))
    bye = only_send(session.hang_up("c", "NORMAL_CLEARING", 16, 2.0))
    session.receive(request("verto.bye", {"callID": "c"}), 2.1)
    session.dial("c", "2", "v=0", 3.0)
    for late in (
        error(bye.request_id, message="CALL DOES NOT EXIST", code=-32002),
        error(hold.request_id, message="CALL DOES NOT EXIST", code=-32002),
    ):
        (refused,) = session.receive(late, 3.1)
        assert isinstance(refused, Refused)
        assert isinstance(refused.error, CallGone)
    assert session.calls["c"].state == "requesting"


def test_an_open_answer_to_an_ended_call_does_not_keep_the_next_call_with_its_id_from_being_answered() -> None:
    session = ready_session()
    session.receive(invite("c"), 1.0)
    first = only_send(session.answer("c", "v=0", 1.1))
    session.receive(request("verto.bye", {"callID": "c"}), 1.2)
    session.receive(invite("c"), 2.0)
    second = only_send(session.answer("c", "v=0", 2.1))
    assert states_of(session.receive(result(first.request_id), 2.2)) == []
    assert states_of(session.receive(result(second.request_id), 2.3)) == ["active"]


def test_a_call_id_may_be_used_again_by_a_new_call() -> None:
    session = ready_session()
    session.receive(invite("c"), 1.0)
    session.receive(request("verto.bye", {"callID": "c"}), 2.0)
    effects = session.receive(invite("c"), 3.0)
    assert states_of(effects) == ["ringing"]
    assert len(last_dialog(effects).state_flow) == 1


# -- messages and the unknown ------------------------------------------------------------------------------------------


def test_application_data_and_texts_become_events() -> None:
    session = ready_session()

    def event(method: str, params: dict[str, Any]) -> tuple[Event, str | None]:
        (effect,) = session.receive(request(method, params), 1.0)
        assert isinstance(effect, Publish)
        return effect.event, effect.call_id

    assert event("verto.send", {"data": {"a": 1}}) == (AgentMessage(data={"a": 1}), None)
    on_call = AgentMessage(data={"a": 1}, call_id="c")
    assert event("verto.sendToAgentOnCall", {"callID": "c", "data": {"a": 1}}) == (on_call, "c")
    text = TextMessage(text="hi", sender="a", recipient="b")
    assert event("verto.info", {"msg": {"body": "hi", "from": "a", "to": "b"}}) == (text, None)
    typed = TextMessage(text="h", call_id="c")
    assert event("verto.info", {"callID": "c", "txt": {"chars": "h"}}) == (typed, "c")
    assert event("verto.announce", {"msg": ["a", "b"]}) == (TextMessage(text="a b", sender="server"), None)


def test_a_wish_to_dial_comes_out_with_the_id_to_use() -> None:
    effects = ready_session().receive(request("verto.dial", {"number": "+1 555", "uuid": "call_42"}), 1.0)
    assert effects == [DialAsked("+1 555", "call_42")]


def test_a_display_changes_the_party_and_adds_headers() -> None:
    session = ready_session()
    active_outbound(session)
    shown = {"callID": "out", "display_name": "{Bob}", "display_number": "55", "verto_h_y": "z"}
    (event,) = events_of(session.receive(request("verto.display", shown), 3.0))
    assert isinstance(event, PartyChanged)
    assert (event.display_name, event.display_number) == ("Bob", "55")
    assert isinstance(event.current_call, CallData)
    assert event.current_call.headers == {"verto_h_y": "z"}
    (event,) = events_of(session.receive(request("verto.display", {**shown, "display_name": "Eve"}), 4.0))
    assert isinstance(event, PartyChanged)
    assert event.current_call.headers == {"verto_h_y": "z"}
    session.hang_up("out", "NORMAL_CLEARING", 16, 5.0)
    assert session.receive(request("verto.display", shown), 6.0) == []


@pytest.mark.parametrize("method", ["verto.event", "verto.prompt", "verto.mediaParams"])
def test_methods_that_ziwo_does_not_use_are_told_as_such(method: str) -> None:
    assert unknown_reasons(ready_session().receive(request(method, {"a": 1}), 1.0)) == ["not used by ZIWO"]


def test_an_unknown_method_survives_with_its_params() -> None:
    (event,) = events_of(ready_session().receive(request("verto.new", {"a": 1}), 1.0))
    assert event == UnknownFrame(reason="unknown method", method="verto.new", params={"a": 1})


def test_a_malformed_message_is_told_and_harmless() -> None:
    effects = ready_session().receive(request("verto.invite", {"sdp": "v=0"}), 1.0)
    assert unknown_reasons(effects) == ["verto.invite without a callID"]


@pytest.mark.parametrize("method", ["verto.media", "verto.answer", "verto.display", "verto.bye"])
def test_frames_about_calls_we_never_had_are_told_and_about_ended_ones_ignored(method: str) -> None:
    session = ready_session()
    frame = request(method, {"callID": "c", "sdp": "v=0"})
    assert unknown_reasons(session.receive(frame, 1.0)) == [f"{method} for a call we do not have"]
    session.receive(invite("c"), 2.0)
    session.receive(request("verto.bye", {"callID": "c"}), 3.0)
    assert session.receive(frame, 4.0) == []


def test_an_unreadable_frame_is_told_with_its_beginning() -> None:
    (event,) = events_of(ready_session().receive(decode("#SPU 10"), 1.0))
    assert isinstance(event, UnknownFrame)
    assert (event.text, event.size) == ("#SPU 10", 7)
    assert event.reason.startswith("not JSON")


def test_a_frame_of_lone_surrogates_is_told_without_an_error() -> None:
    (event,) = events_of(ready_session().receive(decode('"\ud800"'), 1.0))
    assert isinstance(event, UnknownFrame)
    assert event.text == '"?"'


@pytest.mark.parametrize("code", ['"' + "9" * 5_000 + '"', "1e400", "-1e400"], ids=["digits", "inf", "-inf"])
def test_an_absurd_cause_code_still_ends_the_call(code: str) -> None:
    session = ready_session()
    session.receive(invite("c"), 1.0)
    frame = decode(f'{{"jsonrpc":"2.0","id":1,"method":"verto.bye","params":{{"callID":"c","causeCode":{code}}}}}')
    effects = session.receive(frame, 2.0)
    assert states_of(effects) == ["hangup", "destroy"]
    assert last_dialog(effects).current_call.hangup_cause_code is None


def test_the_frames_of_a_batch_are_taken_in_order() -> None:
    batch = decode(
        '[{"jsonrpc":"2.0","id":1,"method":"verto.invite","params":{"callID":"c"}},'
        '{"jsonrpc":"2.0","id":2,"method":"verto.bye","params":{"callID":"c"}},5]'
    )
    effects = ready_session().receive(batch, 1.0)
    assert states_of(effects) == ["ringing", "hangup", "destroy"]
    assert unknown_reasons(effects) == ["not a JSON object"]


def test_what_is_remembered_of_the_past_is_bounded() -> None:
    recent = Recent()
    for key in range(2_000):
        recent.note(key)
    assert list(recent) == list(range(2_000 - 512, 2_000))
    session = ready_session()
    for number in range(1_000):
        session.receive(invite(f"c{number}"), 1.0)
        session.receive(request("verto.bye", {"callID": f"c{number}"}), 2.0)
    assert session.calls == {}
    assert len(session.ended) == 512


def test_a_call_that_was_answered_in_the_moment_of_the_loss_does_not_live_again() -> None:
    session = ready_session()
    session.dial("a", "+97150000000", "v=0", 0.0)
    session.receive(
        result(only_send(session.dial("b", "+97150000001", "v=0", 0.0)).request_id, message="CALL CREATED"), 0.1
    )
    lost = session.disconnected("broken", 1.0)
    assert {effect.call_id for effect in lost if isinstance(effect, Publish)} == {"a", "b"}
    session.connected()
    offered = session.receive(request("verto.attach", {"callID": "b", "sdp": "v=0"}), 2.0)
    assert [effect.method for effect in offered if isinstance(effect, Send)] == ["verto.bye"]
    assert not any(isinstance(effect, Publish | RemoteSdp) for effect in offered)
    ready = session.receive(request("verto.clientReady", {"reattached_sessions": ["b"]}), 2.0)
    assert ready == [Ready((), (), ())]


def test_requests_that_are_never_answered_do_not_pile_up() -> None:
    session = ready_session()
    waited_for = session.ping().request_id
    forgotten = []
    for _ in range(1000):
        forgotten.append(session.ping().request_id)
        session.forget(forgotten[-1])
    assert len(session.open_requests) == 256
    assert waited_for in session.open_requests
    # A late reply is still no surprise, though it is about nothing any more.
    assert session.receive(result(forgotten[-300]), 1.0) == []
