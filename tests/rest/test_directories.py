"""Agents, users, queues and numbers: the lists, and what a record is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from ziwo_async.errors import BadArgument, DecodeError, Forbidden
from ziwo_async.rest.agents import AgentsResource
from ziwo_async.rest.auth import Credentials
from ziwo_async.rest.models.agent import Agent
from ziwo_async.rest.models.number import LinkType, Number
from ziwo_async.rest.models.queue import Queue
from ziwo_async.rest.models.status import AgentStatus
from ziwo_async.rest.models.user import User
from ziwo_async.rest.numbers import NumbersResource, number_of_queue
from ziwo_async.rest.queues import QueuesResource
from ziwo_async.rest.users import UsersResource
from ziwo_async.testing import serve

LISTS = {
    "/agent/agents": lambda transport: AgentsResource(transport).list(page_size=50),
    "/admin/agents/": lambda transport: AgentsResource(transport).list_all(),
    "/admin/users/": lambda transport: UsersResource(transport).list(),
    "/agent/queues": lambda transport: QueuesResource(transport).list(),
    "/admin/queues/": lambda transport: QueuesResource(transport).list_all(),
    "/admin/numbers/": lambda transport: NumbersResource(transport).list_all(),
}


def paged(kit, ziwo, path, rows, **info):
    """Serve rows by `limit` and `skip`, the way ZIWO does."""

    async def page(request):
        skip, limit = int(request.query["skip"]), int(request.query["limit"])
        return kit.ok(rows[skip : skip + limit], **info)

    ziwo.on("GET", path, page)


# --- the lists ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_hides_its_pages(kit, ziwo, path):
    paged(kit, ziwo, path, [{"id": number} for number in range(120)], totalRecords=120)
    found = await LISTS[path](kit.transport(ziwo.url)).all()
    assert [record.id for record in found] == list(range(120))
    assert ziwo.count("GET", path) == 3


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_gives_nobody_twice(kit, ziwo, path):
    # A new record at the top moves the last one of a page to the next page.
    rows = [{"id": number} for number in [*range(50), 49, *range(50, 60)]]
    paged(kit, ziwo, path, rows)
    found = await LISTS[path](kit.transport(ziwo.url)).all()
    assert [record.id for record in found] == list(range(60))


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_that_is_none(kit, ziwo, path):
    ziwo.answers("GET", path, lambda: kit.ok([{"name": "no id"}]))
    with pytest.raises(DecodeError, match="id: missing"):
        await LISTS[path](kit.transport(ziwo.url)).all()


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_sends_nothing_before_the_first_step(kit, ziwo, path):
    listing = LISTS[path](kit.transport(ziwo.url))
    assert ziwo.seen == []
    ziwo.answers("GET", path, lambda: kit.ok([]))
    assert await listing.first() is None


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({}, "order=firstName&limit=50&skip=0"),
        ({"order": "~lastName"}, "order=~lastName&limit=50&skip=0"),
        ({"order": None, "page_size": 7}, "limit=7&skip=0"),
    ],
)
async def test_the_order_of_agents(kit, ziwo, options, query):
    ziwo.answers("GET", "/agent/agents", lambda: kit.ok([]))
    await AgentsResource(kit.transport(ziwo.url)).list(**options).all()
    assert ziwo.raw_paths[-1] == f"/agent/agents?{query}"


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({}, "limit=50&skip=0"),
        ({"with_agents": True}, "dataset=agents&limit=50&skip=0"),
        ({"with_stats": True}, "dataset=stats&limit=50&skip=0"),
        ({"with_agents": True, "with_stats": True, "page_size": 500}, "dataset=agents&dataset=stats&limit=500&skip=0"),
    ],
)
async def test_datasets_of_queues_are_repeated_without_brackets(kit, ziwo, options, query):
    ziwo.answers("GET", "/agent/queues", lambda: kit.ok([]))
    await QueuesResource(kit.transport(ziwo.url)).list(**options).all()
    assert ziwo.raw_paths[-1] == f"/agent/queues?{query}"


async def test_agents_of_the_history(kit, ziwo):
    ziwo.answers("GET", "/callHistory/listAgents", lambda: kit.ok([{"id": 7, "contactNumber": "+97150000000"}]))
    agents = AgentsResource(kit.transport(ziwo.url))
    (agent,) = await agents.in_history()
    assert agent.contact_number == "+97150000000"
    await agents.in_history(deleted=True)
    assert ziwo.raw_paths[-2:] == ["/callHistory/listAgents?deleted=false", "/callHistory/listAgents?deleted=true"]


async def test_an_agent_by_its_number(kit, ziwo):
    rows = [{"id": number, "ccLogin": f"{number:04}"} for number in range(120)]
    paged(kit, ziwo, "/agent/agents", rows, total=120)
    agents = AgentsResource(kit.transport(ziwo.url))
    found = await agents.by_cc_login("0011")
    assert found is not None
    assert found.id == 11
    assert ziwo.count("GET", "/agent/agents") == 1  # it was on the first page
    assert await agents.by_cc_login("11") is None
    assert ziwo.count("GET", "/agent/agents") == 4
    for wrong in ("", 11):
        with pytest.raises(BadArgument, match="is a text"):
            await agents.by_cc_login(wrong)
    assert ziwo.count("GET", "/agent/agents") == 4


# --- the records ----------------------------------------------------------------------------------------------------


def test_an_agent():
    agent = Agent.model_validate(
        {
            "id": 7,
            "firstName": "Ada",
            "lastName": "Byron",
            "ccLogin": "0011",
            "ccPassword": "CANARY-cc",
            "liveInfo": {"status": "Available", "state": "Waiting", "talkTime": {"odd": 1}},
            "createdAt": "2023-05-05T10:00:00.000Z",
            "role": {"permissions": {"eavesdrop": True}, "apiKey": "CANARY-role"},
            "skills": [{"ccPassword": "CANARY-skill"}],
        }
    )
    assert agent.full_name == "Ada Byron"
    assert agent.cc_login == "0011"
    assert agent.cc_password == SecretStr("CANARY-cc")
    assert agent.live_info is not None
    assert agent.live_info.status is AgentStatus.AVAILABLE
    assert agent.live_info.state == "Waiting"
    assert agent.created_at == datetime(2023, 5, 5, 10, tzinfo=UTC)
    assert "CANARY" not in repr(agent)
    assert "CANARY" not in agent.model_dump_json()
    assert User(id=1).full_name == ""


@pytest.mark.parametrize("live", [[], {}, None])
def test_an_agent_without_presence(live):
    assert Agent.model_validate({"id": 7, "liveInfo": live}).live_info is None


@pytest.mark.parametrize("live", ["x", [1], 5])
async def test_an_agent_with_a_presence_that_is_none(kit, ziwo, live):
    ziwo.answers("GET", "/admin/agents/", lambda: kit.ok([{"id": 7, "ccLogin": "0011", "liveInfo": live}]))
    (agent,) = await AgentsResource(kit.transport(ziwo.url)).list_all().all()
    assert agent.cc_login == "0011"
    assert agent.live_info is None
    assert agent.unreadable == {"liveInfo": live}


async def test_a_queue(kit, ziwo):
    row = {
        "id": 3,
        "name": "Sales",
        "extension": 7003,
        "agents": {"7": {"id": 7, "ccLogin": "0011", "ccPassword": "CANARY-cc"}},
        "stats": {"waiting": 2},
        "callerIDNumber": "+97140000000",
        "nonWorkingHoursDID": "1",
        "waitTimeoutDID": "2",
        "timeslots": "always",
        "maxWaitTime": 60,
        "deletedAt": None,
    }
    ziwo.answers("GET", "/agent/queues", lambda: kit.ok([row]))
    (queue,) = await QueuesResource(kit.transport(ziwo.url)).list(with_agents=True, with_stats=True).all()
    assert queue.extension == "7003"
    assert queue.agents is not None
    assert [agent.cc_login for agent in queue.agents] == ["0011"]
    assert queue.model_extra == {"stats": {"waiting": 2}}
    assert (queue.caller_id_number, queue.non_working_hours_did, queue.wait_timeout_did) == ("+97140000000", "1", "2")
    assert "CANARY" not in repr(queue)


@pytest.mark.parametrize(("agents", "expected"), [([], ()), ({}, ()), (None, None)])
def test_a_queue_without_agents(agents, expected):
    assert Queue.model_validate({"id": 1, "agents": agents}).agents == expected


async def test_agents_of_a_queue_that_cannot_be_read(kit, ziwo):
    row = {"id": 3, "name": "Sales", "agents": [7, {"id": 8, "ccPassword": "CANARY-cc"}]}
    ziwo.answers("GET", "/admin/queues/", lambda: kit.ok([row]))
    (queue,) = await QueuesResource(kit.transport(ziwo.url)).list_all().all()
    assert queue.name == "Sales"
    assert queue.agents is None
    assert queue.unreadable == {"agents": [7, {"id": 8, "ccPassword": "**********"}]}


def test_a_number():
    number = Number.model_validate(
        {
            "id": 5,
            "did": "0097140000000",
            "didDisplay": "+971 4 000 0000",
            "linkType": "callTracker",
            "linkData": "masked",
            "timeslots": [{"day": 1}],
            "beyondTimeslotsLinkType": "ivr",
            "storage": {"originalName": "hello.mp3", "category": "greeting"},
        }
    )
    assert number.did == "0097140000000"
    assert number.link_type is LinkType.CALL_TRACKER
    assert str(number.beyond_timeslots_link_type) == "ivr"
    assert number.storage is not None
    assert number.storage.original_name == "hello.mp3"


def test_the_number_of_a_queue():
    numbers = [
        Number(id=1, link_type=LinkType.CALL_TRACKER, link_data="Sales"),
        Number(id=2, link_type=LinkType.QUEUE, link_data="Support"),
        Number(id=3, link_type=LinkType.QUEUE, link_data="Sales"),
        Number(id=4, link_type=LinkType.QUEUE, link_data="Sales"),
        Number(id=5, link_type=LinkType.QUEUE),
    ]
    found = number_of_queue(numbers, Queue(id=9, name="Sales"))
    assert found is not None
    assert found.id == 3
    assert number_of_queue(iter(numbers), "Support") == numbers[1]
    assert number_of_queue(numbers, "sales") is None
    assert number_of_queue(numbers, Queue(id=9)) is None
    assert number_of_queue([Number(id=6, link_type=LinkType.QUEUE, link_data="")], "") is None


# --- the simulator --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("totals", ["total", "totalRecords", None])
@pytest.mark.parametrize("keyed", [False, True])
async def test_directories_of_a_contact_centre(kit, totals, keyed):
    async with serve(f"{number:04}" for number in range(1, 131)) as world:
        world.simulator.rest.quirks.totals = totals
        world.simulator.rest.quirks.keyed = keyed
        boss = world.add_user("boss@acme.example", password="CANARY-boss")
        sales = world.queue("Sales", agents=world.agents[:2])
        world.add_number("+97140000001")
        world.add_number("+97140000002", link=sales)
        transport = kit.transport(world.api_url, Credentials.from_password(boss.username, "CANARY-boss"))
        agents, queues, numbers = AgentsResource(transport), QueuesResource(transport), NumbersResource(transport)

        logins = {agent.ccLogin for agent in world.agents}
        listed = await agents.list(order="~ccLogin").all()
        assert {agent.cc_login for agent in listed} == logins
        assert len(listed) == 130
        assert all(agent.live_info and agent.live_info.status is AgentStatus.LOGGED_OUT for agent in listed)
        # More than a page may have: the server gives 50 all the same.
        assert len(await agents.list_all(page_size=100).all()) == 130
        users = await UsersResource(transport).list().all()
        assert len(users) == 131
        assert [user.type for user in users if user.username == boss.username] == ["admin"]
        found = await agents.by_cc_login("0042")
        assert found is not None
        assert found.id == world.agent("0042").id
        assert len(await agents.in_history()) == 130

        (queue,) = await queues.list(with_agents=True, with_stats=True).all()
        assert [agent.cc_login for agent in queue.agents or ()] == ["0001", "0002"]
        assert "stats" in (queue.model_extra or {})
        linked = number_of_queue(await numbers.list_all().all(), (await queues.list_all().all())[0])
        assert linked is not None
        assert linked.did == "+97140000002"


async def test_the_directories_of_admins_are_not_for_agents(kit):
    async with serve() as world:
        agent = world.add_agent("0042", rights=())
        transport = kit.transport(world.api_url, Credentials.from_password(agent.username, agent.password))
        assert len(await AgentsResource(transport).list().all()) == 3
        for listing in (
            AgentsResource(transport).list_all(),
            UsersResource(transport).list(),
            QueuesResource(transport).list_all(),
            NumbersResource(transport).list_all(),
        ):
            with pytest.raises(Forbidden):
                await listing.all()
