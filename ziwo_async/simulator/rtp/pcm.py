"""Sound inside the simulator: frames of 20 ms, 8 kHz, 16 bit, mono, as a telephone line carries it.

No more than the standard library: a frame is an `array("h")` of 160 samples.
"""

from __future__ import annotations

import math
import wave
from array import array
from collections.abc import Iterable
from functools import lru_cache
from operator import add
from pathlib import Path
from typing import Protocol, TypeAlias

__all__ = ["FRAME", "HOLD_MUSIC", "RATE", "RINGBACK", "SECONDS", "Ear", "Frame", "Heard", "Silence", "Source", "Tone"]
__all__ += ["Wav", "mix", "source_of"]

Frame: TypeAlias = "array[int]"

RATE = 8_000
"""Samples per second."""

FRAME = 160
"""Samples per frame."""

SECONDS = FRAME / RATE
"""Length of a frame."""

_LOUDEST = 32_767


class Source(Protocol):
    """Somebody or something that can be heard."""

    def take(self) -> Frame | None:
        """The next 20 ms; None: nothing is sent at all, which is less than silence."""
        ...


class Tone:
    """A sine for ever. Equal tones may be shared: whoever takes from one moves it on for all.

    Args:
        hz: Frequency, a whole number below 4000, so that a second holds whole periods.
        level: Amplitude, 0 to 32767.
    """

    def __init__(self, hz: int, level: int = 6_000) -> None:
        if not 0 < hz < RATE // 2 or not 0 <= level <= _LOUDEST:
            raise ValueError(f"no telephone line carries {hz} Hz at {level}")
        self.hz = hz
        self.level = level
        self._frames = _sine(hz, level)
        self._next = 0

    def __repr__(self) -> str:
        return f"Tone({self.hz}, {self.level})"

    def take(self) -> Frame:
        """The next 20 ms."""
        frame = self._frames[self._next]
        self._next = (self._next + 1) % len(self._frames)
        return frame


@lru_cache(maxsize=32)
def _sine(hz: int, level: int) -> tuple[Frame, ...]:
    step = 2 * math.pi * hz / RATE
    samples = array("h", (round(level * math.sin(step * n)) for n in range(RATE)))
    return tuple(samples[start : start + FRAME] for start in range(0, RATE, FRAME))


class Silence:
    """Nobody speaks, but the line is open: a trunk sends its packets all the same."""

    _FRAME = array("h", bytes(2 * FRAME))

    def take(self) -> Frame:
        """20 ms of nothing."""
        return self._FRAME


class Wav:
    """A file that is played once, then silence.

    Args:
        path: A WAV file of 16 bit. Several channels are reduced to the first, other rates are converted roughly.
    """

    def __init__(self, path: str | Path) -> None:
        self._samples = _read(Path(path))
        self._at = 0

    def take(self) -> Frame:
        """The next 20 ms."""
        frame = self._samples[self._at : self._at + FRAME]
        self._at += FRAME
        frame.extend([0] * (FRAME - len(frame)))
        return frame


def _read(path: Path) -> Frame:
    with wave.open(str(path), "rb") as file:
        if file.getsampwidth() != 2:
            raise ValueError(f"{path.name}: only WAV files of 16 bit can be played")
        channels, rate = file.getnchannels(), file.getframerate()
        samples = array("h", file.readframes(file.getnframes()))[::channels]
    if rate == RATE:
        return samples
    # The mean of what falls into a new sample's time keeps most of what is above 4 kHz from folding down.
    step = rate / RATE
    width = max(round(step), 1)
    starts = (int(n * step) for n in range(int(len(samples) / step)))
    return array("h", (sum(piece) // len(piece) for start in starts if (piece := samples[start : start + width])))


def source_of(sound: Source | int | str | Path) -> Source:
    """A source as it is, a tone by its frequency, or a WAV file by its path."""
    if isinstance(sound, int):
        return Tone(sound)
    return Wav(sound) if isinstance(sound, str | Path) else sound


RINGBACK = 400
"""Frequency of the ringback tone, in Hz. Multiples of 100 Hz are told apart in the shortest stretches."""

HOLD_MUSIC = 1_500
"""What hold music is in the simulator: a tone of so many Hz."""


def mix(frames: Iterable[Frame | None]) -> Frame | None:
    """What several sources sound like together; None when none of them sends anything."""
    mixed: Frame | None = None
    for frame in frames:
        if frame is None:
            continue
        if mixed is None:
            mixed = frame
            continue
        try:
            mixed = array("h", map(add, mixed, frame))
        except OverflowError:
            mixed = array(
                "h", (max(-_LOUDEST, min(_LOUDEST, one + two)) for one, two in zip(mixed, frame, strict=True))
            )
    return mixed


class Heard:
    """A stretch of sound, to be asked what was in it.

    Attributes:
        samples: 8 kHz, 16 bit, mono.
        frames: How many frames of it came; what did not come is silence in `samples`.
    """

    def __init__(self, samples: Frame, frames: int) -> None:
        self.samples = samples
        self.frames = frames

    def __repr__(self) -> str:
        return f"Heard({self.seconds:.2f} s, {self.frames} frames)"

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.samples) / RATE

    def level(self, hz: float) -> float:
        """Amplitude of one frequency (Goertzel's algorithm): a `Tone(hz, 6000)` alone gives about 6000."""
        if not self.samples:
            return 0.0
        turn = 2 * math.cos(2 * math.pi * hz / RATE)
        before = last = 0.0
        for sample in self.samples:
            before, last = last, sample + turn * last - before
        power = before * before + last * last - turn * before * last
        return 2 * math.sqrt(max(power, 0.0)) / len(self.samples)

    def has(self, hz: float, *, least: float = 1_000.0) -> bool:
        """Whether one frequency was heard."""
        return self.level(hz) >= least

    def save(self, path: str | Path) -> None:
        """Write it as a WAV file."""
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(self.samples.tobytes())


class Ear:
    """Collects what is heard during some time.

    Args:
        seconds: How much is wanted.
    """

    def __init__(self, seconds: float) -> None:
        self._wanted = max(round(seconds / SECONDS), 1)
        self._samples = array("h")
        self._ticks = 0
        self._frames = 0

    @property
    def full(self) -> bool:
        """Whether the time is over."""
        return self._ticks >= self._wanted

    def hear(self, frame: Frame | None) -> None:
        """20 ms, or None when nothing came in them."""
        if self.full:
            return
        self._ticks += 1
        self._frames += frame is not None
        self._samples.extend(frame if frame is not None else Silence().take())

    def heard(self) -> Heard:
        """What there is so far."""
        return Heard(self._samples, self._frames)
