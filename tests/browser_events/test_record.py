"""The address of a record: numbers, and what a page must not open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ziwo_async import BadArgument
from ziwo_async.browser import plain_number, record_url, safe_url

CUSTOMER = "https://crm.example/+971501234567"


@pytest.mark.parametrize(
    ("number", "plain"),
    [
        ("+971 50 123 4567", "+971501234567"),
        ("00971501234567", "+971501234567"),
        ("+971 (0)50-123-4567", "+971501234567"),
        ("0501234567", "0501234567"),
        ("0011", "0011"),
        ("agent-0011", "0011"),
        ("Anonymous", ""),
        ("", ""),
        ("+", ""),
        ("<script>'\"\r\n+971501234567", "971501234567"),
    ],
)
def test_a_number_has_digits_and_a_plus(number: str, plain: str) -> None:
    assert plain_number(number) == plain


def test_a_region_makes_a_national_number_international() -> None:
    pytest.importorskip("phonenumbers")
    assert plain_number("050 123 4567", region="ae") == "+971501234567"
    assert plain_number("0011", region="AE") == "0011"
    with pytest.raises(BadArgument, match="no region"):
        plain_number("0501234567", region="XX")


@given(st.text())
def test_whatever_a_number_is_nothing_else_is_left(number: str) -> None:
    assert set(plain_number(number)) <= set("+0123456789")


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example/customers?phone=%2B971501234567",
        "http://127.0.0.1:8080/",
        "HTTPS://crm.example/#/customers/1",
        "https://[2001:db8::1]/x",
    ],
)
def test_what_a_page_may_open(url: str) -> None:
    assert safe_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\nscript:alert(1)",
        "java\tscript:alert(1)",
        " javascript:alert(1)",
        "\x01javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "blob:https://crm.example/x",
        "file:///etc/passwd",
        "//crm.example/",
        "/customers",
        "https:crm.example",
        "https:///crm.example",
        "https:\\\\crm.example",
        "https://crm.example\r\nSet-Cookie: a=b",
        "https://crm.example/\r\n\r\n<script>",
        "https://crm.example/a b",
        'https://crm.example/"onload=',
        "https://user:secret@crm.example/",
        "https://user@crm.example/",
        "https://crm.example:99999/",
        "https://[::1/",
        "https://crm.example/\u2028",
        "https://cr\u043c.example/",
        "https://crm.example/" + "x" * 3000,
        "",
    ],
)
def test_what_a_page_must_not_open(url: str) -> None:
    with pytest.raises(BadArgument) as refused:
        safe_url(url)
    assert "secret" not in str(refused.value)


async def test_a_record_is_asked_for_by_a_plain_number() -> None:
    async def later(number: str) -> str:
        return f"https://crm.example/{number}"

    assert await record_url(lambda number: f"https://crm.example/{number}", "00971 50 1234567") == CUSTOMER
    assert await record_url(later, "+971 501") == "https://crm.example/+971501"
    assert await record_url(lambda number: None, "+971501") is None


async def test_nobody_is_asked_about_a_hidden_number() -> None:
    def never(number: str) -> str:
        raise AssertionError

    assert await record_url(never, "anonymous") is None


@pytest.mark.parametrize("answer", ["javascript:alert(1)", "https://x/\r\n", 5, b"https://x/"])
async def test_an_unsafe_record_is_refused(answer: object) -> None:
    with pytest.raises(BadArgument):
        await record_url(lambda number: answer, "+971501")  # type: ignore[arg-type, return-value]
