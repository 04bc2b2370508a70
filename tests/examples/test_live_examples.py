"""The examples of the live feed, each run as its docstring says."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ziwo_async import Call, Ringing, Router, ZiwoClient
from ziwo_async.testing import ServedWorld

from ..cli.kit import ROOT, Program, program
from .account import login

EXAMPLES = ROOT / "examples"
CUSTOMER = "+97150000000"


# --- agent_status_watch.py --------------------------------------------------------------------------------------------


async def test_agent_status_watch(world: ServedWorld) -> None:
    agent = world.agent("5555")
    async with program(sys.executable, EXAMPLES / "agent_status_watch.py", env=login(world, "0011")) as watch:
        await subscribed(world)
        # The first snapshot tells what is, not what changed: changes go on until the program has one to compare with.
        for status in itertools.cycle(("Meeting", "On Break")):
            agent.set_status(status)
            await asyncio.sleep(0.2)
            if any("On Break -> Meeting" in line for line in watch.out):
                break
        await watch.says(r"^\d\d:\d\d:\d\d .*5555: On Break -> Meeting$")
        world.faults.cut_live()
        await watch.says("connection lost")
        agent.set_status("Available")  # whether it is gone or back: the difference is told
        await watch.says("connected again")
        await watch.says("Meeting -> Available$")
        assert await watch.stops() == 0
    assert all(line.startswith("the live feed is away") for line in watch.err)
    assert not world.agent("0011").connected  # nobody's phone was taken


# --- queue_alarm.py ---------------------------------------------------------------------------------------------------


async def test_queue_alarm(world: ServedWorld) -> None:
    queue = world.queue("support", agents=[world.agent("5555")])
    command = (sys.executable, EXAMPLES / "queue_alarm.py", "--wait", "1", "--calls", "2")
    async with program(*command, env=login(world, "0011")) as alarm:
        calls = [await world.customer(CUSTOMER).dials(queue)]
        await alarm.says(r"ALARM support: a caller has waited for \d s")
        await calls[0].hangs_up()
        await alarm.says("over  support")
        calls = [await world.customer(f"+9715000000{n}").dials(queue) for n in range(3)]
        await alarm.says(r"ALARM support: (3 callers wait|a caller has waited)", times=2)
        for call in calls:
            await call.hangs_up()
        await alarm.says("over  support", times=2)
        assert await alarm.stops() == 0
    assert alarm.err == []


async def test_queue_alarm_ends_when_it_can_see_nothing_any_more(world: ServedWorld) -> None:
    async with program(sys.executable, EXAMPLES / "queue_alarm.py", env=login(world, "0011")) as alarm:
        await subscribed(world)
        world.faults.live_auth_fails(1000)
        world.faults.cut_live()
        assert await alarm.ends() == 1
        assert "BadCredentials" in alarm.errors


# --- missed_calls_to_webhook.py ---------------------------------------------------------------------------------------


class Hook:
    """A web hook that keeps what it gets, and can be out of order."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.broken = 0
        self.url = ""
        self.came = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()

    async def take(self, request: web.Request) -> web.Response:
        if self.broken:
            self.broken -= 1
            return web.Response(status=503)
        self.got.append((request.headers["Idempotency-Key"], await request.json()))
        self.came.set()
        await self.answers.wait()
        return web.Response()


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    made = Hook()
    app = web.Application()
    app.router.add_post("/missed", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/missed"
    yield made
    await runner.cleanup()


async def test_missed_calls_to_webhook(world: ServedWorld, hook: Hook, tmp_path: Path) -> None:
    agent = world.agent("5555")
    env = {
        **login(world, "0011"),
        "WEBHOOK_URL": hook.url,
        "HISTORY_EVERY": "3600",  # after its first look the history is out of the way
        "XDG_STATE_HOME": str(tmp_path),
    }
    ago = datetime.now(UTC) - timedelta(minutes=20)
    old = world.history.add(customer="+97150000001", wait=20, result="cancel", started_at=ago)
    command = (sys.executable, EXAMPLES / "missed_calls_to_webhook.py")
    hook.broken = 2
    async with program(*command, env=env, cwd=tmp_path) as sender:
        await said(sender, "the history told", 1)  # what was missed before it began; the receiver was broken at first
        missed = await gives_up(world)
        await said(sender, "the live feed told", 1)
        await answered(world, agent.ccLogin)  # not missed, not sent
        world.faults.cut_live()
        await subscribed(world)
        assert await sender.stops() == 0
    assert [key for key, _ in hook.got] == [old.call_id, missed]
    assert hook.got[1][1]["customer"] == CUSTOMER

    during = await gives_up(world)  # nobody runs: the live feed tells nobody
    async with program(*command, env=env, cwd=tmp_path) as sender:
        await said(sender, "the history told", 1)
        assert await sender.stops() == 0
    keys = [key for key, _ in hook.got]
    assert keys == [old.call_id, missed, during]
    assert "Traceback" not in sender.errors


async def test_a_call_that_is_missed_while_the_live_feed_is_away_is_sent_once(
    world: ServedWorld, hook: Hook, tmp_path: Path
) -> None:
    world.queue("support", agents=[world.agent("5555")])
    env = {
        **login(world, "0011"),
        "WEBHOOK_URL": hook.url,
        "HISTORY_EVERY": "0.2",
        "XDG_STATE_HOME": str(tmp_path),
    }
    command = (sys.executable, EXAMPLES / "missed_calls_to_webhook.py")
    async with program(*command, env=env, cwd=tmp_path) as sender:
        await subscribed(world)
        world.faults.refuse_live()
        world.faults.cut_live()
        away = [await gives_up(world) for _ in range(3)]
        await said(sender, "told of a missed call", 3)
        world.faults.refuse_live(refuse=False)
        await subscribed(world)
        back = [await gives_up(world) for _ in range(3)]
        await said(sender, "told of a missed call", 6)
        assert await sender.stops() == 0
    assert sorted(key for key, _ in hook.got) == sorted(away + back)


async def test_a_bot_that_is_killed_between_sending_and_noting_sends_under_the_same_key(
    world: ServedWorld, hook: Hook, tmp_path: Path
) -> None:
    world.queue("support", agents=[world.agent("5555")])
    env = {**login(world, "0011"), "WEBHOOK_URL": hook.url, "HISTORY_EVERY": "0.2", "XDG_STATE_HOME": str(tmp_path)}
    command = (sys.executable, EXAMPLES / "missed_calls_to_webhook.py")
    async with program(*command, env=env, cwd=tmp_path) as sender:
        await subscribed(world)
        hook.answers.clear()
        in_the_air = await gives_up(world)
        async with asyncio.timeout(20):
            await hook.came.wait()
        await sender.stops(signal.SIGKILL)
    hook.answers.set()
    away = await gives_up(world)
    async with program(*command, env=env, cwd=tmp_path) as sender:
        await said(sender, "told of a missed call", 2)
        await subscribed(world)
        last = await gives_up(world)
        await said(sender, "told of a missed call", 3)
        assert await sender.stops() == 0
    assert [key for key, _ in hook.got] == [in_the_air, in_the_air, away, last]


async def subscribed(world: ServedWorld) -> None:
    """Wait for a program that is in, and has asked for something."""
    async with asyncio.timeout(20):
        while not any(connection.subscriptions for connection in world.simulator.live.connections):
            await asyncio.sleep(0.02)


async def said(sender: Program, words: str, times: int) -> None:
    try:
        async with asyncio.timeout(20):
            while sum(words in line for line in sender.err) < times:
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not {times} times {words!r} in:\n{sender.errors}") from None


async def gives_up(world: ServedWorld) -> str:
    queue = next(iter(world.queues), None) or world.queue("support", agents=[world.agent("5555")])
    call = await world.customer(CUSTOMER).dials(queue)
    await call.hangs_up()
    await call.reaches("ended", 20)
    return call.primary_call_id


async def answered(world: ServedWorld, cc_login: str) -> None:
    agent, router = world.agent(cc_login), Router()

    @router.on(Ringing)
    async def answer(call: Call, event: Ringing) -> None:
        await call.answer()

    ziwo = ZiwoClient(username=agent.username, password=agent.password, api_url=world.api_url, router=router)
    async with ziwo, ziwo.phone:
        call = await world.customer("+97150000009").hangs_up_after(0.3).dials(agent)
        await call.reaches("active", 20)
        await call.reaches("ended", 20)
