"""The ledger: what is kept of a session, what another process makes of it, and how missing calls are asked for.

Pure: `tests/phone/test_takeover.py` and `test_recovery.py` do the same over real sockets.
"""

from __future__ import annotations

import json
import traceback

import pytest
from pydantic import SecretStr, ValidationError

from ziwo_async.errors import BadFrame, CallGone, LedgerError
from ziwo_async.events import CallData, Destroy, DialogState, Direction, StateFlowItem
from ziwo_async.verto.call import CallMachine
from ziwo_async.verto.effects import Effect, Publish, Ready, Refused, RemoteSdp, Send, Settled
from ziwo_async.verto.frames import MAX_OUTBOUND
from ziwo_async.verto.ledger import Ledger, LedgerCall
from ziwo_async.verto.parts import OpenRequest
from ziwo_async.verto.session import SessionMachine

from .support import error, events_of, invite, only_send, ready_session, reconnect, request, result, states_of
from .test_call import INPUTS

SECRET = "c4p4b1l1ty"
GONE = {"message": "CALL DOES NOT EXIST", "code": -32002}
CUSTOMER = "+97150000000"


def answered(session: SessionMachine, call_id: str = "c", *, held: bool = False) -> None:
    session.receive(invite(call_id, CUSTOMER, verto_h_primaryCallID="first", caller_id_name="Sales"), 1.0)
    session.receive(result(only_send(session.answer(call_id, "v=0", 1.5)).request_id), 2.0)
    if held:
        session.receive(result(only_send(session.modify(call_id, "hold")).request_id, holdState="held"), 2.5)


def dialled(session: SessionMachine, call_id: str = "out") -> None:
    session.dial(call_id, CUSTOMER, "v=0", 1.0, primary_call_id="first")
    session.receive(request("verto.answer", {"callID": call_id, "sdp": "v=0"}), 2.0)


def through_a_file(session: SessionMachine, at: float = 9.0) -> Ledger:
    return Ledger.from_json(session.ledger(at).to_json())


def heir_of(session: SessionMachine, at: float = 10.0) -> tuple[SessionMachine, list[Effect]]:
    """Another process with the ledger of a killed one."""
    heir = SessionMachine(login="agent-0011", sessid="its own")
    return heir, heir.restore(through_a_file(session), at)


def sends_of(effects: list[Effect]) -> list[tuple[str, str | None, str]]:
    """Method, call and cause of what is to be written."""
    sends = [effect for effect in effects if isinstance(effect, Send)]
    return [(send.method, send.call_id, json.loads(send.text)["params"].get("cause", "")) for send in sends]


def ready_of(effects: list[Effect]) -> Ready:
    (ready,) = (effect for effect in effects if isinstance(effect, Ready))
    return ready


# -- on paper ----------------------------------------------------------------------------------------------------------

FLOW = tuple(StateFlowItem.at(state, 1.5) for state in map(DialogState, ("ringing", "answering", "active", "held")))
DATA = CallData(call_id="c", primary_call_id="p", direction=Direction.SERVICE, customer_number="+1", muted=True)
ENTRY = LedgerCall(data=DATA, state=DialogState.HELD, flow=FLOW, resume=DialogState.HELD, media_told=True)
FULL = Ledger(login="agent-1", sessid=SecretStr(SECRET), saved_at=7.25, calls=(ENTRY,), unsaid={"x": "USER_BUSY"})


def test_what_is_written_is_read_again_as_it_was() -> None:
    again = Ledger.from_json(FULL.to_json())
    assert again == FULL
    assert again.sessid.get_secret_value() == SECRET
    (call,) = again.calls
    assert (call.state, call.resume, call.flow, call.media_told) == ("held", "held", FLOW, True)
    assert isinstance(call.state, DialogState)
    assert call.data == DATA


def test_the_text_says_its_version_and_is_written_short() -> None:
    ledger = Ledger(login="a", sessid=SecretStr(SECRET), saved_at=1.5, unsaid={"x": "Y"})
    inner = f'{{"login":"a","sessid":"{SECRET}","saved_at":1.5,"calls":[],"unsaid":{{"x":"Y"}}}}'
    assert ledger.to_json() == f'{{"version":1,"ledger":{inner}}}'


