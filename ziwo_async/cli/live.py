"""`ziwo live`: agents, queues, calls and figures as they are now, from the live feed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Generic, NoReturn, TypeAlias, TypeVar

import typer
from pydantic import BaseModel
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .. import EXIT_CODES, ZiwoClient
from .account import signed_in
from .output import show_json_object, span, told, utc
from .running import fail, plain, run
from .screen import Screen

if TYPE_CHECKING:
    from .. import LiveAgent, LiveCall, LiveQueue, LiveStats, Watch

__all__ = ["live"]

T = TypeVar("T")
_R = TypeVar("_R", bound=BaseModel)

live = typer.Typer(
    no_args_is_help=True,
    help="Agents, queues, calls and figures as they are now, until Ctrl-C. Takes nobody's phone; needs an admin.",
)

_Json: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON object a snapshot; so it is in a pipe, too.")]
_Once: TypeAlias = Annotated[bool, typer.Option("--once", help="Only the first snapshot.")]

# Seconds. Times in a table go on without news.
_TICK = 1.0
_FIRST = 30.0
_GLANCE = 0.05


@dataclass(frozen=True, slots=True)
class _View(Generic[T]):
    """One kind of snapshot.

    Attributes:
        name: What its value is called in JSON.
        watch: Gives its reader.
        whole: Gives what JSON shows.
        table: Draws it.
    """

    name: str
    watch: Callable[[ZiwoClient], Watch[T]]
    whole: Callable[[T], object]
    table: Callable[[T], Table]


@live.callback()
def _live() -> None:
    """Agents, queues, calls and figures as they are now, until Ctrl-C. Takes nobody's phone; needs an admin."""


@live.command()
def agents(json: _Json = False, once: _Once = False) -> None:
    """Show the agents with their status, and for how long they have had it."""
    _show(_View("agents", lambda ziwo: ziwo.live.agents(), _whole, _agents), json, once)


@live.command()
def queues(json: _Json = False, once: _Once = False) -> None:
    """Show the queues with their waiting calls, and the longest wait."""
    _show(_View("queues", lambda ziwo: ziwo.live.queues(), _whole, _queues), json, once)


@live.command()
def calls(json: _Json = False, once: _Once = False) -> None:
    """Show the calls that are going on."""
    _show(_View("calls", lambda ziwo: ziwo.live.calls(), _whole, _calls), json, once)


@live.command()
def stats(json: _Json = False, once: _Once = False) -> None:
    """Show the figures of the contact centre."""
    _show(_View("stats", lambda ziwo: ziwo.live.stats(), told, _stats), json, once)


def _whole(rows: Mapping[str, _R]) -> object:
    return {key: told(row) for key, row in rows.items()}


# --- showing ----------------------------------------------------------------------------------------------------------


def _show(view: _View[T], json: bool, once: bool) -> NoReturn:
    who = signed_in()

    async def work() -> int:
        async with who.client() as ziwo, ziwo.live:
            watch = view.watch(ziwo)
            await _refused_or_told(watch)
            if json or not sys.stdout.isatty():
                await _as_json(view, watch, once)
            elif once:
                Screen().print(_drawn(view, watch))
            else:
                await _as_table(view, watch)
        return EXIT_CODES["stopped"]

    run(work(), expired=who.expired)


async def _refused_or_told(watch: Watch[T]) -> None:
    """Wait for the first snapshot, or for the server's no."""
    first = asyncio.ensure_future(watch.first(_FIRST))
    try:
        while not first.done() and watch.refused is None:
            await asyncio.wait({first}, timeout=_GLANCE)
        if watch.refused is not None:
            fail(f"the live feed does not tell this user: {watch.refused}", EXIT_CODES["failed"])
        await first
    except TimeoutError:
        fail(f"the live feed told nothing within {_FIRST:.0f} s", EXIT_CODES["connection"])
    finally:
        first.cancel()


async def _as_json(view: _View[T], watch: Watch[T], once: bool) -> None:
    async for snapshot in watch:
        show_json_object({"at": utc(watch.at), view.name: view.whole(snapshot)})
        if once:
            return


async def _as_table(view: _View[T], watch: Watch[T]) -> None:
    with Live(_drawn(view, watch), console=Screen(), auto_refresh=False, screen=False) as shown:
        newest = asyncio.ensure_future(anext(watch, None))
        try:
            while True:
                await asyncio.wait({newest}, timeout=_TICK)
                if newest.done():
                    if newest.result() is None:
                        return
                    newest = asyncio.ensure_future(anext(watch, None))
                shown.update(_drawn(view, watch), refresh=True)
        finally:
            newest.cancel()


def _drawn(view: _View[T], watch: Watch[T]) -> RenderableType:
    snapshot = watch.current
    table = Text("nothing was told yet") if snapshot is None else view.table(snapshot)
    if not watch.stale or watch.at is None:
        return table
    note = Text(f"stale: no connection; nothing new since {watch.at.astimezone():%H:%M:%S}", style="bold red")
    return Group(note, table)


# --- tables -----------------------------------------------------------------------------------------------------------


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, no_wrap=True)
    return table


def _row(table: Table, *cells: str | None) -> None:
    # Text, not markup: what a server sends has no say in the colours.
    table.add_row(*(Text(plain(cell or "")) for cell in cells))


def _ago(moment: datetime | None) -> str:
    return "" if moment is None else span(max(datetime.now(UTC) - moment, datetime.resolution * 0))


def _agents(rows: Mapping[str, LiveAgent]) -> Table:
    table = _table("ccLogin", "name", "status", "for", "state")
    for agent in sorted(rows.values(), key=lambda agent: agent.name.casefold()):
        state = agent.live_info.state if agent.live_info is not None else None
        _row(table, agent.cc_login, agent.name, agent.status, _ago(agent.since), state)
    return table


def _queues(rows: Mapping[str, LiveQueue]) -> Table:
    table = _table("queue", "waiting", "longest", "calls")
    for queue in sorted(rows.values(), key=lambda queue: (queue.name or "").casefold()):
        joined = [call.joined_at for call in queue.waiting if call.joined_at is not None]
        _row(
            table,
            queue.name or queue.id,
            str(len(queue.waiting)),
            _ago(min(joined)) if joined else "",
            str(len(queue.live_calls)),
        )
    return table


def _calls(rows: Mapping[str, LiveCall]) -> Table:
    table = _table("for", "direction", "caller", "called", "agent", "queue", "state")
    never = datetime.max.replace(tzinfo=UTC)
    for call in sorted(rows.values(), key=lambda call: call.started_at or never):
        cells: Sequence[str | None] = (call.direction, call.caller_number, call.did_called, call.agent, call.queue_name)
        _row(table, _ago(call.started_at), *cells, call.state)
    return table


def _stats(figures: LiveStats) -> Table:
    table = _table("figure", "value")
    for name, value in told(figures).items():
        if isinstance(value, (str, int, float)):
            _row(table, name, f"{value:g}" if isinstance(value, float) else str(value))
    return table
