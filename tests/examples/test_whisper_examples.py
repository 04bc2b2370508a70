"""The examples of whisper sessions, each run as its docstring says, against a contact centre with sound."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ziwo_async import Call
from ziwo_async.simulator import SimCall
from ziwo_async.testing import ServedWorld

from ..cli.kit import ROOT, program
from ..cli.sound import AGENT, CUSTOMER, TIP, conversation, eavesdrop_call, make_tip, serve_with_sound, tones_in
from .account import login

EXAMPLES = ROOT / "examples"
CHIME = (880, 660)

pytestmark = pytest.mark.media


@pytest.fixture
async def world() -> AsyncIterator[ServedWorld]:
    async with serve_with_sound() as served:
        yield served


@pytest.fixture
async def talk(world: ServedWorld) -> AsyncIterator[tuple[SimCall, Call]]:
    """Agent 5555 talks to a customer."""
    async with conversation(world) as talking:
        yield talking


async def test_whisper_bot(world: ServedWorld, talk: tuple[SimCall, Call], tmp_path: Path) -> None:
    env = login(world, "0011")
    async with program(sys.executable, EXAMPLES / "whisper_bot.py", "5555", env=env, cwd=tmp_path) as bot:
        await bot.says("somebody speaks")
        await bot.says(r"^heard: -1\d dB$", times=2)
        call = eavesdrop_call(world)
        talking, theirs = talk
        world.customer(talking.customer.number if talking.customer else "").speaks(make_silence(tmp_path))
        await theirs.mute()
        await bot.says(r"^nobody speaks, after [1-9]\.\d s$")
        assert await bot.stops() == 0
    assert bot.err == []
    file = tmp_path / "conversations" / f"{call.id}.wav"
    assert tones_in(file) == {CUSTOMER, AGENT}
    assert re.fullmatch(rf"recorded: conversations/{file.name}, \d\.\d s", bot.out[-2])
    audits = [line.split()[2:] for line in bot.out if line.startswith("audit: ")]
    assert audits == [["agent-0011", step, "agent", "5555"] for step in ("create", "answer", "end")]
    assert call.state == "ended"
    assert talking.state == "active"


def make_silence(folder: Path) -> Path:
    return make_tip(folder / "silence.wav", 0.0)


async def test_coaching_bot_makes_a_tip_that_only_the_agent_hears(
    world: ServedWorld, talk: tuple[SimCall, Call], tmp_path: Path
) -> None:
    talking, _ = talk
    command = (sys.executable, EXAMPLES / "coaching_bot.py", "5555", "--after", "0.8")
    async with program(*command, env=login(world, "0011"), cwd=tmp_path) as bot:
        await bot.says("somebody speaks")
        agent, customer = await asyncio.gather(talking.heard_by_agent(2.5), talking.heard_by_customer(2.5))
        assert bot.out == ["somebody speaks", "tip: tip.wav"]
        assert await bot.stops() == 0
    assert bot.err == []
    assert agent.has(CUSTOMER)
    assert customer.has(AGENT)
    for hertz in CHIME:
        assert agent.has(hertz, least=200)  # it is short, and fades out
        assert not customer.has(hertz, least=50)


async def test_coaching_bot_waits_until_somebody_speaks_for_long(
    world: ServedWorld, talk: tuple[SimCall, Call], tmp_path: Path
) -> None:
    talking, theirs = talk
    tip = make_tip(tmp_path / "own.wav")
    command = (sys.executable, EXAMPLES / "coaching_bot.py", "5555", "--after", "3", "--tip", tip)
    async with program(*command, env=login(world, "0011"), cwd=tmp_path) as bot:
        await bot.says("somebody speaks")
        world.customer(talking.customer.number if talking.customer else "").speaks(make_silence(tmp_path))
        await theirs.mute()
        await bot.says(r"^a pause, after [0-2]\.\d s$")
        assert not (await talking.heard_by_agent(2.0)).has(TIP, least=50)
        await theirs.unmute()
        await bot.says("tip: ")
        assert (await talking.heard_by_agent(0.4)).has(TIP, least=500)
        assert await bot.stops() == 0
    assert bot.err == []
    assert not (tmp_path / "tip.wav").exists()
