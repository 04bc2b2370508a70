"""FlowChecker: is this state flow one of the documented ones?

ZIWO documents two flows (developers page, "Events flow"): outbound `requesting trying early active hangup destroy`
and inbound `ringing answering active hangup destroy`, with `held` and `recovering` possible in between. A call that
fails goes straight to `hangup`. A flow may also begin with `recovering`: a call that was re-attached by a process that
had no record of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from ..events import DialogState, StateFlowItem

__all__ = ["DOCUMENTED_INBOUND", "DOCUMENTED_OUTBOUND", "FlowChecker", "FlowReport", "Verdict", "check_flow"]

_S = DialogState

DOCUMENTED_OUTBOUND = (_S.REQUESTING, _S.TRYING, _S.EARLY, _S.ACTIVE, _S.HANGUP, _S.DESTROY)
"""The documented flow of an outbound call."""
DOCUMENTED_INBOUND = (_S.RINGING, _S.ANSWERING, _S.ACTIVE, _S.HANGUP, _S.DESTROY)
"""The documented flow of an inbound call."""

# What may follow what. None is the beginning.
_FOLLOWS: dict[DialogState | None, frozenset[DialogState]] = {
    None: frozenset({_S.REQUESTING, _S.RINGING, _S.RECOVERING}),
    _S.REQUESTING: frozenset({_S.TRYING, _S.HANGUP}),
    _S.TRYING: frozenset({_S.EARLY, _S.HANGUP}),
    _S.EARLY: frozenset({_S.ACTIVE, _S.HANGUP}),
    _S.RINGING: frozenset({_S.ANSWERING, _S.HANGUP}),
    _S.ANSWERING: frozenset({_S.ACTIVE, _S.RECOVERING, _S.HANGUP}),
    _S.ACTIVE: frozenset({_S.HELD, _S.RECOVERING, _S.HANGUP}),
    _S.HELD: frozenset({_S.ACTIVE, _S.RECOVERING, _S.HANGUP}),
    # Twice, when the process that recovered it was killed in that moment and the next one began anew.
    _S.RECOVERING: frozenset({_S.RECOVERING, _S.ACTIVE, _S.HELD, _S.HANGUP}),
    _S.HANGUP: frozenset({_S.DESTROY}),
    _S.DESTROY: frozenset(),
}


class Verdict(str, Enum):
    """How a flow stands to the documented ones."""

    DOCUMENTED = "documented"
    """Every step is documented and was told by the server or made by us."""
    INFERRED = "inferred"
    """As documented, but the server jumped over a state, which was published in its place."""
    VIOLATION = "violation"
    """A step that the documented flows have no place for."""


@dataclass(frozen=True, slots=True)
class FlowReport:
    """What a `FlowChecker` says of a flow.

    Attributes:
        verdict: How it stands to the documented flows.
        step: Index of the step that broke it, or of the first inferred one; None when documented.
        reason: One sentence for people; empty when documented.
        complete: Whether the flow has reached `destroy`.
    """

    verdict: Verdict
    step: int | None
    reason: str
    complete: bool


class FlowChecker:
    """Judges a flow step by step. A violation stays one; what follows it is judged from the new state on."""

    def __init__(self) -> None:
        self._last: DialogState | None = None
        self._steps = 0
        self._verdict = Verdict.DOCUMENTED
        self._at: int | None = None
        self._reason = ""

    def feed(self, state: DialogState, *, inferred: bool = False) -> FlowReport:
        """Take the next state of the flow and return the report so far.

        Args:
            state: The state entered.
            inferred: Whether it was published in place of the server.
        """
        index = self._steps
        self._steps += 1
        if state not in _FOLLOWS.get(self._last, frozenset()):
            if self._verdict is not Verdict.VIOLATION:
                before = "the beginning" if self._last is None else f"'{self._last}'"
                self._set(Verdict.VIOLATION, index, f"step {index}: '{state}' cannot follow {before}")
        elif inferred and self._verdict is Verdict.DOCUMENTED:
            self._set(Verdict.INFERRED, index, f"step {index}: '{state}' was not told by the server")
        self._last = state
        return self.report

    def _set(self, verdict: Verdict, step: int, reason: str) -> None:
        self._verdict, self._at, self._reason = verdict, step, reason

    @property
    def report(self) -> FlowReport:
        """The report on everything fed so far."""
        return FlowReport(self._verdict, self._at, self._reason, self._last is DialogState.DESTROY)


def check_flow(flow: Iterable[StateFlowItem | DialogState | str]) -> FlowReport:
    """Judge a whole flow, ours or one read from a file.

    Args:
        flow: The `state_flow` of an event, or plain state words.
    """
    checker = FlowChecker()
    for step in flow:
        if isinstance(step, StateFlowItem):
            checker.feed(step.state, inferred=step.inferred)
        else:
            checker.feed(DialogState(step))
    return checker.report
