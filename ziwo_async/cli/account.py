"""Who logs in: `ZIWO_*` variables, or prompts for what they do not say. Never arguments: a process list shows those."""

from __future__ import annotations

import os
import sys
from typing import Any

import typer

from .. import EXIT_CODES, ConfigError, Recorder, ZiwoClient
from .running import fail

__all__ = ["client"]


def client(recorder: Recorder | None = None) -> ZiwoClient:
    """Make the client of the user that the environment names; prompt on a terminal for what is missing.

    Prompts and everything about them go to stderr; the password is not shown.

    Args:
        recorder: Records the phone's frames.

    Raises:
        Exit: Something is missing or wrong.
    """
    environment = {name: os.environ.get(f"ZIWO_{name.upper()}") or None for name in _NAMES}
    contact_center, api_url, token = (environment[name] for name in ("contact_center", "api_url", "token"))
    username, password = environment["username"], environment["password"]
    if sys.stdin.isatty():
        if contact_center is None and api_url is None:
            contact_center = typer.prompt("Contact centre (the name in https://<name>.aswat.co)", err=True)
        if token is None:
            username = username or typer.prompt("User (e-mail address)", err=True)
            password = password or typer.prompt("Password", err=True, hide_input=True)
    recorded: dict[str, Any] = {} if recorder is None else {"connector": recorder.connector()}
    try:
        return ZiwoClient(
            contact_center,
            username=username,
            password=password,
            token=token,
            api_url=api_url,
            verto_url=environment["verto_url"],
            position=environment["position"],
            **recorded,
        )
    except ConfigError as error:
        fail(str(error), EXIT_CODES["configuration"])


_NAMES = ("contact_center", "username", "password", "token", "api_url", "verto_url", "position")
