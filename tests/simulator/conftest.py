"""A fast simulator, and clients for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from ziwo_async.simulator import ServerOptions, Simulator, World

from .client import RawClient

FAST = ServerOptions(
    flush_quiet=0.01, ready_delay=0.01, hold_delay=0.01, answer_settle=0.005, bridge_delay=0.01, dial_poll=0.01
)

Connect = Callable[[], Awaitable[RawClient]]


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
