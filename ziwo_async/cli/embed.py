"""`ziwo embed`: snippets for a web page. Nothing is asked of a contact centre."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Annotated, TypeAlias, cast, get_args

import typer
from pydantic import SecretStr

from .. import EXIT_CODES, BadArgument, ConfigError
from ..embed import (
    ButtonPosition,
    CallbackTexts,
    PhonePosition,
    PhoneSize,
    TokenInPage,
    WebCallback,
    WebPhone,
    ZiwoPlugin,
)
from .running import fail, plain

__all__ = ["embed"]

embed = typer.Typer(no_args_is_help=True, help="Snippets for a web page: web phone, web callback, plugin.")

_CENTRE_HELP = "The name in https://<name>.aswat.co."
_Centre: TypeAlias = Annotated[
    str | None, typer.Option("--contact-center", envvar="ZIWO_CONTACT_CENTER", metavar="NAME", help=_CENTRE_HELP)
]
_Token: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--embed-token",
        help="Write an agent's token into the snippet: ZIWO_TOKEN, or what you type. Who reads the page is that agent.",
    ),
]
_Script: TypeAlias = Annotated[bool, typer.Option("--script", help="The JavaScript alone, for a file.")]


@embed.callback()
def _embed() -> None:
    """Snippets for a web page: web phone, web callback, plugin."""


@embed.command()
def webphone(
    *,
    contact_center: _Centre = None,
    position: Annotated[
        str, typer.Option(metavar="WHERE", help=f"Where it is: {', '.join(get_args(PhonePosition))}.")
    ] = "bottom-right",
    size: Annotated[
        str, typer.Option(metavar="SIZE", help=f"How large it is: {', '.join(get_args(PhoneSize))}.")
    ] = "normal",
    region: Annotated[
        str | None, typer.Option(metavar="COUNTRY", help="Country of local numbers: two letters, such as AE.")
    ] = None,
    fixed: Annotated[bool, typer.Option("--fixed", help="Position and size cannot be changed.")] = False,
    no_minimization: Annotated[bool, typer.Option("--no-minimization", help="It cannot be made small.")] = False,
    no_console_output: Annotated[
        bool, typer.Option("--no-console-output", help="It writes nothing to the browser's console.")
    ] = False,
    embed_token: _Token = False,
    script: _Script = False,
) -> None:
    """Print the web phone for a page. Without a contact centre, who logs in types its name."""

    def make() -> str:
        phone = WebPhone(
            contact_center=contact_center or None,
            position=cast(PhonePosition, position),  # checked there
            size=cast(PhoneSize, size),
            region=region,
            fixed=fixed,
            no_minimization=no_minimization,
            no_console_output=no_console_output,
            token=_token() if embed_token else None,
            embed_token=embed_token,
        )
        return phone.script() if script else phone.html()

    _show(make)


@embed.command()
def callback(
    *,
    extension: Annotated[
        list[str],
        typer.Option(
            metavar="NUMBER",
            help="Who is linked with the visitor: a ZIWO number or an agent's ccLogin. Again: in order.",
        ),
    ],
    contact_center: _Centre = None,
    caller_id: Annotated[str | None, typer.Option(metavar="NUMBER", help="Number that the visitor sees.")] = None,
    retries: Annotated[int | None, typer.Option(metavar="N", help="How often the visitor is called again.")] = None,
    timeout: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="When a call to the visitor has failed.")
    ] = None,
    extension_timeout: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="When an extension has failed.")
    ] = None,
    extension_delay: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="How long until the next extension is tried.")
    ] = None,
    position: Annotated[
        str,
        typer.Option(metavar="WHERE", help=f"Where it is: {', '.join(get_args(ButtonPosition))}, or a CSS class."),
    ] = "bottom-right",
    replace: Annotated[
        str | None, typer.Option(metavar="ID", help="Id of an element that the button takes the place of.")
    ] = None,
    country: Annotated[
        list[str] | None, typer.Option(metavar="COUNTRY", help="Countries to choose from first: two letters each.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="It says that nobody is there.")] = False,
    text: Annotated[
        list[str] | None, typer.Option(metavar="NAME=TEXT", help="A text of yours, such as formButton='Call me'.")
    ] = None,
    script: _Script = False,
) -> None:
    """Print the web callback button for a page."""

    def make() -> str:
        if not contact_center:
            raise ConfigError("no contact centre: say --contact-center, or set ZIWO_CONTACT_CENTER")
        button = WebCallback(
            contact_center=contact_center,
            extensions=extension,
            caller_id=caller_id,
            retries=retries,
            timeout=timeout,
            extension_timeout=extension_timeout,
            extension_delay=extension_delay,
            position=position,
            replace=replace,
            countries=country or (),
            offline=offline,
            texts=_texts(text or ()),
        )
        return button.script() if script else button.html()

    _show(make)


@embed.command()
def plugin(*, contact_center: _Centre = None, embed_token: _Token = False) -> None:
    """Print the newer plugin for a page. The contact centre counts with --embed-token only."""

    def make() -> str:
        if not embed_token:
            return ZiwoPlugin().html()
        return ZiwoPlugin(contact_center=contact_center or None, token=_token(), embed_token=True).html()

    _show(make)


def _show(make: Callable[[], str]) -> None:
    """Print a snippet; what it warns of is a line on stderr."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", TokenInPage)
        try:
            snippet = make()
        except ConfigError as error:
            fail(str(error), EXIT_CODES["configuration"])
    for warning in told:
        sys.stderr.write(f"ziwo: {plain(str(warning.message))}\n")
    sys.stdout.write(snippet)


def _token() -> SecretStr:
    """Take the token from the environment or from a prompt: a process list shows arguments."""
    found = os.environ.get("ZIWO_TOKEN")
    if not found:
        if not sys.stdin.isatty():
            raise ConfigError("--embed-token asks at a terminal, and there is none: set ZIWO_TOKEN")
        found = str(typer.prompt("Access token", err=True, hide_input=True)).strip()
    return SecretStr(found)


def _texts(given: Sequence[str]) -> CallbackTexts:
    """Read NAME=TEXT, with names in ZIWO's spelling or in ours."""
    names = {_folded(field.name): field.name for field in fields(CallbackTexts)}
    texts: dict[str, str] = {}
    for one in given:
        name, equals, text = one.partition("=")
        known = names.get(_folded(name))
        if not equals or known is None:
            raise BadArgument(f"--text {one[:40]!r}: write NAME=TEXT; the names are {', '.join(names.values())}")
        texts[known] = text
    return CallbackTexts(**texts)


def _folded(name: str) -> str:
    return name.replace("_", "").replace("-", "").strip().lower()
