"""The state of an agent's call, as far as a row of `GET /live/calls` tells it. Pure."""

from __future__ import annotations

from ..events import DialogState, Direction
from .models import LiveCall

__all__ = ["HANGING_UP", "customer_of", "may_follow", "state_of"]

HANGING_UP = frozenset({"hangup", "down", "destroy", "ended"})
"""Words for a call that is over: FreeSWITCH's, and ZIWO's for dialogs."""

_TALKING = {
    "active": DialogState.ACTIVE,  # FreeSWITCH, dialogs
    "unheld": DialogState.ACTIVE,  # FreeSWITCH
    "answered": DialogState.ACTIVE,  # mod_callcenter: an agent has the call
    "held": DialogState.HELD,  # FreeSWITCH, dialogs
}
_INBOUND = _TALKING | {
    "ringing": DialogState.RINGING,  # FreeSWITCH, dialogs
    "trying": DialogState.RINGING,  # mod_callcenter: an agent's phone rings
    "answering": DialogState.ANSWERING,  # dialogs
}
_OUTBOUND = _TALKING | {
    "requesting": DialogState.REQUESTING,  # dialogs
    "trying": DialogState.TRYING,  # dialogs
    "early": DialogState.EARLY,  # FreeSWITCH, dialogs
}
# What a call in this state cannot go back to: an older snapshot that comes late says nothing.
_LATER = frozenset({DialogState.ACTIVE, DialogState.HELD})
_ORDER = (
    DialogState.REQUESTING,
    DialogState.TRYING,
    DialogState.EARLY,
    DialogState.RINGING,
    DialogState.ANSWERING,
)


def state_of(row: LiveCall) -> tuple[DialogState, bool] | None:
    """The state, and whether it is inferred from times instead of said in a word. None: it cannot be told.

    Without an agent there is no dialog: a caller in a voice menu has an answered call, and talks to nobody.
    """
    if row.agent is None or row.direction is None:
        return None
    outbound = row.direction is Direction.OUTBOUND
    word = (row.state or "").lower()
    if word:
        found = (_OUTBOUND if outbound else _INBOUND).get(word)
        return None if found is None else (found, False)
    of_queue = row.queue_id is not None or row.queue_name is not None
    answered = row.queue_answered_at if of_queue else row.answered_at
    if answered is not None:
        return DialogState.ACTIVE, True
    if outbound:
        return DialogState.REQUESTING, True
    return (DialogState.RINGING, True) if row.agent_rang_at is not None else None


def may_follow(before: DialogState | None, state: DialogState) -> bool:
    """Whether a call that was last seen in one state can be in another one now."""
    if before is None:
        return True
    if before in _LATER:
        return state in _LATER and state is not before
    return state in _LATER or (before in _ORDER and state in _ORDER and _ORDER.index(before) < _ORDER.index(state))


def customer_of(row: LiveCall) -> str:
    """The customer's number, as far as it is told; in a call out the caller is the contact centre itself."""
    return (row.did_called if row.direction is Direction.OUTBOUND else row.caller_number) or ""
