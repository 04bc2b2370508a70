"""Recordings as text: what is read, what is refused and how it is said; and the replay's own rules."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ziwo_async.errors import BadArgument
from ziwo_async.events import (
    Destroy,
    DialogEvent,
    SessionClosed,
    SessionLost,
    SessionReady,
    SessionRestored,
    UnknownFrame,
)
from ziwo_async.verto.effects import Publish
from ziwo_async.verto.frames import MAX_INBOUND
from ziwo_async.verto.recording import CLOSED, ENDED, FULL, OPENED, read_recording
from ziwo_async.verto.replay import Replayer

BEGAN = 1_795_368_000.0
HEADER = {"ziwo_recording": 1, "library": "ziwo_async 0.1.0", "at": BEGAN}


def note(rel: float, words: str, conn: str = "1", **more: Any) -> dict[str, Any]:
    return {"rel": rel, "at": BEGAN + rel, "conn": conn, "dir": "note", "note": words, **more}


def sent(rel: float, frame_id: int, method: str, **params: Any) -> dict[str, Any]:
    frame = {"jsonrpc": "2.0", "id": frame_id, "method": method, "params": params}
    return {"rel": rel, "at": BEGAN + rel, "conn": "1", "dir": "send", "frame": frame}


def came(rel: float, frame_id: int, method: str | None = None, **params: Any) -> dict[str, Any]:
    frame: dict[str, Any] = {"jsonrpc": "2.0", "id": frame_id}
    frame |= {"result": params} if method is None else {"method": method, "params": params}
    return {"rel": rel, "at": BEGAN + rel, "conn": "1", "dir": "recv", "frame": frame}


LOGIN = [
    HEADER,
    note(0, OPENED, bye_limit=2.0),
    sent(0.1, 1, "login", login="agent-0011", passwd="[hidden]", sessid="[session-1]"),
    came(0.2, 1, message="logged in"),
    came(0.3, 1, "verto.clientReady", reattached_sessions=[]),
]
ANSWERED = [
    came(1, 2, "verto.invite", callID="c1", sdp="v=0", caller_id_number="+971500000526"),
    sent(2, 2, "verto.answer", sdp="v=0", dialogParams={"callID": "c1"}),
    came(3, 2, message="CALL ANSWERED"),
]


def as_bytes(*lines: dict[str, Any]) -> list[bytes]:
    return [json.dumps(line).encode() + b"\n" for line in lines]


def replay(*lines: dict[str, Any]) -> Replayer:
    recording = read_recording(as_bytes(*lines))
    replayer = Replayer(recording.entries, ours=recording.ours)
    assert replayer.run()
    return replayer


def flow(replayer: Replayer, call_id: str = "c1") -> str:
    events = [told.event for told in replayer.told]
    last = [event for event in events if isinstance(event, DialogEvent) and event.call_id == call_id][-1]
    return " ".join(step.state for step in last.state_flow)


# -- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "it is empty"),
        ([b"\n", b" \n"], "it has no line of a recording"),
        ([b"no json\n"], "line 1 is no JSON"),
        ([b"\xff\xfe\n"], "line 1 is no JSON"),
        ([b"[" * 100_000 + b"\n"], "line 1 is no JSON"),
        ([b"[]\n"], "line 1 is no JSON object"),
        (as_bytes({"a": 1}), "it has no line of a recording"),
        (as_bytes({**HEADER, "ziwo_recording": 2}), "line 1 tells format 2; this release reads 1"),
        (as_bytes({"ziwo_recording": 1}), "line 1 has no usable 'at'"),
        (as_bytes(HEADER, {"conn": "1", "dir": "note"}), "line 2 has no usable 'rel'"),
        (as_bytes(HEADER, note(-1, OPENED)), "line 2 has no usable 'rel'"),
        (as_bytes(HEADER, {**note(1, OPENED), "at": True}), "line 2 has no usable 'at'"),
        (as_bytes(HEADER, {**note(1, OPENED), "at": 1e300}), "line 2 has no usable 'at'"),
        ([b'{"rel":NaN,"conn":"1","dir":"note"}\n'], "line 1 has no usable 'rel'"),
        (as_bytes(HEADER, {**note(1, ""), "dir": "up"}), "line 2 is no line of a recording: its 'dir' is none of"),
        (as_bytes(HEADER, came(1, 1, "x")), "line 2 is about connection '1', which was not opened before"),
        (as_bytes(HEADER, note(0, OPENED), {"rel": 1, "conn": "1", "dir": "recv"}), "line 3 has no frame"),
        (as_bytes(HEADER, note(0, OPENED), {"rel": 1, "conn": "1", "dir": "recv", "raw": 1}), "line 3 has no frame"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line_and_why(lines: list[bytes], message: str) -> None:
    with pytest.raises(BadArgument) as refused:
        read_recording(lines)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_last_line_that_is_cut_off_is_left_out_wherever_it_ends(cut: int) -> None:
    whole = as_bytes(*LOGIN)
    recording = read_recording([*whole, as_bytes(*ANSWERED)[0][:cut]])
    assert recording.truncated
    assert recording.entries == read_recording(whole).entries
    assert not read_recording(whole).truncated


def test_a_broken_line_before_the_last_one_is_no_truncation() -> None:
    with pytest.raises(BadArgument, match="line 6 is no JSON"):
        read_recording([*as_bytes(*LOGIN), b'{"rel":\n', *as_bytes(*ANSWERED)])


def test_a_last_line_without_its_line_feed_counts_when_it_is_whole() -> None:
    lines = as_bytes(*LOGIN)
    lines[-1] = lines[-1].rstrip()
    recording = read_recording(lines)
    assert not recording.truncated
    assert len(recording.entries) == 4


def test_the_ends_of_a_recording_are_told_apart() -> None:
    def ends(*lines: dict[str, Any]) -> tuple[bool, bool]:
        recording = read_recording(as_bytes(*LOGIN, *lines))
        return recording.finished, recording.full

    assert ends() == (False, False)
    assert ends(note(9, ENDED, "", idle=True)) == (True, False)
    assert ends(note(9, FULL, "")) == (True, True)


def test_a_transcript_without_a_header_begins_when_it_is_told_to() -> None:
    lines = [{"rel": 1.5, "conn": "a", "dir": "note", "note": "ws open"}, {"rel": 2, "dir": "note", "note": "about"}]
    recording = read_recording(as_bytes(*lines), began=BEGAN)
    assert (recording.ours, recording.library) == (False, "")
    assert [entry.at for entry in recording.entries] == [BEGAN + 1.5]


# -- replaying ------------------------------------------------------------------------------------------------------


def test_the_events_have_the_times_of_the_recording() -> None:
    replayer = replay(*LOGIN, *ANSWERED)
    assert [(told.at - BEGAN, type(told.event).__name__) for told in replayer.told] == [
        (pytest.approx(0.3), "SessionReady"),
        (1, "Ringing"),
        (2, "Answering"),
        (3, "Active"),
    ]
    ready = replayer.told[0].event
    assert isinstance(ready, SessionReady)
    assert ready.login == "agent-0011"


def test_a_replay_can_stop_at_an_event() -> None:
    recording = read_recording(as_bytes(*LOGIN, *ANSWERED))
    replayer = Replayer(recording.entries)
    assert replayer.run(lambda event: isinstance(event, DialogEvent) and event.state == "answering")
    assert flow(replayer) == "ringing answering"
    assert not Replayer(recording.entries).run(lambda event: isinstance(event, SessionLost))


def test_a_loss_and_a_return_are_told_with_the_gap() -> None:
    again = [{**line, "rel": line["rel"] + 7, "at": line["at"] + 7} for line in LOGIN[1:]]
    replayer = replay(*LOGIN, *ANSWERED, note(4, CLOSED, reason="gone", code=1006), *again)
    lost, restored = (told.event for told in replayer.told if isinstance(told.event, SessionLost | SessionRestored))
    assert lost == SessionLost(reason="gone", close_code=1006)
    assert restored == SessionRestored(kept=(), lost=("c1",), gap_seconds=3.3)
    assert flow(replayer) == "ringing answering active hangup destroy"


def test_our_own_close_is_no_loss() -> None:
    replayer = replay(*LOGIN, note(4, CLOSED, by_us=True), note(5, ENDED, "", idle=True))
    assert [type(told.event) for told in replayer.told] == [SessionReady, SessionClosed]


def test_a_bye_is_given_up_after_the_time_that_the_phone_waits() -> None:
    bye = sent(4, 3, "verto.bye", dialogParams={"callID": "c1"}, cause="NORMAL_CLEARING")
    in_time = replay(*LOGIN, *ANSWERED, bye, came(5.9, 8, "verto.ping"))
    assert flow(in_time) == "ringing answering active hangup"
    late = replay(*LOGIN, *ANSWERED, bye, came(6.5, 8, "verto.ping"), came(7, 3, message="CALL ENDED"))
    assert flow(late) == "ringing answering active hangup destroy"
    assert late.told[-1].at == BEGAN + 6
    # A confirmation in time leaves nothing to give up.
    confirmed = replay(*LOGIN, *ANSWERED, bye, came(5, 3, message="CALL ENDED"), came(9, 8, "verto.ping"))
    assert confirmed.told[-1].at == BEGAN + 5


def test_what_the_machine_sends_by_itself_is_no_command() -> None:
    lines = [
        *LOGIN,
        *ANSWERED,
        came(4, 9, "verto.bye", callID="c1", cause="NORMAL_CLEARING"),
        came(5, 10, "verto.attach", callID="c1", sdp="v=0"),
        sent(5.1, 3, "verto.bye", dialogParams={"callID": "c1"}, cause="NORMAL_CLEARING"),
        came(5.2, 3, message="CALL ENDED"),
        sent(6, 4, "verto.bye", dialogParams={"callID": "c1"}, cause="NORMAL_CLEARING"),
    ]
    replayer = replay(*lines)
    assert flow(replayer) == "ringing answering active hangup destroy"
    # The second one nobody wanted: our phone would have refused it.
    assert [(refused.method, refused.error) for refused in replayer.refused_commands] == [("verto.bye", "WrongState")]


def test_a_phone_that_was_never_ready_has_no_session_to_end() -> None:
    assert replay(*LOGIN[:2], note(5, CLOSED), note(6, ENDED, "", idle=True)).told == []


def test_of_several_byes_the_machine_sends_by_itself_each_is_found() -> None:
    ended = [came(4, 9, "verto.bye", callID="c1"), came(4.1, 10, "verto.bye", callID="c2")]
    second = [came(1, 2, "verto.invite", callID="c2", sdp="v=0")]
    offered = [came(5, 11, "verto.attach", callID="c1", sdp="v=0"), came(5, 12, "verto.attach", callID="c2", sdp="v=0")]
    byes = [sent(6, number, "verto.bye", dialogParams={"callID": f"c{number - 5}"}) for number in (7, 6)]
    replayer = replay(*LOGIN, *ANSWERED, *second, *ended, *offered, *byes)
    assert replayer.refused_commands == []


def test_what_our_phone_could_not_have_written_is_passed_over() -> None:
    for frame in ({"n": float("nan")}, {"s": "\ud800"}, {"x": "x" * 1_000_000}):
        replayer = replay(*LOGIN, sent(4, 3, "verto.x", **frame), came(5, 3, message="OK"))
        assert [(refused.method, refused.error) for refused in replayer.refused_commands] == [("verto.x", "BadFrame")]


def test_frames_after_the_end_of_their_connection_are_harmless() -> None:
    replayer = replay(*LOGIN, *ANSWERED, note(4, CLOSED), came(5, 9, "verto.bye", callID="c1"), note(6, CLOSED))
    assert sum(isinstance(told.event, SessionLost) for told in replayer.told) == 1


@pytest.mark.parametrize(
    "params",
    [{}, {"dialogParams": 1}, {"dialogParams": {"callID": 5}}, {"dialogParams": {"callID": "c1"}}, {"sdp": 1}],
)
@pytest.mark.parametrize(
    "method", ["login", "verto.invite", "verto.answer", "verto.attach", "verto.bye", "verto.modify"]
)
def test_odd_commands_are_replayed_as_plain_requests(method: str, params: dict[str, Any]) -> None:
    odd: dict[str, Any] = {"causeCode": "16.5", **params}
    replay(*LOGIN, *ANSWERED, sent(4, 3, method, **odd), came(5, 3, message="OK"))
    for frame in ([], 7, {"method": 1}, {"method": "login", "params": []}):
        replay(*LOGIN, {**sent(4, 3, "x"), "frame": frame})


AGAIN = [
    note(5, OPENED, bye_limit=2.0),
    sent(5.1, 3, "login", login="agent-0011", passwd="[hidden]", sessid="[session-1]"),
    came(5.2, 3, message="logged in"),
    came(6, 4, "verto.attach", callID="c1", sdp="v=0"),
]


@pytest.mark.parametrize(("cause", "told"), [("USER_BUSY", "USER_BUSY"), ("", "NORMAL_CLEARING")])
def test_a_call_hung_up_without_a_connection_is_seen_when_it_is_offered_again(cause: str, told: str) -> None:
    bye = sent(6.1, 4, "verto.bye", dialogParams={"callID": "c1"}, cause=cause)
    replayer = replay(*LOGIN, *ANSWERED, note(4, CLOSED), *AGAIN, bye, came(6.2, 4, message="CALL ENDED"))
    assert flow(replayer) == "ringing answering active hangup destroy"
    ended = [told.event for told in replayer.told if isinstance(told.event, Destroy)]
    assert [(event.cause, event.by) for event in ended] == [(told, "local")]
    assert replayer.refused_commands == []


def test_a_call_that_is_hung_up_on_the_connection_it_is_offered_on_is_hung_up_when_our_bye_is_written() -> None:
    bye = sent(7, 4, "verto.bye", dialogParams={"callID": "c1"}, cause="USER_BUSY")
    replayer = replay(*LOGIN, *ANSWERED, AGAIN[-1], bye)
    assert flow(replayer) == "ringing answering active hangup"
    assert replayer.told[-1].at == BEGAN + 7


def test_a_bye_too_many_in_a_file_is_a_refused_command_wherever_the_call_is_offered_again() -> None:
    # No phone of ours writes this.
    opened = {key: value for key, value in LOGIN[1].items() if key != "bye_limit"}
    early = sent(4, 3, "verto.bye", dialogParams={"callID": "c1"}, cause="USER_BUSY")
    late = {**early, "rel": 9}
    live = replay(LOGIN[0], opened, *LOGIN[2:], *ANSWERED, early, AGAIN[-1], late)
    back = replay(*LOGIN, *ANSWERED, note(4, CLOSED), AGAIN[0], {**early, "rel": 5.5}, AGAIN[-1], {**late, "rel": 7})
    for replayer in (live, back):
        assert flow(replayer) == "ringing answering active hangup"
        assert [(refused.method, refused.error) for refused in replayer.refused_commands] == [
            ("verto.bye", "WrongState")
        ]


def test_a_frame_that_was_too_large_to_be_kept_is_told_as_it_was() -> None:
    cut = {"rel": 4, "at": BEGAN + 4, "conn": "1", "dir": "recv", "raw": '{"jsonrpc"', "size": MAX_INBOUND + 1}
    event = replay(*LOGIN, cut).told[-1].event
    assert isinstance(event, UnknownFrame)
    assert event.reason == f"too large: {MAX_INBOUND + 1} bytes, the limit is {MAX_INBOUND}"
    assert (event.text, event.size) == ('{"jsonrpc"', MAX_INBOUND + 1)
    # One of just that size was taken, and is read as what it is.
    event = replay(*LOGIN, {**cut, "size": MAX_INBOUND}).told[-1].event
    assert isinstance(event, UnknownFrame)
    assert event.reason.startswith("not JSON")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["c1", "1", OPENED]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["callID", "sdp", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)
BYE = sent(4, 3, "verto.bye", dialogParams={"callID": "c1"}, cause="NORMAL_CLEARING", causeCode=16)
WHOLE = [*LOGIN, *ANSWERED, BYE, note(5, CLOSED, reason="x", code=1000, by_us=False), note(6, ENDED, "", idle=True)]


def spots(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a JSON value whose content can be replaced."""
    found: list[tuple[Any, Any]] = []
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        found += [(value, key), *spots(inner)]
    return found


