"""`run(router, source="live")` as a process: it watches, stops at a signal, and says by its exit code how it ended."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ziwo_async import EXIT_CODES, ConfigError

from ..phone.kit import Desk, environment_of, until

BOT = """
from ziwo_async import AgentStatusChanged, DialogEvent, Router, ZiwoClient

router = Router()

@router.on(AgentStatusChanged)
async def changed(event: AgentStatusChanged) -> None:
    print(event.cc_login, event.status, flush=True)

@router.on(DialogEvent)
async def dialog(event: DialogEvent) -> None:
    print(event.agent, event.state, flush=True)

ZiwoClient.from_env().run(router, source="live")
print("stopped", flush=True)
"""


@asynccontextmanager
async def bot(desk: Desk, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BOT, env=environment_of(desk.agent, desk.sim.api_url, **environment),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(20):
        return (await process.stdout.readline()).decode().strip()


async def test_it_watches_until_a_signal(desk: Desk) -> None:
    async with bot(desk) as process:
        await until(lambda: [len(c.subscriptions) for c in desk.sim.live.connections] == [4], seconds=20)
        desk.world.agent("5555").set_status("Meeting")
        assert await line(process) == "5555 Meeting"
        assert desk.sim.verto.sessions() == []
        process.send_signal(signal.SIGTERM)
        assert await line(process) == "stopped"
        assert await process.wait() == EXIT_CODES["stopped"]


async def test_a_refused_login_is_an_exit_code(desk: Desk) -> None:
    async with bot(desk, ZIWO_PASSWORD="wrong") as process:
        assert await process.wait() == EXIT_CODES["authentication"]


@pytest.mark.parametrize("source", ["radio", "", None])
async def test_another_source_is_refused(desk: Desk, source: Any) -> None:
    with pytest.raises(ConfigError, match="phone, live"):
        desk.client().run(source=source)
