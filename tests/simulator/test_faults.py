"""Faults to order."""

from __future__ import annotations

import asyncio

import pytest

from ziwo_async.simulator import Simulator, SimulatorError, World

from .client import RawClient
from .conftest import Connect


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
