"""The frames themselves: what a real client does not let one see, or would never send."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType

from ziwo_async.simulator import ServerOptions, Simulator, World
from ziwo_async.simulator.live.payloads import BadPayload, decode, encode

WAIT = 5.0


@pytest.fixture
def options() -> ServerOptions:
    return ServerOptions(live_ping_interval=0.1, live_ping_timeout=1.0)


@pytest.fixture
def query(sim: Simulator, world: World) -> dict[str, str]:
    sim.rest.accept_token("t", world.agent("0011"))
    return {"access_token": "t", "transport": "websocket"}


async def take(ws: aiohttp.ClientWebSocketResponse) -> str:
    message = await ws.receive(WAIT)
    assert message.type is WSMsgType.TEXT, message
    return str(message.data)


async def refusal(http: aiohttp.ClientSession, method: str = "GET", path: str = "/socket/", **params: str) -> str:
    async with http.request(method, path, params=params) as response:
        assert response.status == 400
        return str((await response.json())["message"])


async def test_eio4_handshake_entry_and_heartbeat(http: aiohttp.ClientSession, query: dict[str, str]) -> None:
    async with http.ws_connect("/socket/", params={**query, "EIO": "4"}) as ws:
        handshake = await take(ws)
        assert handshake[0] == "0"
        told = json.loads(handshake[1:])
        assert told == {
            "sid": told["sid"],
            "upgrades": [],
            "pingInterval": 100,
            "pingTimeout": 1000,
            "maxPayload": 1_000_000,
        }
        await ws.send_str("40")
        entered = await take(ws)
        assert entered.startswith('40{"sid":')
        assert told["sid"] != json.loads(entered[2:])["sid"]
        for _ in range(3):  # the server pings, longer than the two times together
            assert await take(ws) == "2"
            await ws.send_str("3")
        assert await take(ws) == "2"
        message = await ws.receive(WAIT)  # unanswered
        assert message.type in (WSMsgType.CLOSED, WSMsgType.CLOSE, WSMsgType.ERROR)


async def test_eio3_enters_by_itself_and_pings_itself(http: aiohttp.ClientSession, query: dict[str, str]) -> None:
    async with http.ws_connect("/socket/", params={**query, "EIO": "3"}) as ws:
        assert set(json.loads((await take(ws))[1:])) == {"sid", "upgrades", "pingInterval", "pingTimeout"}
        assert await take(ws) == "40"
        for _ in range(3):  # longer than the two times together
            await asyncio.sleep(0.4)
            await ws.send_str("2")
            assert await take(ws) == "3"
        message = await ws.receive(WAIT)  # it pings no more
        assert message.type in (WSMsgType.CLOSED, WSMsgType.CLOSE, WSMsgType.ERROR)


async def test_a_silenced_connection_gets_no_pings_and_is_not_given_up(
    http: aiohttp.ClientSession, query: dict[str, str], sim: Simulator
) -> None:
    async with http.ws_connect("/socket/", params={**query, "EIO": "4"}) as ws:
        await take(ws)
        await ws.send_str("40")
        await take(ws)
        assert sim.faults.silence_live() == 1
        await ws.send_str('42["GET /live/status",{}]')
        assert (await take(ws)).startswith('42["GET /live/status"')
        with pytest.raises(TimeoutError):
            await ws.receive(1.3)
        assert len(sim.live.connections) == 1


async def test_frames_of_refused_tokens(http: aiohttp.ClientSession, query: dict[str, str], sim: Simulator) -> None:
    sim.rest.expire_tokens()
    async with http.ws_connect("/socket/", params={**query, "EIO": "3"}) as ws:
        await take(ws)
        assert await take(ws) == '44"Invalid access token"'
    async with http.ws_connect("/socket/", params={**query, "EIO": "4"}) as ws:
        await take(ws)
        await ws.send_str("40")
        assert await take(ws) == '44{"message": "Invalid access token"}'
        await ws.send_str('42["GET /live/agents",{}]')
        assert await take(ws) == "2"  # it is not let in: no answer but the heartbeat


async def test_other_namespaces_do_not_exist(http: aiohttp.ClientSession, query: dict[str, str]) -> None:
    async with http.ws_connect("/socket/", params={**query, "EIO": "4"}) as ws:
        await take(ws)
        await ws.send_str("40/admin,")
        assert await take(ws) == '44/admin,{"message": "Invalid namespace"}'
    async with http.ws_connect("/socket/", params={**query, "EIO": "3"}) as ws:
        await take(ws)
        assert await take(ws) == "40"
        await ws.send_str("40/admin?x=1")
        assert await take(ws) == '44/admin,"Invalid namespace"'


@pytest.mark.parametrize("frame", ["4", "45-[]", "42{}", "42[", '42["a"', "42[1]", "49", "4x"])
async def test_malformed_frames_end_the_connection(
    http: aiohttp.ClientSession, query: dict[str, str], sim: Simulator, frame: str
) -> None:
    async with http.ws_connect("/socket/", params={**query, "EIO": "4"}) as ws:
        await take(ws)
        await ws.send_str("40")
        await take(ws)
        await ws.send_str(frame)
        message = await ws.receive(WAIT)
        assert message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED)
        assert sim.live.connections == ()


async def test_bytes_end_the_connection(http: aiohttp.ClientSession, query: dict[str, str]) -> None:
    async with http.ws_connect("/socket/", params={**query, "EIO": "4"}) as ws:
        await take(ws)
        await ws.send_bytes(b"\x04")
        assert (await ws.receive(WAIT)).type in (WSMsgType.CLOSE, WSMsgType.CLOSED)


async def test_requests_that_are_refused(http: aiohttp.ClientSession, query: dict[str, str], sim: Simulator) -> None:
    assert await refusal(http, EIO="4") == "Transport unknown"
    assert await refusal(http, EIO="4", transport="flashsocket") == "Transport unknown"
    assert await refusal(http, EIO="4", transport="polling", sid="x") == "Session ID unknown"
    assert await refusal(http, "POST", EIO="4", transport="polling", sid="x") == "Session ID unknown"
    assert await refusal(http, "POST", EIO="4", transport="polling") == "Bad handshake method"
    assert await refusal(http, EIO="4", transport="websocket") == "Bad request"  # without an upgrade
    sim.faults.refuse_live(eio=4)
    assert await refusal(http, EIO="4", transport="polling") == "Unsupported protocol version"
    async with http.get("/socket", params={**query, "transport": "polling"}) as response:
        assert response.status == 200  # who does not say 4 speaks 3
    sim.faults.refuse_live()
    assert await refusal(http, EIO="3", transport="polling") == "Unsupported protocol version"


async def test_polling_by_hand(http: aiohttp.ClientSession, query: dict[str, str], sim: Simulator) -> None:
    params = {**query, "transport": "polling", "EIO": "4"}

    async def get() -> list[str]:
        async with http.get("/socket/", params=params) as response:
            return (await response.text()).split("\x1e")

    async def post(body: str) -> tuple[int, str]:
        async with http.post("/socket/", params=params, data=body) as response:
            return response.status, await response.text()

    (handshake,) = await get()
    told = json.loads(handshake[1:])
    assert told["upgrades"] == ["websocket"]
    params["sid"] = told["sid"]
    assert await post("40") == (200, "ok")
    (entered,) = await get()
    assert entered.startswith("40{")
    assert await post('42["GET /live/status",{}]\x1e42["GET /live/queues",{}]') == (200, "ok")
    names = [json.loads(packet[2:])[0] for packet in await get()]
    assert names == ["GET /live/status", "GET /live/queues"]
    waiting = asyncio.create_task(get())
    async with asyncio.timeout(WAIT):
        while not sim.live.connections[0].session.polled:
            await asyncio.sleep(0)
    assert (await refusal(http, **params)) == "Bad request"  # two polls at once
    assert (await waiting)[0] == "2"
    status, _ = await post("b4AAAA")
    assert status == 400
    assert sim.live.connections == ()
    assert await refusal(http, **params) == "Session ID unknown"


async def test_a_probe_that_comes_to_nothing_leaves_polling_alone(
    http: aiohttp.ClientSession, query: dict[str, str], sim: Simulator
) -> None:
    params = {**query, "transport": "polling", "EIO": "4"}
    async with http.get("/socket/", params=params) as response:
        params["sid"] = json.loads((await response.text())[1:])["sid"]
    async with http.ws_connect("/socket/", params={**params, "transport": "websocket"}) as ws:
        await ws.send_str("2probe")
        assert await take(ws) == "3probe"
    assert sim.live.connections[0].carrier == "polling"
    async with http.post("/socket/", params=params, data="40") as response:
        assert response.status == 200
    async with http.get("/socket/", params=params) as response:
        assert (await response.text()).startswith("40{")


@pytest.mark.parametrize("packets", [["40"], ['42["a","é€😀"]', "2", '42["b"]']])
def test_payloads_of_both_versions(packets: list[str]) -> None:
    assert decode("\x1e".join(packets).encode(), 4) == packets
    counted = "".join(f"{len(packet.encode('utf-16-le')) // 2}:{packet}" for packet in packets)
    assert decode(counted.encode(), 3) == packets
    framed = b"".join(
        b"\x00" + bytes(int(digit) for digit in str(len(packet.encode()))) + b"\xff" + packet.encode()
        for packet in packets
    )
    assert decode(framed, 3) == packets


def test_what_is_sent_is_ascii_so_that_lengths_agree() -> None:
    packet = f"42{json.dumps(['name', 'é😀'])}"
    assert encode([packet, "2"], 3) == f"{len(packet)}:{packet}1:2"
    assert encode([packet, "2"], 4) == f"{packet}\x1e2"


@pytest.mark.parametrize(
    ("body", "protocol"),
    [
        *((body, 4) for body in (b"", b"x", b"b4AA", b"40\x1e", b"\xff")),
        *((body, 3) for body in (b"2", b"2:4", b"a:40", b"99999999999:4", b"2:b4", b"\x01\x01\xff4", b"\x00\xff4")),
        *((body, 3) for body in (b"\x00\x02\xff4", b"\x00\x01", b"\x00\x01\xff\xff", b"\x00\x0a\xff4")),
    ],
)
def test_malformed_payloads(body: bytes, protocol: Any) -> None:
    with pytest.raises(BadPayload):
        decode(body, protocol)


async def begin_polling(http: aiohttp.ClientSession, query: dict[str, str]) -> dict[str, str]:
    """Open a connection by polling and enter the namespace; gives the parameters of its requests."""
    params = {**query, "transport": "polling", "EIO": "4"}
    async with http.get("/socket/", params=params) as response:
        params["sid"] = json.loads((await response.text())[1:])["sid"]
    async with http.post("/socket/", params=params, data="40") as response:
        assert response.status == 200
    return params


async def gone(sim: Simulator) -> None:
    await sim.world.watch.until(lambda: None if sim.live.connections else True, WAIT, lambda: "it is still there")


async def test_a_client_that_polls_no_more_is_given_up(
    http: aiohttp.ClientSession, query: dict[str, str], sim: Simulator
) -> None:
    params = await begin_polling(http, query)
    assert len(sim.live.connections) == 1
    await gone(sim)
    assert await refusal(http, **params) == "Session ID unknown"


async def test_a_client_that_does_not_read_is_given_up(
    http: aiohttp.ClientSession, query: dict[str, str], sim: Simulator, world: World
) -> None:
    params = await begin_polling(http, query)
    async with http.post("/socket/", params=params, data='42["subscribe","GET /callHistory"]') as response:
        assert response.status == 200
    for _ in range(10_001):
        world.history.add(customer="+1")
    assert sim.live.connections == ()


async def test_the_simulator_closes_with_clients_of_both_carriers(world: World) -> None:
    async with Simulator(world) as sim, aiohttp.ClientSession(sim.api_url) as http:
        sim.rest.accept_token("t", world.agent("0011"))
        query = {"access_token": "t", "EIO": "4"}
        ws = await http.ws_connect("/socket/", params={**query, "transport": "websocket"})
        await take(ws)
        await ws.send_str("40")
        await take(ws)
        await begin_polling(http, query)
        assert len(sim.live.connections) == 2
        sim.live.close()
        assert (await ws.receive(WAIT)).type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR)
        assert sim.live.connections == ()
        assert world.watch.listeners == []
    assert world.history.listeners == []
