"""A contact centre with a live socket, in both protocols; after each test nothing may be left."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ..phone.kit import Desk, contact_centre, nothing_left


@pytest.fixture(autouse=True)
async def clean() -> AsyncIterator[None]:
    """No task, socket or error is left by any test."""
    async with nothing_left():
        yield


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """A contact centre; agent 0011 is an admin too."""
    async with contact_centre() as made:
        made.agent = made.world.agent("0011")
        yield made


@pytest.fixture(params=[4, 3], ids=["eio4", "eio3"])
def eio(request: pytest.FixtureRequest, desk: Desk) -> int:
    """The protocol that the server speaks."""
    if request.param == 3:
        desk.sim.faults.refuse_live(4)
    return int(request.param)
