"""AudioFrame: a piece of sound; and how loud it is. 16-bit signed little-endian samples, one channel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["FRAME_SECONDS", "LINE_BYTES", "LINE_RATE", "RATES", "SILENCE_DB", "AudioFrame", "decibels", "level_of"]

FRAME_SECONDS = 0.02
"""How long a frame is that is heard or sent: the packet time of the telephone network."""
RATES = (8000, 16000, 48000)
"""Samples a second in which received audio can be had."""
LINE_RATE = 48000
"""Samples a second of what we send, before it is encoded."""
LINE_BYTES = 1920
"""Bytes of 20 ms at `LINE_RATE`."""
SILENCE_DB = -100.0
"""What digital silence is given as, in dBFS: below the step of a 16-bit sample."""

_FULL_SCALE = 32768.0


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """A piece of sound, mono.

    Attributes:
        pcm: Samples, 16-bit signed little-endian.
        rate: Samples a second.
        at: When it was received, in seconds since the epoch; 0 in frames that you make to be sent.
    """

    pcm: bytes
    rate: int
    at: float = 0.0

    @property
    def samples(self) -> int:
        """How many samples it has."""
        return len(self.pcm) // 2

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.samples / self.rate

    @property
    def level(self) -> float:
        """How loud it is in dBFS: 0 is the loudest there is, speech is about -30 to -15, silence -100."""
        return level_of(memoryview(self.pcm)[: self.samples * 2].cast("h"))


def level_of(samples: Sequence[int] | memoryview) -> float:
    """How loud samples are, in dBFS (a full-scale square wave is 0)."""
    if not samples:
        return SILENCE_DB
    # hypot is the root of the sum of squares, in C: the energy of a frame costs microseconds and needs no numpy.
    return decibels(math.hypot(*samples) / math.sqrt(len(samples)) / _FULL_SCALE)


def decibels(share: float) -> float:
    """A share of full scale as dBFS."""
    return max(20 * math.log10(share), SILENCE_DB) if share > 0 else SILENCE_DB
