"""Lanes: one queue of handler runs per call. In order inside a lane, concurrent across lanes, all bounded.

A task per event would cost more than parsing it (measured: +10 to +30 us), so a few workers serve all lanes: a worker
takes a lane and runs what is queued there. When it is suspended inside a handler while other lanes are ready, the next
worker is started; a quick handler therefore never needs more than one worker, a slow one delays only its own call.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from typing import Generic, TypeVar

from .owner import TaskOwner

__all__ = ["Lanes"]

T = TypeVar("T")

_IDLE_WORKERS = 4
# After this many handler runs without an await a worker lets others run.
_TURN = 128


class _Lane(Generic[T]):
    __slots__ = ("items", "key", "queued")

    def __init__(self, key: str | None) -> None:
        self.key = key
        self.items: deque[T] = deque()
        self.queued = False


class Bell:
    """Wakes everybody who waits for the next change."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: list[asyncio.Future[None]] = []

    def ring(self) -> None:
        """Wake all."""
        for waiter in self.waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self) -> None:
        """Wait for the next ring."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(waiter)
        try:
            await waiter
        finally:
            self.waiting.remove(waiter)


class Lanes(Generic[T]):
    """Runs items in one lane per key.

    Attributes:
        dropped: How many items were dropped because their lane was full.
        emptied: Rung when a lane has nothing more to do.
    """

    def __init__(
        self,
        owner: TaskOwner,
        run: Callable[[T], Awaitable[None]],
        failed: Callable[[T, Exception], None],
        *,
        lane_limit: int = 256,
        overflowed: Callable[[str | None, int], None] | None = None,
    ) -> None:
        """Make lanes that are empty.

        Args:
            owner: Owns the workers.
            run: Runs one item.
            failed: Told when that raised.
            lane_limit: How many items may wait in a lane; the oldest is dropped for the next.
            overflowed: Told the key of a full lane and the count of dropped items in total.
        """
        self.dropped = 0
        self._owner = owner
        self._run = run
        self._failed = failed
        self._limit = lane_limit
        self._overflowed = overflowed
        self._lanes: dict[str | None, _Lane[T]] = {}
        self._ready: deque[_Lane[T]] = deque()
        self._idle: deque[asyncio.Future[None]] = deque()
        self._tending = False
        self._workers = 0
        self.emptied = Bell()

    def put(self, key: str | None, item: T) -> None:
        """Queue an item behind the others of its lane. Never blocks."""
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(key)
        items = lane.items
        if len(items) >= self._limit:
            items.popleft()
            self.dropped += 1
            if self._overflowed is not None:
                self._overflowed(key, self.dropped)
        items.append(item)
        if not lane.queued:
            lane.queued = True
            self._ready.append(lane)
            if not self._tending:
                self._tending = True
                asyncio.get_running_loop().call_soon(self._tend)

    def depth(self, key: str | None) -> int:
        """How many items wait in a lane."""
        lane = self._lanes.get(key)
        return len(lane.items) if lane is not None else 0

    def busy(self, but_not: Collection[str] = ()) -> bool:
        """Whether something waits or runs in a lane, those of the named keys left out."""
        return any(key not in but_not for key in self._lanes)

    def _tend(self) -> None:
        """Give ready lanes to a worker; looks again in the next turn of the loop, in case that one got suspended."""
        self._tending = False
        if not self._ready or not self._owner.running:
            return
        while self._idle:
            waiter = self._idle.popleft()
            if not waiter.done():
                waiter.set_result(None)
                break
        else:
            self._workers += 1
            self._owner.spawn(f"lane worker {self._workers}", self._work)
        self._tending = True
        asyncio.get_running_loop().call_soon(self._tend)

    async def _work(self) -> None:
        run, ready, turn = self._run, self._ready, 0
        while True:
            while ready:
                lane = ready.popleft()
                items = lane.items
                while items:
                    item = items.popleft()
                    try:
                        await run(item)
                    except Exception as error:  # noqa: BLE001 - user code may raise anything; it is told
                        self._failed(item, error)
                    turn += 1
                    if turn >= _TURN:
                        turn = 0
                        await asyncio.sleep(0)
                lane.queued = False
                del self._lanes[lane.key]
                if self.emptied.waiting:
                    self.emptied.ring()
            if len(self._idle) >= _IDLE_WORKERS:
                return
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.append(waiter)
            await waiter
