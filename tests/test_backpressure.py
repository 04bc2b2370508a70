"""Slow handlers and readers: what waits, what is dropped, who is told; and that the phone never waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ziwo_async import (
    Active,
    Buffers,
    Call,
    CallEvent,
    ConfigError,
    Destroy,
    Event,
    EventsDropped,
    HandlerFailed,
    HandlerRejected,
    Hangup,
    Liveness,
    Muted,
    Ringing,
    Router,
    SessionEvent,
    SessionLost,
    SlowConsumer,
    StreamOverflow,
    TextMessage,
    UnknownFrame,
)
from ziwo_async.errors import ClientClosed
from ziwo_async.phone.dispatch import Dispatcher
from ziwo_async.phone.owner import TaskOwner
from ziwo_async.phone.streams import EventStream

from .phone.kit import Desk, contact_centre, nothing_left, until, within


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with nothing_left(), contact_centre() as made:
        yield made


class Bench:
    """A dispatcher with its lanes and workers, and a handler that can be held; no phone around it."""

    def __init__(self, owner: TaskOwner, buffers: Buffers) -> None:
        self.owner = owner
        self.router = Router()
        self.dispatcher = Dispatcher(owner, self.router, buffers=buffers)
        self.go_on = asyncio.Event()
        self.ran: list[str] = []
        self.told: list[Event] = []
        self.router.on(SessionEvent, when=self._note)(_never)

    def _note(self, event: Event) -> bool:
        self.told.append(event)
        return False

    def held(self, name: str, kind: Any = CallEvent, **options: Any) -> None:
        """Register a handler that notes what it gets, and then waits to be let go."""

        async def handler(call: Call, event: CallEvent) -> None:
            self.ran.append(f"{name} {tag(event)}")
            await self.go_on.wait()

        handler.__qualname__ = name
        self.router.on(kind, **options)(handler)

    def publish(self, *tags: str) -> None:
        """Publish an event for each tag: the call's id and a number, as in `a1`."""
        for word in tags:
            self.dispatcher.publish(event_of(word), word[0], None)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.told if isinstance(event, kind)]

    async def let_go(self) -> list[str]:
        """Let the handlers go on, and give what they all got."""
        self.go_on.set()
        await within(self.dispatcher.idle())
        self.adds_up()
        return self.ran

    def adds_up(self) -> None:
        for tally in self.dispatcher.counters.values():
            assert tally.published == tally.handled + tally.dropped + tally.waiting
        assert self.dispatcher.counters["handlers"].waiting == self.dispatcher.waiting


async def _never(event: SessionEvent) -> None:
    raise AssertionError


def event_of(word: str) -> CallEvent:
    if word.endswith("!"):
        return LAST[word[1]]
    return Muted(call_id=word)


def tag(event: Event) -> str:
    return getattr(event, "call_id", "")


def last(kind: type[Any], word: str) -> Any:
    """A hangup or destroy, as bare as can be: only its class counts here."""
    return kind.model_construct(call_id=word)


LAST = {"h": last(Hangup, "hangup"), "d": last(Destroy, "destroy")}


@asynccontextmanager
async def bench(per_call: int = 4, per_session: int = 4) -> AsyncIterator[Bench]:
    crashes: list[str] = []
    owner = TaskOwner("test", lambda name, error: crashes.append(name))
    await owner.start()
    made = Bench(owner, Buffers(per_call=per_call, per_session=per_session))
    try:
        yield made
    finally:
        await owner.aclose(1)
        made.dispatcher.close(ClientClosed("the test is over"))
        assert made.dispatcher.waiting == 0
        made.adds_up()
        assert crashes == []


def words(call: str, first: int, count: int) -> list[str]:
    return [f"{call}{number}" for number in range(first, first + count)]


async def begun(at: Bench, runs: int = 1) -> None:
    await until(lambda: len(at.ran) >= runs, "no handler began")


# -- the phone and the other calls -----------------------------------------------------------------------------------


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


# -- each policy at its bound ----------------------------------------------------------------------------------------


async def test_block_keeps_all_in_order_past_the_bound_of_the_call_and_up_to_the_sessions() -> None:
    async with bench(per_call=4, per_session=4) as at:
        at.held("slow")
        at.publish("a0")
        await begun(at)
        at.publish(*words("a", 1, 8))
        assert at.dispatcher.waiting == 8
        assert at.dispatcher.dropped == 0
        assert await at.let_go() == [f"slow {word}" for word in words("a", 0, 9)]
        assert at.of(EventsDropped) == []


async def test_block_drops_the_oldest_of_the_longest_queue_once_the_session_is_full() -> None:
    async with bench(per_call=2, per_session=3) as at:
        at.held("slow")
        at.publish("a0", "b0")
        await begun(at, 2)
        at.publish(*words("a", 1, 5), *words("b", 1, 2))
        assert at.dispatcher.dropped == 0
        at.publish("b3")  # the room that is shared is used up, and it is call a that uses it
        assert at.dispatcher.dropped == 1
        ran = await at.let_go()
        assert [word for word in ran if word.startswith("slow a")] == [
            f"slow {word}" for word in ("a0", *words("a", 2, 4))
        ]
        assert [word for word in ran if word.startswith("slow b")] == [f"slow {word}" for word in words("b", 0, 4)]
        (told,) = at.of(EventsDropped)
        assert (told.consumer, told.call_id, told.dropped) == ("the handlers of call a", "a", 1)


