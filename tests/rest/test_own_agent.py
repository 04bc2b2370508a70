"""The agent's own session: position, presence, profile, and what agents may look up."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from ziwo_async.errors import ApiError, BadArgument, Conflict, DecodeError, Forbidden
from ziwo_async.rest.auth import Credentials
from ziwo_async.rest.models.status import AgentPresence, AgentStatus
from ziwo_async.rest.own_agent import OwnAgentResource
from ziwo_async.testing import serve

LIVE = {
    "status": "On Break",
    "state": "Waiting",
    "position": "agent-0011",
    "lastStatusChangeEPOCH": "1700000000",
    "lastBridgeEPOCH": "0",
    "lastUnBridgeEPOCH": "",
    "callsAnswered": "12",
    "noAnswerCount": "0",
    "talkTime": "61.5",
    "wrapUpTime": "never",
    "contactString": "verto.rtc/agent-0011",
}


@pytest.fixture
def agent(kit, ziwo):
    return OwnAgentResource(kit.transport(ziwo.url))


@pytest.fixture
def bodies(kit, ziwo):
    """What PUT requests carried: (content type, text)."""
    found: list[tuple[str, str]] = []

    async def keep(request):
        found.append((request.content_type, await request.text()))
        return kit.ok({})

    for path in ("/agents/status", "/agents", "/agents/autologout"):
        ziwo.on("PUT", path, keep)
    return found


def custom(kit, ziwo, *lists):
    """Let the server answer with one list of statuses after the other."""
    ziwo.answers("GET", "/agent/statuses", *(lambda rows=rows: kit.ok(rows) for rows in lists))


# --- position -------------------------------------------------------------------------------------------------------


async def test_autologout(agent, ziwo, bodies, kit):
    await agent.autologout()
    assert bodies == [("application/json", "{}")]
    ziwo.answers("PUT", "/agents/autologout", lambda: kit.failed(412, "already"))
    with pytest.raises(Conflict, match="already"):
        await agent.autologout()


# --- presence -------------------------------------------------------------------------------------------------------


async def test_status_reads_the_presence_of_the_profile(agent, ziwo, kit):
    ziwo.answers("GET", "/profile", lambda: kit.ok({**kit.PROFILE, "liveInfo": LIVE}))
    presence = await agent.status()
    assert presence.status is AgentStatus.ON_BREAK
    assert presence.state == "Waiting"
    assert presence.position == "agent-0011"
    assert presence.since == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert presence.last_bridged_at is None
    assert presence.last_unbridged_at is None
    assert presence.calls_answered == 12
    assert presence.no_answer_count == 0
    assert presence.talk_time == timedelta(seconds=61.5)
    assert presence.wrap_up_time is None
    assert presence.model_extra == {"contactString": "verto.rtc/agent-0011"}


@pytest.mark.parametrize("live", [None, [], {}])
async def test_status_of_somebody_without_presence(agent, ziwo, kit, live):
    ziwo.answers("GET", "/profile", lambda: kit.ok({**kit.PROFILE, "liveInfo": live}))
    assert await agent.status() == AgentPresence()


async def test_a_field_that_cannot_be_read_costs_no_presence(agent, ziwo, kit):
    live = {"status": "Prayer", "position": {"name": "desk"}, "lastStatusChangeEPOCH": {"a": 1}, "callsAnswered": "1.5"}
    ziwo.answers("GET", "/profile", lambda: kit.ok({**kit.PROFILE, "liveInfo": live}))
    presence = await agent.status()
    assert str(presence.status) == "Prayer"
    assert presence.position is presence.since is presence.calls_answered is None
    assert presence.unreadable == {"position": {"name": "desk"}, "callsAnswered": "1.5"}


async def test_a_presence_that_is_none(agent, ziwo, kit):
    ziwo.answers("GET", "/profile", lambda: kit.ok({**kit.PROFILE, "liveInfo": "Available"}))
    with pytest.raises(DecodeError, match="not an object"):
        await agent.status()


@pytest.mark.parametrize(
    ("given", "number"),
    [
        (0, 0),
        (37, 37),
        (AgentStatus.LOGGED_OUT, 0),
        (AgentStatus.AVAILABLE, 1),
        ("on break", 2),
        (" MEETING ", 3),
        ("Outgoing", 4),
    ],
)
async def test_a_number_or_a_fixed_name_is_sent_without_asking(agent, ziwo, bodies, given, number):
    await agent.set_status(given)
    assert bodies == [("application/x-www-form-urlencoded", f"number={number}")]
    assert ziwo.count("GET", "/agent/statuses") == 0


async def test_with_a_comment_it_is_json(agent, bodies):
    await agent.set_status(AgentStatus.MEETING, comment="with Å & Co.")
    await agent.set_status(2, comment="")
    assert [kind for kind, _ in bodies] == ["application/json"] * 2
    assert json.loads(bodies[0][1]) == {"number": 3, "comment": "with Å & Co."}
    assert json.loads(bodies[1][1]) == {"number": 2, "comment": ""}


async def test_a_custom_status_is_looked_up_once(agent, ziwo, kit, bodies):
    custom(kit, ziwo, [{"id": 9, "name": "Prayer", "behaviour": "break"}, {"id": 12, "name": "Straße"}])
    await agent.set_status("prayer")
    await agent.set_status("STRASSE")
    await agent.set_status(AgentStatus("Prayer"))
    assert [text for _, text in bodies] == ["number=9", "number=12", "number=9"]
    assert ziwo.count("GET", "/agent/statuses") == 1
    assert any(path == "/agent/statuses?enabled=true" for path in ziwo.raw_paths)


async def test_a_name_that_is_new_is_asked_for_again_once(agent, ziwo, kit, bodies):
    custom(kit, ziwo, [{"id": 9, "name": "Prayer"}], [{"id": 9, "name": "Prayer"}, {"id": 10, "name": "Lunch"}])
    await agent.set_status("Prayer")
    await agent.set_status("Lunch")
    assert bodies[-1][1] == "number=10"
    assert ziwo.count("GET", "/agent/statuses") == 2
    with pytest.raises(BadArgument):
        await agent.set_status("Nap")
    assert ziwo.count("GET", "/agent/statuses") == 3
    assert len(bodies) == 2


async def test_an_unknown_name_lists_those_that_there_are(agent, ziwo, kit, bodies):
    custom(kit, ziwo, [{"id": 2, "name": "On Break"}, {"id": 9, "name": "Prayer"}])
    with pytest.raises(BadArgument) as caught:
        await agent.set_status("Lunch")
    assert "'Lunch'" in str(caught.value)
    assert str(caught.value).endswith("'Logged Out', 'Available', 'On Break', 'Meeting', 'Outgoing', 'Prayer'")
    assert ziwo.count("GET", "/agent/statuses") == 1
    assert bodies == []


@pytest.mark.parametrize("number", [-1, True])
async def test_numbers_that_no_status_has(agent, ziwo, number):
    with pytest.raises(BadArgument):
        await agent.set_status(number)
    assert ziwo.seen == []


@pytest.mark.parametrize("status", [3.0, None, ["Meeting"]])
async def test_what_is_neither_a_number_nor_a_name(agent, ziwo, status):
    with pytest.raises(BadArgument, match="a number or a name"):
        await agent.set_status(status)
    assert ziwo.seen == []


async def test_statuses(agent, ziwo, kit):
    custom(kit, ziwo, {"9": {"id": 9, "name": "Prayer", "behaviour": "break", "color": "#123"}})
    (status,) = await agent.statuses()
    assert (status.id, status.name, status.behaviour) == (9, "Prayer", "break")
    assert status.model_extra == {"color": "#123"}
    await agent.statuses(enabled=False)
    assert ziwo.raw_paths[-2:] == ["/agent/statuses?enabled=true", "/agent/statuses"]


async def test_a_list_of_statuses_that_is_none(agent, ziwo, kit):
    custom(kit, ziwo, [{"id": 9}])
    with pytest.raises(DecodeError, match="name: missing"):
        await agent.statuses()


# --- profile --------------------------------------------------------------------------------------------------------


async def test_update_profile_sends_what_is_given(agent, bodies):
    await agent.update_profile(first_name="Ada", last_name="", country_code="AE")
    await agent.update_profile(photo="abc", password="CANARY-new", current_password=SecretStr("CANARY-old"))
    await agent.update_profile(language_code="en")
    assert [json.loads(text) for _, text in bodies] == [
        {"firstName": "Ada", "lastName": "", "countryCode": "AE"},
        {"photo": "abc", "password": "CANARY-new", "currentPassword": "CANARY-old"},
        {"languageCode": "en"},
    ]
    assert {kind for kind, _ in bodies} == {"application/json"}


async def test_update_profile_with_nothing(agent, ziwo):
    with pytest.raises(BadArgument, match="at least one"):
        await agent.update_profile()
    assert ziwo.seen == []


@pytest.mark.parametrize(("status", "kind"), [(400, ApiError), (403, Forbidden), (200, ApiError)])
async def test_a_refusal_repeats_no_password(agent, ziwo, kit, status, kind):
    words = "CANARY-old is not your password, and CANARY-new is too weak"
    ziwo.answers("PUT", "/agents", lambda: kit.failed(status, words))
    with pytest.raises(kind, match="is too weak") as caught:
        await agent.update_profile(password=SecretStr("CANARY-new"), current_password="CANARY-old")
    assert "CANARY" not in str(caught.value)
    assert "CANARY" not in repr(vars(caught.value))
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    if isinstance(caught.value, ApiError):
        assert caught.value.message == "*** is not your password, and *** is too weak"
        assert (caught.value.status, caught.value.method, caught.value.path) == (status, "PUT", "/agents")


# --- directories ----------------------------------------------------------------------------------------------------


async def test_queues_numbers_and_colleagues(agent, ziwo, kit):
    calls = "/agents/channels/calls"
    ziwo.answers("GET", f"{calls}/listQueues", lambda: kit.ok([{"id": 1, "name": "Sales", "extension": 7001}]))
    ziwo.answers("GET", f"{calls}/listNumbers", lambda: kit.ok({"5": {"id": 5, "did": "+97140000000"}}))
    ziwo.answers("GET", f"{calls}/listAgents", lambda: kit.ok([{"id": 7, "ccLogin": 11, "firstName": "Ada"}]))
    (queue,) = await agent.queues()
    assert (queue.id, queue.name, queue.extension) == (1, "Sales", "7001")
    (number,) = await agent.numbers()
    assert (number.id, number.did) == (5, "+97140000000")
    (colleague,) = await agent.colleagues()
    assert (colleague.id, colleague.cc_login, colleague.full_name) == (7, "11", "Ada")


@pytest.mark.parametrize("content", [[], {}, None])
async def test_empty_directories(agent, ziwo, kit, content):
    for name in ("listQueues", "listNumbers", "listAgents"):
        ziwo.answers("GET", f"/agents/channels/calls/{name}", lambda: kit.ok(content))
    assert await agent.queues() == await agent.numbers() == await agent.colleagues() == []


# --- the simulator --------------------------------------------------------------------------------------------------


async def test_a_working_day(kit):
    async with serve() as world:
        sim = world.agent("0011")
        world.add_status(9, "Prayer")
        world.queue("Sales", agents=[sim])
        world.add_number("+97140000001")
        credentials = Credentials.from_password(sim.username, sim.password)
        agent = OwnAgentResource(kit.transport(world.api_url, credentials))

        await agent.autologin(f"agent-{sim.ccLogin}")
        assert (await agent.status()).status is AgentStatus.AVAILABLE
        await agent.set_status("prayer", comment="back at one")
        assert sim.status == "Prayer"
        presence = await agent.status()
        assert (str(presence.status), presence.position) == ("Prayer", sim.position)
        await agent.set_status(AgentStatus.OUTGOING)
        assert sim.status == "Outgoing"
        assert {status.name for status in await agent.statuses()} >= {"Prayer", *AgentStatus}

        assert [queue.name for queue in await agent.queues()] == ["Sales"]
        assert [number.did for number in await agent.numbers()] == ["+97140000001"]
        assert [colleague.cc_login for colleague in await agent.colleagues()] == ["0011", "5555"]

        await agent.logout()
        await agent.logout()  # answered with 412
        assert sim.status == "Logged Out"

        await agent.update_profile(first_name="Grace")
        assert sim.first_name == "Grace"
