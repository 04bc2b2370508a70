"""Who is told of slow handlers and readers, and that nothing is lost uncounted."""

from __future__ import annotations

import asyncio

import pytest

from ziwo_async import (
    Call,
    CallEvent,
    Event,
    EventsDropped,
    HandlerFailed,
    Muted,
    SlowConsumer,
    StreamOverflow,
    TextMessage,
)
from ziwo_async.dispatch.streams import EventStream
from ziwo_async.errors import ClientClosed

from .bench import begun, bench, tag, words
from .kit import until, within

# -- who is told ------------------------------------------------------------------------------------------------------


async def test_a_slow_handler_is_told_at_half_full_with_its_depth_and_lag_and_again_only_after_it_recovered() -> None:
    async with bench(per_call=8, per_session=100) as at:
        one = asyncio.Semaphore(0)

        @at.router.on(CallEvent)
        async def slow(call: Call, event: CallEvent) -> None:
            at.ran.append(tag(event))
            await one.acquire()

        async def run(count: int) -> None:
            wanted = len(at.ran) + count
            for _ in range(count):
                one.release()
            await begun(at, wanted)

        at.publish("a0")
        await begun(at)
        at.publish(*words("a", 1, 3))
        assert at.of(SlowConsumer) == []
        queued = asyncio.get_running_loop().time()
        at.publish("a4")
        (told,) = at.of(SlowConsumer)
        assert (told.consumer, told.call_id, told.depth, told.limit) == ("the handlers of call a", "a", 4, 8)
        assert told.handler.endswith("slow")
        assert 0 <= told.lag_seconds <= asyncio.get_running_loop().time() - queued + 60
        at.publish(*words("a", 5, 4))  # deeper, but not told again
        await run(6)
        assert at.dispatcher.waiting == 2
        at.publish("a9", "a10", "a11")  # a quarter is 2, and it was never under that
        assert len(at.of(SlowConsumer)) == 1
        await run(4)
        assert at.dispatcher.waiting == 1
        at.publish("a12", "a13", "a14")
        assert [event.depth for event in at.of(SlowConsumer)] == [4, 4]
        await run(4)
        one.release()
        await within(at.dispatcher.idle())


async def test_the_lag_is_the_age_of_the_oldest_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(per_call=4, per_session=100) as at:
        at.held("slow")
        at.publish("a0")
        await begun(at)
        loop = asyncio.get_running_loop()
        await until(lambda: not at.dispatcher._lanes._tending)
        real = loop.time
        at.publish("a1")
        monkeypatch.setattr(loop, "time", lambda: real() + 1000)
        at.publish("a2")
        (told,) = at.of(SlowConsumer)
        assert told.lag_seconds == pytest.approx(1000, abs=60)
        monkeypatch.undo()
        await at.let_go()


async def test_the_room_that_all_calls_share_is_told_at_half_full_too() -> None:
    async with bench(per_call=1, per_session=4) as at:
        at.held("slow")
        at.publish("a0", "b0")
        await begun(at, 2)
        at.publish("a1", "b1", "a2", "b2", "a3")
        shared = [event for event in at.of(SlowConsumer) if event.consumer == "the handlers of all calls"]
        assert [(event.call_id, event.depth, event.limit) for event in shared] == [(None, 2, 4)]
        await at.let_go()


async def test_a_handler_with_its_own_bound_is_told_by_its_name() -> None:
    async with bench(per_call=4, per_session=100) as at:
        at.held("holds", kind=Muted)
        at.held("latest", overflow="drop_oldest")
        at.publish("a0")
        await begun(at)
        at.publish("a1")
        told = {event.consumer: event for event in at.of(SlowConsumer)}
        assert (told["latest"].depth, told["latest"].handler) == (2, "holds")
        await at.let_go()


async def test_a_slow_stream_is_told_to_others_and_never_to_itself() -> None:
    async with bench() as at, EventStream(at.dispatcher, Event, buffer=4) as events:
        at.publish(*words("a", 0, 6))
        (told,) = at.of(SlowConsumer)
        assert (told.consumer, told.call_id, told.depth, told.limit) == ("events(Event)", None, 2, 4)
        assert [event.dropped for event in at.of(EventsDropped)] == [1, 2]
        assert events.dropped == 2
        events.end()
        assert [tag(event) async for event in events] == words("a", 2, 4)


async def test_a_slow_stream_is_told_again_only_after_it_recovered() -> None:
    async with bench() as at, EventStream(at.dispatcher, Muted, buffer=8) as events:

        async def read_until(left: int) -> None:
            while events.waiting > left:
                await within(anext(events))

        at.publish(*words("a", 0, 6))
        await read_until(2)
        at.publish(*words("a", 6, 4))  # a quarter is 2, and it was never under that
        assert len(at.of(SlowConsumer)) == 1
        await read_until(1)
        at.publish(*words("a", 10, 3))
        assert [event.depth for event in at.of(SlowConsumer)] == [4, 4]


