"""The pytest plugin (entry point `ziwo_async`): the fixtures `ziwo_world` and `ziwo_client`.

They are async fixtures of pytest-asyncio and work in its auto and strict modes. Without pytest-asyncio they exist all
the same and say what is missing. Nothing else of the package is imported before a test asks for a fixture.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

__all__ = ["pytest_configure"]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and the fixtures (a hook of pytest)."""
    config.addinivalue_line(
        "markers",
        "ziwo(agent, proxy, media): the agent (ccLogin) that the fixture ziwo_client logs in as, '5555' by default; "
        "with proxy=True its phone connects through a fault proxy, ziwo_world.proxy; with media=True calls carry sound",
    )
    name = "fixtures" if config.pluginmanager.hasplugin("asyncio") else "fixtures_missing"
    config.pluginmanager.register(importlib.import_module(f".{name}", __package__), "ziwo_async_fixtures")
