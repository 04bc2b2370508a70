"""The flow checker and the rules of direction and number."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ziwo_async.events import DialogState, StateFlowItem
from ziwo_async.verto import direction as rules
from ziwo_async.verto.flow import DOCUMENTED_INBOUND, DOCUMENTED_OUTBOUND, FlowChecker, Verdict, check_flow

OUT = "requesting trying early active hangup destroy"
IN = "ringing answering active hangup destroy"


def test_the_documented_flows_are_ziwo_s_own() -> None:
    assert " ".join(map(str, DOCUMENTED_OUTBOUND)) == OUT
    assert " ".join(map(str, DOCUMENTED_INBOUND)) == IN


@pytest.mark.parametrize(
    "flow",
    [
        OUT,
        IN,
        "requesting hangup destroy",
        "requesting trying hangup destroy",
        "requesting trying early hangup destroy",
        "ringing hangup destroy",
        "ringing answering hangup destroy",
        "requesting trying early active held active held hangup destroy",
        "requesting trying early active held recovering held active hangup destroy",
        "ringing answering active recovering hangup destroy",
        "ringing answering recovering active hangup destroy",
        "recovering active hangup destroy",
        "recovering held hangup destroy",
    ],
)
def test_a_flow_with_documented_steps_only_is_documented_at_every_moment(flow: str) -> None:
    checker = FlowChecker()
    for word in flow.split():
        report = checker.feed(DialogState(word))
        assert (report.verdict, report.step, report.reason) == (Verdict.DOCUMENTED, None, "")
        assert report.complete == (word == "destroy")
    assert check_flow(flow.split()) == checker.report


@pytest.mark.parametrize(
    ("flow", "step", "reason"),
    [
        ("active", 0, "step 0: 'active' cannot follow the beginning"),
        ("destroy", 0, "step 0: 'destroy' cannot follow the beginning"),
        ("requesting early", 1, "step 1: 'early' cannot follow 'requesting'"),
        ("requesting requesting", 1, "step 1: 'requesting' cannot follow 'requesting'"),
        ("ringing active hangup destroy", 1, "step 1: 'active' cannot follow 'ringing'"),
        (f"{OUT} destroy", 6, "step 6: 'destroy' cannot follow 'destroy'"),
        (f"{IN} ringing", 5, "step 5: 'ringing' cannot follow 'destroy'"),
        ("requesting destroy", 1, "step 1: 'destroy' cannot follow 'requesting'"),
        ("requesting trying early active destroy", 4, "step 4: 'destroy' cannot follow 'active'"),
        ("ringing dancing hangup", 1, "step 1: 'dancing' cannot follow 'ringing'"),
    ],
)
def test_the_step_that_broke_a_flow_is_named(flow: str, step: int, reason: str) -> None:
    report = check_flow(flow.split())
    assert (report.verdict, report.step, report.reason) == (Verdict.VIOLATION, step, reason)


def test_a_violation_stays_the_first_one_and_the_rest_is_judged_from_the_new_state() -> None:
    report = check_flow(["requesting", "early", "active", "trying", "hangup", "destroy"])
    assert (report.verdict, report.step) == (Verdict.VIOLATION, 1)
    assert report.complete


def test_a_flow_with_a_state_in_place_of_the_server_is_inferred_from_that_step_on() -> None:
    steps = [StateFlowItem.at(state, 1.0, inferred=state == "early") for state in DOCUMENTED_OUTBOUND]
    report = check_flow(steps)
    assert (report.verdict, report.step) == (Verdict.INFERRED, 2)
    assert report.reason == "step 2: 'early' was not told by the server"
    twice = [StateFlowItem.at(state, 1.0, inferred=state in ("trying", "early")) for state in DOCUMENTED_OUTBOUND]
    assert check_flow(twice).step == 1


def test_an_inferred_step_never_hides_a_violation() -> None:
    checker = FlowChecker()
    checker.feed(DialogState.ACTIVE)
    assert checker.feed(DialogState.HELD, inferred=True).verdict is Verdict.VIOLATION


def test_an_empty_flow_is_documented_and_open() -> None:
    report = check_flow([])
    assert (report.verdict, report.complete) == (Verdict.DOCUMENTED, False)


@given(st.lists(st.sampled_from(DialogState) | st.text().map(DialogState), max_size=8))
def test_any_flow_is_judged_and_a_broken_one_stays_broken(states: list[DialogState]) -> None:
    checker = FlowChecker()
    broken = False
    for state in states:
        report = checker.feed(state)
        broken = broken or report.verdict is Verdict.VIOLATION
        assert (report.verdict is Verdict.VIOLATION) == broken
    assert check_flow(states) == check_flow([StateFlowItem.at(state, 0.0) for state in states])


# Each state, and all that may follow it: the two documented flows, held and recovering in between, and hangup from
# everywhere. The beginning is empty.
STEPS = {
    "": "requesting ringing recovering",
    "requesting": "trying hangup",
    "trying": "early hangup",
    "early": "active hangup",
    "ringing": "answering hangup",
    "answering": "active recovering hangup",
    "active": "held recovering hangup",
    "held": "active recovering hangup",
    "recovering": "recovering active held hangup",
    "hangup": "destroy",
    "destroy": "",
}  # fmt: skip
# A documented way to each state, by which the checker is brought there.
WAYS = {
    "": "", "requesting": "requesting", "trying": "requesting trying", "early": "requesting trying early",
    "ringing": "ringing", "answering": "ringing answering", "active": "ringing answering active",
    "held": "ringing answering active held", "recovering": "recovering", "hangup": "ringing hangup",
    "destroy": "ringing hangup destroy",
}  # fmt: skip


def test_these_steps_are_documented_and_no_others() -> None:
    assert set(STEPS) == set(WAYS) == {"", *map(str, DialogState)}
    for state, way in WAYS.items():
        for following in DialogState:
            verdict = check_flow([*way.split(), following]).verdict
            wanted = Verdict.DOCUMENTED if str(following) in STEPS[state].split() else Verdict.VIOLATION
            assert verdict is wanted, (state, following)


def test_the_verdicts_are_words_for_people() -> None:
    assert [verdict.value for verdict in Verdict] == ["documented", "inferred", "violation"]


def test_no_state_follows_destroy_and_only_destroy_follows_hangup() -> None:
    for first, second in product(DialogState, repeat=2):
        allowed = check_flow(["requesting", *([first] if first != "requesting" else []), second])
        if first == "destroy" or (first == "hangup" and second != "destroy"):
            assert allowed.verdict is Verdict.VIOLATION


# -- direction and number ----------------------------------------------------------------------------------------------

AGENTS = {"0012", "0013"}


@pytest.mark.parametrize(
    ("number", "direction"),
    [
        ("+97150000000", "outbound"), ("", "outbound"), ("0012", "internal"), ("0014", "outbound"),
        ("agent-0099", "internal"), ("*97", "service"), ("#1", "service"), ("1*2", "outbound"),
    ],
)  # fmt: skip
def test_the_direction_of_a_call_we_make_is_told_by_the_number(number: str, direction: str) -> None:
    assert rules.outbound_direction(number, AGENTS) == direction


@pytest.mark.parametrize(
    ("number", "direction"),
    [
        ("+97150000000", "inbound"),
        ("0012", "internal"),
        ("agent-0099", "internal"),
        ("*97", "inbound"),
        ("", "inbound"),
    ],
)
def test_the_direction_of_a_call_offered_to_us_is_told_by_the_caller(number: str, direction: str) -> None:
    assert rules.inbound_direction(number, AGENTS) == direction


@pytest.mark.parametrize(
    ("shown", "number", "direction"),
    [
        ("inbound", "9196", "outbound"), ("inbound", "*97", "service"), ("inbound", "0012", "internal"),
        ("outbound", "9196", "inbound"), ("", "9196", "inbound"), ("outbound", "agent-1", "internal"),
    ],
)  # fmt: skip
def test_a_re_attached_call_has_the_reverse_of_the_server_s_direction(shown: str, number: str, direction: str) -> None:
    assert rules.attached_direction(shown, number, AGENTS) == direction


def test_the_customer_is_the_original_caller_if_the_server_names_one() -> None:
    assert rules.customer_of({}, "+1") == "+1"
    assert rules.customer_of({"verto_h_originalCallerIdNumber": "+2"}, "+1") == "+2"
    assert rules.customer_of({"verto_h_originalCallerIdNumber": ""}, '"+1"') == "+1"


def test_the_primary_call_is_the_header_s_or_the_call_itself() -> None:
    assert rules.primary_of({"verto_h_primaryCallID": "p"}, "c") == "p"
    assert rules.primary_of({"verto_h_primaryCallID": ""}, "c") == "c"
    assert rules.primary_of({}, "c") == "c"


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("Sales", "Sales"), ('"Sales"', "Sales"), ("{Sales}", "Sales"), ("'Sales'", "Sales"), ('{ "Sales" }', "Sales"),
        ('"', '"'), ('""', ""), ("", ""), ("  Sales ", "Sales"), ('"Sales', '"Sales'), ("{Sales", "{Sales"),
        ('"A" and "B', '"A" and "B'), ("O'Neil", "O'Neil"), ("{}", ""), ("}{", "}{"),
    ],
)  # fmt: skip
def test_quotes_and_braces_around_a_name_are_removed_in_pairs(text: str, bare: str) -> None:
    assert rules.unwrap(text) == bare


@given(st.text())
def test_removing_quotes_is_done_in_one_go(text: str) -> None:
    bare = rules.unwrap(text)
    assert rules.unwrap(bare) == bare
    assert bare in text
