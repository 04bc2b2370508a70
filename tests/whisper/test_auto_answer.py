"""AutoAnswer: answers what it was told to, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from ziwo_async import (
    AutoAnswer,
    BadArgument,
    CallError,
    DialogState,
    Direction,
    MediaError,
    NullMedia,
    Ringing,
    ZiwoClient,
)
from ziwo_async.simulator import SimCall
from ziwo_async.testing import ServedWorld, serve

PATIENCE = 30.0
_T = TypeVar("_T")


async def within(work: Awaitable[_T]) -> _T:
    async with asyncio.timeout(PATIENCE):
        return await work


@asynccontextmanager
async def desk(policy: AutoAnswer) -> AsyncIterator[tuple[ServedWorld, ZiwoClient]]:
    async with serve() as world:
        agent = world.agent("5555")
        async with ZiwoClient(
            api_url=world.api_url, username=agent.username, password=agent.password, auto_answer=policy
        ) as ziwo:
            await within(ziwo.phone.start())
            yield world, ziwo


async def dials(world: ServedWorld, number: str) -> SimCall:
    return await world.customer(number).dials(world.agent("5555"))


async def test_it_answers_every_call_by_default() -> None:
    async with desk(AutoAnswer()) as (world, _):
        for number in ("+97150000001", "+97150000002"):
            await (await dials(world, number)).reaches("active")


async def test_it_answers_those_that_it_was_told_to() -> None:
    async with desk(AutoAnswer(when=lambda event: event.customer_number == "+97150000001")) as (world, ziwo):
        other = await dials(world, "+97150000002")
        wanted = await dials(world, "+97150000001")
        await wanted.reaches("active")
        assert other.state == "ringing"
        handle = ziwo.phone.call(other.id)
        assert handle is not None
        await within(handle.answer())  # it is there for whoever wants it


async def test_it_answers_no_more_at_once_than_it_was_told_to() -> None:
    policy = AutoAnswer(max_calls=1)
    async with desk(policy) as (world, _):
        first = await dials(world, "+97150000001")
        await first.reaches("active")
        second = await dials(world, "+97150000002")
        third_rings = asyncio.create_task(second.reaches("active"))
        await asyncio.sleep(0.1)
        assert (second.state, policy.calls) == ("ringing", 1)
        third_rings.cancel()
        await first.hangs_up()
        await first.reaches("ended")
        async with asyncio.timeout(PATIENCE):
            while policy.calls:
                await asyncio.sleep(0.005)
        third = await dials(world, "+97150000003")
        await third.reaches("active")
        assert second.state == "ringing"
        assert repr(policy) == "<AutoAnswer 1 of 1 calls>"


async def test_a_call_that_could_not_be_answered_takes_no_place() -> None:
    policy = AutoAnswer(max_calls=1)
    async with desk(policy) as (world, _):
        world.faults.fail_next("verto.answer", -32002, "CODEC ERROR")
        refused = await dials(world, "+97150000001")
        async with asyncio.timeout(PATIENCE):
            while not [text for text in world.running().journal.frames("in") if "verto.answer" in text] or policy.calls:
                await asyncio.sleep(0.005)
        assert refused.state == "ringing"
        await (await dials(world, "+97150000002")).reaches("active")


async def test_a_caller_that_gives_up_first_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    policy = AutoAnswer()
    async with desk(policy) as (world, _):
        world.faults.delay_replies(0.2)
        call = await dials(world, "+97150000001")
        async with asyncio.timeout(PATIENCE):
            while not policy.calls:
                await asyncio.sleep(0.005)
        await call.cancels()
        async with asyncio.timeout(PATIENCE):
            while policy.calls:
                await asyncio.sleep(0.005)
    assert "could not be answered" not in caplog.text


@pytest.mark.parametrize("order", ["response first", "invite first"])
async def test_eavesdrop_calls_are_none_of_its_business(order: str) -> None:
    media = Counting()
    policy = AutoAnswer(media=media, max_calls=1)
    async with desk(policy) as (world, ziwo):
        if order == "invite first":
            world.faults.late_http(0.3, "/live/calls/eavesdrop/0011")
        else:
            world.faults.slow_server(0.2)
        async with ziwo.eavesdrop("0011") as session:
            assert session.call.direction is Direction.SERVICE
            assert session.call.state is DialogState.ACTIVE
            assert (policy.calls, media.opened) == (0, 0)
            world.faults.slow_server(0.0)
            await (await dials(world, "+97150000001")).reaches("active")
            assert (policy.calls, media.opened) == (1, 1)  # its own engine, for its own calls


class Counting(NullMedia):
    """An engine that counts the calls that it made the media of."""

    opened = 0

    async def open(self, call_id: str):
        self.opened += 1
        return await super().open(call_id)


async def test_an_engine_whose_media_was_refused_is_forgotten() -> None:
    other = Counting()
    async with desk(AutoAnswer(when=lambda event: False)) as (world, ziwo):
        table = ziwo.phone._core.media
        incoming = await dials(world, "+97150000001")
        async with asyncio.timeout(PATIENCE):
            while (call := ziwo.phone.call(incoming.id)) is None:
                await asyncio.sleep(0.005)
        world.faults.fail_next("verto.answer", -32002, "CODEC ERROR")
        with pytest.raises(MediaError):
            await within(call.answer(media=other))
        assert (table._own, table.has(call.id)) == ({}, False)
        await within(call.answer())
        assert other.opened == 1
        await within(call.hangup())
        with pytest.raises(CallError):
            await within(call.answer(media=other))
        assert table._own == {}


async def test_a_call_that_rings_while_an_eavesdrop_call_is_asked_for_is_answered_after_that() -> None:
    policy = AutoAnswer()
    async with desk(policy) as (world, ziwo):
        world.faults.late_http(0.3, "/live/calls/eavesdrop/0011")
        opening = asyncio.create_task(ziwo.eavesdrop("0011").__aenter__())
        async with asyncio.timeout(PATIENCE):
            while not ziwo.phone.calls:
                await asyncio.sleep(0.005)
        stray = await dials(world, "+97150000001")
        gone = await dials(world, "+97150000002")
        await gone.cancels()
        session = await within(opening)
        await stray.reaches("active")
        assert policy.calls == 1
        await session.aclose()


async def test_a_condition_that_is_async_would_answer_everything() -> None:
    async def condition(event: Ringing) -> bool:
        return False

    class Condition:
        async def __call__(self, event: Ringing) -> bool:
            return False

    for when in (condition, Condition()):
        with pytest.raises(BadArgument, match="plain function"):
            AutoAnswer(when=when)  # type: ignore[arg-type]


def test_a_policy_that_answers_nothing_makes_no_sense() -> None:
    with pytest.raises(BadArgument, match="at least 1"):
        AutoAnswer(max_calls=0)
    assert repr(AutoAnswer()) == "<AutoAnswer 0 of any number of calls>"
