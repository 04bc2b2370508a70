"""A call as a test sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from .legs import Leg, LegState, Outside, Party
from .problems import SimulatorError, WaitedInVain

if TYPE_CHECKING:
    from .hooks.tracked import TrackedCall
    from .people import SimCustomer
    from .queues import SimQueue
    from .rtp.pcm import Heard
    from .rtp.plane import RtpMedia
    from .world import World

__all__ = ["CallDirection", "CallState", "SimCall"]

CallState: TypeAlias = LegState | Literal["waiting"]
CallDirection: TypeAlias = Literal["inbound", "outbound", "internal", "service"]


class SimCall:
    """One conversation: a customer (or nobody) at one end, an agent's leg at the other.

    Attributes:
        primary_call_id: Uuid of the first leg (the customer's, or the agent's own when the agent dialled).
        customer: The customer; None for a call between agents.
        legs: Every agent leg the call ever had: forks to several sockets, and those after a transfer.
        outside: The far end on the trunk, when there is one.
        direction: inbound, outbound, internal (between agents) or service (eavesdrop, an application).
        did: The number that was dialled.
        tracked: What becomes of it by the word of a call tracker; None: none decides about it.
        forward: Whom a call tracker has called outside; the last of them.
        voicemail_since: When the caller began to leave a message, in seconds since the epoch.
        dropped: The server has hung the caller up, because nobody was reached.
        whisper: Who hears the supervisor of an eavesdrop call: agent, both or none (set through REST, or by the
            digits 2, 3 and 0), or customer, which is the watched agent's far end (digit 1).
    """

    def __init__(self, world: World, primary_call_id: str, customer: SimCustomer | None) -> None:
        self._world = world
        self.primary_call_id = primary_call_id
        self.customer = customer
        self.legs: list[Leg] = []
        self.outside: Outside | None = None
        self.queue: SimQueue | None = None
        self.headers: dict[str, str] = {}
        self.ring_timeout: float | None = None
        self.direction: CallDirection = "service"
        self.did = ""
        self.tracked: TrackedCall | None = None
        self.forward: Outside | None = None
        self.voicemail_since: float | None = None
        self.dropped = False
        self.whisper = "none"

    def __repr__(self) -> str:
        return f"SimCall({self.id!r}, {self.state!r})"

    @property
    def leg(self) -> Leg | None:
        """The agent's leg: an answered one first, else the newest live one, else the last."""
        live = [leg for leg in self.legs if not leg.ended]
        answered = [leg for leg in live if leg.answered]
        found = answered or live or self.legs
        return found[-1] if found else None

    @property
    def id(self) -> str:
        """Uuid (callID) of the agent's leg; empty while no agent was rung."""
        return self.leg.call_id if self.leg is not None else ""

    @property
    def state(self) -> CallState:
        """The server's view of the agent's leg.

        ringing, active, held, ended; detached: its socket is lost, or `verto.attach` was not answered yet;
        waiting: in a queue or with a call tracker, no agent rings (nor anybody outside). While a call tracker has
        somebody outside called, it is the state of that end: ringing or active.
        """
        forward = self.forward
        if forward is not None and not forward.ended:
            return "active" if forward.answered else "ringing"
        waits = self.outside is not None and not self.outside.ended and self.outside.other is None
        waits_on = self.queue is not None or (self.tracked is not None and self.tracked.waits)
        leg = self.leg
        if leg is None or (leg.ended and waits and waits_on):
            return "waiting" if waits else "ended"
        return leg.state

    @property
    def cause(self) -> str:
        """Hangup cause of the agent's leg (or of the customer's when no agent was rung); empty while it lives.

        Of a call that a tracker decided about it is the customer's.
        """
        if self.state != "ended":
            return ""
        if self.leg is not None and self.tracked is None:
            return self.leg.cause
        return self.outside.cause if self.outside is not None else ""

    @property
    def variables(self) -> dict[str, str]:
        """Channel variables of the agent's leg, such as `verto_dvar_*` set by the client."""
        return self.leg.variables if self.leg is not None else {}

    async def reaches(self, state: CallState, timeout: float = 5.0) -> None:
        """Wait until the agent's leg is in a state; at once when it is.

        Raises:
            WaitedInVain: Not within `timeout` seconds, or the call has ended and cannot get there any more.
        """

        def look() -> bool | None:
            now = self.state
            if now == state:
                return True
            if now == "ended":
                raise WaitedInVain(f"call {self.id} should become {state}, but has ended: {self.cause}")
            return None

        await self._world.watch.until(look, timeout, lambda: f"call {self.id} is {self.state}, not {state}")

    async def hangs_up(self, cause: str = "NORMAL_CLEARING") -> None:
        """The far end hangs up: the agent gets `verto.bye` with that cause.

        A ringing agent gets ORIGINATOR_CANCEL instead of NORMAL_CLEARING.
        """
        switch = self._world.running().switch
        if self.outside is not None and not self.outside.ended:
            switch.end_outside(self.outside, cause)
        elif self.leg is not None:
            switch.end(self.leg, cause)

    async def cancels(self) -> None:
        """The caller gives up while it rings: ORIGINATOR_CANCEL (487)."""
        await self.hangs_up("ORIGINATOR_CANCEL")

    # ---- sound, where the simulator carries media ----------------------------------------------------------------

    async def media_comes_up(self, timeout: float = 5.0) -> None:
        """Wait until media flows between the server and the agent's client.

        Raises:
            WaitedInVain: Not within `timeout` seconds.
            SimulatorError: The call has ended, has no agent's leg, or the simulator carries no media.
        """
        await self._media().comes_up(self._agents_leg(), timeout)

    async def heard_by_customer(self, seconds: float) -> Heard:
        """What the customer hears in the next so many seconds.

        Raises:
            SimulatorError: The call has no customer, or the simulator carries no media.
        """
        if self.outside is None:
            raise SimulatorError(f"call {self.id} has no customer")
        return await self._media().heard_by(self.outside, seconds)

    async def heard_by_agent(self, seconds: float) -> Heard:
        """What is sent to the agent's client (of an eavesdrop call: the supervisor's) in the next so many seconds.

        Raises:
            SimulatorError: The call has no agent's leg, or the simulator carries no media.
        """
        return await self._media().heard_by(self._agents_leg(), seconds)

    async def said_by_agent(self, seconds: float) -> Heard:
        """What comes from the agent's client in the next so many seconds, whoever may hear it.

        Raises:
            SimulatorError: The call has no agent's leg, or the simulator carries no media.
        """
        return await self._media().said_by(self._agents_leg(), seconds)

    def _agents_leg(self) -> Leg:
        if self.leg is None:
            raise SimulatorError("no agent was rung")
        return self.leg

    def _media(self) -> RtpMedia:
        media = self._world.running().rtp
        if media is None:
            raise SimulatorError("the simulator carries no media: Simulator(world, media=True)")
        return media

    async def changes_party(self, name: str, number: str) -> None:
        """Another party is shown to the agent: `verto.display`."""
        if self.leg is not None:
            self._world.running().switch.show(self.leg, Party(name, number))

    async def is_renegotiated(self) -> None:
        """The server asks for new media in the middle of the call: `verto.attach` (`uuid_media_reneg`, s09)."""
        if self.leg is not None:
            self._world.running().switch.offer_attach(self.leg)

    def lost_by_the_server(self) -> None:
        """The server's process is gone, and with it the far end (used by the server)."""
        outside = self.outside
        if outside is not None and not outside.ended:
            outside.ended, outside.cause = True, "SYSTEM_SHUTDOWN"
            outside.stop_timers()
            self._world.running().call_log.ended(outside)
            if outside.on_end is not None:
                outside.on_end(outside.cause)

    def not_reached(self, outside: Outside, cause: str) -> None:
        """An agent could not be reached (used by the switch): the next one is tried, or the call ends."""
        if self.tracked is not None and not outside.ended and self.tracked.not_reached(cause):
            return
        if self.queue is not None and not outside.ended:
            self._world.running().commands.serve_queue(self.queue, self)
        else:
            self._world.running().switch.end_outside(outside, cause)
