"""Is this call ours? What the agent's present call and the history tell of a dial. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from ..events import Direction
from ..rest.models.cdr import Cdr
from ..rest.models.cti import CtiCall
from ..telephone import same_number
from .machine import Over, Up
from .records import Attempt

__all__ = ["SKEW", "at_agent", "in_history", "known_before"]

SKEW = 60.0
"""So far the clocks of ZIWO and of this machine may differ: seconds."""

_TAKEN_AT_THE_LATEST = 60.0
"""A call that began later is not the one of our request, which has ended by then: seconds."""

# FreeSWITCH's words for a side that is connected, and those of a call of ours in the simulator. Only RINGING and ACTIVE
# were seen.
_CONNECTED = frozenset({"ACTIVE", "HELD", "UNHELD", "BRIDGED"})


def at_agent(call: CtiCall | None, attempt: Attempt, contact: str, others: Collection[str]) -> Up | None:
    """Tell what the agent's present call says of a dial; None when it is another call, or none.

    Args:
        call: The agent's present call.
        attempt: The dial.
        contact: Whom it calls.
        others: Calls of earlier dials.
    """
    info = None if call is None else call.queue_info
    if info is None:
        return None
    if attempt.call_id is None or not _same_id(info.call_id, attempt.call_id):
        if info.call_id is not None and _among(info.call_id, (*attempt.known, *others)):
            return None
        if info.created_at is not None and not _in_time(info.created_at, attempt):
            return None
        # Whether ZIWO tells the id that it gave for the click is not documented, so the number counts too.
        ends = (info.callee_id, info.caller_id, info.did_called, info.callee_position, info.caller_position)
        if not any(end is not None and same_number(end, contact) for end in ends):
            return None
    ours, theirs = _word(info.call_state), _word(info.callee_call_state)
    # Early media bridge the two sides while the other phone still rings: its own state decides, where there is one.
    reached = theirs in _CONNECTED if theirs else info.bridged_at is not None
    answered = ours in _CONNECTED if ours else reached
    joined = answered and reached
    return Up(info.call_id, answered, joined)


def in_history(cdrs: Iterable[Cdr], attempt: Attempt, contact: str, others: Collection[str]) -> Over | None:
    """Tell what the history says of a dial; None when its call is not there.

    Only a call with the id of ours, or one by the same agent to the same number at the same time, is taken for ours:
    what is taken for it decides whether the visitor is called again. A record that does not say how its call ended
    says nothing: whether a history has calls that are still up is not documented.

    Args:
        cdrs: Calls of the history.
        attempt: The dial.
        contact: Whom it calls.
        others: Calls of earlier dials.
    """
    meant = [cdr for cdr in cdrs if _is_over(cdr) and _is_ours(cdr, attempt, contact, others)]
    if not meant:
        return None
    by_id = [cdr for cdr in meant if attempt.call_id is not None and _same_id(cdr.call_id, attempt.call_id)]
    # Several at the same time: when the visitor was reached in one of them, that is what counts.
    found = next((cdr for cdr in by_id or meant if cdr.answered), (by_id or meant)[0])
    return Over(found.call_id, found.answered, (found.hangup_by or "").strip().lower() == "originatee")


def known_before(cdrs: Iterable[Cdr]) -> tuple[str, ...]:
    """Give what tells calls apart that are in the history before a dial.

    Args:
        cdrs: The calls.
    """
    return tuple(dict.fromkeys(cdr.key for cdr in cdrs))


def _is_ours(cdr: Cdr, attempt: Attempt, contact: str, others: Collection[str]) -> bool:
    if attempt.call_id is not None and _same_id(cdr.call_id, attempt.call_id):
        return True
    if _among(cdr.key, (*attempt.known, *others)) or cdr.start is None or not _in_time(cdr.start, attempt):
        return False
    agent = cdr.agent_cc_login == attempt.extension or cdr.position == f"agent-{attempt.extension}"
    # A call that the visitor made, and nobody answered, is another one; its record may come after our dial.
    theirs = cdr.direction is Direction.INBOUND and not cdr.answered
    ends = (cdr.did_called, None if theirs else cdr.customer_number)
    return agent and any(end is not None and same_number(end, contact) for end in ends)


def _is_over(cdr: Cdr) -> bool:
    ends = (cdr.end, cdr.result, cdr.disposition, cdr.hangup_cause, cdr.hangup_by)
    return cdr.answered or any(end is not None for end in ends)


def _in_time(moment: datetime, attempt: Attempt) -> bool:
    return attempt.began_at - SKEW <= moment.timestamp() <= attempt.began_at + _TAKEN_AT_THE_LATEST + SKEW


def _same_id(one: str | None, other: str) -> bool:
    return one is not None and one.lower() == other.lower()


def _among(key: str, keys: Collection[str]) -> bool:
    return any(_same_id(key, other) for other in keys)


def _word(state: str | None) -> str:
    return (state or "").strip().upper()
