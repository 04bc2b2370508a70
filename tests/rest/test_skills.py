"""Skills: which agent serves which queue."""

from __future__ import annotations

import json

import pytest

from ziwo_async.errors import ConfigError, Forbidden, NotFound
from ziwo_async.rest.auth import Credentials
from ziwo_async.rest.skills import SkillsResource
from ziwo_async.testing import serve


@pytest.fixture
def skills(kit, ziwo):
    return SkillsResource(kit.transport(ziwo.url))


async def test_queues(skills, ziwo, kit):
    ziwo.answers("GET", "/admin/skills/listQueues/", lambda: kit.ok([{"id": 1, "name": "Sales"}]))
    (queue,) = await skills.queues()
    assert (queue.id, queue.name) == (1, "Sales")


@pytest.mark.parametrize(("options", "priority"), [({}, "1"), ({"priority": 3}, "3")])
async def test_add_sends_the_priority_as_text(skills, ziwo, kit, options, priority):
    bodies = []

    async def add(request):
        bodies.append((request.content_type, json.loads(await request.text())))
        return kit.ok({})

    ziwo.on("POST", "/admin/skills/agents/7/", add)
    await skills.add(7, 12, **options)
    assert bodies == [("application/json", {"queue": 12, "priority": priority})]


async def test_remove(skills, ziwo):
    await skills.remove(7, 12)
    assert ziwo.seen[-1] == ("DELETE", "/admin/skills/agents/7/12")


async def test_ids_stay_in_their_segment(skills, ziwo):
    await skills.remove("7/8?x=1", "a b")  # an id of another type than annotated still goes nowhere else
    assert ziwo.raw_paths[-1] == "/admin/skills/agents/7%2F8%3Fx%3D1/a%20b"
    for agent, queue in (("", 1), ("..", 1), (1, "\n"), ("7/../8", 1)):
        with pytest.raises(ConfigError):
            await skills.remove(agent, queue)
    with pytest.raises(ConfigError):
        await skills.add("", 1)


async def test_without_the_right(kit, ziwo):
    ziwo.answers("POST", "/admin/skills/agents/7/", lambda: kit.failed(403, "admins only"))
    with pytest.raises(Forbidden, match="admins only"):
        await SkillsResource(kit.transport(ziwo.url)).add(7, 12)


async def test_an_agent_enters_and_leaves_a_queue(kit):
    async with serve() as world:
        agent, queue = world.agent("0011"), world.queue("Sales", agents=[])
        transport = kit.transport(world.api_url, Credentials.from_password(agent.username, agent.password))
        skills = SkillsResource(transport)
        (found,) = await skills.queues()
        assert found.id == queue.id
        await skills.add(agent.id, found.id, priority=2)
        assert queue.agents == [agent]
        assert queue.priorities == {agent.id: 2}
        await skills.remove(agent.id, found.id)
        assert queue.agents == []
        with pytest.raises(NotFound):
            await skills.remove(agent.id, found.id)
