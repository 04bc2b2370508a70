"""Something that changes, and those who wait for it."""

from __future__ import annotations

import asyncio

__all__ = ["Changes"]


class Changes:
    """Wakes all who wait when it is touched; nobody who begins to wait in the same turn of the loop misses a change."""

    def __init__(self) -> None:
        """Begin without a change."""
        self._changed = asyncio.Event()

    def touch(self) -> None:
        """Wake those that wait for a change."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait(self, timeout: float) -> None:
        """Wait for a change, or until the time is over.

        Args:
            timeout: Seconds.
        """
        changed = self._changed
        try:
            async with asyncio.timeout(timeout):
                await changed.wait()
        except TimeoutError:
            return
