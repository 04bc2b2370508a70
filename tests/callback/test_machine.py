"""The decisions: any order of events, lost and repeated ones too, and the table of what each one does in each state."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from ziwo_async.callback import Attempt, Callback, Plan
from ziwo_async.callback.machine import (
    Busy,
    Cancel,
    Event,
    Held,
    Lost,
    Nothing,
    NotPlaced,
    Over,
    Placed,
    Ready,
    Sight,
    Trouble,
    Up,
    deadline,
    step,
)

NOW = 1_800_000_000.0
RECORD = TypeAdapter(Callback)


def asked(extensions: tuple[str, ...] = ("0011", "5555"), **plan: float) -> Callback:
    made = Plan(extensions=extensions, **plan)  # type: ignore[arg-type]
    return Callback(id="a", contact="+97150000000", requested_at=NOW, expires_at=NOW + 900, due_at=NOW, plan=made)


def after(it: Callback, *events: Event, now: float = NOW) -> Callback:
    for event in events:
        it = step(it, event, now)
    return it


# --- any events, in any order ---------------------------------------------------------------------------------------

NUMBERS = st.integers(0, 4)
IDS = st.sampled_from(["c-1", "c-2", None])
SIGHTS = st.one_of(
    st.just(Nothing()),
    st.builds(Up, IDS, st.booleans(), st.booleans()),
    st.builds(Over, IDS, st.booleans(), st.booleans()),
)
EVENTS = st.one_of(
    st.just(Busy()),
    st.just(Cancel()),
    st.builds(Ready, st.just(("old",))),
    st.builds(Ready, st.just(("old",))),
    st.builds(Held, st.just("held"), st.floats(1, 60)),
    st.builds(Placed, NUMBERS, st.sampled_from(["c-1", "c-2"])),
    st.builds(NotPlaced, NUMBERS, st.sampled_from(["agent", "contact", "ours"]), st.just("no"), st.floats(0, 60)),
    st.builds(Lost, NUMBERS, st.just("lost")),
    st.builds(Sight, NUMBERS, SIGHTS),
    st.builds(Sight, NUMBERS, SIGHTS),
    st.builds(Trouble, NUMBERS, st.just("trouble"), st.floats(1, 60)),
)
WALKS = st.lists(st.tuples(EVENTS, st.sampled_from([0.0, 0.5, 20.0, 100.0, 500.0])), max_size=40)


@settings(max_examples=250)
@given(walk=WALKS, retries=st.integers(0, 2), extensions=st.sampled_from([("0011",), ("0011", "5555")]))
def test_no_dial_before_the_one_before_is_known_to_be_over(
    walk: list[tuple[Event, float]], retries: int, extensions: tuple[str, ...]
) -> None:
    it, now, dials = asked(extensions, retries=retries), NOW, 0
    open_since: int | None = None  # the dial of which nothing is known yet
    for drawn, seconds in walk:
        now += seconds
        event = drawn
        if not isinstance(drawn, (Busy, Cancel, Ready, Held)):
            # As the runner does: what it is told of is the last dial, or an earlier one.
            event = replace(drawn, number=max(it.count - drawn.number, 0))
        before, it = it, step(it, event, now)
        assert RECORD.validate_json(RECORD.dump_json(it)) == it
        if before.over:
            assert it == before
            continue
        if it.count != before.count:
            dials += 1
            assert it.count == before.count + 1
            assert before.state == "waiting"
            assert isinstance(event, Ready)
            assert now < it.expires_at
            assert open_since is None, "a dial while the outcome of another one is open"
            assert not before.stop
            open_since = it.count
        if isinstance(event, (NotPlaced, Sight)) and event.number == open_since and it.attempt is None:
            proves = isinstance(event, NotPlaced) or isinstance(event.found, Over) or it.over
            assert proves, "an open outcome was closed by what proves nothing"
            open_since = None
        if it.state == "waiting":
            assert open_since is None
        assert (it.attempt is None) == (it.state not in {"dialling", "calling", "checking"})
        assert it.over == (it.due_at is None) == (it.ended_at is not None)
        assert (it.reason is not None) == (it.state == "failed")
        assert len(it.attempts) <= (retries + 1) * len(extensions)
        assert all(each.outcome is not None for each in it.attempts[:-1])
        if it.due_at is not None:
            assert it.due_at <= now + it.plan.longest_pause
        joined = any(each.outcome == "connected" for each in it.attempts)
        assert joined == (it.state == "connected")
        assert any(each.outcome == "unclear" for each in it.attempts) == (it.state == "unclear")


@given(walk=WALKS)
def test_whoever_keeps_looking_comes_to_an_end(walk: list[tuple[Event, float]]) -> None:
    it, now = asked(), NOW
    for event, seconds in walk:
        now += seconds
        it = step(it, event, now)
    for _ in range(2000):
        if it.over:
            return
        assert it.due_at is not None
        now = max(now, it.due_at)
        attempt = it.attempt
        if attempt is None:
            it = step(it, Ready(), now)
        elif it.state == "dialling":
            it = step(it, Lost(attempt.number, "lost"), now)
        else:
            it = step(it, Sight(attempt.number, Nothing()), now)
    raise AssertionError(it)


# --- one event at a time --------------------------------------------------------------------------------------------

DIALLING = after(asked(), Ready())
CALLING = after(DIALLING, Placed(1, "c-1"))
CHECKING = after(DIALLING, Lost(1, "no answer from ZIWO"))
PICKED_UP = after(CALLING, Sight(1, Up("c-1", True, False)))

TABLE: list[tuple[Callback, Event, str, str | None]] = [
    (asked(), Busy(), "waiting", None),
    (asked(), Ready(), "dialling", None),
    (asked(), Held("no network", 10), "waiting", None),
    (asked(), Cancel(), "cancelled", None),
    (asked(), Placed(1, "c-1"), "waiting", None),
    (DIALLING, Placed(1, "c-1"), "calling", None),
    (DIALLING, NotPlaced(1, "agent", "not connected"), "waiting", "agent"),
    (DIALLING, NotPlaced(1, "contact", "forbidden"), "failed", None),
    (DIALLING, NotPlaced(1, "ours", "no network", 10), "waiting", None),
    (DIALLING, Lost(1, "lost"), "checking", None),
    (DIALLING, Cancel(), "dialling", None),
    (DIALLING, Ready(), "dialling", None),
    (DIALLING, Busy(), "dialling", None),
    (DIALLING, Placed(2, "c-1"), "dialling", None),
    (CALLING, Lost(1, "lost"), "calling", None),
    (CALLING, Sight(1, Nothing()), "calling", None),
    (CALLING, Sight(1, Up("c-1", False, False)), "calling", None),
    (CALLING, Sight(1, Up("c-1", True, False)), "calling", None),
    (CALLING, Sight(1, Up("c-1", True, True)), "connected", "connected"),
    (CALLING, Sight(1, Over("c-1", True, False)), "connected", "connected"),
    (CALLING, Sight(1, Over("c-1", False, False)), "waiting", "agent"),
    (CALLING, Sight(1, Over("c-1", False, True)), "waiting", "no answer"),
    (PICKED_UP, Sight(1, Over("c-1", False, False)), "waiting", "no answer"),
    (CALLING, Trouble(1, "no network", 10), "calling", None),
    (CHECKING, Sight(1, Nothing()), "checking", None),
    (CHECKING, Sight(1, Up("c-1", False, False)), "calling", None),
    (CHECKING, Sight(1, Over("c-1", True, True)), "connected", "connected"),
    (CHECKING, Sight(1, Over("c-1", False, True)), "checking", None),  # so soon, that may be a call before the dial
    (CALLING, Sight(1, Over("c-2", False, True)), "calling", None),
    (CALLING, Sight(1, Over("C-1", False, True)), "waiting", "no answer"),
    (CHECKING, Placed(1, "c-1"), "calling", None),  # the answer came after all: another process had given it up
    (CHECKING, NotPlaced(1, "agent", "not connected"), "waiting", "agent"),
]


@pytest.mark.parametrize(("it", "event", "state", "outcome"), TABLE)
def test_what_an_event_does(it: Callback, event: Event, state: str, outcome: str | None) -> None:
    found = step(it, event, NOW + 1)
    assert found.state == state
    assert (found.attempts[-1].outcome if found.attempts else None) == outcome


def test_the_pauses() -> None:
    rung = step(CALLING, Sight(1, Over("c-1", False, False)), NOW + 30)
    assert (rung.extension, rung.due_at) == ("5555", NOW + 50)
    busy_visitor = step(CALLING, Sight(1, Over("c-1", False, True)), NOW + 30)
    assert (busy_visitor.extension, busy_visitor.round, busy_visitor.due_at) == ("0011", 1, NOW + 50)
    offline = step(DIALLING, NotPlaced(1, "agent", "not connected"), NOW + 1)
    assert (offline.extension, offline.due_at) == ("5555", NOW + 1)  # nothing rang
    all_busy = after(asked(), Busy(), Busy())
    assert (all_busy.extension, all_busy.round, all_busy.due_at) == ("0011", 0, NOW + 20)
    half_busy = after(rung, Busy(), now=NOW + 50)
    assert (half_busy.round, half_busy.due_at) == (1, NOW + 70)
    looked = step(CALLING, Sight(1, Nothing()), NOW + 100)
    assert looked.due_at == NOW + 110  # the time limits are over: more slowly


def test_it_becomes_unclear_at_its_time_and_not_before() -> None:
    attempt = CHECKING.attempt
    assert attempt is not None
    end = deadline(CHECKING, attempt)
    assert end == NOW + 15 + 60 + 300
    assert step(CHECKING, Sight(1, Nothing()), end - 0.1).state == "checking"
    assert step(CHECKING, Sight(1, Nothing()), end).state == "unclear"
    assert step(CALLING, Sight(1, Up("c-1", False, False)), end).state == "unclear"
    assert step(CALLING, Sight(1, Up("c-1", True, True)), end).state == "connected"
    assert step(CHECKING, Sight(1, Over("c-1", False, False)), end).state == "waiting"
    # Trouble with asking has the whole window, from its beginning: a restart may come long after the deadline.
    troubled = step(CHECKING, Trouble(1, "no network", 10), end + 5000)
    assert troubled.state == "checking"
    assert step(troubled, Trouble(1, "no network", 10), end + 5299).state == "checking"
    assert step(troubled, Trouble(1, "no network", 10), end + 5300).state == "unclear"


@pytest.mark.parametrize("it", [CALLING, CHECKING])
def test_a_record_without_the_id_counts_when_the_agent_would_have_the_call(it: Callback) -> None:
    over = Sight(1, Over("c-2", False, True))
    early = step(it, over, NOW + 9.9)
    assert early.state == it.state
    assert early.call_id == it.call_id
    assert step(early, over, NOW + 10).state == "waiting"


def test_a_callback_that_expired_dials_no_more() -> None:
    assert step(asked(), Ready(), NOW + 900).reason == "expired"
    held = step(asked(), Held("no network", 10), NOW + 1)
    assert "no network" in step(held, Ready(), NOW + 900).why


def test_cancelled_while_a_call_is_under_way() -> None:
    stopped = step(CALLING, Cancel(), NOW + 1)
    assert (stopped.state, stopped.stop) == ("calling", True)
    assert step(stopped, Sight(1, Over("c-1", False, False)), NOW + 2).state == "cancelled"
    assert step(stopped, Sight(1, Up("c-1", True, True)), NOW + 2).state == "connected"
    assert step(step(DIALLING, Cancel(), NOW), NotPlaced(1, "ours", "no", 1), NOW).state == "cancelled"


def test_a_callback_in_words() -> None:
    assert asked().attempt is None
    assert asked().call_id is None
    assert CALLING.call_id == "c-1"
    assert CALLING.attempt == Attempt(number=1, round=0, extension="0011", began_at=NOW, call_id="c-1")
