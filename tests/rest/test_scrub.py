"""Secrets that a server repeats: cut, with other spaces, or in another encoding."""

from __future__ import annotations

import html
import json
import urllib.parse
from collections.abc import Callable

import pytest
from aiohttp import web
from hypothesis import assume, given
from hypothesis import strategies as st

from ziwo_async.errors import ApiError, ApiWarning, BadCredentials
from ziwo_async.rest.scrub import scrub, scrub_data

ODD = "CAN&ARY\"p<w>+ä  two/spaces\\x'%\u00e9\U0001f600"
ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "query": urllib.parse.quote_plus,
    "path": lambda text: urllib.parse.quote(text, safe=""),
    "path in lower case": lambda text: urllib.parse.quote(text, safe="").replace("%C3%A4", "%c3%a4"),
    "html": html.escape,
    "html, every character": lambda text: "".join(
        f"&#{ord(c)};" if not c.isalnum() and c not in "-._~" else c for c in text
    ),
    "json": lambda text: json.dumps(text)[1:-1],
    "json with all letters": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "json with escaped slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "json in json": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    "other spaces": lambda text: " ".join(text.split()),
}


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
def test_a_secret_is_found_in_any_encoding(encode):
    assert scrub(f"<{encode(ODD)}>", [ODD]) == "<***>"


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=1, max_size=20),
    st.sampled_from(list(ENCODINGS.values())),
    st.text(st.characters(codec="utf-8"), max_size=5),
)
def test_no_secret_survives(secret, encode, around):
    written = encode(secret)
    assume(written)
    assert written not in scrub(around + written + around, [secret])


def test_a_secret_that_contains_another_goes_whole():
    assert scrub("tok tok-en", ["tok", "tok-en", ""]) == "*** ***"


def test_spaces_at_the_ends_may_be_missing():
    assert scrub("<s3cret!>", [" s3cret! "]) == "<***>"


def test_in_data_at_any_depth():
    given: dict[str, object] = {"a": ["x-s3cret", 1, {"s3cret": None}]}
    assert scrub_data(given, lambda text: scrub(text, ["s3cret"])) == {"a": ["x-***", 1, {"***": None}]}


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("before", ["x" * 275 + " ", " " * 100_000, "x\n " * 99])
async def test_a_secret_at_the_place_where_words_are_cut(kit, ziwo, status, before):
    async def repeat(request: web.Request) -> web.Response:
        return kit.failed(status, before + request.headers["access_token"])

    ziwo.on("GET", "/p", repeat)
    with pytest.raises(ApiError) as caught:
        await kit.transport(ziwo.url).request("GET", "/p")
    assert "CANARY" not in str(caught.value)
    assert len(caught.value.message) <= 300


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
async def test_a_password_that_the_login_repeats(kit, ziwo, encode):
    async def refuse(request: web.Request) -> web.Response:
        return kit.failed(401, "bad password " + encode(str((await request.post())["password"])))

    ziwo.on("POST", "/auth/login", refuse)
    with pytest.raises(BadCredentials) as caught:
        await kit.transport(ziwo.url, kit.password(ODD)).login()
    assert caught.value.message == "bad password ***"


async def test_info_is_clean_in_the_reply_too(kit, ziwo):
    async def talk(request: web.Request) -> web.Response:
        token = request.headers["access_token"]
        return kit.ok({}, echo=token, accessToken="CANARY-other", nested={"t": [f"is {token}"]}, total=1)

    ziwo.on("GET", "/p", talk)
    transport = kit.transport(ziwo.url)
    with pytest.warns(ApiWarning):
        reply = await transport.request("GET", "/p")
    assert "CANARY" not in f"{reply!r} {reply.info} {reply.warnings}"
    assert (reply.total, reply.info["nested"]) == (1, {"t": ["is ***"]})
