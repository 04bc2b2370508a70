"""The seeded schedule search: 200 seeds in `make test`, any number in `make soak SEEDS=n`, one with `SEED=n`.

    SEED=1234 .venv/bin/python -m pytest tests/schedule -q

Nothing in a run depends on real time, on addresses or on the order of hashes: a seed that fails, fails again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .plan import Plan, plan_of
from .run import Result, run_plan, shortest_prefix

ROOT = Path(__file__).parents[2]
BLOCK = 25
SEEDS = 200
ONE = os.environ.get("SEED")
SOAK_SEEDS = int(os.environ.get("SCHEDULE_SEEDS", "10000"))
FIRST = int(os.environ.get("FIRST_SEED", "0"))


def explain(plan: Plan, result: Result) -> str:
    """What a person needs who wants to know why a seed fails."""
    short = shortest_prefix(plan)
    again = run_plan(short)
    lines = [
        f"seed {plan.seed} fails; SEED={plan.seed} runs it alone",
        *(f"  {what}" for what in result.wrong),
        f"{len(short.steps)} of its {len(plan.steps)} steps are enough:",
        *(f"  {step}" for step in short.steps),
        f"with {short.phones} phones, close={short.close!r}, ledger={short.ledger},",
        f"  {short.network}, {short.server}",
        *(f"  {what}" for what in again.wrong),
        "the last frames and events:",
        *(f"  {line[:400]}" for line in again.last),
    ]
    return "\n".join(lines)


def search(seeds: range) -> None:
    failed: list[str] = []
    for seed in seeds:
        plan = plan_of(seed)
        result = run_plan(plan)
        if result.wrong:
            failed.append(explain(plan, result) if not failed else f"seed {seed} fails, too: {result.wrong[0]}")
    assert not failed, "\n".join(failed)


def blocks(count: int, size: int) -> list[range]:
    """The seeds in blocks, so that workers can share them."""
    return [range(first, min(first + size, FIRST + count)) for first in range(FIRST, FIRST + count, size)]


def named(seeds: range) -> str:
    return f"{seeds.start}-{seeds.stop - 1}"


@pytest.mark.skipif(ONE is not None, reason="SEED asks for one seed only")
@pytest.mark.parametrize("seeds", blocks(SEEDS, BLOCK), ids=named)
def test_whatever_happens_every_call_ends_once_and_nothing_is_left(seeds: range) -> None:
    search(seeds)


@pytest.mark.skipif(ONE is None, reason="SEED names no seed")
def test_the_seed_that_is_asked_for() -> None:
    search(range(int(ONE or 0), int(ONE or 0) + 1))


@pytest.mark.soak
@pytest.mark.parametrize("seeds", blocks(SOAK_SEEDS, 250), ids=named)
def test_many_more_seeds(seeds: range) -> None:
    search(seeds)


def test_a_seed_gives_the_same_frames_and_events_twice() -> None:
    for seed in (3, 18, 44):
        first, second = run_plan(plan_of(seed)), run_plan(plan_of(seed))
        assert first.digest == second.digest
        assert first.counts == second.counts
        assert first.counts["events"] > 0
    assert run_plan(plan_of(1)).digest != run_plan(plan_of(2)).digest


def test_a_seed_gives_the_same_in_another_process_whatever_the_hashes_and_addresses_are() -> None:
    def started(hash_seed: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.schedule", "0", "12"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            text=True,
        )

    running = [started("1"), started("2")]
    told = [process.communicate(timeout=50)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    digests = [[json.loads(line)["digest"] for line in text.splitlines()] for text in told]
    assert digests[0] == digests[1] == [run_plan(plan_of(seed)).digest for seed in range(12)]


def test_the_search_covers_what_it_names() -> None:
    seen = {step.what for seed in range(400) for step in plan_of(seed).steps}
    for word in ("dial", "customer_calls", "stall", "vanish", "punt", "server_restarts", "reordered", "restart"):
        assert word in seen
    assert max(plan_of(seed).seconds for seed in range(400)) > 1000


def test_a_schedule_that_fails_is_made_as_short_as_its_shortest_failing_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from . import run

    def fails_with_its_seventh_step(plan: Plan) -> Result:
        return Result(wrong=["it"] if len(plan.steps) >= 7 else [])

    monkeypatch.setattr(run, "run_plan", fails_with_its_seventh_step)
    plan = next(plan for plan in map(plan_of, range(100)) if len(plan.steps) > 7)
    assert len(shortest_prefix(plan).steps) == 7