def test_what_a_text_leaves_out_is_nothing_and_what_it_has_more_is_passed_over() -> None:
    call = {"data": {"callID": "c", "primaryCallID": "c", "direction": "inbound", "customerNumber": "+1"}}
    call |= {"state": "active", "flow": [], "later": 1}  # type: ignore[dict-item]
    ledger = {"login": "a", "sessid": "s", "saved_at": 0, "calls": [call], "later": {}}
    read = Ledger.from_json(json.dumps({"version": 1, "ledger": ledger, "later": []}))
    assert read.unsaid == {}
    (entry,) = read.calls
    assert (entry.resume, entry.media_told, entry.flow) == (DialogState.ACTIVE, False, ())
    assert Ledger.from_json('{"version":1,"ledger":{"login":"a","sessid":"s","saved_at":0}}').calls == ()


@pytest.mark.parametrize("state", ["dancing", "active"])
def test_a_state_of_another_release_is_kept_as_its_word(state: str) -> None:
    text = FULL.to_json().replace('"state":"held","flow"', f'"state":"{state}","flow"')
    assert Ledger.from_json(text).calls[0].state == state


BROKEN = [
    "", "null", "[]", "{}", '{"version":1}',
    FULL.to_json()[:-1], FULL.to_json().replace('"version":1', '"version":"x"'),
    FULL.to_json().replace('"calls":[', '"calls":[5,'), FULL.to_json().replace('"held"', "7"),
    FULL.to_json().replace(f'"sessid":"{SECRET}"', f'"sessid":["{SECRET}"]'),
]  # fmt: skip


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_no_ledger_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(LedgerError, match="cannot be read; it was left alone") as caught:
        Ledger.from_json(text)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + str(caught.value.__context__)
    assert SECRET not in told


@pytest.mark.parametrize("version", [0, 2, 10])
def test_a_ledger_of_another_version_is_refused_with_both_versions(version: int) -> None:
    text = FULL.to_json().replace('"version":1', f'"version":{version}')
    with pytest.raises(LedgerError) as caught:
        Ledger.from_json(text)
    assert str(caught.value) == f"the stored ledger has version {version}, this release reads 1"


def test_the_session_id_is_shown_only_where_it_is_asked_for() -> None:
    assert SECRET in FULL.to_json()
    for shown in (repr(FULL), str(FULL), FULL.model_dump_json(), str(FULL.model_dump())):
        assert SECRET not in shown


def test_what_was_kept_cannot_be_changed() -> None:
    for part, name in ((FULL, "saved_at"), (ENTRY, "media_told")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, name, 0)


# -- one call ----------------------------------------------------------------------------------------------------------


def test_a_call_that_has_not_begun_is_not_kept() -> None:
    assert CallMachine("c").entry is None
    session = ready_session()
    session.begin("c")
    assert session.ledger(1.0).calls == ()


ROADS = [
    "dial", "dial,created", "dial,media", "dial,answered", "offered", "offered,answer", "offered,answer,answer ok",
    "offered,answer,answer ok,held", "dial,answered,held,lost", "dial,answered,held,lost,attached",
    "dial,answered,lost,attached", "dial,answered,lost,attached,held", "attached", "attached,held",
    "dial,answered,display", "dial,answered,hang up", "dial,hang up", "offered,hang up,bye",
]  # fmt: skip
SEQUELS = [
    "attached,attach ok",
    "attached,held,attach ok",
    "attached,lost,attached,attach ok",
    "gone",
    "bye",
    "hang up",
]


def grown(road: str) -> CallMachine:
    call = CallMachine("c")
    for index, name in enumerate(road.split(",")):
        INPUTS[name](call, float(index))
    return call


