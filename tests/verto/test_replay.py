"""Frames captured from real servers, replayed through the session machine, give exactly the documented flows.

`tests/data/flows/<name>.flows.json` says what each transcript must become. It comes from a second, independent reading
of the frames by the design's table (a script that imported nothing of the package), looked over by eye.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from ziwo_async.errors import ConnectionLost, VertoError
from ziwo_async.events import AgentMessage, Destroy, DialogEvent, Event, Hangup, TextMessage, UnknownFrame, parse_event
from ziwo_async.verto.effects import DialAsked, Effect, PickupAsked, Refused, Send, Settled, TakenOver
from ziwo_async.verto.flow import Verdict, check_flow
from ziwo_async.verto.frames import UnreadableFrame, decode

from .support import BEGIN, FLOW_NAMES, FLOWS, QUIRK_NAMES, Replay, expected, flow_words, shared_path

ALL = FLOW_NAMES + QUIRK_NAMES
all_transcripts = pytest.mark.parametrize("name", ALL)


def seen_call(phone: str, events: list[DialogEvent]) -> dict[str, Any]:
    last = events[-1]
    ended = last if isinstance(last, Hangup | Destroy) else None
    return {
        "phone": phone,
        "call": last.call_id,
        "direction": str(last.direction),
        "customer": last.customer_number,
        "flow": flow_words(last),
        "verdict": check_flow(last.state_flow).verdict.value,
        "cause": ended and ended.cause,
        "cause_code": ended and ended.cause_code,
        "by": str(ended.by) if ended else None,
    }


@all_transcripts
def test_every_captured_call_goes_through_exactly_the_expected_flow(name: str) -> None:
    replay = Replay(name).whole()
    wanted = [{key: call[key] for key in call if key != "open_because"} for call in expected(name)["calls"]]
    assert [seen_call(phone.name, events) for phone, events in replay.dialogs()] == wanted


@all_transcripts
def test_no_captured_call_violates_the_documented_flow(name: str) -> None:
    replay = Replay(name).whole()
    assert replay.violations() == []
    for _, events in replay.dialogs():
        for event in events:
            assert check_flow(event.state_flow).verdict is not Verdict.VIOLATION


@all_transcripts
def test_every_event_carries_the_flow_so_far_with_the_capture_s_own_times(name: str) -> None:
    replay = Replay(name).whole()
    times = {BEGIN + line["rel"] for line in replay.lines}
    for _, events in replay.dialogs():
        for index, event in enumerate(events):
            assert event.state_flow == events[-1].state_flow[: index + 1]
            assert event.state == event.state_flow[-1].state
            assert event.state_flow[-1].date_unix in times
            assert event.at.timestamp() == pytest.approx(event.state_flow[-1].date_unix, abs=1e-3)


@all_transcripts
def test_a_captured_call_stays_open_only_for_a_stated_reason_and_ends_once_when_drained(name: str) -> None:
    replay = Replay(name).whole()
    wanted = expected(name)["calls"]
    replay.drain()
    dialogs = replay.dialogs()
    assert len(dialogs) == len(wanted)
    for call, (_, events) in zip(wanted, dialogs, strict=True):
        words = flow_words(events[-1])
        if "open_because" in call:
            assert words == f"{call['flow']} hangup destroy"
            assert isinstance(events[-1], Destroy)
            assert (events[-1].by, events[-1].cause) == ("lost", None)
        else:
            assert words == call["flow"]
        assert words.count("destroy") == 1
    assert all(not phone.session.calls for phone in replay.phones)


@all_transcripts
def test_frames_nobody_has_a_word_for_are_exactly_the_listed_ones(name: str) -> None:
    replay = Replay(name).whole()
    wanted = {(phone, reason): count for phone, reason, count in expected(name)["unknown"]}
    seen: Counter[tuple[str, str]] = Counter()
    for phone, event in replay.unknown():
        assert isinstance(event, UnknownFrame)
        (key,) = [key for key in wanted if key[0] == phone.name and event.reason.startswith(key[1])] or [
            (phone.name, event.reason)
        ]
        seen[key] += 1
    assert seen == wanted


@pytest.mark.parametrize("name", FLOW_NAMES)
def test_a_captured_call_flow_holds_no_unknown_frame_at_all(name: str) -> None:
    assert expected(name)["unknown"] == []
    assert Replay(name).whole().unknown() == []


@all_transcripts
def test_refused_requests_become_the_typed_errors_of_the_table(name: str) -> None:
    replay = Replay(name).whole()
    methods = {effect.request_id: effect.method for _, effect in replay.effects if isinstance(effect, Send)}
    seen: list[list[Any]] = []
    for phone, refused in replay.refusals():
        if isinstance(refused.error, ConnectionLost):
            continue
        seen.append([phone.name, methods[refused.request_id], type(refused.error).__name__])
        if isinstance(refused.error, VertoError):
            assert refused.error.method == methods[refused.request_id]
    wanted = expected(name)["errors"]
    assert seen == [entry[:3] for entry in wanted]
    told = [r.error for _, r in replay.refusals() if not isinstance(r.error, ConnectionLost)]
    for (_, _, _, code, message), error in zip(wanted, told, strict=True):
        if isinstance(error, VertoError):
            assert (error.code, error.message) == (code, message)
        elif type(error).__name__ not in ("DuplicateSession", "CallGone"):
            assert message in str(error)


@all_transcripts
def test_every_request_is_settled_or_refused_once_when_its_socket_is_gone(name: str) -> None:
    replay = Replay(name).whole()
    replay.drain()
    sent = [e.request_id for _, e in replay.effects if isinstance(e, Send)]
    done = Counter(e.request_id for _, e in replay.effects if isinstance(e, Settled | Refused))
    assert len(sent) == len(set(sent))
    # The drain's own logins are answered; what it sends after that cannot be there.
    assert all(done[request_id] == 1 for request_id in sent)


@all_transcripts
def test_commands_that_make_no_sense_are_refused_before_they_are_sent(name: str) -> None:
    assert [list(refused) for refused in Replay(name).whole().refused_commands] == expected(name)["refused_commands"]


@all_transcripts
def test_wishes_of_the_server_come_out_as_effects(name: str) -> None:
    replay = Replay(name).whole()

    def of(kind: type[Effect]) -> list[tuple[str, Any]]:
        return [(phone.name, effect) for phone, effect in replay.effects if isinstance(effect, kind)]

    want = expected(name)
    assert [[phone, e.call_id] for phone, e in of(PickupAsked)] == want["pickups"]
    assert [[phone, e.number, e.call_id] for phone, e in of(DialAsked)] == want["dials"]
    assert [phone for phone, _ in of(TakenOver)] == want["taken_over"]


@all_transcripts
def test_messages_for_the_agent_come_out_as_events(name: str) -> None:
    replay = Replay(name).whole()
    seen = [
        [phone.name, type(event).__name__, event.call_id, event.data if isinstance(event, AgentMessage) else event.text]
        for phone, event in _messages(replay)
    ]
    assert seen == expected(name)["messages"]


def _messages(replay: Replay) -> list[tuple[Any, AgentMessage | TextMessage]]:
    published = replay.published(Event)
    return [(phone, event) for phone, event in published if isinstance(event, AgentMessage | TextMessage)]


@all_transcripts
def test_every_event_of_a_replay_survives_the_way_through_json(name: str) -> None:
    for _, event in Replay(name).whole().published(Event):
        assert parse_event(event.model_dump(mode="json", by_alias=True)) == event
        assert parse_event(event.model_dump_json(by_alias=True)) == event


@all_transcripts
def test_every_captured_frame_is_readable_but_the_speed_test_and_an_echoed_object_as_id(name: str) -> None:
    for line in Replay(name).lines:
        if line["dir"] != "recv":
            continue
        frame = decode(json.dumps(line["frame"]) if "frame" in line else line["raw"])
        if isinstance(frame, UnreadableFrame):
            speed_test = frame.reason.startswith("not JSON") and frame.text.startswith("#SP")
            assert speed_test or frame.reason == "the id is neither a number nor a string"


def test_each_transcript_is_stored_once_and_the_ones_here_stay_small() -> None:
    here = {path.stem for path in FLOWS.glob("*.jsonl")}
    there = {name for name in ALL if shared_path(name).exists()}
    assert here & there == set()
    assert here | there == set(ALL)
    assert {path.name.removesuffix(".flows.json") for path in FLOWS.glob("*.flows.json")} == set(ALL)
    assert sum(path.stat().st_size for path in FLOWS.iterdir()) < 600_000
