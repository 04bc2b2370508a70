"""What is refused, and with which words."""

from __future__ import annotations

import dataclasses
import pickle
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from ziwo_async import BadArgument, InvalidInstanceName, ZiwoError
from ziwo_async.embed import CallbackTexts, TokenInPage, WebCallback, WebPhone, ZiwoPlugin

from .hostile import HOSTILE

TOKEN = SecretStr("canary-token")
ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.text() | st.none())
)


def phone(**values: Any) -> WebPhone:
    return WebPhone(**{"contact_center": "acme", **values})


def button(**values: Any) -> WebCallback:
    return WebCallback(**{"contact_center": "acme", "extensions": ["0011"], **values})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("position", "top-middle"),
        ("position", "Top-Left"),
        ("position", None),
        ("size", "large"),
        ("size", ["normal"]),
        ("region", ""),
        ("region", "ARE"),
        ("region", "\N{LATIN CAPITAL LETTER A WITH DIAERESIS}E"),
        ("region", 97),
        ("fixed", "false"),
        ("fixed", 0),
        ("no_minimization", None),
        ("no_console_output", 1),
        ("contact_center", 7),
        ("embed_token", "yes"),
    ],
)
def test_the_web_phone_takes_documented_values_only(field: str, value: object) -> None:
    with pytest.raises(BadArgument, match=f"^{field}"):
        phone(**{field: value})


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("extensions", [], "extensions needs at least one"),
        ("extensions", "0011", "extensions is a list"),
        ("extensions", None, "extensions is a list"),
        ("extensions", [11], "an extension: int"),
        ("extensions", ["0011", ""], "an extension: ''"),
        ("extensions", ["+971 55 752 6349"], "digits"),
        ("extensions", ["\N{ARABIC-INDIC DIGIT ONE}"], "digits"),
        ("extensions", ["1" * 21], "digits"),
        ("caller_id", "++971", "caller_id"),
        ("caller_id", "anonymous", "caller_id"),
        ("retries", -1, "retries is a whole number from 0 to 100"),
        ("retries", True, "retries"),
        ("retries", "2", "retries"),
        ("timeout", 0, "timeout is a whole number from 1 to 86400"),
        ("timeout", 1.5, "timeout"),
        ("timeout", float("nan"), "timeout"),
        ("extension_timeout", 0, "extension_timeout"),
        ("extension_delay", -1, "extension_delay is a whole number from 0"),
        ("position", "two classes", "position"),
        ("position", "", "position"),
        ("position", "x\n", "position"),
        ("position", None, "position"),
        ("replace", "two words", "replace"),
        ("replace", "__webcallback", "replace: '__webcallback' is an element of the web callback itself"),
        ("countries", "fr", "countries is a list"),
        ("countries", ["fra"], "a country: 'fra'"),
        ("countries", [None], "a country: NoneType"),
        ("offline", None, "offline is True or False"),
        ("texts", {"formButton": "x"}, "texts is a CallbackTexts, not dict"),
        ("contact_center", None, "contact_center is a text"),
    ],
)
def test_the_web_callback_takes_documented_values_only(field: str, value: object, words: str) -> None:
    with pytest.raises(BadArgument) as refused:
        button(**{field: value})
    assert words in str(refused.value)


def test_a_number_that_python_does_not_write_out_is_refused_as_well() -> None:
    with pytest.raises(BadArgument, match="timeout is a whole number"):
        button(timeout=10**5000)
    with pytest.raises(BadArgument, match="position: int"):
        phone(position=10**5000)