@pytest.mark.parametrize("sequel", SEQUELS)
@pytest.mark.parametrize("road", ROADS)
def test_a_call_from_the_ledger_goes_on_as_the_one_that_only_lost_its_connection(road: str, sequel: str) -> None:
    lived = grown(road)
    assert lived.entry is not None
    assert lived.entry.data is lived.data
    heir = CallMachine.restored(LedgerCall.model_validate_json(lived.entry.model_dump_json()))
    assert (heir.entry, heir.call_id, heir.is_outbound) == (lived.entry, lived.call_id, lived.is_outbound)
    for index, name in enumerate(["lost", *sequel.split(",")]):
        assert INPUTS[name](heir, 20.0 + index) == INPUTS[name](lived, 20.0 + index)
        assert heir.entry == lived.entry
        assert (heir.detached, heir.bye_pending) == (lived.detached, lived.bye_pending)


def test_what_a_restored_call_learns_does_not_change_what_was_kept() -> None:
    entry = grown("dial,answered").entry
    assert entry is not None
    before = entry.model_dump_json()
    call = CallMachine.restored(entry)
    call.set_muted(True)
    call.set_direction(Direction.SERVICE)
    call.media_arrived({"verto_svar_x": "1"}, 8.0, answered=True)
    for name in ("display", "lost", "attached", "attach ok", "bye"):
        INPUTS[name](call, 9.0)
    assert entry.model_dump_json() == before


# -- what is kept of a session -----------------------------------------------------------------------------------------


def test_the_ledger_has_the_session_and_every_call_that_is_not_over() -> None:
    session = ready_session()
    answered(session, "held", held=True)
    dialled(session)
    session.receive(invite("rings"), 3.0)
    answered(session, "over")
    session.receive(request("verto.bye", {"callID": "over"}), 4.0)
    ledger = session.ledger(5.25)
    assert (ledger.login, ledger.saved_at) == ("agent-0011", 5.25)
    assert ledger.sessid == SecretStr("the-session")
    assert [(call.data.call_id, str(call.state)) for call in ledger.calls] == [
        ("held", "held"), ("out", "active"), ("rings", "ringing"),
    ]  # fmt: skip
    for call in ledger.calls:
        machine = session.calls[call.data.call_id]
        assert (call.data, call.flow) == (machine.data, machine.flow)
    assert [call.media_told for call in ledger.calls] == [False, True, False]
    assert ledger.unsaid == {}


def test_a_bye_is_kept_until_it_is_confirmed() -> None:
    session = ready_session()
    answered(session)
    session.modify("c", "hold")
    assert session.ledger(3.0).unsaid == {}
    bye = only_send(session.hang_up("c", "USER_BUSY", 17, 3.0))
    assert session.ledger(3.5).unsaid == {"c": "USER_BUSY"}
    session.bye_timed_out("c", 8.0)
    kept = session.ledger(9.0)
    assert (kept.calls, kept.unsaid) == ((), {"c": "USER_BUSY"})
    session.receive(result(bye.request_id), 10.0)
    assert session.ledger(11.0).unsaid == {}


def test_a_bye_that_could_not_be_said_is_kept() -> None:
    session = ready_session()
    answered(session, "a")
    answered(session, "b")
    session.hang_up("a", "USER_BUSY", 17, 3.0)
    session.disconnected("gone", 4.0)
    session.hang_up_unsent("b", "CALL_REJECTED", 21, 5.0)
    assert session.ledger(6.0).unsaid == {"a": "USER_BUSY", "b": "CALL_REJECTED"}


def test_a_bye_about_no_call_is_not_kept_and_not_said_again() -> None:
    session = ready_session()
    session.request("verto.bye", {})
    assert session.ledger(1.0).unsaid == {}
    session.disconnected("gone", 2.0)
    assert session.ledger(3.0).unsaid == {}
    assert sends_of(reconnect(session, at=4.0)) == []


# -- another process ---------------------------------------------------------------------------------------------------


