"""Every example, run as its docstring says: a process of its own against a contact centre."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ziwo_async import check_flow
from ziwo_async.testing import ServedWorld

from ..cli.kit import ROOT, program
from .account import login

EXAMPLES = ROOT / "examples"
CUSTOMER = "+97150000000"


def test_there_is_a_test_for_each_example() -> None:
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [path.name for path in EXAMPLES.glob("*.py") if f'EXAMPLES / "{path.name}"' not in text] == []


async def talk(world: ServedWorld) -> None:
    call = await world.customer(CUSTOMER).dials(world.agent("5555"))
    await call.reaches("active", 20)
    await call.hangs_up()
    await call.reaches("ended")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_bot_reacting_to_calls(world: ServedWorld, number: signal.Signals) -> None:
    async with program(sys.executable, EXAMPLES / "bot_reacting_to_calls.py", env=login(world)) as bot:
        agent = world.agent("5555")
        await asyncio.wait_for(said(bot.err, "ready for calls"), 20)
        await talk(world)
        assert await agent.told_to_dial(CUSTOMER)
        out = await world.customer(CUSTOMER).is_called(20)
        await out.reaches("active", 20)
        missed = await world.customer("+97150000001").dials(agent)
        await missed.hangs_up()
        await missed.reaches("ended")
        await asyncio.wait_for(said(bot.err, "early"), 20)
        assert await bot.stops(number) == 0
    told = [line.split(" bot: ", 1)[1] for line in bot.err if " bot: " in line]
    assert told[:4] == [
        "ready for calls as agent-5555",
        f"ringing: opening the page of {CUSTOMER}",
        f"active: talking to {CUSTOMER}",
        "hangup: NORMAL_CLEARING, by remote; it went ringing answering active hangup",
    ]
    assert f"early: opening the page of {CUSTOMER}" in told
    assert "Traceback" not in bot.errors
    assert agent.password not in bot.errors


async def said(lines: list[str], word: str) -> None:
    while not any(word in line for line in lines):
        await asyncio.sleep(0.01)


async def test_state_flow_printer(world: ServedWorld) -> None:
    async with program(sys.executable, EXAMPLES / "state_flow_printer.py", env=login(world)) as printer:
        agent = world.agent("5555")
        await agent.comes_online(20)
        world.customer(CUSTOMER).will(answer_after=0.0, early_media=False)
        assert await agent.told_to_dial(CUSTOMER)
        call = await world.customer(CUSTOMER).is_called(20)
        await call.reaches("active", 20)
        await call.hangs_up()
        await printer.says('"state": "destroy"')
        assert await printer.stops() == 0
    details: list[dict[str, Any]] = [json.loads(line) for line in printer.out]
    assert [detail["state"] for detail in details] == ["requesting", "trying", "early", "active", "hangup", "destroy"]
    assert check_flow(step["state"] for step in details[-1]["stateFlow"]).complete
    # Answered without early media: `early` was published in the server's place, and that is said.
    assert printer.errors == (
        "inferred: requesting trying early active hangup destroy. step 2: 'early' was not told by the server"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_embedding_in_a_service(world: ServedWorld, free_port: Callable[[], int], number: signal.Signals) -> None:
    port = free_port()
    env = {**login(world), "PORT": str(port), "PYTHONUNBUFFERED": "1"}
    async with program(sys.executable, EXAMPLES / "embedding_in_a_service.py", env=env) as service:
        await service.says("Running on")
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            async with http.get("/health") as health:
                assert await health.json() == {"ready": True, "calls": []}
            async with http.get("/events") as stream:
                assert stream.headers["Content-Type"] == "text/event-stream"
                talking = asyncio.create_task(talk(world))
                heard: list[dict[str, Any]] = []
                async with asyncio.timeout(20):
                    async for line in stream.content:
                        found = re.match(r"data: (.*)", line.decode())
                        if found:
                            heard.append(json.loads(found.group(1)))
                        if heard and heard[-1]["type"] == "ziwo.dialog.destroy":
                            break
                await talking
        assert [event["type"].rpartition(".")[2] for event in heard] == [
            "ringing",
            "answering",
            "active",
            "hangup",
            "destroy",
        ]
        assert len({event["id"] for event in heard}) == 5
        assert all(event["data"]["customerNumber"] == CUSTOMER for event in heard)
        assert await service.stops(number) == 0
    assert "Traceback" not in service.errors
    assert not world.agent("5555").connected
    assert not world.agent("5555").ready  # the position was logged out


@pytest.fixture
def free_port() -> Callable[[], int]:
    def free() -> int:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port: int = taken.getsockname()[1]
            return port

    return free


NEED_AN_ACCOUNT = sorted(path for path in EXAMPLES.glob("*.py") if "ZiwoClient" in path.read_text())


@pytest.mark.parametrize("path", NEED_AN_ACCOUNT, ids=lambda path: path.stem)
async def test_without_an_account_it_says_what_to_set(path: Path) -> None:
    async with program(sys.executable, path) as example:
        assert await example.ends() != 0
        assert "set ZIWO_CONTACT_CENTER" in example.err[-1]
