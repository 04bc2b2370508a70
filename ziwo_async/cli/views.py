"""How events are shown: as timelines for people, or as one JSON object a line for programs."""

from __future__ import annotations

import json
import sys

from rich.console import Console
from rich.text import Text

from .. import (
    CallEvent,
    Destroy,
    DialogEvent,
    DialogState,
    Event,
    EventsDropped,
    FlowViolation,
    Hangup,
    HangupBy,
    LoginBlocked,
    SessionClosed,
    SessionLost,
    SessionReady,
    SessionRestored,
    SlowConsumer,
    check_flow,
)
from .running import plain

__all__ = ["LOOKS", "Timeline", "remark", "session_note", "show_json"]

LOOKS: dict[DialogState, tuple[str, str]] = {
    DialogState.REQUESTING: ("cyan", "the operator is asked to call"),
    DialogState.TRYING: ("cyan", "the operator tries"),
    DialogState.EARLY: ("yellow", "waits for the customer to pick up"),
    DialogState.RINGING: ("yellow", "rings at the agent's phone"),
    DialogState.ANSWERING: ("cyan", "the agent is answering"),
    DialogState.ACTIVE: ("bold green", "agent and customer can talk"),
    DialogState.HELD: ("magenta", "the customer is on hold"),
    DialogState.RECOVERING: ("bold yellow", "found again after a reconnect"),
    DialogState.HANGUP: ("red", ""),
    DialogState.DESTROY: ("red", ""),
}
_ENDED_BY = {HangupBy.LOCAL: "by us", HangupBy.REMOTE: "by the other side", HangupBy.LOST: "with the connection"}


def show_json(event: Event) -> None:
    """Write a dialog event as its documented object, on one line; other events are not shown."""
    if isinstance(event, DialogEvent):
        # ASCII only, so that the encoding of a pipe does not matter.
        sys.stdout.write(json.dumps(event.to_detail()) + "\n")
        sys.stdout.flush()


class Timeline:
    """Draws calls as they happen: one line a state, one column for each call that lives at the same time.

    It needs no colour, no cursor movement and no width, so that it looks the same in a terminal, a pipe and a log.
    """

    def __init__(self, console: Console) -> None:
        """Make an empty timeline that draws on a console."""
        self._console = console
        self._lanes: list[str | None] = []
        fancy = console.encoding.lower().startswith("utf")
        self._first, self._next, self._last, self._bar = "┌├└│" if fancy else "+++|"

    def show(self, event: Event) -> None:
        """Draw an event; those with nothing to see are skipped."""
        if isinstance(event, DialogEvent):
            self._state(event)
        elif isinstance(event, FlowViolation):
            self._note(f"{event.input} in state {event.state}: {event.reason}", event)
        elif note := session_note(event):
            self._note(note)

    def _state(self, event: DialogEvent) -> None:
        lane = self._lane(event.call_id)
        over = isinstance(event, Destroy)
        mark = self._last if over else self._first if len(event.state_flow) == 1 else self._next
        style, _ = LOOKS.get(event.state, ("", ""))
        moment = event.at.astimezone()
        line = Text("  ")
        line.append(self._columns(lane, mark))
        line.append(f" {moment:%H:%M:%S}.{moment.microsecond // 1000:03d}  ", style="dim")
        line.append(f"{plain(event.state):<11}", style=style)
        line.append(f"{plain(event.direction):<10}{plain(event.customer_number) or 'no number':<16}")
        line.append(remark(event), style="dim")
        self._console.print(line, soft_wrap=True, highlight=False)
        if over:
            self._lanes[lane] = None
            while self._lanes and self._lanes[-1] is None:
                self._lanes.pop()

    def _note(self, text: str, event: CallEvent | None = None) -> None:
        lane = self._lanes.index(event.call_id) if event is not None and event.call_id in self._lanes else None
        line = Text(f"  {self._columns(lane, self._next)} ")
        line.append(plain(text), style="italic")
        self._console.print(line, soft_wrap=True, highlight=False)

    def _lane(self, call_id: str) -> int:
        if call_id in self._lanes:
            return self._lanes.index(call_id)
        if None in self._lanes:
            free = self._lanes.index(None)
            self._lanes[free] = call_id
            return free
        self._lanes.append(call_id)
        return len(self._lanes) - 1

    def _columns(self, own: int | None, mark: str) -> str:
        marks = (mark if at == own else " " if call is None else self._bar for at, call in enumerate(self._lanes))
        return " ".join(marks)


def session_note(event: Event) -> str:
    """Say in a few words what became of the phone; empty for events with nothing to see."""
    match event:
        case SessionReady():
            return f"the phone {event.login} is ready"
        case SessionLost():
            return f"connection lost: {event.reason}; reconnecting"
        case SessionRestored():
            kept, lost = len(event.kept), len(event.lost)
            return f"connected again after {event.gap_seconds:.1f} s: {kept} calls kept, {lost} lost"
        case SessionClosed() if event.error is not None:
            return f"the phone is closed: {event.reason}"
        case LoginBlocked():
            return f"somebody else is logged in as this agent; next try in {event.retry_seconds:.0f} s"
        case SlowConsumer():
            return f"{event.consumer} is slow: {event.depth} events wait, the oldest for {event.lag_seconds:.1f} s"
        case EventsDropped():
            return f"{event.dropped} events dropped: {event.consumer}"
        case _:
            return ""


def remark(event: DialogEvent) -> str:
    """Say in a few words what a state means, or how the call ended."""
    if isinstance(event, Hangup):
        return f"{plain(event.cause or 'no cause')}, {_ENDED_BY.get(event.by, '') if event.by else ''}".rstrip(", ")
    if isinstance(event, Destroy):
        report = check_flow(event.state_flow)
        lasted = event.state_flow[-1].date_unix - event.state_flow[0].date_unix
        flow = {"documented": "the documented flow", "inferred": "the documented flow, a state inferred"}.get(
            report.verdict.value, f"not the documented flow: {report.reason}"
        )
        return f"{flow}; {lasted:.1f} s"
    _, meaning = LOOKS.get(event.state, ("", ""))
    return f"{meaning} (inferred)" if event.inferred else meaning
