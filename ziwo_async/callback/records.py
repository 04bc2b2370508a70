"""What is known of a requested callback. Data only; all times are seconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Attempt", "AttemptOutcome", "Callback", "CallbackState", "FailReason", "Plan"]

CallbackState: TypeAlias = Literal[
    "waiting", "dialling", "calling", "checking", "connected", "failed", "unclear", "cancelled"
]
"""Where a callback is.

- `waiting`: nothing is under way; the next dial is due at `due_at`.
- `dialling`: a dial is written down, and may have been sent.
- `calling`: ZIWO has taken it; agent or visitor are rung.
- `checking`: it was sent, and the answer is not known; it is looked for at the agent and in the history.
- `connected`: agent and visitor were joined. The end.
- `failed`: nobody was joined; `reason` says why. The end.
- `unclear`: what became of a dial could not be found out; nothing is dialled any more. The end.
- `cancelled`: somebody did not want it any more. The end.
"""

FailReason: TypeAlias = Literal["no agent", "no answer", "refused", "expired"]
"""Why a callback failed: no agent picked up; the visitor did not; the number may not be called; it took too long."""

AttemptOutcome: TypeAlias = Literal["connected", "no answer", "agent", "unclear"]
"""What became of one dial. `agent`: the agent was not reached. `no answer`: the agent was, the visitor was not."""

LONGEST_PAUSE = 60.0
"""Seconds of a pause after an error, at most."""

SLOWER = 5
"""How many times less often a call is looked for when both time limits are over."""

_OVER = frozenset({"connected", "failed", "unclear", "cancelled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a callback is done; kept with each, so that a restart with other settings does not change those under way.

    Attributes:
        extensions: Agents, by ccLogin, in the order in which they are tried.
        caller_id: The number that the visitor is to see; None: the contact centre's choice.
        retries: How many more rounds follow one in which nobody was joined.
        timeout: Seconds for the visitor to answer.
        extension_timeout: Seconds for an agent to pick up.
        extension_delay: Seconds before the next agent, and before the next round.
        resolve_within: How many seconds longer than both time limits a call is looked for.
        every: Longest time between two looks at a call.
    """

    extensions: tuple[str, ...]
    caller_id: str | None = None
    retries: int = 2
    timeout: float = 60.0
    extension_timeout: float = 15.0
    extension_delay: float = 20.0
    resolve_within: float = 300.0
    every: float = 2.0

    @property
    def patience(self) -> float:
        """Seconds from a dial until it is unclear what became of it."""
        return self.extension_timeout + self.timeout + self.resolve_within

    @property
    def longest_pause(self) -> float:
        """Seconds until the next thing to do, at most."""
        return max(LONGEST_PAUSE, self.extension_delay, SLOWER * self.every)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One dial: an agent's phone rings first, then the visitor's.

    Attributes:
        number: Counts the dials of a callback, from 1.
        round: Counts the rounds, from 0.
        extension: The agent, by ccLogin.
        began_at: When it was written down, right before it was sent.
        known: Calls with the visitor that were in the history before; they are not this one.
        call_id: The call; None while it is not known.
        agent_answered: Whether the agent was seen to have picked up.
        outcome: What became of it; None while that is open.
        ended_at: When that was known.
        why: The same for people.
        troubled_since: Since when ZIWO could not be asked about it; None when it can.
    """

    number: int
    round: int
    extension: str
    began_at: float
    known: tuple[str, ...] = ()
    call_id: str | None = None
    agent_answered: bool = False
    outcome: AttemptOutcome | None = None
    ended_at: float | None = None
    why: str = ""
    troubled_since: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A requested callback, as it is now.

    Attributes:
        id: Names it; cannot be guessed, so it can be given to the visitor's page.
        contact: The visitor's number, without spaces and punctuation.
        requested_at: When it was asked for.
        expires_at: No dial begins then or later.
        due_at: When something is to be done next; None when it is over.
        plan: How it is done.
        state: Where it is.
        round: Which round it is in, from 0.
        turn: Which extension's turn it is, from 0.
        count: Number of the last dial.
        attempts: The dials that were made, oldest first. One that certainly was not sent is not among them.
        reason: Why it failed, when it did.
        why: What happened last, for people.
        stop: Whether it was cancelled while a call was under way.
        ended_at: When it was over.
    """

    id: str
    contact: str
    requested_at: float
    expires_at: float
    due_at: float | None
    plan: Plan
    state: CallbackState = "waiting"
    round: int = 0
    turn: int = 0
    count: int = 0
    attempts: tuple[Attempt, ...] = ()
    reason: FailReason | None = None
    why: str = ""
    stop: bool = False
    ended_at: float | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in _OVER

    @property
    def extension(self) -> str:
        """The agent whose turn it is."""
        return self.plan.extensions[self.turn]

    @property
    def attempt(self) -> Attempt | None:
        """The dial whose outcome is open; None when there is none."""
        last = self.attempts[-1] if self.attempts else None
        return last if last is not None and last.outcome is None else None

    @property
    def call_id(self) -> str | None:
        """The call of the last dial, when it is known."""
        return self.attempts[-1].call_id if self.attempts else None
