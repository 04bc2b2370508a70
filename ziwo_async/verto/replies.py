"""Which typed error a refused request becomes. The codes are mod_verto's, and -32003/-32004 ZIWO's own."""

from __future__ import annotations

from ..errors import (
    BadCredentials,
    CallGone,
    CallRefused,
    DuplicateSession,
    Forbidden,
    MediaError,
    TransferFailed,
    VertoError,
    ZiwoError,
)
from .frames import ErrorFrame

__all__ = [
    "AUTH_FAILED",
    "AUTH_REQUIRED",
    "DUPLICATE_SESSION",
    "IP_REJECTED",
    "SESSION_ERROR",
    "cause_of",
    "error_of",
    "is_gone",
]

AUTH_REQUIRED = -32000
"""Any request before a successful login."""
AUTH_FAILED = -32001
"""Wrong user or password. Never try again on the same socket: the server then answers -32003 for ever (measured)."""
SESSION_ERROR = -32002
"""Errors of call commands."""
DUPLICATE_SESSION = -32003
"""ZIWO: the agent has a session elsewhere. Says nothing about the password."""
IP_REJECTED = -32004
"""ZIWO: the address is not allowed for this position (seen in one branch of its server only)."""


def is_gone(frame: ErrorFrame) -> bool:
    """Whether the server says that it does not know the call."""
    return frame.message == "CALL DOES NOT EXIST"


def cause_of(frame: ErrorFrame) -> tuple[str | None, int | None]:
    """The hang-up cause and its number, when the error carries them."""
    cause, code = frame.data.get("cause"), frame.data.get("causeCode")
    return (cause if isinstance(cause, str) else None), (code if isinstance(code, int) else None)


def error_of(frame: ErrorFrame, method: str, action: str, call_id: str | None) -> ZiwoError:
    """Build the error of a refused request.

    Args:
        frame: The reply.
        method: Method of the request.
        action: Action of a `verto.modify`, else empty.
        call_id: The call it was about, if any.
    """
    if method == "login":
        return _login_error(frame)
    if call_id is None:
        return VertoError(frame.message, code=frame.code, method=method)
    if is_gone(frame):
        return CallGone(f"the server does not know it any more ({method})", call_id=call_id)
    if method == "verto.invite":
        cause, code = cause_of(frame)
        why = f"the server did not take the call: {frame.message or 'no reason given'}"
        return CallRefused(f"{why} ({cause} {code})" if cause else why, call_id=call_id, cause=cause, cause_code=code)
    if method in ("verto.answer", "verto.attach"):
        return MediaError(f"{method} was refused: {frame.message or 'no reason given'}", call_id=call_id)
    if action in ("transfer", "replace"):
        return TransferFailed(f"{action} was refused: {frame.message or 'no reason given'}", call_id=call_id)
    return VertoError(frame.message, code=frame.code, method=method)


def _login_error(frame: ErrorFrame) -> ZiwoError:
    if frame.code == DUPLICATE_SESSION:
        return DuplicateSession(
            "the agent already has a phone session: another program or browser is logged in as this agent, or an old "
            "connection has not been noticed as dead yet; close the other one, or try again later (-32003)"
        )
    if frame.code == IP_REJECTED:
        return Forbidden("the phone login was refused from this network address (-32004); ask the ZIWO administrator")
    if frame.code in (AUTH_REQUIRED, AUTH_FAILED):
        return BadCredentials(
            f"the phone login was refused: {frame.message or 'no reason given'} ({frame.code}); "
            "the position's password comes from the agent's profile, so check that this user is an agent"
        )
    return VertoError(frame.message, code=frame.code, method="login")
