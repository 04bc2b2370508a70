"""Bodies of all three kinds: what was written is read, and no bytes do anything but be read or refused."""

from __future__ import annotations

import json
from contextlib import suppress
from urllib.parse import urlencode

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ziwo_async.webhooks.body import fields_of
from ziwo_async.webhooks.request import Refused

# Without surrogates, which no body can carry.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
# A browser or a library writes a line break in a name in some way of its own.
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
fields = st.dictionaries(names, texts, max_size=8)


async def multipart(given_fields: dict[str, str]) -> tuple[bytes, bytes]:
    """As aiohttp's client writes it."""
    data = aiohttp.FormData(default_to_multipart=True, quote_fields=False)
    for name, value in given_fields.items():
        data.add_field(name, value)
    payload = data()
    return await payload.as_bytes(), payload.content_type.encode() + b"; boundary=" + _boundary(payload)


def _boundary(payload: object) -> bytes:
    return str(payload.boundary).encode()  # type: ignore[attr-defined]


@settings(max_examples=50)
@given(st.dictionaries(st.text("abcXYZ019_[]-.", min_size=1), texts, min_size=1, max_size=8))
async def test_multipart_by_aiohttp(given_fields: dict[str, str]) -> None:
    body, kind = await multipart(given_fields)
    assert fields_of(body, kind) == given_fields


@settings(max_examples=50)
@given(fields)
def test_urlencoded(given_fields: dict[str, str]) -> None:
    assert (
        fields_of(urlencode(given_fields).encode(), b"application/x-www-form-urlencoded; charset=UTF-8") == given_fields
    )


@settings(max_examples=50)
@given(st.dictionaries(texts, st.recursive(texts | st.integers(-(2**60), 2**60) | st.none(), st.lists, max_leaves=8)))
def test_json(given_fields: dict[str, object]) -> None:
    body = json.dumps(given_fields).encode()
    for kind in (b"application/json", b"Application/JSON ; charset=utf-8", b"text/json", b"application/vnd.x+json"):
        assert fields_of(body, kind) == given_fields
    assert fields_of(b"\xef\xbb\xbf" + body, b"application/json") == given_fields


KINDS = (
    None,
    b"",
    b"application/json",
    b"application/x-www-form-urlencoded",
    b"multipart/form-data; boundary=x",
    b'multipart/form-data; boundary="x"',
)


@settings(max_examples=300)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.sampled_from(
                [
                    b"--x",
                    b"\r\n",
                    b"--",
                    b"Content-Disposition: form-data; ",
                    b'name="a"',
                    b"name=a",
                    b":",
                    b"v",
                    b"\xff",
                ]
            ),
            max_size=20,
        ).map(b"".join),
    ),
    st.one_of(st.sampled_from(KINDS), st.binary(max_size=60)),
)
def test_no_bytes_do_anything_but_be_read_or_refused(body: bytes, kind: bytes | None) -> None:
    with suppress(Refused):
        json.dumps(fields_of(body, kind), ensure_ascii=False).encode()


def part(*headers: str, value: bytes = b"06") -> bytes:
    return b"--x\r\n" + "".join(f"{header}\r\n" for header in headers).encode() + b"\r\n" + value + b"\r\n--x--\r\n"


@pytest.mark.parametrize(
    "disposition",
    [
        'form-data; name="didCalled"',
        "form-data; name=didCalled",
        'form-data;name="didCalled"',
        'Form-Data ; NAME="didCalled"',
        "form-data; x=y; name=didCalled",
    ],
)
def test_spellings_of_a_name(disposition: str) -> None:
    body = part(f"content-disposition: {disposition}", "Content-Type: text/plain; charset=utf-8")
    assert fields_of(body, b'multipart/form-data; charset=x; boundary="x"') == {"didCalled": "06"}


def test_text_around_the_parts_is_no_part_of_them() -> None:
    body = b"before\r\n" + part('Content-Disposition: form-data; name="a"', value=b"\r\n1\r\n--y\r\n") + b"after"
    assert fields_of(body, b"multipart/form-data; boundary=x") == {"a": "\r\n1\r\n--y\r\n"}


def test_a_file_is_no_field() -> None:
    body = part('Content-Disposition: form-data; name="a"; filename="b.bin"', value=b"\xff\x00")
    assert fields_of(body, b"multipart/form-data; boundary=x") == {}


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("Content-Disposition: attachment; name=a",),
        ("Content-Disposition: form-data",),
        ('Content-Disposition: form-data; name=""',),
        ("Content-Disposition: form-data; name=a", "Content-Transfer-Encoding: base64"),
        ("Content-Disposition: form-data; name=a", "X: " + "x" * 5000),
    ],
)
def test_parts_that_cannot_be_read_are_refused(headers: tuple[str, ...]) -> None:
    with pytest.raises(Refused, match="malformed"):
        fields_of(part(*headers), b"multipart/form-data; boundary=x")


def test_a_value_that_is_no_text_is_refused() -> None:
    with pytest.raises(Refused, match="malformed"):
        fields_of(part("Content-Disposition: form-data; name=a", value=b"\xff"), b"multipart/form-data; boundary=x")


def test_a_name_that_comes_again_has_the_list_of_its_values() -> None:
    assert fields_of(b"a=1&b=&a=2&a=3", b"application/x-www-form-urlencoded") == {"a": ["1", "2", "3"], "b": ""}
    assert fields_of(b"a=&a=", b"application/x-www-form-urlencoded") == {"a": ["", ""]}


def test_without_a_content_type_the_first_character_decides() -> None:
    assert fields_of(b' {"didCalled": "06"}', None) == {"didCalled": "06"}
    assert fields_of(b"didCalled=06\r\n", None) == {"didCalled": "06"}
