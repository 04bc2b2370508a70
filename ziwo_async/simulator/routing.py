"""Where calls go: ringing agents, dialling numbers, transfers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .legs import FarEnd, Leg, Outside, Party
from .people import SimAgent, SimCustomer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .calls import SimCall
    from .clock import Timer
    from .switch import Switch
    from .world import World

__all__ = ["OUTBOUND_NAME", "Hunt", "Router"]

OUTBOUND_NAME = "Outbound Call"
"""The literal name FreeSWITCH gives a called party."""


class Hunt:
    """One attempt to reach an agent: all sockets of the agent ring; one answer wins.

    Attributes:
        origin: Who calls; None when the server itself does (`originate`).
        legs: The ringing legs, those of the newest socket first.
        joins: Who is connected instead of the origin (attended transfer to a ringing agent, s12).
        on_answer: Called when an agent has answered.
    """

    def __init__(self, switch: Switch, origin: FarEnd | None, ring_timeout: float) -> None:
        self._switch = switch
        self.origin = origin
        self.legs: list[Leg] = []
        self.joins: FarEnd | None = None
        self.over = False
        self.failed = ""
        self.on_answer: Callable[[], None] | None = None
        self._settling: Timer | None = None
        self._late = False
        self._ringing = switch.clock.later(ring_timeout, self.time_out)

    def answered(self, leg: Leg) -> None:
        """A client's `verto.answer` was accepted. Who wins is settled a moment later: two may answer at once (s04)."""
        self._switch.mark_answered(leg)
        if self._settling is None:
            self._settling = self._switch.clock.later(self._switch.options.answer_settle, self._settle)

    def _settle(self) -> None:
        self._settling = None
        # Measured with two sockets that answered at once: the newest one won.
        winner = next((leg for leg in self.legs if leg.answered), None)
        if winner is None and self._late:
            self.time_out()
        if winner is None or self.over:
            return
        self._finish()
        for leg in self.legs:
            leg.hunt = None
            if leg is not winner:
                self._switch.end(leg, "LOSE_RACE")
        origin = self.origin
        if winner.originated:
            winner.caller, winner.callee, winner.calling = winner.callee, winner.caller, True
        if origin is None:
            if self.on_answer is not None:
                self.on_answer()
            self._switch.watch.poke()
            return
        origin.hunt = None
        if self.joins is not None and isinstance(origin, Leg):
            joins = self.joins
            joins.hunt = None
            self._switch.end(origin, "NORMAL_CLEARING")
            if not joins.ended:
                join_as_pair(self._switch, joins, winner)
            else:
                self._switch.end(winner, "NORMAL_CLEARING")
            return
        if isinstance(origin, Leg):
            self._switch.answer_to(origin)
        self._switch.connect(origin, winner)
        if isinstance(origin, Outside):
            arm_hang_up(self._switch, origin)
        if self.on_answer is not None:
            self.on_answer()

    def _finish(self) -> None:
        self.over = True
        self._ringing.cancel()
        if self._settling is not None:
            self._settling.cancel()

    def abandon(self) -> None:
        """The server is gone: nothing comes of it any more."""
        self._finish()

    def time_out(self) -> None:
        """Nobody answered in time (NO_ANSWER); comes by itself after the ring timeout."""
        if self.over:
            return
        if self._settling is not None:
            self._late = True  # somebody has answered in time, and was told so
            return
        self._cancel_targets("NO_ANSWER")
        # An agent's own cause is ordinary: the dialplan simply goes on to its end (s23).
        self._fail("NORMAL_CLEARING" if isinstance(self.origin, Leg) else "NO_ANSWER")

    def cancel(self, cause: str) -> None:
        """The caller is gone: the agent stops ringing."""
        if not self.over:
            self._cancel_targets(cause)

    def _cancel_targets(self, cause: str) -> None:
        self._finish()
        for leg in self.legs:
            leg.hunt = None
            self._switch.end(leg, cause)

    def leg_ended(self, leg: Leg, cause: str) -> None:
        """One of the legs, or the calling leg, is over."""
        if self.over:
            return
        if leg is self.origin:
            self.cancel("ORIGINATOR_CANCEL")
        elif all(other.ended for other in self.legs):
            self._finish()
            self._fail(cause)

    def _fail(self, cause: str) -> None:
        self.failed = cause
        origin, self.origin = self.origin, None
        if origin is None:
            return
        origin.hunt = None
        if isinstance(origin, Leg):
            self._switch.end(origin, cause)
        elif origin.call is not None:
            origin.call.not_reached(origin, cause)
        else:
            self._switch.end_outside(origin, cause)


