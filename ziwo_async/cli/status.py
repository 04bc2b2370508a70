"""`ziwo status`: the agent's presence, shown or set."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from .. import EXIT_CODES, CustomStatus, ZiwoClient
from .account import Account, ask
from .output import Column, local, show_fields, show_json_object, show_with, span, told
from .running import fail, is_number

__all__ = ["status"]

_COLUMNS: Sequence[Column[CustomStatus]] = (
    Column("number", lambda one: str(one.id)),
    Column("name", lambda one: one.name),
    Column("behaviour", lambda one: one.behaviour),
)


def status(
    new: Annotated[
        str | None, typer.Argument(metavar="[NAME|NUMBER]", help="The status to set, by its name or its number.")
    ] = None,
    comment: Annotated[str | None, typer.Option(metavar="TEXT", help="A remark to the new status.")] = None,
    known: Annotated[bool, typer.Option("--list", help="List the statuses that you can choose.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object; with --list one a line.")] = False,
) -> None:
    """Show your status, or set it and show what it is then."""
    if known and (new is not None or comment is not None):
        fail("--list sets nothing: give either a status or --list", EXIT_CODES["configuration"])
    if comment is not None and new is None:
        fail("--comment is for a new status: say which", EXIT_CODES["configuration"])

    async def work(ziwo: ZiwoClient, account: Account) -> int:
        del account
        if known:
            return await _list(ziwo, json)
        if new is not None:
            await ziwo.agent.set_status(int(new) if is_number(new) else new, comment=comment)
        return await _show(ziwo, json)

    ask(work)


async def _list(ziwo: ZiwoClient, json: bool) -> int:
    found = await ziwo.agent.statuses()
    shown = show_with(_COLUMNS, "json" if json else "table", measured=len(found))
    for one in found:
        shown.row(one)
    shown.end()
    return EXIT_CODES["stopped"]


async def _show(ziwo: ZiwoClient, json: bool) -> int:
    presence = await ziwo.agent.status()
    if json:
        show_json_object(told(presence))
        return EXIT_CODES["stopped"]
    lasting = None if presence.since is None else datetime.now(UTC) - presence.since
    show_fields(
        {
            "status": presence.status or "none",
            "since": None if lasting is None else f"{local(presence.since)} ({span(lasting)})",
            "state": presence.state,
            "position": presence.position,
        }
    )
    return EXIT_CODES["stopped"]
