"""A board with rows of its own, and its server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ziwo_async.wallboard.board import Board
from ziwo_async.wallboard.server import WallboardServer


class Feed:
    """Where the rows would come from: up to date, or not."""

    def __init__(self) -> None:
        self.live = True
        self.at: float | None = 1_700_000_000.0
        self.notes: dict[str, str] = {}


@pytest.fixture
async def board() -> Board:
    return Board()


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
async def server(board: Board, feed: Feed) -> AsyncIterator[WallboardServer]:
    async with WallboardServer(board, feed, title="acme") as served:
        yield served