def join_as_pair(switch: Switch, calling: FarEnd, called: FarEnd) -> None:
    """Connect the far ends of two calls; `calling` becomes the bridge's first leg, as `intercept` does (s12)."""
    calling_party = calling.party if isinstance(calling, Outside) else Party(OUTBOUND_NAME, calling.own.number)
    called_party = called.party if isinstance(called, Outside) else Party(OUTBOUND_NAME, called.own.number)
    if isinstance(calling, Leg):
        calling.caller, calling.callee, calling.calling = calling_party, called_party, True
    if isinstance(called, Leg):
        called.caller, called.callee, called.calling = calling_party, called_party, False
        switch.connect(calling, called)
        return
    if isinstance(calling, Leg):
        # The bridge's other end is outside: the agent's leg is shown the other party all the same.
        called.other = calling
        calling.other = called
        switch.later(calling, switch.options.bridge_delay, lambda: switch.show(calling, called_party))
        switch.log.changed(calling)
        switch.log.changed(called)
        switch.watch.poke()


class Router:
    """Number to destination, and everything that begins or moves a call."""

    def __init__(self, world: World, switch: Switch) -> None:
        self._world = world
        self._switch = switch

    # ---- the server rings an agent ---------------------------------------------------------------------------

    def ring(
        self,
        agent: SimAgent,
        origin: FarEnd | None,
        caller: Party,
        headers: Mapping[str, str],
        *,
        ring_timeout: float | None = None,
        call: SimCall | None = None,
        originated: bool = False,
        call_id: str | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Hunt | None:
        """Ring every socket of an agent; None when there is none (806 USER_NOT_REGISTERED)."""
        switch = self._switch
        sockets = switch.sockets.of_agent(agent)
        if not sockets:
            return None
        hunt = Hunt(switch, origin, switch.options.ring_timeout if ring_timeout is None else ring_timeout)
        if origin is not None:
            origin.hunt = hunt
        for socket in sockets:
            leg = Leg(
                call_id=call_id or switch.new_uuid(),
                sessid=socket.sessid,
                agent=agent,
                dialled=False,
                caller=caller,
                # The first caller name a socket ever dialled with is its callee name from then on (s23, z03).
                callee=Party(socket.remembered_name or OUTBOUND_NAME, agent.position),
                headers=dict(headers),
                variables=dict(variables or {}),
                originated=originated,
                hunt=hunt,
                call=call,
            )
            call_id = None
            hunt.legs.append(leg)
            if call is not None:
                call.legs.append(leg)
            switch.add(leg)
            params = {"callID": leg.call_id, "variables": switch.variables(leg), "sdp": switch.media.offer(leg)}
            socket.queue("verto.invite", {**params, **leg.parties()})
        return hunt

    # ---- a client dials --------------------------------------------------------------------------------------

    def dial(self, leg: Leg, number: str) -> None:
        """Route a call that a client has just made (`verto.invite` was answered with CALL CREATED)."""
        world, switch = self._world, self._switch
        target = world.destination(number)
        if target is None:
            switch.end(leg, "UNALLOCATED_NUMBER")
            return
        if leg.media is None:
            switch.end(leg, "INCOMPATIBLE_DESTINATION")
            return
        if isinstance(target, SimCustomer):
            self.call_outside(leg, target)
            return
        agent, ringback = target
        leg.callee = Party(OUTBOUND_NAME, agent.position)
        self._ring_for(leg, agent)
        if ringback:
            switch.send_media(leg)

    def _ring_for(self, leg: Leg, agent: SimAgent) -> None:
        name = leg.agent.effective_name if leg.agent is not None else None
        caller = Party(name or (leg.caller.name if leg.dialled else OUTBOUND_NAME), leg.own.number)
        hunt = self.ring(agent, leg, caller, {}, call=leg.call)
        if hunt is None:
            self._switch.end(leg, "USER_NOT_REGISTERED")

    def dial_for(self, leg: Leg, number: str) -> None:
        """The server dials a number and connects it to a leg that has been answered (click to call)."""
        target = self._world.destination(number)
        if target is None:
            self._switch.end(leg, "UNALLOCATED_NUMBER")
        elif isinstance(target, SimCustomer):
            self.call_outside(leg, target, clicked=True)
        else:
            leg.callee = Party(OUTBOUND_NAME, target[0].position)
            self._ring_for(leg, target[0])

    def call_outside(self, leg: Leg, customer: SimCustomer, *, clicked: bool = False) -> None:
        """Connect a leg to a customer (or a service) and let its script run.

        Args:
            leg: The agent's leg.
            customer: Who is called.
            clicked: The leg was answered before the customer is called (click to call).
        """
        switch, script = self._switch, customer.script
        outside = Outside(
            uuid=switch.new_uuid(),
            party=Party(OUTBOUND_NAME, customer.number),
            service=customer.service,
            customer=customer,
            call=leg.call,
            other=leg,
        )
        leg.other = outside
        leg.variables.update(customer.variables)
        leg.headers.update(customer.headers)
        if leg.call is not None:
            leg.call.outside = outside
            leg.call.customer = customer
        customer.called(leg.call)
        if leg.answered and not clicked:
            return  # transferred to it: the leg has its media already, and is told nothing (s12)
        if script.refuse is not None:
            cause = script.refuse
            if script.early_media:
                switch.later(leg, script.ring, lambda: switch.send_media(leg))
            switch.later(leg, script.refuse_after, lambda: switch.end_outside(outside, cause))
            return
        if script.early_media:
            switch.later(leg, script.ring, lambda: switch.send_media(leg))
        if script.answer_after is not None:
            switch.later(leg, script.ring + script.answer_after, lambda: self.outside_answers(outside))

    def outside_answers(self, outside: Outside) -> None:
        """The customer (or service) picks up the call of an agent."""
        leg, switch = outside.other, self._switch
        if leg is None or outside.ended or outside.answered:
            return
        outside.answered = True
        switch.answer_to(leg)
        switch.log.changed(outside)
        if not outside.service:
            party = outside.party
            switch.later(leg, switch.options.bridge_delay, lambda: switch.show(leg, party))
        arm_hang_up(switch, outside)

    # ---- a client moves a call -------------------------------------------------------------------------------

    def transfer(self, leg: Leg, number: str) -> bool:
        """Blind transfer: the far end goes to `number`, the leg ends. False: the call is not bridged."""
        other, switch = leg.other, self._switch
        if other is None or not leg.answered or (isinstance(other, Outside) and other.service):
            return False
        leg.other = None
        other.other = None
        switch.end(leg, "NORMAL_CLEARING")
        target = self._world.destination(number)
        if isinstance(other, Leg):
            if target is None:
                switch.end(other, "UNALLOCATED_NUMBER")
            elif isinstance(target, SimCustomer):
                self.call_outside(other, target)
            else:
                own = other.own
                other.caller, other.calling = Party(OUTBOUND_NAME, own.number), True
                other.callee = Party(OUTBOUND_NAME, target[0].position)
                self._ring_for(other, target[0])
        elif target is None:
            switch.end_outside(other, "UNALLOCATED_NUMBER")
        elif isinstance(target, SimCustomer):
            pass  # customer to customer: no agent has anything to do with it any more
        elif self.ring(target[0], other, other.party, leg.headers, call=other.call) is None:
            switch.end_outside(other, "USER_NOT_REGISTERED")
        return True

    def replace(self, leg: Leg, second: Leg) -> bool:
        """Attended transfer: join the far ends of two calls; both legs end. False: neither is bridged."""
        switch = self._switch
        one, two = _bridged(leg), _bridged(second)
        if one is not None and two is not None:
            for end in (leg, one, second, two):
                end.other = None
            order = list(switch.legs.values())
            for ended in sorted((leg, second), key=order.index, reverse=True):
                switch.end(ended, "NORMAL_CLEARING")  # the newer one first (s12, z12)
            join_as_pair(switch, one, two)
            return True
        waiting, ringing = (leg, second) if one is not None else (second, leg)
        far = one or two
        if far is None or ringing.hunt is None:
            return False
        waiting.other = None
        far.other = None
        ringing.hunt.joins = far
        far.hunt = ringing.hunt
        switch.end(waiting, "NORMAL_CLEARING")
        return True


def arm_hang_up(switch: Switch, outside: Outside) -> None:
    """Let the customer's `hangs_up_after` run from now."""
    after = outside.customer.script.hang_up_after if outside.customer is not None else None
    if after is not None:
        switch.later(outside, after, lambda: switch.end_outside(outside, "NORMAL_CLEARING"))


def _bridged(leg: Leg) -> FarEnd | None:
    if not leg.answered or (isinstance(leg.other, Outside) and leg.other.service):
        return None
    return leg.other
