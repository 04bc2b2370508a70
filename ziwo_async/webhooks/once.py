"""Which hooks were handled already: in the memory of the process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Literal, Protocol, TypeAlias

from ..errors import ConfigError

__all__ = ["Claim", "MemoryOnce", "OnceStore"]

Claim: TypeAlias = Literal["yours", "busy", "done"]
"""What became of a claim: go ahead; somebody else is at it; it was done before."""


class OnceStore(Protocol):
    """Where a service notes what it has handled, so that nothing is handled twice.

    A store may be shared by the processes of one service. It is not meant for several different services.
    """

    async def claim(self, key: str, owner: str) -> Claim:
        """Ask whether to go ahead. Of several that ask, exactly one is told `yours`.

        Asked again by the owner, it renews the claim: a store that outlives a process lets go of a claim that was not
        renewed for its lease.

        Args:
            key: What is to be handled.
            owner: Who asks; unlike any other.
        """
        ...

    async def finish(self, key: str, owner: str) -> None:
        """Note that it was handled, for the next 24 hours at least as far as there is room.

        Args:
            key: What was handled.
            owner: Whose claim it was; of somebody else's claim nothing is changed.
        """
        ...

    async def release(self, key: str, owner: str) -> None:
        """Note that it was not handled, so that the next one may try.

        Args:
            key: What was not handled.
            owner: Whose claim it was; of somebody else's claim nothing is changed.
        """
        ...

    @property
    def lease(self) -> float:
        """Seconds within which a claim is renewed."""
        ...


class MemoryOnce:
    """Remembers for as long as the process lives, and at most so many."""

    def __init__(self, *, ttl: float = 86_400.0, limit: int = 100_000, lease: float = 60.0) -> None:
        """Begin with nothing.

        Args:
            ttl: Seconds for which what was handled is remembered.
            limit: How many are remembered; after that the oldest are forgotten.
            lease: Seconds after which a claim that is not renewed is free again.

        Raises:
            ConfigError: A value makes no sense.
        """
        if not 0 < ttl < float("inf") or not 0 < lease < float("inf") or limit < 1:
            raise ConfigError("ttl, lease and limit must be greater than 0")
        self._ttl = ttl
        self._limit = limit
        self._lease = lease
        self._lock = threading.Lock()
        self._claims: dict[str, tuple[str, float]] = {}
        self._done: OrderedDict[str, float] = OrderedDict()

    @property
    def lease(self) -> float:
        """Seconds within which a claim is renewed."""
        return self._lease

    def __len__(self) -> int:
        return len(self._done)

    async def claim(self, key: str, owner: str) -> Claim:
        """Ask whether to go ahead.

        Args:
            key: What is to be handled.
            owner: Who asks.
        """
        with self._lock:
            now = time.monotonic()
            while self._done and next(iter(self._done.values())) <= now:
                self._done.popitem(last=False)
            if key in self._done:
                return "done"
            holder, until = self._claims.get(key, (owner, now))
            if holder != owner and until > now:
                return "busy"
            self._claims[key] = (owner, now + self._lease)
            return "yours"

    async def finish(self, key: str, owner: str) -> None:
        """Note that it was handled.

        Args:
            key: What was handled.
            owner: Whose claim it was.
        """
        with self._lock:
            if self._let_go(key, owner) or key not in self._claims:
                self._done[key] = time.monotonic() + self._ttl
                while len(self._done) > self._limit:
                    self._done.popitem(last=False)

    async def release(self, key: str, owner: str) -> None:
        """Note that it was not handled.

        Args:
            key: What was not handled.
            owner: Whose claim it was.
        """
        with self._lock:
            self._let_go(key, owner)

    def _let_go(self, key: str, owner: str) -> bool:
        if self._claims.get(key, ("", 0.0))[0] != owner:
            return False
        del self._claims[key]
        return True
