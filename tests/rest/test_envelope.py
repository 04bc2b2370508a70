"""The envelope: pure functions over the shapes that ZIWO's servers are known to answer."""

from __future__ import annotations

from contextlib import suppress
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ziwo_async.errors import ApiError, Conflict, Forbidden, NotFound, RateLimited, ServerError
from ziwo_async.rest.envelope import (
    Reply,
    as_list,
    as_object,
    decode,
    error_for,
    error_text,
    retry_after_seconds,
    total,
    unwrap,
    words_of,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["result", "content", "info", "error", "message"]) | st.text(max_size=3), inner, max_size=4
        )
    ),
    max_leaves=12,
)


def opened(value: object) -> Reply:
    return unwrap(value, status=200, method="GET", path="/x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "content", "info"),
    [
        ({"result": True, "content": {"a": 1}, "info": {"total": 3}}, {"a": 1}, {"total": 3}),
        ({"result": True, "content": [], "info": []}, [], {}),
        ({"result": True}, None, {}),
        ({"content": [1]}, [1], {}),
        ({"result": True, "content": "bye", "info": "deprecated"}, "bye", {}),
        ({"endpoint": "/storage"}, {"endpoint": "/storage"}, {}),
        ([1, 2], [1, 2], {}),
        (None, None, {}),
        ("ok", "ok", {}),
    ],
)
def test_unwrap(value, content, info):
    reply = opened(value)
    assert (reply.content, reply.info, reply.status) == (content, info, 200)


@pytest.mark.parametrize("result", [False, 0, "false"])
def test_result_false(result):
    with pytest.raises(ApiError, match="queue closed"):
        opened({"result": result, "content": {}, "message": "queue closed"})


def test_the_repr_has_no_content():
    assert "CANARY" not in repr(opened({"result": True, "content": {"ccPassword": "CANARY"}}))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"error": {"message": "a"}, "message": "b", "content": {"message": "c"}, "info": "d"}, "a"),
        ({"error": {}, "message": "b", "content": {"message": "c"}, "info": "d"}, "b"),
        ({"error": {"message": " "}, "content": {"message": "c"}, "info": "d"}, "c"),
        ({"content": [], "info": "d"}, "d"),
        ({"info": {"message": "e"}}, "e"),
        ({"info": {"status": 412, "why": "already out", "more": "x"}}, "already out; x"),
        ({"error": "plain"}, "plain"),
        ({"error": {"message": 5}}, ""),
        ({"info": []}, ""),
        ({"message": "two\r\nlines\x00\x1b[31m"}, "two lines [31m"),
        ([], ""),
        (None, ""),
    ],
)
def test_the_servers_own_words(value, text):
    assert error_text(value) == text


def test_words_are_cut():
    assert len(error_text({"message": "x" * 100_000})) == 300


@given(JSON)
def test_no_json_value_breaks_the_envelope(value):
    if isinstance(value, dict) and value.get("result", True) in (False, 0, "false"):
        with pytest.raises(ApiError) as caught:
            opened(value)
        assert caught.value.message.isprintable()
        return
    reply = opened(value)
    as_object(reply.content)
    as_list(reply.content)
    assert reply.total is None or reply.total >= 0


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_a_value_error(body):
    words_of(body)
    with suppress(ValueError):
        decode(body)


@pytest.mark.parametrize("body", [b"", b"  \n"])
def test_an_empty_body_is_nothing(body):
    assert decode(body) is None


@pytest.mark.parametrize("body", [b"NaN", b"[Infinity]", b"{", b"<html>", b"[" * 100_000, b'"\\ud800"'])
def test_what_is_no_json(body):
    with pytest.raises(ValueError, match=r"."):
        decode(body)


@pytest.mark.parametrize(
    ("content", "expected"), [({"a": 1}, {"a": 1}), ([], {}), (None, {}), ([1], None), ("x", None), (5, None)]
)
def test_as_object(content, expected):
    assert as_object(content) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([1], [1]),
        ([], []),
        (None, []),
        ({}, []),
        ({"7": {"id": 7}, "8": {"id": 8}}, [{"id": 7}, {"id": 8}]),
        ({"id": 7, "name": "x"}, [{"id": 7, "name": "x"}]),
        ("x", None),
    ],
)
def test_as_list(content, expected):
    assert as_list(content) == expected


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"total": 5}, 5),
        ({"totalRecords": 6}, 6),
        ({"total": "7"}, 7),
        ({"total": None, "totalRecords": 8}, 8),
        ({"total": True}, None),
        ({"total": -1}, None),
        ({"total": "9" * 5000}, None),
        ({}, None),
    ],
)
def test_total(info, expected):
    assert total(info) == expected


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ApiError),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (412, Conflict),
        (429, RateLimited),
        (500, ServerError),
        (599, ServerError),
    ],
)
def test_the_error_for_a_status(status, kind):
    error = error_for(status, "why", method="GET", path="/x", retry_after=2.0)
    assert type(error) is kind
    assert "why" in str(error)
    assert getattr(error, "retry_after", 2.0) == 2.0


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("0", 0.0),
        ("12", 12.0),
        (" 1.5 ", 1.5),
        ("-3", None),
        ("soon", None),
        ("", None),
        ("1e9", None),
        ("inf", None),
        ("٣", None),
        ("9" * 400, None),
        (formatdate(1_000_030, usegmt=True), 30.0),
        (formatdate(999_000, usegmt=True), 0.0),
        ("Mon, 99 Xxx 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after(header, expected):
    assert retry_after_seconds(header, now=lambda: 1_000_000) == expected
