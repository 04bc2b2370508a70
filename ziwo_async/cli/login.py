"""`ziwo login`: open a REST session, and keep its token for the other commands."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import Annotated

import typer
from pydantic import SecretStr

from .. import EXIT_CODES, ConfigError, Credentials, Settings, ZiwoClient, ZiwoError
from .account import find_password, with_token
from .running import fail, plain, run
from .stored import StoredLogin, check_keyring, keep

__all__ = ["login"]

_LONGEST_TOKEN = 16_384


def login(
    file: Annotated[
        bool, typer.Option("--file", help="Keep the token in a file that only you can read, not in the keyring.")
    ] = False,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read an access token from stdin, and keep that: nobody logs in.")
    ] = False,
) -> None:
    """Log in once; the other commands use the token from then on. The password is not kept.

    Asks for contact centre, user and password, unless ZIWO_CONTACT_CENTER, ZIWO_USERNAME and ZIWO_PASSWORD say them.
    """
    try:
        if not file:
            check_keyring()
        settings = (with_token(_from_stdin()) if token_stdin else find_password()).settings()
    except ConfigError as error:
        fail(str(error), EXIT_CODES["configuration"])
    if token_stdin:
        run(_keep_given(settings, file), expired="the token is not accepted", interrupted=EXIT_CODES["failed"])
    run(_login(settings, file), interrupted=EXIT_CODES["failed"])


def _from_stdin() -> SecretStr:
    """Read one line; at a terminal ask for it, and do not show it."""
    if sys.stdin.isatty():
        text = typer.prompt("Access token", err=True, hide_input=True)
    else:
        text = sys.stdin.readline(_LONGEST_TOKEN)
    token = str(text).strip()
    if not token:
        raise ConfigError("there is no token on stdin: its first line must be one")
    return SecretStr(token)


async def _keep_given(settings: Settings, file: bool) -> int:
    assert settings.token is not None
    async with ZiwoClient(settings.contact_center, api_url=settings.api_url, token=settings.token) as ziwo:
        profile = await ziwo.session.profile()
    if profile.username is None:
        raise ConfigError("the server does not tell whose token it is")
    kept = StoredLogin(
        username=profile.username,
        token=settings.token,
        contact_center=settings.contact_center if settings.api_url is None else None,
        api_url=settings.api_url,
    )
    place = await asyncio.to_thread(keep, kept, in_file=file)
    typer.echo(f"Kept the token of {plain(kept.username)} at {settings.base_url} in the {place}.")
    return EXIT_CODES["stopped"]


async def _login(settings: Settings, file: bool) -> int:
    assert settings.username is not None
    token = await _token(settings)
    kept = StoredLogin(
        username=settings.username,
        token=token,
        contact_center=settings.contact_center if settings.api_url is None else None,
        api_url=settings.api_url,
    )
    try:
        place = await asyncio.to_thread(keep, kept, in_file=file)
    except ConfigError:
        # Nobody has the token now, so its session ends; when that fails, what is told is still why.
        with suppress(ZiwoError):
            async with ZiwoClient(settings.contact_center, api_url=settings.api_url, token=token) as ziwo:
                await ziwo.request("POST", "/auth/logout")
        raise
    typer.echo(f"Logged in as {plain(settings.username)} at {settings.base_url}; the token is in the {place}.")
    return EXIT_CODES["stopped"]


async def _token(settings: Settings) -> SecretStr:
    """Log in and give the token. The session stays open: a client that closes politely would end it."""

    async def who() -> Credentials:
        return Credentials(username=settings.username, password=settings.password, remember=True)

    ziwo = ZiwoClient(settings.contact_center, api_url=settings.api_url, credentials=who)
    try:
        return await ziwo.session.access_token()
    finally:
        await ziwo.abort()