def test_an_answered_call_waits_in_the_next_process_and_is_what_it_was() -> None:
    session = ready_session()
    answered(session, held=True)
    session.mute("c", muted=True)
    heir, effects = heir_of(session)
    assert effects == []
    assert heir.sessid == "the-session"
    call = heir.calls["c"]
    assert call.detached
    assert call.data == session.calls["c"].data
    # What the frame says is wrong by design (measured): the ledger counts.
    heir.connected()
    frame = {"callID": "c", "sdp": "v=1", "display_direction": "inbound", "callee_id_number": "agent-0011"}
    effects = heir.receive(request("verto.attach", frame), 11.0)
    assert RemoteSdp("c", "attach", "v=1") in effects
    assert states_of(effects) == ["recovering"]
    assert heir.receive(request("verto.clientReady", {"reattached_sessions": ["c"]}), 12.0) == [Ready(("c",), (), ())]
    attach = only_send(heir.attach("c", "v=2"))
    (_, back) = heir.receive(result(attach.request_id), 13.0)
    assert isinstance(back, Publish)
    held = back.event
    assert held.state_flow == call.flow  # type: ignore[attr-defined]
    assert [str(step.state) for step in call.flow] == [
        "ringing", "answering", "active", "held", "recovering", "held",
    ]  # fmt: skip
    data = call.data
    assert (data.direction, data.customer_number, data.primary_call_id) == ("inbound", CUSTOMER, "first")
    assert (data.caller_id_name, data.muted, data.headers) == ("Sales", True, {"verto_h_primaryCallID": "first"})
    assert sends_of(heir.hang_up("c", "NORMAL_CLEARING", 16, 14.0)) == [("verto.bye", "c", "NORMAL_CLEARING")]


def test_a_description_that_the_dead_process_had_is_not_applied_again() -> None:
    session = ready_session()
    dialled(session)
    heir, _ = heir_of(session)
    reconnect(heir, "out", at=11.0)
    assert heir.receive(request("verto.media", {"callID": "out", "sdp": "v=9"}), 12.0) == []
    # A call of which no description was told yet still takes its first one.
    session = ready_session()
    session.dial("out", CUSTOMER, "v=0", 1.0)
    session.receive(request("verto.answer", {"callID": "out"}), 2.0)
    heir, _ = heir_of(session)
    reconnect(heir, "out", at=11.0)
    late = heir.receive(request("verto.answer", {"callID": "out", "sdp": "v=9"}), 12.0)
    assert late == [RemoteSdp("out", "answer", "v=9")]


def test_an_unanswered_call_of_a_dead_process_is_over_at_the_first_ready() -> None:
    session = ready_session()
    session.receive(invite("rings"), 1.0)
    session.dial("dialled", CUSTOMER, "v=0", 1.0)
    heir, effects = heir_of(session)
    assert effects == []
    effects = reconnect(heir, at=11.0)
    assert states_of(effects) == ["hangup", "destroy", "hangup", "destroy"]
    for event in events_of(effects):
        if isinstance(event, Destroy):
            assert (event.cause, event.cause_code, event.by) == ("DESTINATION_OUT_OF_ORDER", 27, "lost")
            assert event.state_flow[-1].date_unix == 11.0
    assert heir.calls == {}
    assert sends_of(reconnect(heir, "dialled", at=12.0)) == [("verto.bye", "dialled", "NORMAL_CLEARING")]


def test_a_call_that_was_answered_just_before_the_process_was_killed_is_found_to_be() -> None:
    session = ready_session()
    session.receive(invite("rings"), 1.0)
    session.dial("dialled", CUSTOMER, "v=0", 1.0)
    heir, _ = heir_of(session)
    effects = reconnect(heir, "rings", "dialled", at=11.0)
    told = {
        call_id: [f"{step.state}{'*' * step.inferred}" for step in heir.calls[call_id].flow] for call_id in heir.calls
    }
    assert told == {
        "rings": ["ringing", "answering*", "active*", "recovering"],
        "dialled": ["requesting", "trying*", "early*", "active*", "recovering"],
    }
    assert heir.calls["dialled"].data.customer_number == CUSTOMER
    assert "hangup" not in states_of(effects)


