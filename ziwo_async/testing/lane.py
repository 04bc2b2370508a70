"""One direction of a proxied connection: bytes go in at one end, through the faults, and out at the other."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum

from ..simulator.tcp import send_reset

__all__ = ["Lane", "Mode", "Traffic"]

_SLICE = 0.02  # a throttled lane writes what its rate allows in so many seconds


@dataclass(slots=True)
class Traffic:
    """What went one way through a `FaultProxy`, all its connections together. All numbers are bytes.

    Attributes:
        received: Taken from the sender.
        delivered: Handed to the receiver's socket; more than received when bytes were doubled.
        swallowed: Thrown away: by a black hole, by a cut, or because the receiver was gone.
    """

    received: int = 0
    delivered: int = 0
    swallowed: int = 0


@dataclass(slots=True)
class Mode:
    """The faults of one lane."""

    stalled: bool = False
    black_hole: bool = False
    delay: float = 0.0
    jitter: float = 0.0
    split: int = 0
    rate: float = 0.0
    duplicate: int = 0
    corrupt: int = 0

    def copy(self) -> Mode:
        """The same faults, for a lane of its own."""
        return replace(self)


class _End(Enum):
    FIN = "fin"
    RST = "rst"


@dataclass(slots=True)
class _Item:
    due: float
    what: memoryview | _End


@dataclass(slots=True)
class _State:
    """What is under way; all of it ends with `Lane.stop`."""

    queue: deque[_Item] = field(default_factory=deque["_Item"])
    size: int = 0
    free_at: float = 0.0
    wake: asyncio.Handle | None = None


class Lane:
    """Takes bytes of `source` and gives them to `sink`, in order. Bounded: it stops to read when it holds enough.

    Attributes:
        mode: The faults in force.
        source: Where the bytes come from; None: gone.
        sink: Where they go to; None: not connected yet, or gone (see `over`).
        over: Nothing is delivered any more.
        fin_sent: The sink was told that no more will come.
    """

    def __init__(
        self, mode: Mode, traffic: Traffic, rng: random.Random, limit: int, settle: Callable[[], None]
    ) -> None:
        self.mode = mode
        self.source: asyncio.Transport | None = None
        self.sink: asyncio.Transport | None = None
        self.over = False
        self.fin_sent = False
        self._traffic = traffic
        self._rng = rng
        self._limit = limit
        self._settle = settle
        self._state = _State()
        self._blocked = False
        self._reading = True

    @property
    def idle(self) -> bool:
        """Whether nothing is held."""
        return not self._state.queue

    # ---- in ----------------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Bytes have come from the source."""
        self._traffic.received += len(data)
        if self.over or self.mode.black_hole:
            self._traffic.swallowed += len(data)
            return
        if self.mode.corrupt > 0:
            self.mode.corrupt -= 1
            data = _flipped(data, self._rng)
        if self.mode.duplicate > 0:
            self.mode.duplicate -= 1
            data += data
        self._put(memoryview(data))
        self._state.size += len(data)
        self.pump()

    def end(self, *, reset: bool) -> None:
        """The source has said that no more will come, or was lost. Told in order, after the bytes before it."""
        if not (self.over or self.mode.black_hole):
            self._put(_End.RST if reset else _End.FIN)
            self.pump()

    def _put(self, what: memoryview | _End) -> None:
        mode = self.mode
        late = mode.delay + (self._rng.uniform(0.0, mode.jitter) if mode.jitter > 0 else 0.0)
        # Only the first of the queue is ever looked at, so that order is kept whatever the times are.
        self._state.queue.append(_Item(_now() + late if late > 0 else 0.0, what))

    # ---- out ---------------------------------------------------------------------------------------------------

    def pump(self) -> None:
        """Deliver what may be delivered now, and see to it that the rest is tried again."""
        state = self._state
        while state.queue and state.wake is None and not (self._blocked or self.mode.stalled or self.sink is None):
            item = state.queue[0]
            # A timer fires up to one tick of the clock early.
            wait = max(item.due, state.free_at) - _now()
            if wait > 0.000_001:
                state.wake = asyncio.get_running_loop().call_later(wait, self._woken)
            elif isinstance(item.what, _End):
                state.queue.popleft()
                self._tell(item.what)
            else:
                self._write(item, item.what)
        self._regulate()

    def _write(self, item: _Item, data: memoryview) -> None:
        state, mode = self._state, self.mode
        size = len(data)
        if mode.split > 0:
            size = min(size, mode.split)
        if mode.rate > 0:
            size = min(size, max(1, int(mode.rate * _SLICE)))
            state.free_at = max(state.free_at, _now()) + size / mode.rate
        if size == len(data):
            state.queue.popleft()
        else:
            item.what = data[size:]
        state.size -= size
        self._traffic.delivered += size
        if mode.split > 0:
            # The receiver reads in the next turn of the loop, so that the turn after it is the first in which the
            # next piece is one of its own.
            state.wake = asyncio.get_running_loop().call_soon(self._one_turn_more)
        assert self.sink is not None
        self.sink.write(bytes(data[:size]))

    def _one_turn_more(self) -> None:
        self._state.wake = asyncio.get_running_loop().call_soon(self._woken)

    def _woken(self) -> None:
        self._state.wake = None
        self.pump()

    def _tell(self, end: _End) -> None:
        if end is _End.FIN:
            self.send_fin()
        elif self.sink is not None:
            self.over = True
            send_reset(self.sink)

    def send_fin(self) -> None:
        """Tell the sink that no more will come; what is still held is thrown away."""
        self.stop()
        if self.sink is not None and not self.fin_sent and not self.sink.is_closing():
            self.fin_sent = True
            if self.sink.can_write_eof():
                # The sink may have been reset in this very turn, which its transport does not know yet.
                with contextlib.suppress(OSError):
                    self.sink.write_eof()
            else:
                self.sink.close()
        self._settle()

    # ---- back-pressure -----------------------------------------------------------------------------------------

    def block(self, blocked: bool) -> None:
        """The sink takes no more for now, or takes again."""
        self._blocked = blocked
        if not blocked:
            self.pump()

    def _regulate(self) -> None:
        """Read from the source only while there is room."""
        if self.source is None or self.source.is_closing():
            return
        ready = self.sink is not None or self.over
        if self._reading and (not ready or self._state.size > self._limit):
            self._reading = False
            self.source.pause_reading()
        elif not self._reading and ready and self._state.size <= self._limit // 2:
            self._reading = True
            self.source.resume_reading()

    # ---- control -----------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """The faults are others now; what waits for a fault that has ended is delivered."""
        state = self._state
        if self.mode.black_hole:
            self._drop()
        if self.mode.delay <= 0:
            for item in state.queue:
                item.due = 0.0
        if self.mode.rate <= 0:
            state.free_at = 0.0
        self._unwake()
        self.pump()
        self._settle()

    def stop(self) -> None:
        """Deliver nothing any more; what comes is thrown away, so that the sender is not held up."""
        self.over = True
        self._drop()
        self._unwake()
        self._regulate()

    def _drop(self) -> None:
        self._traffic.swallowed += self._state.size
        self._state.size = 0
        self._state.queue.clear()

    def _unwake(self) -> None:
        if self._state.wake is not None:
            self._state.wake.cancel()
            self._state.wake = None


def _flipped(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _now() -> float:
    return asyncio.get_running_loop().time()
