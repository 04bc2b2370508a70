"""Collections keyed by id or lists, empty in two ways; records that stay, records that cannot be read; the models."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ziwo_async.live.models import (
    AgentTotals,
    LiveAgent,
    LiveCall,
    LivePosition,
    LiveQueue,
    LiveStats,
    LiveStatus,
    WaitingCall,
)
from ziwo_async.live.snapshots import Keyed, Rows, Single
from ziwo_async.models.base import read
from ziwo_async.models.presence import AgentStatus

AGENT = {
    "id": 7, "ccLogin": "0011", "firstName": "Ada", "lastName": "L", "photo": None, "ccPassword": "CANARY",
    "liveInfo": {"status": "On Break", "state": "Waiting", "lastStatusChangeEPOCH": "1700000000"},
    "queues": [{"id": 3, "name": "sales"}],
}  # fmt: skip
MEMBER = {
    "callID": "c", "sessionUUID": "s", "callerID": "+97150", "callerName": "Bo", "systemEPOCH": "1700000000",
    "joinedEPOCH": "1700000005", "bridgeEPOCH": "0", "agentCCLogin": "unknown", "queueName": "sales",
    "state": "Waiting", "score": "12",
}  # fmt: skip


@pytest.mark.parametrize("content", [{"7": AGENT}, [AGENT], {"7": {k: v for k, v in AGENT.items() if k != "id"}}])
def test_agents_come_keyed_or_as_a_list(content: Any) -> None:
    found = Keyed(LiveAgent)(content)
    assert found is not None
    assert list(found) == ["7"]
    agent = found["7"]
    assert (agent.id, agent.cc_login, agent.name) == ("7", "0011", "Ada L")
    assert (agent.status, agent.since) == (AgentStatus.ON_BREAK, datetime.fromtimestamp(1_700_000_000, UTC))
    assert [(queue.id, queue.name) for queue in agent.queues] == [("3", "sales")]
    assert "CANARY" not in repr(agent) + agent.model_dump_json()


@pytest.mark.parametrize("content", [[], {}, None])
def test_empty_has_three_spellings(content: Any) -> None:
    assert Keyed(LiveAgent)(content) == {}
    assert Rows(WaitingCall, "callID")(content) == ()


@pytest.mark.parametrize("content", ["text", 5, True])
def test_what_is_no_collection_is_none(content: Any) -> None:
    assert Keyed(LiveAgent)(content) is None
    assert Rows(WaitingCall, "callID")(content) is None
    assert Single(LiveStats)(content) is None


def test_a_record_that_did_not_change_keeps_its_model() -> None:
    read = Keyed(LiveAgent)
    other = AGENT | {"id": 8}
    first = read({"7": dict(AGENT), "8": dict(other)})
    second = read({"7": dict(AGENT), "8": other | {"firstName": "Eve"}})
    assert first is not None
    assert second is not None
    assert second["7"] is first["7"]
    assert second["8"] is not first["8"]
    assert second["8"].first_name == "Eve"
    third = read({"8": dict(other)})
    assert third is not None
    assert list(third) == ["8"]


def test_a_record_that_cannot_be_read_costs_only_itself(caplog: pytest.LogCaptureFixture) -> None:
    read = Keyed(LiveAgent)
    found = read({"7": AGENT, "8": "text", "9": AGENT | {"id": {"no": "id"}}})
    assert found is not None
    assert list(found) == ["7"]
    assert "left out" in caplog.text
    caplog.clear()
    for _ in range(100):
        read([{"firstName": "no id"}])
    assert 0 < len(caplog.records) < 12


def test_an_empty_presence_is_none() -> None:
    for empty in ([], {}, None):
        agent = LiveAgent.model_validate(AGENT | {"liveInfo": empty})
        assert (agent.live_info, agent.status, agent.since) == (None, None, None)
    assert LiveAgent(id="9").name == "9"


@pytest.mark.parametrize("name", ["liveCalls", "calls"])
def test_a_queue_has_its_calls_under_either_name(name: str) -> None:
    content = {"3": {"id": 3, "name": "sales", "agents": {"7": AGENT}, name: [MEMBER, {"state": "Answered"}]}}
    found = Keyed(LiveQueue)(content)
    assert found is not None
    queue = found["3"]
    assert [call.state for call in queue.live_calls] == ["Waiting", "Answered"]
    assert [call.caller_number for call in queue.waiting] == ["+97150"]
    assert "CANARY" not in repr(queue) + queue.model_dump_json()


def test_a_waiting_call_is_all_strings_on_the_wire() -> None:
    found = Rows(WaitingCall, "callID")([MEMBER])
    assert found is not None
    [call] = found
    assert (call.call_id, call.session_uuid, call.caller_id, call.queue_name) == ("c", "s", "+97150", "sales")
    assert call.joined_at == datetime.fromtimestamp(1_700_000_005, UTC)
    assert (call.bridged_at, call.agent, call.score) == (None, None, 12)


@pytest.mark.parametrize("name", ["callerIDNumber", "callerID", "originalCallerIdNumber"])
def test_a_live_call_is_read_by_whatever_name_it_uses(name: str) -> None:
    found = Keyed(LiveCall, "callID")({"c": {name: "+97150", "callState": "ACTIVE", "createdEPOCH": "1700000000"}})
    assert found is not None
    call = found["c"]
    assert (call.call_id, call.caller_number, call.state) == ("c", "+97150", "ACTIVE")
    assert call.started_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert call.model_extra is not None
    assert call.model_extra["callState"] == "ACTIVE"


@pytest.mark.parametrize(
    ("model", "row", "field"),
    [
        (LiveCall, {"callID": "c", "startDateTime": [1]}, "started_at"),
        (LiveCall, {"callID": "c", "answeredAt": None, "bridgeEPOCH": "never"}, "answered_at"),
        (LiveCall, {"callID": "c", "answeredAt": "never", "bridgeEPOCH": "1700000000"}, "answered_at"),
        (LiveCall, {"callID": "c", "callState": {"no": "word"}}, "state"),
        (LiveQueue, {"id": 3, "calls": 5}, "live_calls"),
    ],
)
def test_a_field_that_cannot_be_read_under_another_spelling_costs_only_itself(
    model: type[LiveCall | LiveQueue], row: dict[str, Any], field: str
) -> None:
    made = read(model, row)
    assert not isinstance(made, str)
    assert not getattr(made, field)
    assert set(made.unreadable) == {str(model.model_fields[field].alias)}
    assert [value for value in made.unreadable.values() if value not in row.values()] == []


def test_stats_are_read_by_ziwo_s_names_and_an_unknown_one_is_kept() -> None:
    stats = Single(LiveStats)({"SLA": 93.5, "totalACDCalls": "4", "averageWaitingTime": "12", "newOne": 1})
    assert stats is not None
    assert (stats.sla, stats.total_acd_calls, stats.average_waiting_time) == (93.5, 4, timedelta(seconds=12))
    assert stats.figures() == {"SLA": 93.5, "totalACDCalls": 4, "averageWaitingTime": 12.0}
    assert stats.model_extra == {"newOne": 1}
    assert Single(LiveStats)([]) == LiveStats()


def test_the_smaller_models() -> None:
    status = Single(LiveStatus)({"force": False, "since": 1_700_000_000, "status": "Meeting", "source": "agent"})
    assert status is not None
    assert (status.status, status.since) == (AgentStatus.MEETING, datetime.fromtimestamp(1_700_000_000, UTC))
    totals = Keyed(AgentTotals)({"7": {"totalInboundCalls": 3, "totalInboundDuration": 60}})
    assert totals is not None
    assert (totals["7"].id, totals["7"].total_inbound_duration) == ("7", timedelta(minutes=1))
    positions = Keyed(LivePosition)(
        [{"id": 1, "name": "agent-0011", "connected": True, "agent": {"ccPassword": "CANARY"}}]
    )
    assert positions is not None
    assert positions["1"].connected is True
    assert "CANARY" not in repr(positions)