@pytest.mark.parametrize(
    ("road", "missed"),
    [
        ("dial", "trying* early* active* recovering"),
        ("dial,created", "early* active* recovering"),
        ("dial,created,media", "active* recovering"),
        ("offered", "answering* active* recovering"),
    ],
)
def test_whatever_the_ledger_missed_is_told_in_place_of_the_server_once_the_call_is_offered(
    road: str, missed: str
) -> None:
    entry = grown(road).entry
    assert entry is not None
    ledger = Ledger(login="agent-0011", sessid=SecretStr("s"), saved_at=1.0, calls=(entry,))
    heir = SessionMachine(login="agent-0011", sessid="its own")
    assert heir.restore(ledger, 10.0) == []
    assert (heir.calls["c"].detached, heir.calls["c"].doubtful) == (True, True)
    # A login that was cut short tells nothing of the call.
    assert heir.disconnected("cut", 10.5) == []
    effects = reconnect(heir, "c", at=11.0)
    assert states_of(effects) == missed.split()
    assert RemoteSdp("c", "attach", "v=0") in effects
    assert ready_of(effects) == Ready(("c",), (), ())
    assert (heir.calls["c"].detached, heir.calls["c"].doubtful) == (False, False)
    attach = only_send(heir.attach("c", "v=1"))
    assert states_of(heir.receive(result(attach.request_id), 12.0)) == ["active"]


def test_a_call_of_a_dead_process_outlives_a_socket_that_was_lost_before_it_was_ready() -> None:
    session = ready_session()
    session.receive(invite("rings"), 1.0)
    heir, _ = heir_of(session)
    heir.connected()
    heir.log_in("hash")
    assert states_of(heir.disconnected("gone", 10.5)) == []
    assert states_of(reconnect(heir, "rings", at=11.0))[-1] == "recovering"


def test_a_call_that_was_being_hung_up_is_over_and_the_bye_is_said_once_more() -> None:
    session = ready_session()
    answered(session)
    session.hang_up("c", "USER_BUSY", 17, 3.0)
    heir, effects = heir_of(session)
    (event,) = events_of(effects)
    assert isinstance(event, Destroy)
    assert (event.cause, event.cause_code, event.by) == ("USER_BUSY", 17, "local")
    assert heir.unsaid == {"c": "USER_BUSY"}
    assert sends_of(reconnect(heir, at=11.0)) == [("verto.bye", "c", "USER_BUSY")]
    assert heir.unsaid == {}
    # The next socket has nothing left to say, unless this one is lost before it is confirmed.
    heir.receive(result(max(heir.open_requests)), 12.0)
    heir.disconnected("gone", 13.0)
    assert sends_of(reconnect(heir, at=14.0)) == []


def test_a_call_the_dead_process_could_not_end_is_ended_with_its_cause_when_it_is_offered() -> None:
    session = ready_session()
    answered(session)
    session.disconnected("gone", 3.0)
    session.hang_up_unsent("c", "USER_BUSY", 17, 4.0)
    heir, effects = heir_of(session)
    assert effects == []
    effects = reconnect(heir, "c", at=11.0)
    assert sends_of(effects) == [("verto.bye", "c", "USER_BUSY")]
    assert ready_of(effects) == Ready((), (), ())
    assert events_of(effects) == []


def test_the_next_process_may_be_killed_as_well() -> None:
    session = ready_session()
    answered(session, held=True)
    answered(session, "d")
    session.disconnected("gone", 3.0)
    session.hang_up_unsent("d", "USER_BUSY", 17, 4.0)
    first, _ = heir_of(session)
    second, effects = heir_of(first, at=20.0)
    assert effects == []
    assert second.unsaid == {"d": "USER_BUSY"}
    assert second.ledger(21.0) == session.ledger(21.0)


def test_a_call_whose_recovery_was_cut_short_goes_back_to_what_it_was_before() -> None:
    session = ready_session()
    answered(session, held=True)
    session.disconnected("gone", 3.0)
    reconnect(session, "c", at=4.0)
    assert session.calls["c"].state == "recovering"
    heir, effects = heir_of(session)
    assert effects == []
    effects = reconnect(heir, "c", at=11.0)
    assert states_of(effects) == ["recovering"]
    assert RemoteSdp("c", "attach", "v=0") in effects
    attach = only_send(heir.attach("c", "v=1"))
    assert states_of(heir.receive(result(attach.request_id), 12.0)) == ["held"]


def test_a_call_answered_in_the_last_moment_waits_for_the_server_s_word() -> None:
    session = ready_session()
    session.receive(invite("c"), 1.0)
    session.answer("c", "v=0", 2.0)
    heir, effects = heir_of(session)
    assert effects == []
    assert states_of(reconnect(heir, "c", at=11.0)) == ["recovering"]


