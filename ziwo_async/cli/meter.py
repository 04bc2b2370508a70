"""A level meter: how loud it is, in one line that is drawn again and again. Only on a terminal."""

from __future__ import annotations

import shutil
import sys
from datetime import timedelta

from .output import span

__all__ = ["QUIET", "Meter", "loudness"]

QUIET = -60.0
"""What is not louder than this is shown as quiet, in dBFS."""

_BAR = 20
_TEXT = len("heard  " + "-100 dB" + "  said  " + "-100 dB" + "  1:02:03")


class Meter:
    """Draws on stderr. It only goes back to the begin of its line, which every terminal can; a pipe sees nothing."""

    def __init__(self) -> None:
        """Make one that has drawn nothing."""
        self._works = sys.stderr.isatty()
        # One column less than there are: some terminals begin a new line in the last one.
        room = shutil.get_terminal_size().columns - 1 - _TEXT
        self._bar = max(0, min(_BAR, room // 2))
        self._full, self._empty = "█░" if sys.stderr.encoding.lower().startswith("utf") else "#."
        self._drawn = 0

    def show(self, heard: float, said: float, seconds: float) -> None:
        """Draw the levels of this moment.

        Args:
            heard: What is heard, in dBFS.
            said: What is said.
            seconds: For how long the session lasts.
        """
        if self._works:
            parts = f"heard {self._level(heard)}", f"said {self._level(said)}", span(timedelta(seconds=int(seconds)))
            line = "  ".join(parts)
            self._draw(line)
            self._drawn = len(line)

    def clear(self) -> None:
        """Take it away: something else is about to be written."""
        if self._drawn:
            self._draw("")
            self._drawn = 0

    def _draw(self, line: str) -> None:
        back = " " * (self._drawn - len(line))
        sys.stderr.write(f"\r{line}{back}" if line else f"\r{back}\r")
        sys.stderr.flush()

    def _level(self, level: float) -> str:
        full = round(self._bar * min(max(1 - level / QUIET, 0.0), 1.0))
        return f"{self._full * full}{self._empty * (self._bar - full)} {loudness(level)}"


def loudness(level: float) -> str:
    """A level for people, as wide as any other."""
    return f"{level:4.0f} dB" if level > QUIET else "  quiet"
