"""Faults to order."""

from __future__ import annotations

import asyncio
import socket

import pytest

from ziwo_async.simulator import SimCall, Simulator, SimulatorError, World

from .client import SDP, RawClient
from .conftest import FAST, Connect


@pytest.fixture
async def phone(world: World, connect: Connect) -> RawClient:
    client = await connect()
    await client.login(world.agent("0011"))
    return client


async def test_cut_is_a_reset_without_close_frame(world: World, phone: RawClient, sim: Simulator) -> None:
    assert await sim.faults.cut_phone_socket(world.agent("0011")) == 1
    assert not world.agent("0011").connected
    assert await phone.ended() == 1006


async def test_close_is_a_proper_close(phone: RawClient, sim: Simulator) -> None:
    assert await sim.faults.close_phone_socket() == 1
    assert await phone.ended() == 1000


async def test_refused_connections(sim: Simulator) -> None:
    sim.faults.refuse_connections()
    with pytest.raises(ConnectionError):
        await RawClient.connect(sim.verto_url)
    sim.faults.refuse_connections(False)
    client = await RawClient.connect(sim.verto_url)
    assert await client.close() == 1000


async def test_half_open_neither_answers_nor_closes(world: World, phone: RawClient, sim: Simulator) -> None:
    await sim.faults.half_open(world.agent("0011"))
    phone.request("verto.ping")
    with pytest.raises(TimeoutError):
        await phone.get(timeout=0.05)
    assert not phone.over.done()
    assert world.agent("0011").connected
    with pytest.raises(SimulatorError, match="5555 has no Verto socket"):
        await sim.faults.half_open(world.agent("5555"))


async def test_close_during_login(world: World, connect: Connect, sim: Simulator) -> None:
    sim.faults.close_during_login()
    client = await connect()
    client.request("login", login="agent-0011", passwd="x")
    assert await client.ended() == 1000
    assert client.received.empty()
    await (await connect()).login(world.agent("0011"))


async def test_injected_text_arrives_as_it_is(world: World, phone: RawClient, sim: Simulator) -> None:
    await sim.faults.inject(world.agent("0011"), '{"jsonrpc":"2.0", garbage')
    assert await phone.received.get() == '{"jsonrpc":"2.0", garbage'


async def test_delayed_replies_keep_their_order(phone: RawClient, sim: Simulator) -> None:
    sim.faults.delay_replies(0.05)
    began = asyncio.get_running_loop().time()
    first, second = phone.request("verto.ping"), phone.request("verto.ping")
    assert [(await phone.get())["id"], (await phone.get())["id"]] == [first, second]
    assert asyncio.get_running_loop().time() - began >= 0.04


async def test_fail_next_is_executed_once_and_only_for_its_method(phone: RawClient, sim: Simulator) -> None:
    sim.faults.fail_next("verto.bye", -32002, "CALL ERROR", causeCode=27)
    assert "result" in await phone.ask("verto.ping")
    reply = await phone.ask("verto.bye", dialogParams={"callID": "x"})
    assert reply["error"] == {"causeCode": 27, "message": "CALL ERROR", "code": -32002}
    reply = await phone.ask("verto.bye", dialogParams={"callID": "x"})
    assert reply["error"]["message"] == "CALL DOES NOT EXIST"


@pytest.mark.parametrize("executed", [True, False])
async def test_drop_next_loses_the_reply(world: World, phone: RawClient, sim: Simulator, executed: bool) -> None:
    call = await world.customer("+971").dials(world.agent("0011"))
    await phone.expect("verto.invite")
    sim.faults.drop_next("verto.bye", executed=executed)
    phone.request("verto.bye", dialogParams={"callID": call.id})
    ping = phone.request("verto.ping")
    assert (await phone.get())["id"] == ping
    assert call.state == ("ended" if executed else "ringing")


# -- scenarios ---------------------------------------------------------------------------------------------------------


async def talk(client: RawClient, world: World, agent: str = "0011", number: str = "+971") -> SimCall:
    """A customer calls the agent, and is answered."""
    call = await world.customer(number).dials(world.agent(agent))
    await client.expect("verto.invite")
    await client.ask("verto.answer", sdp=SDP, dialogParams={"callID": call.id})
    await call.reaches("active")
    await client.expect("verto.display")
    return call


