"""What the session machine wants done, as data. `phone/` does it, in order."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from ..errors import ZiwoError
from ..events import Event
from .frames import JsonObject

__all__ = [
    "DialAsked",
    "Effect",
    "LoggedIn",
    "PickupAsked",
    "Publish",
    "Ready",
    "Refused",
    "RemoteSdp",
    "Send",
    "Settled",
    "TakenOver",
]


class Send(NamedTuple):
    """Write this text to the socket.

    Attributes:
        text: The frame.
        request_id: Its id; the reply comes back as `Settled` or `Refused` with it.
        method: Its method.
        call_id: The call it is about, if any.
    """

    text: str
    request_id: int
    method: str
    call_id: str | None = None


class Publish(NamedTuple):
    """Publish this event. `call_id` names the call whose handlers' order it belongs to."""

    event: Event
    call_id: str | None


class Settled(NamedTuple):
    """A request was accepted."""

    request_id: int
    result: JsonObject


class Refused(NamedTuple):
    """A request failed, with the error for whoever waits for it."""

    request_id: int
    error: ZiwoError


class RemoteSdp(NamedTuple):
    """The server gave its session description for a call.

    Attributes:
        call_id: The call.
        kind: `offer` of a ringing call (answered when the call is), `attach` (an offer to be answered at once
            with `verto.attach`), or `answer` to our own offer.
        sdp: The description; empty when the server left it out.
    """

    call_id: str
    kind: Literal["offer", "attach", "answer"]
    sdp: str


class LoggedIn(NamedTuple):
    """The login was accepted. Ready is later: at `Ready`."""

    auth_expires: int | None


class Ready(NamedTuple):
    """`verto.clientReady`: calls can be made and come in.

    Attributes:
        kept: Calls of ours that the server re-attached.
        lost: Calls of ours that ended in the gap.
        unknown: Calls the server re-attached that we had no record of.
        missing: Answered calls of ours that it did not re-attach, when the session is to ask for them once more.
    """

    kept: tuple[str, ...]
    lost: tuple[str, ...]
    unknown: tuple[str, ...]
    missing: tuple[str, ...] = ()


class PickupAsked(NamedTuple):
    """`verto.pickup` of a call that rings: answer it now."""

    call_id: str


class DialAsked(NamedTuple):
    """`verto.dial`: call this number with this id as callID, within about 15 s."""

    number: str
    call_id: str


class TakenOver(NamedTuple):
    """`verto.punt`: another connection took the session; this socket is about to be closed."""


Effect: TypeAlias = (
    Send | Publish | Settled | Refused | RemoteSdp | LoggedIn | Ready | PickupAsked | DialAsked | TakenOver
)
