"""An exhaustive walk over a session with one outbound and one inbound call.

Every sequence of up to six of the inputs below, breadth-first over what decides how the session goes on; equal
situations are entered once. The first three steps are also played by brute force, to show that nothing was merged
that is not equal.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from itertools import product
from typing import Any

from ziwo_async.errors import CallError
from ziwo_async.events import DialogEvent
from ziwo_async.verto.effects import Effect, Publish
from ziwo_async.verto.flow import Verdict, check_flow
from ziwo_async.verto.session import SessionMachine

from .support import invite, ready_session, reconnect, request, result

CALLS = ("out", "in")


def reply_to(method: str, **members: Any) -> Callable[[SessionMachine, float], list[Effect]]:
    def give(session: SessionMachine, at: float) -> list[Effect]:
        effects: list[Effect] = []
        for request_id, opened in list(session.open_requests.items()):
            if opened.method == method:
                effects += session.receive(result(request_id, **members), at)
        return effects

    return give


def each_bye(session: SessionMachine, at: float) -> list[Effect]:
    return [effect for call_id in CALLS for effect in session.bye_timed_out(call_id, at)]


def lose(session: SessionMachine, at: float) -> list[Effect]:
    return session.disconnected("lost", at)


INPUTS: dict[str, Callable[[SessionMachine, float], list[Effect]]] = {
    "we dial": lambda s, at: s.dial("out", "1", "v=0", at),
    "call created": reply_to("verto.invite"),
    "server answers": lambda s, at: s.receive(request("verto.answer", {"callID": "out", "sdp": "v=0"}), at),
    "server offers": lambda s, at: s.receive(invite("in"), at),
    "we answer": lambda s, at: s.answer("in", "v=0", at),
    "answer accepted": reply_to("verto.answer"),
    "we hang up": lambda s, at: s.hang_up("out", "NORMAL_CLEARING", 16, at),
    "server ends": lambda s, at: s.receive(request("verto.bye", {"callID": "in"}), at),
    "lost and back with both": lambda s, at: lose(s, at) + reconnect(s, *CALLS, at=at),
    "lost and back with none": lambda s, at: lose(s, at) + reconnect(s, at=at),
    "bye times out": each_bye,
}


def situation(session: SessionMachine) -> tuple[object, ...]:
    """What decides how the session goes on."""
    calls = [(c.call_id, c.state, c._resume, c.detached, c.bye_pending, c.media_told) for c in session.calls.values()]
    return (
        session.phase,
        tuple(calls),
        tuple(session.open_requests.values()),
        *(tuple(sorted(map(str, known))) for known in (session.offered_again, session.strangers)),
        tuple(call_id for call_id in CALLS if call_id in session.ended),
        tuple(session.early_byes),
        tuple(call.is_outbound for call in session.calls.values()),
    )


def step(session: SessionMachine, name: str, at: float) -> tuple[str, ...]:
    try:
        effects = INPUTS[name](session, at)
    except CallError as refusal:
        return (type(refusal).__name__,)
    for effect in effects:
        if isinstance(effect, Publish) and isinstance(effect.event, DialogEvent):
            report = check_flow(effect.event.state_flow)
            assert report.verdict is not Verdict.VIOLATION, report.reason
            if effect.event.state == "destroy":
                assert effect.call_id not in session.calls or session.calls[effect.call_id].state != "destroy"
    return tuple(
        f"{effect.call_id} {effect.event.state}"
        if isinstance(effect, Publish) and isinstance(effect.event, DialogEvent)
        else type(effect).__name__
        for effect in effects
    )


Walk = dict[tuple[tuple[object, ...], str], tuple[tuple[object, ...], tuple[str, ...]]]


def walk(depth: int) -> Walk:
    start = ready_session()
    frontier = {situation(start): start}
    seen, table = set(frontier), Walk()
    for level in range(depth):
        found: dict[tuple[object, ...], SessionMachine] = {}
        for here, session in frontier.items():
            for name in INPUTS:
                other = deepcopy(session)
                outcome = step(other, name, float(level + 1))
                there = situation(other)
                table[here, name] = (there, outcome)
                if there not in seen:
                    seen.add(there)
                    found[there] = other
        frontier = found
    return table


def test_every_sequence_of_up_to_six_inputs_keeps_both_calls_in_the_documented_flow() -> None:
    table = walk(6)
    assert len({here for here, _ in table}) > 200


def test_equal_situations_go_on_equally_as_brute_force_over_short_sequences_shows() -> None:
    table = walk(3)
    for names in product(INPUTS, repeat=3):
        session = ready_session()
        for level, name in enumerate(names):
            here = situation(session)
            outcome = step(session, name, float(level + 1))
            assert table[here, name] == (situation(session), outcome), names


def test_a_session_that_is_drained_from_anywhere_has_no_call_left() -> None:
    for names in product(INPUTS, repeat=3):
        session = ready_session()
        for level, name in enumerate(names):
            step(session, name, float(level + 1))
        step(session, "lost and back with none", 9.0)
        assert session.calls == {}
