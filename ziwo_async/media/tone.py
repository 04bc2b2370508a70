"""Tone: a sine wave to be played, for tests, beeps and line checks."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import BadArgument
from .frame import FRAME_SECONDS, LINE_RATE

__all__ = ["Tone"]

_SAMPLES = round(LINE_RATE * FRAME_SECONDS)


@dataclass(frozen=True, slots=True)
class Tone:
    """A sine wave.

    Attributes:
        frequency: In Hz; what the telephone network carries ends at 3400.
        seconds: How long; None plays until it is stopped.
        volume: Share of full scale, 0 to 1.

    Raises:
        BadArgument: A value is out of its range.
    """

    frequency: int
    seconds: float | None = None
    volume: float = 0.25

    def __post_init__(self) -> None:
        if not 1 <= self.frequency < LINE_RATE // 2 or not 0 <= self.volume <= 1:
            raise BadArgument(f"{self} cannot be played: 1 to {LINE_RATE // 2 - 1} Hz, and a volume of 0 to 1")

    def frames(self) -> Iterator[bytes]:
        """The tone in pieces of 20 ms."""
        count = math.inf if self.seconds is None else math.ceil(self.seconds / FRAME_SECONDS)
        # A whole number of Hz repeats after a second at the latest, which is 50 pieces.
        known: list[bytes] = []
        index = 0
        while index < count:
            if len(known) < round(1 / FRAME_SECONDS):
                known.append(self._piece(index))
            yield known[index % round(1 / FRAME_SECONDS)]
            index += 1

    def _piece(self, index: int) -> bytes:
        step, top = 2 * math.pi * self.frequency / LINE_RATE, 32767 * self.volume
        first = index * _SAMPLES
        return array("h", (round(top * math.sin(step * n)) for n in range(first, first + _SAMPLES))).tobytes()
