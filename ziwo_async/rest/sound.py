"""Is it sound? By what the server says that it is, and by the first bytes of what it sends."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HEAD", "MP3", "OGG", "SOUNDS", "WAV", "Sound", "is_sound_type", "sound_of"]

HEAD = 16
"""How many of the first bytes `sound_of` looks at."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A kind of sound file.

    Attributes:
        content_type: Its media type.
        extension: How the names of such files end, without the dot.
    """

    content_type: str
    extension: str


MP3 = Sound("audio/mpeg", "mp3")
WAV = Sound("audio/wav", "wav")
OGG = Sound("audio/ogg", "ogg")
SOUNDS = (MP3, WAV, OGG)
"""All kinds that are taken. ZIWO records as mp3 (source: ZIWO docs)."""

# What storages say of a file that they know nothing about.
_UNTYPED = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/ogg"})


def is_sound_type(content_type: str | None) -> bool:
    """Whether a `Content-Type` is one of sound, or says nothing.

    Args:
        content_type: The header, None when there is none.
    """
    kind = (content_type or "").partition(";")[0].strip().lower()
    return kind.startswith("audio/") or kind in _UNTYPED


def sound_of(head: bytes) -> Sound | None:
    """Tell the kind of sound by the first bytes of a file; None when it is none that we know.

    Args:
        head: The first bytes, `HEAD` of them when there are so many.
    """
    if head.startswith(b"ID3") or _is_layer_3(head):
        return MP3
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return WAV
    if head.startswith(b"OggS"):
        return OGG
    return None


def _is_layer_3(head: bytes) -> bool:
    """Whether an MPEG audio frame of layer III stands here: 11 set bits, then fields without their reserved values."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 0b11, head[1] >> 1 & 0b11
    bit_rate, sample_rate = head[2] >> 4, head[2] >> 2 & 0b11
    return version != 0b01 and layer == 0b01 and bit_rate != 0b1111 and sample_rate != 0b11
