"""The websocket as libks has it, its oddities included."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.asyncio.client import connect as websockets_connect

from ziwo_async.simulator import ServerOptions, Simulator, World

from .client import RawClient
from .conftest import FAST, Connect

REFUSED = {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": None}


async def test_ping_gets_no_pong_but_an_error_text(connect: Connect) -> None:
    client = await connect()
    client.send_ping(b"\x01\x02\x03\x04")
    assert await client.get() == REFUSED
    client.send_pong(b"unasked")
    assert await client.get() == REFUSED
    assert client.pongs == 0


async def test_json_in_a_ping_is_executed_and_an_empty_ping_is_nothing(connect: Connect, world: World) -> None:
    client = await connect()
    await client.login(world.agent("0011"))
    client.send_ping(b"")
    client.send_ping(b'{"jsonrpc":"2.0","method":"verto.ping","params":{},"id":4711}')
    reply = await client.get()
    assert reply == {"jsonrpc": "2.0", "id": 4711, "result": {"message": "PONG", "sessid": "session-1"}}
    assert client.pongs == 0


async def test_fragments_make_one_message(connect: Connect) -> None:
    client = await connect()
    client.send_fragments(b'{"jsonrpc":"2.0",', b'"method":"verto.ping",', b'"id":9}')
    assert (await client.get())["error"]["code"] == -32001


async def test_binary_frames_are_read_like_text(connect: Connect) -> None:
    client = await connect()
    client.ws.send_binary(b'{"jsonrpc":"2.0","method":"verto.ping","params":{},"id":9}')
    client.flush()
    assert (await client.get())["error"]["message"] == "Authentication Required"


@pytest.mark.parametrize(("size", "closes"), [(999_999, False), (1_000_000, True)])
async def test_a_message_of_a_million_bytes_closes_the_socket(connect: Connect, size: int, closes: bool) -> None:
    client = await connect()
    head, tail = '{"jsonrpc":"2.0","method":"verto.ping","params":{"pad":"', '"},"id":800}'
    client.send_text(head + "x" * (size - len(head) - len(tail)) + tail)
    if closes:
        assert await client.ended() == 1000
        assert client.close_reason == ""
    else:
        assert (await client.get())["id"] == 800


async def test_any_path_no_subprotocol_no_extension(sim: Simulator) -> None:
    client = await RawClient.connect(sim.verto_url, "/some/where?else=1")
    assert set(client.response_headers) <= {
        "Upgrade", "Connection", "Sec-WebSocket-Accept", "Date", "Server",
    }  # fmt: skip
    assert await client.close() == 1000
    # An ordinary client that offers compression gets none, and works.
    async with websockets_connect(sim.verto_url, ping_interval=None) as ordinary:
        assert ordinary.subprotocol is None
        assert ordinary.protocol.extensions == []


async def test_server_messages_wait_for_silence() -> None:
    """A client that chatters faster than the server polls hears replies only (s19)."""
    world = World()
    slow = ServerOptions(flush_quiet=0.2, ready_delay=0.01)
    async with Simulator(world, options=slow) as sim:
        client = await RawClient.connect(sim.verto_url)
        agent = world.agent("0011")
        await client.login(agent)
        call = await world.customer("+971").dials(agent)
        replies = 0
        for _ in range(8):
            assert (await client.ask("verto.ping"))["result"]["message"] == "PONG"
            replies += 1
            await asyncio.sleep(0.05)  # the chatter itself: four times as often as the server polls
        assert replies == 8
        assert client.received.empty()
        assert (await client.expect("verto.invite"))["callID"] == call.id
        client.abort()


async def test_idle_ping_and_its_serno(world: World) -> None:
    quick = ServerOptions(flush_quiet=0.005, idle_ping=0.05)
    async with Simulator(world, options=quick) as sim:
        client = await RawClient.connect(sim.verto_url)
        for _ in range(2):  # never logged in, never answered: pinged all the same
            params = await client.expect("verto.ping")
            assert list(params) == ["serno"]
            assert isinstance(params["serno"], int)
        client.abort()


async def test_the_precise_message_stands_first_under_the_same_key(connect: Connect, world: World) -> None:
    client = await connect()
    await client.login(world.agent("0011"))
    frame_id = client.request("verto.invite", dialogParams={"callID": "c1"})
    raw = await client.received.get()
    assert raw == (
        f'{{"jsonrpc":"2.0","id":{frame_id},"error":{{"message":"SDP missing","message":"CALL ERROR","causeCode":95,'
        f'"cause":"INVALID_MSG_UNSPECIFIED","code":-32002}}}}'
    )
    assert json.loads(raw)["error"]["message"] == "CALL ERROR"


async def test_login_expires_without_a_word_and_the_call_survives(world: World) -> None:
    options = ServerOptions(
        flush_quiet=0.005, ready_delay=0.005, bridge_delay=0.005, answer_settle=0.001, login_expires=0.3
    )
    async with Simulator(world, options=options) as sim:
        agent = world.agent("0011")
        client = await RawClient.connect(sim.verto_url)
        reply = await client.ask("login", login=agent.position, passwd=agent.verto_password, sessid="s")
        assert list(reply["result"]) == ["message", "auth-expires", "client-address", "sessid"]
        assert await client.ended() == 1000
        assert FAST.login_expires is None
