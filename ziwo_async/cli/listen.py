"""`ziwo listen`: the calls of a phone, live."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from .. import EXIT_CODES, ZiwoClient
from .account import client
from .running import following, run
from .views import Timeline, show_json

__all__ = ["listen"]


def listen(
    json: Annotated[
        bool, typer.Option("--json", help="Only the documented object of each state, one JSON object a line.")
    ] = False,
) -> None:
    """Log in as a user and show the calls of their phone until Ctrl-C. It answers nothing.

    One agent has one phone: this one takes the place of the user's own, and its calls ring here.
    """
    run(_listen(client(), json))


async def _listen(ziwo: ZiwoClient, json: bool) -> int:
    show = show_json if json else Timeline(Console()).show
    async with following(ziwo, show):
        sys.stderr.write(f"ziwo: this is the phone of {ziwo.phone.login} now; Ctrl-C ends it\n")
        await ziwo.phone.wait_closed()
    return EXIT_CODES["stopped"]
