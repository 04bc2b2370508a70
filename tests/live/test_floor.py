"""Floor: differences between snapshots, and nothing that nobody saw. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ziwo_async.events import (
    Active,
    AgentStatusChanged,
    CallRecorded,
    Destroy,
    DialogEvent,
    Event,
    Hangup,
    QueueCallAbandoned,
    QueueCallAnswered,
    QueueCallWaiting,
    Ringing,
)
from ziwo_async.live.floor import Floor
from ziwo_async.live.models import EndedCall, LiveAgent, LiveCall, WaitingCall
from ziwo_async.live.told import Said, Told

NOW = 1_700_000_100.0


def agents(**status: str | None) -> dict[str, LiveAgent]:
    return {
        key: LiveAgent.model_validate(
            {
                "id": key,
                "ccLogin": f"00{key[1:]}",
                "firstName": "Ada",
                "liveInfo": [] if word is None else {"status": word, "lastStatusChangeEPOCH": "1700000000"},
            }
        )
        for key, word in status.items()
    }


def waiting(call_id: str = "c", **more: Any) -> WaitingCall:
    row = {
        "callID": call_id, "callerID": "+971500000001", "joinedEPOCH": "1700000090", "bridgeEPOCH": "0",
        "agentCCLogin": "unknown", "queueName": "sales", "state": "Waiting", "score": "10",
    }  # fmt: skip
    return WaitingCall.model_validate(row | more)


def live(call_id: str = "c", **more: Any) -> LiveCall:
    row = {"callID": call_id, "direction": "inbound", "agentCCLogin": "unknown", "callerIDNumber": "+971500000001"}
    return LiveCall.model_validate(row | more)


def ended(call_id: str = "c", **more: Any) -> EndedCall:
    return EndedCall.model_validate({"callID": call_id} | more)


def names(events: list[Event]) -> list[str]:
    return [f"{type(event).__name__}{'*' if getattr(event, 'inferred', False) else ''}" for event in events]


# -- agents --------------------------------------------------------------------------------------------------------


def test_the_first_snapshot_of_agents_changes_nothing() -> None:
    assert Floor().agents(agents(a1="Available", a2="On Break")) == []


def test_a_changed_status_is_told_with_what_it_was() -> None:
    floor = Floor()
    floor.agents(agents(a1="Available", a2="On Break"))
    [changed] = floor.agents(agents(a1="Meeting", a2="On Break"))
    assert isinstance(changed, AgentStatusChanged)
    assert (changed.agent, changed.cc_login, changed.name) == ("a1", "001", "Ada")
    assert (changed.before, changed.status) == ("Available", "Meeting")
    assert changed.since is not None
    assert changed.since.timestamp() == 1_700_000_000


def test_a_status_that_changed_in_a_gap_is_told_once_and_one_that_did_not_is_not() -> None:
    floor = Floor()
    floor.agents(agents(a1="Available", a2="On Break"))
    floor.gap()
    assert len(floor.agents(agents(a1="Meeting", a2="On Break"))) == 1
    floor.gap()
    assert floor.agents(agents(a1="Meeting", a2="On Break")) == []


def test_an_agent_that_is_left_out_or_has_no_status_keeps_the_last_one() -> None:
    floor = Floor()
    floor.agents(agents(a1="Available"))
    assert floor.agents(agents()) == []
    assert floor.agents(agents(a1=None)) == []
    assert floor.agents(agents(a1="Available")) == []
    [changed] = floor.agents(agents(a1="Meeting"))
    assert isinstance(changed, AgentStatusChanged)
    assert changed.before == "Available"


def test_a_new_agent_has_no_status_before() -> None:
    floor = Floor()
    floor.agents(agents(a1="Available"))
    [changed] = floor.agents(agents(a1="Available", a2="Available"))
    assert isinstance(changed, AgentStatusChanged)
    assert (changed.agent, changed.before) == ("a2", None)


# -- queues --------------------------------------------------------------------------------------------------------


def test_a_call_waits_and_its_row_says_who_took_it() -> None:
    floor = Floor()
    [waits] = floor.queue_calls([waiting()], NOW)
    assert isinstance(waits, QueueCallWaiting)
    assert (waits.queue, waits.call_id, waits.caller_number) == ("sales", "c", "+971500000001")
    assert (waits.waited_seconds, waits.agent) == (10.0, None)
    assert floor.queue_calls([waiting(score="11")], NOW) == []
    [answered] = floor.queue_calls([waiting(bridgeEPOCH="1700000095", agentCCLogin="0011", state="Answered")], NOW)
    assert isinstance(answered, QueueCallAnswered)
    assert (answered.agent, answered.waited_seconds, answered.inferred) == ("0011", 5.0, False)
    assert floor.queue_calls([], NOW) == []


def test_a_row_that_is_first_seen_answered_is_no_wait() -> None:
    row = waiting(bridgeEPOCH="1700000095", agentCCLogin="0011", state="Answered")
    assert names(Floor().queue_calls([row], NOW)) == ["QueueCallAnswered"]


def test_a_row_can_say_that_the_caller_gave_up() -> None:
    floor = Floor()
    floor.queue_calls([waiting()], NOW)
    assert names(floor.queue_calls([waiting(state="Abandoned")], NOW)) == ["QueueCallAbandoned"]
    assert floor.queue_calls([], NOW) == []


def test_a_row_that_is_gone_says_nothing_by_itself() -> None:
    floor = Floor()
    floor.queue_calls([waiting()], NOW)
    assert floor.queue_calls([], NOW) == []
    assert floor.calls({}, NOW) == []  # live calls may not have those that wait


@pytest.mark.parametrize("row_first", [True, False])
def test_a_row_that_is_gone_while_an_agent_has_the_call_was_answered(row_first: bool) -> None:
    floor = Floor()
    floor.queue_calls([waiting()], NOW)
    talks = {"c": live(agentCCLogin="0011", state="Answered", queueName="sales")}
    found = (
        floor.queue_calls([], NOW) + floor.calls(talks, NOW)
        if row_first
        else floor.calls(talks, NOW) + (floor.queue_calls([], NOW))
    )
    [answered] = [event for event in found if isinstance(event, QueueCallAnswered)]
    assert (answered.agent, answered.inferred) == ("0011", True)


def test_a_row_that_is_gone_with_its_live_call_was_abandoned() -> None:
    floor = Floor()
    floor.queue_calls([waiting()], NOW)
    floor.calls({"c": live(state="Waiting", queueName="sales")}, NOW)
    floor.queue_calls([], NOW)
    assert names(floor.calls({}, NOW)) == ["QueueCallAbandoned*"]


def test_a_row_that_went_in_a_gap_is_not_judged() -> None:
    floor = Floor()
    floor.queue_calls([waiting()], NOW)
    floor.calls({"c": live(state="Waiting", queueName="sales")}, NOW)
    floor.gap()
    assert floor.queue_calls([], NOW) + floor.calls({}, NOW) == []
    assert names(floor.recorded(ended(), NOW)) == ["CallRecorded"]


def test_a_row_that_had_gone_before_a_gap_is_not_judged_after_it() -> None:
    floor = Floor()
    floor.queue_calls([waiting()], NOW)
    floor.calls({"c": live(state="Waiting", queueName="sales")}, NOW)
    floor.queue_calls([], NOW)
    floor.gap()
    assert floor.calls({}, NOW) + floor.queue_calls([], NOW) == []


@pytest.mark.parametrize("after_a_gap", [True, False])
def test_a_cdr_with_the_facts_decides_always(after_a_gap: bool) -> None:
    for facts, what in [
        ({"queueAnsweredAt": "2023-11-14T22:15:00Z", "agentCCLogin": "0011"}, "QueueCallAnswered"),
        ({"queueAnsweredAt": None, "agentCCLogin": "unknown"}, "QueueCallAbandoned"),
    ]:
        floor = Floor()
        floor.queue_calls([waiting()], NOW)
        if after_a_gap:
            floor.gap()
            floor.queue_calls([], NOW)
        assert names(floor.recorded(ended(**facts), NOW)) == [what, "CallRecorded"]
        assert floor.queue_calls([], NOW) == []


def test_a_call_that_is_recorded_first_is_judged_when_its_row_goes() -> None:
    floor = Floor()
    floor.queue_calls([waiting()], NOW)
    assert names(floor.recorded(ended(), NOW)) == ["CallRecorded"]
    assert names(floor.queue_calls([], NOW)) == ["QueueCallAbandoned*"]


def test_a_late_snapshot_does_not_bring_a_call_back() -> None:
    floor = Floor()
    floor.recorded(ended(), NOW)
    assert floor.queue_calls([waiting()], NOW) == []
    assert floor.calls({"c": live(agentCCLogin="0011", state="ACTIVE")}, NOW) == []


# -- the history ---------------------------------------------------------------------------------------------------


def test_a_call_is_recorded_once_and_secrets_in_it_are_hidden() -> None:
    floor = Floor()
    [event] = floor.recorded(ended(extendedInfo={"agents": [{"ccPassword": "CANARY"}]}, hangupCause="X"), NOW)
    assert isinstance(event, CallRecorded)
    assert event.cdr["callID"] == "c"
    assert event.cdr["hangupCause"] == "X"
    assert "CANARY" not in repr(event) + event.model_dump_json()
    assert floor.recorded(ended(), NOW) == []


def test_what_was_told_is_remembered_within_bounds() -> None:
    told = Told(limit=2)
    for call_id in ("a", "b", "c"):
        assert told.once(call_id, Said.RECORDED)
        assert not told.once(call_id, Said.RECORDED)
        assert told.once(call_id, Said.OUTCOME)
    assert len(told) == 2
    assert told.of("a") == Said(0)
    assert told.of("c") == Said.RECORDED | Said.OUTCOME


# -- dialogs -------------------------------------------------------------------------------------------------------


def test_an_agent_s_call_is_a_dialog_with_source_live() -> None:
    floor = Floor()
    [rings] = floor.calls({"c": live(agentCCLogin="0011", state="RINGING")}, NOW)
    assert isinstance(rings, Ringing)
    assert (rings.source, rings.agent, rings.customer_number, rings.inferred) == (
        "live",
        "0011",
        "+971500000001",
        False,
    )
    [talks] = floor.calls({"c": live(agentCCLogin="0011", state="ACTIVE")}, NOW + 5)
    assert isinstance(talks, Active)
    assert [str(step.state) for step in talks.state_flow] == ["ringing", "active"]
    assert floor.calls({"c": live(agentCCLogin="0011", state="ACTIVE", score=1)}, NOW) == []
    assert names(floor.calls({"c": live(agentCCLogin="0011", state="HELD")}, NOW)) == ["Held"]
    assert names(floor.calls({"c": live(agentCCLogin="0011", state="UNHELD")}, NOW)) == ["Active"]
    over = floor.recorded(ended(hangupCause="NORMAL_CLEARING"), NOW + 9)
    assert names(over) == ["Hangup", "Destroy", "CallRecorded"]
    hangup = over[0]
    assert isinstance(hangup, Hangup)
    assert (hangup.cause, hangup.by) == ("NORMAL_CLEARING", None)
    assert floor.calls({}, NOW) == []


def test_a_call_that_is_gone_is_over_and_its_cause_is_not_known() -> None:
    floor = Floor()
    floor.calls({"c": live(agentCCLogin="0011", state="ACTIVE")}, NOW)
    over = floor.calls({}, NOW)
    assert names(over) == ["Hangup*", "Destroy*"]
    assert isinstance(over[1], Destroy)
    assert over[1].cause is None
    assert names(floor.recorded(ended(), NOW)) == ["CallRecorded"]


def test_a_call_ends_at_the_agent_who_had_it_last() -> None:
    floor = Floor()
    floor.calls({"c": live(agentCCLogin="0011", state="ACTIVE")}, NOW)
    assert floor.calls({"c": live(agentCCLogin="5555", state="ACTIVE")}, NOW) == []
    assert [event.agent for event in floor.calls({}, NOW) if isinstance(event, DialogEvent)] == ["5555", "5555"]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"state": "RINGING"}, []),  # nobody's phone: a voice menu, or a queue
        ({"agentCCLogin": "0011", "state": "RINGING", "direction": None}, []),
        ({"agentCCLogin": "0011", "state": "CS_SOMETHING"}, []),
        ({"agentCCLogin": "0011", "state": "Waiting"}, []),
        ({"agentCCLogin": "0011"}, []),
        ({"agentCCLogin": "0011", "state": "Trying"}, ["Ringing"]),
        ({"agentCCLogin": "0011", "state": "Answered"}, ["Active"]),
        ({"agentCCLogin": "0011", "callState": "ACTIVE"}, ["Active"]),
        ({"agentCCLogin": "0011", "agentRingStartedAt": "2023-11-14T22:15:00Z"}, ["Ringing*"]),
        ({"agentCCLogin": "0011", "answeredAt": "2023-11-14T22:15:00Z"}, ["Active*"]),
        ({"agentCCLogin": "0011", "channelBridgeEPOCH": "1700000000"}, ["Active*"]),
        # The answer of a call of a queue may have been the voice menu's.
        ({"agentCCLogin": "0011", "queueId": 3, "answeredAt": "2023-11-14T22:15:00Z"}, []),
        ({"agentCCLogin": "0011", "queueId": 3, "queueAnsweredAt": "2023-11-14T22:15:00Z"}, ["Active*"]),
        ({"agentCCLogin": "0011", "direction": "outbound"}, ["Requesting*"]),
        ({"agentCCLogin": "0011", "direction": "outbound", "state": "EARLY"}, ["Early"]),
        ({"agentCCLogin": "0011", "direction": "outbound", "state": "RINGING"}, []),
        ({"agentCCLogin": "0011", "direction": "outbound", "answeredAt": "2023-11-14T22:15:00Z"}, ["Active*"]),
        ({"agentCCLogin": "0011", "state": "HANGUP"}, []),
    ],
)
def test_only_what_a_row_tells_is_told(row: dict[str, Any], told: list[str]) -> None:
    assert names(Floor().calls({"c": live(**row)}, NOW)) == told


def test_an_older_snapshot_that_comes_late_moves_no_call_back() -> None:
    floor = Floor()
    floor.calls({"c": live(agentCCLogin="0011", state="ACTIVE")}, NOW)
    assert floor.calls({"c": live(agentCCLogin="0011", state="RINGING")}, NOW) == []
    assert floor.calls({"c": live(agentCCLogin="0011", state="ACTIVE")}, NOW) == []


def test_a_call_that_is_held_all_day_does_not_grow() -> None:
    floor = Floor()
    last: list[Event] = []
    for turn in range(300):
        last = floor.calls({"c": live(agentCCLogin="0011", state=("ACTIVE", "HELD")[turn % 2])}, NOW + turn)
    [event] = last
    assert isinstance(event, DialogEvent)
    assert len(event.state_flow) == 64
    assert event.state_flow[0].date_unix == NOW


# -- any interleaving, any loss ------------------------------------------------------------------------------------

LIVES = ("waiting", "trying", "answered", "over")


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """What a client may hear of a few calls: snapshots of a world that goes on, some lost, some doubled, with gaps."""
    calls = {f"c{number}": 0 for number in range(draw(st.integers(1, 4)))}
    answers = {call: draw(st.booleans()) for call in calls}
    heard: list[tuple[str, Any]] = []
    recorded: list[str] = []
    for _ in range(draw(st.integers(1, 40))):
        match draw(st.sampled_from(["move", "queue", "queue", "live", "live", "record", "again", "gap"])):
            case "move":
                call = draw(st.sampled_from(sorted(calls)))
                if calls[call] < 3:
                    step = 2 if calls[call] < 1 and not answers[call] else 1
                    calls[call] = 3 if not answers[call] and calls[call] == 1 else min(3, calls[call] + step)
                    if calls[call] == 3:
                        recorded.append(call)
                        if draw(st.booleans()):
                            heard.append(("record", call))
            case "queue":
                kept = draw(st.booleans())
                heard.append(("queue", {call: LIVES[at] for call, at in calls.items() if at < 2 or (at == 2 and kept)}))
            case "live":
                heard.append(("live", {call: LIVES[at] for call, at in calls.items() if at < 3}))
            case "record" if recorded:
                heard.append(("record", draw(st.sampled_from(recorded))))
            case "again" if heard:
                heard.append(draw(st.sampled_from(heard)))  # late, or doubled
            case "gap":
                heard.append(("gap", None))
            case _:
                pass
    return heard


def play(heard: list[tuple[str, Any]]) -> list[Event]:
    floor, told = Floor(), []
    for number, (what, content) in enumerate(heard):
        at = NOW + number
        if what == "queue":
            rows = [
                waiting(call, state=word.title(), bridgeEPOCH="1700000095" if word == "answered" else "0")
                for call, word in content.items()
            ]
            told += floor.queue_calls(rows, at)
        elif what == "live":
            told += floor.calls(
                {
                    call: live(call, state=word.title(), agentCCLogin="unknown" if word == "waiting" else "0011")
                    for call, word in content.items()
                },
                at,
            )
        elif what == "record":
            told += floor.recorded(ended(content), at)
        else:
            floor.gap()
    return told


@settings(max_examples=300, deadline=None)
@given(histories())
def test_each_call_is_told_at_most_once_of_each_and_recorded_exactly_once(heard: list[tuple[str, Any]]) -> None:
    told = play(heard)
    count = Counter(
        (type(event), getattr(event, "call_id", None)) for event in told if not isinstance(event, DialogEvent)
    )
    assert set(count.values()) <= {1}
    outcomes = Counter(e.call_id for e in told if isinstance(e, QueueCallAnswered | QueueCallAbandoned))
    assert set(outcomes.values()) <= {1}
    assert {e.call_id for e in told if isinstance(e, CallRecorded)} == {
        call for what, call in heard if what == "record"
    }
    over = Counter(e.call_id for e in told if isinstance(e, Destroy))
    assert set(over.values()) <= {1}
    last: dict[str, str] = {}
    for event in told:
        if isinstance(event, DialogEvent):
            assert last.get(event.call_id) != "destroy"
            assert last.get(event.call_id) != str(event.state)
            last[event.call_id] = str(event.state)


@settings(max_examples=200, deadline=None)
@given(histories())
def test_hearing_everything_twice_tells_nothing_more(heard: list[tuple[str, Any]]) -> None:
    twice = [item for item in heard for _ in range(2)]
    assert names(play(twice)) == names(play(heard))
