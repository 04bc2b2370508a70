"""Recordings as test cases: `replay_recording(path)` says what became of each call, by the machine as it is now."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from ..errors import BadArgument
from ..events import DialogEvent, DialogState, Direction, Event, FlowViolation, Hangup, SessionEvent
from ..verto.flow import FlowReport, Verdict, check_flow
from ..verto.recording import Recording, read_recording
from ..verto.replay import Replayer, Told

__all__ = ["Replayed", "ReplayedCall", "replay_recording"]


@dataclass(frozen=True)
class ReplayedCall:
    """One call of a replayed recording.

    Attributes:
        id: The call id.
        events: Its dialog events, in order; the last one holds all that was known of the call.
        violations: What happened to it that the documented flow has no place for.
    """

    id: str
    events: tuple[DialogEvent, ...]
    violations: tuple[FlowViolation, ...]

    @property
    def flow(self) -> str:
        """The states in one line, a star behind inferred ones: `requesting trying early* active hangup destroy`."""
        return " ".join(f"{step.state}{'*' if step.inferred else ''}" for step in self.events[-1].state_flow)

    @property
    def direction(self) -> Direction:
        """As the agent sees it."""
        return self.events[-1].direction

    @property
    def customer_number(self) -> str:
        """The customer's number; masked when the recorder masked numbers."""
        return self.events[-1].customer_number

    @property
    def hangup(self) -> Hangup | None:
        """How it ended (`cause`, `by`), or None when the recording does not tell its end."""
        return next((event for event in self.events if isinstance(event, Hangup)), None)

    @property
    def report(self) -> FlowReport:
        """How the flow stands to the documented ones, and which step broke it."""
        return check_flow(self.events[-1].state_flow)

    @property
    def documented(self) -> bool:
        """Whether no step is a violation and nothing happened that the flow has no place for."""
        return self.report.verdict is not Verdict.VIOLATION and not self.violations


@dataclass(frozen=True)
class Replayed:
    """What became of a recording.

    Attributes:
        recording: The recording as read: `library`, `finished`, `truncated`, `full`.
        calls: Its calls, in the order they began. An id that was used again is a call of its own.
        events: Every event in order, those of the session included (`SessionReady`, `SessionLost`, ...).
        times: When each of the events was told, in seconds since the epoch.
        reached: Whether the state of `until` was entered; True when none was given.
    """

    recording: Recording
    calls: tuple[ReplayedCall, ...]
    events: tuple[Event, ...]
    times: tuple[float, ...]
    reached: bool = True

    @property
    def flows(self) -> dict[str, str]:
        """The flow of each call by call id; of an id that was used again, the last one."""
        return {call.id: call.flow for call in self.calls}

    @property
    def violations(self) -> tuple[FlowViolation, ...]:
        """All violations; empty in a good run."""
        return tuple(event for event in self.events if isinstance(event, FlowViolation))

    @property
    def broken(self) -> tuple[ReplayedCall, ...]:
        """The calls whose flow is not the documented one."""
        return tuple(call for call in self.calls if not call.documented)

    @property
    def session_events(self) -> tuple[SessionEvent, ...]:
        """The events about the phone as a whole."""
        return tuple(event for event in self.events if isinstance(event, SessionEvent))

    def call(self, call_id: str) -> ReplayedCall:
        """Give one call.

        Raises:
            BadArgument: The recording has no such call.
        """
        for call in reversed(self.calls):
            if call.id == call_id:
                return call
        raise BadArgument(f"the recording has no call {call_id}; it has {_ids(self.calls)}")


def replay_recording(
    path: str | os.PathLike[str],
    *,
    agents: Collection[str] = (),
    call: str | None = None,
    until: DialogState | str | None = None,
) -> Replayed:
    """Run a recording (`Recorder`, `ziwo listen --record`) through the session machine.

    Transcripts in the format of the package's own tests are replayed, too; as they tell no date, theirs is 1970.

    Args:
        path: The file.
        agents: ccLogins of the contact centre's agents, for the direction `internal`.
        call: Leave the other calls out.
        until: Stop when a call (that call) enters this state.

    Raises:
        BadArgument: The file cannot be read (the text says which line and why), or it has no such call.
    """
    try:
        with open(path, "rb") as lines:
            recording = read_recording(lines)
    except OSError as error:
        raise BadArgument(f"{os.fspath(path)} cannot be read: {error.strerror}") from None
    except BadArgument as error:
        raise BadArgument(f"{os.fspath(path)}: {error}") from None

    def wanted(event: Event) -> bool:
        return isinstance(event, DialogEvent) and event.state == until and call in (None, event.call_id)

    replayer = Replayer(recording.entries, agents=agents, ours=recording.ours)
    reached = replayer.run(None if until is None else wanted)
    calls = _calls(replayer.told)
    if call is not None and not any(one.id == call for one in calls):
        raise BadArgument(f"{os.fspath(path)} has no call {call}; it has {_ids(calls)}")
    told = [one for one in replayer.told if call is None or getattr(one.event, "call_id", None) in (None, call)]
    return Replayed(
        recording=recording,
        calls=tuple(one for one in calls if call in (None, one.id)),
        events=tuple(one.event for one in told),
        times=tuple(one.at for one in told),
        reached=reached,
    )


def _ids(calls: Iterable[ReplayedCall]) -> str:
    return ", ".join(dict.fromkeys(one.id for one in calls)) or "no calls"


def _calls(told: Iterable[Told]) -> tuple[ReplayedCall, ...]:
    calls: list[_Call] = []
    live: dict[tuple[str, str], _Call] = {}
    for one in told:
        event = one.event
        if isinstance(event, DialogEvent):
            call = live.get((one.phone, event.call_id))
            if call is None or len(event.state_flow) == 1:
                call = live[one.phone, event.call_id] = _Call()
                calls.append(call)
            call.events.append(event)
        elif isinstance(event, FlowViolation):
            live.get((one.phone, event.call_id), _Call()).violations.append(event)
    return tuple(ReplayedCall(call.events[0].call_id, tuple(call.events), tuple(call.violations)) for call in calls)


@dataclass
class _Call:
    events: list[DialogEvent] = field(default_factory=list[DialogEvent])
    violations: list[FlowViolation] = field(default_factory=list[FlowViolation])
