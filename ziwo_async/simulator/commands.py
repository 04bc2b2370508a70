"""What the back end makes the switch do: calls of customers, pickup, dial, send, eavesdrop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..verto.frames import JsonObject
from .calls import SimCall
from .legs import Outside, Party
from .numbers import SimNumber
from .people import SimAgent, SimCustomer
from .problems import SimulatorError
from .queues import SimQueue
from .trackers import SimTracker

if TYPE_CHECKING:
    from .hooks import Hooks
    from .routing import Router
    from .switch import Switch
    from .verto_server import VertoServer
    from .world import World

__all__ = ["Commands"]


class Commands:
    """The simulator's own hands; tests reach them through agents, customers and calls."""

    def __init__(self, world: World, switch: Switch, router: Router, verto: VertoServer, hooks: Hooks) -> None:
        self._world = world
        self._switch = switch
        self._router = router
        self._verto = verto
        self._hooks = hooks

    # ---- customers -------------------------------------------------------------------------------------------

    def customer_dials(
        self,
        customer: SimCustomer,
        target: SimAgent | SimQueue | SimNumber | str,
        headers: Mapping[str, str],
        *,
        ring_timeout: float | None,
        call_id: str | None,
        variables: Mapping[str, str] | None,
        did: str | None = None,
    ) -> SimCall:
        """A customer's call comes in; see `SimCustomer.dials`."""
        if wrong := [name for name in headers if not name.casefold().startswith("verto_h_")]:
            raise SimulatorError(f"a client is only shown variables that begin with verto_h_, not {wrong}")
        switch = self._switch
        found: SimAgent | SimQueue | SimTracker | None
        if isinstance(target, (SimNumber, str)):
            number = self._world.require_number(target)
            found, did = self._world.linked(number), number.did
        else:
            found = target
        outside = Outside(
            uuid=switch.new_uuid(),
            party=Party(customer.name, customer.number),
            service=False,
            customer=customer,
        )
        call = SimCall(self._world, outside.uuid, customer)
        call.outside = outside
        outside.call = call
        call.direction = "inbound"
        call.did = did or self._world.did_of(found if isinstance(found, SimQueue) else None)
        call.ring_timeout = ring_timeout
        call.headers = {
            "verto_h_primaryCallID": outside.uuid,
            "verto_h_originalCallerIdNumber": customer.number,
            **headers,
        }
        self._world.began(call)
        if isinstance(found, SimTracker):
            self._hooks.track(call, outside, found).begin(headers, variables, call_id, ring_timeout)
        elif isinstance(found, SimQueue):
            call.queue = found
            found.waiting.append(call)
            self.serve_queue(found, call)
        elif found is None:
            switch.end_outside(outside, "NO_ROUTE_DESTINATION")
        elif not self._ring(found, call, call_id, variables):
            switch.end_outside(outside, "USER_NOT_REGISTERED")
        return call

    def _ring(
        self, agent: SimAgent, call: SimCall, call_id: str | None = None, variables: Mapping[str, str] | None = None
    ) -> bool:
        outside = call.outside
        if outside is None:
            return False
        hunt = self._router.ring(
            agent,
            outside,
            outside.party,
            call.headers,
            ring_timeout=call.ring_timeout,
            call=call,
            call_id=call_id,
            variables=variables,
        )
        return hunt is not None

    def serve_queue(self, queue: SimQueue, call: SimCall) -> None:
        """Ring the next free agent for a waiting call; when all refused, start over with the first change."""
        outside = call.outside
        if outside is None or outside.ended or outside.hunt is not None or outside.other is not None:
            if call in queue.waiting:
                queue.waiting.remove(call)
            return
        if call not in queue.waiting:
            queue.waiting.append(call)
        agent = queue.free_agent(outside.tried)
        if agent is None:
            outside.tried.clear()
            return
        outside.tried.append(agent)
        queue.waiting.remove(call)
        if not self._ring(agent, call):
            queue.waiting.append(call)

    # ---- ZIWO's own requests to a client ---------------------------------------------------------------------

    def pickup(self, call_id: str) -> bool:
        """`verto_pickup <uuid>`."""
        leg = self._switch.legs.get(call_id)
        socket = None if leg is None else self._verto.by_sessid(leg.sessid)
        if socket is None:
            return False
        socket.queue("verto.pickup", {"callID": call_id})
        return True

    async def dial(self, agent: SimAgent, number: str, uuid: str | None) -> bool:
        """`verto_dial <uuid> <position> <number>`: blocks until a look finds the call, or 39 looks did not."""
        socket = self._verto.newest_named(agent.position)
        if socket is None:
            return False
        call_id = uuid or self._switch.new_uuid()
        socket.queue("verto.dial", {"number": number, "uuid": call_id})
        if call_id in self._switch.legs:
            return True
        options = self._switch.options
        # Measured: the call is looked for, not waited for; one that ends between two looks is not seen.
        for _ in range(options.dial_tries):
            await asyncio.sleep(options.dial_poll)
            if call_id in self._switch.legs:
                return True
        return False

    def send(self, agent: SimAgent, data: JsonObject, extra: Mapping[str, object]) -> bool:
        """`verto_send`: to the newest socket that bears the name, logged in or not (measured)."""
        socket = self._verto.newest_named(agent.position)
        if socket is None:
            return False
        socket.queue("verto.send", {"data": data, **extra})
        return True

    def send_on_call(self, agent: SimAgent, call_id: str, data: JsonObject, extra: Mapping[str, object]) -> bool:
        """`verto_send_to_position_on_call`."""
        leg = self._switch.legs.get(call_id)
        socket = None if leg is None else self._verto.by_sessid(leg.sessid)
        if leg is None or socket is None or leg.agent is not agent:
            return False
        socket.queue("verto.sendToAgentOnCall", {"callID": call_id, "data": data, **extra})
        return True

    # ---- originate -------------------------------------------------------------------------------------------

    def originate(
        self,
        agent: SimAgent,
        caller: Party,
        headers: Mapping[str, str],
        *,
        ring_timeout: float | None = None,
        call_id: str | None = None,
        variables: Mapping[str, str] | None = None,
        on_answer: Callable[[SimCall], None] | None = None,
    ) -> SimCall:
        """The server calls an agent itself (`originate ... &park()`): no bridge, no `verto.display`."""
        call = SimCall(self._world, call_id or self._switch.new_uuid(), None)
        self._world.began(call)
        hunt = self._router.ring(
            agent,
            None,
            caller,
            headers,
            ring_timeout=ring_timeout,
            call=call,
            originated=True,
            call_id=call_id or call.primary_call_id,
            variables=variables,
        )
        if hunt is None:
            raise SimulatorError(f"agent {agent.ccLogin} has no socket: USER_NOT_REGISTERED")
        if on_answer is not None:
            hunt.on_answer = lambda: on_answer(call)
        return call

    def eavesdrop(
        self,
        supervisor: SimAgent,
        target_id: str,
        headers: Mapping[str, str],
        *,
        caller: Party | None = None,
        call_id: str | None = None,
    ) -> SimCall:
        """`originate ... &eavesdrop(uuid)`: an ordinary invite; the watched parties are told nothing (z11)."""
        target = self._switch.legs.get(target_id)
        on = caller or Party("Eavesdrop", target.own.number if target is not None else "")

        def listen(call: SimCall) -> None:
            leg = call.leg
            if leg is None or leg.ended:
                return
            if target is None or target.ended:
                self._switch.end(leg, "NORMAL_CLEARING")
                return
            leg.spies_on = target.call_id
            self._switch.show_soon(leg, target.caller)

        return self.originate(supervisor, on, headers, call_id=call_id, on_answer=listen)

    def spy_on_agent(
        self,
        supervisor: SimAgent,
        agent: SimAgent,
        headers: Mapping[str, str],
        *,
        caller: Party | None = None,
        call_id: str | None = None,
    ) -> SimCall:
        """`originate ... &userspy(agent)`: music until the agent has a call, then that call, then music (z11c)."""

        def listen(call: SimCall) -> None:
            leg = call.leg
            if leg is None:
                return
            leg.spied_agent = agent
            for watched in self._switch.legs.values():
                if watched.agent is agent and watched.answered and watched.other is not None:
                    self._switch.show_soon(leg, watched.caller)

        on = caller or Party("Eavesdrop", agent.position)
        call = self.originate(supervisor, on, headers, call_id=call_id, on_answer=listen)
        call.did = agent.ccLogin
        return call

    def click_to_call(self, agent: SimAgent, number: str) -> SimCall:
        """Ring the agent's own position; the answer makes the server dial the number, whose script runs.

        A number that begins with 00 leads where the one with + does (integrators use both).
        """
        if self._world.destination(number) is None and number.startswith("00"):
            number = f"+{number.removeprefix('00')}"

        def dial(call: SimCall) -> None:
            leg = call.leg
            if leg is not None and not leg.ended:
                self._router.dial_for(leg, number)

        call = self.originate(agent, Party(number, number), {}, on_answer=dial)
        call.direction, call.did = self._world.direction_of(number), number
        return call

    # ---- words to everybody ----------------------------------------------------------------------------------

    def chat(self, agent: SimAgent, sender: str, body: str) -> None:
        """`chat verto|from|to|body`: a message outside of any call."""
        for socket in self._verto.of_agent(agent):
            socket.queue("verto.info", {"msg": {"from": sender, "to": agent.verto_address, "body": body}})

    def announce(self, *words: str) -> None:
        """`verto announce`: an operator's words to every socket."""
        for socket in self._verto.sessions():
            socket.queue("verto.announce", {"msg": list(words)})
