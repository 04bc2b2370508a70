"""Listening to agents (source: ZIWO developers page)."""

from __future__ import annotations

from ...verto.frames import JsonObject
from .ask import Ask, Route
from .envelopes import Refused

__all__ = ["ROUTES"]


async def create(ask: Ask) -> JsonObject:
    """Ring the user's own position; the client answers it itself."""
    supervisor = ask.agent
    target = next((agent for agent in ask.world.agents if agent.ccLogin == ask.named("agent")), None)
    if target is None:
        raise Refused(404, "No such agent")
    position = str((await ask.fields()).get("positionName") or supervisor.position)
    if position != supervisor.position:
        raise Refused(404, f"No such position: {position}")
    if not supervisor.connected:
        raise Refused(412, "Your position is not connected")
    call = ask.world.running().commands.spy_on_agent(supervisor, target, {})
    return {"callID": call.id}


async def update(ask: Ask) -> JsonObject:
    """Say who hears the supervisor. No Verto frame accompanies it (measured): `SimCall.whisper` tells what was set."""
    whisper = str((await ask.fields()).get("whisper"))
    if whisper not in ("agent", "both", "none"):
        raise Refused(400, "Invalid whisper")
    wanted = ask.named("call_id")
    call = next((call for call in ask.world.calls if call.id == wanted and call.state != "ended"), None)
    if call is None:
        raise Refused(404, "No such call")
    call.whisper = whisper
    ask.world.watch.poke()
    return {}


ROUTES = (
    Route("POST", "/live/calls/eavesdrop/{agent}", create, right="eavesdrop"),
    Route("PUT", "/live/calls/eavesdrop/{call_id}", update, right="eavesdrop"),
)
