"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import settings

from .browser.chromium import Browser, Page, chromium, connected, needed, running

# Each of these makes typer write colours into pipes, whatever its value; the tests read what it writes as plain text.
for name in ("PY_COLORS", "FORCE_COLOR", "GITHUB_ACTIONS"):
    os.environ.pop(name, None)

# No deadline for a single example: a busy machine is not a bug.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


@pytest.fixture(scope="session")
def chromium_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The one browser of this process."""
    with running(needed(chromium(), os.environ), tmp_path_factory.mktemp("chromium")) as address:
        yield address


@pytest.fixture
async def browser(chromium_address: str) -> AsyncIterator[Browser]:
    async with connected(chromium_address) as driven:
        yield driven


@pytest.fixture
async def page(browser: Browser) -> Page:
    return await browser.page()
