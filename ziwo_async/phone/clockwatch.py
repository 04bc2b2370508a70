"""ClockWatch: notices that the machine slept or the program stood still, so that nobody trusts an old connection."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["ClockWatch"]


def _with_sleep() -> float:
    # Linux stops the monotonic clock while the machine sleeps; this one goes on.
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time()  # pragma: no cover - not on Linux


class ClockWatch:
    """Looks at two clocks: the event loop's, and one that goes on while the machine sleeps."""

    def __init__(
        self, loop_time: Callable[[], float], jump: float, *, slept_time: Callable[[], float] = _with_sleep
    ) -> None:
        """Begin to watch.

        Args:
            loop_time: The event loop's clock.
            jump: How many seconds too many are a jump.
            slept_time: The clock that goes on while the machine sleeps.
        """
        self._loop_time = loop_time
        self._slept_time = slept_time
        self._jump = jump
        self._last = (loop_time(), slept_time())

    def jumped(self, expected: float) -> bool:
        """Whether a clock moved by far more than `expected` seconds since the last look."""
        before, self._last = self._last, (self._loop_time(), self._slept_time())
        late = self._last[0] - before[0] - expected
        asleep = (self._last[1] - before[1]) - (self._last[0] - before[0])
        return max(late, asleep) > self._jump
