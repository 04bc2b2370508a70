"""The fleet of the soak: phones whose bots answer, dial, hold and hang up at random, and what must hold of them."""

from __future__ import annotations

import asyncio
import os
import random
from array import array
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ziwo_async import (
    Call,
    CallEvent,
    Destroy,
    DialogEvent,
    Event,
    HandlerFailed,
    Ringing,
    Router,
    SessionClosed,
    SessionEvent,
    SessionLost,
    SessionRestored,
    Verdict,
    ZiwoClient,
    ZiwoError,
    check_flow,
)


class Witness:
    """Sees every event of one phone in wire order, and remembers little."""

    def __init__(self, counts: Counter[str], wrong: list[str]) -> None:
        self.open: dict[str, str] = {}
        self.away = False
        self.ended: dict[str, None] = {}
        self.counts = counts
        self.wrong = wrong
        self.router = Router()
        self.router.on(CallEvent, when=self._see_call)(_never)
        self.router.on(SessionEvent, when=self._see_session)(_never_session)

    def _see_call(self, event: Event) -> bool:
        if not isinstance(event, DialogEvent):
            self.counts[type(event).__name__] += 1
            return False
        self.counts[str(event.state)] += 1
        if event.call_id in self.ended:
            self.wrong.append(f"{event.state} after destroy of {event.call_id}")
        self.open[event.call_id] = str(event.state)
        if isinstance(event, Destroy):
            del self.open[event.call_id]
            self.ended[event.call_id] = None
            if len(self.ended) > 200:
                del self.ended[next(iter(self.ended))]
            states = [step.state for step in event.state_flow]
            if check_flow(event.state_flow).verdict is Verdict.VIOLATION or states.count("destroy") != 1:
                self.wrong.append(f"flow {[str(state) for state in states]}")
        return False

    def _see_session(self, event: Event) -> bool:
        self.counts[type(event).__name__] += 1
        if isinstance(event, SessionLost):
            if self.away:
                self.wrong.append("lost twice")
            self.away = True
        elif isinstance(event, SessionRestored):
            if not self.away:
                self.wrong.append("restored without a loss")
            self.away = False
        elif isinstance(event, HandlerFailed) or (isinstance(event, SessionClosed) and event.error):
            self.wrong.append(repr(event))
        return False


async def _never(call: Call, event: CallEvent) -> None:
    raise AssertionError


async def _never_session(event: SessionEvent) -> None:
    raise AssertionError


class Bot:
    """One agent's program."""

    def __init__(self, ziwo: ZiwoClient, seed: int, counts: Counter[str], wrong: list[str]) -> None:
        self.ziwo = ziwo
        self.rng = random.Random(seed)
        self.counts = counts
        self.witness = Witness(counts, wrong)
        ziwo.include(self.witness.router)
        bot = Router()
        bot.during(Ringing)(self._ringing)
        ziwo.include(bot)

    async def _ringing(self, call: Call, event: Ringing) -> None:
        if self.rng.random() < 0.75:
            await asyncio.sleep(self.rng.uniform(0, 1))
            try:
                await call.answer(hold_others=self.rng.random() < 0.3)
                await self._talk(call)
            except ZiwoError as error:
                self.counts[type(error).__name__] += 1

    async def _talk(self, call: Call) -> None:
        while not call.is_over:
            await asyncio.sleep(self.rng.uniform(0.5, 6))
            act = self.rng.choice([call.hold, call.unhold, lambda: call.dtmf("12"), call.hangup, call.hangup])
            try:
                await act()
            except ZiwoError as error:
                self.counts[type(error).__name__] += 1

    async def dial(self) -> None:
        """Call a customer and talk."""
        try:
            await self._talk(await self.ziwo.phone.dial(f"+9715{self.rng.randrange(200):08d}"))
        except ZiwoError as error:
            self.counts[type(error).__name__] += 1


@dataclass
class Meter:
    """What the process takes, over time."""

    lags: array[float] = field(default_factory=lambda: array("d"))
    samples: list[tuple[float, float, int, int]] = field(default_factory=list[tuple[float, float, int, int]])

    async def run(self) -> None:
        """Measure until cancelled: the loop's lag every 50 ms, the rest every 5 s."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            due = loop.time() + 0.05
            await asyncio.sleep(0.05)
            self.lags.append(loop.time() - due)
            if loop.time() - last >= 5:
                last = loop.time()
                self.samples.append((last, rss_mb(), len(asyncio.all_tasks()), open_files()))

    def slope(self) -> float:
        """Growth of the resident memory in MB per hour, by least squares over the second half of the run."""
        points = [(at, rss) for at, rss, _, _ in self.samples[len(self.samples) // 2 :]]
        if len(points) < 3:
            return 0.0
        mean_at = sum(at for at, _ in points) / len(points)
        mean_rss = sum(rss for _, rss in points) / len(points)
        over = sum((at - mean_at) ** 2 for at, _ in points)
        return sum((at - mean_at) * (rss - mean_rss) for at, rss in points) / over * 3600

    def lag(self, part: float) -> float:
        """The loop's lag in ms at this part of the sorted measurements."""
        ordered = sorted(self.lags)
        return ordered[min(int(len(ordered) * part), len(ordered) - 1)] * 1000


def rss_mb() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1_048_576


def open_files() -> int:
    """How many files and sockets this process has open."""
    return len(os.listdir("/proc/self/fd"))
