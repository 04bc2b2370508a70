"""Every event and its shape, heard by real clients of both generations, while phones make the calls."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from ziwo_async.simulator import SimAgent, Simulator, World

from ..api import Api, dial, hangs_up, phone, picks_up
from ..client import Connect
from .conftest import Listen

KPIS = (
    "SLA",
    "totalACDCalls",
    "totalIVRLandedCalls",
    "totalLostInIVRCalls",
    "totalCleanCallsIn",
    "totalPhantomCallsIn",
    "totalTransferredCalls",
    "totalAbandonedCalls",
    "percentageAbandonedCalls",
    "totalVoicemails",
    "totalQueueAnsweredCalls",
    "answerSeizureRatio",
    "averageCallsAnsweredPerAgent",
    "averageWaitingTime",
    "averageAbandonTime",
    "averageInboundHandleTime",
    "averageInboundTalkTime",
    "averageSpeedOfAnswer",
    "averageQueueTalkTime",
    "totalInboundTalkTime",
    "totalOutgoingCalls",
    "totalCleanCallsOut",
    "totalPhantomCallsOut",
    "averageOutboundHandleTime",
    "averageOutboundTalkTime",
    "totalOutboundTalkTime",
    "totalAgentsLoggedIn",
    "totalAgentsOnCall",
    "totalAgentsOnAvailableStatus",
    "totalAgentsOnBreakStatus",
    "totalAgentsOnMeetingStatus",
    "totalAgentsOnOutgoingStatus",
    "totalHoldTime",
    "totalAgents",
)

MEMBER = {
    "callID",
    "sessionUUID",
    "callerID",
    "callerName",
    "systemEPOCH",
    "joinedEPOCH",
    "bridgeEPOCH",
    "agentCCLogin",
    "queueName",
    "state",
    "score",
}


@pytest.fixture
def admin(world: World) -> SimAgent:
    """Agent 5555, who may do everything, listens; 0011 works."""
    return world.agent("5555")


@pytest.fixture
def agent(world: World) -> SimAgent:
    agent = world.agent("0011")
    world.queue("Sales", agents=[agent])
    agent.set_status("Available")
    agent.set_ready(True)
    return agent


# ---- one's own ---------------------------------------------------------------------------------------------------


async def test_the_own_status_is_answered_and_pushed(listen: Listen, world: World, agent: SimAgent) -> None:
    agent.rights.clear()
    ear = await listen(agent)
    before = datetime.now(UTC).timestamp()
    status = await ear.content("GET /live/status")
    assert status == {"force": False, "since": status["since"], "status": "Available", "source": "agent"}
    assert isinstance(status["since"], int)
    assert abs(status["since"] - before) < 60
    await ear.emit("subscribe", "GET /live/status")
    agent.set_status("Logged Out", source="fs-disconnect")
    gone = await ear.update("GET /live/status")
    assert (gone["status"], gone["source"]) == ("Logged Out", "fs-disconnect")
    world.agent("5555").set_status("Meeting")  # somebody else's is not told
    agent.set_status("On Break")
    assert (await ear.update("GET /live/status"))["status"] == "On Break"


async def test_the_profile_is_the_one_of_rest(listen: Listen, api: Api, agent: SimAgent) -> None:
    ear = await listen(agent)
    profile = await ear.content("GET /profile")
    assert profile == (await api.get("/profile")).content
    await api("PUT", "/agents", json={"firstName": "Amal"})
    assert (await ear.update("GET /profile"))["firstName"] == "Amal"


# ---- agents, queues, calls -----------------------------------------------------------------------------------------


async def test_agents_with_presence_and_queues(listen: Listen, world: World, admin: SimAgent, agent: SimAgent) -> None:
    ear = await listen(admin)
    agents = await ear.content("GET /live/agents")
    assert set(agents) == {str(one.id) for one in world.agents}
    row = agents[str(agent.id)]
    assert set(row) == {"id", "ccLogin", "firstName", "lastName", "photo", "liveInfo", "queues"}
    assert (row["id"], row["ccLogin"]) == (agent.id, "0011")
    assert row["queues"] == [{"id": world.queue("Sales").id, "name": "Sales"}]
    assert set(row["liveInfo"]) == {
        "callsAnswered",
        "contactString",
        "lastBridgeEPOCH",
        "lastStatusChangeEPOCH",
        "lastUnBridgeEPOCH",
        "noAnswerCount",
        "position",
        "state",
        "status",
        "talkTime",
        "wrapUpTime",
    }
    assert all(isinstance(value, str) for value in row["liveInfo"].values())
    assert (row["liveInfo"]["status"], row["liveInfo"]["state"]) == ("Available", "Waiting")
    agent.set_status("On Break")
    pushed = await ear.update("GET /live/agents")
    assert pushed[str(agent.id)]["liveInfo"]["status"] == "On Break"
    assert "ccPassword" not in str(pushed)


async def test_a_queue_call_from_waiting_to_its_record(
    listen: Listen, world: World, connect: Connect, admin: SimAgent, agent: SimAgent
) -> None:
    queue = world.queue("Sales")
    agent.set_status("On Break")
    client = await phone(connect, agent)
    ear = await listen(admin)
    for name in ("GET /live/queues", "GET /live/queueCalls", "GET /live/calls", "GET /live/agents"):
        await ear.content(name)
    await ear.emit("subscribe", "GET /callHistory")

    call = await world.customer("+971501").dials(queue)
    (waiting,) = await ear.update("GET /live/queueCalls")
    assert set(waiting) == MEMBER
    assert all(isinstance(value, str) for value in waiting.values())
    assert waiting["callID"] == call.primary_call_id
    assert (waiting["callerID"], waiting["callerName"], waiting["queueName"]) == ("+971501", "Customer", "Sales")
    assert (waiting["state"], waiting["bridgeEPOCH"], waiting["agentCCLogin"]) == ("Waiting", "0", "unknown")
    row = (await ear.update("GET /live/queues"))[str(queue.id)]
    assert set(row) == {"id", "name", "agents", "liveCalls"}
    assert row["agents"][str(agent.id)]["ccLogin"] == "0011"
    assert [(one["callID"], one["state"]) for one in row["liveCalls"]] == [(call.primary_call_id, "Waiting")]
    live = (await ear.update("GET /live/calls"))[call.primary_call_id]
    assert (live["direction"], live["queueName"], live["callerIDNumber"]) == ("inbound", "Sales", "+971501")
    assert (live["agentCCLogin"], live["answeredAt"]) == ("unknown", None)
    assert not {"endedAt", "callState"} & set(live)

    agent.set_status("Available")
    (trying,) = await ear.until("GET /live/queueCalls", lambda rows: rows[0]["state"] == "Trying")
    assert trying["agentCCLogin"] == "0011"
    await ear.until("GET /live/agents", lambda found: found[str(agent.id)]["liveInfo"]["state"] == "Receiving")
    await ear.until("GET /live/calls", lambda found: found[call.primary_call_id].get("callState") == "RINGING")

    leg = await picks_up(client)
    assert await ear.until("GET /live/queueCalls", lambda rows: not rows) == []
    row = (await ear.until("GET /live/queues", _answered(queue.id)))[str(queue.id)]
    (served,) = row["liveCalls"]
    assert int(served["bridgeEPOCH"]) > 0
    live = (await ear.until("GET /live/calls", lambda found: found[call.primary_call_id]["answeredAt"]))[
        call.primary_call_id
    ]
    assert (live["agentCCLogin"], live["agentId"], live["callState"]) == ("0011", agent.id, "ACTIVE")
    await ear.until("GET /live/agents", lambda found: found[str(agent.id)]["liveInfo"]["state"] == "In a queue call")

    await client.ask("verto.modify", dialogParams={"callID": leg}, action="hold")
    await ear.until("GET /live/calls", lambda found: found[call.primary_call_id]["callState"] == "HELD")

    await hangs_up(client, leg)
    assert await ear.next("GET /callHistory") == {
        "result": True,
        "content": {"callID": call.primary_call_id},
        "info": {"status": 200},
    }
    assert await ear.until("GET /live/calls", lambda found: not found) == []
    done = await ear.until("GET /live/agents", lambda found: found[str(agent.id)]["liveInfo"]["state"] == "Waiting")
    assert done[str(agent.id)]["liveInfo"]["callsAnswered"] == "1"
    assert int(done[str(agent.id)]["liveInfo"]["lastUnBridgeEPOCH"]) > 0
    assert ear.silent("GET /callHistory")  # once


def _answered(queue_id: int) -> Any:
    def look(found: Any) -> bool:
        return [one["state"] for one in found[str(queue_id)]["liveCalls"]] == ["Answered"]

    return look


async def test_an_outbound_call_is_live_and_recorded(
    listen: Listen, world: World, connect: Connect, admin: SimAgent, agent: SimAgent
) -> None:
    world.customer("+972").will(answer_after=0.05)
    client = await phone(connect, agent)
    ear = await listen(admin)
    await ear.content("GET /live/calls")
    await ear.emit("subscribe", "GET /callHistory")
    dial(client, "+972", "out-1")
    live = await ear.until("GET /live/calls", lambda found: found and found["out-1"].get("callState") == "ACTIVE")
    assert (live["out-1"]["direction"], live["out-1"]["didCalled"]) == ("outbound", "+972")
    await hangs_up(client, "out-1")
    assert await ear.update("GET /callHistory") == {"callID": "out-1"}


# ---- directories ---------------------------------------------------------------------------------------------------


async def test_numbers_and_positions(
    listen: Listen, world: World, connect: Connect, admin: SimAgent, agent: SimAgent, api: Api
) -> None:
    ear = await listen(admin)
    assert await ear.content("GET /live/numbers") == []
    number = world.add_number("+97144", link=world.queue("Sales"))
    numbers = await ear.update("GET /live/numbers")
    assert (numbers[str(number.id)]["did"], numbers[str(number.id)]["linkType"]) == ("+97144", "queue")
    before = await ear.content("GET /live/positions")
    assert before[str(agent.id)] == {
        "id": agent.id,
        "name": "agent-0011",
        "type": "verto",
        "connected": False,
        "agent": before[str(agent.id)]["agent"],
        "liveInfo": [],
    }
    await phone(connect, agent)
    after = await ear.until("GET /live/positions", lambda found: found[str(agent.id)]["connected"])
    live = after[str(agent.id)]["liveInfo"]
    assert set(live) == {"device", "networkIP", "pingStatus", "pingTime", "position"}
    assert live["position"] == "agent-0011"
    assert "ccPassword" not in str(after)


# ---- numbers of the day --------------------------------------------------------------------------------------------


async def test_statistics_out_of_history_and_live_world(
    listen: Listen, world: World, admin: SimAgent, agent: SimAgent
) -> None:
    ear = await listen(admin)
    queue = world.queue("Sales")
    first = await ear.content("GET /live/stats")
    assert sorted(first) == sorted(KPIS)
    assert all(isinstance(value, int | float) for value in first.values())
    assert (first["totalAgents"], first["totalAgentsLoggedIn"], first["totalAgentsOnAvailableStatus"]) == (2, 1, 1)
    assert (first["SLA"], first["totalACDCalls"]) == (100, 0)
    by_agents = "GET /live/statistics/channels/calls/by/agents"
    by_queues = "GET /live/statistics/channels/calls/by/queues"
    assert (await ear.content(by_queues))[str(queue.id)] == {"totalQueueLandedCalls": 0}
    assert (await ear.content(by_agents))[str(agent.id)] == {
        "totalInboundCalls": 0,
        "totalQueueAnsweredCalls": 0,
        "totalInboundDuration": 0,
    }
    began = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)  # today, whatever the time is
    add = world.history.add
    add(customer="+1", agent=agent, queue=queue, wait=5, ring=5, talk=60, hold=7, started_at=began)
    add(customer="+2", agent=agent, queue=queue, wait=35, ring=5, talk=120, started_at=began)
    add(customer="+3", queue=queue, wait=30, result="cancel", started_at=began)
    add(customer="+4", wait=1, result="cancel", started_at=began)
    add(customer="+5", agent=agent, direction="outbound", ring=3, talk=30, started_at=began)
    add(customer="+6", agent=agent, direction="outbound", ring=9, started_at=began)
    stats = await ear.until("GET /live/stats", lambda found: found["totalOutgoingCalls"] == 2)
    expected = {
        "SLA": 33.33,
        "totalACDCalls": 3,
        "totalCleanCallsIn": 3,
        "totalPhantomCallsIn": 1,
        "totalAbandonedCalls": 2,
        "percentageAbandonedCalls": 50,
        "totalQueueAnsweredCalls": 2,
        "answerSeizureRatio": 50,
        "averageCallsAnsweredPerAgent": 2,
        "averageWaitingTime": 20,
        "averageAbandonTime": 16,
        "averageSpeedOfAnswer": 25,
        "averageQueueTalkTime": 90,
        "averageInboundTalkTime": 90,
        "averageInboundHandleTime": 90,
        "totalInboundTalkTime": 180,
        "totalCleanCallsOut": 2,
        "totalPhantomCallsOut": 0,
        "averageOutboundTalkTime": 30,
        "averageOutboundHandleTime": 30,
        "totalOutboundTalkTime": 30,
        "totalHoldTime": 7,
        "totalAgentsOnCall": 0,
        "totalVoicemails": 0,
        "totalTransferredCalls": 0,
    }
    assert {name: stats[name] for name in expected} == expected
    assert (await ear.content(by_queues))[str(queue.id)] == {"totalQueueLandedCalls": 3}
    assert (await ear.content(by_agents))[str(agent.id)] == {
        "totalInboundCalls": 2,
        "totalQueueAnsweredCalls": 2,
        "totalInboundDuration": 230,
    }


async def test_agents_on_calls_and_breaks_are_counted_and_transfers_too(
    listen: Listen, world: World, connect: Connect, admin: SimAgent, agent: SimAgent
) -> None:
    other = world.add_agent("0012")
    client, second = await phone(connect, agent), await phone(connect, other)
    ear = await listen(admin)
    await ear.content("GET /live/stats")
    other.set_status("Meeting")
    await ear.until("GET /live/stats", lambda found: found["totalAgentsOnMeetingStatus"] == 1)
    await world.customer("+971501").dials(agent)
    leg = await picks_up(client)
    await ear.until("GET /live/stats", lambda found: found["totalAgentsOnCall"] == 1)
    await client.ask("verto.modify", dialogParams={"callID": leg}, action="transfer", destination="0012")
    await ear.until("GET /live/stats", lambda found: found["totalAgentsOnCall"] == 0)
    taken = await picks_up(second)
    await ear.until("GET /live/stats", lambda found: found["totalAgentsOnCall"] == 1)
    await hangs_up(second, taken)
    await ear.until("GET /live/stats", lambda found: found["totalTransferredCalls"] == 1)


# ---- who may see what, and when it is told -------------------------------------------------------------------------


async def test_only_admins_see_the_floor(listen: Listen, world: World, agent: SimAgent) -> None:
    agent.rights.clear()
    ear = await listen(agent)
    refused = await ear.ask("GET /live/agents")
    assert (refused["result"], refused["info"]) == (False, {"status": 403})
    await ear.emit("subscribe", "GET /callHistory")
    assert (await ear.next("GET /callHistory"))["info"] == {"status": 403}
    world.history.add(customer="+1")
    agent.set_status("Meeting")
    assert (await ear.content("GET /live/status"))["status"] == "Meeting"
    assert ear.silent("GET /callHistory", "GET /live/agents")


async def test_an_unknown_event_is_told_to_be_unknown(listen: Listen) -> None:
    ear = await listen()
    unknown = await ear.ask("GET /nonsense")
    assert (unknown["result"], unknown["info"]) == (False, {"status": 404})


async def test_changes_are_coalesced_and_only_changes_are_told(
    listen: Listen, world: World, admin: SimAgent, agent: SimAgent
) -> None:
    ear = await listen(admin)
    await ear.content("GET /live/agents")
    await ear.content("GET /live/numbers")
    for status in ("On Break", "Meeting", "Outgoing"):
        agent.set_status(status)
    pushed = await ear.update("GET /live/agents")
    assert pushed[str(agent.id)]["liveInfo"]["status"] == "Outgoing"
    world.watch.poke()  # nothing has changed
    await ear.content("GET /live/queues")
    assert ear.silent("GET /live/agents", "GET /live/numbers")


async def test_an_event_is_told_once_in_an_interval(
    listen: Listen, sim: Simulator, world: World, admin: SimAgent, agent: SimAgent
) -> None:
    ear = await listen(admin)
    await ear.content("GET /live/agents")
    times: list[float] = []
    hub = sim.live.hub
    # What is done before the telling takes time of its own.
    member = hub.join(admin, lambda name, payload: times.append(hub._pushed_at))
    member.subscribe("GET /live/agents")
    for status in ("On Break", "Meeting", "Outgoing", "Available"):
        agent.set_status(status)
        await ear.until("GET /live/agents", lambda found, want=status: _status(found, agent) == want)
    gaps = [after - before for before, after in pairwise(times)]
    assert len(times) == 4
    assert min(gaps) > 0.049  # a timer of the loop may be a tick early


def _status(found: Any, agent: SimAgent) -> str:
    return str(found[str(agent.id)]["liveInfo"]["status"])


async def test_the_heartbeat_of_the_android_app_is_counted_and_not_answered(listen: Listen, sim: Simulator) -> None:
    ear = await listen()
    await ear.emit("heartbeat", "ping")
    await ear.content("GET /live/status")
    assert sim.live.connections[0].heartbeats == 1
    assert ear.silent()


# ---- quirks --------------------------------------------------------------------------------------------------------


async def test_payloads_as_text_and_null(listen: Listen, sim: Simulator) -> None:
    sim.live.quirks.text_payloads = True
    ear = await listen()
    text = await ear.ask("GET /live/status")
    assert isinstance(text, str)
    assert text.startswith('{"result": true')
    sim.live.quirks.text_payloads = False
    sim.live.quirks.null_payloads = True
    assert await ear.ask("GET /live/stats") is None  # type: ignore[comparison-overlap, unused-ignore]
    assert (await ear.next("GET /live/stats"))["result"] is True


async def test_collections_as_lists_and_empty_ones(
    listen: Listen, sim: Simulator, world: World, admin: SimAgent
) -> None:
    ear = await listen(admin)
    assert await ear.content("GET /live/queues") == []
    sim.live.quirks.empty_as_list = False
    assert await ear.content("GET /live/queues") == {}
    sim.live.quirks.lists = True
    sim.live.quirks.empty_live_info = True
    rows = await ear.content("GET /live/agents")
    assert [row["ccLogin"] for row in rows] == ["0011", "5555"]
    assert [row["liveInfo"] for row in rows] == [[], []]


async def test_calls_of_queues_under_their_older_name_and_kept_until_they_end(
    listen: Listen, sim: Simulator, world: World, connect: Connect, admin: SimAgent, agent: SimAgent
) -> None:
    sim.live.quirks.calls_of_queues = True
    sim.live.quirks.keep_answered = True
    ear = await listen(admin)
    client = await phone(connect, agent)
    await ear.content("GET /live/queueCalls")
    await world.customer("+971501").dials(world.queue("Sales"))
    await picks_up(client)
    (row,) = await ear.until("GET /live/queueCalls", lambda rows: rows and rows[0]["bridgeEPOCH"] != "0")
    assert (row["state"], row["agentCCLogin"]) == ("Answered", "0011")
    queues = await ear.content("GET /live/queues")
    assert [one["state"] for one in queues[str(world.queue("Sales").id)]["calls"]] == ["Answered"]


async def test_events_come_unasked_as_in_2018(listen: Listen, sim: Simulator, world: World, admin: SimAgent) -> None:
    sim.live.quirks.push_unasked = True
    ear = await listen(admin)
    record = world.history.add(customer="+1")
    assert await ear.update("GET /callHistory") == {"callID": record.call_id}
    assert (await ear.update("GET /live/stats"))["totalAgents"] == 2
