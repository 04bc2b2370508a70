"""The call machine's table: what each input does in each state. Total: every pair has an entry, checked on import.

Three kinds of entry: `Move` (enter these states, the ones marked inferred on the server's behalf), `Ignore` (nothing
changes, and why that is right) and `Violate` (the documented flow has no place for this). Terminal states absorb.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple, TypeAlias

from ..events import DialogState

__all__ = ["BEGINNING", "ROWS", "TABLE", "Entry", "Ignore", "Input", "Move", "Violate", "restored"]

_S = DialogState
BEGINNING: Final = None
"""The state before the first input: no event was published yet."""


class Input(str, Enum):
    """Everything that can happen to a call."""

    DIAL = "our verto.invite"
    OFFERED = "verto.invite"
    ATTACHED = "verto.attach"
    FOUND_ANSWERED = "verto.attach in a process that has the call from a ledger, which may be older"
    RENEGOTIATE = "verto.attach on a live connection"
    CREATED = "CALL CREATED"
    REFUSED = "our verto.invite was refused"
    MEDIA = "verto.media"
    ANSWERED = "verto.answer"
    ANSWER = "our verto.answer"
    ANSWER_OK = "our verto.answer was accepted"
    ANSWER_FAILED = "our verto.answer was refused"
    HELD = "holdState held"
    RESUMED = "holdState active"
    ATTACH_OK = "our verto.attach was accepted"
    ATTACH_FAILED = "our verto.attach was refused"
    BYE = "verto.bye"
    HANGUP = "our verto.bye"
    BYE_CONFIRMED = "our verto.bye was confirmed"
    BYE_TIMEOUT = "our verto.bye was never confirmed"
    GONE = "the server does not know the call any more"
    LOST = "the connection was lost"
    DISPLAY = "verto.display"


class Move(NamedTuple):
    """Enter these states in order; the second member says whether it is inferred."""

    path: tuple[tuple[DialogState, bool], ...]


class Ignore(NamedTuple):
    """Nothing changes."""

    reason: str


class Violate(NamedTuple):
    """Nothing changes, and a `FlowViolation` is published."""

    reason: str


class Restore(NamedTuple):
    """Go back to the state the call had before the connection was lost: active or held."""


Entry: TypeAlias = Move | Ignore | Violate | Restore
_State: TypeAlias = DialogState | None
restored: Final = Restore()


def _to(*states: DialogState, inferred: tuple[DialogState, ...] = ()) -> Move:
    return Move(tuple((state, state in inferred) for state in states))


def _found(*missed: DialogState) -> Move:
    # The process was killed before it wrote the answer down; the server re-attaches answered calls only.
    return _to(*missed, _S.RECOVERING, inferred=missed)


_OUTBOUND = (_S.REQUESTING, _S.TRYING, _S.EARLY)
_UNANSWERED = (*_OUTBOUND, _S.RINGING)
_ANSWERED = (_S.ACTIVE, _S.HELD, _S.RECOVERING)
_LIVE = (*_UNANSWERED, _S.ANSWERING, *_ANSWERED)
_OVER = _to(_S.HANGUP, _S.DESTROY)


def _live(state: DialogState) -> dict[Input, Entry]:
    """What holds in every live state, before the state's own entries."""
    inbound_only = Violate("only an inbound call can be answered by us")
    return {
        Input.DIAL: Violate("the call was already begun"),
        Input.OFFERED: Violate("the server offered a call that is already there"),
        Input.ATTACHED: Violate("the server re-attached a call that was not answered"),
        Input.FOUND_ANSWERED: Ignore("the ledger knew the answer; this is a plain verto.attach"),
        Input.RENEGOTIATE: Ignore("new media for the same call; its state does not change"),
        Input.CREATED: Ignore("late: the call is past that"),
        Input.REFUSED: _OVER,
        Input.MEDIA: Ignore("media was already told"),
        Input.ANSWERED: Ignore("the call was already answered"),
        Input.ANSWER: inbound_only,
        Input.ANSWER_OK: Ignore("late: the call is past that"),
        Input.ANSWER_FAILED: Ignore("late: the call is past that"),
        Input.HELD: Violate("a call that is not answered cannot be held"),
        Input.RESUMED: Ignore("the call is not on hold"),
        Input.ATTACH_OK: Ignore("the new media was accepted"),
        # mod_verto hangs the call up on any error in an attach.
        Input.ATTACH_FAILED: _OVER,
        Input.BYE: _OVER,
        Input.HANGUP: _to(_S.HANGUP),
        Input.BYE_CONFIRMED: Violate("a bye was confirmed that we did not send"),
        Input.BYE_TIMEOUT: Ignore("no bye of ours is open"),
        Input.GONE: _OVER,
        # Unanswered calls die with the socket at once; answered ones wait for us (mod_verto, measured).
        Input.LOST: _OVER if state in _UNANSWERED else Ignore("the server keeps the call for its detach window"),
        Input.DISPLAY: Ignore("the party changed; the state does not"),
    }


