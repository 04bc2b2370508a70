"""Socket.IO on one Engine.IO connection: who it is, and what is asked and told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from . import packets
from .engine import MESSAGE, EngineSession
from .packets import BadPacket, Packet

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..clock import Clock, Timer
    from ..people import SimAgent
    from .faults import LivePlan
    from .hub import Hub, Member

__all__ = ["LiveConnection"]

_NO_TOKEN = "Invalid access token"  # noqa: S105
_CONNECT_TIME = 45.0
"""Seconds that a client of Socket.IO 3 and later may take to enter the namespace (the default of its server)."""


class LiveConnection:
    """A client of the live socket.

    Attributes:
        user: Whose token it came with; None: it was not let in (yet).
        heartbeats: How many events `heartbeat` it has sent, as the Android SDK does every 10 s.

    Args:
        session: What it runs on.
        who: Gives the user of the token.
        hub: What it is told.
        plan: The faults.
        clock: Time.
    """

    def __init__(
        self,
        session: EngineSession,
        who: Callable[[], SimAgent | None],
        *,
        hub: Hub,
        plan: LivePlan,
        clock: Clock,
    ) -> None:
        self.user: SimAgent | None = None
        self.heartbeats = 0
        self._session = session
        self._who = who
        self._hub = hub
        self._plan = plan
        self._clock = clock
        self._member: Member | None = None
        self._entering: Timer | None = None
        session.on_message = self._received
        session.on_end = self._ended

    def __repr__(self) -> str:
        name = self.user.username if self.user is not None else "nobody"
        return f"LiveConnection({name!r}, eio={self.protocol}, {self.carrier}, {sorted(self.subscriptions)})"

    @property
    def protocol(self) -> Literal[3, 4]:
        """Engine.IO's version."""
        return self._session.protocol

    @property
    def carrier(self) -> Literal["polling", "websocket"]:
        """What carries it now."""
        return self._session.carrier

    @property
    def subscriptions(self) -> frozenset[str]:
        """The events that it is told when they change."""
        return frozenset() if self._member is None else frozenset(self._member.events)

    @property
    def session(self) -> EngineSession:
        """What it runs on."""
        return self._session

    def open(self) -> None:
        """Send the handshake. A client of Socket.IO 2 is in the namespace at once, a newer one asks for it."""
        self._session.open()
        if self.protocol == 3:
            self._enter()
        else:
            self._entering = self._clock.later(_CONNECT_TIME, lambda: self._session.end("it never entered"))

    # ---- what comes ------------------------------------------------------------------------------------------

    def _received(self, text: str) -> None:
        try:
            packet = packets.decode(text)
        except BadPacket:
            self._session.end("parse error")
            return
        if packet.namespace != "/":
            self._elsewhere(packet)
        elif packet.kind == packets.CONNECT and self.protocol == 4 and self._member is None:
            self._enter()
        elif packet.kind == packets.DISCONNECT:
            self._leave()
        elif packet.kind == packets.EVENT and self._member is not None:
            self._event(self._member, *packet.data)

    def _elsewhere(self, packet: Packet) -> None:
        if packet.kind == packets.CONNECT:
            words = "Invalid namespace"
            self._say(packets.encode(packets.CONNECT_ERROR, self._error(words), packet.namespace))

    def _enter(self) -> None:
        self._stop_entering()
        user = None if self._plan.take_refusal() else self._who()
        if user is None:
            self._say(packets.encode(packets.CONNECT_ERROR, self._error(_NO_TOKEN)))
            return
        self.user = user
        self._say(packets.encode(packets.CONNECT, {"sid": f"{self._session.sid}/"} if self.protocol == 4 else None))
        self._member = self._hub.join(user, self._tell)

    def _error(self, words: str) -> object:
        """Socket.IO 2 says it in a text, later ones in an object."""
        return words if self.protocol == 3 else {"message": words}

    def _event(self, member: Member, name: str, *arguments: object) -> None:
        if name == "heartbeat":
            self.heartbeats += 1
        elif name == "subscribe":
            if arguments and isinstance(arguments[0], str):
                member.subscribe(arguments[0])
        else:
            member.ask(name)

    # ---- what goes -------------------------------------------------------------------------------------------

    def _tell(self, name: str, payload: str) -> None:
        packet = packets.event(name, payload)
        for _ in range(2 if self._plan.doubles else 1):
            if self._plan.delay > 0:
                self._clock.later(self._plan.delay, lambda: self._say(packet))
            else:
                self._say(packet)

    def _say(self, packet: str) -> None:
        self._session.send(MESSAGE + packet)

    # ---- the end ---------------------------------------------------------------------------------------------

    def _leave(self) -> None:
        if self._member is not None:
            self._member.leave()
            self._member = None

    def _stop_entering(self) -> None:
        if self._entering is not None:
            self._entering.cancel()
            self._entering = None

    def _ended(self) -> None:
        self._stop_entering()
        self._leave()