@pytest.mark.parametrize("levels", [150, 900, 950, 980, 2_000])
def test_however_deep_a_frame_is_nested_it_is_read_or_refused(levels: int) -> None:
    deep = b'{"rel":1,"conn":"1","dir":"recv","frame":{"a":' + b"[" * levels + b"]" * levels + b"}}\n"
    told = ""
    try:
        Replayer(read_recording([*as_bytes(*LOGIN), deep]).entries).run()
    except BadArgument as refused:
        told = str(refused)
    assert told == "" or told.startswith("line 6 ")


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_whatever_is_in_a_recording_it_is_replayed_or_refused_in_words(data: st.DataObject) -> None:
    lines: list[Any] = json.loads(json.dumps(WHOLE))
    for _ in range(data.draw(st.integers(1, 3))):
        where, key = data.draw(st.sampled_from(spots(lines)))
        where[key] = data.draw(json_values)
    told = ""
    try:
        recording = read_recording(json.dumps(line).encode() + b"\n" for line in lines)
        Replayer(recording.entries, ours=recording.ours).run()
    except BadArgument as refused:
        told = str(refused)
    assert told == "" or told.startswith(("line ", "it "))


POOL = [
    *WHOLE[1:], *AGAIN, came(1, 9, "verto.bye", callID="c1"), came(1, 9, "verto.punt"), came(2, 3, message="OK"),
    sent(2, 5, "verto.attach", sdp="v=0", dialogParams={"callID": "c1"}),
    sent(2, 6, "verto.modify", action="hold", dialogParams={"callID": "c1"}), came(2, 6, holdState="held"),
    sent(2, 7, "verto.invite", sdp="v=0", dialogParams={"callID": "c1", "destination_number": "1"}),
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(POOL), max_size=14))
def test_lines_in_any_order_are_replayed_and_no_call_ends_twice(lines: list[dict[str, Any]]) -> None:
    timed = [{**line, "rel": float(number), "at": BEGAN + number} for number, line in enumerate(lines)]
    replayer = replay(HEADER, note(0, OPENED), *timed)
    live: set[tuple[int, str]] = set()
    for phone, effect in replayer.effects:
        if isinstance(effect, Publish) and isinstance(event := effect.event, DialogEvent):
            key = (id(phone), event.call_id)
            assert (key in live) == (len(event.state_flow) > 1)
            (live.discard if event.state == "destroy" else live.add)(key)
