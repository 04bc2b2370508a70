"""After each of these tests nothing may be left."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ..phone.kit import nothing_left
from .ends import Line, line


@pytest.fixture(autouse=True)
async def clean() -> AsyncIterator[None]:
    async with nothing_left():
        yield


@pytest.fixture
async def wire() -> AsyncIterator[Line]:
    """A server and a proxy in front of it."""
    async with line() as made:
        yield made
