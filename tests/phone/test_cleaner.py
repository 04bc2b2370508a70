"""What a recording may keep of a frame."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ziwo_async.phone.cleaner import Cleaned, Cleaner
from ziwo_async.verto.frames import MAX_INBOUND, ErrorFrame, decode

CANARY = "canary-4f1d0c"


def params_of(cleaner: Cleaner, **params: Any) -> dict[str, Any]:
    cleaned = cleaner.frame(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "x", "params": params}))
    assert cleaned.frame is not None
    kept: dict[str, Any] = cleaned.frame["params"]
    return kept


@pytest.mark.parametrize(
    "key",
    [
        "passwd", "password", "Password", "ccPassword", "sessid", "sessionId", "session_id", "token", "accessToken",
        "access_token", "refresh-token", "api_key", "apiKey", "Authorization", "client_secret", "credentials",
        "ice-pwd", "ufrag", "fingerprint", "Cookie", "FreeSWITCH-Hostname", "FreeSWITCH-IPv4", "client-address",
    ],
)  # fmt: skip
def test_secrets_go_by_their_key_at_any_depth(key: str) -> None:
    for params in ({key: CANARY}, {"deep": [{"er": {key: CANARY}}]}, {key: {"inner": [CANARY]}}, {key: 12345678}):
        kept = json.dumps(params_of(Cleaner(), **params))
        assert CANARY not in kept
        assert "12345678" not in kept


def test_what_was_seen_as_a_secret_is_hidden_wherever_it_turns_up_later() -> None:
    cleaner = Cleaner()
    params_of(cleaner, passwd=CANARY, sessid=f"{CANARY}-longer")
    assert params_of(cleaner, text=f"it is {CANARY}.", more={CANARY: [CANARY]}) == {
        "text": "it is [hidden].",
        "more": {"[hidden]": ["[hidden]"]},
    }
    assert params_of(cleaner, x=f"{CANARY}-longer") == {"x": "[session-1]"}
    assert cleaner.text(f"close: {CANARY}") == "close: [hidden]"
    assert CANARY not in cleaner.frame(f"#SP {CANARY}").raw
    assert CANARY not in cleaner.frame(CANARY.encode()).raw


def test_short_secrets_are_hidden_by_their_key_only() -> None:
    cleaner = Cleaner()
    assert params_of(cleaner, passwd="a", text="banana") == {"passwd": "[hidden]", "text": "banana"}
    assert params_of(cleaner, text="banana") == {"text": "banana"}


def test_session_ids_are_told_apart_and_stay_the_same() -> None:
    cleaner = Cleaner()
    assert params_of(cleaner, sessid="session-of-one")["sessid"] == "[session-1]"
    assert params_of(cleaner, sessid="session-of-two")["sessid"] == "[session-2]"
    assert params_of(cleaner, sessid="session-of-one")["sessid"] == "[session-1]"


def test_session_descriptions_keep_their_codecs_and_lose_what_opens_the_media() -> None:
    sdp = (
        "v=0\r\na=rtpmap:0 PCMU/8000\r\na=ice-ufrag:CANARY\r\na=ice-pwd:CANARY\r\na=fingerprint:sha-256 CANARY\r\n"
        "a=crypto:1 CANARY\r\na=candidate:1 1 udp 1 192.0.2.1 5000 typ host ufrag CANARY network-cost 10\r\n"
    )
    kept = params_of(Cleaner(mask_numbers=True), sdp=sdp)["sdp"]
    assert "CANARY" not in kept
    assert "a=rtpmap:0 PCMU/8000" in kept
    assert "192.0.2.1 5000 typ host ufrag [hidden] network-cost 10" in kept
    assert "CANARY" not in Cleaner().frame(json.dumps({"sdp": sdp})[:-2]).raw


def test_call_ids_and_frame_ids_stay() -> None:
    call_id = "82def53c-0000-0000-0000-800000000000"
    params: dict[str, Any] = {
        "callID": "call-971500000526",
        "dialogParams": {"callID": call_id, "verto_h_primaryCallID": call_id},
        "reattached_sessions": [call_id, "971500000526"],
        "caller_uuid": call_id,
        "auth-expires": 1795383431,
    }
    assert params_of(Cleaner(mask_numbers=True), **params) == params
    frame = {"jsonrpc": "2.0", "id": 971500000526, "result": {}}
    assert Cleaner(mask_numbers=True).frame(json.dumps(frame)) == Cleaned(frame, "")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("+971500000526", "+9715****526"),
        ("971500000526", "97150****526"),
        ("00971500000526", "00971****526"),
        ('"+971500000526"', '"+9715****526"'),
        ("sip:+971500000526@example.com", "sip:+9715****526@example.com"),
        ("%2B971500000526", "%2B97150****526"),
        ("call +971500000526, or 043000000!", "call +9715****526, or 04****0!"),
        ("1234567", "12****7"),
        ("agent-0011", "agent-0011"),
        ("5555", "5555"),
        ("2026-11-22 17:50:34", "2026-11-22 17:50:34"),
        ("1795369834522805", "1795369834522805"),
    ],
)
def test_telephone_numbers_are_masked_wherever_they_stand(text: str, masked: str) -> None:
    assert params_of(Cleaner(mask_numbers=True), text=text) == {"text": masked}
    assert params_of(Cleaner(), text=text) == {"text": text}


@pytest.mark.parametrize("number", ["+971 50 000 0526", "050-000-0526", "(050) 000 0526", 971500000526])
def test_numbers_in_other_spellings_are_masked_where_a_number_is_expected(number: object) -> None:
    kept = params_of(Cleaner(mask_numbers=True), caller_id_number=number)["caller_id_number"]
    assert "****" in kept
    assert "0526" not in kept


def test_dtmf_digits_are_hidden_with_the_numbers() -> None:
    assert params_of(Cleaner(mask_numbers=True), dtmf="4111#") == {"dtmf": "*****"}
    assert params_of(Cleaner(), dtmf="4111#") == {"dtmf": "4111#"}


def test_a_key_that_stands_twice_is_kept_twice() -> None:
    text = (
        '{"jsonrpc":"2.0","id":7,"error":{"message":"to +971500000526","message":"CALL ERROR","list":[1],'
        '"passwd":"CANARY","code":-32002}}'
    )
    cleaned = Cleaner(mask_numbers=True).frame(text)
    assert cleaned.frame is None
    assert "CANARY" not in cleaned.raw
    frame = decode(cleaned.raw)
    assert isinstance(frame, ErrorFrame)
    assert (frame.id, frame.message) == (7, "to +9715****526: CALL ERROR")


def test_of_a_frame_that_is_too_large_the_beginning_is_kept() -> None:
    text = '{"passwd":"CANARY","a":"' + "x" * MAX_INBOUND
    cleaned = Cleaner().frame(text.encode())
    assert cleaned.size == len(text)
    assert len(cleaned.raw) == 2_000
    assert "CANARY" not in cleaned.raw


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(value=json_values, where=st.sampled_from(["passwd", "sessid", "x-token"]))
def test_whatever_stands_around_a_secret_it_is_not_kept_and_the_rest_is_an_object_again(value: Any, where: str) -> None:
    cleaned = Cleaner().frame(json.dumps({"a": value, "b": [{where: CANARY}], "c": f"<{CANARY}>"}))
    assert cleaned.frame is not None
    # After its key came first it is hidden by value, too.
    assert CANARY not in json.dumps([cleaned.frame["b"], cleaned.frame["c"]])
    assert set(cleaned.frame) == {"a", "b", "c"}
    assert json.loads(json.dumps(cleaned.frame)) == cleaned.frame
