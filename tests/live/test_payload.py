"""What may stand in an event: an envelope as object or text, nothing, a refusal, rubbish."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ziwo_async.live.payload import Content, Nothing, Refused, read_payload

GOOD = {"result": True, "content": {"7": {"id": 7}}, "info": {"status": 200}}


@pytest.mark.parametrize("form", [GOOD, json.dumps(GOOD), json.dumps(GOOD).encode()], ids=["object", "text", "bytes"])
def test_an_envelope_is_read_as_object_and_as_text(form: object) -> None:
    assert read_payload((form,)) == Content({"7": {"id": 7}})


@pytest.mark.parametrize("args", [(), (None,), ("",), (" ",), ("null",)])
def test_nothing_means_nothing(args: tuple[object, ...]) -> None:
    assert read_payload(args) == Nothing()


@pytest.mark.parametrize("content", [[], {}, None, "text", 5])
def test_any_content_is_given_on(content: Any) -> None:
    assert read_payload(({"result": True, "content": content},)) == Content(content)


@pytest.mark.parametrize(
    ("envelope", "status", "text"),
    [
        ({"result": False, "error": {"message": "no"}, "info": {"status": 403}}, 403, "no"),
        ({"result": True, "content": [], "info": {"status": 500}}, 500, ""),
        ({"result": True, "content": [], "info": {"status": "403"}}, 403, ""),
        ({"result": False, "error": "plain"}, None, "plain"),
        ({"result": False, "message": "bye\nbye"}, None, "bye bye"),
        ({"result": "false", "content": {"message": "inside"}}, None, "inside"),
    ],
)
def test_a_refusal_tells_status_and_words(envelope: dict[str, Any], status: int | None, text: str) -> None:
    found = read_payload((envelope,))
    assert found == Refused(status, text)
    assert (text or "no reason given") in str(found)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("{", "it is no JSON"),
        ("NaN", "it is no JSON"),
        (5, "it is no envelope but a int"),
        ([1], "it is no envelope but a list"),
        ({"result": True}, "it has no content"),
    ],
)
def test_rubbish_is_named(value: object, problem: str) -> None:
    assert read_payload((value,)) == Nothing(problem)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists) | st.binary())
def test_no_argument_breaks_it(value: object) -> None:
    assert isinstance(read_payload((value,)), Content | Refused | Nothing)
