"""Who may ask what: every route, without a token, and with one that has no rights."""

from __future__ import annotations

import re

import pytest

from ziwo_async.simulator import Simulator, World
from ziwo_async.simulator.api.server import _ROUTES

from .api import Api

OPEN = {
    "POST /auth/login",
    "POST /users/password/reset",
    "GET /monitor/ping",
    "POST /callTrackers/example/startCall",
    "POST /callTrackers/example/endCall",
}
ADMIN = re.compile(r"/(admin|statistics)/|/callHistory(/|/listAgents/|/\{id\})$")
ROUTES = [(f"{route.method} {route.path}", route) for route in _ROUTES]


@pytest.mark.parametrize(("name", "route"), ROUTES, ids=[name for name, _ in ROUTES])
async def test_access(anonymous: Api, http, world: World, sim: Simulator, name: str, route) -> None:
    path = re.sub(r"\{\w+\}", "1", route.path)
    fields = {"username": world.agent("0011").username, "password": world.agent("0011").password}
    status, _, _ = await anonymous.raw(route.method, path, json=fields)
    assert (status == 401) is (name not in OPEN)
    if route.access == "key":
        return
    plain = Api(sim, http, world.add_agent("0012", rights=()))
    status, _, _ = await plain.raw(route.method, path)
    wanted = bool(ADMIN.search(route.path)) or route.path.startswith("/live/calls/eavesdrop/")
    assert (status == 403) is wanted


async def test_every_path_with_a_slash_works_without_it(api: Api) -> None:
    for path in {route.path for route in _ROUTES if route.method == "GET" and route.path.endswith("/")}:
        for spelling in (path, path.rstrip("/")):
            assert (await api.get(spelling)).status == 200, spelling


async def test_each_right_by_itself(http, world: World, sim: Simulator) -> None:
    admin = Api(sim, http, world.add_agent("0012", rights={"admin"}))
    listener = Api(sim, http, world.add_agent("0013", rights={"eavesdrop"}))
    assert (await admin.get("/callHistory/")).status == 200
    assert (await admin("POST", "/live/calls/eavesdrop/0011")).status == 403
    refused = await listener.get("/callHistory/")
    assert (refused.status, refused.error) == (403, "You have no permission for this: admin")
    assert (await listener("POST", "/live/calls/eavesdrop/0011")).status == 412
    world.agent("0012").rights.clear()
    assert (await admin.get("/callHistory/")).status == 403


async def test_an_unknown_path_is_only_told_to_users(api: Api, anonymous: Api) -> None:
    assert (await anonymous.get("/no/such")).status == 401
    unknown = await api.get("/no/such")
    assert (unknown.status, unknown.error) == (404, "Not Found")
    assert (await api("POST", "/callHistory/")).status == 404
    assert (await api("DELETE", "/profile")).status == 404
