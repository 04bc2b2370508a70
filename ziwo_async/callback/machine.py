"""What becomes of a callback: decisions only, without I/O; the time is passed in.

The one rule above all: from `waiting` a dial begins, and `waiting` is reached again only when it is known that the last
dial was not sent, or that its call is over and nobody was joined. What is not known ends `unclear`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from .records import SLOWER, Attempt, AttemptOutcome, Callback, FailReason

__all__ = [
    "Blame", "Busy", "Cancel", "Event", "Held", "Lost", "NotPlaced", "Nothing", "Over", "Placed", "Ready", "Sight",
    "Trouble", "Up", "deadline", "step",
]  # fmt: skip

Blame: TypeAlias = Literal["agent", "contact", "ours"]
"""Why a dial was not made: this agent cannot be rung; this number may not be called; or it is no matter of either."""

# So many seconds after a dial an agent who is rung has the call for sure. Until then, a record without its id may be of
# a call shortly before the dial: the history has it later, and clocks differ.
_SHOWN_AT_THE_LATEST = 10.0
_QUICKEST = 0.25


@dataclass(frozen=True, slots=True)
class Busy:
    """The agent whose turn it is has a call now, or another callback."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The agent whose turn it is has no call: dial. The dial may be sent once this is stored.

    Attributes:
        known: Calls with the visitor that are in the history already.
    """

    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """It could not be found out whether to dial.

    Attributes:
        why: For people.
        pause: Seconds to wait.
    """

    why: str
    pause: float


@dataclass(frozen=True, slots=True)
class Placed:
    """ZIWO has taken a dial.

    Attributes:
        number: Which one.
        call_id: The call.
    """

    number: int
    call_id: str


@dataclass(frozen=True, slots=True)
class NotPlaced:
    """A dial was certainly not made.

    Attributes:
        number: Which one.
        blame: Why.
        why: For people.
        pause: Seconds to wait, when it is no matter of agent or number.
    """

    number: int
    blame: Blame
    why: str
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Lost:
    """A dial was sent, or may have been, and there was no answer that says what became of it.

    Attributes:
        number: Which one.
        why: For people.
    """

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """The call is neither at the agent nor in the history."""


@dataclass(frozen=True, slots=True)
class Up:
    """The agent has the call now.

    Attributes:
        call_id: The call, when it is told.
        agent_answered: The agent has picked up.
        joined: So has the visitor.
    """

    call_id: str | None
    agent_answered: bool
    joined: bool


@dataclass(frozen=True, slots=True)
class Over:
    """The call is in the history.

    Attributes:
        call_id: The call, when it is told.
        answered: Agent and visitor were joined.
        visitor: It was the visitor's side that ended it.
    """

    call_id: str | None
    answered: bool
    visitor: bool


@dataclass(frozen=True, slots=True)
class Sight:
    """Somebody has looked for the call of a dial.

    Attributes:
        number: Which dial.
        found: What was found.
    """

    number: int
    found: Nothing | Up | Over


@dataclass(frozen=True, slots=True)
class Trouble:
    """Looking for the call of a dial did not work.

    Attributes:
        number: Which dial.
        why: For people.
        pause: Seconds to wait.
    """

    number: int
    why: str
    pause: float


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody wants the callback any more."""


Event: TypeAlias = Busy | Ready | Held | Placed | NotPlaced | Lost | Sight | Trouble | Cancel


def step(it: Callback, event: Event, now: float) -> Callback:
    """Give the callback after an event. What does not fit its state, or tells of an earlier dial, changes nothing.

    Args:
        it: The callback.
        event: What happened.
        now: The time.
    """
    if it.over:
        return it
    if isinstance(event, Cancel):
        return _end(it, now, "cancelled", "cancelled") if it.state == "waiting" else replace(it, stop=True)
    if isinstance(event, (Busy, Ready, Held)):
        return _waited(it, event, now) if it.state == "waiting" else it
    attempt = it.attempt
    if attempt is None or attempt.number != event.number:
        return it
    return _dialled(it, attempt, event, now)


