"""The router alone (what it refuses, what it finds), and handlers at work on real calls."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ziwo_async import (
    Active,
    Buffers,
    Call,
    CallEvent,
    Destroy,
    DialogEvent,
    Event,
    EventsDropped,
    ExpectTimeout,
    HandlerFailed,
    HandlerRejected,
    Hangup,
    Held,
    Muted,
    Ringing,
    Router,
    SessionEvent,
    SessionLost,
    SessionReady,
    StreamOverflow,
    UnknownFrame,
    ZiwoClient,
)
from ziwo_async.dispatch.dispatcher import Dispatcher
from ziwo_async.errors import ConfigError

from .phone.kit import Desk, contact_centre, nothing_left, until, within


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with nothing_left(), contact_centre() as made:
        yield made


# -- registration -------------------------------------------------------------------------------------------------


async def on_call(call: Call, event: CallEvent) -> None: ...


async def on_session(event: SessionEvent) -> None: ...


async def wants_active(call: Call, event: Active) -> None: ...


async def one_argument(event: Ringing) -> None: ...


async def no_argument() -> None: ...


async def only_active(event: Active) -> None: ...


async def an_event_and_an_option(event: Ringing, option: bool = False) -> None: ...


async def three_arguments(call: Call, event: Ringing, more: int) -> None: ...


def not_async(call: Call, event: Ringing) -> None: ...


@pytest.mark.parametrize(
    ("kind", "handler", "with_call"),
    [
        (Ringing, on_call, True),
        (Ringing, one_argument, False),
        (Ringing, an_event_and_an_option, False),
        (SessionLost, on_session, False),
    ],
)
def test_a_handler_gets_the_call_when_it_takes_it(kind: Any, handler: Any, with_call: bool) -> None:
    router = Router()
    router.on(kind)(handler)
    assert [found.with_call for found in router.registrations()] == [with_call]


async def test_a_handler_of_call_events_may_take_the_event_alone(desk: Desk) -> None:
    router, rang, talked = Router(), asyncio.Event(), asyncio.Event()

    @router.on(Ringing)
    async def rings(event: Ringing) -> None:
        rang.set()

    @router.during(Ringing)
    async def lasts(event: Ringing) -> None:
        talked.set()

    client = desk.client(router=router)
    await client.phone.start()
    await desk.customer.dials(desk.agent)
    async with asyncio.timeout(20):
        await rang.wait()
        await talked.wait()


@pytest.mark.parametrize(
    ("kind", "handler", "text"),
    [
        (Ringing, not_async, "not_async: a handler must be an async function"),
        (Ringing, lambda call, event: None, "must be an async function"),
        (Ringing, "handler", "must be an async function"),
        (Ringing, None, "must be an async function"),
        (Ringing, three_arguments, r"is called with \(call, event\) or \(event\), which its parameters do not take"),
        (SessionLost, on_call, r"a handler of SessionLost is called with \(event\)"),
        (Ringing, no_argument, r"is called with \(call, event\) or \(event\), which its parameters do not take"),
        (Ringing, only_active, "is registered for Ringing, but its parameter 'event' wants Active"),
        (Ringing, wants_active, "is registered for Ringing, but its parameter 'event' wants Active"),
        (DialogEvent, wants_active, "is registered for DialogEvent, but its parameter 'event' wants Active"),
        (str, on_call, "<class 'str'> is not an event class"),
        ("ringing", on_call, "'ringing' is not an event class"),
        (Event, on_session, "listen to CallEvent or SessionEvent"),
    ],
)
def test_a_handler_that_could_never_work_is_refused_at_registration(kind: Any, handler: Any, text: str) -> None:
    router = Router()
    with pytest.raises(HandlerRejected, match=text) as caught:
        router.on(kind)(handler)
    assert isinstance(caught.value, TypeError)
    with pytest.raises(HandlerRejected):
        router.during(kind)(handler)
    assert router.registrations() == []


def test_only_calls_have_a_duration() -> None:
    with pytest.raises(HandlerRejected, match=r"during\(SessionLost\).*only call events have a duration"):
        Router().during(SessionLost)(on_session)  # type: ignore[type-var]


def test_every_kind_of_async_callable_is_taken() -> None:
    class Bot:
        async def method(self, call: Call, event: Ringing) -> None: ...

        async def __call__(self, call: Call, event: Ringing) -> None: ...

    async def unannotated(call, event): ...  # type: ignore[no-untyped-def]

    async def optional(call: Call, event: Ringing, more: int = 1) -> None: ...

    async def anything(*args: object, **kwargs: object) -> None: ...

    router = Router()
    for handler in (Bot().method, Bot(), unannotated, optional, anything, functools.partial(three_arguments, more=1)):
        router.on(Ringing)(handler)
    assert len(router.registrations()) == 6


def test_a_registered_function_stays_what_it_was() -> None:
    assert Router().on(Ringing)(on_call) is on_call
    assert Router().during(Ringing)(on_call) is on_call


def test_a_base_class_sees_its_children() -> None:
    router = Router()
    router.on(DialogEvent)(on_call)
    assert len(router.matching(Ringing)) == 1
    assert router.matching(Muted) == ()
    assert router.matching(SessionLost) == ()


def test_included_handlers_come_after_ones_own_and_later_ones_too() -> None:
    one, two, three = Router(), Router(), Router()
    one.include(two)
    two.include(three)
    one.include(two)
    three.on(Ringing)(on_call)
    assert len(one.matching(Ringing)) == 1
    two.on(CallEvent)(on_call)
    assert [found.kind for found in one.matching(Ringing)] == [CallEvent, Ringing]
    one.include(three)
    assert len(one.registrations()) == 2


def test_routers_that_would_include_each_other_are_refused() -> None:
    one, two = Router(), Router()
    one.include(two)
    with pytest.raises(HandlerRejected, match="cannot include itself"):
        two.include(one)
    with pytest.raises(HandlerRejected, match="cannot include itself"):
        one.include(one)


# -- at work --------------------------------------------------------------------------------------------------------


async def test_handlers_of_one_call_run_in_the_order_of_events_and_of_registration(desk: Desk) -> None:
    order: list[str] = []
    done = asyncio.Event()

    @desk.seen.router.on(DialogEvent)
    async def first(call: Call, event: DialogEvent) -> None:
        await asyncio.sleep(0)
        order.append(f"1 {event.state}")

    @desk.seen.router.on(CallEvent, when=lambda event: isinstance(event, DialogEvent))
    async def second(call: Call, event: CallEvent) -> None:
        assert isinstance(event, DialogEvent)
        order.append(f"2 {event.state}")
        if isinstance(event, Destroy):
            done.set()

    client = desk.client()
    await client.phone.start()
    _, call = await desk.talks(client.phone)
    await within(call.hold())
    await within(call.hangup())
    await within(done.wait())
    words = ["ringing", "answering", "active", "held", "hangup", "destroy"]
    assert order == [f"{n} {word}" for word in words for n in (1, 2)]


async def test_a_slow_handler_stops_neither_other_calls_nor_the_reader_nor_requests(desk: Desk) -> None:
    stuck: list[str] = []
    go_on = asyncio.Event()
    third = asyncio.Event()

    @desk.seen.router.on(Ringing)
    async def slow(call: Call, event: Ringing) -> None:
        stuck.append(call.id)
        if len(stuck) == 3:
            third.set()
        await go_on.wait()

    client = desk.client()
    await client.phone.start()
    for number in range(3):
        await desk.rings(client.phone, desk.world.customer(f"+97150000001{number}"))
    # Three handlers are inside at once: concurrent across calls.
    await within(third.wait())
    for call in client.phone.calls:
        await within(call.answer())
        await within(call.hold())
    await within(client.phone.request("verto.ping"))
    assert [call.state for call in client.phone.calls] == ["held"] * 3
    go_on.set()


async def test_a_handler_that_raises_is_told_and_stops_nothing(desk: Desk) -> None:
    told: list[HandlerFailed] = []
    after: list[str] = []

    @desk.seen.router.on(Ringing)
    async def broken(call: Call, event: Ringing) -> None:
        raise LookupError("no such customer")

    @desk.seen.router.on(Ringing)
    async def good(call: Call, event: Ringing) -> None:
        after.append(call.id)

    @desk.seen.router.on(HandlerFailed)
    async def listen(event: HandlerFailed) -> None:
        told.append(event)

    client = desk.client()
    await client.phone.start()
    _, call = await desk.talks(client.phone)
    await until(lambda: told and after)
    assert told[0].error == "LookupError: no such customer"
    assert told[0].handler.endswith("broken")
    assert told[0].call_id == call.id
    assert told[0].failed_event["state"] == "ringing"
    assert after == [call.id]


async def test_a_failure_nobody_listens_to_is_logged_once(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    client = desk.client()
    client.phone.router = router = Router()
    client.phone.dispatcher._router = router

    @router.on(SessionReady)
    async def broken(event: SessionReady) -> None:
        raise LookupError("here")

    await client.phone.start()
    await until(lambda: "LookupError: here" in caplog.text)
    assert caplog.text.count("the handler") == 1


async def test_a_failing_listener_of_failures_does_not_go_on_for_ever(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    runs: list[str] = []

    @desk.seen.router.on(HandlerFailed)
    async def broken(event: HandlerFailed) -> None:
        runs.append(event.error)
        raise ValueError("again")

    @desk.seen.router.on(Ringing)
    async def first(call: Call, event: Ringing) -> None:
        raise LookupError

    client = desk.client()
    await client.phone.start()
    await desk.rings(client.phone)
    await until(lambda: "of HandlerFailed failed itself" in caplog.text)
    await within(client.phone.dispatcher.idle())
    assert len(runs) == 1


async def test_a_predicate_decides_and_its_error_is_told(desk: Desk) -> None:
    ran: list[str] = []

    def wrong(event: Ringing) -> bool:
        raise KeyError("x")

    @desk.seen.router.on(Ringing, when=wrong)
    async def never(call: Call, event: Ringing) -> None:
        ran.append("never")

    @desk.seen.router.on(Ringing, when=lambda event: event.customer_number.startswith("+971"))
    async def yes(call: Call, event: Ringing) -> None:
        ran.append("yes")

    @desk.seen.router.on(Ringing, when=lambda event: False)
    async def no(call: Call, event: Ringing) -> None:
        ran.append("no")

    client = desk.client()
    await client.phone.start()
    await desk.rings(client.phone)
    failed = await desk.seen.wait(HandlerFailed)
    await until(lambda: ran)
    assert failed.error == "KeyError: 'x'"
    assert ran == ["yes"]


async def test_a_task_during_a_call_waits_for_events_and_writes_its_last_line_within_the_grace(desk: Desk) -> None:
    lines: list[str] = []

    @desk.seen.router.during(Active)
    async def talking(call: Call, event: Active) -> None:
        lines.append("begun")
        ended = await call.wait_for(Hangup)
        await asyncio.sleep(0.01)
        lines.append(f"ended: {ended.cause}")

    client = desk.client()
    await client.phone.start()
    _, call = await desk.talks(client.phone)
    await until(lambda: lines)
    await within(call.hangup())
    await until(lambda: len(lines) == 2)
    assert lines == ["begun", "ended: NORMAL_CLEARING"]


async def test_a_task_that_outlives_its_call_is_cancelled_after_the_grace(desk: Desk) -> None:
    ended = asyncio.Event()

    @desk.seen.router.during(Ringing, grace=0.01)
    async def forever(call: Call, event: Ringing) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            assert call.is_over
            ended.set()

    client = desk.client()
    await client.phone.start()
    _, call = await desk.rings(client.phone)
    await within(call.hangup())
    await within(ended.wait())


async def test_a_task_during_a_call_that_raises_is_told(desk: Desk) -> None:
    @desk.seen.router.during(Ringing)
    async def broken(call: Call, event: Ringing) -> None:
        raise LookupError("during")

    client = desk.client()
    await client.phone.start()
    await desk.rings(client.phone)
    assert (await desk.seen.wait(HandlerFailed)).error == "LookupError: during"
    assert client.phone.ready


async def test_a_handler_registered_while_the_phone_runs_is_found(desk: Desk) -> None:
    client = desk.client()
    await client.phone.start()
    await desk.rings(client.phone)
    late = asyncio.Event()
    more = Router()

    @more.on(Held)
    async def held(call: Call, event: Held) -> None:
        late.set()

    client.include(more)
    _, call = await desk.talks(client.phone, desk.world.customer("+97150000002"))
    await within(call.hold())
    await within(late.wait())


async def test_a_lane_that_is_full_drops_the_oldest_and_tells(desk: Desk) -> None:
    client = desk.client()
    phone = client.phone
    buffers = Buffers(per_call=4, per_session=1)
    phone.dispatcher = phone._core.dispatcher = Dispatcher(phone._owner, phone.router, buffers=buffers)
    go_on, begun = asyncio.Event(), asyncio.Event()
    got: list[int] = []

    @desk.seen.router.on(UnknownFrame)
    async def slow(event: UnknownFrame) -> None:
        assert event.params is not None
        begun.set()
        await go_on.wait()
        got.append(event.params["n"])

    await phone.start()
    for number in range(12):
        await desk.inject(method="verto.nonsense", params={"n": number})
        if number == 0:
            await within(begun.wait())
    await desk.seen.wait(UnknownFrame, count=12)
    dropped = await desk.seen.wait(EventsDropped)
    assert dropped.consumer == "the handlers of the session"
    assert dropped.dropped >= 1
    go_on.set()
    await until(lambda: 11 in got)
    assert got == sorted(got)
    assert len(got) < 12


# -- streams and expectations ----------------------------------------------------------------------------------------


async def flood(desk: Desk, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        await desk.inject(method="verto.nonsense", params={"n": number})
    await desk.seen.wait(UnknownFrame, count=first + count)


def numbers(events: list[Event]) -> list[int]:
    return [event.params["n"] for event in events if isinstance(event, UnknownFrame) and event.params]


@pytest.fixture
async def ziwo(desk: Desk) -> ZiwoClient:
    client = desk.client()
    await client.phone.start()
    return client


async def test_a_stream_gives_events_from_its_beginning_in_order_and_ends(desk: Desk, ziwo: ZiwoClient) -> None:
    await flood(desk, 2)
    async with ziwo.events(UnknownFrame) as events:
        await flood(desk, 5, 2)
        await within(ziwo.phone.aclose())
        got = [event async for event in events]
    assert numbers(list(got)) == [2, 3, 4, 5, 6]
    assert events.dropped == 0


@pytest.mark.parametrize(("overflow", "kept"), [("drop_oldest", [3, 4, 5]), ("drop_newest", [0, 1, 2])])
async def test_a_full_stream_drops_by_its_policy_and_counts(
    desk: Desk, ziwo: ZiwoClient, overflow: Any, kept: list[int]
) -> None:
    async with ziwo.events(UnknownFrame, buffer=3, overflow=overflow) as events:
        await flood(desk, 6)
        assert events.dropped == 3
        events.end()
        assert numbers([event async for event in events]) == kept


async def test_a_full_stream_that_fails_gives_what_it_has_and_then_the_error(desk: Desk, ziwo: ZiwoClient) -> None:
    got: list[Event] = []
    async with ziwo.events(UnknownFrame, buffer=3, overflow="fail") as events:
        await flood(desk, 6)
        got.extend([await anext(events) for _ in range(3)])
        with pytest.raises(StreamOverflow, match="read too slowly") as caught:
            await anext(events)
    assert numbers(got) == [0, 1, 2]
    assert caught.value.dropped >= 1
    assert ziwo.phone.ready


@pytest.mark.parametrize("options", [{"buffer": 0}, {"overflow": "sometimes"}])
async def test_a_stream_that_makes_no_sense_is_refused(desk: Desk, options: Any) -> None:
    with pytest.raises(ConfigError):
        desk.client().events(Event, **options)


async def test_expect_is_armed_before_one_acts(desk: Desk, ziwo: ZiwoClient) -> None:
    async with ziwo.expect(Ringing, timeout=5) as expected:
        with pytest.raises(Exception, match="known after"):
            _ = expected.event
        await desk.rings(ziwo.phone)
    assert expected.event.state == "ringing"
    assert ziwo.phone.dispatcher.listeners == 0


async def test_expect_has_a_time_limit_and_chooses(desk: Desk, ziwo: ZiwoClient) -> None:
    with pytest.raises(ExpectTimeout, match=r"no UnknownFrame came within 0\.02 s"):
        async with ziwo.expect(UnknownFrame, where=lambda event: event.params == {"n": 99}, timeout=0.02):
            await flood(desk, 2)
    assert ziwo.phone.dispatcher.listeners == 0


async def test_an_error_in_the_block_or_the_predicate_goes_to_whoever_expects(desk: Desk, ziwo: ZiwoClient) -> None:
    with pytest.raises(LookupError, match="mine"):
        async with ziwo.expect(UnknownFrame):
            raise LookupError("mine")
    with pytest.raises(ZeroDivisionError):
        async with ziwo.expect(UnknownFrame, where=lambda event: bool(1 / 0), timeout=5):
            await flood(desk, 1)
    assert ziwo.phone.dispatcher.listeners == 0
    assert ziwo.phone.ready
    assert logging.getLogger("ziwo_async").handlers == []
