"""Cancelled at every turn of the loop: nothing hangs, nothing is left, and what stood before still stands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from ziwo_async.media.session import AiortcSession
from ziwo_async.simulator.rtp import Peer

from ..phone.kit import StepCount
from .kit import SERVER, hears, media, session_of, talking, within


async def at_every_turn(operation: Callable[[int], Coroutine[Any, Any, Any]], limit: int = 400) -> int:
    """Cancel an operation at its first turn, its second, and so on, until it is done before; gives that turn."""
    for turn in range(1, limit):
        if await StepCount().run(lambda turn=turn: operation(turn), turn):  # type: ignore[misc]
            return turn
    raise AssertionError("it takes longer than this test has patience for")


def left_in(folder: Path) -> list[Path]:
    return [entry for entry in folder.iterdir() if entry.suffix == ".part"]


async def test_an_offer() -> None:
    engine = media()

    async def offer(turn: int) -> None:
        session = await engine.open(f"c{turn}")
        try:
            await session.offer()
        finally:
            await session.close()

    assert await at_every_turn(offer) > 3


async def test_an_answer() -> None:
    engine = media()

    async def answer(turn: int) -> None:
        async with Peer() as peer:
            session = await engine.open(f"c{turn}")
            try:
                peer.accept(await session.answer(peer.offer()))
            finally:
                await session.close()

    assert await at_every_turn(answer) > 5


async def test_an_attach_that_is_cancelled_leaves_the_connection_that_stands() -> None:
    async with talking() as (session, _, _):
        before = session._line
        cancelled = 0
        for turn in range(1, 100):
            async with Peer() as again:
                offer = again.offer()
                if await StepCount().run(lambda offer=offer: session.answer(offer), turn):  # type: ignore[misc]
                    break
                if session._line is before:
                    cancelled += 1
                    if turn % 4 == 0:
                        await hears(session, SERVER)
        assert cancelled > 3


async def test_a_close_while_it_connects_leaves_nothing() -> None:
    """aioice asks for consent, for ever, when it comes to connect after its close; it connects within these moments."""
    engine = media()
    for milliseconds in (*range(10, 46), *range(16, 42, 2)):
        async with Peer() as peer:
            session = await engine.open("c1")
            peer.accept(await session.answer(peer.offer()))
            await asyncio.sleep(milliseconds / 1000)
            await within(session.close())
        left = [task for task in asyncio.all_tasks() if "query_consent" in repr(task.get_coro())]
        assert left == [], f"closed {milliseconds} ms after the answer"


@pytest.mark.parametrize("name", ["recording", "playing", "nothing"])
async def test_a_close_goes_on_to_its_end(tmp_path: Path, name: str) -> None:
    engine, folder = media(), tmp_path

    async def prepare(turn: int) -> AiortcSession:
        session = await engine.open(f"c{turn}")
        await session.offer()
        if name == "recording":
            await session.audio.record(folder)
        elif name == "playing":
            session.audio.play(folder / "missing.wav")
        return session

    turns = 0
    for turn in range(1, 60):
        session = await within(prepare(turn))
        if await StepCount().run(session.close, turn):
            break
        turns += 1
        assert session._closing is not None
        assert session._closing.done()
    assert turns > 2
    assert not left_in(folder)


async def test_a_second_cancellation_does_not_break_a_close_off() -> None:
    async with session_of() as (session, _):
        await session.offer()
        task = asyncio.ensure_future(session.close())
        for _ in range(3):
            await asyncio.sleep(0)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(_of(task))
        assert session._closing is not None
        assert session._closing.done()


async def _of(task: asyncio.Task[None]) -> None:
    await task


async def test_a_recording_that_begins() -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        async with session_of() as (session, _):

            async def record(turn: int) -> None:
                handle = await session.audio.record(folder, overwrite=True)
                await handle.stop()

            await at_every_turn(record)
        assert not left_in(Path(folder))
