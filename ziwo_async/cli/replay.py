"""`ziwo replay`: what became of the calls of a recording."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from .. import EXIT_CODES, BadArgument, DialogState, SessionEvent, Verdict
from ..testing.recordings import Replayed, ReplayedCall, replay_recording
from .running import fail, plain
from .screen import Screen
from .views import LOOKS, remark, session_note

__all__ = ["replay"]

_STYLES = {Verdict.DOCUMENTED: "green", Verdict.INFERRED: "yellow", Verdict.VIOLATION: "bold red"}


def replay(
    file: Annotated[str, typer.Argument(help="A recording of `ziwo listen --record`, or of a Recorder.")],
    call: Annotated[str | None, typer.Option(metavar="ID", help="Only the call with this id.")] = None,
    until: Annotated[str | None, typer.Option(metavar="STATE", help="Stop when a call enters this state.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a call, or event of the session.")] = False,
) -> None:
    """Run a recording through the call machine and show each call's flow and what is wrong with it.

    Ends with 0, or 1 when a flow was broken or no call entered STATE, or 2 when the file cannot be read.
    """
    if until is not None and until not in list(DialogState):
        fail(f"there is no state '{until}'; there are {', '.join(DialogState)}", EXIT_CODES["configuration"])
    try:
        replayed = replay_recording(file, call=call, until=until)
    except BadArgument as error:
        fail(str(error), EXIT_CODES["configuration"])
    if as_json:
        _show_json(replayed)
    else:
        _show(replayed, Screen())
    _warn(replayed)
    for broken in replayed.broken:
        sys.stderr.write(f"ziwo: call {plain(broken.id)} left the documented flow: {plain(_why(broken))}\n")
    if not replayed.reached:
        sys.stderr.write(f"ziwo: {'no call' if call is None else f'call {plain(call)} never'} entered '{until}'\n")
    raise typer.Exit(EXIT_CODES["failed" if replayed.broken or not replayed.reached else "stopped"])


def _why(call: ReplayedCall) -> str:
    told = [f"{event.input} in state '{event.state}': {event.reason}" for event in call.violations]
    return "; ".join(([call.report.reason] if call.report.verdict is Verdict.VIOLATION else []) + told)


def _warn(replayed: Replayed) -> None:
    recording = replayed.recording
    if recording.truncated:
        sys.stderr.write("ziwo: the last line is cut off, it was left out\n")
    if recording.full:
        sys.stderr.write("ziwo: the recording ends at its size limit; what came later is not in it\n")
    elif recording.ours and not recording.finished:
        sys.stderr.write("ziwo: the recording has no closing line: its process was killed, or still runs\n")


# -- for people ----------------------------------------------------------------------------------------------------


def _show(replayed: Replayed, console: Console) -> None:
    recording = replayed.recording
    frames = sum(entry.kind in ("send", "recv") for entry in recording.entries)
    connections = sum(entry.kind == "open" for entry in recording.entries)
    head = f"{recording.library or 'a transcript'}: {connections} connections, {frames} frames, "
    _print(console, Text(plain(f"{head}{len(replayed.calls)} calls")))
    for at, event in zip(replayed.times, replayed.events, strict=True):
        if note := session_note(event):
            _print(console, Text(f"{_time(at)}  {plain(note)}", style="italic"))
    for call in replayed.calls:
        _show_call(call, console)


def _show_call(call: ReplayedCall, console: Console) -> None:
    report = call.report
    number = plain(call.customer_number) or "no number"
    head = Text(f"call {plain(call.id)}  {plain(call.direction)}  {number}  ")
    # A violation of the machine does not stand in the flow: the call stayed where it was.
    verdict = Verdict.VIOLATION if call.violations else report.verdict
    head.append(verdict.value, style=_STYLES[verdict])
    if not report.complete:
        head.append("  (not over)")
    _print(console, head)
    for event in call.events:
        style, _ = LOOKS.get(event.state, ("", ""))
        line = Text(f"  {_time(event.at.timestamp())}  ", style="dim")
        line.append(f"{plain(event.state):<11}", style=style)
        line.append(plain(remark(event)))
        _print(console, line)
    for violation in call.violations:
        text = f"  violation: {violation.input} in state '{violation.state}': {violation.reason}"
        _print(console, Text(plain(text), style="bold red"))


def _print(console: Console, line: Text) -> None:
    console.print(line, soft_wrap=True, highlight=False)


def _time(at: float) -> str:
    moment = datetime.fromtimestamp(at).astimezone()
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"


# -- for programs --------------------------------------------------------------------------------------------------


def _show_json(replayed: Replayed) -> None:
    for at, event in zip(replayed.times, replayed.events, strict=True):
        if isinstance(event, SessionEvent):
            _write({"at": at, **event.model_dump(mode="json", by_alias=True)})
    for call in replayed.calls:
        report, ended = call.report, call.hangup
        last = call.events[-1].to_detail()
        _write(
            {
                "callID": call.id,
                "direction": str(call.direction),
                "customerNumber": call.customer_number,
                "documented": call.documented,
                "verdict": report.verdict.value,
                "step": report.step,
                "reason": report.reason,
                "complete": report.complete,
                "stateFlow": last["stateFlow"],
                "cause": ended and ended.cause,
                "by": ended and ended.by and str(ended.by),
                "violations": [event.model_dump(mode="json", by_alias=True) for event in call.violations],
            }
        )


def _write(fields: dict[str, object]) -> None:
    # ASCII only, so that the encoding of a pipe does not matter.
    sys.stdout.write(json.dumps(fields) + "\n")
