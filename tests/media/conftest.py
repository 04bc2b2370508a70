"""Fixtures of the tests of media; after each of them nothing may be left."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from .kit import until

# All of these send and receive real packets.
pytestmark = pytest.mark.media


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "media" in item.path.parts:
            item.add_marker(pytest.mark.media)


@pytest.fixture(autouse=True)
async def clean() -> AsyncIterator[None]:
    """No task, socket, thread or error is left by any test."""
    loop = asyncio.get_running_loop()
    here = asyncio.current_task()
    told: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    tasks, sockets = asyncio.all_tasks(), len(loop._selector.get_map())  # type: ignore[attr-defined]
    yield
    await until(lambda: len(loop._selector.get_map()) <= sockets, "sockets are left")  # type: ignore[attr-defined]
    ours = {here, asyncio.current_task()}
    try:
        await until(lambda: not (asyncio.all_tasks() - tasks - ours))
    except AssertionError:
        raise AssertionError(f"tasks are left: {asyncio.all_tasks() - tasks - ours}") from None
    await until(lambda: not [one for one in threading.enumerate() if "decoder" in one.name], "decoders are left")
    loop.set_exception_handler(None)
    gc.collect(0)
    assert told == [], told