# -- byes that were left unsaid ----------------------------------------------------------------------------------------


def test_what_was_left_unsaid_is_said_once_and_again_only_if_it_was_lost() -> None:
    session = ready_session()
    answered(session)
    session.disconnected("gone", 3.0)
    session.hang_up_unsent("c", "USER_BUSY", 17, 4.0)
    effects = reconnect(session, at=5.0)
    assert sends_of(effects) == [("verto.bye", "c", "USER_BUSY")]
    assert session.receive(request("verto.clientReady", {"reattached_sessions": []}), 5.5) == [Ready((), (), ())]
    session.disconnected("gone again", 6.0)
    assert session.unsaid == {"c": "USER_BUSY"}
    bye = only_send(reconnect(session, at=7.0))
    assert [type(effect) for effect in session.receive(error(bye.request_id, **GONE), 8.0)] == [Refused]
    session.disconnected("for good", 9.0)
    assert session.unsaid == {}


def test_only_a_bye_is_said_again_after_a_loss() -> None:
    session = ready_session()
    answered(session)
    session.modify("c", "hold")
    session.dtmf("c", "1")
    session.disconnected("gone", 3.0)
    assert session.unsaid == {}


def test_a_bye_left_unsaid_is_forgotten_when_a_new_call_has_the_id() -> None:
    session = ready_session()
    answered(session)
    session.disconnected("gone", 3.0)
    session.hang_up_unsent("c", "USER_BUSY", 17, 4.0)
    session.connected()
    session.receive(invite("c"), 5.0)
    assert sends_of(session.receive(request("verto.clientReady", {"reattached_sessions": []}), 6.0)) == []
    assert session.calls["c"].state == "ringing"


def test_the_bye_of_an_earlier_call_is_not_said_to_the_next_one_with_its_id() -> None:
    session = ready_session()
    answered(session)
    session.hang_up("c", "USER_BUSY", 17, 3.0)
    session.receive(request("verto.bye", {"callID": "c"}), 3.1)
    answered(session)
    assert session.ledger(4.0).unsaid == {}
    heir, _ = heir_of(session)
    session.disconnected("gone", 4.0)
    for phone in (session, heir):
        effects = reconnect(phone, "c", at=11.0)
        assert sends_of(effects) == []
        assert states_of(effects) == ["recovering"]


# -- calls that are asked for once more --------------------------------------------------------------------------------


def missing_one() -> SessionMachine:
    """A session that asks again; the server did not offer its answered call."""
    session = ready_session(asks_again=True)
    answered(session)
    session.disconnected("gone", 3.0)
    assert reconnect(session, at=4.0)[-1] == Ready((), (), (), ("c",))
    return session


def test_a_session_that_asks_again_leaves_missing_calls_open() -> None:
    session = missing_one()
    assert session.calls["c"].detached
    assert session.calls["c"].state == "active"
    # The other kind gives them up at once, and misses none.
    session = ready_session()
    answered(session)
    session.disconnected("gone", 3.0)
    assert ready_of(reconnect(session, at=4.0)) == Ready((), ("c",), ())


def test_calls_that_were_listed_or_offered_are_not_missing() -> None:
    session = ready_session(asks_again=True)
    for call_id in ("offered", "listed", "neither"):
        answered(session, call_id)
    session.disconnected("gone", 3.0)
    session.connected()
    offered = session.receive(request("verto.attach", {"callID": "offered", "sdp": "v=0"}), 4.0)
    assert states_of(offered) == ["recovering"]
    ready = session.receive(request("verto.clientReady", {"reattached_sessions": ["listed"]}), 5.0)
    assert ready == [Ready(("listed", "offered"), (), (), ("neither",))]
    # What was offered on one socket says nothing about the next.
    session.disconnected("gone", 6.0)
    assert ready_of(reconnect(session, at=7.0)).missing == ("offered", "listed", "neither")


