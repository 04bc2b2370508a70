"""Whose call is it: direction and the customer's number. One documented rule each.

The server's words mislead: FreeSWITCH tells *its* point of view, so an inbound call of the agent carries
`display_direction: "outbound"` (mod_verto, measured), and after the answer caller and callee may swap places. Hence:

* A `verto.invite` from the server is `inbound`; one we send is `outbound`. [mod_verto]
* A `verto.attach` of a call we do not know is the reverse of its `display_direction`. [mod_verto]
  For a call we know, our own record decides, never the frame.
* `internal` when the other party is an agent: its number is `agent-<ccLogin>`, or a ccLogin the caller of this
  package named. ZIWO declares the word but its clients never compute it, so this is our inference.
* `service` when the dialled number is a service code (starts with `*` or `#`), and for eavesdrop calls. Inference too.
* The customer's number is the number dialled, or for inbound calls `verto_h_originalCallerIdNumber` (the true
  customer's number after a transfer; ZIWO's own clients), else `caller_id_number`. Kept as given.
* The primary call id is `verto_h_primaryCallID`, else the call's own id. [ZIWO's own clients]
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..events import Direction

__all__ = [
    "attached_direction",
    "customer_of",
    "inbound_direction",
    "names_of",
    "outbound_direction",
    "primary_of",
    "unwrap",
]

_POSITION = "agent-"


def unwrap(text: str) -> str:
    """Remove the quotes or braces that ZIWO wraps some names in (`"Sales"`, `{Sales}`)."""
    if not text or (text[0] not in _WRAPPED and text[-1] != " "):
        return text
    bare = text.strip()
    while len(bare) >= _PAIR and (bare[0], bare[-1]) in (('"', '"'), ("'", "'"), ("{", "}")):
        bare = bare[1:-1].strip()
    return bare


_PAIR = 2
_WRAPPED = "\"'{ "


def inbound_direction(number: str, agents: Collection[str]) -> Direction:
    """Direction of a call that the server offered to us.

    Args:
        number: The caller's number.
        agents: ccLogins known to be agents of this contact centre.
    """
    return Direction.INTERNAL if _is_agent(number, agents) else Direction.INBOUND


def outbound_direction(number: str, agents: Collection[str]) -> Direction:
    """Direction of a call that we make.

    Args:
        number: The number dialled.
        agents: ccLogins known to be agents of this contact centre.
    """
    if number.startswith(("*", "#")):
        return Direction.SERVICE
    return Direction.INTERNAL if _is_agent(number, agents) else Direction.OUTBOUND


def attached_direction(display_direction: str, number: str, agents: Collection[str]) -> Direction:
    """Direction of a re-attached call of which we have no record.

    Args:
        display_direction: The server's point of view: `inbound` is a call that the agent made.
        number: The other party's number.
        agents: ccLogins known to be agents of this contact centre.
    """
    if display_direction == "inbound":
        return outbound_direction(number, agents)
    return inbound_direction(number, agents)


def _is_agent(number: str, agents: Collection[str]) -> bool:
    return number.startswith(_POSITION) or number in agents


def customer_of(headers: Mapping[str, str], caller_id_number: str) -> str:
    """The customer's number of a call that the server offered."""
    return unwrap(headers.get("verto_h_originalCallerIdNumber") or caller_id_number)


def primary_of(headers: Mapping[str, str], call_id: str) -> str:
    """The id of the first leg of a call."""
    return headers.get("verto_h_primaryCallID") or call_id


def names_of(headers: Mapping[str, str], call_id: str) -> tuple[str, ...]:
    """Every id by which a call may have been announced: its own, and whatever its `verto_h_*` headers say.

    Which of them ZIWO's server uses for an eavesdrop call is not documented.
    """
    return (call_id, *headers.values())
