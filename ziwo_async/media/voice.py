"""Voice activity: from how loud it is, when somebody speaks. Energy with hysteresis: simple, and no model to load."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import BadArgument

__all__ = ["VoiceActivity", "VoiceDetector", "VoiceWatch"]


@dataclass(frozen=True, slots=True)
class VoiceActivity:
    """When sound counts as voice.

    Attributes:
        start_db: At least this loud (dBFS) is voice.
        stop_db: Less than this is none; below `start_db`, so that a voice at the edge does not flutter.
        onset: Seconds it must be loud before it counts: a click is no voice.
        pause: Seconds it must be quiet before voice has stopped: a breath is no end.

    Raises:
        BadArgument: `stop_db` is above `start_db`, or a time is negative.
    """

    start_db: float = -40.0
    stop_db: float = -46.0
    onset: float = 0.06
    pause: float = 0.5

    def __post_init__(self) -> None:
        if self.stop_db > self.start_db or self.onset < 0 or self.pause < 0:
            raise BadArgument(f"{self} makes no sense: stop_db must not be above start_db, and no time negative")


class VoiceDetector:
    """Watches one stream of levels.

    Attributes:
        speaking: Whether there is voice now.
        since: When that began, in the time of the levels.
    """

    def __init__(self, settings: VoiceActivity) -> None:
        """Begin in silence.

        Args:
            settings: When sound counts as voice.
        """
        self.speaking = False
        self.since = 0.0
        self._settings = settings
        self._turning: float | None = None

    def feed(self, level: float, at: float) -> bool:
        """Take the level of a frame; returns whether voice has started or stopped with it."""
        if self.speaking:
            turned, needed = level < self._settings.stop_db, self._settings.pause
        else:
            turned, needed = level >= self._settings.start_db, self._settings.onset
        if not turned:
            self._turning = None
            return False
        if self._turning is None:
            self._turning = at
        if at - self._turning < needed:
            return False
        self._turn(self._turning)
        return True

    def silence(self, at: float) -> bool:
        """Nothing comes any more; returns whether voice has stopped with that."""
        if not self.speaking:
            self._turning = None
            return False
        self._turn(at)
        return True

    def _turn(self, since: float) -> None:
        self.speaking = not self.speaking
        self.since = since
        self._turning = None


class VoiceWatch:
    """A detector for sound that may break off: frames that do not come are silence, too."""

    def __init__(
        self, settings: VoiceActivity, started: Callable[[float, float], None], stopped: Callable[[float, float], None]
    ) -> None:
        """Begin in silence.

        Args:
            settings: When sound counts as voice.
            started: Called with when voice began, and how loud it is.
            stopped: Called with when voice ended, and for how many seconds it lasted.
        """
        self._detector = VoiceDetector(settings)
        self._pause = max(settings.pause, 0.1)
        self._started = started
        self._stopped = stopped
        self._last = 0.0
        self._heard_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def heard(self, level: float, at: float) -> None:
        """Take the level of a frame."""
        self._last, self._heard_at = at, asyncio.get_running_loop().time()
        began = self._detector.since
        if not self._detector.feed(level, at):
            return
        if self._detector.speaking:
            self._started(self._detector.since, level)
            self._timer = asyncio.get_running_loop().call_later(self._pause, self._look)
        else:
            self.end()
            self._stopped(self._detector.since, max(0.0, self._detector.since - began))

    def end(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        missing = self._heard_at + self._pause - asyncio.get_running_loop().time()
        if missing > 0:
            self._timer = asyncio.get_running_loop().call_later(missing, self._look)
            return
        began, self._timer = self._detector.since, None
        if self._detector.silence(self._last):
            self._stopped(self._last, max(0.0, self._last - began))
