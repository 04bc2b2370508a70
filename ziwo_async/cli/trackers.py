"""`ziwo trackers`: call trackers, which let a service of yours decide what becomes of a call; and that service."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from json import dumps
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

import typer
from pydantic import SecretStr

from .. import EXIT_CODES, BadArgument, CallTracker, ZiwoClient
from .account import Account, ask
from .output import Column, seconds, show_fields, show_json_object, show_with, told
from .period import day
from .running import fail, plain
from .tracker_find import find_tracker
from .tracker_replay import replay
from .tracker_serve import serve
from .tracker_try import try_rules

__all__ = ["trackers"]

trackers = typer.Typer(
    no_args_is_help=True,
    help="Call trackers (list, change, test them: needs an admin), and the service of one.",
)

_Name: TypeAlias = Annotated[str, typer.Argument(metavar="ID|NAME", help="The tracker: its number or its name.")]
_Json: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON object, in the server's spelling.")]
_StartUrl: TypeAlias = Annotated[
    str | None, typer.Option(metavar="URL", help="Service that is asked when a call starts.")
]
_EndUrl: TypeAlias = Annotated[str | None, typer.Option(metavar="URL", help="Service that is told when a call ended.")]
_StartKey: TypeAlias = Annotated[
    bool | None,
    typer.Option("--start-key/--no-start-key", help="Ask for its API key (or ZIWO_TRACKER_START_KEY); or none."),
]
_EndKey: TypeAlias = Annotated[
    bool | None,
    typer.Option("--end-key/--no-end-key", help="Ask for its API key (or ZIWO_TRACKER_END_KEY); or none."),
]
_StartTimeout: TypeAlias = Annotated[
    float | None, typer.Option(min=0.001, metavar="SECONDS", help="How long the first service may take.")
]
_EndTimeout: TypeAlias = Annotated[
    float | None, typer.Option(min=0.001, metavar="SECONDS", help="How long the second service may take.")
]
_Welcome: TypeAlias = Annotated[str | None, typer.Option(metavar="HASH", help="Stored sound for when the call lands.")]
_Error: TypeAlias = Annotated[
    str | None, typer.Option(metavar="HASH", help="Stored sound for when the first service fails.")
]

_COLUMNS: Sequence[Column[CallTracker]] = (
    Column("id", lambda tracker: str(tracker.id)),
    Column("name", lambda tracker: tracker.name),
    Column("status", lambda tracker: tracker.status),
    Column("start URL", lambda tracker: str(tracker.start_url or "")),
    Column("start key", lambda tracker: _is_set(tracker.start_api_key)),
    Column("end URL", lambda tracker: str(tracker.end_url or "")),
    Column("end key", lambda tracker: _is_set(tracker.end_api_key)),
)


@trackers.callback()
def _trackers() -> None:
    """Call trackers (list, change, test them: needs an admin), and the service of one."""


@trackers.command("list")
def list_all(
    search: Annotated[str | None, typer.Option(metavar="WORD", help="Only those that the server finds by it.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the call trackers."""
    if search is not None and not search.strip():
        fail("--search is empty: leave it out, or say a word", EXIT_CODES["configuration"])

    async def work(ziwo: ZiwoClient, account: Account) -> int:
        del account
        shown = show_with(_COLUMNS, "json" if json else "table", measured=200, whole=_whole)
        async for tracker in ziwo.trackers.list(search=search):
            shown.row(tracker)
        shown.end()
        return EXIT_CODES["stopped"]

    ask(work)


@trackers.command()
def show(tracker: _Name, json: _Json = False) -> None:
    """Show a call tracker."""

    async def work(ziwo: ZiwoClient, account: Account) -> int:
        del account
        found = await find_tracker(ziwo, tracker)
        if json:
            show_json_object(_whole(found))
        else:
            show_fields(_fields(found))
        return EXIT_CODES["stopped"]

    ask(work)


