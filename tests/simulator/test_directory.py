"""The admins' directories, and skills."""

from __future__ import annotations

import pytest

from ziwo_async.simulator import Simulator, SimulatorError, World

from .api import Api


async def test_no_page_of_an_admin_is_longer_than_fifty(api: Api, world: World, sim: Simulator) -> None:
    for number in range(120):
        world.add_number(f"9714{number:07d}")
    seen: list[int] = []
    for skip in (0, 50, 100):
        answer = await api.get("/admin/numbers/", limit="500", skip=str(skip))
        assert answer.info == {"totalRecords": 120}
        seen += [row["id"] for row in answer.content]
    assert seen == list(range(1, 121))
    assert len(await api.ids("/admin/numbers")) == 50
    assert await api.ids("/admin/numbers/", limit=2, skip=118, order="did") == [119, 120]
    assert await api.ids("/admin/numbers/", limit=2, order="~did") == [120, 119]
    assert await api.ids("/admin/numbers/", skip=200) == []
    assert (await api.get("/admin/numbers/", limit="many")).status == 400
    sim.rest.quirks.admin_limit = 1000
    assert len(await api.ids("/admin/numbers/", limit=500)) == 120
    with pytest.raises(SimulatorError, match="already"):
        world.add_number("97140000000")


async def test_agents_and_users(api: Api, world: World) -> None:
    world.add_user("boss@acme.example")
    agents = await api.rows("/admin/agents/")
    assert [row["ccLogin"] for row in agents] == ["0011", "5555"]
    assert agents[0]["liveInfo"]["status"] == "Logged Out"
    users = await api.rows("/admin/users", limit=50, skip=0)
    assert [(row["type"], row["username"]) for row in users][-1] == ("admin", "boss@acme.example")
    assert len({row["id"] for row in users}) == 3
    assert not any(world.agent(login).cc_password in str([agents, users]) for login in ("0011", "5555"))


async def test_skills_put_agents_into_queues(api: Api, world: World) -> None:
    agent, queue = world.agent("0011"), world.queue("sales")
    rows = await api.rows("/admin/skills/listQueues/")
    assert [(row["id"], row["agents"]) for row in rows] == [(queue.id, [])]
    path = f"/admin/skills/agents/{agent.id}"
    for _ in range(2):
        answer = await api("POST", f"{path}/", json={"queue": queue.id, "priority": "1"})
        assert (answer.status, answer.content) == (200, {})
    assert (queue.agents, queue.priorities) == ([agent], {agent.id: 1})
    (row,) = await api.rows("/admin/queues/")
    assert [found["ccLogin"] for found in row["agents"]] == ["0011"]
    assert (await api("DELETE", f"{path}/{queue.id}")).content == {}
    assert queue.agents == []
    assert (await api("DELETE", f"{path}/{queue.id}")).status == 404
    assert (await api("POST", path, json={"queue": 99, "priority": "1"})).status == 404
    assert (await api("POST", "/admin/skills/agents/99/", json={"queue": queue.id})).status == 404
    assert (await api("POST", path, json={"queue": queue.id, "priority": "high"})).status == 400
