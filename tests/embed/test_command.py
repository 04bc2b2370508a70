"""`ziwo embed`: what the command line prints is what the classes give, and no token is an argument."""

from __future__ import annotations

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from ziwo_async.cli.app import app
from ziwo_async.embed import CallbackTexts, TokenInPage, WebCallback, WebPhone, ZiwoPlugin

from ..cli.terminal import on_a_terminal

TOKEN = "canary-token</script>"


def embed(*arguments: str, **env: str) -> Result:
    return CliRunner().invoke(app, ["embed", *arguments], env={"ZIWO_CONTACT_CENTER": None, "ZIWO_TOKEN": None, **env})


def prints(*arguments: str, **env: str) -> str:
    result = embed(*arguments, **env)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def refuses(*arguments: str, **env: str) -> str:
    result = embed(*arguments, **env)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("ziwo: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_the_web_phone() -> None:
    assert prints("webphone") == WebPhone().html()
    assert prints("webphone", ZIWO_CONTACT_CENTER="acme") == WebPhone(contact_center="acme").html()
    given = ("--contact-center", "acme.aswat.co", "--position", "top-left", "--size", "mini", "--region", "ae")
    flags = ("--fixed", "--no-minimization", "--no-console-output")
    phone = WebPhone(
        contact_center="acme",
        position="top-left",
        size="mini",
        region="AE",
        fixed=True,
        no_minimization=True,
        no_console_output=True,
    )
    assert prints("webphone", *given, *flags) == phone.html()
    assert prints("webphone", *given, *flags, "--script") == phone.script()


def test_the_web_callback() -> None:
    given = (
        "--contact-center", "acme", "--extension", "33176431477", "--extension", "0011", "--caller-id", "+971557526349",
        "--retries", "2", "--timeout", "60", "--extension-timeout", "15", "--extension-delay", "20",
        "--position", "my-corner", "--replace", "here", "--country", "fr", "--country", "ae", "--offline",
        "--text", "formButton=Call = me", "--text", "form_title=<b>", "--text", "failure-message=",
    )  # fmt: skip
    button = WebCallback(
        contact_center="acme",
        extensions=["33176431477", "0011"],
        caller_id="+971557526349",
        retries=2,
        timeout=60,
        extension_timeout=15,
        extension_delay=20,
        position="my-corner",
        replace="here",
        countries=["fr", "ae"],
        offline=True,
        texts=CallbackTexts(form_button="Call = me", form_title="<b>", failure_message=""),
    )
    assert prints("callback", *given) == button.html()
    assert prints("callback", *given, "--script") == button.script()


def test_the_plugin() -> None:
    assert prints("plugin", ZIWO_CONTACT_CENTER="acme") == ZiwoPlugin().html()


def test_what_is_wrong_is_one_line() -> None:
    assert "position: 'middle' is none of bottom-right, " in refuses("webphone", "--position", "middle")
    assert "no contact centre: say --contact-center" in refuses("callback", "--extension", "0011")
    acme = ("--contact-center", "acme", "--extension", "0011")
    assert "the names are main_button_tooltip, " in refuses("callback", *acme, "--text", "button=x")
    assert "--text 'formButton'" in refuses("callback", *acme, "--text", "formButton")
    assert "timeout is a whole number" in refuses("callback", *acme, "--timeout", "0")
    assert embed("callback", "--contact-center", "acme").exit_code == 2  # an extension is needed


@pytest.mark.parametrize("kind", ["webphone", "plugin"])
def test_a_token_comes_from_the_environment_when_it_is_asked_for(kind: str) -> None:
    named = ("--contact-center", "acme")
    assert "canary" not in prints(kind, *named, ZIWO_TOKEN=TOKEN)
    result = embed(kind, *named, "--embed-token", ZIWO_TOKEN=TOKEN)
    assert result.exit_code == 0
    assert result.stderr.startswith("ziwo: the snippet has an agent's token in it: ")
    make = WebPhone if kind == "webphone" else ZiwoPlugin
    with pytest.warns(TokenInPage):
        assert result.stdout == make(contact_center="acme", token=SecretStr(TOKEN), embed_token=True).html()
    assert "set ZIWO_TOKEN" in refuses(kind, *named, "--embed-token")
    told = refuses(kind, "--embed-token", ZIWO_TOKEN=TOKEN)
    assert "a token needs contact_center" in told
    assert "canary" not in told


def test_at_a_terminal_the_token_is_asked_for() -> None:
    with on_a_terminal("embed", "webphone", "--contact-center", "acme", "--embed-token") as terminal:
        terminal.answer("Access token: ", "canary-token")
        terminal.shows('"_jorel-token": "canary-token"')
