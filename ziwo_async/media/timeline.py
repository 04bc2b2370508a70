"""Timeline: puts what is heard and what is said side by side, by the time at which each came. Pure."""

from __future__ import annotations

from array import array
from typing import Literal, TypeAlias

from .sent import mixed

__all__ = ["Direction", "Timeline", "joined"]

Direction: TypeAlias = Literal["mixed", "received", "sent", "both"]
"""What is recorded: both voices in one channel, one of them, or received left and sent right."""

# What is kept for a disk that does not take it, in seconds.
_LONGEST = 30.0
# A frame may come this much earlier or later than its turn and still follow the one before without a gap.
_SLACK = 0.08


class Timeline:
    """Two tracks of PCM on one clock. What is missing is silence; what comes twice as fast is dropped.

    Attributes:
        dropped: How many frames came that had no room.
    """

    def __init__(self, rate: int, start: float) -> None:
        """Begin with nothing.

        Args:
            rate: Samples a second.
            start: When it begins, in the time of what is added.
        """
        self.dropped = 0
        self._rate = rate
        self._start = start
        self._tracks = (bytearray(), bytearray())
        self._taken = 0

    def add(self, track: int, pcm: bytes, at: float) -> None:
        """Put a piece on a track.

        Args:
            track: 0 for received, 1 for sent.
            pcm: The piece.
            at: When it came.
        """
        samples = self._tracks[track]
        due = self._samples_at(at)
        ends = self._taken + len(samples) // 2
        slack = round(_SLACK * self._rate)
        if ends - due > 4 * slack or due - self._taken > _LONGEST * self._rate:
            self.dropped += 1
            return
        if due - ends > slack:
            samples += bytes(2 * (due - ends))
        samples += pcm

    def _samples_at(self, at: float) -> int:
        return max(0, round((at - self._start) * self._rate))

    def take(self, until: float) -> tuple[bytes, bytes]:
        """Both tracks up to a moment, equally long.

        Args:
            until: The moment; what comes later for the time before it has no room any more.
        """
        count = max(0, self._samples_at(until) - self._taken) * 2
        self._taken += count // 2
        pieces: list[bytes] = []
        for samples in self._tracks:
            pieces.append(bytes(samples[:count]).ljust(count, b"\0"))
            del samples[:count]
        return pieces[0], pieces[1]


def joined(received: bytes, sent: bytes, direction: Direction) -> bytes:
    """Two equally long tracks as what is written."""
    match direction:
        case "received":
            return received
        case "sent":
            return sent
        case "both":
            stereo = array("h", bytes(2 * len(received)))
            stereo[::2], stereo[1::2] = array("h", received), array("h", sent)
            return stereo.tobytes()
        case "mixed":
            if not any(sent):
                return received
            return mixed([received, sent]) if any(received) else sent
