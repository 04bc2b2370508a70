"""Handshakes, carriers, refusals, heartbeats and faults, by real clients of both generations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from ziwo_async.simulator import SimAgent, Simulator, World

from .conftest import Listen
from .ears import NewEar, OldEar

MakeEar = Callable[[], NewEar | OldEar]


@pytest.fixture
async def ear(make_ear: MakeEar) -> AsyncIterator[NewEar | OldEar]:
    """A client that is not connected yet."""
    made = make_ear()
    yield made
    await made.close()


@pytest.fixture
def admin(world: World) -> SimAgent:
    return world.agent("0011")


async def refused(ear: NewEar | OldEar, sim: Simulator, token: str, transports: tuple[str, ...]) -> list[str]:
    """What a client hears that is not let in, until it gives up."""
    try:
        await ear.connect(f"{sim.api_url}?access_token={token}", transports)
    except Exception as problem:
        return [str(problem)]
    return [await ear.happens()]


# ---- carriers ------------------------------------------------------------------------------------------------------


async def test_a_websocket_client_connects(listen: Listen, sim: Simulator, admin: SimAgent, eio: int) -> None:
    ear = await listen()
    (connection,) = sim.live.connections
    assert (connection.protocol, connection.carrier, connection.user) == (eio, "websocket", admin)
    assert len(await ear.content("GET /live/agents")) == 2
    assert connection.subscriptions == {"GET /live/agents"}


async def test_polling_alone_serves(listen: Listen, sim: Simulator, admin: SimAgent) -> None:
    ear = await listen(transports=("polling",))
    assert sim.live.connections[0].carrier == "polling"
    await ear.content("GET /live/status")
    admin.set_status("On Break")
    assert (await ear.update("GET /live/status"))["status"] == "On Break"


async def test_polling_is_upgraded_to_a_websocket(listen: Listen, sim: Simulator, admin: SimAgent) -> None:
    ear = await listen(transports=("polling", "websocket"))
    assert len(await ear.content("GET /live/agents")) == 2
    (connection,) = sim.live.connections
    assert connection.carrier == "websocket"
    admin.set_status("On Break")
    await ear.update("GET /live/agents")


async def test_a_client_that_leaves_is_forgotten(listen: Listen, sim: Simulator, world: World) -> None:
    ear = await listen()
    await ear.content("GET /live/agents")
    await ear.close()  # type: ignore[attr-defined]
    await world.watch.until(lambda: None if sim.live.connections else True, 5, lambda: "it is still there")


async def test_without_the_live_socket_the_path_is_unknown(world: World, ear: NewEar | OldEar) -> None:
    async with Simulator(world, live=False) as sim:
        sim.rest.accept_token("t", world.agent("0011"))
        said = await refused(ear, sim, "t", ("websocket",))
    assert said != ["connect"]


# ---- tokens and versions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transports", [("websocket",), ("polling",)], ids=["websocket", "polling"])
async def test_a_wrong_token_is_refused(
    ear: NewEar | OldEar, sim: Simulator, eio: int, transports: tuple[str, ...]
) -> None:
    (said,) = await refused(ear, sim, "wrong", transports)
    heard = said if eio == 3 else await ear.happens()
    assert heard == "error: Invalid access token"
    assert [connection.user for connection in sim.live.connections] in ([], [None])


async def test_tokens_that_were_handed_out_by_a_login_are_good(
    ear: NewEar | OldEar, sim: Simulator, admin: SimAgent, world: World
) -> None:
    world.add_user("boss@acme.example", token="t-boss")
    await ear.connect(f"{sim.api_url}?access_token=t-boss", ("websocket",))
    assert await ear.happens() == "connect"
    assert len(await ear.content("GET /live/agents")) == 2


async def test_auth_failures_on_order(ear: NewEar | OldEar, sim: Simulator, listen: Listen, eio: int) -> None:
    sim.faults.live_auth_fails()
    sim.rest.accept_token("good", sim.world.agent("0011"))
    (said,) = await refused(ear, sim, "good", ("websocket",))
    assert (said if eio == 3 else await ear.happens()) == "error: Invalid access token"
    await listen()  # the next one is let in


@pytest.mark.parametrize("transports", [("websocket",), ("polling",)], ids=["websocket", "polling"])
async def test_a_version_that_is_not_spoken(
    ear: NewEar | OldEar, sim: Simulator, listen: Listen, eio: int, transports: tuple[str, ...]
) -> None:
    await listen()
    sim.faults.refuse_live(eio=eio)  # type: ignore[arg-type]
    sim.rest.accept_token("good", sim.world.agent("0011"))
    (said,) = await refused(ear, sim, "good", transports)
    assert said != "connect"
    assert len(sim.live.connections) == 1  # the open one stays
    sim.faults.refuse_live(eio=eio, refuse=False)  # type: ignore[arg-type]
    await listen()


async def test_the_other_version_is_spoken_all_the_same(listen: Listen, sim: Simulator, eio: int) -> None:
    sim.faults.refuse_live(eio=7 - eio)  # type: ignore[arg-type]
    await listen()


# ---- faults --------------------------------------------------------------------------------------------------------


async def test_a_cut_connection_is_lost_at_once(listen: Listen, sim: Simulator) -> None:
    ear = await listen()
    assert sim.faults.cut_live() == 1
    assert sim.live.connections == ()
    assert await ear.happens() == "disconnect"
    again = await listen()
    assert (await again.content("GET /live/status"))["force"] is False


async def test_events_that_come_twice(listen: Listen, sim: Simulator) -> None:
    ear = await listen()
    sim.faults.duplicate_live()
    assert await ear.content("GET /live/status") == await ear.update("GET /live/status")
    sim.faults.duplicate_live(False)
    await ear.content("GET /live/status")
    await ear.content("GET /live/stats")
    assert ear.silent()


async def test_events_that_come_late_and_in_order(listen: Listen, sim: Simulator, world: World) -> None:
    ear = await listen()
    sim.faults.slow_live(0.3)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await ear.emit("subscribe", "GET /callHistory")
    await ear.content("GET /live/status")
    assert loop.time() - begun >= 0.3
    records = [world.history.add(customer=f"+{number}") for number in range(5)]
    heard = [(await ear.update("GET /callHistory"))["callID"] for _ in records]
    assert heard == [record.call_id for record in records]


async def test_a_frozen_connection_hears_nothing(listen: Listen, sim: Simulator, admin: SimAgent) -> None:
    frozen = await listen()
    await frozen.content("GET /live/status")
    assert sim.faults.silence_live(frozen=True) == 1
    other = await listen()
    await other.content("GET /live/status")
    admin.set_status("Meeting")
    assert (await other.update("GET /live/status"))["status"] == "Meeting"
    assert frozen.silent()
    assert len(sim.live.connections) == 2  # the network is gone, the server does not know


async def test_a_token_in_the_query_is_in_no_journal(listen: Listen, sim: Simulator) -> None:
    await listen(token="t-0011-secret")
    notes = [entry for entry in sim.journal if entry.text.startswith("live socket")]
    assert notes
    assert not any("secret" in repr(entry) for entry in sim.journal)
    assert "secret" not in repr(sim.live.connections)
