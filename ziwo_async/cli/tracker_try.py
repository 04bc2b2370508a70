"""`ziwo trackers try`: what a rules file decides about a call, without a call."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Sequence
from typing import Annotated

import typer
from pydantic import BaseModel, JsonValue

from .. import EXIT_CODES
from ..webhooks import Decision, Rule, StartCall, TrackerService
from ..webhooks.rehearsal import rehearsal
from .output import Column, show_fields, show_json_object, show_with
from .running import fail, plain, run
from .tracker_rules import RulesFile, failures_shown_once, hanging_threads_left, has_failed, load_rules, said_instead

__all__ = ["try_rules"]


class _Step(BaseModel):
    place: int
    rule: Rule


_COLUMNS: Sequence[Column[_Step]] = (
    Column("rule", lambda step: str(step.place)),
    Column("action", lambda step: step.rule.action),
    Column("number", lambda step: step.rule.number),
    Column("caller ID", lambda step: step.rule.caller_id),
    Column("timeout", lambda step: f"{step.rule.timeout} s"),
    Column("more", lambda step: _more(step.rule.extra)),
)


def try_rules(
    rules: RulesFile,
    did: Annotated[str, typer.Option(metavar="NUMBER", help="The number that is called (didCalled).")],
    caller: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Who calls; leave it out for a request that does not say it.")
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A further field of the request; again for more.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show what a rules file decides about a call. Needs no account; nobody is called.

    It runs the file and its handler, in which `is_rehearsal()` is true: counts of campaigns stay as they are. What else
    the handler does, it does. The exit code is 1 when the handler failed or took too long.
    """
    tracker = load_rules(rules)
    start = _start(tracker, did, caller, field or ())
    with hanging_threads_left():
        run(_try(tracker, start, json=json), interrupted=EXIT_CODES["failed"])


def _start(tracker: TrackerService, did: str, caller: str | None, extra: Sequence[str]) -> StartCall:
    fields: dict[str, JsonValue] = {}
    for text in extra:
        name, equals, value = text.partition("=")
        if not equals or not name:
            fail(f"--field {text!r} is no NAME=VALUE", EXIT_CODES["configuration"])
        if name in fields:
            fail(f"--field {name} is given twice", EXIT_CODES["configuration"])
        if name in ("didCalled", tracker.caller_field):
            option = "--did" if name == "didCalled" else "--caller"
            fail(f"--field {name}: there is {option} for it", EXIT_CODES["configuration"])
        fields[name] = value
    if not did.strip():
        fail("--did is empty", EXIT_CODES["configuration"])
    if caller is not None:
        fields[tracker.caller_field] = caller
    return StartCall.of({"didCalled": did, **fields}, caller_field=tracker.caller_field)


async def _try(tracker: TrackerService, start: StartCall, *, json: bool) -> int:
    with rehearsal(), failures_shown_once():
        decision = await tracker.decide(start)
        await tracker.aclose()
    if json:
        show_json_object(
            {
                "didCalled": start.did_called,
                "caller": start.caller,
                "source": decision.source,
                "problem": decision.problem,
                "seconds": round(decision.seconds, 6),
                "content": decision.answer.content(start.did_called),
            }
        )
    else:
        _show(start, decision)
    return EXIT_CODES["failed"] if has_failed(tracker) else EXIT_CODES["stopped"]


def _show(start: StartCall, decision: Decision) -> None:
    show_fields(
        {
            "didCalled": start.did_called,
            "caller": start.caller or "not told",
            "decided by": f"the {decision.source}, in {decision.seconds * 1000:.1f} ms",
            "because": decision.problem,
            "beside": _more(decision.answer.extra),
        }
    )
    typer.echo()
    instead = said_instead(decision)
    if instead is not None or not decision.answer.rules:
        typer.echo(plain(instead or "no rules"))
        return
    shown = show_with(_COLUMNS, "table", measured=100)
    for place, rule in enumerate(decision.answer.rules, 1):
        shown.row(_Step(place=place, rule=rule))
    shown.end()


def _more(extra: object) -> str | None:
    return jsonlib.dumps(extra) if extra else None
