"""The ledger: what a phone must know of its calls to take them over after a loss, or in another process. Pure.

An attach frame tells little of a call, and some of it wrongly (`inbound` for calls that we dialled, measured), so
direction, numbers, primary call id and state flow come from here. A ledger holds the session id, which is a capability:
`to_json` writes it in clear, so what leaves the memory must be encrypted (`phone/sqlite.py`).
"""

from __future__ import annotations

import json

from pydantic import BaseModel, SecretStr, ValidationError

from ..errors import LedgerError
from ..events import CallData, DialogState, StateFlowItem

__all__ = ["Ledger", "LedgerCall"]

_VERSION = 1


class _Part(BaseModel, frozen=True, extra="ignore", hide_input_in_errors=True):
    """What both parts share."""


class LedgerCall(_Part, frozen=True):
    """One call.

    Attributes:
        data: Direction, numbers, primary call id, headers, muted, and so on.
        state: The state it was in.
        flow: The states it went through.
        resume: The state that comes after `recovering`: active or held.
        media_told: Whether the server gave its session description already.
    """

    data: CallData
    state: DialogState
    flow: tuple[StateFlowItem, ...]
    resume: DialogState = DialogState.ACTIVE
    media_told: bool = False


class Ledger(_Part, frozen=True):
    """What a phone knows of its session.

    Attributes:
        login: Position name of the agent; a ledger is of no use to another one.
        sessid: The session id, a secret: with it the server offers the calls again.
        saved_at: When this was written, in seconds since the epoch.
        calls: The calls that are not over.
        unsaid: Calls that we ended while the server could not be told, and the cause.
    """

    login: str
    sessid: SecretStr
    saved_at: float
    calls: tuple[LedgerCall, ...] = ()
    unsaid: dict[str, str] = {}

    def to_json(self) -> str:
        """Write it, with the session id in clear."""
        written = self.model_dump(mode="json")
        written["sessid"] = self.sessid.get_secret_value()
        return json.dumps({"version": _VERSION, "ledger": written}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Ledger:
        """Read what `to_json` wrote.

        Raises:
            LedgerError: It is no ledger, or of a later version.
        """
        try:
            envelope = _Envelope.model_validate_json(text)
        except ValidationError:
            # The error would show the input.
            raise LedgerError("the stored ledger cannot be read; it was left alone") from None
        if envelope.version != _VERSION:
            raise LedgerError(f"the stored ledger has version {envelope.version}, this release reads {_VERSION}")
        return envelope.ledger


class _Envelope(_Part, frozen=True):
    version: int
    ledger: Ledger
