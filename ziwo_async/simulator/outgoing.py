"""The last step before a frame is written: where faults make it late or change its place."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from .clock import Clock

__all__ = ["Outgoing"]


class Outgoing:
    """The frames of one socket on their way out. Without a fault each is written at once.

    Args:
        clock: Time.
        later: Starts a timer that ends with the socket.
        write: Writes a frame.
    """

    def __init__(
        self, clock: Clock, later: Callable[[float, Callable[[], None]], None], write: Callable[[str], None]
    ) -> None:
        self._clock = clock
        self._later = later
        self._write = write
        self._waiting: deque[tuple[float, str]] = deque()
        self._swapped: str | None = None

    def say(self, text: str, *, late: float = 0.0, swap: Callable[[], bool] = bool) -> None:
        """Write a frame.

        Args:
            text: The frame.
            late: So many seconds from now, but never before the frames that were said before it.
            swap: Asked when no frame is held for it: whether this one goes behind the next one.
        """
        if self._swapped is None and swap():
            self._swapped = text
            return
        behind, self._swapped = self._swapped, None
        self._put(text, late)
        if behind is not None:
            self._put(behind, late)

    def _put(self, text: str, late: float) -> None:
        if late <= 0 and not self._waiting:
            self._write(text)
            return
        # Only the first is ever looked at, so that order is kept whatever the times are.
        self._waiting.append((self._clock.monotonic() + late, text))
        if len(self._waiting) == 1:
            self._later(late, self._due)

    def _due(self) -> None:
        _, text = self._waiting[0]
        self._write(text)
        self._waiting.popleft()
        if self._waiting:
            self._later(max(self._waiting[0][0] - self._clock.monotonic(), 0.0), self._due)
