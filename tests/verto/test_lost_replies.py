"""Replies that never come, and a bye that comes too early: what is asked, concluded, and said later."""

from __future__ import annotations

from ziwo_async.events import DialogEvent, DialogState
from ziwo_async.verto.effects import Send
from ziwo_async.verto.session import SessionMachine

from .support import events_of, ready_session, reconnect, request, result


def answered_call(session: SessionMachine, call_id: str = "c") -> None:
    session.receive(request("verto.invite", {"callID": call_id, "sdp": "v=0"}), 1.0)
    send = next(effect for effect in session.answer(call_id, "v=0", 1.0) if isinstance(effect, Send))
    session.receive(result(send.request_id), 1.0)


def test_a_lost_reply_to_an_attach_is_made_up_for_by_asking() -> None:
    session = ready_session()
    answered_call(session)
    session.disconnected("lost", 2.0)
    reconnect(session, "c", at=3.0)
    (attach,) = session.attach("c", "v=0")
    assert isinstance(attach, Send)
    session.forget(attach.request_id)
    effects = session.receive(result(session.ask("c").request_id, holdState="held"), 4.0)
    assert [str(event.state) for event in events_of(effects) if isinstance(event, DialogEvent)] == ["active", "held"]
    # The reply that comes late after all changes nothing.
    assert events_of(session.receive(result(attach.request_id), 5.0)) == []


def test_a_lost_reply_to_hold_is_made_up_for_by_asking() -> None:
    session = ready_session()
    answered_call(session)
    (hold,) = session.modify("c", "hold")
    assert isinstance(hold, Send)
    session.forget(hold.request_id)
    session.receive(result(session.ask("c").request_id, holdState="held"), 2.0)
    assert session.calls["c"].state is DialogState.HELD
    session.receive(result(session.ask("c").request_id, holdState="strange"), 2.0)
    assert session.calls["c"].state is DialogState.HELD
    session.receive(result(session.ask("c").request_id, holdState="active"), 2.0)
    assert session.calls["c"].state is DialogState.ACTIVE


def test_asking_for_a_call_that_is_not_answered_says_nothing_about_its_answer() -> None:
    session = ready_session()
    session.receive(request("verto.invite", {"callID": "c", "sdp": "v=0"}), 1.0)
    assert events_of(session.receive(result(session.ask("c").request_id, holdState="active"), 2.0)) == []
    assert session.calls["c"].state is DialogState.RINGING


def test_a_lost_reply_to_an_answer_is_made_up_for_by_the_display_of_the_other_party() -> None:
    session = ready_session()
    session.receive(request("verto.invite", {"callID": "c", "sdp": "v=0"}), 1.0)
    send = next(effect for effect in session.answer("c", "v=0", 1.0) if isinstance(effect, Send))
    display = request("verto.display", {"callID": "c", "display_name": "n", "display_number": "1"})
    # While somebody waits for the reply, that decides.
    session.receive(display, 2.0)
    assert session.calls["c"].state is DialogState.ANSWERING
    session.forget(send.request_id)
    effects = session.receive(display, 3.0)
    assert [type(event).__name__ for event in events_of(effects)] == ["Active", "PartyChanged"]


def test_a_request_that_was_never_written_is_not_open_and_a_bye_is_said_later() -> None:
    session = ready_session()
    answered_call(session)
    ping = session.ping()
    bye = next(effect for effect in session.hang_up("c", "USER_BUSY", 17, 2.0) if isinstance(effect, Send))
    for send in (ping, bye, ping):
        session.unsent(send.request_id)
    assert session.open_requests == {}
    assert session.unsaid == {"c": "USER_BUSY"}


def test_an_earlier_call_with_the_same_id_answers_nothing_and_leaves_nothing_to_say() -> None:
    session = ready_session()
    session.receive(request("verto.invite", {"callID": "c", "sdp": "v=0"}), 1.0)
    first = next(effect for effect in session.answer("c", "v=0", 1.0) if isinstance(effect, Send))
    session.forget(first.request_id)
    bye = next(effect for effect in session.hang_up("c", "USER_BUSY", 17, 2.0) if isinstance(effect, Send))
    session.receive(request("verto.bye", {"callID": "c"}), 2.1)
    session.receive(request("verto.invite", {"callID": "c", "sdp": "v=0"}), 3.0)
    session.answer("c", "v=0", 3.1)
    session.receive(request("verto.display", {"callID": "c", "display_name": "n", "display_number": "1"}), 3.2)
    assert session.calls["c"].state is DialogState.ANSWERING
    session.unsent(bye.request_id)
    assert session.unsaid == {}


def test_only_a_given_up_answer_of_the_same_call_counts_when_the_other_party_is_displayed() -> None:
    session = ready_session()
    sends = {}
    for call_id in ("c", "d"):
        session.receive(request("verto.invite", {"callID": call_id, "sdp": "v=0"}), 1.0)
        sends[call_id] = next(effect for effect in session.answer(call_id, "v=0", 1.0) if isinstance(effect, Send))
    (tone,) = session.dtmf("c", "1")
    assert isinstance(tone, Send)
    session.forget(tone.request_id)
    session.forget(sends["d"].request_id)
    session.receive(request("verto.display", {"callID": "c", "display_name": "n", "display_number": "1"}), 2.0)
    assert session.calls["c"].state is DialogState.ANSWERING


def test_answered_calls_can_be_kept_when_a_session_ends() -> None:
    session = ready_session()
    answered_call(session)
    session.receive(request("verto.invite", {"callID": "rings", "sdp": "v=0"}), 2.0)
    ended = session.abandon(3.0, keep_answered=True)
    assert {event.call_id for event in events_of(ended) if isinstance(event, DialogEvent)} == {"rings"}
    assert list(session.calls) == ["c"]
    assert len(events_of(session.abandon(4.0))) == 2


def test_a_bye_that_overtook_its_invite_ends_the_call() -> None:
    session = ready_session()
    session.receive(request("verto.bye", {"callID": "c", "cause": "ORIGINATOR_CANCEL", "causeCode": 487}), 1.0)
    effects = session.receive(request("verto.invite", {"callID": "c", "sdp": "v=0"}), 2.0)
    assert [str(event.state) for event in events_of(effects) if isinstance(event, DialogEvent)] == [
        "ringing", "hangup", "destroy",
    ]  # fmt: skip
    assert session.calls == {}
    # It was for one call only, and only on that socket; and there are never many.
    session.receive(request("verto.invite", {"callID": "c", "sdp": "v=0"}), 3.0)
    assert session.calls["c"].state is DialogState.RINGING
    for number in range(100):
        session.receive(request("verto.bye", {"callID": f"c{number}"}), 4.0)
    # The latest count: a socket may live for months.
    assert list(session.early_byes) == [f"c{number}" for number in range(84, 100)]
    reconnect(session, at=5.0)
    session.receive(request("verto.invite", {"callID": "c1", "sdp": "v=0"}), 6.0)
    assert session.calls["c1"].state is DialogState.RINGING