async def test_punt_says_so_detaches_the_calls_and_closes(world: World, phone: RawClient, sim: Simulator) -> None:
    call = await talk(phone, world)
    ringing = await world.customer("+972").dials(world.agent("0011"))
    await phone.expect("verto.invite")
    assert await sim.faults.punt(world.agent("0011")) == 1
    assert (call.state, ringing.cause) == ("detached", "DESTINATION_OUT_OF_ORDER")
    # s04, z02: the punt has empty params, and the close no reason.
    assert await phone.expect("verto.punt") == {}
    assert (await phone.ended(), phone.close_reason) == (1000, "")
    assert phone.received.empty()
    assert not world.agent("0011").connected
    with pytest.raises(SimulatorError, match="0011 has no Verto socket"):
        await sim.faults.punt(world.agent("0011"))


async def test_duplicate_refuses_logins_until_it_is_released(
    world: World, phone: RawClient, connect: Connect, sim: Simulator
) -> None:
    agent = world.agent("0011")
    sim.faults.duplicate(agent)
    other = await connect()
    credentials = {"login": agent.position, "passwd": agent.verto_password, "sessid": "other"}
    for passwd in (agent.verto_password, "wrong", agent.verto_password):
        reply = await other.ask("login", **credentials | {"passwd": passwd})
        assert reply["error"] == {"code": -32003, "message": "Duplicate Session"}
    # z02: the refused socket is not logged in and stays open, the first one notices nothing, other agents neither.
    assert (await other.ask("verto.ping"))["error"]["code"] == -32000
    assert (await phone.ask("verto.ping"))["result"]["message"] == "PONG"
    await (await connect()).login(world.agent("5555"), "session-2")
    sim.faults.release(agent)
    assert "result" in await other.ask("login", **credentials)
    sim.faults.release(agent)


async def test_duplicate_may_be_for_some_tries_only(world: World, connect: Connect, sim: Simulator) -> None:
    agent = world.agent("0011")
    sim.faults.duplicate(agent, tries=2)
    client = await connect()
    codes = []
    for _ in range(3):
        reply = await client.ask("login", login=agent.position, passwd=agent.verto_password, sessid="mine")
        codes.append(reply.get("error", {}).get("code"))
    assert codes == [-32003, -32003, None]


async def test_detach_expired_ends_the_calls_that_nobody_took_over(
    world: World, phone: RawClient, connect: Connect, sim: Simulator
) -> None:
    agent, partner = world.agent("0011"), world.agent("5555")
    other = await connect()
    await other.login(partner, "session-2")
    with_customer = await talk(phone, world)
    # A call between two agents, as in z08b.
    phone.request("verto.invite", sdp=SDP, dialogParams={"callID": "ours", "destination_number": "5555"})
    invite = await other.expect("verto.invite")
    await other.ask("verto.answer", sdp=SDP, dialogParams={"callID": invite["callID"]})
    await other.expect("verto.display")
    assert await sim.faults.detach_expired(agent) == 0
    await sim.faults.cut_phone_socket(agent)
    assert with_customer.state == "detached"
    assert await sim.faults.detach_expired(agent) == 2
    assert (with_customer.state, with_customer.cause) == ("ended", "RECOVERY_ON_TIMER_EXPIRE")
    # z08b: the partner sees an ordinary hangup. s13: the agent is told nothing, and has nothing to control any more.
    assert await other.expect("verto.bye") == {
        "callID": invite["callID"], "causeCode": 16, "cause": "NORMAL_CLEARING",
    }  # fmt: skip
    again = await connect()
    assert (await again.login(agent))["reattached_sessions"] == []
    assert again.attached == []
    for call_id in ("ours", with_customer.id):
        reply = await again.ask("verto.bye", dialogParams={"callID": call_id})
        assert reply["error"] == {"callID": call_id, "message": "CALL DOES NOT EXIST", "code": -32002}
    assert again.received.empty()


