"""Handshakes, carriers and heartbeats, by real clients of both generations."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ziwo_async.simulator import ServerOptions, Simulator, World

from ..conftest import FAST
from .conftest import Listen
from .ears import NewEar, OldEar


async def test_a_websocket_client_connects(listen: Listen, sim: Simulator, world: World, eio: int) -> None:
    ear = await listen()
    (connection,) = sim.live.connections
    assert connection.protocol == eio
    assert connection.carrier == "websocket"
    assert connection.user is world.agent("0011")
    assert len(await ear.content("GET /live/agents")) == 2


async def test_polling_alone_serves(listen: Listen, sim: Simulator, world: World) -> None:
    ear = await listen(transports=("polling",))
    assert sim.live.connections[0].carrier == "polling"
    await ear.content("GET /live/status")
    world.agent("0011").set_status("On Break")
    assert (await ear.update("GET /live/status"))["status"] == "On Break"


async def test_polling_is_upgraded_to_a_websocket(listen: Listen, sim: Simulator) -> None:
    ear = await listen(transports=("polling", "websocket"))
    assert len(await ear.content("GET /live/agents")) == 2
    (connection,) = sim.live.connections
    assert connection.carrier == "websocket"
    await ear.content("GET /live/stats")
