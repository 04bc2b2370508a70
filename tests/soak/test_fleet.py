"""A fleet of phones under random calls and faults, with real sockets: `make soak SOAK_SECONDS=n [SOAK_PHONES=n]`.

Whatever happens, every call ends in one destroy, flows are the documented ones, and nothing grows. The figures are
printed at the end. What is asserted of memory is generous, since other programs run on the machine too.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ziwo_async import ZiwoClient, ZiwoError

from .fleet import Bot, Meter, open_files, rss_mb

pytestmark = pytest.mark.soak

PHONES = int(os.environ.get("SOAK_PHONES") or 300)
SECONDS = float(os.environ.get("SOAK_SECONDS") or 60)
DIALS_PER_SECOND = 2.5
CALLS_PER_SECOND = 2.5
# A silent socket is noticed after 17 s, somebody else's login is tried again after 25 s, calls are asked for again.
CALM = 180.0


@asynccontextmanager
async def centre(agents: int, seed: int) -> AsyncIterator[asyncio.subprocess.Process]:
    script = str(Path(__file__).with_name("centre.py"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, script, str(agents), str(seed), str(CALLS_PER_SECOND),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1_048_576,
    )  # fmt: skip
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(20):
            assert await process.wait() == 0


async def told(process: asyncio.subprocess.Process) -> Any:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        return json.loads(await process.stdout.readline())


def say(process: asyncio.subprocess.Process, word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n".encode())


async def dialling(bots: list[Bot], rng: random.Random, group: asyncio.TaskGroup) -> None:
    while True:
        await asyncio.sleep(rng.expovariate(DIALS_PER_SECOND))
        group.create_task(rng.choice(bots).dial())


async def test_a_fleet_survives_whatever_happens_and_nothing_grows() -> None:
    # pytest keeps every record, and there are thousands of losses: that would be the growth we measure.
    logging.getLogger("ziwo_async").setLevel(logging.CRITICAL)
    seed = int(os.environ.get("SEED") or 1)
    rng = random.Random(seed)
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    meter = Meter()
    async with centre(PHONES, seed) as process, AsyncExitStack() as open_clients:
        where = await told(process)
        before = (len(asyncio.all_tasks()), open_files())
        bots: list[Bot] = []
        for number, (username, password) in enumerate(where["agents"]):
            ziwo = ZiwoClient(username=username, password=password, api_url=where["api"], verto_url=where["verto"])
            bots.append(Bot(await open_clients.enter_async_context(ziwo), seed * 1000 + number, counts, wrong))
        async with asyncio.TaskGroup() as starting:
            for bot in bots:
                starting.create_task(bot.ziwo.phone.start())
        say(process, "go")
        async with asyncio.TaskGroup() as group:
            measuring = group.create_task(meter.run())
            working = group.create_task(dialling(bots, rng, group))
            await asyncio.sleep(SECONDS)
            say(process, "calm")
            working.cancel()
            faults = await told(process)
            async with asyncio.timeout(CALM):
                while not all(bot.ziwo.phone.ready for bot in bots):
                    await asyncio.sleep(0.5)
                for bot in bots:
                    for call in bot.ziwo.phone.calls:
                        try:
                            await call.hangup()
                        except ZiwoError as error:
                            counts[type(error).__name__] += 1
                while any(bot.witness.open for bot in bots):
                    await asyncio.sleep(0.5)
            measuring.cancel()
        dropped = sum(bot.ziwo.phone.dropped_events for bot in bots)
        async with asyncio.TaskGroup() as closing:
            for bot in bots:
                closing.create_task(bot.ziwo.aclose())
        waiting = sum(bot.ziwo.phone._core.open_requests for bot in bots)
        after = (len(asyncio.all_tasks()), open_files())
    report(meter, counts, faults, before, after)
    assert wrong == []
    assert (dropped, waiting) == (0, 0)
    assert counts["destroy"] == counts["hangup"] > 0
    assert after[0] <= before[0]
    assert after[1] <= before[1] + 2
    if SECONDS >= 1200:
        assert meter.slope() < 8


def report(meter: Meter, counts: Counter[str], faults: Any, before: tuple[int, int], after: tuple[int, int]) -> None:
    """Print the figures."""
    halves = [meter.samples[: len(meter.samples) // 2], meter.samples[len(meter.samples) // 2 :]]
    tasks = [sorted(sample[2] for sample in half)[len(half) // 2] if half else 0 for half in halves]
    files = [sorted(sample[3] for sample in half)[len(half) // 2] if half else 0 for half in halves]
    print(f"\nsoak: {PHONES} phones, {SECONDS:g} s, {CALLS_PER_SECOND + DIALS_PER_SECOND:g} calls a second")
    print(f"  seen: {dict(sorted(counts.items()))}")
    print(f"  faults: {dict(sorted(faults.items()))}")
    print(f"  memory: {rss_mb():.0f} MB, slope {meter.slope():+.1f} MB/h over the second half")
    print(f"  tasks: {tasks[0]} then {tasks[1]} (median of each half); {before[0]} before, {after[0]} after")
    print(f"  open files: {files[0]} then {files[1]}; {before[1]} before, {after[1]} after")
    print(f"  loop lag: p50 {meter.lag(0.5):.1f} ms, p99 {meter.lag(0.99):.1f} ms, worst {meter.lag(1.0):.0f} ms")
