"""What a page still has to be told: any order of events, losses and late pages."""

from __future__ import annotations

import asyncio
import json

from hypothesis import given
from hypothesis import strategies as st

from ziwo_async import CallData, DialogEvent, DialogState, Direction, StateFlowItem
from ziwo_async.browser.backlog import Backlog
from ziwo_async.events import STATE_EVENTS


def event(call_id: str, *states: str, padding: str = "") -> DialogEvent:
    flow = tuple(StateFlowItem.at(DialogState(state), 1e9 + number) for number, state in enumerate(states))
    common = {"call_id": call_id, "primary_call_id": call_id, "customer_number": "1", "direction": Direction.INBOUND}
    data = CallData.model_validate({**common, "caller_id_name": padding})
    return STATE_EVENTS[DialogState(states[-1])].model_validate({**common, "state_flow": flow, "current_call": data})


def told(backlog: Backlog, after: str) -> list[str] | None:
    found = backlog.after(after)
    return None if found is None else [json.loads(text)["callID"] for _, text in found]


async def test_a_page_goes_on_from_its_last_event() -> None:
    backlog = Backlog()
    start, _ = backlog.everything()
    for number in range(5):
        backlog.add(event(str(number), "ringing"))
    assert told(backlog, start) == ["0", "1", "2", "3", "4"]
    events = backlog.after(start)
    assert events is not None
    assert told(backlog, events[2][0]) == ["3", "4"]
    assert told(backlog, events[4][0]) == []
    assert backlog.is_last(events[4][0])


async def test_nobody_goes_on_from_an_id_of_elsewhere() -> None:
    backlog = Backlog()
    for bad in ("", "x", "-1", "x-1", f"{backlog.id_of(0)[:-1]}{'9' * 30}", backlog.id_of(1), f"{backlog.id_of(0)} ",
                backlog.id_of(0)[:-1] + "\N{ARABIC-INDIC DIGIT ZERO}", Backlog().id_of(0)):  # fmt: skip
        assert backlog.after(bad) is None, bad


async def test_calls_are_there_until_they_are_destroyed() -> None:
    backlog = Backlog()
    backlog.add(event("a", "ringing"))
    backlog.add(event("b", "ringing"))
    backlog.add(event("a", "ringing", "hangup"))
    assert {key: str(known.state) for key, known in backlog.calls.items()} == {"b": "ringing", "a": "hangup"}
    backlog.add(event("a", "ringing", "hangup", "destroy"))
    assert list(backlog.calls) == ["b"]
    at, calls = backlog.everything()
    assert [call["callID"] for call in calls] == ["b"]
    assert backlog.is_last(at)


async def test_what_is_known_already_is_not_told_again() -> None:
    backlog = Backlog()
    backlog.begin_anew([event("a", "ringing", "answering", "active")])
    start, _ = backlog.everything()
    backlog.add(event("a", "ringing", "answering"))  # was under way when the calls were looked at
    backlog.add(event("a", "ringing", "answering", "active"))
    assert told(backlog, start) == []
    backlog.add(event("a", "ringing", "answering", "active", "held"))
    assert told(backlog, start) == ["a"]


async def test_to_begin_anew_with_the_calls_of_now_keeps_them() -> None:
    backlog = Backlog()
    backlog.add(event("a", "ringing"))
    start, _ = backlog.everything()
    backlog.begin_anew(backlog.calls.values())
    assert list(backlog.calls) == ["a"]
    assert told(backlog, start) is None


async def test_memory_is_bounded_by_events_and_by_their_length() -> None:
    backlog = Backlog(most=10, characters=20_000)
    ids = []
    for number in range(100):
        backlog.add(event(f"{number}", "ringing", padding="x" * 5_000))
        ids.append(backlog.id_of(number + 1))
    assert told(backlog, ids[-20]) is None
    assert 1 <= len(told(backlog, ids[-3]) or []) <= 3
    assert len(backlog._events) < 10
    backlog.add(event("huge", "ringing", padding="x" * 100_000))
    assert len(backlog._events) == 1
    assert told(backlog, ids[-1]) == ["huge"]


async def test_calls_are_bounded_too() -> None:
    backlog = Backlog()
    for number in range(1_100):
        backlog.add(event(str(number), "ringing"))
    assert len(backlog.calls) == 1_000
    assert "0" not in backlog.calls


async def test_waiting_ends_with_an_event() -> None:
    backlog = Backlog()
    waiting = asyncio.create_task(backlog.wait(600))
    await asyncio.sleep(0)
    backlog.add(event("a", "ringing"))
    async with asyncio.timeout(20):
        await waiting
    await backlog.wait(0.01)


@given(st.lists(st.one_of(st.just("event"), st.just("anew"), st.sampled_from(["page 0", "page 1"])), max_size=60))
def test_each_page_is_told_each_event_once_or_all_calls(steps: list[str]) -> None:
    asyncio.run(_walk(steps))


async def _walk(steps: list[str]) -> None:
    backlog = Backlog(most=5)
    at = {"page 0": "", "page 1": ""}
    seen: dict[str, list[str]] = {"page 0": [], "page 1": []}
    published: list[str] = []
    for number, step in enumerate(steps):
        match step:
            case "event":
                backlog.add(event(str(number), "ringing"))
                published.append(str(number))
            case "anew":
                backlog.begin_anew(list(backlog.calls.values()))
            case page:
                missed = backlog.after(at[page])
                if missed is None:
                    at[page], calls = backlog.everything()
                    seen[page] += [str(call["callID"]) for call in calls if call["callID"] not in seen[page]]
                for at[page], text in missed or ():
                    seen[page].append(json.loads(text)["callID"])
                assert seen[page] == published
                assert backlog.is_last(at[page])