def _row_of(state: DialogState) -> dict[Input, Entry]:
    row = _live(state)
    if state is _S.REQUESTING:
        row[Input.CREATED] = _to(_S.TRYING)
        row[Input.FOUND_ANSWERED] = _found(_S.TRYING, _S.EARLY, _S.ACTIVE)
        row[Input.MEDIA] = _to(_S.TRYING, _S.EARLY, inferred=(_S.TRYING,))
        row[Input.ANSWERED] = _to(_S.TRYING, _S.EARLY, _S.ACTIVE, inferred=(_S.TRYING, _S.EARLY))
    elif state is _S.TRYING:
        row[Input.CREATED] = Ignore("the call was already created")
        row[Input.FOUND_ANSWERED] = _found(_S.EARLY, _S.ACTIVE)
        row[Input.MEDIA] = _to(_S.EARLY)
        row[Input.ANSWERED] = _to(_S.EARLY, _S.ACTIVE, inferred=(_S.EARLY,))
    elif state is _S.EARLY:
        row[Input.ANSWERED] = _to(_S.ACTIVE)
        row[Input.FOUND_ANSWERED] = _found(_S.ACTIVE)
    elif state is _S.RINGING:
        row[Input.ANSWER] = _to(_S.ANSWERING)
        row[Input.FOUND_ANSWERED] = _found(_S.ANSWERING, _S.ACTIVE)
        row[Input.ANSWER_OK] = Violate("an answer was accepted that we did not send")
    elif state is _S.ANSWERING:
        row[Input.ANSWER] = Ignore("the first answer was refused for its media; this is another try")
        row[Input.ANSWER_OK] = _to(_S.ACTIVE)
        row[Input.ANSWER_FAILED] = Ignore("the call rings on and may be answered again")
        # The answer may have been accepted just before the connection was lost.
        row[Input.ATTACHED] = _to(_S.RECOVERING)
    elif state is _S.ACTIVE:
        row[Input.HELD] = _to(_S.HELD)
        row[Input.ATTACHED] = _to(_S.RECOVERING)
    elif state is _S.HELD:
        row[Input.HELD] = Ignore("the call is on hold already")
        row[Input.RESUMED] = _to(_S.ACTIVE)
        row[Input.ATTACHED] = _to(_S.RECOVERING)
    else:  # recovering
        row[Input.HELD] = Ignore("noted; the state comes after recovery")
        row[Input.RESUMED] = Ignore("noted; the state comes after recovery")
        row[Input.ATTACHED] = Ignore("the server offered it again")
        row[Input.FOUND_ANSWERED] = _to(_S.RECOVERING)
        row[Input.ATTACH_OK] = restored
    if state in (_S.RINGING, _S.ANSWERING):
        outbound_only = Violate("this message belongs to outbound calls")
        row[Input.CREATED] = row[Input.MEDIA] = row[Input.ANSWERED] = outbound_only
    return row


def _make() -> dict[tuple[_State, Input], Entry]:
    table: dict[tuple[_State, Input], Entry] = {}
    for what in Input:
        table[BEGINNING, what] = Violate("the call was not begun")
        table[_S.HANGUP, what] = Ignore("the call is being hung up")
        table[_S.DESTROY, what] = Ignore("the call is over")
    table[BEGINNING, Input.DIAL] = _to(_S.REQUESTING)
    table[BEGINNING, Input.OFFERED] = _to(_S.RINGING)
    table[BEGINNING, Input.ATTACHED] = _to(_S.RECOVERING)
    for what in (Input.BYE, Input.BYE_CONFIRMED, Input.BYE_TIMEOUT, Input.GONE, Input.LOST, Input.REFUSED):
        table[_S.HANGUP, what] = _to(_S.DESTROY)
    for state in _LIVE:
        for what, entry in _row_of(state).items():
            table[state, what] = entry
    return table


TABLE: Final = _make()
"""The table: `(state, input)` to entry, for every state and every input."""

ROWS: Final = {state: {what: TABLE[state, what] for what in Input} for state in (BEGINNING, *DialogState)}
"""The same by state, then by input: one look-up less for each step."""
