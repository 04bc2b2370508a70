"""What a service of hooks counts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HookStats"]


@dataclass(slots=True)
class HookStats:
    """Counts since the service was made.

    Attributes:
        started: Start calls that were decided, those of `decide` too.
        fell_back: Of these, those that got the fallback.
        failed: Handlers that raised or answered nonsense, of all kinds.
        timed_out: Handlers that took too long, of all kinds.
        handled: End calls or CDRs whose handler ran to its end.
        repeated: Requests that came again, and ran nothing.
        refused: Requests without the right key.
        rejected: Other requests that were not taken: too large, too slow, malformed.
    """

    started: int = 0
    fell_back: int = 0
    failed: int = 0
    timed_out: int = 0
    handled: int = 0
    repeated: int = 0
    refused: int = 0
    rejected: int = 0
