"""Slow handlers and readers: what waits, what is dropped, who is told; and that the phone never waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from ziwo_async import Active, Call, Destroy, Ringing, UnknownFrame

from .phone.kit import Desk, contact_centre, nothing_left, within


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with nothing_left(), contact_centre() as made:
        yield made


# -- until all handlers are done ---------------------------------------------------------------------------------------


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
