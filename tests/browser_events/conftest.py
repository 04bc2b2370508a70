"""A contact centre for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ziwo_async import ZiwoClient
from ziwo_async.testing import ServedWorld, serve

from .kit import client_of


@pytest.fixture
async def world() -> AsyncIterator[ServedWorld]:
    async with serve() as served:
        yield served


@pytest.fixture
async def ziwo(world: ServedWorld) -> AsyncIterator[ZiwoClient]:
    """The client of agent 5555, whose phone is started."""
    client = client_of(world)
    async with client, client.phone:
        yield client