def deadline(it: Callback, attempt: Attempt) -> float:
    """When it is unclear what became of a dial.

    Args:
        it: The callback.
        attempt: The dial.
    """
    return attempt.began_at + it.plan.patience


# --- between two dials ------------------------------------------------------------------------------------------------


def _waited(it: Callback, event: Busy | Ready | Held, now: float) -> Callback:
    if now >= it.expires_at:
        told = f"not begun in time; the last thing was: {it.why}" if it.why else "not begun in time"
        return _end(it, now, "failed", told, reason="expired")
    if isinstance(event, Held):
        return replace(it, due_at=now + event.pause, why=event.why)
    if isinstance(event, Busy):
        return _busy(it, now)
    attempt = Attempt(
        number=it.count + 1, round=it.round, extension=it.extension, began_at=now, known=event.known
    )  # fmt: skip
    return replace(
        it, state="dialling", due_at=now, count=attempt.number, attempts=(*it.attempts, attempt), why=""
    )  # fmt: skip


def _busy(it: Callback, now: float) -> Callback:
    why = f"agent {it.extension} is busy"
    if it.turn + 1 < len(it.plan.extensions):
        return replace(it, turn=it.turn + 1, due_at=now, why=why)
    if any(attempt.round == it.round for attempt in it.attempts):
        return _round_over(it, now, why)
    # Nobody was rung: the visitor's turn has not come yet, so this is not one of the retries.
    return replace(it, turn=0, due_at=now + it.plan.extension_delay, why="every agent is busy")


def _next_extension(it: Callback, now: float, why: str, pause: float) -> Callback:
    if it.stop or it.turn + 1 >= len(it.plan.extensions):
        return _round_over(it, now, why)
    return replace(it, state="waiting", turn=it.turn + 1, due_at=now + pause, why=why)


def _round_over(it: Callback, now: float, why: str) -> Callback:
    if it.stop:
        return _end(it, now, "cancelled", f"cancelled; the last thing was: {why}")
    if it.round < it.plan.retries:
        return replace(it, state="waiting", round=it.round + 1, turn=0, due_at=now + it.plan.extension_delay, why=why)
    reached = any(attempt.outcome == "no answer" for attempt in it.attempts)
    return _end(it, now, "failed", why, reason="no answer" if reached else "no agent")


# --- a dial whose outcome is open -------------------------------------------------------------------------------------


def _dialled(
    it: Callback, attempt: Attempt, event: Placed | NotPlaced | Lost | Sight | Trouble, now: float
) -> Callback:
    if isinstance(event, Placed):
        known = replace(attempt, call_id=event.call_id, troubled_since=None)
        return replace(_with(it, known), state="calling", due_at=now + _QUICKEST, why=f"ringing agent {it.extension}")
    if isinstance(event, NotPlaced):
        return _not_placed(it, attempt, event, now)
    if isinstance(event, Lost):
        return replace(it, state="checking", due_at=now, why=event.why) if it.state == "dialling" else it
    if isinstance(event, Trouble):
        return _troubled(it, attempt, event, now)
    attempt = replace(attempt, troubled_since=None)
    if isinstance(event.found, Over) and _counts(attempt, event.found, now):
        return _call_over(it, attempt, event.found, now)
    if isinstance(event.found, Up):
        return _call_up(it, attempt, event.found, now)
    return _unless_too_late(it, attempt, now, it.why, "it is neither at the agent nor in the history")


def _not_placed(it: Callback, attempt: Attempt, event: NotPlaced, now: float) -> Callback:
    if event.blame == "agent":
        # No phone rang: there is nothing to wait for before the next one does.
        return _next_extension(_closed(it, attempt, now, "agent", event.why), now, event.why, 0.0)
    it = replace(it, attempts=it.attempts[:-1])
    if event.blame == "contact":
        return _end(it, now, "failed", event.why, reason="refused")
    if it.stop:
        return _end(it, now, "cancelled", f"cancelled; the last thing was: {event.why}")
    return replace(it, state="waiting", due_at=now + event.pause, why=event.why)


