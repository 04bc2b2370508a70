"""Waiting for a state of the world, bounded, without polling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from .problems import WaitedInVain

__all__ = ["Watch"]

T = TypeVar("T")


class Watch:
    """Whoever changes the world pokes; whoever waits looks again.

    Attributes:
        listeners: Called at every change.
    """

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()
        self.listeners: list[Callable[[], None]] = []

    def poke(self) -> None:
        """Something has changed."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        for listener in tuple(self.listeners):
            listener()

    async def until(self, look: Callable[[], T | None], timeout: float, what: Callable[[], str]) -> T:
        """Wait until `look` gives something.

        Args:
            look: Called at once and after every change; None and False mean not yet. May raise to give up.
            timeout: Longest wait in seconds.
            what: Says, at the end of the time, what was waited for and how things stand.

        Raises:
            WaitedInVain: It did not happen within the time.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                while (found := look()) is None or found is False:
                    waiter: asyncio.Future[None] = loop.create_future()
                    self._waiters.add(waiter)
                    try:
                        await waiter
                    finally:
                        self._waiters.discard(waiter)
                return found
        except WaitedInVain:
            raise  # `look` has given up; that is a TimeoutError too
        except TimeoutError:
            raise WaitedInVain(f"{what()} (waited {timeout:g} s)") from None
