"""The one gate that all requests of a client pass, and that HTTP 429 shuts for a while."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

__all__ = ["RateGate"]


class RateGate:
    """When the server says "too many requests", all requests of the client wait, not only the one that was told so.

    Those who waited do not start in the same instant: each adds a random share of `spread`.
    """

    def __init__(
        self,
        *,
        spread: float,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Make an open gate.

        Args:
            spread: Seconds over which the waiters start after the gate opened.
            clock: Gives the time in seconds; the clock of the running loop by default.
            sleep: Waits so many seconds.
        """
        self._spread = spread
        self._clock = clock
        self._sleep = sleep
        self._opens_at = 0.0

    def _now(self) -> float:
        return asyncio.get_running_loop().time() if self._clock is None else self._clock()

    @property
    def remaining(self) -> float:
        """Seconds until the gate opens; 0 when it is open."""
        return max(0.0, self._opens_at - self._now())

    def shut(self, seconds: float) -> None:
        """Shut the gate. A gate that is shut for longer already stays so.

        Args:
            seconds: How long from now.
        """
        self._opens_at = max(self._opens_at, self._now() + seconds)

    async def passed(self, *, at_most: float) -> bool:
        """Wait until the gate is open.

        Args:
            at_most: Seconds that the caller is ready to wait for the gate.

        Returns:
            False, at once, when the gate stays shut for longer than that.
        """
        deadline = self._now() + at_most
        while (remaining := self.remaining) > 0:
            if self._now() + remaining > deadline:
                return False
            await self._sleep(remaining + random.uniform(0, self._spread))  # noqa: S311 - jitter, not cryptography
        return True
