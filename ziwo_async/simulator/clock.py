"""Time of the simulated server: the event loop's, with every timer owned."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

__all__ = ["Clock", "Timer"]


class Timer:
    """One pending callback of a `Clock`; `cancel` is safe at any time."""

    __slots__ = ("_clock", "_handle")

    def __init__(self, clock: Clock, delay: float, callback: Callable[[], None]) -> None:
        self._clock = clock

        def fire() -> None:
            clock.forget(self)
            clock.guarded(callback)

        self._handle = asyncio.get_running_loop().call_later(max(delay, 0.0), fire)

    def cancel(self) -> None:
        """Make sure that the callback does not run (any more)."""
        self._handle.cancel()
        self._clock.forget(self)


class Clock:
    """Loop time for delays, epoch time for what is shown; owns all timers of one simulator.

    A callback that raises is a bug of the simulator: it is kept in `failures`, and `Simulator` raises it when it
    closes, so that a test cannot pass over it.

    Args:
        epoch: Gives the time of day in seconds since the epoch.
    """

    def __init__(self, epoch: Callable[[], float] = time.time) -> None:
        self._epoch = epoch
        self._timers: set[Timer] = set()
        self.failures: list[Exception] = []

    def monotonic(self) -> float:
        """The event loop's time in seconds."""
        return asyncio.get_running_loop().time()

    def epoch(self) -> float:
        """Seconds since the epoch."""
        return self._epoch()

    def later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` after `delay` seconds, unless the timer is cancelled or the clock closed."""
        timer = Timer(self, delay, callback)
        self._timers.add(timer)
        return timer

    def guarded(self, callback: Callable[[], None]) -> None:
        """Run a callback; what it raises is kept, see the class."""
        try:
            callback()
        except Exception as error:  # noqa: BLE001 (kept, and raised when the simulator closes)
            self.failures.append(error)

    def forget(self, timer: Timer) -> None:
        """The timer has fired or was cancelled."""
        self._timers.discard(timer)

    def close(self) -> None:
        """Cancel every timer."""
        for timer in tuple(self._timers):
            timer.cancel()