async def test_the_room_that_calls_share_is_given_back() -> None:
    async with bench(per_call=2, per_session=3) as at:
        at.held("slow")
        for _ in range(3):
            at.go_on.clear()
            at.ran.clear()
            at.publish("a0")
            await begun(at)
            at.publish(*words("a", 1, 5))
            assert len(await at.let_go()) == 6
        assert at.dispatcher.dropped == 0
        assert at.dispatcher._lanes.room.borrowed == 0


async def test_drop_oldest_costs_only_the_handler_that_asked_for_it() -> None:
    async with bench(per_call=3, per_session=100) as at:
        at.held("all")
        at.held("latest", overflow="drop_oldest")
        at.publish("a0")
        await begun(at)
        at.publish(*words("a", 1, 9))
        assert at.dispatcher.dropped == 7
        ran = await at.let_go()
        assert [word for word in ran if word.startswith("all")] == [f"all {word}" for word in words("a", 0, 10)]
        assert [word for word in ran if word.startswith("latest")] == [f"latest {word}" for word in words("a", 7, 3)]
        # In the order of events, and for each event in the order of registration.
        assert ran[-4:] == ["all a8", "latest a8", "all a9", "latest a9"]
        assert [event.dropped for event in at.of(EventsDropped)] == [1, 2, 4, 7]
        assert {event.consumer for event in at.of(EventsDropped)} == {"latest"}


async def test_fail_takes_the_handler_out_of_that_call_and_tells() -> None:
    async with bench(per_call=3, per_session=100) as at:
        at.held("all")
        at.held("strict", overflow="fail")
        at.publish("a0")
        await begun(at)
        at.publish(*words("a", 1, 3))
        assert at.dispatcher.dropped == 4
        at.publish("a4", "b0")
        (told,) = at.of(HandlerFailed)
        assert told.handler == "strict"
        assert told.error == "StreamOverflow: too slow: 4 events dropped, and it gets no more of call a"
        assert (told.call_id, told.failed_event["callID"]) == ("a3", "a3")
        ran = await at.let_go()
        assert [word for word in ran if word.startswith("all a")] == [f"all {word}" for word in words("a", 0, 5)]
        assert [word for word in ran if word.startswith("strict")] == ["strict b0"]
        assert at.dispatcher.dropped == 5


async def test_a_handler_that_failed_is_given_the_next_call_with_the_same_id() -> None:
    async with bench(per_call=1, per_session=100) as at:
        at.held("strict", overflow="fail")
        at.publish("a0")
        await begun(at)
        at.publish("a1", "a2", "a3")
        await at.let_go()
        at.dispatcher.publish(last(Destroy, "a"), "a", None)
        assert at.dispatcher._lanes.room.out == {}
        at.publish("a4")
        assert (await at.let_go())[-1] == "strict a4"


@pytest.mark.parametrize("overflow", ["block", "drop_oldest"])
async def test_hangup_and_destroy_are_dropped_last(overflow: str) -> None:
    async with bench(per_call=2, per_session=1) as at:
        at.held("slow", overflow=overflow)
        at.publish("a0")
        await begun(at)
        at.publish("a1", "a2", "ah!", "ad!", "a5", "a6")
        ran = await at.let_go()
        assert [word for word in ran if word in ("slow hangup", "slow destroy")] == ["slow hangup", "slow destroy"]
        assert at.dispatcher.dropped > 0


async def test_what_waits_for_a_handler_that_is_dropped_takes_no_room_for_ever() -> None:
    async with bench(per_call=2, per_session=100) as at:
        at.held("all", kind=Ringing)  # never called; the lane is held by the next
        at.held("latest", overflow="drop_oldest")
        at.publish("a0")
        await begun(at)
        for number in range(5000):
            at.publish(f"a{number}")
        (lane,) = at.dispatcher._lanes._lanes.values()
        assert at.dispatcher.waiting == 2
        assert len(lane.items) < 200
        assert await at.let_go() == ["latest a0", "latest a4998", "latest a4999"]


@pytest.mark.parametrize("overflow", ["drop_newest", "sometimes", ""])
def test_a_policy_that_handlers_do_not_have_is_refused(overflow: Any) -> None:
    with pytest.raises(HandlerRejected, match="overflow must be block, drop_oldest or fail"):
        Router().on(Ringing, overflow=overflow)


async def test_a_stream_cannot_block_and_says_what_to_choose() -> None:
    async with bench() as at:
        with pytest.raises(ConfigError, match="larger buffer=, and drop_oldest, drop_newest or fail"):
            EventStream(at.dispatcher, Event, overflow="block")  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"per_call": 0}, {"per_session": -1}, {"per_call": 1.5}, {"per_session": None}])
def test_buffers_that_hold_nothing_are_refused(options: Any) -> None:
    with pytest.raises(ConfigError, match="must be a whole number greater than 0"):
        Buffers(**options)


# -- who is told -----------------------------------------------------------------------------------------------------


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


# -- nothing is lost uncounted ---------------------------------------------------------------------------------------


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


# -- until all handlers are done -------------------------------------------------------------------------------------


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
