"""The history by REST: filters, order, pages in both styles, data sets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ziwo_async.simulator import Simulator, World

from .api import Api

DAY = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def centre(world: World) -> World:
    """Nine calls, one every six hours from the beginning of the second of March."""
    mine, other = world.agents
    sales, support = world.queue("sales"), world.queue("support")
    world.add_number("97140000001", link=sales)
    world.add_number("97140000002", link=support)
    calls: list[dict[str, Any]] = [
        {"customer": "+971501111111", "agent": mine, "queue": sales, "did": "97140000001", "talk": 30},
        {"customer": "+971502222222", "agent": mine, "did": "97140000002", "ring": 10},
        {"customer": "+971501111111", "agent": other, "queue": support, "did": "97140000002", "talk": 5},
        {"customer": "+971503333333", "agent": mine, "direction": "outbound", "result": "busy", "did": "+971503333333"},
        {"customer": "+971501111111", "queue": sales, "did": "97140000001", "wait": 40, "result": "cancel"},
        {"agent": mine, "agents": (mine, other), "direction": "internal", "talk": 3, "did": "5555"},
        {"agent": other, "direction": "service", "talk": 9},
        {"customer": "+971501111111", "agent": mine, "voicemail": True},
        {"customer": "+971504444444", "agent": other, "direction": "outbound", "talk": 1, "did": "+971504444444"},
    ]
    for index, call in enumerate(calls):
        world.history.add(started_at=DAY + index * timedelta(hours=6), **call)
    return world


FILTERS: list[tuple[str, list[int]]] = [
    ("", [9, 8, 7, 6, 5, 4, 3, 2, 1]),
    ("order=startedAt", [1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ("order=~startedAt", [9, 8, 7, 6, 5, 4, 3, 2, 1]),
    ("order=talkTime&limit=2&skip=7", [7, 1]),
    ("fromDate=2026-03-03", [9, 8, 7, 6, 5]),
    ("toDate=2026-03-02", [4, 3, 2, 1]),
    ("fromDate=2026-03-02&toDate=2026-03-03", [8, 7, 6, 5, 4, 3, 2, 1]),
    ("fromDate=2026-03-02&toDate=2026-03-02&fromTime=06:00&toTime=12:00:01", [3, 2]),
    ("directions[]=inbound&directions[]=internal", [8, 6, 5, 3, 2, 1]),
    ("directions=outbound", [9, 4]),
    ("contactNumber=0501111111", [8, 5, 3, 1]),
    ("contactNumber=%2B971501111111&abandoned=true", [8, 5]),
    ("abandoned=false&directions[]=inbound", [3, 1]),
    ("recordings=true", [9, 8, 6, 3, 1]),
    ("recordings=false", [7, 5, 4, 2]),
    ("agents=100", [8, 6, 4, 2, 1]),
    ("agents=100,101", [9, 8, 7, 6, 4, 3, 2, 1]),
    ("agents[]=101&agents[]=100", [9, 8, 7, 6, 4, 3, 2, 1]),
    ("agents=999", []),
    ("numbers=1", [5, 1]),
    ("numbers=1,2", [5, 3, 2, 1]),
    ("numbers[]=2", [3, 2]),
    ("queues[]=1", [5, 1]),
    ("queues=1,2", [5, 3, 1]),
    ("queues[]=1&agents=100", [1]),
    ("fromDate=&agents=&order=&search", [9, 8, 7, 6, 5, 4, 3, 2, 1]),
]


@pytest.mark.parametrize(("query", "expected"), FILTERS, ids=[query or "nothing" for query, _ in FILTERS])
async def test_filters(api: Api, centre: World, query: str, expected: list[int]) -> None:
    assert await api.ids(f"/callHistory/?{query}") == expected


async def test_one_call_by_its_uuid(api: Api, centre: World) -> None:
    wanted = next(cdr for cdr in centre.history if cdr.id == 4)
    assert await api.ids("/callHistory/", callID=wanted.call_id) == [4]
    assert await api.ids("/callHistory/", callID="unknown") == []


@pytest.mark.parametrize(
    "query",
    [
        "fromDate=02/03/2026",
        "toDate=now",
        "fromDate=2026-03-02&fromTime=noon",
        "order=colour",
        "limit=-1",
        "fetchStart=x",
        "abandoned=maybe",
    ],
)
async def test_queries_that_make_no_sense(api: Api, centre: World, query: str) -> None:
    assert (await api.get(f"/callHistory/?{query}")).status == 400


@pytest.mark.parametrize("path", ["/callHistory/", "/callHistory", "/agents/channels/calls/", "/agents/channels/calls"])
@pytest.mark.parametrize("style", [("skip", "limit"), ("fetchStart", "fetchStop")])
async def test_both_styles_of_pages(api: Api, world: World, path: str, style: tuple[str, str]) -> None:
    for _ in range(123):
        world.history.add(agent=world.agent("0011"), talk=1)
    world.history.delete(next(iter(world.history)))
    first, length = style
    seen: list[int] = []
    for start in range(0, 150, 50):
        answer = await api.get(path, **{first: start, length: 50}, order="startedAt")
        assert answer.info == {"totalRecords": 122}
        seen += [row["id"] for row in answer.content]
    assert sorted(seen) == list(range(2, 124))
    assert len(await api.ids(path)) == 50
    assert len(await api.ids(path, **{length: 1000})) == 122
    assert await api.ids(path, **{first: 1000, length: 50}) == []


async def test_own_calls_are_those_one_took_part_in(api: Api, centre: World, http, sim: Simulator) -> None:
    assert await api.ids("/agents/channels/calls/", order="startedAt") == [1, 2, 4, 6, 8]
    other = Api(sim, http, centre.agent("5555"))
    assert await other.ids("/agents/channels/calls/", order="startedAt") == [3, 6, 7, 9]
    missed = await api.ids("/agents/channels/calls/?limit=10&skip=0&directions[]=inbound&abandoned=true")
    assert missed == [8, 2]
    assert await api.ids("/agents/channels/calls/", fetchStart=0, fetchStop=2) == [8, 6]


async def test_datasets_are_only_there_when_asked_for(api: Api, world: World) -> None:
    world.add_customer_record(first_name="Ann", phone="050 123 4567")
    agent = world.agent("0011")
    cdr = world.history.add(customer="+971501234567", agent=agent, talk=1, tags=["vip"], notes=["angry"])
    path = f"/callHistory/{cdr.id}"
    plain = (await api.get(path)).content
    assert plain["customerId"] == "1"
    full = (await api.get(f"{path}?dataset=tags&dataset=notes&dataset=customer&dataset=agent")).content
    assert set(full) - set(plain) == {"tags", "notes", "customer", "agent"}
    assert (full["tags"][0]["name"], full["notes"][0]["content"]) == ("vip", "angry")
    assert (full["customer"]["firstName"], full["agent"]["ccLogin"]) == ("Ann", "0011")
    (row,) = await api.rows("/agents/channels/calls/?dataset=notes")
    assert set(row) - set(plain) == {"notes"}


async def test_one_record_by_its_number(api: Api, centre: World) -> None:
    assert (await api.get("/callHistory/4")).content["result"] == "busy"
    wanted = next(iter(centre.history))
    for unknown in ("99", wanted.call_id, "-1", "4.0"):
        assert (await api.get(f"/callHistory/{unknown}")).status == 404
    centre.history.delete(wanted)
    assert (await api.get("/callHistory/1")).status == 404
    assert 1 not in await api.ids("/callHistory/")


async def test_agents_to_filter_by(api: Api, world: World) -> None:
    rows = await api.rows("/callHistory/listAgents", deleted="false")
    assert [row["username"] for row in rows] == [agent.username for agent in world.agents]
    assert await api.rows("/callHistory/listAgents", deleted="true") == []


async def test_a_record_can_be_odd(api: Api, world: World) -> None:
    cdr = world.history.add(result="Lose-race", overrides={"callerIDNumber": None, "id": "46:5196", "surprise": 1})
    (row,) = await api.rows("/callHistory/")
    assert (row["result"], row["callerIDNumber"], row["id"], row["surprise"]) == ("Lose-race", None, "46:5196", 1)
    assert (await api.get(f"/callHistory/{cdr.id}")).status == 200


async def test_a_page_of_a_long_history_does_not_write_all_of_it(api: Api, world: World) -> None:
    for index in range(5000):
        world.history.add(customer=f"+9715{index:08d}", agent=world.agent("0011"), talk=1)
    answer = await api.get("/callHistory/", limit=10, skip=4990)
    assert [row["id"] for row in answer.content] == list(range(10, 0, -1))
    assert answer.info == {"totalRecords": 5000}