@trackers.command()
def create(
    name: Annotated[str, typer.Argument(help="Its name; it cannot be changed later.")],
    start_url: _StartUrl = None,
    end_url: _EndUrl = None,
    start_key: _StartKey = None,
    end_key: _EndKey = None,
    start_timeout: _StartTimeout = None,
    end_timeout: _EndTimeout = None,
    welcome: _Welcome = None,
    error: _Error = None,
) -> None:
    """Create a call tracker.

    Nothing secret is an argument: an address with user and password comes from ZIWO_TRACKER_START_URL or
    ZIWO_TRACKER_END_URL, an API key from ZIWO_TRACKER_START_KEY or ZIWO_TRACKER_END_KEY, or from a prompt.
    """
    start, end = _address(start_url, "start"), _address(end_url, "end")
    if start is None or end is None:
        fail("a call tracker needs --start-url and --end-url", EXIT_CODES["configuration"])
    keys = _key(start_key, "start"), _key(end_key, "end")

    async def work(ziwo: ZiwoClient, account: Account) -> int:
        del account
        made = await ziwo.trackers.create(
            name,
            start_url=start,
            end_url=end,
            start_api_key=keys[0],
            end_api_key=keys[1],
            start_timeout=start_timeout,
            end_timeout=end_timeout,
            welcome_playback=welcome,
            error_playback=error,
        )
        typer.echo(f"Created: {plain(name)}" + ("" if made is None else f", number {made.id}"))
        return EXIT_CODES["stopped"]

    ask(work)


@trackers.command()
def update(
    tracker: _Name,
    start_url: _StartUrl = None,
    end_url: _EndUrl = None,
    start_key: _StartKey = None,
    end_key: _EndKey = None,
    start_timeout: _StartTimeout = None,
    end_timeout: _EndTimeout = None,
    welcome: _Welcome = None,
    error: _Error = None,
) -> None:
    """Change a call tracker: what is given, or set in the variables that `create` reads, replaces what was there."""
    start, end = _address(start_url, "start"), _address(end_url, "end")
    keys = _key(start_key, "start"), _key(end_key, "end")

    async def work(ziwo: ZiwoClient, account: Account) -> int:
        del account
        found = await find_tracker(ziwo, tracker)
        await ziwo.trackers.update(
            found.id,
            start_url=start,
            end_url=end,
            start_api_key=keys[0],
            end_api_key=keys[1],
            start_timeout=start_timeout,
            end_timeout=end_timeout,
            welcome_playback=welcome,
            error_playback=error,
        )
        typer.echo(f"Changed: {plain(found.name)}")
        return EXIT_CODES["stopped"]

    ask(work)


@trackers.command()
def block(tracker: _Name) -> None:
    """Block a call tracker."""

    async def work(ziwo: ZiwoClient, account: Account) -> int:
        del account
        await ziwo.trackers.block(tracker)
        typer.echo(f"Blocked: {plain(tracker)}")
        return EXIT_CODES["stopped"]

    ask(work)


@trackers.command()
def unblock(tracker: _Name) -> None:
    """Unblock a call tracker."""

    async def work(ziwo: ZiwoClient, account: Account) -> int:
        del account
        await ziwo.trackers.unblock(tracker)
        typer.echo(f"Unblocked: {plain(tracker)}")
        return EXIT_CODES["stopped"]

    ask(work)


@trackers.command()
def delete(
    tracker: _Name, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether you are sure.")] = False
) -> None:
    """Delete a call tracker, after asking."""
    if not yes:
        if not sys.stdin.isatty():
            fail(f"{tracker} would be deleted: say --yes", EXIT_CODES["configuration"])
        if not typer.confirm(f"Delete the call tracker {plain(tracker)}?", err=True):
            raise typer.Exit(EXIT_CODES["failed"])

    async def work(ziwo: ZiwoClient, account: Account) -> int:
        del account
        await ziwo.trackers.delete(tracker)
        typer.echo(f"Deleted: {plain(tracker)}")
        return EXIT_CODES["stopped"]

    ask(work)


