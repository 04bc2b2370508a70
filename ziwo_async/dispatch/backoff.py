"""How long to wait before the next connection: full jitter, and a counter that only stability resets."""

from __future__ import annotations

import random

from ..config import ReconnectPolicy

__all__ = ["Backoff"]

_MOST_DOUBLINGS = 16
_BLOCKED_JITTER = 0.25


class Backoff:
    """Delays between attempts: uniform in [0, min(cap, base * 2^n)], `n` reset by a session that stayed up.

    Resetting on a mere connection makes a hot loop against a server that accepts and closes (2 400 connections in 2 s
    were measured with a well-known library); hence the stability window.
    """

    def __init__(self, policy: ReconnectPolicy, rng: random.Random) -> None:
        """Make a fresh counter.

        Args:
            policy: The numbers.
            rng: Where the jitter comes from.
        """
        self._policy = policy
        self._rng = rng
        self.failures = 0

    def next(self, ready_seconds: float | None, *, calls_wait: bool = False) -> float:
        """Return how many seconds to wait.

        Args:
            ready_seconds: How long the last session was ready; None when it never was.
            calls_wait: Whether a call waits in the server's detach window: then the wait is at most `cap_with_calls`.
        """
        self._settle(ready_seconds)
        cap = min(self._policy.cap, self._policy.cap_with_calls) if calls_wait else self._policy.cap
        ceiling = min(cap, self._policy.base * 2 ** min(self.failures, _MOST_DOUBLINGS))
        self.failures += 1
        return self._rng.uniform(0, ceiling)

    def exhausted(self, ready_seconds: float | None) -> bool:
        """Whether as many attempts in a row were in vain as the policy allows.

        Args:
            ready_seconds: How long the last session was ready; None when it never was.
        """
        self._settle(ready_seconds)
        return self._policy.max_attempts is not None and self.failures >= self._policy.max_attempts

    def stable(self, ready_seconds: float | None) -> bool:
        """Whether a session lasted long enough to count as one.

        Args:
            ready_seconds: How long it was ready; None when it never was.
        """
        return ready_seconds is not None and ready_seconds >= self._policy.stable_after

    def _settle(self, ready_seconds: float | None) -> None:
        if self.stable(ready_seconds):
            self.failures = 0

    def blocked(self, refusals: int) -> float:
        """Return how many seconds to wait when somebody else is logged in: asking often helps nobody.

        A network that vanished can lock the agent's name for 16 minutes (measured).

        Args:
            refusals: How often the server said so in a row, this time included.
        """
        longest = self._policy.blocked_longest
        wait: float = self._policy.blocked_first * 2 ** min(refusals - 1, _MOST_DOUBLINGS)
        return min(longest, wait * self._rng.uniform(1, 1 + _BLOCKED_JITTER))
