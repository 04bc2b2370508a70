"""How a bot's process ends: by a signal, by a second one, by kill -9; and what the next process finds."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ziwo_async import EXIT_CODES
from ziwo_async.testing import FAST_SERVER, ServedWorld, serve

from .phone.kit import environment_of

BOT = """
import asyncio, os, sys
from ziwo_async import Active, Call, Event, Hangup, Recovering, Ringing, Router, SessionReady, SqliteStore, ZiwoClient

router = Router()

@router.on(SessionReady)
async def ready(event: SessionReady) -> None:
    print("ready", flush=True)

@router.during(Ringing)
async def answer(call: Call, event: Ringing) -> None:
    await call.answer()

@router.on(Recovering)
async def recovering(call: Call, event: Recovering) -> None:
    print("recovering", call.direction, call.customer_number, flush=True)

@router.on(Hangup)
async def hangup(call: Call, event: Hangup) -> None:
    print("hangup", event.by, event.cause, flush=True)

@router.during(Active, grace=60)
async def talk(call: Call, event: Active) -> None:
    print("active", flush=True)
    if "BUSY" in os.environ:
        try:
            await asyncio.Event().wait()
        finally:
            print("cancelled", flush=True)
    if "WORK" in os.environ:
        await asyncio.sleep(float(os.environ["WORK"]))
        print("worked", flush=True)

path = os.environ.get("LEDGER")
ledger = SqliteStore(path) if path else None
ZiwoClient.from_env(ledger=ledger).run(router, drain_timeout=30, calls_on_stop=os.environ.get("CALLS", "hangup"))
print("after", flush=True)
"""


class Process:
    """A bot."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            return (await self.process.stdout.readline()).decode().strip()

    async def recovers(self, number: str) -> None:
        """Wait until it is ready, and its call recovered and is active."""
        lines: list[str] = []
        found = f"recovering inbound {number}"
        while "ready" not in lines or found not in lines or "active" not in lines[lines.index(found) :]:
            lines.append(await self.line())
            assert lines[-1] in ("ready", found, "active"), lines

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> tuple[int, list[str], str]:
        async with asyncio.timeout(20):
            out, err = await self.process.communicate()
        assert self.process.returncode is not None
        await asyncio.sleep(0)
        return self.process.returncode, out.decode().split("\n")[:-1], err.decode()


@pytest.fixture
async def world() -> AsyncIterator[ServedWorld]:
    async with serve(options=FAST_SERVER) as made:
        yield made


async def bot(world: ServedWorld, **more: str) -> Process:
    agent = world.agent("5555")
    given = environment_of(agent, world.api_url, **more)
    return Process(
        await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error::ResourceWarning", "-c", BOT, env=given,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )
    )  # fmt: skip


async def test_the_first_signal_lets_the_handlers_finish(world: ServedWorld) -> None:
    process = await bot(world, WORK="0.5")
    assert await process.line() == "ready"
    there = await world.customer("+971").dials(world.agent("5555"))
    assert await process.line() == "active"
    process.signal(signal.SIGTERM)
    code, out, err = await process.ended()
    assert (code, err) == (0, "")
    assert out == ["hangup local NORMAL_CLEARING", "worked", "after"]
    assert there.state == "ended"


async def test_a_second_signal_forces_the_end(world: ServedWorld) -> None:
    process = await bot(world, BUSY="1")
    assert await process.line() == "ready"
    there = await world.customer("+971").dials(world.agent("5555"))
    assert await process.line() == "active"
    process.signal(signal.SIGTERM)
    # Two signals within a fifth of a second count as one: a terminal and a parent process may both send it.
    process.signal(signal.SIGTERM)
    await asyncio.sleep(0.4)
    assert process.process.returncode is None
    process.signal(signal.SIGINT)
    code, out, err = await process.ended()
    assert code == EXIT_CODES["forced"] == 6
    assert out == ["hangup local NORMAL_CLEARING", "cancelled"]
    assert err == "ziwo_async: forced to stop; calls and handlers were cut off\n"
    assert there.state == "ended"


async def test_a_signal_while_the_phone_is_still_starting_ends_it(world: ServedWorld) -> None:
    world.faults.drop_next("login", executed=False)
    process = await bot(world)
    async with asyncio.timeout(20):
        while not any('"method":"login"' in text for text in world.journal.frames("in")):
            await asyncio.sleep(0.01)
    process.signal(signal.SIGINT)
    assert await process.ended() == (0, ["after"], "")


async def test_calls_are_kept_for_the_next_process_when_asked(world: ServedWorld, tmp_path: Path) -> None:
    ledger = str(tmp_path / "ledger.db")
    first = await bot(world, LEDGER=ledger, CALLS="keep")
    assert await first.line() == "ready"
    there = await world.customer("+971").dials(world.agent("5555"))
    assert await first.line() == "active"
    first.signal(signal.SIGTERM)
    assert await first.ended() == (0, ["after"], "")
    assert there.state == "detached"
    second = await bot(world, LEDGER=ledger)
    await second.recovers("+971")
    await there.hangs_up()
    assert await second.line() == "hangup remote NORMAL_CLEARING"
    second.signal(signal.SIGTERM)
    assert (await second.ended())[0] == 0


async def test_a_call_survives_kill_minus_9_again_and_again(world: ServedWorld, tmp_path: Path) -> None:
    ledger = str(tmp_path / "ledger.db")
    process = await bot(world, LEDGER=ledger)
    assert await process.line() == "ready"
    there = await world.customer("+971").dials(world.agent("5555"))
    assert await process.line() == "active"
    for _ in range(3):
        process.signal(signal.SIGKILL)
        assert (await process.ended())[0] == -signal.SIGKILL
        await there.reaches("detached")
        process = await bot(world, LEDGER=ledger)
        await process.recovers("+971")
        await there.reaches("active")
    process.signal(signal.SIGTERM)
    assert await process.ended() == (0, ["hangup local NORMAL_CLEARING", "after"], "")
    assert there.state == "ended"


async def test_a_wrong_choice_is_a_configuration_error(world: ServedWorld) -> None:
    process = await bot(world, CALLS="keeep")
    code, _, err = await process.ended()
    assert code == EXIT_CODES["configuration"]
    assert "calls_on_stop='keeep'" in err
