"""Lanes: one queue of handler runs per call. In order inside a lane, concurrent across lanes, all bounded (`room`).

A task per event would cost more than parsing it (measured: +10 to +30 us), so a few workers serve all lanes: a worker
takes a lane and runs what is queued there. When it is suspended inside a handler while other lanes are ready, the next
worker is started; a quick handler therefore never needs more than one worker, a slow one delays only its own call.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection

from ..config import Buffers
from ..events import Event, EventsDropped, SlowConsumer
from ..router import Registration
from .owner import TaskOwner
from .room import Lane, Room, Run
from .tally import Tally

__all__ = ["Bell", "Lanes", "Run", "cancelled_from_outside"]

_log = logging.getLogger("ziwo_async.dispatch")

_IDLE_WORKERS = 4
# After this many handler runs without an await a worker lets others run.
_TURN = 128


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


def cancelled_from_outside() -> bool:
    """Whether this task was asked to stop; else a `CancelledError` came from something that a handler awaited."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


class Lanes:
    """Runs handlers in one lane per call, and one for the session.

    Attributes:
        published: How many runs were asked for.
        handled: How many of them have begun.
        emptied: Rung when a lane has nothing more to do.
        room: The bounds and what was dropped.
    """

    def __init__(
        self,
        owner: TaskOwner,
        start: Callable[[Run], Awaitable[None]],
        *,
        failed: Callable[[Run, BaseException], None],
        tell: Callable[[SlowConsumer | EventsDropped], None],
        flush: Callable[[], None],
        buffers: Buffers,
    ) -> None:
        """Make lanes that are empty.

        Args:
            owner: Owns the workers.
            start: Starts the handler of a run.
            failed: Told when that raised, and when a handler is taken out.
            tell: Takes a `SlowConsumer` or `EventsDropped`, to be published once the present event was.
            flush: Publishes these, when no event is being published.
            buffers: The bounds.
        """
        self.published = 0
        self.handled = 0
        self.emptied = Bell()
        self.room = Room(buffers, failed=failed, tell=tell, now=self._time)
        self._owner = owner
        self._start = start
        self._failed = failed
        self._flush = flush
        self._crowd = self.room.crowd
        self._lanes: dict[str | None, Lane] = {}
        self._ready: deque[Lane] = deque()
        self._idle: deque[asyncio.Future[None]] = deque()
        self._tending = False
        self._workers = 0
        self._stamp = 0.0

    def put(self, key: str | None, registration: Registration, call: object, event: Event) -> None:
        """Queue a run of a handler behind the others of its lane. Never blocks."""
        self.published += 1
        # While lanes are being tended, the time of the loop's present turn is good enough, and cheaper.
        run = (registration, call, event, self._stamp if self._tending else self._time())
        own = registration.overflow != "block"
        if own and registration in self.room.out.get(key, ()):
            self.room.dropped += 1
            return
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key)
        if own:
            if not self.room.admit_own(lane, run):
                return
        else:
            items = lane.items
            if (len(items) >= self._crowd or lane.slow) and not self.room.admit(lane, run):
                return
            items.append(run)
        if not lane.queued:
            lane.queued = True
            self._ready.append(lane)
            if not self._tending:
                self._tending = True
                asyncio.get_running_loop().call_soon(self._tend)

    def _time(self) -> float:
        # The loop's clock, so that virtual time is told truly.
        self._stamp = asyncio.get_running_loop().time()
        return self._stamp

    # -- what is known ---------------------------------------------------------

    @property
    def waiting(self) -> int:
        """How many runs wait in all lanes."""
        return sum(len(lane.items) - lane.empty for lane in self._lanes.values())

    @property
    def tally(self) -> Tally:
        """The counters."""
        return Tally(self.published, self.handled, self.room.dropped)

    def depth(self, key: str | None) -> int:
        """How many runs wait in a lane."""
        lane = self._lanes.get(key)
        return len(lane.items) - lane.empty if lane is not None else 0

    def busy(self, but_not: Collection[str] = ()) -> bool:
        """Whether something waits or runs in a lane, those of the named keys left out."""
        return any(key not in but_not for key in self._lanes)

    def discard(self) -> None:
        """Drop and count all that waits, now that nothing will be run any more."""
        lost = sum(self.room.clear(lane) for lane in self._lanes.values())
        if lost:
            _log.warning("%d events had not been handled when the phone closed", lost)
        self._lanes.clear()
        self._ready.clear()
        self.emptied.ring()

    # -- running ---------------------------------------------------------------

    def _tend(self) -> None:
        """Give ready lanes to a worker; looks again in the next turn of the loop, in case that one got suspended."""
        self._tending = False
        if not self._ready:
            return
        if not self._owner.running:
            self.discard()
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
        self._time()
        asyncio.get_running_loop().call_soon(self._tend)

    async def _work(self) -> None:
        start, ready, turn = self._start, self._ready, 0
        while True:
            while ready:
                lane = ready.popleft()
                items = lane.items
                while items:
                    item = items.popleft()
                    # A lane that is not special holds no cells.
                    run: Run | None = self.room.take(lane, item) if lane.special else item  # type: ignore[assignment]
                    if run is None:
                        continue
                    lane.running = run
                    self.handled += 1
                    try:
                        await start(run)
                    except asyncio.CancelledError as error:
                        if cancelled_from_outside():
                            raise
                        self._failed(run, error)
                    except Exception as error:  # noqa: BLE001 - user code may raise anything; it is told
                        self._failed(run, error)
                    turn += 1
                    if turn >= _TURN:
                        turn = 0
                        await asyncio.sleep(0)
                self._end(lane)
            if len(self._idle) >= _IDLE_WORKERS:
                return
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.append(waiter)
            await waiter

    def _end(self, lane: Lane) -> None:
        lane.queued = False
        self._lanes.pop(lane.key, None)
        if lane.drops:
            self.room.emptied(lane)
            self._flush()
        if self.emptied.waiting:
            self.emptied.ring()