async def test_detach_expired_spares_a_call_whose_session_is_back(
    world: World, phone: RawClient, connect: Connect, sim: Simulator
) -> None:
    call = await talk(phone, world)
    await sim.faults.cut_phone_socket()
    again = await connect()
    assert (await again.login(world.agent("0011")))["reattached_sessions"] == [call.id]
    # The attach is not answered: a socket of the session keeps the call all the same (mod_verto.c:1438).
    assert await sim.faults.detach_expired(world.agent("0011")) == 0
    assert call.state == "detached"


async def test_while_the_server_is_down_its_port_refuses(world: World, phone: RawClient, sim: Simulator) -> None:
    # s24: 1006 and no frame before it; then ECONNREFUSED; the replay of s24 holds the rest to the recording.
    url = sim.verto_url
    call = await talk(phone, world)
    ringing = await world.customer("+972").dials(world.agent("0011"))
    waiting = await world.customer("+973").dials(world.queue("sales", agents=[world.agent("5555")]))
    await phone.expect("verto.invite")
    async with sim.faults.server_down():
        assert await phone.ended() == 1006
        assert phone.received.empty()
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                await RawClient.connect(url)
        assert [c.state for c in (call, ringing, waiting)] == ["ended"] * 3
        assert {c.cause for c in (call, ringing, waiting)} == {"SYSTEM_SHUTDOWN"}
        assert not world.agent("0011").connected
        assert (await world.customer("+974").dials(world.agent("0011"))).cause == "USER_NOT_REGISTERED"
        with pytest.raises(SimulatorError, match="down already"):
            await sim.faults.server_restart()
    assert sim.verto_url == url
    client = await RawClient.connect(url)
    assert (await client.login(world.agent("0011")))["reattached_sessions"] == []
    await talk(client, world)
    client.abort()


async def test_a_server_that_is_down_has_no_timer_and_keeps_its_port(
    world: World, phone: RawClient, connect: Connect, sim: Simulator
) -> None:
    await talk(phone, world)
    await world.customer("+972").dials(world.agent("0011"))
    answered = await world.customer("+973").dials(world.agent("0011"))
    phone.request("verto.answer", sdp=SDP, dialogParams={"callID": answered.id})
    await answered.reaches("active")  # and is not settled yet
    await connect()
    async with sim.faults.server_down():
        assert sim.clock._timers == set()
        with socket.socket() as thief, pytest.raises(OSError, match="in use"):
            thief.bind(("127.0.0.1", int(sim.verto_url.rpartition(":")[2])))


@pytest.mark.parametrize("turns", range(6))
async def test_a_connection_that_comes_while_the_server_goes_down_is_reset(sim: Simulator, turns: int) -> None:
    with socket.socket() as client:
        client.connect(("127.0.0.1", int(sim.verto_url.rpartition(":")[2])))  # in the backlog
        for _ in range(turns):
            await asyncio.sleep(0)
        async with sim.faults.server_down():
            for _ in range(20):
                await asyncio.sleep(0)
            assert not sim.verto._all
            client.setblocking(False)
            with pytest.raises(ConnectionResetError):
                client.recv(1)


async def test_the_server_can_restart_many_times(world: World, sim: Simulator) -> None:
    for _ in range(5):
        client = await RawClient.connect(sim.verto_url)
        await client.login(world.agent("0011"))
        await sim.faults.server_restart(0.001)
        assert await client.ended() == 1006
    await (client := await RawClient.connect(sim.verto_url)).login(world.agent("0011"))
    client.abort()


async def test_a_restart_that_is_cancelled_brings_the_server_back(world: World, sim: Simulator) -> None:
    task = asyncio.create_task(sim.faults.server_restart(1000))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await (client := await RawClient.connect(sim.verto_url)).login(world.agent("0011"))
    client.abort()


