"""`ziwo ping`: does the contact centre answer, and how fast?"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from .. import EXIT_CODES, ConfigError
from .account import Account, find
from .output import show_json_object
from .running import fail, run

__all__ = ["ping"]


def ping(json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Ask the contact centre for a sign of life, without a login, and show how long it took (connecting included)."""
    try:
        account = find(needs_login=False)
        account.settings(needs_login=False)
    except ConfigError as error:
        fail(str(error), EXIT_CODES["configuration"])
    run(_ping(account, json), interrupted=EXIT_CODES["failed"])


async def _ping(account: Account, json: bool) -> int:
    url = account.settings(needs_login=False).base_url
    async with account.nobody() as ziwo:
        begun = time.perf_counter()
        await ziwo.monitor.ping()
        seconds = time.perf_counter() - begun
    if json:
        show_json_object({"apiUrl": url, "seconds": round(seconds, 4)})
    else:
        typer.echo(f"{url} answers in {seconds * 1000:.0f} ms")
    return EXIT_CODES["stopped"]
