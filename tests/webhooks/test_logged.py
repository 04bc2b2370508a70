"""Start calls out of the logs of a tracker, whose shape nobody knows."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ziwo_async import CallTrackerLog
from ziwo_async.webhooks.logged import LoggedStart, read_log

DID, CALLER = "061234567", "+971501111111"
FORM = {"didCalled": DID, "callerIDNumber": CALLER}
CDR = {"callID": "fdf893f5", "didCalled": DID, "hangupCause": "NORMAL_CLEARING", "endRawTime": 1468150623}
RULES = [{"action": "call", "number": "0505874603", "callerID": "042789926", "timeout": 10}]
ANSWER = {"result": True, "content": {"didCalled": DID, "rules": RULES}, "info": {}}


def multipart(fields: dict[str, str], end: str = "\r\n") -> str:
    parts = "".join(
        f'--xyz{end}Content-Disposition: form-data; name="{name}"{end}{end}{value}{end}'
        for name, value in fields.items()
    )
    return f"{parts}--xyz--{end}"


@pytest.mark.parametrize(
    "record",
    [
        FORM,
        {"id": 1, "createdAt": "2026-03-01T12:00:00.000Z", **FORM},
        {"request": FORM},
        {"request": {"body": {"fields": [FORM]}}},
        {"request": json.dumps(FORM)},
        {"request": json.dumps({"body": json.dumps(FORM)})},
        {"request": urlencode(FORM)},
        {"request": multipart(FORM)},
        {"request": multipart(FORM, "\n")},
        {"request": multipart({**FORM, "more": "x" * 99})[:-50]},
        {"request": [{"name": name, "value": value} for name, value in FORM.items()]},
        {"request": [{"key": name, "value": value} for name, value in FORM.items()]},
        {"data": {"request": FORM, "response": ANSWER}},
        {"response": ANSWER, "request": FORM},
        {"didCalled": DID, "request": FORM},
        {"request": {"did_called": DID, "callerIDNumber": CALLER}},
        {"type": "startCall", "request": {"DIDCalled": 61234567, "callerIDNumber": CALLER}},
    ],
)
def test_the_call_is_found_wherever_it_is(record: dict[str, Any]) -> None:
    found = read_log(record)
    assert isinstance(found, LoggedStart)
    assert found.start.did_called in (DID, "61234567")
    assert found.start.caller == CALLER
    # What the command gets has secrets and addresses hidden.
    again = read_log(CallTrackerLog.model_validate(record).model_dump(by_alias=True, exclude_unset=True))
    assert isinstance(again, LoggedStart)
    assert (again.start.did_called, again.start.caller) == (found.start.did_called, CALLER)


@pytest.mark.parametrize(
    "record",
    [
        {"request": '{"didCalled":"061234567","callerIDNumb'},
        {"request": '{"url":"https:***","didCalled":"061234567"'},
        {"request": "{'didCalled': '061234567'}"},
        {"request": "Array ( [didCalled] => 061234567 )"},
        {"request": "didCalled: 061234567"},
        {"request": multipart(FORM)[:-50]},
        {"request": multipart({"didCalled": DID})[:-9]},
        {"response": ANSWER},
        ANSWER["content"],
    ],
)
def test_what_is_left_of_a_record_is_enough(record: dict[str, Any]) -> None:
    found = read_log(record)
    assert isinstance(found, LoggedStart)
    assert found.start.did_called == DID
    assert found.start.caller is None


@pytest.mark.parametrize(
    "record",
    [
        CDR,
        {"request": CDR, "response": {"result": True}},
        {"request": json.dumps(CDR)},
        {"request": json.dumps(CDR)[:-10]},
        {"type": "end", "request": FORM},
        {"type": "endCall"},
        {"requestType": "END_REQUEST", "request": {"didCalled": DID}},
        {"url": "https://***@crm.example/endCall?***", "request": {"didCalled": DID}},
    ],
)
def test_an_end_call_is_none(record: dict[str, Any]) -> None:
    assert read_log(record) == "end"


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"id": 1, "type": "start", "url": "https://crm.example/startCall", "status": 200},
        {"request": {"didCalled": ""}},
        {"request": {"didCalled": None}},
        {"request": {"didCalled": {"a": 1}}},
        {"request": "{"},
        {"request": "didCalled"},
        {"request": "--xyz\r\ndidCalled"},
        {"didcalled": []},
    ],
)
def test_a_record_without_it_says_so(record: dict[str, Any]) -> None:
    assert read_log(record) == "unclear"


def test_the_answer_of_then_and_its_time() -> None:
    found = read_log({"createdAt": "2026-03-01T12:00:00.000Z", "request": FORM, "response": json.dumps(ANSWER)})
    assert isinstance(found, LoggedStart)
    assert found.rules == tuple(RULES)
    assert found.at == "2026-03-01T12:00:00.000Z"
    found = read_log({"request": FORM, "rules": "none"})
    assert isinstance(found, LoggedStart)
    assert (found.rules, found.at) == (None, "")
    found = read_log({"timestamp": 1468150623, "request": FORM, "response": {"rules": []}})
    assert isinstance(found, LoggedStart)
    assert (found.rules, found.at) == ((), "1468150623")


def test_the_callers_field_has_the_name_that_the_service_says() -> None:
    found = read_log({"didCalled": DID, "request": {"didCalled": DID, "from": CALLER}}, caller_field="from")
    assert isinstance(found, LoggedStart)
    assert found.start.caller == CALLER


def test_other_fields_stay() -> None:
    found = read_log({"request": urlencode({**FORM, "callID": "a-b", "lang": "ar"})})
    assert isinstance(found, LoggedStart)
    assert (found.start.call_id, (found.start.model_extra or {})["lang"]) == ("a-b", "ar")


def test_depth_and_length_are_bounded() -> None:
    deep: Any = FORM
    for _ in range(50):
        deep = {"a": deep}
    assert read_log(deep) == "unclear"
    assert read_log({"request": "name=" * 100_000 + "didCalled=1"}) == "unclear"


# --- any shape --------------------------------------------------------------------------------------------------------

leaves = st.sampled_from(
    [
        FORM,
        json.dumps(FORM),
        urlencode(FORM),
        multipart(FORM),
        [{"name": name, "value": value} for name, value in FORM.items()],
    ]
)
noise = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b", "status"]), inner, max_size=2)
    ),
    max_leaves=5,
)


@st.composite
def wrapped(draw: st.DrawFn) -> Any:
    value: Any = draw(leaves)
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["object", "list", "json"]))
        if kind == "object":
            value = {"a": draw(noise), draw(st.sampled_from(["request", "body", "data"])): value}
        elif kind == "list":
            value = [draw(noise), value]
        elif not isinstance(value, str):
            value = json.dumps(value)
    return {"id": draw(st.integers()), "request": value, "more": draw(noise)}


@settings(max_examples=80)
@given(record=wrapped())
def test_in_any_shape(record: dict[str, Any]) -> None:
    found = read_log(record)
    assert isinstance(found, LoggedStart)
    assert (found.start.did_called, found.start.caller) == (DID, CALLER)


@settings(max_examples=50)
@given(record=st.dictionaries(st.text(max_size=10), noise | st.text(), max_size=5))
def test_nothing_makes_it_fail(record: dict[str, Any]) -> None:
    assert isinstance(read_log(record), (LoggedStart, str))
