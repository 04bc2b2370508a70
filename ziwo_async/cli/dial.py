"""`ziwo dial`: one outbound call."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from .. import EXIT_CODES, Destroy, DialogState
from .account import Account, signed_in
from .running import following, plain, run
from .screen import Screen
from .views import Timeline, show_json

__all__ = ["dial"]


def dial(
    number: Annotated[str, typer.Argument(help="The number to call, sent as given.")],
    json: Annotated[
        bool, typer.Option("--json", help="Only the documented object of each state, one JSON object a line.")
    ] = False,
) -> None:
    """Call a number and show the flow until the call ends; Ctrl-C hangs up. The call carries no audio.

    Ends with 0 when the call was answered or you hung up, else with 1.
    """
    who = signed_in()
    run(_dial(who, number, json), expired=who.expired)


async def _dial(who: Account, number: str, json: bool) -> int:
    ziwo = who.client()
    show = show_json if json else Timeline(Screen()).show
    async with following(ziwo, show):
        call = await ziwo.phone.dial(number)
        ended = await call.wait_for(Destroy)
    if any(step.state is DialogState.ACTIVE for step in ended.state_flow):
        return EXIT_CODES["stopped"]
    sys.stderr.write(f"ziwo: {plain(number)} did not answer: {plain(ended.cause or 'no cause told')}\n")
    return EXIT_CODES["failed"]
