"""LoginLimiter: how many phones of a process may log in within one second, so that a thousand do not return at once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable

from ..errors import ConfigError

__all__ = ["PROCESS_LIMITER", "LoginLimiter"]


class LoginLimiter:
    """At most `per_second` logins begin within any one second; the others wait for their turn, in order.

    All phones of a process share one (`PROCESS_LIMITER`, 20 a second), also those of other threads and event loops.
    """

    def __init__(self, per_second: int = 20, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Make a limiter that nobody has used yet.

        Args:
            per_second: How many logins may begin within any one second.
            clock: Seconds, monotonic; the same for all who use the limiter.

        Raises:
            ConfigError: `per_second` is less than 1.
        """
        if per_second < 1:
            raise ConfigError(f"a login limiter must let at least one login a second pass, not {per_second}")
        self.per_second = per_second
        self._clock = clock
        self._turns: deque[float] = deque(maxlen=per_second)
        self._lock = threading.Lock()

    def reserve(self) -> float:
        """Take the next turn; returns how many seconds to wait for it."""
        with self._lock:
            now = self._clock()
            turn = now
            if len(self._turns) == self.per_second:
                turn = max(now, self._turns[0] + 1.0)
            self._turns.append(turn)
            return turn - now

    async def wait(self) -> None:
        """Take the next turn, and wait for it. A turn whose waiter is cancelled is not given to another."""
        delay = self.reserve()
        if delay > 0:
            await asyncio.sleep(delay)


PROCESS_LIMITER = LoginLimiter()
"""The limiter of this process: 20 logins a second."""
