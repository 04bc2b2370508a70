"""Snippets in a real browser: exactly the documented values, elements, addresses, places and order."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from ziwo_async.embed import CallbackTexts, TokenInPage, WebCallback, WebPhone, ZiwoPlugin

from .conftest import JOREL, PLUGIN, POLYFILLS, STYLES, WEBCALLBACK, Site
from .hostile import HOSTILE

pytestmark = pytest.mark.browser

HARMLESS = "[window.owned, document.querySelectorAll('img, svg, iframe').length]"
# What the documentation's own snippet has in it; the texts are others.
SAMPLE = WebCallback(
    contact_center="aldebaran",
    extensions=["33176431477", "33184131602"],
    caller_id="+971557526349",
    retries=2,
    timeout=60,
    extension_timeout=15,
    extension_delay=20,
    position="top-left",
    replace="exampleId",
    countries=["fr"],
    texts=CallbackTexts(
        main_button_tooltip="Ring me",
        offline_button_tooltip="Nobody is here",
        form_title="Which number may we ring?",
        form_input_label="Number",
        form_button="Ring me now",
        success_title="We have it.",
        success_message="We ring this number:",
        failure_title="That went wrong.",
        failure_message="Try it once more, later.",
    ),
)
SAMPLE_CONFIG = {
    "contactCenterName": "aldebaran",
    "extensions": ["33176431477", "33184131602"],
    "callerIDNumber": "+971557526349",
    "numberOfRetries": 2,
    "timeout": 60,
    "extensionTimeout": 15,
    "extensionDelay": 20,
    "positionClass": "top-left",
    "replacementTargetId": "exampleId",
    "defaultCountryFlags": ["fr"],
    "offline": False,
    "customTexts": {
        "mainButtonTooltip": "Ring me",
        "offlineButtonTooltip": "Nobody is here",
        "formTitle": "Which number may we ring?",
        "formInputLabel": "Number",
        "formButton": "Ring me now",
        "successTitle": "We have it.",
        "successMessage": "We ring this number:",
        "failureTitle": "That went wrong.",
        "failureMessage": "Try it once more, later.",
    },
}


def addresses(site: Site) -> list[str]:
    """What was loaded from elsewhere."""
    return [url for url in site.tab.requests if urlsplit(url).scheme == "https"]


# --- the web phone ----------------------------------------------------------------------------------------------------


async def test_the_web_phone_of_the_documentation(site: Site) -> None:
    await site.shows(WebPhone(position="top-right").html())
    await site.tab.until("window.ran")
    # Without a contact centre its key is not set; truth values are words.
    assert await site.tells("window.stored") == {
        "_jorel-default-position": "top-right",
        "_jorel-default-size": "normal",
        "_jorel-default-phone-number-region-code": "",
        "_jorel-fixed": "false",
        "_jorel-no-minimization": "false",
        "_jorel-no-console-output": "false",
    }
    assert await site.tells("sessionStorage.length + document.cookie.length") == 0


async def test_every_value_of_the_web_phone(site: Site) -> None:
    phone = WebPhone(
        contact_center="acme",
        position="bottom-left",
        size="mini",
        region="AE",
        fixed=True,
        no_minimization=True,
        no_console_output=True,
    )
    before = await site.tab.js("Date.now()")
    await site.shows(phone.html())
    await site.tab.until("window.ran")
    after = await site.tab.js("Date.now()")
    assert await site.tells("window.stored") == {
        "_jorel-ccName": "acme",
        "_jorel-default-position": "bottom-left",
        "_jorel-default-size": "mini",
        "_jorel-default-phone-number-region-code": "AE",
        "_jorel-fixed": "true",
        "_jorel-no-minimization": "true",
        "_jorel-no-console-output": "true",
    }
    # The loader: before all else in the body, with the documented id, and never from the cache.
    loader = "document.body.firstElementChild"
    assert await site.tells(f"[{loader}.id, {loader}.tagName, {loader}.type, {loader}.async]") == [
        "jorelScriptLoader",
        "SCRIPT",
        "text/javascript",
        True,
    ]
    (address,) = addresses(site)
    found = re.fullmatch(re.escape(JOREL) + r"\?v=(\d+)", address)
    assert found is not None
    assert before <= int(found[1]) <= after
    assert await site.tells(f"{loader}.src") == address
    assert await site.tells("Object.keys(window).filter((name) => /config|default|jorel/i.test(name))") == []
    assert site.tab.problems == []


async def test_the_web_phone_may_stand_in_the_head(site: Site) -> None:
    await site.shows("<p>text</p>", head=WebPhone().html())
    await site.tab.until("window.ran")
    assert await site.tells("document.body.firstElementChild.id") == "jorelScriptLoader"
    assert site.tab.problems == []


async def test_auto_login(site: Site) -> None:
    phone = WebPhone(contact_center="wayne-enterprise", token=SecretStr("b10c6840-a9e7"), embed_token=True)
    with pytest.warns(TokenInPage):
        html = phone.html()
    await site.shows(html)
    await site.tab.until("window.ran")
    stored = await site.tells("window.stored")
    assert (stored["_jorel-token"], stored["_jorel-ccName"]) == ("b10c6840-a9e7", "wayne-enterprise")
    assert len(stored) == 8
    assert "b10c6840" not in "".join(site.tab.requests)


async def test_hostile_tokens_are_stored_as_they_are(site: Site) -> None:
    for token in HOSTILE:
        shown = re.sub("[^!-~]", "", token)
        if not shown:
            continue
        with pytest.warns(TokenInPage):
            phone = WebPhone(contact_center="acme", token=SecretStr(shown), embed_token=True).html()
        with pytest.warns(TokenInPage):
            plugin = ZiwoPlugin(contact_center="acme", token=SecretStr(shown), embed_token=True).html()
        await site.shows(phone + plugin, after="<p id=after></p>")
        await site.tab.until("window.ran?.length === 3 && !!document.querySelector('#after')")
        stored = await site.tells("{...localStorage}")
        assert stored.pop("_jorel-token") == shown
        assert await site.tells("JSON.parse(localStorage.ZIWO_SESSION_DETAILS)") == {
            "accountName": "acme",
            "token": shown,
        }
        assert await site.tells(HARMLESS) == [None, 0]
        await site.forgets()
    assert site.tab.problems == []


# --- the web callback -------------------------------------------------------------------------------------------------


async def test_the_web_callback_of_the_documentation(site: Site) -> None:
    await site.shows(SAMPLE.html(), before="<div><i id=exampleId>instead</i></div>")
    await site.tab.until("document.querySelector('#__webcallback')?.className")
    config = "document.querySelector('#webcallbackConfig').content"
    assert await site.tells(f"JSON.parse({config})") == SAMPLE_CONFIG
    assert await site.tells(f"{config} === JSON.stringify(webcallbackConfig)")
    assert await site.tells("window.ran") == ["webcallback", "setWebcallbackConfiguration", "setWebcallbackPosition"]
    # The target is replaced, whatever the position is.
    assert await site.tells("document.querySelector('#exampleId')") is None
    button = "document.querySelector('#__webcallback')"
    assert await site.tells(f"[{button}.parentElement.tagName, [...{button}.classList]]") == ["DIV", ["replaced"]]
    loader = "document.head.firstElementChild"
    assert await site.tells(f"[{loader}.id, {loader}.tagName, {loader}.type, {loader}.async]") == [
        "webcallbackScriptLoader",
        "SCRIPT",
        "text/javascript",
        True,
    ]
    assert addresses(site) == [WEBCALLBACK]  # the documentation has no cache buster here
    assert await site.tells("localStorage.length") == 0
    assert site.tab.problems == []


@pytest.mark.parametrize(
    ("button", "wanted"),
    [
        (WebCallback(contact_center="acme", extensions=["0011"]), "bottom-right"),
        (WebCallback(contact_center="acme", extensions=["0011"], position="top-middle"), "top-middle"),
        (WebCallback(contact_center="acme", extensions=["0011"], position="my-corner"), "my-corner"),
        (WebCallback(contact_center="acme", extensions=["0011"], position="top-left", replace="nowhere"), "top-left"),
    ],
    ids=["default", "documented", "own", "no-target"],
)
async def test_a_button_that_replaces_nothing_has_its_position(site: Site, button: WebCallback, wanted: str) -> None:
    await site.shows(button.html(), before="<i id=undefined></i><i id=null></i>")
    await site.tab.until("document.querySelector('#__webcallback')?.className")
    found = "document.querySelector('#__webcallback')"
    assert await site.tells(f"[{found}.parentElement.tagName, [...{found}.classList]]") == ["BODY", [wanted]]


async def test_what_is_not_given_is_not_set(site: Site) -> None:
    await site.shows(WebCallback(contact_center="acme", extensions=["0011"], retries=0, extension_delay=0).html())
    await site.tab.until("document.querySelector('#__webcallback')?.className")
    assert await site.tells("JSON.parse(document.querySelector('#webcallbackConfig').content)") == {
        "contactCenterName": "acme",
        "extensions": ["0011"],
        "numberOfRetries": 0,
        "extensionDelay": 0,
        "positionClass": "bottom-right",
        "offline": False,
    }


async def test_hostile_texts_are_configured_as_they_are(site: Site) -> None:
    """On page k, text k + i is in field i: in the end each field had each text."""
    fields = tuple(CallbackTexts.__dataclass_fields__)
    for k in range(len(HOSTILE)):
        texts = {name: HOSTILE[(k + i) % len(HOSTILE)] for i, name in enumerate(fields)}
        button = WebCallback(contact_center="acme", extensions=["0011"], texts=CallbackTexts(**texts))
        await site.shows(button.html(), after="<p id=after></p>")
        await site.tab.until(
            "document.querySelector('#__webcallback')?.className && !!document.querySelector('#after')"
        )
        assert await site.tells("JSON.parse(document.querySelector('#webcallbackConfig').content)") == button.config()
        assert await site.tells(HARMLESS) == [None, 0]
        assert await site.tells("document.scripts.length") == 2
    assert site.tab.problems == []


# --- the plugin -------------------------------------------------------------------------------------------------------


async def test_the_plugin(site: Site) -> None:
    with pytest.warns(TokenInPage):
        html = ZiwoPlugin(contact_center="acme", token=SecretStr("b10c6840-a9e7"), embed_token=True).html()
    await site.shows(html, before="<b>before</b>")
    await site.tab.until("window.ran?.length === 2")
    assert await site.tells("window.ran") == ["polyfills", "plugin"]
    assert await site.tells("window.stored") == {
        "ZIWO_SESSION_DETAILS": '{"accountName":"acme","token":"b10c6840-a9e7"}'
    }
    root = "document.querySelector('main > ziwo-root')"
    assert await site.tells(f"[{root}.textContent, getComputedStyle({root}).color]") == ["the plugin", "rgb(1, 2, 3)"]
    assert sorted(addresses(site)) == sorted([POLYFILLS, PLUGIN, STYLES])
    assert site.tab.problems == []


async def test_without_a_token_the_plugin_is_told_nothing(site: Site) -> None:
    await site.shows(ZiwoPlugin().html())
    await site.tab.until("window.ran?.length === 2")
    assert await site.tells("window.stored") == {}


# --- a page's Content-Security-Policy ---------------------------------------------------------------------------------

CSP = "default-src 'none'; script-src %s https://jorel.ziwo.io https://webcallback.ziwo.io https://plugin.ziwo.io"


async def test_a_policy_with_a_nonce(site: Site) -> None:
    nonce = "q83vEjRWeJA="
    both = WebPhone().html(nonce=nonce) + WebCallback(contact_center="acme", extensions=["0011"]).html(nonce=nonce)
    await site.shows(both, csp=CSP % f"'nonce-{nonce}'")
    await site.tab.until("window.stored && document.querySelector('#__webcallback')?.className")
    assert site.tab.problems == []
    await site.forgets()
    await site.shows(WebPhone().html(), csp=CSP % f"'nonce-{nonce}'")
    assert await site.tells("localStorage.length") == 0  # a script that the page did not vouch for


async def test_a_policy_without_scripts_in_pages(site: Site) -> None:
    site.has("phone.js", WebPhone().script(), "text/javascript")
    site.has("callback.js", WebCallback(contact_center="acme", extensions=["0011"]).script(), "text/javascript")
    tags = "<script src=phone.js></script><script src=callback.js></script>"
    await site.shows("", head=tags, csp=CSP % "'self'")
    await site.tab.until("window.stored && document.querySelector('#__webcallback')?.className")
    await site.shows(ZiwoPlugin().html(), csp=(CSP % "'self'") + "; style-src https://plugin.ziwo.io")
    await site.tab.until("document.querySelector('ziwo-root').textContent === 'the plugin'")
    assert site.tab.problems == []
