"""The call machine's table, cell by cell, as the design has it. What is neither a move nor a violation is ignored."""

from __future__ import annotations

import pytest

from ziwo_async.events import DialogState
from ziwo_async.verto.table import BEGINNING, TABLE, Ignore, Input, Move, Violate, restored

OVER = {"hangup destroy": "REFUSED ATTACH_FAILED BYE GONE", "hangup": "HANGUP"}
# An unanswered call dies with its connection (mod_verto, measured).
UNANSWERED = {**OVER, "hangup destroy": "REFUSED ATTACH_FAILED BYE GONE LOST"}

# For each state: the states that are entered, `*` for those on the server's behalf, and the inputs that lead there.
MOVES: dict[DialogState | None, dict[str, str]] = {
    BEGINNING: {"requesting": "DIAL", "ringing": "OFFERED", "recovering": "ATTACHED"},
    DialogState.REQUESTING: {
        **UNANSWERED,
        "trying": "CREATED",
        "trying* early": "MEDIA",
        "trying* early* active": "ANSWERED",
        "trying* early* active* recovering": "FOUND_ANSWERED",
    },
    DialogState.TRYING: {
        **UNANSWERED,
        "early": "MEDIA",
        "early* active": "ANSWERED",
        "early* active* recovering": "FOUND_ANSWERED",
    },
    DialogState.EARLY: {**UNANSWERED, "active": "ANSWERED", "active* recovering": "FOUND_ANSWERED"},
    DialogState.RINGING: {**UNANSWERED, "answering": "ANSWER", "answering* active* recovering": "FOUND_ANSWERED"},
    DialogState.ANSWERING: {**OVER, "active": "ANSWER_OK", "recovering": "ATTACHED"},
    DialogState.ACTIVE: {**OVER, "held": "HELD", "recovering": "ATTACHED"},
    DialogState.HELD: {**OVER, "active": "RESUMED", "recovering": "ATTACHED"},
    DialogState.RECOVERING: {**OVER, "recovering": "FOUND_ANSWERED", "(as it was)": "ATTACH_OK"},
    DialogState.HANGUP: {"destroy": "REFUSED BYE BYE_CONFIRMED BYE_TIMEOUT GONE LOST"},
    DialogState.DESTROY: {},
}

BEGUN_TWICE = "DIAL OFFERED"
DIALLED = f"{BEGUN_TWICE} ATTACHED ANSWER HELD BYE_CONFIRMED"
ANSWERED = f"{BEGUN_TWICE} ANSWER BYE_CONFIRMED"
VIOLATIONS: dict[DialogState | None, str] = {
    BEGINNING: " ".join(what.name for what in Input if what.name not in ("DIAL", "OFFERED", "ATTACHED")),
    DialogState.REQUESTING: DIALLED,
    DialogState.TRYING: DIALLED,
    DialogState.EARLY: DIALLED,
    DialogState.RINGING: f"{BEGUN_TWICE} ATTACHED CREATED MEDIA ANSWERED ANSWER_OK HELD BYE_CONFIRMED",
    DialogState.ANSWERING: f"{BEGUN_TWICE} CREATED MEDIA ANSWERED HELD BYE_CONFIRMED",
    DialogState.ACTIVE: ANSWERED,
    DialogState.HELD: ANSWERED,
    DialogState.RECOVERING: ANSWERED,
    DialogState.HANGUP: "",
    DialogState.DESTROY: "",
}


@pytest.mark.parametrize("state", MOVES, ids=str)
def test_each_input_does_in_each_state_what_the_design_says(state: DialogState | None) -> None:
    wanted = {name: states for states, names in MOVES[state].items() for name in names.split()}
    wanted |= dict.fromkeys(VIOLATIONS[state].split(), "violation")
    for what in Input:
        entry = TABLE[state, what]
        if isinstance(entry, Move):
            found = " ".join(f"{entered}{'*' if inferred else ''}" for entered, inferred in entry.path)
        elif isinstance(entry, Violate):
            found = "violation"
        else:
            found = "ignored" if isinstance(entry, Ignore) else "(as it was)"
            assert isinstance(entry, Ignore) or entry is restored
        assert found == wanted.get(what.name, "ignored"), what.name
