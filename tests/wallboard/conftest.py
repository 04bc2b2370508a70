"""A board with rows of its own, its server, and a browser."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ziwo_async.wallboard.board import Board
from ziwo_async.wallboard.server import WallboardServer

from .chromium import Browser, Page, chromium, needed, running


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


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with running(needed(chromium(), os.environ), tmp_path / "profile") as started:
        yield started


@pytest.fixture
async def page(browser: Browser) -> Page:
    return await browser.page()
