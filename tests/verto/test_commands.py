"""Each command to the last letter: the frame it writes, the request it opens, and the words it is refused with.

The params are those that mod_verto and ZIWO's fork read (`ziwo_async/verto/params.py`, and the captured transcripts).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ziwo_async.errors import CallGone, WrongState
from ziwo_async.events import Direction, Hangup
from ziwo_async.verto.effects import Effect, Refused, Send
from ziwo_async.verto.parts import OpenRequest
from ziwo_async.verto.session import SessionMachine

from .support import events_of, invite, only_send, ready_session, result, states_of

ABOUT_C = {"dialogParams": {"callID": "c"}, "sessid": "the-session"}


def talking() -> SessionMachine:
    """A session with one answered call, `c`, and one that rings, `r`."""
    session = ready_session()
    session.receive(invite("c"), 1.0)
    session.receive(result(only_send(session.answer("c", "v=0", 1.1)).request_id), 1.2)
    session.receive(invite("r"), 1.3)
    return session


# -- what is written ---------------------------------------------------------------------------------------------------

Written = tuple[str, Callable[[SessionMachine], Send | list[Effect]], str, dict[str, Any], OpenRequest]

WRITTEN: list[Written] = [
    (
        "log_in",
        lambda s: s.log_in("hash"),
        "login",
        {"login": "agent-0011", "passwd": "hash", "sessid": "the-session"},
        OpenRequest("login", "", None),
    ),
    ("ping", lambda s: s.ping(), "verto.ping", {"sessid": "the-session"}, OpenRequest("verto.ping", "", None)),
    (
        "dial",
        lambda s: s.dial("n", "+1", "v=1", 2.0),
        "verto.invite",
        {
            "sdp": "v=1",
            "dialogParams": {
                "callID": "n", "destination_number": "+1",
                "remote_caller_id_name": "Outbound Call", "remote_caller_id_number": "+1",
            },
            "sessid": "the-session",
        },
        OpenRequest("verto.invite", "", "n"),
    ),
    (
        "answer",
        lambda s: s.answer("r", "v=1", 2.0),
        "verto.answer",
        {"sdp": "v=1", "dialogParams": {"callID": "r"}, "sessid": "the-session"},
        OpenRequest("verto.answer", "", "r"),
    ),
    (
        "attach",
        lambda s: s.attach("c", "v=1"),
        "verto.attach",
        {"sdp": "v=1", **ABOUT_C},
        OpenRequest("verto.attach", "", "c"),
    ),
    (
        "hang_up",
        lambda s: s.hang_up("c", "USER_BUSY", 17, 2.0),
        "verto.bye",
        {"cause": "USER_BUSY", "causeCode": 17, **ABOUT_C},
        OpenRequest("verto.bye", "USER_BUSY", "c"),
    ),
    (
        "hang_up without a code",
        lambda s: s.hang_up("c", "X", None, 2.0),
        "verto.bye",
        {"cause": "X", **ABOUT_C},
        OpenRequest("verto.bye", "X", "c"),
    ),
    ("bye", lambda s: s.bye("c", "X"), "verto.bye", {"cause": "X", **ABOUT_C}, OpenRequest("verto.bye", "X", "c")),
    (
        "modify",
        lambda s: s.modify("c", "transfer", destination="55"),
        "verto.modify",
        {"action": "transfer", "destination": "55", **ABOUT_C},
        OpenRequest("verto.modify", "transfer", "c"),
    ),
    (
        "ask",
        lambda s: s.ask("c"),
        "verto.modify",
        {"action": "status", **ABOUT_C},
        OpenRequest("verto.modify", "status", "c"),
    ),
    (
        "dtmf",
        lambda s: s.dtmf("c", "12#"),
        "verto.info",
        {"dtmf": "12#", **ABOUT_C},
        OpenRequest("verto.info", "", "c"),
    ),
    (
        "send_to_call",
        lambda s: s.send_to_call("c", {"crm": "42"}),
        "verto.sendToCall",
        {
            "action": "setVariables",
            "dialogParams": {"callID": "c", "userVariables": {"crm": "42"}},
            "sessid": "the-session",
        },
        OpenRequest("verto.sendToCall", "", "c"),
    ),
    (
        "request",
        lambda s: s.request("verto.subscribe", {"eventChannel": ["x"], "sessid": "another"}),
        "verto.subscribe",
        {"eventChannel": ["x"], "sessid": "the-session"},
        OpenRequest("verto.subscribe", "", None),
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("give", "method", "params", "opened"), [case[1:] for case in WRITTEN], ids=[case[0] for case in WRITTEN]
)
def test_a_command_writes_one_frame_and_opens_one_request(
    give: Callable[[SessionMachine], Send | list[Effect]], method: str, params: dict[str, Any], opened: OpenRequest
) -> None:
    session = talking()
    before = dict(session.open_requests)
    effects = give(session)
    send = effects if isinstance(effects, Send) else only_send(effects)
    assert isinstance(effects, Send) or effects[0] is send
    assert json.loads(send.text) == {"jsonrpc": "2.0", "method": method, "params": params, "id": send.request_id}
    assert (send.method, send.call_id) == (method, opened.call_id)
    assert session.open_requests == {**before, send.request_id: opened}
    assert session.ping().request_id == send.request_id + 1


# -- what is refused ---------------------------------------------------------------------------------------------------

COMMANDS: dict[str, tuple[Callable[[SessionMachine, str], object], str]] = {
    "answer": (lambda s, c: s.answer(c, "v=0", 9.0), "answered"),
    "attach": (lambda s, c: s.attach(c, "v=0"), "re-attached"),
    "hang_up": (lambda s, c: s.hang_up(c, "X", None, 9.0), "hung up"),
    "hang_up_unsent": (lambda s, c: s.hang_up_unsent(c, "X", None, 9.0), "hung up"),
    "modify": (lambda s, c: s.modify(c, "hold"), "changed (hold)"),
    "dtmf": (lambda s, c: s.dtmf(c, "1"), "sent DTMF"),
    "send_to_call": (lambda s, c: s.send_to_call(c, {}), "given variables"),
    "mute": (lambda s, c: s.mute(c, muted=True), "muted"),
    "set_direction": (lambda s, c: s.set_direction(c, Direction.SERVICE), "classified"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_makes_no_sense_is_refused_in_words_and_changes_nothing(command: str) -> None:
    give, wish = COMMANDS[command]
    session = talking()
    bye = only_send(session.hang_up("c", "NORMAL_CLEARING", 16, 2.0))
    before, opened = session.ledger(3.0), dict(session.open_requests)
    with pytest.raises(CallGone) as gone:
        give(session, "never")
    assert str(gone.value) == f"call never: there is no such call, it cannot be {wish}"
    assert gone.value.call_id == "never"
    with pytest.raises(WrongState) as wrong:
        give(session, "c")
    assert str(wrong.value) == f"call c: it is in state 'hangup' and cannot be {wish}"
    assert (wrong.value.call_id, wrong.value.state) == ("c", "hangup")
    assert (session.ledger(3.0), session.open_requests) == (before, opened)
    session.receive(result(bye.request_id), 3.0)
    with pytest.raises(WrongState) as over:
        give(session, "c")
    assert str(over.value) == f"call c: it is over, it cannot be {wish}"
    assert (over.value.call_id, over.value.state) == ("c", "destroy")


def test_a_second_answer_and_a_second_dial_are_refused_in_words() -> None:
    session = talking()
    session.answer("r", "v=0", 2.0)
    with pytest.raises(WrongState) as twice:
        session.answer("r", "v=0", 2.1)
    assert str(twice.value) == "call r: it is being answered already"
    assert (twice.value.call_id, twice.value.state) == ("r", "answering")
    with pytest.raises(WrongState) as taken:
        session.dial("c", "+1", "v=0", 2.2)
    assert str(taken.value) == "call c: a live call has this id already"
    assert (taken.value.call_id, taken.value.state) == ("c", "active")


def test_a_call_may_be_answered_while_others_wait_for_theirs_and_while_its_own_commands_are_open() -> None:
    session = talking()
    session.answer("r", "v=0", 2.0)
    session.receive(invite("s"), 2.1)
    session.dtmf("s", "1")
    assert states_of(session.answer("s", "v=0", 2.2)) == ["answering"]


# -- what happens without a word to the server -------------------------------------------------------------------------


def test_a_hangup_without_a_connection_has_its_cause_and_is_left_to_be_said() -> None:
    session = talking()
    session.disconnected("gone", 2.0)
    effects = session.hang_up_unsent("c", "USER_BUSY", 17, 3.0)
    hangup = events_of(effects)[0]
    assert isinstance(hangup, Hangup)
    assert (hangup.cause, hangup.cause_code, hangup.by) == ("USER_BUSY", 17, "local")
    assert [step.date_unix for step in hangup.state_flow[-1:]] == [3.0]
    assert session.unsaid == {"c": "USER_BUSY"}


def test_the_error_of_a_lost_request_names_what_was_not_answered() -> None:
    session = ready_session()
    session.ping()
    session.receive(invite("r"), 1.0)
    session.answer("r", "v=0", 1.1)
    texts = [str(effect.error) for effect in session.disconnected("reset", 2.0) if isinstance(effect, Refused)]
    assert texts == [
        "the connection was lost (reset) before verto.ping was answered",
        "the connection was lost (reset) before verto.answer of call r was answered",
    ]


def test_a_session_that_gave_up_its_requests_keeps_a_bounded_number_of_them() -> None:
    session = ready_session()
    kept = session.ping().request_id
    given_up = [session.ping().request_id for _ in range(400)]
    for request_id in given_up:
        session.forget(request_id)
    assert len(session.open_requests) <= 256
    assert kept in session.open_requests
    assert given_up[-1] in session.open_requests
    # Their late replies are no surprise, and one that nobody gave up is still settled.
    assert session.receive(result(given_up[0]), 1.0) == []
    assert [type(effect).__name__ for effect in session.receive(result(kept), 1.0)] == ["Settled"]


def test_the_oldest_request_that_was_given_up_makes_room_first() -> None:
    session = ready_session()
    ids = [session.ping().request_id for _ in range(257)]
    session.forget(ids[3])
    session.forget(ids[1])
    assert [request_id for request_id in ids if request_id not in session.open_requests] == [ids[3]]
