"""The loop in virtual time: what it promises of time, of what cannot go on, and of what is left behind."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from ziwo_async.testing import Deadlock, LeftBehind, Runaway, VirtualLoop, run_virtual


def test_a_day_of_sleep_takes_no_time_and_ends_to_the_second() -> None:
    async def main(loop: VirtualLoop) -> tuple[float, float]:
        before = loop.epoch()
        await asyncio.sleep(80_000)
        return loop.elapsed, loop.epoch() - before

    assert run_virtual(main) == (80_000, 80_000)


def test_timers_fire_in_their_order_and_at_their_time() -> None:
    async def main(loop: VirtualLoop) -> list[tuple[str, float]]:
        seen: list[tuple[str, float]] = []

        def note(what: str) -> None:
            seen.append((what, loop.elapsed))

        for delay, what in ((2.5, "c"), (0.1, "a"), (0.1, "b"), (7, "d")):
            loop.call_later(delay, note, what)
        loop.call_later(1, note, "never").cancel()
        await asyncio.sleep(10)
        return seen

    assert run_virtual(main) == [("a", pytest.approx(0.1)), ("b", pytest.approx(0.1)), ("c", 2.5), ("d", 7)]


def test_a_time_limit_ends_a_wait_at_its_time() -> None:
    async def main(loop: VirtualLoop) -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        return loop.elapsed

    assert run_virtual(main) == 30


def test_after_a_suspension_the_timers_of_the_meantime_fire_late() -> None:
    async def main(loop: VirtualLoop) -> list[float]:
        fired: list[float] = []
        for delay in (1, 5, 50):
            loop.call_later(delay, lambda: fired.append(loop.elapsed))
        loop.suspend(40)
        await asyncio.sleep(60)
        return fired

    assert run_virtual(main) == [40, 40, 50]


def test_a_deadlock_is_told_at_once_with_who_waits_and_where() -> None:
    async def stuck() -> None:
        await asyncio.Event().wait()

    async def main(loop: VirtualLoop) -> None:
        await asyncio.sleep(3)
        await asyncio.create_task(stuck(), name="the one that waits")

    with pytest.raises(Deadlock, match=r"at 3 s of virtual time") as caught:
        run_virtual(main)
    assert "the one that waits" in str(caught.value)
    assert "Event.wait (locks.py:" in str(caught.value)
    assert "stuck" in str(caught.value)


def test_a_run_that_takes_too_long_is_ended() -> None:
    async def main(loop: VirtualLoop) -> None:
        while True:
            await asyncio.sleep(10)

    with pytest.raises(Runaway, match="not done within 300 s"):
        run_virtual(main, limit=300)


def test_a_circle_without_any_time_passing_is_ended() -> None:
    async def main(loop: VirtualLoop) -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(Runaway, match="without any time passing"):
        run_virtual(main)


def test_what_runs_still_is_cancelled_and_may_clean_up_in_virtual_time() -> None:
    cleaned: list[float] = []

    async def slow(loop: VirtualLoop) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(5)
            cleaned.append(loop.elapsed)

    async def main(loop: VirtualLoop) -> None:
        loop.create_task(slow(loop), name="left")
        await asyncio.sleep(1)

    with pytest.raises(LeftBehind, match="task left"):
        run_virtual(main)
    assert cleaned == [6]


def test_a_task_that_will_not_end_does_not_hide_what_went_wrong() -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(10_000)
            except asyncio.CancelledError:
                continue

    async def main(loop: VirtualLoop) -> None:
        task = loop.create_task(stubborn())
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        await asyncio.sleep(1)
        raise KeyError("what went wrong")

    with pytest.raises(KeyError, match="what went wrong"):
        run_virtual(main)


async def _timer(loop: VirtualLoop) -> None:
    loop.call_later(12, print, "late")


async def _server(loop: VirtualLoop) -> None:
    await loop.create_server(asyncio.Protocol, "127.0.0.1", 5)


async def _connection(loop: VirtualLoop) -> None:
    server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 5)
    await loop.create_connection(asyncio.Protocol, "127.0.0.1", 5)
    server.close()


@pytest.mark.parametrize(
    ("main", "words"),
    [(_timer, "timer in 12 s"), (_server, r"server on \('127.0.0.1', 5\)"), (_connection, "to 127.0.0.1:5")],
)
def test_what_is_left_behind_is_named(main: Callable[[VirtualLoop], Any], words: str) -> None:
    with pytest.raises(LeftBehind, match=words):
        run_virtual(main)
    run_virtual(main, check=False)


def test_an_error_that_nobody_took_fails_the_run() -> None:
    async def main(loop: VirtualLoop) -> None:
        loop.call_soon(lambda: 1 // 0)
        await asyncio.sleep(0)

    with pytest.raises(ExceptionGroup) as caught:
        run_virtual(main)
    assert isinstance(caught.value.exceptions[0], ZeroDivisionError)


REAL: list[tuple[Callable[[VirtualLoop], Any], str]] = [
    (lambda loop: asyncio.to_thread(print), "threads"),
    (lambda loop: loop.create_connection(asyncio.Protocol, sock=1), "a real socket"),
    (lambda loop: loop.create_server(asyncio.Protocol, sock=1), "a real socket"),
    (lambda loop: loop.create_connection(asyncio.Protocol, "h", 1, ssl=True), "TLS"),
    (lambda loop: loop.sock_connect(None, None), "real sockets"),
    (lambda loop: asyncio.create_subprocess_exec("true"), "subprocesses"),
    (lambda loop: asyncio.create_subprocess_shell("true"), "subprocesses"),
]


@pytest.mark.parametrize(("ask", "words"), REAL)
def test_what_is_real_is_refused_by_name(ask: Callable[[VirtualLoop], Any], words: str) -> None:
    async def main(loop: VirtualLoop) -> None:
        await ask(loop)

    with pytest.raises(RuntimeError, match=f"no place for {words}"):
        run_virtual(main)


@pytest.mark.parametrize("name", ["add_reader", "add_writer"])
def test_file_descriptors_are_refused(name: str) -> None:
    async def main(loop: VirtualLoop) -> None:
        ours, other = socket.socketpair()
        with ours, other:
            getattr(loop, name)(ours, print)

    with pytest.raises(RuntimeError, match="file descriptors"):
        run_virtual(main)


def test_sets_of_tasks_and_futures_have_the_same_order_in_every_run() -> None:
    async def main(loop: VirtualLoop) -> tuple[list[str], list[int]]:
        async def nothing() -> None:
            return

        tasks = {loop.create_task(nothing(), name=str(number)) for number in range(40)}
        futures = [loop.create_future() for _ in range(40)]
        order = [futures.index(future) for future in set(futures)]
        names = [task.get_name() for task in tasks]
        await asyncio.wait(tasks)
        return names, order

    first = run_virtual(main)
    keep = [object() for _ in range(1000)]  # other addresses
    assert run_virtual(main) == first
    assert first[1] == sorted(first[1])
    del keep


def test_tasks_without_a_name_are_numbered_in_each_loop_anew() -> None:
    async def main(loop: VirtualLoop) -> str:
        task = asyncio.current_task()
        assert task is not None
        return task.get_name()

    assert [run_virtual(main), run_virtual(main)] == ["Task-1", "Task-1"]


def test_the_seed_decides_the_loops_own_random_numbers() -> None:
    async def main(loop: VirtualLoop) -> float:
        return loop.rng.random()

    assert run_virtual(main, seed=7) == run_virtual(main, seed=7)
    assert run_virtual(main, seed=7) != run_virtual(main, seed=8)


async def test_a_running_loop_is_no_place_for_another() -> None:
    async def main(loop: VirtualLoop) -> None:
        return

    with pytest.raises(RuntimeError, match="a running loop already"):
        run_virtual(main)


def test_other_threads_may_still_call_into_the_loop() -> None:
    async def main(loop: VirtualLoop) -> list[int]:
        seen: list[int] = []
        loop.call_soon_threadsafe(seen.append, 1)
        await asyncio.sleep(0)
        return seen

    assert run_virtual(main) == [1]
