"""JSON-RPC envelopes: everything a server may send is decoded, nothing is raised; what we send has limits."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ziwo_async.errors import BadFrame
from ziwo_async.verto.frames import (
    MAX_DEPTH,
    MAX_INBOUND,
    MAX_OUTBOUND,
    BatchFrame,
    ErrorFrame,
    RequestFrame,
    ResultFrame,
    UnreadableFrame,
    decode,
    encode_error,
    encode_request,
    encode_result,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def reason(raw: str | bytes) -> str:
    frame = decode(raw)
    assert isinstance(frame, UnreadableFrame)
    return frame.reason


def reply(frame_id: str) -> Any:
    frame = decode(f'{{"jsonrpc":"2.0","id":{frame_id},"result":{{}}}}')
    assert isinstance(frame, ResultFrame)
    return frame.id


# -- what a frame is ---------------------------------------------------------------------------------------------------


def test_a_frame_with_a_method_is_a_request_whatever_else_it_holds() -> None:
    raw = '{"jsonrpc":"2.0","id":7,"method":"verto.bye","params":{"callID":"a"},"result":{},"error":{}}'
    assert decode(raw) == RequestFrame("verto.bye", {"callID": "a"}, 7)


def test_a_frame_with_a_result_is_a_reply_even_beside_an_error() -> None:
    assert decode('{"jsonrpc":"2.0","id":7,"result":{"a":1},"error":{}}') == ResultFrame(7, {"a": 1})


@pytest.mark.parametrize("plain", ["5", "null", '"text"', "[1,2]", "true"])
def test_a_result_that_is_no_object_stands_under_value(plain: str) -> None:
    raw = f'{{"jsonrpc":"2.0","id":7,"result":{plain}}}'
    assert decode(raw) == ResultFrame(7, {"value": json.loads(plain)})


def test_an_error_keeps_its_code_its_words_and_all_its_members() -> None:
    raw = '{"jsonrpc":"2.0","id":7,"error":{"code":-32002,"message":"CODEC ERROR","callID":"a"}}'
    data = {"code": -32002, "message": "CODEC ERROR", "callID": "a"}
    assert decode(raw) == ErrorFrame(7, -32002, "CODEC ERROR", data)


@pytest.mark.parametrize(
    ("error", "data"),
    [
        ("{}", {}),
        ('{"unauthorizedChannels":["x"]}', {"unauthorizedChannels": ["x"]}),
        ('{"code":true,"message":5}', {"code": True, "message": 5}),
        ('{"code":"-32002"}', {"code": "-32002"}),
        ('"words"', {"value": "words"}),
        ("null", {"value": None}),
    ],
)
def test_an_error_may_lack_code_and_message_or_have_them_mistyped(error: str, data: dict[str, Any]) -> None:
    assert decode(f'{{"jsonrpc":"2.0","id":null,"error":{error}}}') == ErrorFrame(None, None, "", data)


def test_both_texts_of_a_doubled_message_are_kept_the_precise_one_first() -> None:
    raw = (
        '{"jsonrpc":"2.0","id":2,"error":{"message":"Cannot create channel","causeCode":27,'
        '"cause":"DESTINATION_OUT_OF_ORDER","message":"CALL ERROR","code":-32002}}'
    )
    for form in (raw, raw.encode()):
        frame = decode(form)
        assert isinstance(frame, ErrorFrame)
        assert frame.message == "Cannot create channel: CALL ERROR"
        assert (frame.code, frame.data["causeCode"]) == (-32002, 27)


def test_a_single_call_error_is_told_once() -> None:
    frame = decode('{"jsonrpc":"2.0","id":2,"error":{"message":"CALL ERROR","code":-32002}}')
    assert isinstance(frame, ErrorFrame)
    assert frame.message == "CALL ERROR"


def test_missing_or_null_params_are_an_empty_object() -> None:
    assert decode('{"jsonrpc":"2.0","id":1,"method":"verto.punt"}') == RequestFrame("verto.punt", {}, 1)
    assert decode('{"jsonrpc":"2.0","id":1,"method":"verto.punt","params":null}') == RequestFrame("verto.punt", {}, 1)


def test_a_missing_id_is_none() -> None:
    assert decode('{"jsonrpc":"2.0","method":"verto.punt","params":{}}') == RequestFrame("verto.punt", {}, None)


@pytest.mark.parametrize(
    ("raw", "id_"),
    [
        ("7", 7), ('"7"', 7), ("7.0", 7), ("-7", -7), ("-0.0", 0), ("7.5", 7.5), ('"x"', "x"), ('""', ""),
        ('"²"', "²"), ('"-7"', "-7"), ("null", None), ("12345678901234567890", 12345678901234567890),
        ('"123456789012345678"', 123456789012345678), ('"1234567890123456789"', "1234567890123456789"),
        ("1e18", 10**18), ("1e400", math.inf),
    ],
)  # fmt: skip
def test_ids_that_mean_the_same_number_are_the_same_id(raw: str, id_: object) -> None:
    assert reply(raw) == id_
    assert type(reply(raw)) is type(id_)


@pytest.mark.parametrize("bad", ["true", "false", "{}", "[7]", '{"a":1}'])
def test_an_id_that_is_neither_number_nor_text_makes_the_frame_unreadable(bad: str) -> None:
    assert reason(f'{{"jsonrpc":"2.0","id":{bad},"result":{{}}}}') == "the id is neither a number nor a string"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("5", "not a JSON object"),
        ('"text"', "not a JSON object"),
        ("null", "not a JSON object"),
        ("{}", "not JSON-RPC 2.0"),
        ('{"jsonrpc":"1.0","id":1,"result":{}}', "not JSON-RPC 2.0"),
        ('{"jsonrpc":2.0,"id":1,"result":{}}', "not JSON-RPC 2.0"),
        ('{"jsonrpc":"2.0","id":1}', "neither method nor result nor error"),
        ('{"jsonrpc":"2.0","id":1,"method":5}', "the method is not a string"),
        ('{"jsonrpc":"2.0","id":1,"method":"m","params":[]}', "the params are not an object"),
        ('{"jsonrpc":"2.0","id":1,"method":"m","params":"x"}', "the params are not an object"),
    ],
)
def test_what_is_no_json_rpc_is_unreadable_and_says_why(raw: str, why: str) -> None:
    frame = decode(raw)
    assert frame == UnreadableFrame(why, raw, len(raw))


@pytest.mark.parametrize("raw", ["", "{not json", "#SPU 10", "\ufeff{}", "{} trailing", '{"a":NaN}', '{"a":Infinity}'])
def test_what_is_no_json_is_unreadable_and_shown(raw: str) -> None:
    frame = decode(raw)
    assert isinstance(frame, UnreadableFrame)
    assert frame.reason.startswith("not JSON: ")
    assert (frame.text, frame.size) == (raw, len(raw))


def test_lone_surrogates_are_unreadable_escaped_or_raw() -> None:
    assert reason('{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":"\\ud800"}}').startswith("not JSON")
    frame = decode('{"a":"\ud800"}')
    assert isinstance(frame, UnreadableFrame)
    assert frame.reason.startswith("not JSON")
    assert frame.text == '{"a":"?"}'


def test_bytes_are_read_as_utf_8_and_bad_bytes_are_unreadable() -> None:
    raw = '{"jsonrpc":"2.0","id":1,"method":"é","params":{}}'
    assert decode(raw.encode()) == decode(raw) == RequestFrame("é", {}, 1)
    frame = decode(b'{"jsonrpc":"2.0","id":1,"method":"\xff"}')
    assert isinstance(frame, UnreadableFrame)
    assert "\ufffd" in frame.text


# -- batches -----------------------------------------------------------------------------------------------------------


def test_a_batch_is_the_list_of_its_frames() -> None:
    raw = '[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"method":"m"},5]'
    first, second, third = ResultFrame(1, {}), RequestFrame("m", {}, 2), UnreadableFrame("not a JSON object", "5", 78)
    assert decode(raw) == BatchFrame((first, second, third))
    assert len(raw) == 78


def test_an_empty_batch_holds_nothing_and_a_batch_in_a_batch_is_unreadable() -> None:
    assert decode("[]") == BatchFrame(())
    assert decode("[[]]") == BatchFrame((UnreadableFrame("not a JSON object", "[]", 4),))


# -- limits ------------------------------------------------------------------------------------------------------------


def padded(size: int) -> str:
    shell = '{"jsonrpc":"2.0","id":1,"result":{"a":""}}'
    return shell.replace('""', '"' + "x" * (size - len(shell)) + '"')


@pytest.mark.parametrize("as_bytes", [False, True])
def test_a_frame_of_one_mebibyte_is_read_and_one_more_byte_is_not(as_bytes: bool) -> None:
    fits, over = padded(MAX_INBOUND), padded(MAX_INBOUND + 1)
    assert isinstance(decode(fits.encode() if as_bytes else fits), ResultFrame)
    frame = decode(over.encode() if as_bytes else over)
    assert isinstance(frame, UnreadableFrame)
    assert frame.reason == f"too large: {MAX_INBOUND + 1} bytes, the limit is {MAX_INBOUND}"
    assert (frame.text, frame.size) == (over[:2_000], MAX_INBOUND + 1)


def nested(depth: int, kind: str) -> str:
    inner = ('{"a":' * (depth - 2) + "1" + "}" * (depth - 2)) if kind == "{" else "[" * (depth - 2) + "]" * (depth - 2)
    return f'{{"jsonrpc":"2.0","id":1,"result":{{"a":{inner}}}}}'


@pytest.mark.parametrize("kind", ["{", "["])
@pytest.mark.parametrize("as_bytes", [False, True])
def test_nesting_up_to_the_limit_is_read_and_more_is_not(kind: str, as_bytes: bool) -> None:
    # The parser lets arrays be one level deeper than objects.
    limit = MAX_DEPTH + (kind == "[")
    fits, over = nested(limit, kind), nested(limit + 1, kind)
    assert isinstance(decode(fits.encode() if as_bytes else fits), ResultFrame)
    assert reason(over.encode() if as_bytes else over) == f"nested deeper than {MAX_DEPTH} levels"


def test_many_brackets_side_by_side_are_not_deep() -> None:
    raw = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"a": [[] for _ in range(500)], "b": "{[" * 100}})
    assert isinstance(decode(raw), ResultFrame)


@pytest.mark.parametrize("depth", [202, 5_000, 400_000])
def test_absurd_nesting_is_unreadable_and_does_not_overflow_the_stack(depth: int) -> None:
    assert reason("[" * depth + "]" * depth).startswith(("nested deeper", "not JSON"))


def test_absurdly_long_numbers_are_unreadable_and_not_an_error() -> None:
    digits = "9" * 5_000
    for raw in (f'{{"jsonrpc":"2.0","id":{digits},"result":{{}}}}', f'[{{"jsonrpc":"2.0","result":{digits}}}]'):
        assert reason(raw).startswith("not JSON")


# -- properties --------------------------------------------------------------------------------------------------------


@given(st.text() | st.binary())
def test_decoding_any_text_never_raises(raw: str | bytes) -> None:
    decode(raw)


@given(JSON)
def test_decoding_any_json_never_raises(value: Any) -> None:
    decode(json.dumps(value))


@given(
    st.fixed_dictionaries(
        {"jsonrpc": st.just("2.0") | JSON},
        optional=dict.fromkeys(("id", "method", "params", "result", "error"), JSON),
    )
)
def test_decoding_any_envelope_never_raises(value: Any) -> None:
    decode(json.dumps(value))
    decode(json.dumps([value, value]))


FINITE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("k") | st.just("é"), inner, max_size=2),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(["callID", "sdp", "x"]), FINITE, max_size=3)


@given(st.integers(1, 2**53), OBJECTS)
def test_what_is_encoded_decodes_to_the_same(frame_id: int, values: dict[str, Any]) -> None:
    assert decode(encode_request(frame_id, "verto.x", values)) == RequestFrame("verto.x", values, frame_id)
    assert decode(encode_result(frame_id, values)) == ResultFrame(frame_id, values)
    refused = {"code": -32002, "message": "no", **values}
    assert decode(encode_error(frame_id, refused)) == ErrorFrame(frame_id, -32002, "no", refused)


# -- encoding ----------------------------------------------------------------------------------------------------------


def test_frames_are_written_compact_and_with_their_own_letters() -> None:
    assert encode_request(1, "m", {"a": "é"}) == '{"jsonrpc":"2.0","method":"m","params":{"a":"é"},"id":1}'
    assert encode_result(1, {"a": 1}) == '{"jsonrpc":"2.0","id":1,"result":{"a":1}}'
    assert encode_error(None, {}) == '{"jsonrpc":"2.0","id":null,"error":{}}'


def test_the_size_limit_counts_bytes_not_letters() -> None:
    room = MAX_OUTBOUND - len(encode_request(1, "m", {"a": ""}))
    assert len(encode_request(1, "m", {"a": "x" * room})) == MAX_OUTBOUND
    with pytest.raises(BadFrame, match=r"m would be 1000000 bytes and the server closes the socket at 1000000"):
        encode_request(1, "m", {"a": "x" * (room + 1)})
    with pytest.raises(BadFrame, match="bytes"):
        encode_request(1, "m", {"a": "é" * (room // 2 + 1)})


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, "\ud800", object(), b"x", {1, 2}, pytest.param(10**5_000, id="huge")]
)
def test_what_is_no_json_is_not_sent_and_the_error_does_not_quote_it(value: object) -> None:
    with pytest.raises(BadFrame, match="cannot be written as JSON") as caught:
        encode_request(1, "login", {"passwd": "hunter2", "x": value})
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_circle_and_a_bottomless_object_are_not_sent() -> None:
    circle: dict[str, Any] = {}
    circle["again"] = circle
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    for params in (circle, deep):
        with pytest.raises(BadFrame, match="cannot be written"):
            encode_request(1, "m", params)


def test_replies_and_errors_obey_the_same_limits() -> None:
    with pytest.raises(BadFrame, match="a reply"):
        encode_result(1, {"a": math.nan})
    with pytest.raises(BadFrame, match="an error"):
        encode_error(1, {"a": "x" * MAX_OUTBOUND})
