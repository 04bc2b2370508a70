"""`ziwo agents`, `ziwo queues` and `ziwo numbers`: the directories of the contact centre."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, TypeAlias, TypeVar

import typer
from pydantic import BaseModel

from .. import EXIT_CODES, Agent, Number, Queue, ZiwoClient
from .account import Account, ask
from .output import Column, show_with

__all__ = ["agents", "numbers", "queues"]

_R = TypeVar("_R", bound=BaseModel)
_Admin: TypeAlias = Annotated[bool, typer.Option("--admin", help="As admins see them: all of them, with more fields.")]
_Json: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON object a line, in the server's spelling.")]

# More than any contact centre has on a screen; past it, columns keep their width.
_MEASURED = 500

_AGENTS: Sequence[Column[Agent]] = (
    Column("ccLogin", lambda agent: agent.cc_login),
    Column("name", lambda agent: agent.full_name),
    Column("user", lambda agent: agent.username),
    Column("status", lambda agent: None if agent.live_info is None else agent.live_info.status),
    Column("state", lambda agent: None if agent.live_info is None else agent.live_info.state),
    Column("id", lambda agent: str(agent.id)),
)
_QUEUES: Sequence[Column[Queue]] = (
    Column("name", lambda queue: queue.name),
    Column("extension", lambda queue: queue.extension),
    Column("agents", lambda queue: None if queue.agents is None else str(len(queue.agents))),
    Column("status", lambda queue: queue.status),
    Column("id", lambda queue: str(queue.id)),
)
_NUMBERS: Sequence[Column[Number]] = (
    Column("number", lambda number: number.did_display or number.did),
    Column("leads to", lambda number: number.link_data),
    Column("which is a", lambda number: number.link_type),
    Column("status", lambda number: number.status),
    Column("id", lambda number: str(number.id)),
)


def agents(admin: _Admin = False, json: _Json = False) -> None:
    """List the agents, with their presence."""
    _list(_AGENTS, lambda ziwo: ziwo.agents.list_all().__aiter__() if admin else ziwo.agents.list().__aiter__(), json)


def queues(admin: _Admin = False, json: _Json = False) -> None:
    """List the queues."""
    _list(_QUEUES, lambda ziwo: ziwo.queues.list_all().__aiter__() if admin else _own_queues(ziwo), json)


def numbers(admin: _Admin = False, json: _Json = False) -> None:
    """List the telephone numbers: without --admin, those that you may call from."""
    _list(_NUMBERS, lambda ziwo: ziwo.numbers.list_all().__aiter__() if admin else _own_numbers(ziwo), json)


async def _own_queues(ziwo: ZiwoClient) -> AsyncIterator[Queue]:
    for queue in await ziwo.agent.queues():
        yield queue


async def _own_numbers(ziwo: ZiwoClient) -> AsyncIterator[Number]:
    for number in await ziwo.agent.numbers():
        yield number


def _list(columns: Sequence[Column[_R]], records: Callable[[ZiwoClient], AsyncIterator[_R]], json: bool) -> None:
    async def show(ziwo: ZiwoClient, account: Account) -> int:
        del account
        shown = show_with(columns, "json" if json else "table", measured=_MEASURED)
        async for record in records(ziwo):
            shown.row(record)
        shown.end()
        return EXIT_CODES["stopped"]

    ask(show)
