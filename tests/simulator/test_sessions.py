"""Logins, session ids, lost sockets (what the recordings do not already compare)."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace

import pytest

from ziwo_async.simulator import ServerOptions, Simulator, WaitedInVain, World

from .client import SDP, RawClient
from .conftest import FAST, Connect


async def active_call(client: RawClient, world: World, agent_number: str = "0011"):
    call = await world.customer("+97150000000").dials(world.agent(agent_number))
    invite = await client.expect("verto.invite")
    assert invite["callID"] == call.id
    await client.ask("verto.answer", sdp=SDP, dialogParams={"callID": call.id})
    await call.reaches("active")
    await client.expect("verto.display")
    return call


async def test_password_is_the_md5_of_login_and_secret(world: World) -> None:
    agent = world.add_agent("0012", cc_password="secret")
    assert agent.position == "agent-0012"
    assert agent.verto_password == hashlib.md5(b"0012secret").hexdigest()


async def test_unanswered_calls_end_with_the_socket(world: World, connect: Connect, sim: Simulator) -> None:
    client = await connect()
    await client.login(world.agent("0011"))
    call = await world.customer("+971").dials(world.agent("0011"))
    assert call.state == "ringing"
    await sim.faults.cut_phone_socket()
    assert (call.state, call.cause) == ("ended", "DESTINATION_OUT_OF_ORDER")


async def test_an_answered_call_is_offered_again_and_is_back_only_after_attach(
    world: World, connect: Connect, sim: Simulator
) -> None:
    client = await connect()
    agent = world.agent("0011")
    await client.login(agent)
    call = await active_call(client, world)
    assert await sim.faults.cut_phone_socket(agent) == 1
    assert call.state == "detached"
    assert not agent.connected
    again = await connect()
    ready = await again.login(agent)
    assert ready["reattached_sessions"] == [call.id]
    assert [params["callID"] for params in again.attached] == [call.id]
    # Answering with verto.answer is accepted, and brings no media back (s13).
    assert "result" in await again.ask("verto.answer", sdp=SDP, dialogParams={"callID": call.id})
    assert call.state == "detached"
    assert "result" in await again.ask("verto.attach", sdp=SDP, dialogParams={"callID": call.id})
    await call.reaches("active")
    assert (await again.expect("verto.display"))["display_number"] == "+97150000000"


async def test_a_call_that_ends_meanwhile_is_not_mentioned(world: World, connect: Connect, sim: Simulator) -> None:
    client = await connect()
    await client.login(world.agent("0011"))
    call = await active_call(client, world)
    await sim.faults.cut_phone_socket()
    await call.hangs_up()
    again = await connect()
    assert (await again.login(world.agent("0011")))["reattached_sessions"] == []
    assert again.attached == []


async def test_nobody_comes_back(world: World) -> None:
    async with Simulator(world, options=replace(FAST, detach_timeout=0.05)) as sim:
        client = await RawClient.connect(sim.verto_url)
        await client.login(world.agent("0011"))
        call = await active_call(client, world)
        await sim.faults.cut_phone_socket()
        await call.reaches("ended")
        assert call.cause == "RECOVERY_ON_TIMER_EXPIRE"


async def test_multiple_sessions_ring_both_and_one_loses(world: World, connect: Connect) -> None:
    one, two = await connect(), await connect()
    agent = world.agent("0011")
    await one.login(agent, "s1")
    await two.login(agent, "s2")
    call = await world.customer("+971").dials(agent)
    first = await one.expect("verto.invite")
    second = await two.expect("verto.invite")
    assert first["callID"] != second["callID"]
    await one.ask("verto.answer", sdp=SDP, dialogParams={"callID": first["callID"]})
    bye = await two.expect("verto.bye")
    assert bye == {"callID": second["callID"], "causeCode": 702, "cause": "LOSE_RACE"}
    assert call.id == first["callID"]


@pytest.fixture
def options(request: pytest.FixtureRequest) -> ServerOptions:
    return replace(FAST, disable_multiple_sessions="duplicate" in request.node.name)


async def test_duplicate_a_wrong_password_locks_the_agent_out(world: World, connect: Connect) -> None:
    agent = world.agent("0011")
    wrong = await connect()
    reply = await wrong.ask("login", login=agent.position, passwd="nope", sessid="w")
    assert reply["error"] == {"code": -32001, "message": "Authentication Failure"}
    rightful = await connect()
    credentials = {"login": agent.position, "passwd": agent.verto_password, "sessid": "r"}
    assert (await rightful.ask("login", **credentials))["error"]["code"] == -32003
    await wrong.close()
    assert "result" in await rightful.ask("login", **credentials)


async def test_duplicate_half_open_keeps_the_name_until_its_sessid_returns(
    world: World, connect: Connect, sim: Simulator
) -> None:
    agent = world.agent("0011")
    dead = await connect()
    await dead.login(agent, "mine")
    await sim.faults.half_open(agent)
    stranger = await connect()
    credentials = {"login": agent.position, "passwd": agent.verto_password}
    assert (await stranger.ask("login", sessid="other", **credentials))["error"]["code"] == -32003
    back = await connect()
    assert (await back.ask("login", sessid="mine", **credentials))["error"]["code"] == -32003
    async with asyncio.timeout(20):
        while "error" in (await back.ask("login", sessid="mine", **credentials)):
            pass  # the old socket is removed at the server's next poll
    assert agent.connected


async def test_a_stranger_naming_a_sessid_punts_its_holder(world: World, connect: Connect) -> None:
    holder, stranger = await connect(), await connect()
    await holder.login(world.agent("0011"), "precious")
    reply = await stranger.ask("verto.ping", sessid="precious")
    assert reply["error"]["code"] == -32000
    assert await holder.expect("verto.punt") == {}
    assert await holder.ended() == 1000


async def test_comes_online_waits_for_client_ready(world: World, connect: Connect) -> None:
    agent = world.agent("0011")
    with pytest.raises(WaitedInVain, match="0011 is not connected"):
        await agent.comes_online(timeout=0.01)
    client = await connect()
    await client.login(agent)
    await agent.comes_online()
    assert agent.connected
