"""The simulator's hooks and the services of `ziwo_async.webhooks`, with real phones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from ziwo_async import Call, Ringing, Router, ZiwoClient
from ziwo_async.simulator import SimAgent
from ziwo_async.simulator.hooks import Breakage, Variant, broken, forged, late, repeated, slow
from ziwo_async.testing.world import ServedWorld
from ziwo_async.webhooks import Answer, CdrHook, EndCall, StartCall, TrackerService, call

from .receiver import DID, KEY, linked

CUSTOMER = "+971500000000"
LIMIT = 30.0


@asynccontextmanager
async def serving(*services: TrackerService | CdrHook) -> AsyncGenerator[str]:
    app = web.Application()
    for service in services:
        app.add_routes(service.routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        for service in services:
            await service.aclose()


def phone(world: ServedWorld, agent: SimAgent) -> ZiwoClient:
    return ZiwoClient(
        username=agent.username, password=agent.password, api_url=world.api_url, verto_url=world.verto_url
    )


class Bot:
    """A service that remembers what it was told."""

    def __init__(self, *, read_timeout: float = 5.0) -> None:
        self.tracker = TrackerService(keys=[KEY], read_timeout=read_timeout)
        self.started: list[StartCall] = []
        self.ended: list[EndCall] = []
        self.answer = Answer([call("0011", timeout=1), call("5555", caller_id="042789926", timeout=30)])
        self.tracker.on_start(self.start)
        self.tracker.on_end(self.end)

    async def start(self, start: StartCall) -> Answer:
        self.started.append(start)
        return self.answer

    async def end(self, end: EndCall) -> None:
        self.ended.append(end)
        await asyncio.sleep(0.01)  # long enough for the copies to come


async def test_a_customer_is_led_to_the_agent_who_answers(ziwo_world: ServedWorld) -> None:
    bot, world, seen = Bot(), ziwo_world, list[Ringing]()
    silent, answering = phone(world, world.agent("0011")), phone(world, world.agent("5555"))
    router = Router()

    @router.on(Ringing)
    async def answer(ringing: Call, event: Ringing) -> None:
        seen.append(event)
        await ringing.answer()

    answering.include(router)
    async with serving(bot.tracker) as url, silent, silent.phone, answering, answering.phone:
        linked(world, url)
        world.hooks.next("end", repeated(20))
        there = await world.customer(CUSTOMER, name="Layla").dials(DID)
        assert there.tracked is not None
        await there.tracked.reaches("talking", LIMIT)
        await answering.phone.calls[0].hangup()
        assert (await world.hooks.of(there, "end", LIMIT)).status == 200
        await world.hooks.settle(LIMIT)
    assert [tried.outcome for tried in there.tracked.tried] == ["NO_ANSWER", "answered"]
    assert [event.customer_number for event in seen] == ["042789926"]
    assert [start.did_called for start in bot.started] == [DID]
    (end,) = bot.ended
    cdr = await world.history.of(there)
    assert (end.call_id, end.answered, end.agent_cc_login) == (cdr.call_id, True, "5555")
    assert (end.customer_number, end.did_called, end.late) == (CUSTOMER, DID, False)
    assert [flow.extension_number for flow in end.call_flows] == [DID]
    assert [found.status for found in world.hooks.sent if found.kind == "end"] == [200] * 20


async def test_the_flag_of_the_voicemail_is_an_extra_key(ziwo_world: ServedWorld) -> None:
    bot, world = Bot(), ziwo_world
    world.hooks.voicemail_seconds = 0.02
    bot.answer = Answer([call("0011")], extra={"voicemail": True})
    async with serving(bot.tracker) as url:
        linked(world, url)
        there = await world.customer(CUSTOMER).dials(DID)
        await world.hooks.of(there, "end", LIMIT)
    assert (await world.history.of(there)).voicemail
    (end,) = bot.ended
    assert (end.answered, end.recording_file) == (False, f"{there.primary_call_id}.mp3")


async def test_a_caller_can_be_told_to_the_service(ziwo_world: ServedWorld) -> None:
    bot, world = Bot(), ziwo_world
    world.hooks.caller_field, world.hooks.call_id_field = "callerIDNumber", "callID"
    async with serving(bot.tracker) as url:
        linked(world, url)
        there = await world.customer(CUSTOMER).dials(DID)
        await world.hooks.of(there, "start", LIMIT)
    (start,) = bot.started
    assert (start.caller, start.call_id) == (CUSTOMER, there.primary_call_id)


async def test_an_end_before_its_start_is_taken(ziwo_world: ServedWorld) -> None:
    bot, world = Bot(), ziwo_world
    world.hooks.next("start", late())
    async with serving(bot.tracker) as url:
        linked(world, url)
        there = await world.customer(CUSTOMER).dials(DID)
        await there.hangs_up()
        assert (await world.hooks.of(there, "start", LIMIT)).status == 200
    assert (len(bot.started), len(bot.ended)) == (1, 1)


FORGED = [
    forged(),
    forged("wrong"),
    forged(""),
    forged(KEY, KEY),
    forged("k" * 5000),
    forged(KEY[:-1]),
    forged(b"\xff\xfe" * 10),
    forged("كلمة السر الطويلة جدا"),
]


@pytest.mark.parametrize("variant", FORGED)
async def test_forged_requests_are_refused(ziwo_world: ServedWorld, variant: Variant) -> None:
    bot, told, hook, world = Bot(), list[EndCall](), CdrHook(keys=[KEY]), ziwo_world

    @hook.on_cdr
    async def keep(record: EndCall, action: str) -> None:
        told.append(record)

    async with serving(bot.tracker, hook) as url:
        linked(world, url)
        world.hooks.cdr_to(f"{url}/cdr", key=KEY)
        tracker = world.trackers.find("CT")
        for kind in ("start", "end", "cdr"):
            (done,) = await world.hooks.send(kind, tracker, variant)
            assert done.status == 401, kind
    assert (bot.started, bot.ended, told) == ([], [], [])


@pytest.mark.parametrize(
    ("how", "status"),
    [("garbage", 400), ("empty", 400), ("truncated", None), ("huge", 413), ("deep", 400), ("type", 415)],
)
async def test_broken_requests_run_nothing(ziwo_world: ServedWorld, how: Breakage, status: int | None) -> None:
    bot, world = Bot(), ziwo_world
    async with serving(bot.tracker) as url:
        linked(world, url)
        for kind in ("start", "end"):
            (done,) = await world.hooks.send(kind, world.trackers.find("CT"), broken(how))
            assert done.status == status, (kind, done)
    assert (bot.started, bot.ended) == ([], [])


async def test_slow_requests_are_cut(ziwo_world: ServedWorld) -> None:
    bot, world = Bot(read_timeout=0.2), ziwo_world
    async with serving(bot.tracker) as url:
        linked(world, url)
        tracker = world.trackers.find("CT")
        (waits,) = await world.hooks.send("start", tracker, slow(wait=20.0))
        (dribbles,) = await world.hooks.send("end", tracker, slow(piece=1, pause=0.05))
        assert (waits.status, dribbles.status) == (408, 408)
    assert (bot.started, bot.ended) == ([], [])


async def test_the_cdr_web_hook_runs_once_for_each_record(ziwo_world: ServedWorld) -> None:
    hook, told, world = CdrHook(keys=[KEY]), list[tuple[str | None, str]](), ziwo_world

    @hook.on_cdr
    async def keep(record: EndCall, action: str) -> None:
        told.append((record.call_id, action))

    async with serving(hook) as url:
        world.hooks.cdr_to(f"{url}/cdr", key=KEY)
        world.hooks.next("cdr", repeated(10))
        records = [world.history.add(customer=CUSTOMER, talk=1), world.history.add(customer=CUSTOMER)]
        await world.hooks.settle(LIMIT)
    assert sorted(told, key=str) == sorted([(record.call_id, "create") for record in records], key=str)
    assert [found.status for found in world.hooks.sent] == [200] * 11
