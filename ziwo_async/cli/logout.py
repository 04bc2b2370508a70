"""`ziwo logout`: end the session that `ziwo login` opened, and forget it."""

from __future__ import annotations

import sys

import typer

from .. import EXIT_CODES, ConfigError, TokenExpired, ZiwoClient, ZiwoError, exit_code
from .running import fail, plain, run
from .stored import StoredLogin, forget, load

__all__ = ["logout"]


def logout() -> None:
    """End the session that `ziwo login` opened, and forget its token, even when the server cannot be reached."""
    kept: StoredLogin | None = None
    problem = ""
    try:
        kept = load(exposed=True)
    except ConfigError as error:
        problem = f"{error}; its session was not ended"
    try:
        forget()
    except ConfigError as error:
        problem = problem or f"the token is not forgotten: {error}"
    if kept is not None:
        run(_end(kept, problem))
    if problem:
        fail(problem, EXIT_CODES["configuration"])
    sys.stderr.write("ziwo: there is no login to forget\n")


async def _end(kept: StoredLogin, problem: str) -> int:
    try:
        async with ZiwoClient(kept.contact_center, api_url=kept.api_url, token=kept.token) as ziwo:
            await ziwo.request("POST", "/auth/logout")
    except TokenExpired:
        pass  # it had ended by itself: that is what was wanted
    except ZiwoError as error:
        fail(problem or f"the token is forgotten, but its session was not ended: {error}", exit_code(error))
    if problem:
        fail(problem, EXIT_CODES["configuration"])
    typer.echo(f"Logged out: {plain(kept.username)}.")
    return EXIT_CODES["stopped"]
