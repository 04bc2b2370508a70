"""Snippets through an HTML parser: whatever the texts are, they are one script, and its value is what was given."""

from __future__ import annotations

import json
import re
import warnings
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from ziwo_async.embed import CallbackTexts, TokenInPage, WebCallback, WebPhone, ZiwoPlugin

from .hostile import HOSTILE, TEXTS, TOKENS

NAMES = [
    "main_button_tooltip", "offline_button_tooltip", "form_title", "form_input_label", "form_button",
    "success_title", "success_message", "failure_title", "failure_message",
]  # fmt: skip
PLACES = (
    "<!doctype html><title>t</title>{}<p id=after>after</p>",
    "<!doctype html><head>{}</head><body><p id=after>after</p></body>",
    "<!doctype html><body><div><b>before{}</b></div><p id=after>after</p></body>",
)


def parsed(place: str, snippet: str) -> Element:
    tree = html5lib.parse(place.format("@@").replace("@@", snippet), namespaceHTMLElements=False)
    assert [found.text for found in tree.iter("p")] == ["after"]
    assert [found.get("id") for found in tree.iter() if found.get("id")] == ["after"]
    return tree


def the_script(place: str, snippet: str) -> str:
    tree = parsed(place, snippet)
    (script,) = tree.iter("script")
    assert script.attrib == {}
    assert "<" not in (script.text or "")
    return script.text or ""


def value_after(code: str, start: str) -> Any:
    """Read the literal: what we write of JavaScript there is JSON."""
    value, end = json.JSONDecoder().raw_decode(code, code.index(start) + len(start))
    assert code[end] in ";)"
    return value


@given(st.sampled_from(PLACES), st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, TEXTS)))
def test_a_callback_is_one_script_whose_texts_are_the_given_ones(place: str, texts: dict[str, str]) -> None:
    button = WebCallback(contact_center="acme", extensions=["0011"], texts=CallbackTexts(**texts))
    html = button.html()
    assert html.isascii()
    code = the_script(place, html)
    assert code.strip() == button.script().strip()
    config = value_after(code, "const webcallbackConfig = ")
    assert config == button.config()
    camel = {re.sub("_(.)", lambda found: found[1].upper(), name): text for name, text in texts.items()}
    assert config.get("customTexts", {}) == camel


@given(st.sampled_from(PLACES), TOKENS)
def test_a_phone_is_one_script_whose_token_is_the_given_one(place: str, token: str) -> None:
    with warnings.catch_warnings(action="ignore", category=TokenInPage):
        html = WebPhone(contact_center="acme", token=SecretStr(token), embed_token=True).html()
    assert html.isascii()
    assert value_after(the_script(place, html), "const values = ")["_jorel-token"] == token


@given(TOKENS)
def test_a_plugin_has_its_session_its_root_and_its_files(token: str) -> None:
    with warnings.catch_warnings(action="ignore", category=TokenInPage):
        html = ZiwoPlugin(contact_center="acme", token=SecretStr(token), embed_token=True).html()
    assert html.isascii()
    tree = parsed(PLACES[2], html)
    session, *files = tree.iter("script")
    assert value_after(session.text or "", '"ZIWO_SESSION_DETAILS", JSON.stringify(') == {
        "accountName": "acme",
        "token": token,
    }
    assert len(list(tree.iter("ziwo-root"))) == 1
    assert [link.attrib for link in tree.iter("link")] == [
        {"rel": "stylesheet", "href": "https://plugin.ziwo.io/ziwo.styles.css"}
    ]
    assert [file.attrib for file in files] == [
        {"type": "module", "src": "https://plugin.ziwo.io/ziwo.polyfills.js"},
        {"type": "module", "src": "https://plugin.ziwo.io/ziwo.plugin.js"},
    ]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_leaves_its_place(text: str) -> None:
    for name in NAMES:
        button = WebCallback(contact_center="acme", extensions=["0011"], texts=CallbackTexts(**{name: text}))
        for place in PLACES:
            config = value_after(the_script(place, button.html()), "const webcallbackConfig = ")
            assert list(config["customTexts"].values()) == [text]


def test_a_nonce_is_an_attribute_of_each_script() -> None:
    nonce = "aB3+/_-=="
    for snippet, count in (
        (WebPhone().html(nonce=nonce), 1),
        (WebCallback(contact_center="acme", extensions=["0011"]).html(nonce=nonce), 1),
        (ZiwoPlugin().html(nonce=nonce), 2),
    ):
        scripts = list(parsed(PLACES[1], snippet).iter("script"))
        assert [script.get("nonce") for script in scripts] == [nonce] * count
