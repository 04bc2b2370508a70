"""Snapshots and events as rows: what is shown of them, and what is not invented."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ziwo_async import Active, Destroy, DialogEvent, DialogState, Direction, StateFlowItem, parse_event
from ziwo_async.live.models import LiveAgent, LiveCall, LiveQueue, LiveStats, WaitingCall
from ziwo_async.wallboard.rows import agent_rows, call_rows, figure_rows, queue_rows

T0 = 1_700_000_000


def agent(key: str = "1", **fields: Any) -> LiveAgent:
    return LiveAgent.model_validate({"id": key, "ccLogin": "0011", "firstName": "Ann", "lastName": "Agent", **fields})


def event(kind: type[DialogEvent], *states: DialogState, agent: str = "0011", **fields: Any) -> DialogEvent:
    flow = tuple(StateFlowItem.at(state, T0 + n) for n, state in enumerate(states))
    told: dict[str, Any] = {
        "callID": "c1",
        "primaryCallID": "c1",
        "customerNumber": "+97150000000",
        "direction": "inbound",
    }
    steps = [step.model_dump(mode="json", by_alias=True) for step in flow]
    current = {**told, "agentCCLogin": agent}
    detail = {**told, "state": states[-1].value, "stateFlow": steps, "currentCall": current, **fields}
    found = parse_event(detail)
    assert isinstance(found, kind)
    return found


@pytest.mark.parametrize(
    ("status", "tone"),
    [
        ("Available", "good"),
        ("On Break", "rest"),
        ("Meeting", "busy"),
        ("Outgoing", "busy"),
        ("Logged Out", "off"),
        ("Training", "other"),
    ],
)
def test_an_agent_has_a_status_and_the_time_in_it(status: str, tone: str) -> None:
    live = {"status": status, "state": "Waiting", "lastStatusChangeEPOCH": str(T0)}
    (row,) = agent_rows({"1": agent(liveInfo=live)}).values()
    assert row == {
        "name": "Ann Agent",
        "login": "0011",
        "status": status,
        "state": "Waiting",
        "tone": tone,
        "since": T0,
        "order": "ann agent 1",
    }


@pytest.mark.parametrize("nothing", [None, [], {}])
def test_an_agent_of_whom_nothing_is_known(nothing: object) -> None:
    (row,) = agent_rows({"1": agent(liveInfo=nothing)}).values()
    assert (row["status"], row["tone"], row["since"]) == ("status not known", "off", None)


def waiting(queue: str, call: str, joined: int, **fields: Any) -> WaitingCall:
    row = {"callID": call, "queueName": queue, "joinedEPOCH": str(joined), "bridgeEPOCH": "0", "state": "Waiting"}
    return WaitingCall.model_validate({**row, **fields})


def test_waiting_calls_of_both_snapshots() -> None:
    support = LiveQueue.model_validate({"id": "7", "name": "Support", "liveCalls": [{"state": "Waiting"}]})
    sales = LiveQueue.model_validate({"id": "8", "name": "Sales", "calls": [{"state": "Answered"}]})
    listed = (
        waiting("support@acme.example", "a", T0 + 5),
        waiting("support@acme.example", "b", T0),
        waiting("support@acme.example", "c", T0 - 50, bridgeEPOCH=str(T0)),  # an agent has it
        waiting("Elsewhere", "d", T0, state="Trying"),  # an agent's phone rings, and nobody has it yet
    )
    rows = queue_rows({"7": support, "8": sales}, listed)
    assert {row["name"]: (row["waiting"], row["longest"]) for row in rows.values()} == {
        "Support": (2, T0),
        "Sales": (0, None),
        "Elsewhere": (1, T0),  # never left out, only because no queue has this name
    }


def test_a_wait_whose_beginning_is_not_known_counts_without_a_time() -> None:
    queue = LiveQueue.model_validate({"id": "7", "name": "Support", "liveCalls": [{"state": "Waiting"}]})
    (row,) = queue_rows({"7": queue}, ()).values()
    assert (row["waiting"], row["longest"]) == (1, None)


def live_call(**fields: Any) -> LiveCall:
    return LiveCall.model_validate({"callID": "c1", **fields})


def test_a_call_with_its_flow() -> None:
    told = event(Active, DialogState.RINGING, DialogState.ANSWERING, DialogState.ACTIVE)
    calls = {"c1": live_call(queueName="Support", state="ACTIVE", callerIDNumber="+971500")}
    (row,) = call_rows(calls, {"c1": told}, [agent()]).values()
    assert row["customer"] == "+97150000000"
    assert row["where"] == "inbound, Ann Agent, Support"
    assert row["flow"] == [
        {"state": "ringing", "at": T0, "inferred": False},
        {"state": "answering", "at": T0 + 1, "inferred": False},
        {"state": "active", "at": T0 + 2, "inferred": False},
    ]
    assert row["over"] is False


def test_a_call_whose_states_were_not_told_has_no_flow() -> None:
    calls = {"c1": live_call(direction="outbound", didCalled="+33", callerIDNumber="+971", state="EARLY")}
    (row,) = call_rows(calls, {}, []).values()
    assert (row["customer"], row["flow"], row["state"], row["where"]) == ("+33", [], "EARLY", "outbound")


def test_a_call_that_ended_is_over_and_an_unknown_agent_is_named_by_login() -> None:
    told = event(Destroy, DialogState.RINGING, DialogState.HANGUP, DialogState.DESTROY, agent="5555")
    (row,) = call_rows({}, {"c1": told}, [agent()]).values()
    assert row["over"] is True
    assert row["where"] == "inbound, 5555"


def test_calls_are_in_the_order_of_their_beginning() -> None:
    later = datetime.fromtimestamp(T0 + 60, UTC).isoformat()
    calls = {"late": live_call(callID="late", startedAt=later), "c1": live_call()}
    rows = call_rows(calls, {"c1": event(Active, DialogState.ACTIVE)}, [])
    assert sorted(rows, key=lambda key: str(rows[key]["order"])) == ["c1", "late"]


def test_figures_that_were_told() -> None:
    stats = LiveStats.model_validate({"SLA": 92.5, "averageWaitingTime": 75, "totalHoldTime": 3700, "totalAgents": 0})
    rows = figure_rows(stats)
    assert {key: (row["text"], row["main"]) for key, row in rows.items()} == {
        "sla": ("92.5", True),
        "average_waiting_time": ("1:15", True),
        "total_hold_time": ("1:01:40", False),
        "total_agents": ("0", False),
    }


def test_every_figure_of_the_model_has_a_title() -> None:
    everything = {name: timedelta(seconds=1) for name in LiveStats.model_fields}
    rows = figure_rows(LiveStats.model_construct(**everything))  # type: ignore[arg-type]
    assert set(rows) == set(LiveStats.model_fields)
    assert len({row["name"] for row in rows.values()}) == len(rows)


def test_rows_are_json() -> None:
    rows = call_rows({}, {"c1": event(Active, DialogState.ACTIVE, direction=Direction.INBOUND.value)}, [])
    assert json.loads(json.dumps(rows)) == rows
