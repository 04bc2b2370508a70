"""MediaEngine: what a media backend fulfils; and NullMedia, which carries no audio.

The server takes complete session descriptions only (no trickled candidates), and never tells when media is dead.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ..errors import MediaError
from ..events import CallEvent, DialogState

if TYPE_CHECKING:
    from ..media.audio import CallAudio

__all__ = ["AudioSession", "MediaEngine", "MediaSession", "NullMedia", "WantsServer"]


@runtime_checkable
class MediaSession(Protocol):
    """The media of one call."""

    async def offer(self) -> str:
        """Make a complete SDP offer, for an outbound call."""
        ...

    async def answer(self, offer: str) -> str:
        """Answer the server's SDP offer: of an inbound call, or again when a call is re-attached."""
        ...

    async def accept(self, answer: str) -> None:
        """Take the server's SDP answer to our offer."""
        ...

    async def mute(self, muted: bool) -> None:
        """Switch our microphone off or on."""
        ...

    async def close(self) -> None:
        """Let go of everything. Called once, after the call was destroyed."""
        ...


@runtime_checkable
class AudioSession(MediaSession, Protocol):
    """The media of one call, when they are real: its audio can be reached, and it tells what becomes of it."""

    @property
    def audio(self) -> CallAudio:
        """What is heard and said in the call."""
        ...

    def report_to(self, tell: Callable[[CallEvent], None]) -> None:
        """Tell what happens to the media: `MediaUp`, `MediaLost` and such."""
        ...

    def note(self, state: DialogState) -> None:
        """The call has entered a state."""
        ...


@runtime_checkable
class WantsServer(Protocol):
    """An engine that wants to know where the server is."""

    def note_server(self, url: str) -> None:
        """The phone is about to connect to this address."""
        ...


@runtime_checkable
class MediaEngine(Protocol):
    """Makes the media of calls."""

    async def open(self, call_id: str) -> MediaSession:
        """Begin the media of one call.

        Raises:
            MediaError: The engine cannot.
        """
        ...


class NullMedia:
    """For bots that carry no audio: a well-formed session description, and no media behind it.

    What the server does with such calls (measured on FreeSWITCH): it takes the description, answers and bridges the
    call, and never complains that no packet arrives; the other side hears silence. There is one catch: a call whose
    media never came up does not count as answered for the server, so it dies with the socket instead of being
    kept for re-attachment.
    """

    async def open(self, call_id: str) -> MediaSession:
        """Begin the (absent) media of one call."""
        return _NullSession(call_id)


# Documentation address (RFC 5737): routable in form, reached by nobody. Port 9 is "discard".
_NOWHERE = "192.0.2.1"
_CODECS = {"opus": "opus/48000/2", "pcmu": "PCMU/8000", "pcma": "PCMA/8000"}
_RTPMAP = re.compile(r"^a=rtpmap:(\d+) ([\w-]+)/", re.MULTILINE)
_AUDIO = re.compile(r"^m=audio (\d+) (\S+) ([\d ]+)", re.MULTILINE)


class _NullSession:
    def __init__(self, call_id: str) -> None:
        self._call_id = call_id
        self._version = 0

    async def offer(self) -> str:
        return self._describe("UDP/TLS/RTP/SAVPF", {"111": "opus", "0": "pcmu", "8": "pcma"}, "actpass", mid=True)

    async def answer(self, offer: str) -> str:
        audio = _AUDIO.search(offer)
        if audio is None:
            raise MediaError("the server's offer has no audio", call_id=self._call_id)
        named = {number: name.lower() for number, name in _RTPMAP.findall(offer)}
        named = {"0": "pcmu", "8": "pcma", **named}
        for number in audio.group(3).split():
            codec = named.get(number, "")
            if codec in _CODECS:
                return self._describe(audio.group(2), {number: codec}, "active", mid=False)
        raise MediaError(
            f"the server offers no codec that we speak (opus, PCMU, PCMA): {audio.group(0)!r}", call_id=self._call_id
        )

    async def accept(self, answer: str) -> None:
        del answer

    async def mute(self, muted: bool) -> None:
        del muted

    async def close(self) -> None:
        return

    def _describe(self, profile: str, codecs: dict[str, str], setup: str, *, mid: bool) -> str:
        self._version += 1
        fingerprint = ":".join(f"{byte:02X}" for byte in secrets.token_bytes(32))
        session = secrets.randbits(62)
        lines = [
            "v=0",
            f"o=ziwo_async {session} {self._version} IN IP4 {_NOWHERE}",
            "s=-",
            "t=0 0",
            f"m=audio 9 {profile} {' '.join(codecs)}",
            f"c=IN IP4 {_NOWHERE}",
            *(f"a=rtpmap:{number} {_CODECS[codec]}" for number, codec in codecs.items()),
            "a=sendrecv",
            *(["a=mid:0"] if mid else []),
            "a=rtcp-mux",
            f"a=ice-ufrag:{secrets.token_hex(4)}",
            f"a=ice-pwd:{secrets.token_hex(16)}",
            f"a=fingerprint:sha-256 {fingerprint}",
            f"a=setup:{setup}",
            f"a=candidate:1 1 udp 2130706431 {_NOWHERE} 9 typ host",
            "a=end-of-candidates",
        ]
        return "\r\n".join(lines) + "\r\n"
