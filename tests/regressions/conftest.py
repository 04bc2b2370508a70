"""After each of these tests nothing may be left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest

from ..phone.kit import Desk, Line, Rogue, contact_centre, nothing_left


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """A contact centre over real sockets; what the test opened is closed and looked at in the end."""
    async with nothing_left(), contact_centre() as made:
        yield made


@pytest.fixture
async def rogue() -> AsyncIterator[Callable[..., Awaitable[Rogue]]]:
    """Makes servers that misbehave."""
    made: list[Rogue] = []

    async def make(script: Callable[[Rogue, Line], Coroutine[Any, Any, None]], **options: Any) -> Rogue:
        server = Rogue(script)
        await server.start(**options)
        made.append(server)
        return server

    yield make
    for server in made:
        await server.stop()
