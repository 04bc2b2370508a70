"""`ziwo trackers replay`: the start calls of a day, from the logs of the call trackers, against a new rules file."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated

import typer
from pydantic import BaseModel, JsonValue

from .. import EXIT_CODES, BadArgument, ZiwoClient
from ..webhooks import Decision, Rule, TrackerService
from ..webhooks.logged import LoggedStart, read_log
from ..webhooks.rehearsal import rehearsal
from .account import Account, ask
from .output import Column, Show, show_with, told
from .period import day
from .running import fail
from .tracker_find import find_tracker
from .tracker_rules import (
    RulesFile,
    as_line,
    failures_shown_once,
    hanging_threads_left,
    has_failed,
    load_rules,
    said_instead,
)

__all__ = ["replay"]


class _Replayed(BaseModel):
    at: str
    did: str
    caller: str | None
    now: str
    source: str
    problem: str | None
    rules: list[dict[str, JsonValue]]
    before: list[dict[str, JsonValue]] | None
    changed: bool | None


_COLUMNS: Sequence[Column[_Replayed]] = (
    Column("when", lambda one: one.at, width=24),
    Column("didCalled", lambda one: one.did, width=12),
    Column("caller", lambda one: one.caller or "not told", width=12),
    Column("then", lambda one: {None: "", True: "changed", False: "same"}[one.changed], width=7),
    Column("decision", lambda one: f"{one.now}{'' if one.source == 'handler' else f' (fallback: {one.problem})'}"),
)


def replay(
    rules: RulesFile,
    since: Annotated[
        str | None, typer.Option("--since", "--from", metavar="DATE", help="First day; by default yesterday.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until", "--to", metavar="DATE", help="Last day; by default the first one, or today with --since."
        ),
    ] = None,
    tracker: Annotated[
        list[str] | None, typer.Option(metavar="ID|NAME", help="Only the requests to this tracker; again for more.")
    ] = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only those that are answered differently now.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Stop after so many start calls.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Ask a rules file about the start calls of yesterday, from the logs of the call trackers. Needs an admin.

    Nobody is called, and in the handler `is_rehearsal()` is true. ZIWO does not document what a log has: didCalled is
    looked for anywhere in a record, and records without it are counted. Where the log has the answer of then, it is
    compared. The exit code is 1 when the handler failed or took too long.
    """
    service = load_rules(rules)
    try:
        first, last = _days(since, until)
    except BadArgument as error:
        fail(str(error), EXIT_CODES["configuration"])

    async def work(ziwo: ZiwoClient, account: Account) -> int:
        del account
        wanted = [(await find_tracker(ziwo, one)).id for one in tracker or ()]
        shown = show_with(_COLUMNS, "json" if json else "table", measured=0, whole=_whole)
        run = _Run(service, shown, only_changed=changed)
        with rehearsal(), failures_shown_once():
            async for log in ziwo.trackers.logs(from_date=first, to_date=last, trackers=wanted):
                await run.take(told(log))
                if run.counts["starts"] == limit:
                    break
            await service.aclose()
        shown.end()
        sys.stderr.write(f"ziwo: {run.summary}\n")
        return EXIT_CODES["failed"] if has_failed(service) else EXIT_CODES["stopped"]

    with hanging_threads_left():
        ask(work)


class _Run:
    """Asks a service about one logged request after the other."""

    def __init__(self, service: TrackerService, shown: Show[_Replayed], *, only_changed: bool) -> None:
        self.counts: Counter[str] = Counter()
        self._service = service
        self._shown = shown
        self._only_changed = only_changed

    async def take(self, record: Mapping[str, JsonValue]) -> None:
        found = read_log(record, caller_field=self._service.caller_field)
        if not isinstance(found, LoggedStart):
            self.counts[found] += 1
            return
        row = _row(found, await self._service.decide(found.start))
        self.counts["starts"] += 1
        self.counts[row.source] += 1
        self.counts["changed"] += row.changed is True
        self.counts["compared"] += row.changed is not None
        if row.changed is not False or not self._only_changed:
            self._shown.row(row)

    @property
    def summary(self) -> str:
        counts = self.counts
        text = f"{_number(counts['starts'], 'start call')}: {counts['handler']} by the handler"
        text += f", {counts['fallback']} by the fallback"
        if counts["compared"]:
            text += f"; {counts['changed']} of {counts['compared']} answered differently now"
        if counts["end"]:
            text += f"; {_number(counts['end'], 'end call')} left out"
        if counts["unclear"]:
            text += f"; {_number(counts['unclear'], 'record')} without didCalled"
        return text


def _days(since: str | None, until: str | None) -> tuple[date, date]:
    today = datetime.now().astimezone().date()
    first, last = day(since, "--since"), day(until, "--until")
    if first is None:
        first = last or today - timedelta(days=1)
    return first, last or (today if since is not None else first)


def _row(found: LoggedStart, decision: Decision) -> _Replayed:
    rules = decision.answer.rules
    return _Replayed(
        at=found.at,
        did=found.start.did_called,
        caller=found.start.caller,
        now=said_instead(decision) or as_line(decision.answer),
        source=decision.source,
        problem=decision.problem or "there is no handler" if decision.source == "fallback" else None,
        rules=[rule.to_dict() for rule in rules],
        before=None if found.rules is None else [dict(rule) for rule in found.rules],
        changed=None if found.rules is None else not _same(found.rules, rules),
    )


def _same(before: Sequence[Mapping[str, JsonValue]], now: Sequence[Rule]) -> bool:
    """Whether two answers have the same rules; numbers that are written as texts are equal to numbers."""
    return [_texts(rule) for rule in before] == [_texts(rule.to_dict()) for rule in now]


def _texts(rule: Mapping[str, JsonValue]) -> dict[str, str]:
    return {key: str(value) for key, value in rule.items() if value not in (None, "")}


def _whole(row: _Replayed) -> Mapping[str, object]:
    return {
        "at": row.at or None,
        "didCalled": row.did,
        "caller": row.caller,
        "source": row.source,
        "problem": row.problem,
        "rules": row.rules,
        "before": row.before,
        "changed": row.changed,
    }


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
