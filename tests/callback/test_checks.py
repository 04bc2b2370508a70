"""What is refused before anything is stored: numbers, agents, limits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ziwo_async.callback import CallbackService, SqliteCallbacks
from ziwo_async.callback.checks import check_contact, check_key
from ziwo_async.errors import BadArgument, ConfigError
from ziwo_async.rest.prepared import segment


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("+97150000000", "+97150000000"),
        (" +971 (0)5 000 00 00 ", "+97150000000"),
        ("00971-5.000\u00a0000", "009715000000"),
        ("(050) 123\u20114567", "0501234567"),
        ("1234567", "1234567"),
    ],
)
def test_a_number_that_can_be_called(typed: str, number: str) -> None:
    assert check_contact(typed) == number


@pytest.mark.parametrize(
    "typed",
    [
        "", " ", "112", "999", "123456", "*97#", "+", "+0501234567", "0501234567,0501234568", "0501234567;ext=1",
        "050 123 4567\r\nX: 1", "0501234567\x00", "a@b.example", "sip:0501234567", "0501234567/../../admin",
        "5e1234567", "++97150000000", "97150+000000", "+" + "1" * 16, "1" * 18, "1 " * 40,
        "\u0660\u0665\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667",
    ],
)  # fmt: skip
def test_what_is_no_number(typed: str) -> None:
    with pytest.raises(BadArgument):
        check_contact(typed)


@pytest.mark.parametrize("typed", [None, 97150000000, b"+97150000000", ["+97150000000"]])
def test_what_is_no_text(typed: Any) -> None:
    with pytest.raises(BadArgument, match="text"):
        check_contact(typed)


@given(st.text(st.sampled_from("+00123456789 ()-.,;@/*#a\r\n\x00%?&\u0660"), max_size=24) | st.text(max_size=30))
def test_nothing_but_digits_comes_through(typed: str) -> None:
    try:
        number = check_contact(typed)
    except BadArgument:
        return
    assert number.isascii()
    assert number.removeprefix("+").isdigit()
    assert 7 <= len(number) <= 17
    assert check_contact(number) == number
    assert segment(number).replace("%2B", "+") == number


@pytest.mark.parametrize("key", ["", "k" * 201, "a\nb", 5])
def test_keys(key: Any) -> None:
    assert check_key(None) is None
    assert check_key("form-1") == "form-1"
    with pytest.raises(BadArgument):
        check_key(key)


def service(tmp_path, extensions: Any = ("0011",), **options: Any) -> CallbackService:
    from ziwo_async import ZiwoClient

    ziwo = ZiwoClient("acme", api_key="CANARY")
    return CallbackService(ziwo, extensions, store=SqliteCallbacks(tmp_path / "callbacks.sqlite"), **options)


@pytest.mark.parametrize(
    "extensions", [(), "0011", 11, [11], [""], [" "], ["a\nb"], ["x" * 65], ["0011", "0011"], ["0"] * 51]
)
def test_agents_that_cannot_be(tmp_path, extensions) -> None:
    with pytest.raises(BadArgument):
        service(tmp_path, extensions)


@pytest.mark.parametrize("extension", ["33176431477", "+971", "+33 1 84 13 16 02", "00331841316"])
def test_numbers_of_the_contact_centre_have_no_known_route(tmp_path, extension) -> None:
    with pytest.raises(BadArgument, match="no route is known"):
        service(tmp_path, ["0011", extension])


@pytest.mark.parametrize(
    "options",
    [
        {"retries": -1}, {"retries": 21}, {"retries": 1.5}, {"retries": True}, {"timeout": 0}, {"timeout": "60"},
        {"timeout": float("nan")}, {"extension_timeout": -1}, {"extension_delay": -1},
        {"extension_delay": float("inf")}, {"resolve_within": 0}, {"every": 0}, {"expires_after": 0},
        {"expires_after": float("inf")}, {"keep": 0},
        {"per_contact": 0}, {"most_open": 0}, {"caller_id": "not a number"},
    ],
)  # fmt: skip
def test_options_that_cannot_be(tmp_path, options) -> None:
    with pytest.raises(BadArgument):
        service(tmp_path, **options)
    assert not (tmp_path / "callbacks.sqlite").exists()


def test_the_number_that_the_visitor_sees_has_no_known_parameter(tmp_path) -> None:
    with pytest.raises(ConfigError, match="no parameter of click to call"):
        service(tmp_path, caller_id="+97140000000")


def test_the_documented_example_of_the_widget(tmp_path) -> None:
    """ZIWO's own figures; its extensions are numbers, for which agents stand here."""
    made = service(
        tmp_path, ["0011", "0012"], retries=2, timeout=60, extension_timeout=15, extension_delay=20
    )  # fmt: skip
    assert repr(made) == "<CallbackService by 0011, 0012>"
    assert not made.running
