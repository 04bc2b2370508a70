"""The pictures of the documentation, taken anew: WALLBOARD_PICTURES=docs/how-to/images pytest tests/wallboard."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from ziwo_async.wallboard.board import Board
from ziwo_async.wallboard.server import WallboardServer

from ..browser.chromium import Page
from .rows import a_busy_day

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "images"
LOOKS = {"light": (1120, 700, False), "dark": (1120, 700, True), "narrow": (360, 800, False)}


def size(png: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.mark.browser
@pytest.mark.parametrize("look", LOOKS)
async def test_a_picture_can_be_taken(page: Page, server: WallboardServer, board: Board, look: str) -> None:
    a_busy_day(board)
    width, height, dark = LOOKS[look]
    await page.looks_like(width=width, height=height, dark=dark)
    await page.goes_to(server.link)
    await page.until("document.querySelectorAll('.agent').length === 14 && document.querySelectorAll('.call').length")
    png = await page.screenshot()
    assert size(png) == (width, height)
    if folder := os.environ.get("WALLBOARD_PICTURES"):
        (Path(folder) / f"wallboard-{look}.png").write_bytes(png)
    assert page.problems == []


@pytest.mark.parametrize("look", LOOKS)
def test_the_documentation_has_it_and_it_is_small(look: str) -> None:
    png = (PICTURES / f"wallboard-{look}.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert size(png) == LOOKS[look][:2]
    assert len(png) < 150_000
