"""What happens when too much waits for a handler: each policy at its bound."""

from __future__ import annotations

from typing import Any

import pytest

from ziwo_async import (
    Buffers,
    ConfigError,
    Destroy,
    Event,
    EventsDropped,
    HandlerFailed,
    HandlerRejected,
    Ringing,
    Router,
    TextMessage,
)
from ziwo_async.dispatch.streams import EventStream

from .bench import begun, bench, last, words


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


async def test_block_takes_room_from_the_call_that_uses_most_of_it() -> None:
    async with bench(per_call=1, per_session=6) as at:
        at.held("slow")
        at.publish("b0", "a0")
        await begun(at, 2)
        at.publish(*words("b", 1, 3), *words("a", 1, 5))  # b is two past its bound, a four
        assert at.dispatcher.dropped == 0
        at.publish("b4", "b5", "b6")
        # Once both use as much, the one that wants more pays for itself.
        assert [event.call_id for event in at.of(EventsDropped)] == ["a", "b", "b"]
        ran = await at.let_go()
        assert [word for word in ran if word.startswith("slow a")] == [
            f"slow {word}" for word in ("a0", *words("a", 2, 4))
        ]


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


async def test_a_handler_of_session_events_that_fails_gets_no_more_and_the_others_go_on() -> None:
    async with bench(per_call=2, per_session=100) as at:

        @at.router.on(TextMessage, overflow="fail")
        async def strict(event: TextMessage) -> None:
            at.ran.append(f"strict {event.text}")
            await at.go_on.wait()

        @at.router.on(HandlerFailed)
        async def listener(event: HandlerFailed) -> None:
            at.ran.append(f"told of {event.handler.rpartition('.')[2]}")

        for number in range(6):
            at.dispatcher.publish(TextMessage(text=str(number)), None, None)
            await begun(at)
        assert at.dispatcher.dropped == 5
        assert await at.let_go() == ["strict 0", "told of strict"]


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
