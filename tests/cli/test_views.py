from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from ziwo_async import (
    CallData,
    DialogEvent,
    DialogState,
    Direction,
    Event,
    EventsDropped,
    FlowViolation,
    HangupBy,
    LoginBlocked,
    Muted,
    SessionClosed,
    SessionLost,
    SessionRestored,
    SlowConsumer,
    StateFlowItem,
    parse_event,
)
from ziwo_async.cli.views import Timeline, show_json

NIGHT = 1_767_304_800.0


def dialog(call: str, *states: str, number: str = "+971500000000", inferred: bool = False, **data: object) -> Event:
    steps = [StateFlowItem.at(DialogState(state), NIGHT + at) for at, state in enumerate(states)]
    steps[-1] = steps[-1].model_copy(update={"inferred": inferred})
    current = CallData(
        call_id=call, primary_call_id=call, direction=Direction.INBOUND, customer_number=number
    ).model_copy(update=data)
    event = DialogEvent(
        state=DialogState(states[-1]),
        call_id=call,
        primary_call_id=call,
        customer_number=number,
        direction=Direction.INBOUND,
        state_flow=tuple(steps),
        current_call=current,
    )
    return parse_event(event.to_detail())


@pytest.fixture
def draw() -> Callable[..., list[str]]:
    def drawn(*events: Event) -> list[str]:
        timeline = Timeline(Console(file=io.StringIO(), width=40))
        out = timeline._console.file
        for event in events:
            timeline.show(event)
        assert isinstance(out, io.StringIO)
        return out.getvalue().splitlines()

    return drawn


def test_calls_at_the_same_time_have_a_column_each_and_give_it_back(draw: Callable[..., list[str]]) -> None:
    lines = draw(
        dialog("a", "ringing"),
        dialog("b", "ringing"),
        dialog("a", "ringing", "answering"),
        dialog("a", "ringing", "answering", "active", "hangup", "destroy"),
        dialog("c", "ringing"),
        dialog("b", "ringing", "hangup", "destroy"),
    )
    assert len(lines) == 6  # a narrow console wraps nothing
    assert [line[2:5] for line in lines] == ["┌ 2", "│ ┌", "├ │", "└ │", "┌ │", "│ └"]


def test_who_ended_a_call_and_why(draw: Callable[..., list[str]]) -> None:
    lost, by_us, unknown, over = draw(
        dialog("a", "ringing", "hangup", hangup_cause="X_LOST", hangup_by=HangupBy.LOST),
        dialog("b", "ringing", "hangup", hangup_cause="CALL_REJECTED", hangup_by=HangupBy.LOCAL),
        dialog("c", "ringing", "hangup"),
        dialog("c", "ringing", "active", "destroy"),
    )
    assert lost.endswith("X_LOST, with the connection")
    assert by_us.endswith("CALL_REJECTED, by us")
    assert unknown.endswith("no cause")
    assert "not the documented flow: step 1: 'active' cannot follow 'ringing'; 2.0 s" in over


def test_states_nobody_knows_and_hostile_numbers_are_drawn_harmlessly(draw: Callable[..., list[str]]) -> None:
    strange, hostile, anonymous, inferred = draw(
        dialog("a", "levitating"),
        dialog("b", "ringing", number="\x1b[2J[red]\n"),
        dialog("c", "ringing", number=""),
        dialog("d", "requesting", "trying", "early", inferred=True),
    )
    assert "levitating" in strange
    assert "[2J[red]" in hostile
    assert "\x1b" not in hostile
    assert "no number" in anonymous
    assert inferred.endswith("waits for the customer to pick up (inferred)")


def test_what_happens_to_the_phone_is_told(draw: Callable[..., list[str]]) -> None:
    lines = draw(
        dialog("a", "ringing"),
        SessionLost(reason="cut"),
        SessionRestored(kept=("a",), lost=(), gap_seconds=1.25),
        FlowViolation(call_id="a", state=DialogState.RINGING, input="held", reason="nobody answered"),
        LoginBlocked(reason="duplicate", attempt=1, retry_seconds=24.6),
        SlowConsumer(consumer="a stream", depth=500, limit=1000, lag_seconds=2.04),
        EventsDropped(consumer="a stream", dropped=3),
        SessionClosed(reason="somebody else has it", error="SessionTakenOver"),
        SessionClosed(reason="closed by the program"),
        Muted(call_id="a"),
    )
    told = [line.split(maxsplit=1)[1] for line in lines[1:]]
    assert told == [
        "connection lost: cut; reconnecting",
        "connected again after 1.2 s: 1 calls kept, 0 lost",
        "held in state ringing: nobody answered",
        "somebody else is logged in as this agent; next try in 25 s",
        "a stream is slow: 500 events wait, the oldest for 2.0 s",
        "3 events dropped: a stream",
        "the phone is closed: somebody else has it",
    ]


def test_json_shows_dialog_events_only(capsys: pytest.CaptureFixture[str]) -> None:
    show_json(SessionLost(reason="cut"))
    show_json(dialog("a", "ringing", number="+٩٧١"))
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert out.isascii()
