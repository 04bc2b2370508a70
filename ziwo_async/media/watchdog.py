"""Watchdog: tells once when no audio comes, and once when it is back. The server never tells (measured)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, TypeAlias

__all__ = ["Loss", "Watchdog"]

Loss: TypeAlias = Literal["never came", "no audio", "connection lost"]
"""Why media counts as lost."""


class Watchdog:
    """Watches the audio of one call. One timer that is rarely late, and no task.

    Attributes:
        up: Whether audio came and was not lost since.
    """

    def __init__(self, limit: float, *, up: Callable[[bool], None], lost: Callable[[Loss, float], None]) -> None:
        """Make one that does not watch yet.

        Args:
            limit: Seconds without audio after which it is lost.
            up: Called when audio comes, for the first time or (True) again after a loss.
            lost: Called once per loss, with the reason and the seconds for which nothing came.
        """
        self.up = False
        self._limit = limit
        self._tell_up = up
        self._tell_lost = lost
        self._was_lost = False
        self._watching = self._over = False
        self._last = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def heard(self, now: float) -> None:
        """Audio came.

        Args:
            now: The loop's time.
        """
        self._last = now
        if not self.up and not self._over:
            again, self.up, self._was_lost = self._was_lost, True, False
            self._tell_up(again)

    def watch(self) -> None:
        """Watch from now on: the call is active. Does nothing when it watches already."""
        if not self._watching and not self._over:
            self._watching = True
            self._last = asyncio.get_running_loop().time()
            self._arm(self._limit)

    def rest(self) -> None:
        """Stop watching: the call is on hold, and nothing is to be heard."""
        self._watching = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def end(self) -> None:
        """The call is over: nothing is told any more."""
        self._over = True
        self.rest()

    def cut(self) -> None:
        """The connection itself is gone."""
        if not self._over and (self._watching or self.up):
            self._lose("connection lost")

    def anew(self) -> None:
        """A new connection takes over: it gets the whole limit to bring audio."""
        self._last = asyncio.get_running_loop().time()

    def _arm(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        # Not re-armed with each packet: it looks when it is due, and sleeps for what is missing.
        missing = self._last + self._limit - asyncio.get_running_loop().time()
        if missing <= 0:
            self._lose("no audio" if self.up else "never came")
            missing = self._limit
        self._arm(missing)

    def _lose(self, reason: Loss) -> None:
        if not self._was_lost:
            self.up, self._was_lost = False, True
            self._tell_lost(reason, asyncio.get_running_loop().time() - self._last)
