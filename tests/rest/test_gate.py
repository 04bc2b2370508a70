"""The 429 gate on a clock that only the test moves."""

from __future__ import annotations

from ziwo_async.rest.gate import RateGate


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def made() -> tuple[RateGate, Clock]:
    clock = Clock()
    return RateGate(spread=0.5, clock=clock, sleep=clock.sleep), clock


async def test_an_open_gate_costs_nothing():
    gate, clock = made()
    assert gate.remaining == 0
    assert await gate.passed(at_most=1)
    assert clock.slept == []


async def test_a_shut_gate_is_waited_for_with_some_spread():
    gate, clock = made()
    gate.shut(3)
    assert await gate.passed(at_most=10)
    assert 3 <= clock.now - 100 <= 3.5


async def test_shutting_never_shortens():
    gate, _ = made()
    gate.shut(3)
    gate.shut(1)
    assert gate.remaining == 3


async def test_a_gate_that_is_shut_for_too_long_is_not_waited_for():
    gate, clock = made()
    gate.shut(30)
    assert not await gate.passed(at_most=10)
    assert clock.slept == []


async def test_a_gate_that_is_shut_again_while_waiting():
    gate, clock = made()
    gate.shut(3)
    again = iter([5.0])

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        for more in again:
            gate.shut(more)

    gate._sleep = sleep
    assert await gate.passed(at_most=20)
    assert len(clock.slept) == 2
    gate.shut(3)
    gate._sleep = clock.sleep
    assert await gate.passed(at_most=3), "the limit is about the gate, not about the spread"
