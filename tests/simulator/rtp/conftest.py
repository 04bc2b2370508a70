"""A simulator with sound. Real media needs the extra `media`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from ziwo_async.simulator import ServerOptions, SimAgent, Simulator, World

from ..conftest import Connect

if TYPE_CHECKING:
    from .phone import Phone

collect_ignore_glob = [] if find_spec("aiortc") else ["test_*.py"]

Make = Callable[..., "Awaitable[Phone]"]


@pytest.fixture
async def sim(world: World, options: ServerOptions) -> AsyncIterator[Simulator]:
    async with Simulator(world, options=options, media=True) as running:
        yield running


@pytest.fixture
async def phone_of(connect: Connect) -> AsyncIterator[Make]:
    """Phones of agents, logged in."""
    from .phone import Phone

    async with AsyncExitStack() as stack:

        async def make(agent: SimAgent, **more: object) -> Phone:
            phone = Phone(await connect(), agent, **more)  # type: ignore[arg-type]
            await stack.enter_async_context(phone)
            await phone.log_in()
            return phone

        yield make
