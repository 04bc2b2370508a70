"""Sees everything that a phone publishes, and says what of it is wrong."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable

from ziwo_async import (
    Call,
    CallEvent,
    Destroy,
    DialogEvent,
    Event,
    FlowViolation,
    Router,
    SessionClosed,
    SessionEvent,
    SessionLost,
    SessionReady,
    SessionRestored,
    Verdict,
    check_flow,
)


class Witness:
    """The events of one phone in wire order, noted in the read path; what is wrong goes into `wrong`.

    Args:
        name: Of the phone, for the trace.
        note: Told each event as one line of the trace.
        violations: Whether the server may break the documented flows (it reorders frames, or sends strange ones).
        takes_over: Whether it may have calls of a phone that ended before.
    """

    def __init__(self, name: str, note: Callable[[str], None], *, violations: bool, takes_over: bool) -> None:
        self.name = name
        self.wrong: list[str] = []
        self.published = 0
        self.calls: dict[str, list[DialogEvent]] = defaultdict(list)
        self.session: list[SessionEvent] = []
        self.router = Router()
        self._note = note
        self._violations = violations
        self._takes_over = takes_over
        self._over: set[str] = set()
        self.router.on(CallEvent, when=self.see)(_never_call)
        self.router.on(SessionEvent, when=self.see)(_never_session)

    def see(self, event: Event) -> bool:
        self.published += 1
        self._note(f"{self.name} {event.model_dump_json(by_alias=True)}")
        if isinstance(event, DialogEvent):
            self._state(event)
        elif isinstance(event, CallEvent) and event.call_id in self._over:
            self.wrong.append(f"{type(event).__name__} of call {event.call_id} after its destroy")
        if isinstance(event, FlowViolation) and not self._violations:
            self.wrong.append(f"a violation that the server gave no reason for: {event!r}")
        if isinstance(event, SessionEvent):
            self._session(event)
        return False

    def _state(self, event: DialogEvent) -> None:
        seen = self.calls[event.call_id]
        if event.call_id in self._over:
            self.wrong.append(f"{event.state} of call {event.call_id} after its destroy")
        before = seen[-1].state_flow if seen else ()
        if not seen and self._takes_over:
            # Taken over from a phone that ended: the flow goes on where the ledger says that it was.
            before = event.state_flow[:-1]
        if len(event.state_flow) != len(before) + 1 or event.state_flow[-1].state != event.state:
            flow = [str(step.state) for step in event.state_flow]
            self.wrong.append(f"event {len(seen) + 1} ({event.state}) of call {event.call_id} has the flow {flow}")
        if event.state_flow[:-1] != before:
            self.wrong.append(f"the flow of call {event.call_id} was rewritten at {event.state}")
        seen.append(event)
        if isinstance(event, Destroy):
            self._over.add(event.call_id)

    def _session(self, event: SessionEvent) -> None:
        if not isinstance(event, SessionReady | SessionLost | SessionRestored | SessionClosed):
            return
        before = self.session[-1] if self.session else None
        allowed = _FOLLOWS[None if before is None else type(before)]
        if type(event) not in allowed:
            self.wrong.append(f"{type(event).__name__} after {type(before).__name__}")
        self.session.append(event)

    def closed(self) -> None:
        """The phone is closed: every call is over, every flow a legal one."""
        last = self.session[-1] if self.session else None
        kept = last.kept if isinstance(last, SessionClosed) else ()
        for call_id, events in self.calls.items():
            states = [str(event.state) for event in events]
            if states.count("destroy") != (call_id not in kept) or (call_id not in kept and states[-1] != "destroy"):
                self.wrong.append(f"call {call_id} ended as {states}")
            report = check_flow(events[-1].state_flow)
            if report.verdict is Verdict.VIOLATION:
                self.wrong.append(f"call {call_id} has no legal flow: {report.reason}")
        if self.session and not isinstance(self.session[-1], SessionClosed):
            self.wrong.append(f"the session ended with {type(self.session[-1]).__name__}")


_FOLLOWS: dict[type[SessionEvent] | None, tuple[type[SessionEvent], ...]] = {
    None: (SessionReady,),
    # A phone that takes over the calls of one that ended tells so right after it is ready.
    SessionReady: (SessionLost, SessionRestored, SessionClosed),
    SessionLost: (SessionRestored, SessionClosed),
    SessionRestored: (SessionLost, SessionClosed),
    SessionClosed: (),
}


async def _never_call(call: Call, event: CallEvent) -> None:
    raise AssertionError


async def _never_session(event: SessionEvent) -> None:
    raise AssertionError


class Errors(logging.Handler):
    """What the package logs as an error: each is a bug of ours in these runs."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info is not None and record.exc_info[1] is not None:
            text += f" ({record.exc_info[1]!r})"
        self.lines.append(text)
