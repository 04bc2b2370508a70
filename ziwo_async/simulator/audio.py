"""Recordings, made when they are asked for: silence as MP3, or a tone as WAV."""

from __future__ import annotations

import io
import math
import struct
import wave
from functools import lru_cache

__all__ = ["mp3", "wav"]

# MPEG-1 Layer III, no CRC, 32 kbit/s, 32 kHz, mono, original: every frame has the same length, without padding.
_HEADER = bytes((0xFF, 0xFB, 0x18, 0xC4))
_SIDE_INFORMATION = bytes(17)  # no bit of main data belongs to the frame: both granules are silent
_FRAME_LENGTH = 144
_FRAME_SECONDS = 1152 / 32_000
_FEWEST_FRAMES = 8
_ROOM = _FRAME_LENGTH - len(_HEADER) - len(_SIDE_INFORMATION)

_WAV_RATE = 8_000
_TONE = 425.0
_LOUDNESS = 8_000


@lru_cache(maxsize=16)
def mp3(seconds: float, name: str) -> bytes:
    """Silence.

    Each frame has the name and its own number in the part that decoders skip: bytes of another recording, or of
    another place in this one, can be told.

    Args:
        seconds: Length; at least 8 frames (288 ms) are made, since players want some to recognise the format.
        name: ASCII text, cut to what fits.
    """
    frames = max(round(seconds / _FRAME_SECONDS), _FEWEST_FRAMES)
    marks = (f"{number:08d} {name}".encode()[:_ROOM].ljust(_ROOM, b"\0") for number in range(frames))
    return b"".join(_HEADER + _SIDE_INFORMATION + mark for mark in marks)


@lru_cache(maxsize=4)
def wav(seconds: float, name: str) -> bytes:
    """A tone of 425 Hz, 8 kHz, 16 bit, mono.

    Args:
        seconds: Length.
        name: Has no influence; the same arguments as `mp3`.
    """
    # 320 samples are a whole number of periods.
    period = struct.pack(
        "<320h", *(round(_LOUDNESS * math.sin(2 * math.pi * _TONE * n / _WAV_RATE)) for n in range(320))
    )
    wanted = max(round(seconds * _WAV_RATE), 1) * 2
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(_WAV_RATE)
        out.writeframes((period * (wanted // len(period) + 1))[:wanted])
    return file.getvalue()
