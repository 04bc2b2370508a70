"""Who asks: `ZIWO_*` variables, the login that `ziwo login` keeps, or prompts.

Never arguments: a process list shows those.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import typer
from pydantic import SecretStr

from .. import (
    EXIT_CODES,
    ConfigError,
    Credentials,
    MediaEngine,
    ReconnectPolicy,
    Recorder,
    RetryPolicy,
    Settings,
    ZiwoClient,
)
from .running import fail, run
from .stored import StoredLogin, load

__all__ = ["Account", "ask", "find", "find_password", "signed_in", "with_token"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where to connect and as whom, as it was given: nothing is checked yet.

    Attributes:
        contact_center: Name of the contact centre.
        api_url: Address of the REST API.
        username: E-mail address of the user.
        password: Their password.
        token: Their access token.
        verto_url: Address of the phone.
        position: Name of the position.
        source: Where the login comes from, for people.
        kept: Whether it is the one that `ziwo login` keeps.
    """

    contact_center: str | None
    api_url: str | None
    username: str | None
    password: SecretStr | None
    token: SecretStr | None
    verto_url: str | None
    position: str | None
    source: str = "environment"
    kept: bool = False

    @property
    def has_place(self) -> bool:
        """Whether it says which contact centre."""
        return self.contact_center is not None or self.api_url is not None

    @property
    def has_login(self) -> bool:
        """Whether it can log in."""
        return self.token is not None or (self.username is not None and self.password is not None)

    @property
    def expired(self) -> str:
        """What to say when the server does not accept the token any more."""
        if self.kept:
            return f"the login in the {self.source} is not accepted any more: run `ziwo login`"
        return "the token in ZIWO_TOKEN is not accepted any more: set another one, or unset it and run `ziwo login`"

    def settings(self, *, needs_login: bool = True) -> Settings:
        """Check it.

        Args:
            needs_login: Whether there must be something to log in with.

        Raises:
            ConfigError: Something is missing or wrong.
        """
        self._check_place()
        return Settings(
            contact_center=self.contact_center,
            api_url=self.api_url,
            username=self.username,
            password=self.password,
            token=self.token,
            verto_url=self.verto_url,
            position=self.position,
            needs_login=needs_login,
        )

    def client(
        self, *, recorder: Recorder | None = None, media: MediaEngine | None = None, examines: bool = False
    ) -> ZiwoClient:
        """Make the client of this user.

        Args:
            recorder: Records the phone's frames.
            media: Carries the audio of calls.
            examines: The phone is only tried: one attempt, and ZIWO is not told that it takes calls.

        Raises:
            ConfigError: Something is missing or wrong.
        """
        options: dict[str, Any] = {} if recorder is None else {"connector": recorder.connector()}
        if examines:
            options |= {"autologin": False, "reconnect": ReconnectPolicy(max_attempts=1)}
        return ZiwoClient(
            self.contact_center,
            username=self.username,
            password=self.password,
            token=self.token,
            api_url=self.api_url,
            verto_url=self.verto_url,
            position=self.position,
            media=media,
            **options,
        )

    def nobody(self) -> ZiwoClient:
        """Make a client that asks once and logs in as nobody, for what needs no login.

        Raises:
            ConfigError: It says no contact centre, or a wrong one.
        """
        self._check_place()
        return ZiwoClient(
            self.contact_center, api_url=self.api_url, credentials=_no_credentials, retry=RetryPolicy(attempts=1)
        )

    def _check_place(self) -> None:
        if not self.has_place:
            raise ConfigError(
                "no contact centre: set ZIWO_CONTACT_CENTER to the name in https://<name>.aswat.co (for example acme)."
            )


async def _no_credentials() -> Credentials:
    raise ConfigError("this command needs no login")  # pragma: no cover - so nobody asks


def signed_in() -> Account:
    """Find out who asks, for a command that needs a login.

    Raises:
        Exit: Something is missing or wrong.
    """
    try:
        account = find()
        try:
            account.settings()
        except ConfigError as error:
            if account.has_login or account.username is not None or account.password is not None:
                raise
            raise ConfigError(f"{error} Or log in once: `ziwo login`.") from None
    except ConfigError as error:
        fail(str(error), EXIT_CODES["configuration"])
    return account


def ask(work: Callable[[ZiwoClient, Account], Coroutine[Any, Any, int]]) -> NoReturn:
    """Find out who asks, and run what a command asks of the REST API.

    Args:
        work: What to do with the client; gives the exit code.

    Raises:
        Exit: As for `run`. When it was interrupted, what was shown is not complete: then it is 1.
    """
    account = signed_in()

    async def asking() -> int:
        async with account.client() as ziwo:
            return await work(ziwo, account)

    run(asking(), expired=account.expired, interrupted=EXIT_CODES["failed"])


def find(*, needs_login: bool = True) -> Account:
    """Put together what the environment says, or the kept login, or the answers of the user at a terminal.

    Variables that say everything win. Those that say a part, such as the contact centre, must agree with the kept
    login, else it is not used: a token goes only where it came from.

    Args:
        needs_login: Whether something to log in with is needed; without it, a contact centre is enough.

    Raises:
        ConfigError: The kept login cannot be read, or others can read it.
    """
    given = _environment()
    if given.has_place and (given.has_login or not needs_login):
        return given
    kept = None if given.has_login else load()
    if kept is not None and _agree(given, kept):
        return replace(
            given,
            contact_center=kept.contact_center,
            api_url=kept.api_url,
            username=kept.username,
            token=kept.token,
            source=kept.place,
            kept=True,
        )
    return _prompted(given, needs_login=needs_login)


def find_password() -> Account:
    """Put together user and password, from the environment and the answers of the user at a terminal."""
    return _prompted(replace(_environment(), token=None), needs_login=True)


def with_token(token: SecretStr) -> Account:
    """Put together what the environment says of the contact centre, and a token instead of its login."""
    return replace(_environment(), username=None, password=None, token=token)


def _environment() -> Account:
    found = {name: os.environ.get(f"ZIWO_{name.upper()}") or None for name in _NAMES}
    secret = {name: SecretStr(value) if (value := found.pop(name)) else None for name in ("password", "token")}
    return Account(
        contact_center=found["contact_center"],
        api_url=found["api_url"],
        username=found["username"],
        password=secret["password"],
        token=secret["token"],
        verto_url=found["verto_url"],
        position=found["position"],
    )


def _agree(given: Account, kept: StoredLogin) -> bool:
    if given.password is not None:
        return False
    if given.username is not None and given.username.casefold() != kept.username.casefold():
        return False
    if not given.has_place:
        return True
    there = Settings(contact_center=kept.contact_center, api_url=kept.api_url, needs_login=False)
    return given.settings(needs_login=False).base_url == there.base_url


def _prompted(given: Account, *, needs_login: bool) -> Account:
    """Ask for what is missing. Prompts go to stderr; the password is not shown."""
    if not sys.stdin.isatty():
        return given
    contact_center, username, password, source = given.contact_center, given.username, given.password, given.source
    if not given.has_place:
        contact_center = typer.prompt("Contact centre (the name in https://<name>.aswat.co)", err=True)
    if needs_login and not given.has_login:
        source = "prompt"
        username = username or typer.prompt("User (e-mail address)", err=True)
        password = password or SecretStr(typer.prompt("Password", err=True, hide_input=True))
    return replace(given, contact_center=contact_center, username=username, password=password, source=source)


_NAMES = ("contact_center", "username", "password", "token", "api_url", "verto_url", "position")
