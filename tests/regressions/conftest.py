"""After each of these tests nothing may be left."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ..phone.kit import Desk, Rogues, contact_centre, nothing_left, rogues


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """A contact centre over real sockets; what the test opened is closed and looked at in the end."""
    async with nothing_left(), contact_centre() as made:
        yield made


@pytest.fixture
async def rogue() -> AsyncIterator[Rogues]:
    """Makes servers that misbehave."""
    async with rogues() as make:
        yield make
