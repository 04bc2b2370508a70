"""The fixtures, when pytest-asyncio is not there: they say so."""

from __future__ import annotations

from typing import NoReturn

import pytest

__all__ = ["ziwo_client", "ziwo_world"]

_MESSAGE = "needs pytest-asyncio: pip install pytest-asyncio"


@pytest.fixture
def ziwo_world() -> NoReturn:
    """A contact centre on loopback (needs pytest-asyncio)."""
    pytest.fail(f"the fixture ziwo_world {_MESSAGE}", pytrace=False)


@pytest.fixture
def ziwo_client() -> NoReturn:
    """A client with its phone started (needs pytest-asyncio)."""
    pytest.fail(f"the fixture ziwo_client {_MESSAGE}", pytrace=False)
