"""An agent's own session: presence, queues, directories."""

from __future__ import annotations

import pytest

from ziwo_async.simulator import World

from .api import Api, phone


async def test_statuses_of_the_contact_centre(api: Api, world: World) -> None:
    world.add_status(7, "Prayer", "break")
    world.add_status(8, "Old", enabled=False)
    rows = await api.rows("/agent/statuses", enabled="true")
    assert [(row["id"], row["name"]) for row in rows] == [
        (0, "Logged Out"),
        (1, "Available"),
        (2, "On Break"),
        (3, "Meeting"),
        (4, "Outgoing"),
        (7, "Prayer"),
    ]
    assert await api.ids("/agent/statuses/", enabled="false") == [8]
    assert len(await api.ids("/agent/statuses")) == 7


async def test_a_custom_status_by_its_number(api: Api, world: World) -> None:
    world.add_status(7, "Prayer", "break")
    world.add_status(8, "Old", enabled=False)
    assert (await api("PUT", "/agents/status", json={"number": 7, "comment": "back at one"})).content == {}
    agent = world.agent("0011")
    assert (agent.status, agent.status_comment) == ("Prayer", "back at one")
    for number in ("8", "99", "-1", "Prayer"):
        assert (await api("PUT", "/agents/status", data={"number": number})).status == 400
    assert (await api("PUT", "/agents/status", data={"number": "1"})).status == 200
    assert (agent.status, agent.status_comment) == ("Available", "")


async def test_queues_ring_in_every_status_that_is_available(api: Api, world: World, connect) -> None:
    agent = world.agent("0011")
    world.add_status(9, "Back office", "available")
    world.add_status(10, "Lunch", "break")
    client = await phone(connect, agent)
    agent.set_ready(True)
    queue = world.queue("sales", agents=[agent])
    await api("PUT", "/agents/status", data={"number": "10"})
    call = await world.customer("+971").dials(queue)
    assert call.state == "waiting"
    await api("PUT", "/agents/status", data={"number": "9"})
    await client.expect("verto.invite")
    assert call.state == "ringing"


async def test_the_position_must_be_ones_own(api: Api, world: World) -> None:
    assert (await api("PUT", "/agents/autologin/agent-5555", json={})).status == 404
    assert not world.agent("0011").ready
    assert (await api("PUT", "/agents/autoLogin/agent-0011", json={})).status == 200
    assert world.agent("0011").ready


async def test_colleagues(api: Api, world: World) -> None:
    world.add_agent("0001", first_name="Zoe")
    world.agent("5555").first_name = "Bea"
    rows = await api.rows("/agent/agents", order="firstName")
    assert [row["ccLogin"] for row in rows] == ["0011", "5555", "0001"]
    assert rows[0]["liveInfo"] == {"state": "Waiting", "status": "Logged Out"}
    backwards = await api.get("/agent/agents/", order="~firstName", limit="1", skip="1")
    assert [row["firstName"] for row in backwards.content] == ["Bea"]
    assert backwards.info == {"totalRecords": 3}
    assert (await api.get("/agent/agents", order="salary")).status == 400
    assert "ccPassword" not in str(rows)


async def test_queues_of_the_agent_and_of_all(api: Api, world: World) -> None:
    mine = world.queue("mine", agents=[world.agent("0011")])
    world.queue("other", agents=[world.agent("5555")])
    rows = await api.rows("/agents/channels/calls/listQueues")
    assert [row["name"] for row in rows] == ["mine"]
    assert isinstance(rows[0]["timeslots"], str)
    assert rows[0]["extension"] == mine.extension
    assert "agents" not in rows[0]
    (plain,) = await api.rows("/agent/queues", limit=1, skip=1)
    assert plain["name"] == "other"
    assert not {"agents", "stats"} & set(plain)
    rows = await api.rows("/agent/queues?limit=500&skip=0&dataset=agents&dataset=stats")
    assert [[agent["ccLogin"] for agent in row["agents"]] for row in rows] == [["0011"], ["5555"]]
    assert rows[0]["stats"]["totalWaitingCalls"] == 0


@pytest.mark.parametrize("slash", ["", "/"])
async def test_numbers_and_agents(api: Api, world: World, slash: str) -> None:
    queue = world.queue("sales")
    world.add_number("97144508146", link=queue, display="04 450 8146")
    world.add_number("97140000001", link=world.add_tracker("masking"))
    world.add_number("97140000002")
    rows = await api.rows(f"/agents/channels/calls/listNumbers{slash}")
    assert [(row["linkType"], row["linkData"]) for row in rows] == [
        ("queue", "sales"),
        ("callTracker", "masking"),
        ("none", ""),
    ]
    assert (rows[0]["did"], rows[0]["didDisplay"], rows[0]["timeslots"]) == ("97144508146", "04 450 8146", [])
    rows = await api.rows(f"/agents/channels/calls/listAgents{slash}")
    assert [row["ccLogin"] for row in rows] == ["0011", "5555"]