def _call_up(it: Callback, attempt: Attempt, found: Up, now: float) -> Callback:
    attempt = replace(
        attempt,
        call_id=attempt.call_id or found.call_id,
        agent_answered=attempt.agent_answered or found.agent_answered or found.joined,
    )
    if found.joined:
        return _end(_closed(it, attempt, now, "connected", "joined"), now, "connected", "agent and visitor talk")
    rung = "the visitor" if attempt.agent_answered else f"agent {attempt.extension}"
    it = replace(it, state="calling")
    return _unless_too_late(it, attempt, now, f"ringing {rung}", f"{rung} is still rung")


def _counts(attempt: Attempt, found: Over, now: float) -> bool:
    if found.answered or now >= attempt.began_at + _SHOWN_AT_THE_LATEST:
        return True
    return attempt.call_id is not None and (found.call_id or "").lower() == attempt.call_id.lower()


def _call_over(it: Callback, attempt: Attempt, found: Over, now: float) -> Callback:
    attempt = replace(attempt, call_id=attempt.call_id or found.call_id)
    if found.answered:
        it = _closed(it, attempt, now, "connected", "answered, says the history")
        return _end(it, now, "connected", "agent and visitor have talked")
    if found.visitor or attempt.agent_answered:
        why = "the visitor did not answer"
        return _round_over(_closed(it, attempt, now, "no answer", why), now, why)
    why = f"agent {attempt.extension} did not pick up"
    return _next_extension(_closed(it, attempt, now, "agent", why), now, why, it.plan.extension_delay)


def _troubled(it: Callback, attempt: Attempt, event: Trouble, now: float) -> Callback:
    since = now if attempt.troubled_since is None else attempt.troubled_since
    attempt = replace(attempt, troubled_since=since)
    if now >= max(deadline(it, attempt), since + it.plan.resolve_within):
        return _unclear(it, attempt, now, event.why)
    return replace(_with(it, attempt), due_at=now + event.pause, why=event.why)


def _unless_too_late(it: Callback, attempt: Attempt, now: float, why: str, too_late: str) -> Callback:
    if now >= deadline(it, attempt):
        return _unclear(it, attempt, now, too_late)
    return replace(_with(it, attempt), due_at=now + _pause(it, attempt, now), why=why)


def _pause(it: Callback, attempt: Attempt, now: float) -> float:
    plan, waited = it.plan, now - attempt.began_at
    if waited > plan.extension_timeout + plan.timeout:
        pause = plan.every * SLOWER
    else:
        pause = min(plan.every, max(_QUICKEST, waited / 2))
    # The last look is made at the deadline, not some time after it.
    left = deadline(it, attempt) - now
    return min(pause, left)


def _unclear(it: Callback, attempt: Attempt, now: float, why: str) -> Callback:
    told = f"it is not known what became of the call by agent {attempt.extension}: {why}; nothing is dialled any more"
    return _end(_closed(it, attempt, now, "unclear", why), now, "unclear", told)


# --- records ----------------------------------------------------------------------------------------------------------


def _with(it: Callback, attempt: Attempt) -> Callback:
    return replace(it, attempts=(*it.attempts[:-1], attempt))


def _closed(it: Callback, attempt: Attempt, now: float, outcome: AttemptOutcome, why: str) -> Callback:
    return _with(it, replace(attempt, outcome=outcome, ended_at=now, why=why, troubled_since=None))


def _end(
    it: Callback,
    now: float,
    state: Literal["connected", "failed", "unclear", "cancelled"],
    why: str,
    *,
    reason: FailReason | None = None,
) -> Callback:
    return replace(it, state=state, due_at=None, ended_at=now, why=why, reason=reason)
