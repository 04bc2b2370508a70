"""Slow handlers and readers: the phone and the other calls never wait for them, and one can wait for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from ziwo_async import (
    Active,
    Buffers,
    Call,
    Destroy,
    Liveness,
    Muted,
    Ringing,
    SessionLost,
    UnknownFrame,
)
from ziwo_async.dispatch.streams import EventStream

from .phone.bench import bench, tag, words
from .phone.kit import Desk, contact_centre, nothing_left, until, within


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with nothing_left(), contact_centre() as made:
        yield made


# -- the phone and the other calls ------------------------------------------------------------------------------------


async def test_a_slow_handler_on_one_of_a_hundred_calls_delays_no_other_call_and_no_ping(desk: Desk) -> None:
    go_on = asyncio.Event()
    rang: list[str] = []
    over: list[str] = []
    slow_one: list[str] = []

    @desk.seen.router.on(Ringing)
    async def ringing(call: Call, event: Ringing) -> None:
        rang.append(call.id)
        if not slow_one:
            slow_one.append(call.id)
            await go_on.wait()

    @desk.seen.router.on(Destroy)
    async def destroyed(call: Call, event: Destroy) -> None:
        over.append(call.id)

    client = desk.client(liveness=Liveness(silence=0.02, reply=2))
    await client.phone.start()
    for number in range(100):
        there, _ = await desk.rings(client.phone, desk.world.customer(f"+9715000{number:04}"))
        await there.hangs_up()
    await until(lambda: len(over) == 99, "the other calls' handlers wait for the slow one")
    assert slow_one[0] not in over
    pinged = len(desk.frames("verto.ping"))
    await until(lambda: len(desk.frames("verto.ping")) >= pinged + 3, "the keep-alive stands still")
    await within(client.phone.request("verto.ping"))
    assert desk.seen.of(SessionLost) == []
    go_on.set()
    await within(client.phone.dispatcher.handlers_done())
    assert sorted(over) == sorted(rang)
    assert client.phone.dropped_events == 0


async def test_nats_py_804_a_reader_cancelled_a_thousand_times_loses_no_event() -> None:
    async with bench() as at, EventStream(at.dispatcher, Muted) as events:
        got: list[str] = []

        async def read() -> None:
            async for event in events:
                got.append(tag(event))

        for number in range(1000):
            reader = asyncio.create_task(read())
            await asyncio.sleep(0)
            # The event comes before the cancellation, after it, and between both.
            if number % 3 == 0:
                reader.cancel()
            at.publish(f"a{number}")
            if number % 3 == 1:
                reader.cancel()
            elif number % 3 == 2:
                await asyncio.sleep(0)
                reader.cancel()
            await asyncio.wait([reader])
        events.end()
        got += [tag(event) async for event in events]
        assert got == words("a", 0, 1000)
        assert events.dropped == 0


async def test_two_readers_of_one_stream_share_its_events_and_both_end() -> None:
    async with bench() as at, EventStream(at.dispatcher, Muted) as events:
        got: list[str] = []

        async def read() -> None:
            async for event in events:
                got.append(tag(event))

        readers = [asyncio.create_task(read()) for _ in range(2)]
        await asyncio.sleep(0)
        at.publish(*words("a", 0, 5))
        events.end()
        await within(asyncio.gather(*readers))
        assert got == words("a", 0, 5)


# -- the bounds -------------------------------------------------------------------------------------------------------


async def test_the_bounds_of_a_client_are_those_it_was_given(desk: Desk) -> None:
    go_on, begins = asyncio.Event(), asyncio.Event()

    @desk.seen.router.on(UnknownFrame)
    async def slow(event: UnknownFrame) -> None:
        begins.set()
        await go_on.wait()

    client = desk.client(buffers=Buffers(per_call=2, per_session=1))
    await client.phone.start()
    await desk.inject(method="verto.nonsense", params={"n": 0})
    await within(begins.wait())
    for number in range(1, 6):
        await desk.inject(method="verto.nonsense", params={"n": number})
    await desk.seen.wait(UnknownFrame, count=6)
    # Five wait, three may; and the events that tell so wait for nobody here.
    assert client.phone.dropped_events == 2
    go_on.set()


# -- until all handlers are done --------------------------------------------------------------------------------------


async def test_handlers_done_waits_for_handlers_and_for_tasks_in_their_grace(desk: Desk) -> None:
    go_on, written = asyncio.Event(), asyncio.Event()
    steps: list[str] = []

    @desk.seen.router.on(Ringing)
    async def slow(call: Call, event: Ringing) -> None:
        await go_on.wait()
        steps.append("handler")

    @desk.seen.router.during(Active, grace=30)
    async def talking(call: Call, event: Active) -> None:
        await written.wait()
        steps.append("task")

    client = desk.client()
    await client.phone.start()
    _, call = await desk.talks(client.phone)
    await within(call.hangup())
    await desk.seen.wait(Destroy)
    done = asyncio.create_task(client.phone.dispatcher.handlers_done())
    go_on.set()
    await within(client.phone.dispatcher.idle())
    assert steps == ["handler"]
    assert not await ends(client.phone.dispatcher.handlers_done())
    assert not done.done()
    written.set()
    await within(done)
    assert steps == ["handler", "task"]


async def test_handlers_done_leaves_out_the_calls_named(desk: Desk) -> None:
    go_on = asyncio.Event()

    @desk.seen.router.on(Ringing)
    async def slow(call: Call, event: Ringing) -> None:
        await go_on.wait()

    @desk.seen.router.during(Ringing)
    async def talking(call: Call, event: Ringing) -> None:
        await go_on.wait()

    client = desk.client()
    await client.phone.start()
    _, call = await desk.rings(client.phone)
    dispatcher = client.phone.dispatcher
    assert not await ends(dispatcher.handlers_done(but_not=("another",)))
    await within(dispatcher.handlers_done(but_not={call.id}))
    go_on.set()
    await within(dispatcher.handlers_done())


async def test_handlers_done_ends_when_the_phone_closes_over_a_handler_that_hangs(desk: Desk) -> None:
    begun = asyncio.Event()

    @desk.seen.router.on(UnknownFrame)
    async def hangs(event: UnknownFrame) -> None:
        begun.set()
        await asyncio.Event().wait()

    client = desk.client()
    await client.phone.start()
    await desk.inject(method="verto.nonsense", params={})
    await within(begun.wait())
    done = asyncio.create_task(client.phone.dispatcher.handlers_done())
    await within(client.phone.aclose(), 8)
    await within(done)


async def ends(operation: Coroutine[Any, Any, None]) -> bool:
    """Whether it ends while the loop turns a hundred times."""
    task = asyncio.create_task(operation)
    for _ in range(100):
        await asyncio.sleep(0)
    ended = task.done()
    task.cancel()
    await asyncio.wait([task])
    return ended