def test_the_question_is_an_action_that_changes_nothing_and_its_answer_moves_nothing() -> None:
    session = missing_one()
    ask = session.ask("c")
    assert (ask.method, ask.call_id) == ("verto.modify", "c")
    params = {"action": "status", "dialogParams": {"callID": "c"}, "sessid": "the-session"}
    assert json.loads(ask.text)["params"] == params
    assert session.open_requests[ask.request_id] == OpenRequest("verto.modify", "status", "c")
    reply = session.receive(result(ask.request_id, action="status", holdState="held"), 5.0)
    assert reply == [Settled(ask.request_id, {"action": "status", "holdState": "held"})]
    assert session.calls["c"].state == "active"


def test_a_call_that_was_asked_for_and_is_not_known_is_lost() -> None:
    session = missing_one()
    ask = session.ask("c")
    effects = session.receive(error(ask.request_id, **GONE), 5.0)
    assert isinstance(effects[0], Refused)
    assert isinstance(effects[0].error, CallGone)
    assert states_of(effects) == ["hangup", "destroy"]
    assert (effects[-1].event.by, effects[-1].event.cause) == ("lost", None)  # type: ignore[union-attr]
    assert session.lose("c", 6.0, exists=True) == []


def test_a_call_that_is_known_and_offered_after_the_question_recovers() -> None:
    session = missing_one()
    session.receive(result(session.ask("c").request_id, holdState="active"), 5.0)
    session.disconnected("once more", 6.0)
    effects = reconnect(session, "c", at=7.0)
    assert states_of(effects) == ["recovering"]
    assert ready_of(effects) == Ready(("c",), (), ())
    assert session.lose("c", 8.0, exists=True) == []


@pytest.mark.parametrize(("exists", "said"), [(True, [("verto.bye", "c", "NORMAL_CLEARING")]), (False, [])])
def test_a_call_given_up_is_lost_and_ended_at_the_server_if_it_is_there(
    exists: bool, said: list[tuple[str, str, str]]
) -> None:
    session = missing_one()
    effects = session.lose("c", 5.0, exists=exists)
    assert states_of(effects) == ["hangup", "destroy"]
    assert sends_of(effects) == said
    if exists:
        # Our side is told first; the bye carries no number, and the session.
        params = {"dialogParams": {"callID": "c"}, "cause": "NORMAL_CLEARING", "sessid": "the-session"}
        assert json.loads(only_send(effects[2:]).text)["params"] == params
    destroy = events_of(effects)[-1]
    assert isinstance(destroy, Destroy)
    assert (destroy.by, destroy.cause, destroy.state_flow[-1].date_unix) == ("lost", None, 5.0)
    assert session.lose("c", 6.0, exists=True) == []
    # It cannot live again.
    session.disconnected("gone", 7.0)
    assert states_of(reconnect(session, "c", at=8.0)) == []


def test_only_a_call_that_waits_can_be_given_up() -> None:
    session = ready_session(asks_again=True)
    answered(session)
    assert session.lose("c", 3.0, exists=True) == []
    assert session.lose("never", 3.0, exists=True) == []
    assert session.calls["c"].state == "active"


def test_a_command_too_large_to_be_sent_changes_nothing() -> None:
    session = ready_session()
    session.receive(invite("rings"), 1.0)
    answered(session)
    before, opened = session.ledger(3.0), dict(session.open_requests)
    with pytest.raises(BadFrame):
        session.hang_up("c", "x" * MAX_OUTBOUND, None, 3.0)
    with pytest.raises(BadFrame):
        session.answer("rings", "x" * MAX_OUTBOUND, 3.0)
    assert (session.ledger(3.0), session.open_requests) == (before, opened)


# -- the calls that ended last -----------------------------------------------------------------------------------------


def test_the_last_32_calls_that_ended_are_at_hand_for_whoever_has_yet_to_tell_of_them() -> None:
    session = ready_session()
    for number in range(40):
        session.receive(invite(f"c{number}"), 1.0)
        session.receive(request("verto.bye", {"callID": f"c{number}"}), 2.0)
        assert session.last_ended[f"c{number}"].state == "destroy"
        assert session.last_ended[f"c{number}"].call_id == f"c{number}"
        assert len(session.last_ended) == min(number + 1, 32)
    assert next(iter(session.last_ended)) == "c8"
