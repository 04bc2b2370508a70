"""The call machine: a total table, and an exhaustive walk over everything that can happen to one call.

The walk goes breadth-first over configurations of the machine: what decides how it takes the next input. 22 inputs in
every order up to length 6 are 113 million sequences, but lead to a few dozen configurations only. That a configuration
decides everything is not assumed: all 234 256 sequences of length 4 are also played by brute force, and every step must
agree with the walk.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from itertools import product

import pytest

from ziwo_async.events import DialogEvent, DialogState, Event, FlowViolation, PartyChanged
from ziwo_async.verto.call import CallMachine
from ziwo_async.verto.flow import Verdict, check_flow
from ziwo_async.verto.messages import Attach, Bye, Display, Invite
from ziwo_async.verto.table import BEGINNING, ROWS, TABLE, Ignore, Input, Move, Violate, restored

_S = DialogState
STATES = (BEGINNING, *DialogState)
INVITE = Invite.read({"callID": "c", "sdp": "v=0", "caller_id_number": "+1"})
ATTACH = Attach.read({"callID": "c", "sdp": "v=0", "callee_id_number": "+1", "display_direction": "inbound"})

INPUTS: dict[str, Callable[[CallMachine, float], list[Event]]] = {
    "dial": lambda call, at: call.dial("+1", at),
    "offered": lambda call, at: call.offered(INVITE, at),
    "attached": lambda call, at: call.attached(ATTACH, at),
    "found answered": lambda call, at: call.feed(Input.FOUND_ANSWERED, at),
    "renegotiate": lambda call, at: call.feed(Input.RENEGOTIATE, at),
    "created": lambda call, at: call.feed(Input.CREATED, at),
    "refused": lambda call, at: call.refused("X", 1, at),
    "media": lambda call, at: call.media_arrived({}, at, answered=False),
    "answered": lambda call, at: call.media_arrived({}, at, answered=True),
    "answer": lambda call, at: call.feed(Input.ANSWER, at),
    "answer ok": lambda call, at: call.feed(Input.ANSWER_OK, at),
    "answer failed": lambda call, at: call.feed(Input.ANSWER_FAILED, at),
    "held": lambda call, at: call.hold_state(held=True, at=at),
    "resumed": lambda call, at: call.hold_state(held=False, at=at),
    "attach ok": lambda call, at: call.feed(Input.ATTACH_OK, at),
    "attach failed": lambda call, at: call.attach_failed(at),
    "bye": lambda call, at: call.ended(Bye("c", "Y", 2), at),
    "hang up": lambda call, at: call.hang_up("Z", 3, at),
    "bye confirmed": lambda call, at: call.feed(Input.BYE_CONFIRMED, at),
    "bye timeout": lambda call, at: call.feed(Input.BYE_TIMEOUT, at),
    "gone": lambda call, at: call.gone(at),
    "lost": lambda call, at: call.connection_lost(at),
    "display": lambda call, at: call.displayed(Display("c", "n", "1", {}), at),
}

Config = tuple[object, ...]
Outcome = tuple[str, ...]


def test_every_input_of_the_table_is_walked() -> None:
    assert len(INPUTS) == len(Input) == 23


# -- the table ---------------------------------------------------------------------------------------------------------


def test_the_table_has_an_entry_for_every_state_and_input() -> None:
    assert set(TABLE) == set(product(STATES, Input))
    assert {(state, what): entry for state, row in ROWS.items() for what, entry in row.items()} == TABLE


def test_every_entry_moves_ignores_with_a_reason_violates_with_a_reason_or_restores() -> None:
    for (state, what), entry in TABLE.items():
        if isinstance(entry, Move):
            assert entry.path, (state, what)
        elif isinstance(entry, Ignore | Violate):
            assert entry.reason, (state, what)
        else:
            assert entry is restored
            assert (state, what) == (_S.RECOVERING, Input.ATTACH_OK)


def test_destroy_absorbs_everything_and_hangup_lets_only_destroy_follow() -> None:
    ends = {Input.BYE, Input.BYE_CONFIRMED, Input.BYE_TIMEOUT, Input.GONE, Input.LOST, Input.REFUSED}
    for what in Input:
        assert isinstance(TABLE[_S.DESTROY, what], Ignore)
        entry = TABLE[_S.HANGUP, what]
        if what in ends:
            assert entry == Move(((_S.DESTROY, False),))
        else:
            assert isinstance(entry, Ignore)


def test_a_call_begins_only_by_dialling_an_offer_or_an_attach() -> None:
    moves = {what: entry for what in Input if isinstance(entry := TABLE[BEGINNING, what], Move)}
    assert moves == {
        Input.DIAL: Move(((_S.REQUESTING, False),)),
        Input.OFFERED: Move(((_S.RINGING, False),)),
        Input.ATTACHED: Move(((_S.RECOVERING, False),)),
    }
    assert all(isinstance(TABLE[BEGINNING, what], Violate) for what in Input if what not in moves)


def test_every_path_of_the_table_is_a_documented_one_from_where_it_begins() -> None:
    roads = {
        BEGINNING: "", "requesting": "requesting", "trying": "requesting trying", "early": "requesting trying early",
        "ringing": "ringing", "answering": "ringing answering", "active": "ringing answering active",
        "held": "ringing answering active held", "recovering": "recovering", "hangup": "ringing hangup",
    }  # fmt: skip
    for (state, _), entry in TABLE.items():
        if isinstance(entry, Move):
            road = roads[state].split() + [word for word, _ in entry.path]
            assert check_flow(road).verdict is Verdict.DOCUMENTED


def test_only_jumps_of_the_server_over_a_state_are_inferred() -> None:
    inferred = {
        key: [str(state) for state, by_us in entry.path if by_us]
        for key, entry in TABLE.items()
        if isinstance(entry, Move) and any(by_us for _, by_us in entry.path)
    }
    assert inferred == {
        (_S.REQUESTING, Input.MEDIA): ["trying"],
        (_S.REQUESTING, Input.ANSWERED): ["trying", "early"],
        (_S.TRYING, Input.ANSWERED): ["early"],
        # The ledger of a killed process may be older than the answer.
        (_S.REQUESTING, Input.FOUND_ANSWERED): ["trying", "early", "active"],
        (_S.TRYING, Input.FOUND_ANSWERED): ["early", "active"],
        (_S.EARLY, Input.FOUND_ANSWERED): ["active"],
        (_S.RINGING, Input.FOUND_ANSWERED): ["answering", "active"],
    }


def test_every_live_state_can_end() -> None:
    over = Move(((_S.HANGUP, False), (_S.DESTROY, False)))
    for state in DialogState:
        if state not in ("hangup", "destroy"):
            assert TABLE[state, Input.BYE] == TABLE[state, Input.GONE] == over
            assert TABLE[state, Input.HANGUP] == Move(((_S.HANGUP, False),))


TALKING = "ringing answering active"

# -- the documented flows, by hand -------------------------------------------------------------------------------------


def played(*inputs: str) -> str:
    call, events = CallMachine("c"), []
    for index, name in enumerate(inputs):
        events += INPUTS[name](call, float(index))
    assert not any(isinstance(event, FlowViolation) for event in events)
    return " ".join(f"{step.state}{'*' if step.inferred else ''}" for step in call.flow)


@pytest.mark.parametrize(
    ("inputs", "flow"),
    [
        ("dial,created,media,answered,bye", "requesting trying early active hangup destroy"),
        ("dial,created,answered,hang up,bye confirmed", "requesting trying early* active hangup destroy"),
        ("dial,media,created,answered,bye", "requesting trying* early active hangup destroy"),
        ("dial,answered,created,bye", "requesting trying* early* active hangup destroy"),
        ("dial,refused", "requesting hangup destroy"),
        ("dial,created,bye", "requesting trying hangup destroy"),
        ("dial,hang up,created,bye confirmed", "requesting hangup destroy"),
        ("dial,lost", "requesting hangup destroy"),
        ("offered,answer,answer ok,bye", "ringing answering active hangup destroy"),
        ("offered,bye", "ringing hangup destroy"),
        ("offered,lost", "ringing hangup destroy"),
        ("offered,answer,answer failed,answer,answer ok,bye", "ringing answering active hangup destroy"),
        ("offered,answer,lost,attached,attach ok,bye", "ringing answering recovering active hangup destroy"),
        ("offered,answer,answer ok,held,resumed,bye", "ringing answering active held active hangup destroy"),
        ("offered,answer,answer ok,lost,attached,attach ok", "ringing answering active recovering active"),
        ("offered,answer,answer ok,held,lost,attached,attach ok", "ringing answering active held recovering held"),
        ("offered,answer,answer ok,lost,gone", "ringing answering active hangup destroy"),
        (
            "offered,answer,answer ok,lost,attached,lost,attached,attach ok",
            "ringing answering active recovering active",
        ),
        ("offered,answer,answer ok,lost,attached,attach failed", "ringing answering active recovering hangup destroy"),
        ("offered,answer,answer ok,attached,attach ok,bye", "ringing answering active hangup destroy"),
        ("attached,attach ok,held,bye", "recovering active held hangup destroy"),
    ],
)
def test_what_happens_gives_the_documented_flow(inputs: str, flow: str) -> None:
    assert played(*inputs.split(",")) == flow


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ("bye", "the call was not begun"),
        ("offered,created", "this message belongs to outbound calls"),
        ("offered,media", "this message belongs to outbound calls"),
        ("offered,answer ok", "an answer was accepted that we did not send"),
        ("dial,answer", "only an inbound call can be answered by us"),
        ("dial,dial", "the call was already begun"),
        ("offered,offered", "the server offered a call that is already there"),
        ("dial,held", "a call that is not answered cannot be held"),
        ("offered,bye confirmed", "a bye was confirmed that we did not send"),
    ],
)
def test_what_has_no_place_is_told_as_a_violation_and_changes_nothing(inputs: str, reason: str) -> None:
    call = CallMachine("c")
    *before, last = inputs.split(",")
    for name in before:
        INPUTS[name](call, 1.0)
    state = call.state
    (event,) = INPUTS[last](call, 2.0)
    assert isinstance(event, FlowViolation)
    assert (event.reason, event.state, event.call_id) == (reason, state, "c")
    assert call.state is state


def test_the_first_reason_for_the_end_is_the_one_that_stays() -> None:
    call = CallMachine("c")
    for name in ("offered", "hang up", "bye"):
        INPUTS[name](call, 1.0)
    assert (call.data.hangup_cause, call.data.hangup_cause_code, call.data.hangup_by) == ("Z", 3, "local")


def test_what_a_call_is_does_not_change_with_a_second_beginning() -> None:
    call = CallMachine("c")
    INPUTS["dial"](call, 1.0)
    INPUTS["offered"](call, 2.0)
    assert (call.data.direction, call.data.customer_number) == ("outbound", "+1")
    assert not call.is_answered
    assert not call.is_inbound_ringing


def test_a_call_says_what_it_is() -> None:
    call = CallMachine("c")
    assert not call.is_outbound
    assert call.data is call.data
    INPUTS["dial"](call, 1.0)
    assert call.is_outbound
    INPUTS["answered"](call, 2.0)
    assert call.is_answered
    INPUTS["bye"](call, 3.0)
    assert call.is_over


# -- the exhaustive walk -----------------------------------------------------------------------------------------------


def config(call: CallMachine) -> Config:
    """What decides how the machine takes the next input: nothing else of it is asked by the code."""
    return (call.state, call._resume, call.detached, call.bye_pending)


def step(call: CallMachine, name: str, at: float) -> Outcome:
    """Give one input; return what was published, and check what must hold for every step."""
    before, flow = call.state, call.flow
    events = INPUTS[name](call, at)
    words: list[str] = []
    for event in events:
        assert event.call_id == "c"  # type: ignore[attr-defined]
        if isinstance(event, DialogEvent):
            words.append(f"{event.state}{'*' if event.inferred else ''}")
            assert event.state_flow[-1].state == event.state
            assert event.state == type(event).STATE
        else:
            assert isinstance(event, FlowViolation | PartyChanged)
            words.append(type(event).__name__)
    if before is _S.DESTROY:
        assert words == []
    assert call.flow[: len(flow)] == flow
    assert [str(item.state) for item in call.flow[len(flow) :]] == [w.rstrip("*") for w in words if w[0].islower()]
    assert (call.flow[-1].state if call.flow else None) is call.state
    assert not (call.is_over and (call.detached or call.bye_pending))
    return tuple(words)


def replay(path: tuple[str, ...]) -> CallMachine:
    call = CallMachine("c")
    for index, name in enumerate(path):
        INPUTS[name](call, float(index))
    return call


def check_whole_flow(call: CallMachine) -> None:
    states = [item.state for item in call.flow]
    assert check_flow(call.flow).verdict is not Verdict.VIOLATION, states
    assert states.count(_S.DESTROY) <= 1
    if _S.DESTROY in states:
        assert states[-2:] == [_S.HANGUP, _S.DESTROY]
    dates = [item.date_unix for item in call.flow]
    assert dates == sorted(dates)


def walk(depth: int) -> dict[tuple[Config, str], tuple[Config, Outcome]]:
    """Every (configuration, input) that can be reached within `depth` inputs, and what it leads to."""
    table: dict[tuple[Config, str], tuple[Config, Outcome]] = {}
    frontier: dict[Config, tuple[str, ...]] = {config(CallMachine("c")): ()}
    seen = set(frontier)
    for _ in range(depth):
        found: dict[Config, tuple[str, ...]] = {}
        for here, path in frontier.items():
            for name in INPUTS:
                call = replay(path)
                outcome = step(call, name, float(len(path)))
                check_whole_flow(call)
                there = config(call)
                table[here, name] = (there, outcome)
                if there not in seen:
                    seen.add(there)
                    found[there] = (*path, name)
        frontier = found
    assert depth < 6 or not frontier, "longer sequences lead to new configurations"
    return table


def test_every_sequence_of_up_to_six_inputs_and_longer_keeps_to_the_documented_flow() -> None:
    """The walk closes before six inputs: no longer sequence reaches anything new either."""
    table = walk(8)
    configs = {here for here, _ in table}
    assert {there for there, _ in table.values()} <= configs
    assert len(table) == len(configs) * len(INPUTS)
    assert {here[0] for here in configs} == set(STATES)


def test_every_call_that_began_can_be_drained_to_exactly_one_destroy() -> None:
    table = walk(8)
    for start in {here for here, _ in table}:
        words: list[str] = []
        at = start
        for name in ("lost", "gone", "bye timeout"):
            at, outcome = table[at, name]
            words += outcome
        if start[0] is not BEGINNING:
            assert at[0] is _S.DESTROY
            assert words in ([], ["destroy"], ["hangup", "destroy"])


def twin(call: CallMachine) -> CallMachine:
    """A copy that goes its own way (what is shared is never changed in place)."""
    other = copy(call)
    other._fields = dict(call._fields)
    return other


def test_the_configuration_decides_as_brute_force_over_every_short_sequence_shows() -> None:
    """Plays all 23^4 sequences of four inputs and compares every step with what the walk says."""
    table = walk(8)
    played_steps = 0

    def go_on(call: CallMachine, length: int) -> None:
        nonlocal played_steps
        here = config(call)
        for name, give in INPUTS.items():
            other = twin(call)
            outcome = tuple(_word(event) for event in give(other, float(length)))
            played_steps += 1
            assert (config(other), outcome) == table[here, name], [str(item.state) for item in call.flow]
            if length < 3:
                go_on(other, length + 1)

    go_on(CallMachine("c"), 0)
    assert played_steps == 23 + 23**2 + 23**3 + 23**4


def _word(event: Event) -> str:
    if isinstance(event, DialogEvent):
        return f"{event.state}{'*' if event.inferred else ''}"
    return type(event).__name__
