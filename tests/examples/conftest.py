"""A contact centre for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ziwo_async.testing import ServedWorld, serve


@pytest.fixture
async def world() -> AsyncIterator[ServedWorld]:
    async with serve() as served:
        yield served
