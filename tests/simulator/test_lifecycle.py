"""Opening and closing; the world by itself."""

from __future__ import annotations

import asyncio
import gc
import warnings

import aiohttp
import pytest

from ziwo_async.simulator import (
    Clock,
    Journal,
    JournalEntry,
    NotRunning,
    Simulator,
    SimulatorError,
    UnknownAgent,
    World,
)

from .client import RawClient
from .conftest import FAST


async def test_nothing_is_left_when_it_closes() -> None:
    before = asyncio.all_tasks()
    world = World()
    loop = asyncio.get_running_loop()
    async with Simulator(world, options=FAST) as sim, aiohttp.ClientSession(sim.api_url) as http:
        client, idle = await RawClient.connect(sim.verto_url), await RawClient.connect(sim.verto_url)
        await client.login(world.agent("0011"))
        call = await world.customer("+971").dials(world.agent("0011"))
        async with http.get("/monitor/ping") as response:
            assert response.status == 200
        began = loop.time()
    assert loop.time() - began < 20  # the idle connections are not waited for
    assert await client.ended() == 1006
    assert await idle.ended() == 1006
    assert call.state == "ended"
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()
    with pytest.raises(OSError):  # noqa: PT011 (refused)
        await RawClient.connect(sim.verto_url)


async def test_a_world_is_served_once_at_a_time_and_again() -> None:
    world = World()
    with pytest.raises(NotRunning, match="async with Simulator"):
        await world.customer("+971").dials(world.agent("0011"))
    async with Simulator(world):
        with pytest.raises(SimulatorError, match="already"):
            await Simulator(world).__aenter__()
    async with Simulator(world) as again:
        assert again.api_url.startswith("http://127.0.0.1:")


async def test_a_failure_of_the_simulator_itself_is_not_hidden() -> None:
    clock = Clock()

    def bug() -> None:
        raise RuntimeError("bug")

    async def use() -> None:
        done = asyncio.Event()
        async with Simulator(clock=clock):
            clock.later(0, bug)
            clock.later(0.001, done.set)
            await done.wait()

    with pytest.raises(ExceptionGroup) as caught:
        await use()
    assert [str(error) for error in caught.value.exceptions] == ["bug"]


def test_the_same_seed_makes_the_same_world() -> None:
    one, other, third = World(seed=1), World(seed=1), World(seed=2)
    assert one.agent("0011").cc_password == other.agent("0011").cc_password
    assert one.new_uuid() == other.new_uuid() != third.new_uuid()


def test_unknown_agents_are_told_clearly() -> None:
    world = World()
    with pytest.raises(UnknownAgent, match="no agent '9999'; it has: 0011, 5555") as caught:
        world.agent("9999")
    assert isinstance(caught.value, KeyError)
    with pytest.raises(SimulatorError, match="0011 already"):
        world.add_agent("0011")


def test_the_journal_is_bounded() -> None:
    journal = Journal(limit=2)
    for text in ("a", "b", "c"):
        journal.add(JournalEntry(0.0, "in", "peer", "0011", text))
    assert (journal.frames("in"), journal.dropped, len(journal)) == (["b", "c"], 1, 2)
    assert journal.frames("out") == journal.frames("in", "5555") == []


async def test_a_wait_goes_on_while_there_is_nothing_or_not_yet() -> None:
    answers = iter([None, False, 0])
    world = World()
    waiting = asyncio.ensure_future(world.watch.until(lambda: next(answers), 20, lambda: "nothing"))
    while not waiting.done():
        world.watch.poke()
        await asyncio.sleep(0)
    assert waiting.result() == 0
