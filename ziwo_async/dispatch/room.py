"""Room: how much may wait in the lanes, and what goes when that is reached.

What waits for handlers with `overflow="block"` is counted together: each lane has room for `Buffers.per_call` of them,
and past that borrows from the `Buffers.per_session` which all lanes share. A handler with another policy has a bound of
its own in each lane. Both wait in the lane's one queue, because the handlers of a call run one after the other; so the
second kind waits in cells, which can be emptied where they are.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeAlias

from ..config import Buffers
from ..errors import StreamOverflow
from ..events import Destroy, Event, EventsDropped, Hangup, SlowConsumer
from ..router import Registration
from .tally import marks, worth_telling

__all__ = ["Cell", "Lane", "Room", "Run"]

_log = logging.getLogger("ziwo_async.dispatch")

# A plain tuple: one is made for every event and handler. The number is the loop's time when it was queued.
Run: TypeAlias = tuple[Registration, object, Event, float]

# A program must learn that a call has ended: these are dropped only when nothing else is left to drop.
_KEPT = (Hangup, Destroy)
_SHARED = "the handlers of all calls"
# A lane is cleaned of empty cells when they are more than half of it, and not for a handful.
_FEW = 64


class Cell:
    """The place of a run whose handler has a bound of its own; empty once the run was dropped."""

    __slots__ = ("run",)

    def __init__(self, run: Run) -> None:
        self.run: Run | None = run


class _Own:
    """What waits in one lane for a handler with a bound of its own."""

    __slots__ = ("cells", "slow")

    def __init__(self) -> None:
        self.cells: deque[Cell] = deque()
        self.slow = False


class Lane:
    """What waits for the handlers of one call, or of the session, in order.

    Attributes:
        key: The call's id; None for the session.
        items: The runs, and the cells of runs.
        queued: Whether a worker has it, or will.
        running: The last run that a worker took from it.
        special: Whether `borrowed` or `cells` is not zero: one look at the usual lane, instead of two.
        borrowed: How many runs are past the call's own bound.
        cells: How many of the items are cells.
        empty: How many of these are empty.
        own: The handlers with a bound of their own.
        slow: Whether it was told to be slow, and has not recovered yet.
        drops: How many runs were dropped since it was last empty, by consumer.
    """

    __slots__ = ("borrowed", "cells", "drops", "empty", "items", "key", "own", "queued", "running", "slow", "special")

    def __init__(self, key: str | None) -> None:
        self.key = key
        self.items: deque[Run | Cell] = deque()
        self.queued = False
        self.running: Run | None = None
        self.special = False
        self.borrowed = 0
        self.cells = 0
        self.empty = 0
        self.own: dict[Registration, _Own] = {}
        self.slow = False
        self.drops: dict[str, int] = {}

    @property
    def name(self) -> str:
        """The lane as a consumer, in the events about it."""
        return "the handlers of the session" if self.key is None else f"the handlers of call {self.key}"

    def oldest(self) -> Run | None:
        """The run that waits longest for a handler without a bound of its own."""
        return next((item for item in self.items if not isinstance(item, Cell)), None)


class Room:
    """Lets runs into lanes, or drops some.

    Attributes:
        dropped: How many runs were dropped.
        borrowed: How many runs of all lanes are past the bound of their call.
        out: The handlers that were taken out of a call (`overflow="fail"`).
        crowd: `admit` is asked from this length on.
    """

    def __init__(
        self,
        buffers: Buffers,
        *,
        failed: Callable[[Run, BaseException], None],
        tell: Callable[[SlowConsumer | EventsDropped], None],
        now: Callable[[], float],
    ) -> None:
        """Make room for lanes that are empty.

        Args:
            buffers: The bounds.
            failed: Told when a handler is taken out, with the event that was too much.
            tell: Takes a `SlowConsumer` or `EventsDropped`, to be published once the present event was.
            now: The loop's time.
        """
        self.dropped = 0
        self.borrowed = 0
        self.out: dict[str | None, set[Registration]] = {}
        self._limit = buffers.per_call
        self._half, self._quarter = marks(buffers.per_call)
        self._shared = buffers.per_session
        self._shared_half, self._shared_quarter = marks(buffers.per_session)
        self._shared_slow = False
        self._borrowers: dict[str | None, Lane] = {}
        self._failed = failed
        self._tell = tell
        self._now = now
        # One look at the length before a run is added finds the lane that gets slow and the one that is full.
        self.crowd = self._half - 1

    # -- handlers that block ---------------------------------------------------

    def admit(self, lane: Lane, run: Run) -> bool:
        """Make room in a lane that got long, or was; returns whether the run may be added."""
        depth = len(lane.items) - lane.cells
        if depth >= self._limit:
            if self.borrowed >= self._shared and not self._make_room(lane, run):
                return False
            self._borrow(lane)
        if not lane.slow:
            if depth + 1 >= self._half:
                lane.slow = True
                self._say_slow(lane.name, lane, depth + 1, self._limit, lane.oldest() or run)
        elif depth < self._quarter:
            # A length grows only here, so no low is missed.
            lane.slow = False
        return True

    def _borrow(self, lane: Lane) -> None:
        before = self.borrowed
        lane.borrowed += 1
        lane.special = True
        self.borrowed += 1
        self._borrowers[lane.key] = lane
        if not self._shared_slow:
            if self.borrowed >= self._shared_half:
                self._shared_slow = True
                longest = self._longest()
                oldest = longest.oldest()
                assert oldest is not None  # it borrows, so it holds more than nothing
                self._say_slow(_SHARED, longest, self.borrowed, self._shared, oldest)
        elif before < self._shared_quarter:
            self._shared_slow = False

    def _give_back(self, lane: Lane) -> None:
        lane.borrowed -= 1
        self.borrowed -= 1
        if not lane.borrowed:
            del self._borrowers[lane.key]

    def _longest(self) -> Lane:
        return max(self._borrowers.values(), key=lambda lane: lane.borrowed)

    def _make_room(self, lane: Lane, run: Run) -> bool:
        """Drop the oldest run of the lane that borrows most; False when that is the new one itself."""
        longest = self._longest()
        at = _first_to_go((None if isinstance(item, Cell) else item for item in longest.items), run)
        if at is None:
            self._note_drop(lane, lane.name)
            return False
        del longest.items[at]
        self._give_back(longest)
        self._note_drop(longest, longest.name)
        return True

    # -- handlers with a bound of their own ------------------------------------

    def admit_own(self, lane: Lane, run: Run) -> bool:
        """Add a run to its lane, in a cell; returns whether it was, or dropped instead."""
        registration = run[0]
        own = lane.own.get(registration)
        if own is None:
            own = lane.own[registration] = _Own()
        depth = len(own.cells)
        if depth >= self._limit:
            if registration.overflow == "fail":
                self._take_out(lane, own, run)
                return False
            if not self._make_own_room(lane, own, run):
                return False
        cell = Cell(run)
        own.cells.append(cell)
        lane.items.append(cell)
        lane.cells += 1
        lane.special = True
        if not own.slow:
            if depth + 1 >= self._half:
                own.slow = True
                self._say_slow(registration.name, lane, depth + 1, self._limit, own.cells[0].run or run)
        elif depth < self._quarter:
            own.slow = False
        return True

    def _make_own_room(self, lane: Lane, own: _Own, run: Run) -> bool:
        at = _first_to_go((cell.run for cell in own.cells), run)
        if at is not None:
            own.cells[at].run = None
            del own.cells[at]
            lane.empty += 1
            self._clean(lane)
        self._note_drop(lane, run[0].name)
        return at is not None

    def _take_out(self, lane: Lane, own: _Own, run: Run) -> None:
        registration = run[0]
        for cell in own.cells:
            cell.run = None
        lost = len(own.cells) + 1
        lane.empty += len(own.cells)
        self.dropped += lost
        del lane.own[registration]
        self.out.setdefault(lane.key, set()).add(registration)
        self._clean(lane)
        where = "the session" if lane.key is None else f"call {lane.key}"
        message = f"too slow: {lost} events dropped, and it gets no more of {where}"
        self._failed(run, StreamOverflow(message, dropped=lost))

    def _clean(self, lane: Lane) -> None:
        if lane.empty <= _FEW or 2 * lane.empty <= len(lane.items):
            return
        kept = [item for item in lane.items if not (isinstance(item, Cell) and item.run is None)]
        # In place: a worker holds the queue.
        lane.items.clear()
        lane.items.extend(kept)
        lane.cells -= lane.empty
        lane.empty = 0

    # -- taking out ------------------------------------------------------------

    def take(self, lane: Lane, item: Run | Cell) -> Run | None:
        """Note that an item was taken from a special lane; gives its run, or None when that was dropped."""
        run = item.run if isinstance(item, Cell) else item
        if isinstance(item, Cell):
            lane.cells -= 1
            if run is None:
                lane.empty -= 1
            else:
                lane.own[run[0]].cells.popleft()
        elif lane.borrowed:
            self._give_back(lane)
        lane.special = bool(lane.borrowed or lane.cells)
        return run

    def emptied(self, lane: Lane) -> None:
        """Tell the final count of what a lane lost, now that it is empty."""
        for consumer, dropped in lane.drops.items():
            if not worth_telling(dropped):
                self._tell(EventsDropped(consumer=consumer, call_id=lane.key, dropped=dropped))

    def clear(self, lane: Lane) -> int:
        """Drop all that waits in a lane, and give its number. Nothing is told."""
        lost = len(lane.items) - lane.empty
        self.dropped += lost
        self.borrowed -= lane.borrowed
        self._borrowers.pop(lane.key, None)
        lane.items.clear()
        lane.own.clear()
        lane.drops.clear()
        lane.borrowed = lane.cells = lane.empty = 0
        lane.special = False
        return lost

    # -- telling ---------------------------------------------------------------

    def _note_drop(self, lane: Lane, consumer: str) -> None:
        self.dropped += 1
        dropped = lane.drops[consumer] = lane.drops.get(consumer, 0) + 1
        if worth_telling(dropped):
            _log.warning("%s: too slow, %d events dropped so far", consumer, dropped)
            self._tell(EventsDropped(consumer=consumer, call_id=lane.key, dropped=dropped))

    def _say_slow(self, consumer: str, lane: Lane, depth: int, limit: int, oldest: Run) -> None:
        running = lane.running
        told = SlowConsumer(
            consumer=consumer,
            call_id=lane.key if consumer != _SHARED else None,
            depth=depth,
            limit=limit,
            lag_seconds=self._now() - oldest[3],
            handler=None if running is None else running[0].name,
        )
        _log.warning(
            "%s: %d events wait, the oldest for %.3f s; %s runs", consumer, depth, told.lag_seconds, told.handler
        )
        # Who listens to this event and is slow itself gets no more of it.
        if not issubclass(SlowConsumer, (running or oldest)[0].kind):
            self._tell(told)


def _first_to_go(waiting: Iterable[Run | None], new: Run) -> int | None:
    """The place of the oldest run that may be dropped; None when it is the new one."""
    kept: int | None = None
    for at, run in enumerate(waiting):
        if run is None:
            continue
        if type(run[2]) not in _KEPT:
            return at
        if kept is None:
            kept = at
    return kept if type(new[2]) in _KEPT else None
