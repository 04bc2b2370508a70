"""The REST side."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from ziwo_async.simulator import Simulator, World

from .client import RawClient


@pytest.fixture
async def http(sim: Simulator) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(sim.api_url, timeout=aiohttp.ClientTimeout(total=5)) as session:
        yield session


async def call(http: aiohttp.ClientSession, method: str, path: str, token: str = "", **more: Any) -> tuple[int, Any]:
    headers = {"access_token": token} if token else {}
    async with http.request(method, path, headers=headers, **more) as response:
        return response.status, await response.json()


@pytest.fixture
async def token(http: aiohttp.ClientSession, world: World) -> str:
    agent = world.agent("0011")
    status, body = await call(
        http, "POST", "/auth/login", data={"username": agent.username, "password": agent.password}
    )
    assert status == 200
    return str(body["content"]["access_token"])


async def test_login_by_form_and_by_json(http: aiohttp.ClientSession, world: World) -> None:
    agent = world.agent("0011")
    fields = {"username": agent.username, "password": agent.password}
    for how in ({"data": fields}, {"json": fields}):
        status, body = await call(http, "POST", "/auth/login", **how)
        assert (status, body["result"], body["info"]) == (200, True, {})
        assert body["content"]["ccLogin"] == "0011"
        assert body["content"]["type"] == "agent"
        assert len(body["content"]["access_token"]) == 36
    status, body = await call(http, "POST", "/auth/login", json={**fields, "password": "no"})
    assert (status, body) == (401, {"result": False, "error": {"message": "Invalid credentials"}, "info": {}})


async def test_profile_has_what_the_phone_needs(
    http: aiohttp.ClientSession, world: World, sim: Simulator, token: str
) -> None:
    _, body = await call(http, "GET", "/profile", token)
    agent = world.agent("0011")
    assert body["content"]["ccPassword"] == agent.cc_password
    assert body["content"]["liveInfo"]["position"] == "agent-0011"
    assert all(isinstance(value, str) for value in body["content"]["liveInfo"].values())
    _, body = await call(http, "GET", "/fs/webrtc/config", token)
    assert body["content"] == {"webSocket": {"protocol": "ws", "port": int(sim.verto_url.rpartition(":")[2])}}


@pytest.mark.parametrize("path", ["/agents/autologin", "/agents/autoLogin", "/agents/autoLogin/agent-0011"])
async def test_the_position_logs_in_and_out(http: aiohttp.ClientSession, world: World, token: str, path: str) -> None:
    agent = world.agent("0011")
    status, body = await call(http, "PUT", path, token, json={})
    assert (status, body["content"]) == (200, {})
    assert (agent.ready, agent.status) == (True, "Available")
    await call(http, "PUT", "/agents/status", token, data={"number": "3"})
    assert agent.status == "Meeting"
    await call(http, "PUT", "/agents/status", token, json={"number": 2, "comment": "tea"})
    assert agent.status == "On Break"
    assert (await call(http, "PUT", "/agents/status", token, json={"number": 99}))[0] == 400
    assert (await call(http, "PUT", "/agents/logout", token, json={}))[0] == 200
    assert (agent.ready, agent.status) == (False, "Logged Out")
    assert (await call(http, "PUT", "/agents/logout", token, json={}))[0] == 412
    assert (await call(http, "PUT", "/agents/autologout", token, json={}))[0] == 200


async def test_without_a_good_token(http: aiohttp.ClientSession, sim: Simulator, token: str) -> None:
    assert (await call(http, "GET", "/monitor/ping"))[0] == 200
    assert (await call(http, "GET", "/profile"))[0] == 401
    sim.faults.expire_tokens()
    status, body = await call(http, "GET", "/profile", token)
    assert (status, body["result"]) == (401, False)
    assert (await call(http, "GET", "/monitor/ping", token))[0] == 200


async def test_logout_ends_the_token_and_unknown_paths_are_404(http: aiohttp.ClientSession, token: str) -> None:
    assert (await call(http, "GET", "/no/such", token))[0] == 404
    assert (await call(http, "POST", "/auth/logout", token))[0] == 200
    assert (await call(http, "GET", "/profile", token))[0] == 401


async def test_scripted_answers(http: aiohttp.ClientSession, sim: Simulator, token: str) -> None:
    sim.faults.next_http(429, headers={"Retry-After": "2"}, body={"result": False, "error": {"message": "slow"}})
    sim.faults.next_http(200, body="<html>maintenance</html>", path="/profile")
    sim.faults.next_http(302, headers={"Location": "https://elsewhere.example/"}, path="/fs/webrtc/config")
    async with http.get("/monitor/ping") as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "2")
        assert (await response.json())["error"]["message"] == "slow"
    async with http.get("/fs/webrtc/config", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, "https://elsewhere.example/")
    async with http.get("/profile") as response:
        assert response.content_type == "text/html"
        assert await response.text() == "<html>maintenance</html>"
    assert (await call(http, "GET", "/profile", token))[0] == 200


async def test_the_journal_tells_requests_without_secrets(
    http: aiohttp.ClientSession, sim: Simulator, token: str, world: World
) -> None:
    await call(http, "GET", "/profile", token)
    entries = [entry for entry in sim.journal if entry.kind == "http"]
    assert [(e.text, e.agent) for e in entries] == [("POST /auth/login 200", ""), ("GET /profile 200", "0011")]
    text = repr(entries)
    assert token not in text
    assert world.agent("0011").password not in text


async def test_eavesdrop_rings_the_users_own_position(
    http: aiohttp.ClientSession, sim: Simulator, world: World, token: str
) -> None:
    assert (await call(http, "POST", "/live/calls/eavesdrop/5555", token))[0] == 412
    client = await RawClient.connect(sim.verto_url)
    await client.login(world.agent("0011"))
    assert (await call(http, "POST", "/live/calls/eavesdrop/9999", token))[0] == 404
    status, body = await call(http, "POST", "/live/calls/eavesdrop/5555", token)
    assert status == 200
    invite = await client.expect("verto.invite")
    assert invite["callID"] == body["content"]["callID"]
    assert (invite["caller_id_name"], invite["caller_id_number"]) == ("Eavesdrop", "agent-5555")
    path = f"/live/calls/eavesdrop/{invite['callID']}"
    assert (await call(http, "PUT", path, token, data={"whisper": "both"}))[0] == 200
    assert world.calls[-1].whisper == "both"
    assert (await call(http, "PUT", path, token, data={"whisper": "loud"}))[0] == 400
    assert (await call(http, "PUT", "/live/calls/eavesdrop/x", token, data={"whisper": "none"}))[0] == 404
    client.abort()
