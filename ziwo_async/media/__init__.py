"""Real audio for calls (extra `media`): `AiortcMedia`, and what `call.audio` gives and takes.

Nothing heavy is imported here: aiortc and PyAV load when an `AiortcMedia` is made.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .audio import CallAudio, Levels
    from .engine import AiortcMedia
    from .frame import AudioFrame
    from .playback import Playback
    from .received import FrameStream
    from .recording import RecordingHandle
    from .tone import Tone
    from .voice import VoiceActivity

_HOME = {
    "audio": ("CallAudio", "Levels"),
    "engine": ("AiortcMedia",),
    "frame": ("AudioFrame",),
    "playback": ("Playback",),
    "received": ("FrameStream",),
    "recording": ("RecordingHandle",),
    "tone": ("Tone",),
    "voice": ("VoiceActivity",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "AiortcMedia",
    "AudioFrame",
    "CallAudio",
    "FrameStream",
    "Levels",
    "Playback",
    "RecordingHandle",
    "Tone",
    "VoiceActivity",
]


if not TYPE_CHECKING:  # else a misspelt import would pass the type checkers

    def __getattr__(name: str) -> Any:
        module = _MODULE_OF.get(name)
        if module is None:
            raise AttributeError(f"module 'ziwo_async.media' has no attribute {name!r}")
        value = getattr(importlib.import_module(f".{module}", __name__), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
