"""The login limiter: at most so many logins begin within any one second, in the whole process."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ziwo_async import ConfigError, LoginLimiter
from ziwo_async.phone.limiter import PROCESS_LIMITER

from .kit import Desk, within


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_first_ones_of_a_second_pass_and_the_others_wait_for_the_next() -> None:
    clock = Clock()
    limiter = LoginLimiter(3, clock=clock)
    assert [limiter.reserve() for _ in range(7)] == [0, 0, 0, 1, 1, 1, 2]
    clock.now += 2.5
    # The seventh's turn is 0.5 s ago and counts; the three before it are longer ago than a second.
    assert [limiter.reserve() for _ in range(4)] == [0, 0, 0.5, 1.0]


@given(st.integers(1, 5), st.lists(st.floats(0, 2), min_size=1, max_size=60))
def test_no_second_ever_sees_more_than_allowed(rate: int, pauses: list[float]) -> None:
    clock = Clock()
    limiter = LoginLimiter(rate, clock=clock)
    turns: list[float] = []
    for pause in pauses:
        clock.now += pause
        wait = limiter.reserve()
        assert wait >= 0
        turns.append(clock.now + wait)
    assert turns == sorted(turns)
    for earlier, later in zip(turns, turns[rate:], strict=False):
        assert later - earlier >= 1.0 - 1e-9


def test_a_limiter_that_lets_nobody_pass_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        LoginLimiter(0)


def test_the_process_has_one_of_20_a_second() -> None:
    assert PROCESS_LIMITER.per_second == 20


async def test_phones_wait_for_their_turn(desk: Desk) -> None:
    clock = Clock()
    limiter = LoginLimiter(1, clock=clock)
    first = desk.phone(limiter=limiter)
    await first.start()
    second = desk.phone(desk.other, limiter=limiter)
    starting = asyncio.ensure_future(second.start())
    await asyncio.sleep(0.02)
    # Its turn is a second away, and nothing was sent before it.
    logins = [text for text in desk.sim.journal.frames("in") if '"method":"login"' in text]
    assert len(logins) == 1
    assert desk.agent.position in logins[0]
    starting.cancel()
    await within(asyncio.wait([starting]))