@trackers.command()
def logs(
    tracker: Annotated[
        list[str] | None, typer.Argument(metavar="[ID|NAME]...", help="Only those of these trackers.")
    ] = None,
    begin: Annotated[str | None, typer.Option("--from", metavar="DATE", help="First day.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last day.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Stop after so many.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show the requests that were made to the services of call trackers.

    ZIWO does not document what a record has: all of it is shown, with secrets hidden.
    """
    try:
        since, until = day(begin, "--from"), day(end, "--to")
    except BadArgument as error:
        fail(str(error), EXIT_CODES["configuration"])

    async def work(ziwo: ZiwoClient, account: Account) -> int:
        del account
        wanted = [(await find_tracker(ziwo, one)).id for one in tracker or ()]
        count = 0
        async for log in ziwo.trackers.logs(from_date=since, to_date=until, trackers=wanted):
            record = told(log)
            if json:
                show_json_object(record)
            else:
                typer.echo("  ".join(f"{plain(name)}={plain(str(value))}" for name, value in record.items()))
            count += 1
            if count == limit:
                break
        if not count and not json:
            sys.stderr.write("ziwo: there are no such requests\n")
        return EXIT_CODES["stopped"]

    ask(work)


@trackers.command("test")
def try_out(tracker: _Name, json: _Json = False) -> None:
    """Let ZIWO try the services of a call tracker with a dummy call, and show what it says.

    ZIWO does not document the answer: all of it is shown, with secrets hidden.
    """

    async def work(ziwo: ZiwoClient, account: Account) -> int:
        del account
        answer = await ziwo.trackers.test((await find_tracker(ziwo, tracker)).id)
        if json or not isinstance(answer, dict):
            show_json_object(answer)
        else:
            show_fields({plain(name): dumps(value) for name, value in answer.items()})
        return EXIT_CODES["stopped"]

    ask(work)


trackers.command("serve")(serve)
trackers.command("try")(try_rules)
trackers.command("replay")(replay)


# --- what is given ----------------------------------------------------------------------------------------------------


def _address(option: str | None, which: Literal["start", "end"]) -> str | None:
    """Take an address from the option, else from the environment, where it may have user and password."""
    if option is None:
        return os.environ.get(f"ZIWO_TRACKER_{which.upper()}_URL") or None
    try:
        secret = "@" in urlsplit(option).netloc
    except ValueError:
        secret = True
    if secret:
        text = f"--{which}-url with user and password would be in the process list: put it into the environment as"
        fail(f"{text} ZIWO_TRACKER_{which.upper()}_URL", EXIT_CODES["configuration"])
    return option


def _key(wanted: bool | None, which: Literal["start", "end"]) -> SecretStr | None:
    """Take an API key from the environment or from a prompt; an empty one takes the present one away."""
    variable = f"ZIWO_TRACKER_{which.upper()}_KEY"
    if wanted is False:
        return SecretStr("")
    found = os.environ.get(variable)
    if found:
        return SecretStr(found)
    if not wanted:
        return None
    if not sys.stdin.isatty():
        fail(f"--{which}-key asks at a terminal, and there is none: set {variable}", EXIT_CODES["configuration"])
    return SecretStr(typer.prompt(f"API key of the {which} service", err=True, hide_input=True))


# --- what is shown ----------------------------------------------------------------------------------------------------


def _is_set(key: SecretStr | None) -> str:
    return "none" if key is None else "set"


def _fields(tracker: CallTracker) -> Mapping[str, str | None]:
    return {
        "id": str(tracker.id),
        "name": tracker.name,
        "status": tracker.status,
        "start URL": str(tracker.start_url or ""),
        "start key": _is_set(tracker.start_api_key),
        "start timeout": _seconds(tracker.start_timeout),
        "end URL": str(tracker.end_url or ""),
        "end key": _is_set(tracker.end_api_key),
        "end timeout": _seconds(tracker.end_timeout),
        "welcome": tracker.welcome_playback,
        "error": tracker.error_playback,
    }


def _seconds(limit: timedelta | None) -> str | None:
    return None if limit is None else f"{seconds(limit)} s"


def _whole(tracker: CallTracker) -> Mapping[str, object]:
    """Give what JSON shows: of an API key only that there is one."""
    keys = {"startRequestAPIKey": tracker.start_api_key, "endRequestAPIKey": tracker.end_api_key}
    return {**told(tracker), **{name: None if key is None else "set" for name, key in keys.items()}}
