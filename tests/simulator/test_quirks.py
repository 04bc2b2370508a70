"""The ways in which real servers' answers differ."""

from __future__ import annotations

from typing import Any

import pytest

from ziwo_async.simulator import Simulator, World

from .api import Api


@pytest.mark.parametrize(
    ("totals", "info"),
    [
        ("totalRecords", {"totalRecords": 2}),
        ("total", {"total": 2}),
        ("both", {"total": 2, "totalRecords": 2}),
        (None, {}),
    ],
)
async def test_spellings_of_the_total(api: Api, sim: Simulator, totals: Any, info: dict[str, int]) -> None:
    sim.rest.quirks.totals = totals
    assert (await api.get("/admin/agents/", limit=1)).info == info


async def test_collections_keyed_by_id(api: Api, sim: Simulator, world: World) -> None:
    sim.rest.quirks.keyed = True
    answer = await api.get("/admin/agents/", limit=1)
    assert list(answer.content) == ["100"]
    assert answer.content["100"]["ccLogin"] == "0011"
    assert answer.info == {"totalRecords": 2}
    assert (await api.get("/admin/numbers/")).content == []
    assert isinstance((await api.get("/static/countries")).content, list)  # they have no id


async def test_an_empty_object_is_an_empty_list(api: Api, sim: Simulator) -> None:
    assert (await api("PUT", "/agents/autologin", json={})).content == {}
    sim.rest.quirks.empty_as_list = True
    assert (await api("PUT", "/agents/autologin", json={})).content == []
    assert (await api.get("/profile")).content["ccLogin"] == "0011"


async def test_errors_with_status_200(api: Api, anonymous: Api, sim: Simulator) -> None:
    sim.rest.quirks.errors_with_200 = True
    for answer in (
        await anonymous.get("/profile"),
        await api.get("/callHistory/99"),
        await api.get("/no/such"),
        await anonymous("POST", "/auth/login", data={"username": "x", "password": "y"}),
    ):
        assert answer.status == 200
        assert answer.error


async def test_logins_as_numbers(api: Api, sim: Simulator, world: World) -> None:
    world.history.add(agent=world.agent("0011"), talk=1)
    world.history.add()
    sim.rest.quirks.numeric_logins = True
    profile = (await api.get("/profile")).content
    assert (profile["ccLogin"], profile["ccPassword"]) == (11, int(world.agent("0011").cc_password))
    rows = await api.rows("/callHistory/", order="id")
    assert [row["agentCCLogin"] for row in rows] == [11, "unknown"]
    assert rows[0]["extendedInfo"]["positions"]["agent"]["ccLogin"] == 11


async def test_the_order_that_nobody_asked_for(api: Api, sim: Simulator, world: World) -> None:
    for _ in range(3):
        world.history.add(talk=1)
    sim.rest.quirks.order = "startedAt"
    assert await api.ids("/callHistory/") == [1, 2, 3]
    sim.rest.quirks.order = "~id"
    assert await api.ids("/callHistory/") == [3, 2, 1]
