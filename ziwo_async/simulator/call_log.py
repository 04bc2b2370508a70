"""Makes records of calls that are over.

A call that is transferred can look ended for a moment, so that is looked at one turn of the loop later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .history import Cdr
from .legs import FarEnd, Leg, Outside

if TYPE_CHECKING:
    from .calls import SimCall
    from .clock import Clock
    from .options import ServerOptions
    from .people import SimAgent
    from .world import World

__all__ = ["CallLog"]

_BUSY = frozenset({"USER_BUSY", "CALL_REJECTED"})
_SILENCE = frozenset({"NO_ANSWER", "NO_USER_RESPONSE", "ALLOTTED_TIMEOUT", "PROGRESS_TIMEOUT"})
_CANCEL = frozenset({"ORIGINATOR_CANCEL", "NORMAL_CLEARING"})


@dataclass(slots=True)
class _Live:
    """What is known of a call that is not over.

    Attributes:
        started_at: When it began.
        rang_at: When a phone rang first.
        answered_at: When the two ends could talk first.
        agent: Who talks, or talked last.
        held_since: When the present hold began.
        hold: How long earlier ones lasted.
        ender: The end that left first, and without which the call does not go on.
        ended_at: When that was.
        looking: It is about to be looked at.
        transferred: Another agent talked before.
    """

    started_at: float
    rang_at: float | None = None
    answered_at: float | None = None
    agent: SimAgent | None = None
    held_since: float | None = None
    hold: float = 0.0
    ender: FarEnd | None = None
    ended_at: float = 0.0
    looking: bool = False
    transferred: bool = False


class CallLog:
    """Watches the calls of a running simulator.

    Args:
        world: Whose history is written.
        clock: Time.
        options: When recordings are ready.
    """

    def __init__(self, world: World, clock: Clock, options: ServerOptions) -> None:
        self._world = world
        self._clock = clock
        self._options = options
        self._live: dict[SimCall, _Live] = {}

    # ---- what the switch tells -------------------------------------------------------------------------------

    def began(self, call: SimCall) -> None:
        """There is a new call."""
        self._live[call] = _Live(self._clock.epoch())
        self._look_soon(call)

    def changed(self, end: FarEnd) -> None:
        """A leg rings, was answered, held or resumed, or two ends were joined."""
        live, call = self._of(end), end.call
        if live is None or call is None:
            return
        now = self._clock.epoch()
        if live.rang_at is None and (call.forward is not None or any(not leg.dialled for leg in call.legs)):
            live.rang_at = now
        if live.answered_at is None and _forwarded(call):
            live.answered_at = now
        talking = next((leg for leg in call.legs if _talks(leg, call)), None)
        if talking is not None:
            live.answered_at = now if live.answered_at is None else live.answered_at
            live.transferred = live.transferred or live.agent not in (None, talking.agent)
            live.agent = talking.agent
        held = talking is not None and talking.held
        if held and live.held_since is None:
            live.held_since = now
        elif not held and live.held_since is not None:
            live.hold += now - live.held_since
            live.held_since = None
        self._look_soon(call)

    def ended(self, end: FarEnd) -> None:
        """An end has left."""
        live, call = self._of(end), end.call
        if live is None or call is None:
            return
        if live.ender is None:
            live.ender, live.ended_at = end, self._clock.epoch()
            if live.answered_at is None and call.direction == "inbound":
                # Answered, and over before the two ends were joined: that is no call that nobody answered.
                picked_up = next((leg for leg in call.legs if leg.answered), None)
                if picked_up is not None:
                    live.answered_at, live.agent = live.ended_at, picked_up.agent
        self.changed(end)

    def close(self) -> None:
        """The simulator ends: what is over by now is written."""
        for call in tuple(self._live):
            self._look(call)
        self._live.clear()

    def so_far(self) -> list[tuple[SimCall, Cdr]]:
        """The calls that are not over, oldest first, each with what its record will say if it ends now."""
        return [(call, self._record(call, live, 0)) for call, live in self._live.items() if call.state != "ended"]

    # ---- what becomes of it ----------------------------------------------------------------------------------

    def _of(self, end: FarEnd) -> _Live | None:
        return None if end.call is None else self._live.get(end.call)

    def _look_soon(self, call: SimCall) -> None:
        live = self._live[call]
        if not live.looking:
            live.looking = True
            self._clock.later(0.0, lambda: self._look(call))

    def _look(self, call: SimCall) -> None:
        live = self._live.get(call)
        if live is None:
            return
        live.looking = False
        if call.state == "ended" and all(leg.ended for leg in call.legs):
            del self._live[call]
            self._write(call, live)
        elif _goes_on(call):
            live.ender = None

    def _write(self, call: SimCall, live: _Live) -> None:
        cdr = self._record(call, live, self._world.history.next_id())
        self._world.history.append(cdr)
        if not cdr.recording_ready:
            self._clock.later(self._options.recording_delay, lambda: self._ready(cdr))

    def _record(self, call: SimCall, live: _Live, number: int) -> Cdr:
        ended = live.ended_at if live.ender is not None else self._clock.epoch()
        hold = live.hold + (0.0 if live.held_since is None else ended - live.held_since)
        ender = live.ender
        cause = ender.cause if ender is not None else call.cause
        answered = live.answered_at is not None
        spoken = live.answered_at if answered else call.voicemail_since
        if not answered and ender is call.outside and cause == "NORMAL_CLEARING":
            cause = "ORIGINATOR_CANCEL" if spoken is None else "NO_ANSWER"
        agents = tuple(dict.fromkeys(leg.agent for leg in call.legs if leg.agent is not None))
        return Cdr(
            id=number,
            call_id=call.primary_call_id,
            direction=call.direction,
            result=_result(answered, cause),
            started_at=live.started_at,
            answered_at=live.answered_at,
            ended_at=ended,
            customer=call.customer.number if call.customer is not None else _dialled(call),
            customer_name=call.customer.name if call.customer is not None else "",
            did=call.did,
            agent=_agent(call, live, agents),
            agents=agents,
            queue=call.queue,
            rang_at=live.rang_at if call.direction != "outbound" else live.started_at,
            hold=hold,
            cause=cause,
            hung_up_by=_hung_up_by(call, ender),
            voicemail=call.voicemail_since is not None and not answered,
            recording_seconds=ended - spoken if spoken is not None and call.direction != "service" else None,
            recording_ready=self._options.recording_delay <= 0,
            transferred=live.transferred,
            position=call.forward.party.number if call.forward is not None and _forwarded(call) else None,
        )

    def _ready(self, cdr: Cdr) -> None:
        cdr.recording_ready = True
        self._world.watch.poke()


def _forwarded(call: SimCall) -> bool:
    """Whether somebody outside has answered, whom a call tracker called."""
    return call.forward is not None and call.forward.answered


def _talks(leg: Leg, call: SimCall) -> bool:
    if leg.ended or not leg.answered:
        return False
    return call.direction == "service" if leg.other is None else leg.other.answered


def _goes_on(call: SimCall) -> bool:
    """Whether the call is alive by itself: not just the last leg of one that is being taken down."""
    if call.outside is not None and not call.outside.ended:
        return True
    return any(
        not leg.ended and (not leg.answered or leg.hunt is not None or leg.other is not None) for leg in call.legs
    )


def _result(answered: bool, cause: str) -> str:
    if answered:
        return "answered"
    for result, causes in (("cancel", _CANCEL), ("busy", _BUSY), ("no-answer", _SILENCE)):
        if cause in causes:
            return result
    return "failed"


def _agent(call: SimCall, live: _Live, agents: tuple[SimAgent, ...]) -> SimAgent | None:
    """Who had the call: of calls between agents, who made it."""
    if call.direction == "internal":
        return agents[0] if agents else None
    if _forwarded(call):
        return live.agent
    return live.agent or (agents[-1] if agents else None)


def _dialled(call: SimCall) -> str:
    """The number that stands for a customer who does not exist."""
    return call.did if call.direction == "outbound" else ""


def _hung_up_by(call: SimCall, ender: FarEnd | None) -> str:
    if ender is None or ender.cause == "SYSTEM_SHUTDOWN" or call.dropped:
        return "unknown"
    if isinstance(ender, Outside):
        return "originator" if call.direction == "inbound" and ender is call.outside else "originatee"
    originator = ender.dialled or (call.direction == "outbound")
    return "originator" if originator else "originatee"