async def test_streams_that_are_all_full_tell_of_each_other_and_come_to_an_end() -> None:
    async with bench() as at:
        streams = [EventStream(at.dispatcher, Event, buffer=1) for _ in range(5)]
        for stream in streams:
            await stream.__aenter__()
        at.publish(*words("a", 0, 20))
        assert len(at.told) < 500
        assert at.dispatcher.dropped == sum(stream.dropped for stream in streams)
        for stream in streams:
            await stream.__aexit__(None, None, None)


async def test_a_slow_handler_of_slow_consumer_is_not_told_of_itself() -> None:
    async with bench(per_call=4, per_session=100) as at:

        @at.router.on(SlowConsumer)
        async def listener(event: SlowConsumer) -> None:
            at.ran.append(event.consumer)
            await at.go_on.wait()

        at.held("slow")
        at.publish(*[f"{call}0" for call in "abcdefghij"])
        await begun(at, 10)
        for call in "abcdefghij":
            at.publish(f"{call}1", f"{call}2")
        told = at.of(SlowConsumer)
        assert len(told) == 10
        assert "the handlers of the session" not in {event.consumer for event in told}
        await at.let_go()


async def test_a_handler_of_the_session_that_holds_up_the_others_is_told() -> None:
    async with bench(per_call=4, per_session=100) as at:

        @at.router.on(TextMessage)
        async def slow(event: TextMessage) -> None:
            at.ran.append(event.text)
            await at.go_on.wait()

        for number in range(5):
            at.dispatcher.publish(TextMessage(text=str(number)), None, None)
            await begun(at)
        (told,) = at.of(SlowConsumer)
        assert (told.consumer, told.call_id, told.depth) == ("the handlers of the session", None, 2)
        await at.let_go()


# -- nothing is lost uncounted ----------------------------------------------------------------------------------------


async def test_a_handler_whose_own_await_was_cancelled_is_told_and_the_call_goes_on() -> None:
    async with bench() as at:

        @at.router.on(CallEvent)
        async def careless(call: Call, event: CallEvent) -> None:
            at.ran.append(tag(event))
            other = asyncio.ensure_future(at.go_on.wait())
            other.cancel()
            await other

        @at.router.during(CallEvent)
        async def careless_task(call: Call, event: CallEvent) -> None:
            raise asyncio.CancelledError

        at.publish("a0", "a1")
        await within(at.dispatcher.handlers_done())
        assert at.ran == ["a0", "a1"]
        assert [event.error for event in at.of(HandlerFailed)] == ["CancelledError: "] * 4


async def test_what_waits_when_the_phone_closes_is_counted_as_dropped() -> None:
    async with bench() as at:
        at.held("slow")
        at.publish("a0")
        await begun(at)
        at.publish("a1", "a2")
        await at.owner.aclose(1)
        at.dispatcher.close(ClientClosed("closed"))
        assert at.dispatcher.dropped == 2
        at.publish("a3")
        await until(lambda: not at.dispatcher.waiting)
        assert at.dispatcher.dropped == 3


async def test_a_stream_that_failed_counts_what_comes_after_too() -> None:
    async with bench() as at, EventStream(at.dispatcher, Muted, buffer=2, overflow="fail") as events:
        at.publish(*words("a", 0, 7))
        got = [await anext(events), await anext(events)]
        with pytest.raises(StreamOverflow) as caught:
            await anext(events)
        assert [tag(event) for event in got] == ["a0", "a1"]
        assert caught.value.dropped == events.dropped == 5
        tally = at.dispatcher.counters["streams"]
        assert (tally.published, tally.handled, tally.dropped, tally.waiting) == (7, 2, 5, 0)


async def test_the_counters_add_up_over_all_kinds_of_consumers() -> None:
    async with bench(per_call=2, per_session=2) as at:
        at.held("all")
        at.held("latest", overflow="drop_oldest")
        at.held("strict", overflow="fail")

        @at.router.during(CallEvent)
        async def task(call: Call, event: CallEvent) -> None: ...

        async with EventStream(at.dispatcher, CallEvent, buffer=3):
            at.publish("a0", "b0")
            await begun(at, 2)
            at.publish(*words("a", 1, 10), *words("b", 1, 3))
            at.adds_up()
            ran = len(await at.let_go())
        counted = at.dispatcher.counters
        assert counted["handlers"].published == 3 * 15
        assert counted["handlers"].handled == ran
        assert counted["handlers"].dropped == 3 * 15 - ran
        assert (counted["tasks"].published, counted["tasks"].handled) == (15, 15)
        assert (counted["streams"].published, counted["streams"].waiting) == (15, 3)
        assert at.dispatcher.dropped == 3 * 15 - ran + 12
