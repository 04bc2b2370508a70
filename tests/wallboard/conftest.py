"""A board with rows of its own, its server, and a browser."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ziwo_async.wallboard.board import Board
from ziwo_async.wallboard.server import WallboardServer

from .chromium import Browser, Page, chromium, running


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
    command = chromium()
    if command is None:
        reason = "no chromium is installed (Debian: apt-get install chromium)"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(reason)
        pytest.skip(reason)
    async with running(command, tmp_path / "profile") as started:
        yield started


@pytest.fixture
async def page(browser: Browser) -> Page:
    return await browser.page()
