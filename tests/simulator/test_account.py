"""Login in every documented form, the profile, and users without a phone."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from ziwo_async.simulator import Simulator, SimulatorError, World

from .api import Api


@pytest.mark.parametrize("encoding", ["data", "json"])
async def test_a_password_may_be_hashed_as_old_clients_do(anonymous: Api, world: World, encoding: str) -> None:
    agent = world.agent("0011")
    message = (agent.username + agent.password).encode()
    hashed = base64.b64encode(hmac.new(agent.password.encode(), message, hashlib.sha256).digest()).decode()
    fields = {"username": agent.username, "password": hashed}
    assert (await anonymous("POST", "/auth/login", **{encoding: fields})).status == 200
    fields["password"] = base64.b64encode(hashlib.sha256(message).digest()).decode()
    refused = await anonymous("POST", "/auth/login", **{encoding: fields})
    assert (refused.status, refused.error) == (401, "Invalid credentials")


async def test_the_other_fields_of_a_login_are_accepted(anonymous: Api, world: World) -> None:
    agent = world.agent("0011")
    answer = await anonymous(
        "POST",
        "/auth/login?callCenter=acme",
        headers={"access_token": "undefined"},  # the official web client sends it
        data={
            "username": agent.username,
            "password": agent.password,
            "remember": "true",
            "type": "user",
            "vertoSessionId": "b10c6840-a9e7-11e8-8476-8d2a2f09b159",
            "deviceType": "Android",
        },
    )
    assert answer.status == 200
    assert answer.content["role"]["permissions"] == {"admin": True, "eavesdrop": True}


async def test_an_admin_has_no_phone(anonymous: Api, world: World, sim: Simulator) -> None:
    admin = world.add_user("boss@acme.example", first_name="Bo", rights={"admin"}, token="known")
    with pytest.raises(SimulatorError, match="already"):
        world.add_user("boss@acme.example")
    answer = await anonymous("POST", "/auth/login", json={"username": admin.username, "password": admin.password})
    shown = {name: answer.content[name] for name in ("type", "firstName", "ccLogin", "ccPassword", "roleId")}
    assert shown == {"type": "admin", "firstName": "Bo", "ccLogin": None, "ccPassword": None, "roleId": 1}
    assert answer.content["role"]["permissions"] == {"admin": True}
    assert admin not in world.agents
    assert (await anonymous.get("/profile")).status == 401
    known = {"access_token": "known"}
    for method, path, status in (
        ("PUT", "/agents/autologin", 404),
        ("POST", "/live/calls/eavesdrop/0011", 403),
        ("GET", "/callHistory/", 200),
        ("GET", "/agents/channels/calls/", 200),
        ("POST", "/integrations/cti/agents/call/9196", 412),
    ):
        assert (await anonymous(method, path, headers=known)).status == status, path
    assert (await anonymous("GET", "/profile", headers=known)).content["id"] == admin.id


async def test_tokens_given_before_the_start_are_accepted() -> None:
    world = World()
    agent = world.add_agent("0012", token="b10c6840-a9e7-11e8-8476-8d2a2f09b159")
    async with Simulator(world) as sim:
        assert sim.rest._tokens == {"b10c6840-a9e7-11e8-8476-8d2a2f09b159": agent}
        sim.faults.expire_tokens()
        assert sim.rest._tokens == {}


async def test_the_profile_can_be_changed(api: Api, world: World) -> None:
    agent = world.agent("0011")
    changed = {"firstName": "Ada", "photo": "hash", "countryCode": "FR", "languageCode": "fr"}
    assert (await api("PUT", "/agents", json=changed)).content == {}
    profile = (await api.get("/profile")).content
    assert changed.items() <= profile.items()
    assert profile["lastName"] == "0011"
    refused = await api("PUT", "/agents", json={"firstName": "No", "password": "new", "currentPassword": "wrong"})
    assert (refused.status, agent.first_name) == (400, "Ada")
    right = {"password": "new", "currentPassword": agent.password}
    assert (await api("PUT", "/agents", json=right)).status == 200
    assert agent.password == "new"


async def test_device_password_reset_and_ping(api: Api, anonymous: Api, world: World) -> None:
    assert (await api("PUT", "/auth/device", params={"deviceToken": "fcm"})).content == {}
    assert world.agent("0011").device_token == "fcm"
    assert (await anonymous("POST", "/users/password/reset", data={"username": "who@acme.example"})).status == 200
    assert (await anonymous("POST", "/users/password/reset", data={})).status == 400
    assert (await anonymous.get("/monitor/ping", callCenter="acme")).content == {}


async def test_profile_tells_live_calls(api: Api, world: World, connect) -> None:
    assert (await api.get("/profile")).content["liveCalls"] == []
    client = await connect()
    await client.login(world.agent("0011"))
    call = await world.customer("+971").dials(world.agent("0011"))
    profile = (await api.get("/profile")).content
    assert profile["liveCalls"] == [call.id]
    assert profile["liveInfo"]["state"] == "In a queue call"
