"""A fast simulator, and clients for it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from ziwo_async.simulator import ServerOptions, Simulator, World

from .api import Api
from .client import Connect, RawClient

FAST = ServerOptions(
    flush_quiet=0.01, ready_delay=0.01, hold_delay=0.01, answer_settle=0.005, bridge_delay=0.01, dial_poll=0.01
)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def options() -> ServerOptions:
    return FAST


@pytest.fixture
async def sim(world: World, options: ServerOptions) -> AsyncIterator[Simulator]:
    async with Simulator(world, options=options) as running:
        yield running


@pytest.fixture
async def connect(sim: Simulator) -> AsyncIterator[Connect]:
    clients: list[RawClient] = []

    async def make() -> RawClient:
        clients.append(await RawClient.connect(sim.verto_url))
        return clients[-1]

    yield make
    for client in clients:
        client.abort()


@pytest.fixture
async def http(sim: Simulator) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(sim.api_url, timeout=aiohttp.ClientTimeout(total=5)) as session:
        yield session


@pytest.fixture
def api(sim: Simulator, http: aiohttp.ClientSession, world: World) -> Api:
    """Requests of the agent 0011, who may do everything."""
    return Api(sim, http, world.agent("0011"))


@pytest.fixture
def anonymous(sim: Simulator, http: aiohttp.ClientSession) -> Api:
    return Api(sim, http, None)