def test_a_text_is_a_text() -> None:
    with pytest.raises(BadArgument, match="formTitle is a text, not int"):
        CallbackTexts(form_title=7)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_names_ids_numbers_and_words_are_no_place_for_a_hostile_text(text: str) -> None:
    for field in ("position", "size", "region", "fixed", "no_minimization", "no_console_output"):
        with pytest.raises(BadArgument):
            phone(**{field: text})
    for field in ("caller_id", "retries", "timeout", "extension_timeout", "extension_delay", "offline"):
        with pytest.raises(BadArgument):
            button(**{field: text})
    for field in ("extensions", "countries"):
        with pytest.raises(BadArgument):
            button(**{field: [text]})
    for make in (phone, button):
        with pytest.raises(InvalidInstanceName):
            make(contact_center=text)
    if text == "__proto__":
        return  # the others are names, and it is one like any other
    for field in ("position", "replace"):
        with pytest.raises(BadArgument):
            button(**{field: text})
    for made in (phone(), button(), ZiwoPlugin()):
        with pytest.raises(BadArgument):
            made.html(nonce=text)


@given(
    st.sampled_from(sorted(field.name for field in dataclasses.fields(WebPhone))),
    st.sampled_from(sorted(field.name for field in dataclasses.fields(WebCallback))),
    ANYTHING,
)
def test_whatever_is_given_is_taken_or_refused_by_our_own_error(one: str, other: str, value: object) -> None:
    for make, field in ((phone, one), (button, other)):
        with suppress(ZiwoError):
            assert make(**{field: value}).html().isascii()


# --- tokens -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [WebPhone, ZiwoPlugin])
def test_a_token_is_embedded_only_when_that_is_asked_for(make: Any) -> None:
    with pytest.raises(BadArgument, match="say embed_token=True"):
        make(contact_center="acme", token=TOKEN)
    with pytest.raises(BadArgument, match="embed_token needs the token"):
        make(contact_center="acme", embed_token=True)
    with pytest.raises(BadArgument, match="a token needs contact_center"):
        make(token=TOKEN, embed_token=True)
    with pytest.raises(BadArgument, match="is a SecretStr") as refused:
        make(contact_center="acme", token="canary-token", embed_token=True)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("token", ["", "a b", "a\n", "t\N{LATIN SMALL LETTER O WITH DIAERESIS}ken", "x" * 16_385])
def test_what_can_be_no_token_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(BadArgument) as refused:
        WebPhone(contact_center="acme", token=SecretStr(token), embed_token=True)
    assert str(refused.value) == "token is no access token: empty, too long, or with characters that none has"


def test_a_snippet_with_a_token_warns_its_maker_and_its_reader() -> None:
    for made in (
        WebPhone(contact_center="acme", token=TOKEN, embed_token=True),
        ZiwoPlugin(contact_center="acme", token=TOKEN, embed_token=True),
    ):
        assert "canary" not in repr(made)
        with pytest.warns(TokenInPage, match="serve it to this agent alone") as told:
            html = made.html()
        assert told[0].filename == __file__
        assert html.startswith("<!-- The token of one agent is in this page: it is for this agent alone. -->\n")
        assert html.count("canary-token") == 1
    with pytest.warns(TokenInPage):
        assert "canary-token" in WebPhone(contact_center="acme", token=TOKEN, embed_token=True).script()


def test_the_plugin_knows_a_contact_centre_by_its_session_only() -> None:
    with pytest.raises(BadArgument, match="counts with a token only"):
        ZiwoPlugin(contact_center="acme")


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["acme", "ACME", "acme.aswat.co", "https://acme-api.aswat.co/"])
def test_a_contact_centre_may_be_spelled_as_everywhere(name: str) -> None:
    assert phone(contact_center=name).contact_center == "acme"
    assert button(contact_center=name).config()["contactCenterName"] == "acme"


def test_countries_are_written_as_in_the_documentation() -> None:
    assert phone(region="ae").region == "AE"
    assert button(countries=["FR", "ae"]).countries == ("fr", "ae")


def test_they_are_values() -> None:
    given = ["0011"]
    one = button(extensions=given)
    given.append("0012")
    assert one == button()
    assert hash(one) == hash(button())
    assert pickle.loads(pickle.dumps(one)) == one
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.offline = True  # type: ignore[misc]
    assert dataclasses.replace(one, offline=True).config()["offline"] is True
