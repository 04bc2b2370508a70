"""Real media in the simulator: what FreeSWITCH is to a WebRTC client, over RTP on loopback.

`Peer` is one side of a call's media; `Mixer` decides who hears whom. Needs the extra `media`, which is imported when a
peer is made and not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .pcm import HOLD_MUSIC, RATE, RINGBACK, Frame, Heard, Silence, Source, Tone, Wav

if TYPE_CHECKING:
    from .mixer import Mixer
    from .peer import MediaRefused, Peer

__all__ = [
    "HOLD_MUSIC",
    "RATE",
    "RINGBACK",
    "Frame",
    "Heard",
    "MediaRefused",
    "Mixer",
    "Peer",
    "Silence",
    "Source",
    "Tone",
    "Wav",
]


def __getattr__(name: str) -> object:
    if name in ("Peer", "MediaRefused"):
        from . import peer

        return getattr(peer, name)
    if name == "Mixer":
        from .mixer import Mixer

        return Mixer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
