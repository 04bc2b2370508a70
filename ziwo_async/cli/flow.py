"""`ziwo flow`: are these state flows the documented ones?"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Annotated, cast

import typer
from rich.text import Text

from .. import EXIT_CODES, DialogState, FlowChecker, FlowReport, Verdict
from .running import fail, plain
from .screen import Screen

__all__ = ["flow"]

_STYLES = {Verdict.DOCUMENTED: "green", Verdict.INFERRED: "yellow", Verdict.VIOLATION: "bold red"}


class _Flow:
    """The states of one call, as the lines tell them."""

    def __init__(self) -> None:
        self.checker = FlowChecker()
        self.states: list[str] = []

    def feed(self, state: str, inferred: bool) -> None:
        self.states.append(state)
        self.checker.feed(DialogState(state), inferred=inferred)


def flow(
    file: Annotated[str, typer.Argument(help="JSON lines, as `--json` writes them; `-` reads stdin.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a call.")] = False,
) -> None:
    """Judge state flows: documented, inferred (the server jumped over a state) or violation.

    Ends with 0, or 1 when a flow is a violation, or 2 when the input cannot be read.
    """
    flows = _read(_lines(file))
    console = Screen()
    for call_id, found in flows.items():
        report = found.checker.report
        if as_json:
            sys.stdout.write(json.dumps(_as_json(call_id, found, report)) + "\n")
        else:
            line = Text(f"{report.verdict.value:<11}", style=_STYLES[report.verdict])
            line.append(f"{plain(call_id)}  {' '.join(map(plain, found.states))}", style="default")
            if not report.complete:
                line.append("  (not over)", style="default")
            if report.reason:
                line.append(f"\n{'':<11}{plain(report.reason)}", style="default")
            console.print(line, soft_wrap=True, highlight=False)
    if not flows:
        fail(f"{file}: there is no dialog event in it", EXIT_CODES["configuration"])
    bad = any(found.checker.report.verdict is Verdict.VIOLATION for found in flows.values())
    raise typer.Exit(EXIT_CODES["failed" if bad else "stopped"])


def _as_json(call_id: str, found: _Flow, report: FlowReport) -> dict[str, object]:
    return {
        "callID": call_id,
        "verdict": report.verdict.value,
        "step": report.step,
        "reason": report.reason,
        "complete": report.complete,
        "states": found.states,
    }


def _lines(file: str) -> list[str]:
    try:
        if file == "-":
            return sys.stdin.read().splitlines()
        with open(file, encoding="utf-8") as opened:
            return opened.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file} cannot be read: {error}", EXIT_CODES["configuration"])


def _read(lines: Iterable[str]) -> dict[str, _Flow]:
    flows: dict[str, _Flow] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event: object = json.loads(line)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            fail(f"line {number} is no JSON object", EXIT_CODES["configuration"])
        fields = cast("dict[str, object]", event)
        state, call_id = fields.get("state"), fields.get("callID", "")
        if "event" in fields and not isinstance(fields.get("stateFlow"), list):
            continue  # another event of ours: not about a state
        if not isinstance(state, str) or not isinstance(call_id, str):
            fail(f"line {number} is no dialog event: it has no 'state'", EXIT_CODES["configuration"])
        flows.setdefault(call_id, _Flow()).feed(state, _was_inferred(fields.get("stateFlow")))
    return flows


def _was_inferred(state_flow: object) -> bool:
    steps = cast("list[object]", state_flow) if isinstance(state_flow, list) else []
    last = steps[-1] if steps else None
    return isinstance(last, dict) and cast("dict[str, object]", last).get("inferred") is True
