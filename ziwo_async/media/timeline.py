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


class _Track:
    """PCM that was not taken yet.

    Attributes:
        samples: The PCM.
        gap_ends: Where the silence ends that was put in last, in bytes.
        gap: How long that is, in bytes.
    """

    def __init__(self) -> None:
        self.samples = bytearray()
        self.gap_ends = self.gap = 0

    def fill(self, count: int) -> None:
        """Add silence, for what did not come."""
        self.samples += bytes(count)
        self.gap, self.gap_ends = count, len(self.samples)

    def give_back(self, count: int) -> None:
        """Take some of that silence back: what it stood for came late, all at once."""
        count = min(count, self.gap)
        del self.samples[self.gap_ends - count : self.gap_ends]
        self.gap, self.gap_ends = self.gap - count, self.gap_ends - count

    def take(self, count: int) -> bytes:
        """The first of it, and silence where it is too short."""
        piece = bytes(self.samples[:count]).ljust(count, b"\0")
        del self.samples[:count]
        self.gap_ends = max(0, self.gap_ends - count)
        self.gap = min(self.gap, self.gap_ends)
        return piece


class Timeline:
    """Two tracks of PCM on one clock. What is missing is silence; what comes faster than it lasts is dropped.

    Attributes:
        dropped: How many frames came that had no room.
    """

    def __init__(self, rate: int, start: float) -> None:
        """Begin with nothing.

        Args:
            rate: Samples a second.
            start: When it begins, in the time of what is added. It must be a clock that is never set.
        """
        self.dropped = 0
        self._rate = rate
        self._start = start
        self._tracks = (_Track(), _Track())
        self._taken = 0

    def add(self, track: int, pcm: bytes, at: float) -> None:
        """Put a piece on a track.

        Args:
            track: 0 for received, 1 for sent.
            pcm: The piece.
            at: When it came.
        """
        chosen = self._tracks[track]
        due = self._samples_at(at)
        slack = round(_SLACK * self._rate)
        ahead = self._taken + len(chosen.samples) // 2 - due
        if ahead > slack and chosen.gap:
            chosen.give_back(2 * ahead)
            ahead = self._taken + len(chosen.samples) // 2 - due
        if ahead > 4 * slack or due - self._taken > _LONGEST * self._rate:
            self.dropped += 1
            return
        if -ahead > slack:
            chosen.fill(-2 * ahead)
        chosen.samples += pcm

    def _samples_at(self, at: float) -> int:
        return max(0, round((at - self._start) * self._rate))

    def take(self, until: float) -> tuple[bytes, bytes]:
        """Both tracks up to a moment, equally long.

        Args:
            until: The moment; what comes later for the time before it has no room any more. Of a time that is longer
                than what is kept, as when the machine was asleep, the rest is left out.
        """
        count = max(0, self._samples_at(until) - self._taken)
        longest = round(_LONGEST * self._rate)
        if count > longest:
            self._start += (count - longest) / self._rate
            count = longest
        self._taken += count
        return self._tracks[0].take(2 * count), self._tracks[1].take(2 * count)


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
