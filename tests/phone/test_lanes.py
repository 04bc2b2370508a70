"""Any sequence of events and of handlers that end: the order and the bounds are kept, nothing is lost uncounted."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from ziwo_async import Buffers, CallEvent, Destroy, Event, EventsDropped, Hangup, Muted, SlowConsumer
from ziwo_async.dispatch.lanes import Lanes, Run
from ziwo_async.dispatch.owner import TaskOwner
from ziwo_async.router import Registration

from .kit import within

KEYS = ("a", "b", None)
POLICIES: tuple[Literal["block", "drop_oldest", "fail"], ...] = ("block", "drop_oldest", "fail")

puts = st.tuples(
    st.just("put"),
    st.sampled_from(KEYS),
    st.sampled_from(["block", "block2", "drop_oldest", "fail"]),
    st.integers(0, 9),
)
bursts = st.tuples(st.just("burst"), st.sampled_from(KEYS), st.sampled_from(POLICIES), st.integers(2, 30))
ends = st.tuples(st.just("end"), st.sampled_from(KEYS), st.just(""), st.integers(1, 12))
turns = st.tuples(st.just("turn"), st.none(), st.just(""), st.integers(1, 3))
steps = st.lists(st.one_of(puts, bursts, ends, turns), max_size=40)


async def unused(*args: object) -> None: ...


def registration(name: str) -> Registration:
    policy: Any = name.rstrip("2")
    return Registration(CallEvent, unused, name, None, False, overflow=policy)


class Model:
    """What was put, begun and told; the handlers end when a test says so."""

    def __init__(self, owner: TaskOwner, buffers: Buffers) -> None:
        self.buffers = buffers
        self.told_events: list[Event] = []
        self.handlers = {name: registration(name) for name in ("block", "block2", "drop_oldest", "fail")}
        self.lanes = Lanes(
            owner, self.start, failed=self.failed, tell=self.told_events.append, flush=lambda: None, buffers=buffers
        )
        self.put_order: dict[str | None, list[Event]] = {key: [] for key in KEYS}
        self.ran: dict[str | None, list[Event]] = {key: [] for key in KEYS}
        self.who: dict[int, tuple[str | None, str]] = {}
        self.held: dict[str | None, deque[asyncio.Event]] = {key: deque() for key in KEYS}
        self.taken_out: Counter[tuple[str | None, str]] = Counter()

    async def start(self, run: Run) -> None:
        key, _ = self.who[id(run[2])]
        self.ran[key].append(run[2])
        gate = asyncio.Event()
        self.held[key].append(gate)
        await gate.wait()

    def failed(self, run: Run, error: BaseException) -> None:
        key, name = self.who[id(run[2])]
        self.taken_out[key, name] += 1

    def put(self, key: str | None, name: str, number: int) -> None:
        kind: type[Any] = {0: Hangup, 1: Destroy}.get(number, Muted)
        event = kind.model_construct(call_id=str(key))
        self.who[id(event)] = (key, name)
        self.put_order[key].append(event)
        self.lanes.put(key, self.handlers[name], None, event)

    def end(self, key: str | None) -> None:
        if self.held[key]:
            self.held[key].popleft().set()

    def check(self) -> None:
        tally = self.lanes.tally
        begun = sum(len(events) for events in self.ran.values())
        assert tally.published == sum(len(events) for events in self.put_order.values())
        assert tally.handled == begun
        assert tally.waiting == self.lanes.waiting
        for key in KEYS:
            # In order, and nothing twice: what ran is what was put, some of it left out.
            rest = iter(self.put_order[key])
            assert all(any(event is other for other in rest) for event in self.ran[key])
            lane = self.lanes._lanes.get(key)
            if lane is None:
                continue
            for own in lane.own.values():
                assert len(own.cells) <= self.buffers.per_call
                assert all(cell.run is not None for cell in own.cells)
            assert lane.cells == len([item for item in lane.items if not isinstance(item, tuple)])
            assert lane.borrowed == max(0, len(lane.items) - lane.cells - self.buffers.per_call)
        lanes = self.lanes._lanes.values()
        assert self.lanes.room.borrowed == sum(lane.borrowed for lane in lanes) <= self.buffers.per_session

    def check_end(self) -> None:
        """All have run or were dropped: who lost what."""
        tally = self.lanes.tally
        assert tally.waiting == 0
        lost = [event for key in KEYS for event in self.put_order[key] if not any(event is o for o in self.ran[key])]
        assert len(lost) == tally.dropped
        by_name = Counter(self.who[id(event)][1] for event in lost)
        assert bool(by_name["fail"]) == bool(self.taken_out)
        assert set(self.taken_out.values()) <= {1}
        # Each jam was told with its final count, except those of `fail`, whose count is in HandlerFailed.
        told = final_counts([event for event in self.told_events if isinstance(event, EventsDropped)])
        assert told == len(lost) - by_name["fail"]


def final_counts(told: list[EventsDropped]) -> int:
    """The sum of the last count of each jam: a count that does not grow begins a new one."""
    total, last = 0, dict[tuple[str, str | None], int]()
    for event in told:
        who = (event.consumer, event.call_id)
        if event.dropped <= last.get(who, 0):
            total += last.pop(who)
        last[who] = event.dropped
    return total + sum(last.values())


async def play(script: list[tuple[str, str | None, str, int]], buffers: Buffers) -> Model:
    crashes: list[str] = []
    owner = TaskOwner("lanes", lambda name, error: crashes.append(f"{name}: {error!r}"))
    await owner.start()
    model = Model(owner, buffers)
    try:
        for what, key, name, number in script:
            if what == "put":
                model.put(key, name, number)
            elif what == "burst":
                for _ in range(number):
                    model.put(key, name, 2)
            for _ in range(number if what in ("end", "turn") else 0):
                if what == "end":
                    model.end(key)
                await asyncio.sleep(0)
            model.check()
        while model.lanes.busy():
            for key in KEYS:
                model.end(key)
            await asyncio.sleep(0)
        model.check()
        model.check_end()
    finally:
        await owner.aclose(1)
    assert crashes == []
    return model


@settings(max_examples=200, deadline=None)
@given(steps, st.integers(1, 9), st.integers(1, 20))
def test_any_sequence_keeps_the_order_and_the_bounds_and_loses_nothing_uncounted(
    script: list[tuple[str, str | None, str, int]], per_call: int, per_session: int
) -> None:
    asyncio.run(within(play(script, Buffers(per_call=per_call, per_session=per_session)), 20))


async def test_a_jam_that_drops_many_tells_few_and_the_final_count() -> None:
    model = await play([("burst", "a", "block", 1), ("turn", None, "", 3), ("burst", "a", "block", 1000)], Buffers(
        per_call=8, per_session=8,
    ))  # fmt: skip
    dropped = [event.dropped for event in model.told_events if isinstance(event, EventsDropped)]
    assert dropped == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 984]
    assert len([event for event in model.told_events if isinstance(event, SlowConsumer)]) == 2


async def test_hangup_and_destroy_outlive_a_flood_that_comes_before_and_after_them() -> None:
    script = [
        ("burst", "a", "block", 30),
        ("put", "a", "block", 0),
        ("put", "a", "block", 1),
        ("burst", "a", "block", 30),
    ]
    model = await play([("put", "a", "block", 5), ("turn", None, "", 3), *script], Buffers(per_call=2, per_session=1))
    assert [type(event) for event in model.ran["a"] if not isinstance(event, Muted)] == [Hangup, Destroy]
