"""The channels of the simulated switch: an agent's leg, and the far end of it.

Caller and callee are the server's words: for a leg on which the server rings the agent (`dialled` false,
`display_direction` "outbound") the caller is the remote party; for a call the agent dialled it is the agent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from ..verto.frames import JsonObject
from .sdp import MediaLine

if TYPE_CHECKING:
    from .calls import SimCall
    from .clock import Timer
    from .people import SimAgent, SimCustomer
    from .routing import Hunt

__all__ = ["FarEnd", "Leg", "LegState", "Outside", "Party"]

LegState: TypeAlias = Literal["ringing", "active", "held", "detached", "ended"]


class Party(NamedTuple):
    """Name and number as they are shown."""

    name: str
    number: str


@dataclass(eq=False, slots=True, kw_only=True)
class Leg:
    """One Verto channel.

    Attributes:
        call_id: The channel's uuid, which is the client's callID.
        sessid: Verto session that owns it; survives the socket.
        dialled: The agent made this call.
        calling: The agent's side is the caller: so for a dialled call, and for one that was rung and then became
            the calling end (answered `originate`, transfer).
        recover: False: not kept when the socket is lost (`recoverCall: false`).
        originated: Made by `originate`, not by a bridge: caller and callee swap places when it is answered.
        media: The codec line agreed with the client; None before.
        media_sent: `verto.media` (or an offer) with our SDP was sent, so `verto.answer` goes without.
        shown: What the last `verto.display` said; it is repeated after a reattach.
        attached: False from the loss of the socket until the client answers `verto.attach`.
        offered: `verto.attach` was sent on the present socket.
        spies_on: Uuid of the leg this one listens to: it ends with that leg.
        spied_agent: Agent whose calls this leg listens to, one after the other.
        silent: The client knows that it is over (its own bye), so no `verto.bye` is sent.
        began_at: When it was made, in seconds since the epoch.
        answered_at: When it was answered, in seconds since the epoch; 0: not yet.
    """

    call_id: str
    sessid: str
    agent: SimAgent | None
    dialled: bool
    caller: Party
    callee: Party
    calling: bool = False
    headers: dict[str, str] = field(default_factory=dict[str, str])
    variables: dict[str, str] = field(default_factory=dict[str, str])
    recover: bool = True
    originated: bool = False
    media: MediaLine | None = None
    media_sent: bool = False
    answered: bool = False
    held: bool = False
    attached: bool = True
    offered: bool = False
    shown: Party | None = None
    silent: bool = False
    ended: bool = False
    cause: str = ""
    other: FarEnd | None = None
    hunt: Hunt | None = None
    call: SimCall | None = None
    spies_on: str = ""
    spied_agent: SimAgent | None = None
    began_at: float = 0.0
    answered_at: float = 0.0
    timers: list[Timer] = field(default_factory=list["Timer"])

    @property
    def state(self) -> LegState:
        """The server's view of this leg."""
        if self.ended:
            return "ended"
        if not self.attached:
            return "detached"
        if not self.answered:
            return "ringing"
        return "held" if self.held else "active"

    @property
    def own(self) -> Party:
        """The agent's side as the server shows it to others."""
        return self.caller if self.calling else self.callee

    def parties(self) -> JsonObject:
        """The members that `verto.invite`, `verto.attach` and `verto.display` share, in the server's order."""
        return {
            "caller_id_name": self.caller.name,
            "caller_id_number": self.caller.number,
            "callee_id_name": self.callee.name,
            "callee_id_number": self.callee.number,
            "display_direction": "inbound" if self.dialled else "outbound",
            **self.headers,
        }

    def stop_timers(self) -> None:
        """Nothing scheduled for this leg happens any more."""
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()


@dataclass(eq=False, slots=True, kw_only=True)
class Outside:
    """The far end that is no Verto client: a customer on a trunk, or an application such as the echo test.

    Attributes:
        service: An application: it answers by itself and is no bridge (no `verto.display`, cannot be transferred).
        on_end: Called with the cause when it has ended.
    """

    uuid: str
    party: Party
    service: bool
    customer: SimCustomer | None = None
    call: SimCall | None = None
    other: Leg | None = None
    hunt: Hunt | None = None
    answered: bool = False
    ended: bool = False
    cause: str = ""
    tried: list[SimAgent] = field(default_factory=list["SimAgent"])
    on_end: Callable[[str], None] | None = None
    timers: list[Timer] = field(default_factory=list["Timer"])

    def stop_timers(self) -> None:
        """Nothing scheduled for this end happens any more."""
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()


FarEnd: TypeAlias = Leg | Outside
