"""The contact centre at one moment, as the events of the live socket tell it.

Collections are keyed by id. Presence and the rows of queues are mod_callcenter's, in which every value is a string.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from ...verto.frames import JsonObject
from ..api import rows
from ..api.cdr_rows import live_call
from . import kpis

if TYPE_CHECKING:
    from ..calls import SimCall
    from ..history import Cdr
    from ..legs import Leg
    from ..people import SimAgent
    from ..queues import SimQueue
    from ..world import World
    from .quirks import LiveQuirks

__all__ = ["Floor"]


class Floor:
    """How things are now; made for one push, because it remembers what it has looked up.

    Args:
        world: The contact centre, which is served.
        day: Today's calls.
        quirks: How collections look.
    """

    def __init__(self, world: World, day: kpis.Day, quirks: LiveQuirks) -> None:
        self._world = world
        self._day = day
        self._quirks = quirks
        day.look()

    # ---- one's own -------------------------------------------------------------------------------------------

    def status(self, user: SimAgent) -> JsonObject:
        """`GET /live/status` (source: ZIWO's Android SDK, which does not say what `force` means: here it is false)."""
        return {
            "force": False,
            "since": int(user.status_log.since),
            "status": user.status,
            "source": user.status_source,
        }

    def profile(self, user: SimAgent) -> JsonObject:
        """`GET /profile`: the same as through REST."""
        live = list(dict.fromkeys(leg.call.id for leg in self._legs.get(user, ()) if leg.call is not None))
        return {**rows.user(user), "liveInfo": rows.live_info(user), "liveCalls": live}

    # ---- collections -----------------------------------------------------------------------------------------

    def agents(self) -> object:
        """`GET /live/agents` (source: ZIWO Manager app)."""
        return self._collection(
            {
                str(agent.id): {
                    "id": agent.id,
                    "ccLogin": agent.ccLogin,
                    "firstName": agent.first_name,
                    "lastName": agent.last_name,
                    "photo": agent.photo,
                    "liveInfo": self._live_info(agent),
                    "queues": [{"id": queue.id, "name": queue.name} for queue in self._queues_of.get(agent, ())],
                }
                for agent in self._world.agents
            }
        )

    def queues(self) -> object:
        """`GET /live/queues` (source: ZIWO Manager app)."""
        name = "calls" if self._quirks.calls_of_queues else "liveCalls"
        return self._collection(
            {
                str(queue.id): {
                    "id": queue.id,
                    "name": queue.name,
                    "agents": self._collection({str(agent.id): rows.agent_short(agent) for agent in queue.agents}),
                    name: [self._member(call, cdr) for call, cdr in self._calls if call.queue is queue],
                }
                for queue in self._world.queues
            }
        )

    def calls(self) -> object:
        """`GET /live/calls`. No source shows a row; here it is what is known of the call's record.

        While there is an agent's leg its `callState` is beside it, in FreeSWITCH's words, as in the CTI answer about an
        agent's call.
        """
        return self._collection(
            {cdr.call_id: {**live_call(cdr, self._world), **_call_state(call, cdr)} for call, cdr in self._calls}
        )

    def queue_calls(self) -> list[JsonObject]:
        """`GET /live/queueCalls`: those who wait, also while a phone rings for them (source: a real sample of 2018)."""
        return [
            self._member(call, cdr)
            for call, cdr in self._calls
            if call.queue is not None and (self._quirks.keep_answered or _member_state(call) != "Answered")
        ]

    def numbers(self) -> object:
        """`GET /live/numbers`. No source shows a row: here they are those of REST."""
        return self._collection({str(number.id): rows.number(number) for number in self._world.numbers})

    def positions(self) -> object:
        """`GET /live/positions`. No source shows a row: here it is the one in a call's record, without secrets."""
        return self._collection({str(agent.id): self._position(agent) for agent in self._world.agents})

    # ---- numbers ---------------------------------------------------------------------------------------------

    def stats(self) -> JsonObject:
        """`GET /live/stats`; see `kpis`."""
        behaviours = {status.name: status.behaviour for status in self._world.statuses}
        talking = [agent for agent, legs in self._legs.items() if any(_talks(leg) for leg in legs)]
        return kpis.kpis(self._day, self._world.agents, talking, behaviours)

    def statistics_by_agents(self) -> object:
        """`GET /live/statistics/channels/calls/by/agents`: what ZIWO's Manager app reads of it."""
        found: dict[str, JsonObject] = {}
        for agent in self._world.agents:
            totals = self._day.by_agent.get(agent.id) or kpis.Totals()
            found[str(agent.id)] = {
                "totalInboundCalls": totals.calls,
                "totalQueueAnsweredCalls": totals.queue_answered,
                "totalInboundDuration": round(totals.duration),
            }
        return self._collection(found)

    def statistics_by_queues(self) -> object:
        """`GET /live/statistics/channels/calls/by/queues`: what ZIWO's Manager app reads of it."""
        counts = self._day.by_queue
        return self._collection(
            {
                str(queue.id): {"totalQueueLandedCalls": counts[queue.id].calls if queue.id in counts else 0}
                for queue in self._world.queues
            }
        )

    # ---- parts -----------------------------------------------------------------------------------------------

    def _collection(self, found: Mapping[str, JsonObject]) -> object:
        if not found and self._quirks.empty_as_list:
            return []
        return list(found.values()) if self._quirks.lists else found

    @cached_property
    def _legs(self) -> dict[SimAgent, list[Leg]]:
        found: dict[SimAgent, list[Leg]] = {}
        for leg in self._world.running().switch.legs.values():
            if leg.agent is not None:
                found.setdefault(leg.agent, []).append(leg)
        return found

    @cached_property
    def _queues_of(self) -> dict[SimAgent, list[SimQueue]]:
        found: dict[SimAgent, list[SimQueue]] = {}
        for queue in self._world.queues:
            for agent in queue.agents:
                found.setdefault(agent, []).append(queue)
        return found

    @cached_property
    def _calls(self) -> list[tuple[SimCall, Cdr]]:
        return self._world.running().call_log.so_far()

    def _live_info(self, agent: SimAgent) -> object:
        """Presence. Calls and talk time are today's; rings that nobody answered are not counted."""
        if self._quirks.empty_live_info and agent.status == "Logged Out":
            return []
        legs = self._legs.get(agent, [])
        totals = self._day.by_agent.get(agent.id) or kpis.Totals()
        last = self._day.last.get(agent.id)
        bridged = (last.answered_at or 0.0) if last is not None else 0.0
        for leg in legs:
            if _talks(leg):
                bridged = max(bridged, leg.answered_at)
        return {
            "callsAnswered": str(totals.answered),
            "contactString": f"verto.rtc/{agent.position}",
            "lastBridgeEPOCH": str(int(bridged)),
            "lastStatusChangeEPOCH": str(int(agent.status_log.since)),
            "lastUnBridgeEPOCH": str(int(last.ended_at) if last else 0),
            "noAnswerCount": "0",
            "position": agent.position,
            "state": _agent_state(legs),
            "status": agent.status,
            "talkTime": str(round(totals.talk)),
            "wrapUpTime": "0",
        }

    def _member(self, call: SimCall, cdr: Cdr) -> JsonObject:
        """A call in a queue: a row of mod_callcenter's members, all strings."""
        state = _member_state(call)
        joined = str(int(cdr.started_at))
        served = call.leg.agent if call.leg is not None and state != "Waiting" else None
        return {
            "callID": cdr.call_id,
            "sessionUUID": cdr.call_id,
            "callerID": cdr.customer,
            "callerName": cdr.customer_name,
            "systemEPOCH": joined,
            "joinedEPOCH": joined,
            "bridgeEPOCH": str(int(cdr.answered_at)) if cdr.answered_at is not None else "0",
            "agentCCLogin": served.ccLogin if served is not None else "unknown",
            "queueName": call.queue.name if call.queue is not None else "",
            "state": state,
            "score": str(int(self._world.now() - cdr.started_at)),
        }

    def _position(self, agent: SimAgent) -> JsonObject:
        """A web phone; the words of `device` and `pingStatus` are the simulator's."""
        connected = agent.connected
        live: JsonObject = {
            "device": "verto",
            "networkIP": "127.0.0.1",
            "pingStatus": "Reachable",
            "pingTime": "0",
            "position": agent.position,
        }
        return {
            "id": agent.id,
            "name": agent.position,
            "type": "verto",
            "connected": connected,
            "agent": rows.agent_short(agent),
            "liveInfo": live if connected else [],
        }


def _talks(leg: Leg) -> bool:
    return leg.answered and leg.other is not None and leg.other.answered


def _agent_state(legs: list[Leg]) -> str:
    """mod_callcenter's words; as through REST, any call of the agent counts as one of a queue."""
    if not legs:
        return "Waiting"
    rung = all(not leg.answered and not leg.dialled for leg in legs)
    return "Receiving" if rung else "In a queue call"


def _call_state(call: SimCall, cdr: Cdr) -> JsonObject:
    leg = call.leg
    if leg is None or leg.ended:
        return {}
    talks = leg.answered and cdr.answered_at is not None
    return {"callState": ("HELD" if leg.held else "ACTIVE") if talks else "RINGING"}


def _member_state(call: SimCall) -> str:
    """mod_callcenter's words: `Waiting`, `Trying` (a phone rings), `Answered`."""
    leg = call.leg
    if leg is None or leg.ended:
        return "Waiting"
    return "Answered" if leg.answered else "Trying"
