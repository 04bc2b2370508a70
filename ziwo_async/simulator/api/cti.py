"""CTI: acting for an agent with the `api_key` (source: ZIWO developers page; paths: integrators and load tests).

ZIWO names a change of status, a logout and a click to IVR too; no source shows their paths, so they are not here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...verto.frames import JsonObject
from .agents import log_in_position
from .ask import Ask, Route
from .envelopes import Refused

if TYPE_CHECKING:
    from ..calls import SimCall
    from ..people import SimAgent

__all__ = ["ROUTES"]


async def login(ask: Ask) -> JsonObject:
    """Log an agent's position in."""
    log_in_position(_agent(ask), ask.named("position"))
    return {}


async def call(ask: Ask) -> JsonObject:
    """Click to call with the number in the path: the agent's phone rings first, then the customer's."""
    return _click(ask, _agent(ask), ask.named("number"))


async def call_by_form(ask: Ask) -> JsonObject:
    """Click to call with the number in the body."""
    return _click(ask, _agent(ask), str((await ask.fields()).get("number") or ""))


async def own_call(ask: Ask) -> JsonObject:
    """Click to call for the agent of the token (official web client); `roamingOnly` is accepted and changes nothing."""
    await ask.fields()
    return _click(ask, ask.agent, ask.named("number"))


async def current_call(ask: Ask) -> JsonObject:
    """The call of an agent now; an empty object when there is none."""
    calls = _agent(ask).calls
    return {"callInfo": {}, "queueInfo": _queue_info(calls[0])} if calls else {}


def _agent(ask: Ask) -> SimAgent:
    found = next((agent for agent in ask.world.agents if agent.ccLogin == ask.named("agent")), None)
    if found is None:
        raise Refused(404, "No such agent")
    return found


def _click(ask: Ask, agent: SimAgent, number: str) -> JsonObject:
    if not number:
        raise Refused(400, "number is required")
    if not agent.connected:
        raise Refused(412, "The agent's position is not connected")
    return {"callID": ask.world.running().commands.click_to_call(agent, number).id}


def _queue_info(found: SimCall) -> JsonObject:
    """Every value is a string (source: an integrator's comments)."""
    leg = found.leg
    assert leg is not None
    outside = found.outside
    talks = leg.answered and leg.other is not None and leg.other.answered
    began = str(int(leg.began_at))
    return {
        "callID": leg.call_id,
        "didCalled": found.did,
        "callerPosition": leg.caller.number,
        "callerID": leg.caller.number,
        "callerName": leg.caller.name,
        "calleeID": leg.callee.number,
        "calleeName": leg.callee.name,
        "calleePosition": leg.callee.number,
        "createdEPOCH": began,
        "calleeDirection": "inbound" if leg.dialled else "outbound",
        "callState": "ACTIVE" if leg.answered else "RINGING",
        "calleeCallState": "ACTIVE" if talks else "RINGING",
        "direction": found.direction,
        "channelBridgeEPOCH": str(int(leg.answered_at)) if talks else "0",
        "originalCallerIdName": outside.party.name if outside is not None else "",
        "originalCallerIdNumber": outside.party.number if outside is not None else "",
    }


ROUTES = (
    Route("POST", "/integrations/cti/agents/{agent}/login/{position}", login, "key"),
    Route("POST", "/integrations/cti/agents/{agent}/call/{number}", call, "key"),
    Route("POST", "/integrations/cti/agents/{agent}/call", call_by_form, "key"),
    Route("GET", "/integrations/cti/agents/{agent}/call", current_call, "key"),
    Route("POST", "/integrations/cti/agents/call/{number}", own_call),
)