async def test_an_expired_login_closes_the_socket_and_keeps_the_calls(
    world: World, phone: RawClient, connect: Connect, sim: Simulator
) -> None:
    # s21, z07b: close 1000 without a frame or reason; the same sessid is offered the call, and can end it.
    call = await talk(phone, world)
    assert await sim.faults.login_expired(world.agent("0011")) == 1
    assert (await phone.ended(), phone.close_reason) == (1000, "")
    assert phone.received.empty()
    assert call.state == "detached"
    again = await connect()
    assert (await again.login(world.agent("0011")))["reattached_sessions"] == [call.id]
    assert [params["callID"] for params in again.attached] == [call.id]
    reply = await again.ask("verto.bye", dialogParams={"callID": call.id})
    assert reply["result"] == {
        "callID": call.id, "message": "CALL ENDED", "causeCode": 16, "cause": "NORMAL_CLEARING", "sessid": "session-1",
    }  # fmt: skip
    with pytest.raises(SimulatorError, match="5555 has no Verto socket"):
        await sim.faults.login_expired(world.agent("5555"))


async def test_a_slow_server_is_late_with_everything_and_keeps_the_order(
    world: World, phone: RawClient, sim: Simulator
) -> None:
    sim.faults.slow_server(0.05)
    loop = asyncio.get_running_loop()
    began = loop.time()
    numbers = [phone.request("verto.ping") for _ in range(3)]
    await world.customer("+971").dials(world.agent("0011"))
    frames = [await phone.get() for _ in range(4)]
    assert loop.time() - began >= 0.045  # a lower bound: that it was late at all
    assert [frame["id"] for frame in frames if "method" not in frame] == numbers
    assert [frame["method"] for frame in frames if "method" in frame] == ["verto.invite"]


async def test_when_a_server_is_quick_again_what_was_late_still_comes_first(phone: RawClient, sim: Simulator) -> None:
    sim.faults.slow_server(0.05)
    late = phone.request("verto.ping")
    async with asyncio.timeout(20):
        while not any("verto.ping" in text for text in sim.journal.frames("in")):
            await asyncio.sleep(0)
    sim.faults.slow_server(0)
    quick = phone.request("verto.ping")
    assert [(await phone.get())["id"], (await phone.get())["id"]] == [late, quick]


async def test_reordered_swaps_two_frames_once(
    world: World, phone: RawClient, connect: Connect, sim: Simulator
) -> None:
    other = await connect()
    await other.login(world.agent("5555"), "session-2")
    sim.faults.reordered(world.agent("0011"))
    first, second, third = (phone.request("verto.ping") for _ in range(3))
    assert [(await phone.get())["id"] for _ in range(3)] == [second, first, third]
    ping = other.request("verto.ping")
    assert (await other.get())["id"] == ping
    # An event overtakes the reply it follows.
    sim.faults.reordered(world.agent("0011"))
    ping = phone.request("verto.ping")
    await world.customer("+971").dials(world.agent("0011"))
    assert (await phone.get())["method"] == "verto.invite"
    assert (await phone.get())["id"] == ping


async def test_a_dropped_reply_is_only_the_reply(world: World, phone: RawClient, sim: Simulator) -> None:
    call = await talk(phone, world)
    sim.faults.dropped_reply("verto.bye")
    phone.request("verto.bye", dialogParams={"callID": call.id})
    ping = phone.request("verto.ping")
    assert (await phone.get())["id"] == ping
    assert call.state == "ended"


async def test_scenarios_are_noted_in_the_journal(world: World, phone: RawClient, sim: Simulator) -> None:
    sim.faults.slow_server(0)
    await sim.faults.punt(world.agent("0011"))
    await sim.faults.server_restart()
    notes = [(entry.agent, entry.text) for entry in sim.journal if entry.kind == "note"]
    assert notes == [
        ("", "fault: slow server: 0 s"),
        ("0011", "fault: punt"),
        ("", "fault: server down"),
        ("", "fault: server up"),
    ]


async def test_a_simulator_that_ends_while_it_is_down_is_closed() -> None:
    world = World()
    async with Simulator(world, options=FAST) as sim:
        restarting = asyncio.create_task(sim.faults.server_restart(1000))
        await asyncio.sleep(0.01)
    restarting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await restarting
    with pytest.raises(ConnectionRefusedError):
        await RawClient.connect(sim.verto_url)
