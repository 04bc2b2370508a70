"""The methods of the Verto server that are about one call. There is no ownership check in any of them (measured)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..verto.frames import JsonObject
from . import sdp as sdps
from . import wire
from .calls import SimCall
from .causes import code_of, from_bye
from .legs import Leg, Party
from .routing import OUTBOUND_NAME
from .verto_login import text_variables
from .verto_replies import Outcome, Slow, call_error, refused

if TYPE_CHECKING:
    from .verto_server import VertoServer
    from .verto_session import VertoSession

__all__ = ["answer", "attach", "bye", "dialog_variables", "invite", "leg_of", "modify", "send_to_call"]

_DESTINATION_MISSING = "service"


def leg_of(server: VertoServer, params: Any) -> Leg | None:
    """The channel that `dialogParams.callID` names."""
    call_id = wire.get(wire.get(params, "dialogParams"), "callID")
    return server.switch.legs.get(call_id) if isinstance(call_id, str) else None


def dialog_variables(params: Any) -> dict[str, str]:
    """`dialogParams.userVariables` as channel variables `verto_dvar_<name>`."""
    return text_variables(wire.get(wire.get(params, "dialogParams"), "userVariables"), "verto_dvar_")


def _call_id(params: Any) -> str | Outcome:
    if params is None:
        return refused("Params data missing")
    dialog = wire.get(params, "dialogParams")
    if dialog is None:
        return refused("Dialog data missing")
    call_id = wire.get(dialog, "callID")
    if not isinstance(call_id, str) or not call_id:
        return refused("CallID missing")
    return call_id


def _text(obj: Any, key: str) -> str:
    value = wire.get(obj, key)
    return value if isinstance(value, str) else ""


def _media(server: VertoServer, sdp: str) -> sdps.MediaLine | None:
    return sdps.media_line(sdp, require_candidates=server.options.require_candidates)


# ---- verto.invite --------------------------------------------------------------------------------------------


def invite(server: VertoServer, session: VertoSession, params: Any) -> Outcome:
    """The client dials. CALL CREATED says nothing about success: the SDP and the number are looked at afterwards."""
    dialog = wire.get(params, "dialogParams")
    call_id = _text(dialog, "callID")
    sdp = wire.get(params, "sdp")
    for missing, words in (
        (params is None, "Params data missing"),
        (not isinstance(sdp, str), "SDP missing"),
        (dialog is None, "Dialog data missing"),
        (not call_id, "CallID missing"),
    ):
        if missing:
            return call_error("INVALID_MSG_UNSPECIFIED", code_of("INVALID_MSG_UNSPECIFIED"), words)
    if call_id in server.switch.legs:
        cause = "DESTINATION_OUT_OF_ORDER"
        return call_error(cause, code_of(cause), "Cannot create channel")
    number = _text(dialog, "destination_number") or _DESTINATION_MISSING
    leg = _dialled_leg(server, session, dialog, call_id, number)
    if isinstance(sdp, str):
        leg.media = _media(server, sdp)
        server.switch.media.offered(leg, sdp)
    leg.variables.update(dialog_variables(params))
    call = SimCall(server.world, call_id, None)
    call.direction, call.did = server.world.direction_of(number), number
    call.legs.append(leg)
    leg.call = call
    server.world.began(call)
    server.switch.add(leg)
    # The reply is written before anything the call causes.
    server.clock.later(0.0, lambda: None if leg.ended else server.router.dial(leg, number))
    return {"message": "CALL CREATED", "callID": call_id}


def _dialled_leg(server: VertoServer, session: VertoSession, dialog: Any, call_id: str, number: str) -> Leg:
    agent = session.agent
    name = _text(dialog, "caller_id_name")
    if name and not session.remembered_name:
        session.remembered_name = name
    position = agent.position if agent is not None else session.login_id
    return Leg(
        call_id=call_id,
        sessid=session.sessid,
        agent=agent,
        dialled=True,
        calling=True,
        caller=Party(name or session.remembered_name or position, _text(dialog, "caller_id_number") or position),
        callee=Party(OUTBOUND_NAME, number),
        variables=dict(session.user_variables),
        recover=wire.get(dialog, "recoverCall") is not False,
    )


# ---- verto.answer, verto.attach, verto.bye -------------------------------------------------------------------


def answer(server: VertoServer, session: VertoSession, params: Any) -> Outcome:
    """The client answers. An SDP that is of no use leaves the call ringing."""
    call_id = _call_id(params)
    if not isinstance(call_id, str):
        return call_id
    sdp = wire.get(params, "sdp")
    if not isinstance(sdp, str):
        return refused("SDP missing")
    leg = server.switch.legs.get(call_id)
    if leg is None:
        return refused("CALL DOES NOT EXIST")
    line = _media(server, sdp)
    if line is None:
        return refused("CODEC ERROR")
    leg.media = line
    if leg.attached:
        server.switch.media.accept(leg, sdp)  # a call that is offered again gets no media this way (s13)
    leg.variables.update(dialog_variables(params))
    if leg.hunt is not None and not leg.dialled and not leg.answered:
        leg.hunt.answered(leg)
    elif not leg.answered:
        # The client's own outbound call: accepted too, and now it counts as answered (s23).
        leg.stop_timers()
        server.switch.mark_answered(leg)
    return {}


def attach(server: VertoServer, session: VertoSession, params: Any) -> Outcome:
    """The client takes a call over again, with an answer to the offer of the server's `verto.attach`."""
    if params is None:
        return refused("Params data missing")
    dialog = wire.get(params, "dialogParams")
    if dialog is None:
        return refused("Dialog data missing")
    sdp = wire.get(params, "sdp")
    if not isinstance(sdp, str):
        # Here the SDP is looked for before the callID (s15).
        return refused("SDP missing")
    call_id = _text(dialog, "callID")
    if not call_id:
        return refused("CallID missing")
    leg = server.switch.legs.get(call_id)
    if leg is None:
        return refused("CALL DOES NOT EXIST")
    if not leg.answered:
        server.switch.end(leg, "DESTINATION_OUT_OF_ORDER")
        return refused("Cannot attach to a call that has not been answered.")
    line = _media(server, sdp)
    if line is None:
        server.switch.end(leg, "BEARERCAPABILITY_NOTAVAIL")
        return refused("CODEC ERROR")
    leg.media = line
    server.switch.media.accept_attach(leg, sdp)
    leg.sessid = session.sessid
    server.switch.reattached(leg)
    return {}


def bye(server: VertoServer, session: VertoSession, params: Any) -> Outcome:
    """The client hangs up. No `verto.bye` follows, to nobody: not even to the owner of somebody else's call (s12)."""
    call_id = _call_id(params)
    if not isinstance(call_id, str):
        return call_id
    leg = server.switch.legs.get(call_id)
    if leg is None:
        return refused("CALL DOES NOT EXIST", callID=call_id)
    bye_params: JsonObject = {"cause": wire.get(params, "cause"), "causeCode": wire.get(params, "causeCode")}
    cause = from_bye(bye_params)
    leg.silent = True
    server.switch.end(leg, cause)
    return {"callID": call_id, "message": "CALL ENDED", "causeCode": code_of(cause), "cause": cause}


# ---- verto.modify, verto.sendToCall --------------------------------------------------------------------------


def modify(server: VertoServer, session: VertoSession, params: Any) -> Outcome:
    """Hold, transfer, replace, new media. An unknown action is accepted and does nothing (s12)."""
    call_id = _call_id(params)
    if not isinstance(call_id, str):
        return call_id
    action = _text(params, "action")
    if not action:
        return refused("action missing")
    leg = server.switch.legs.get(call_id)
    if leg is None:
        return refused("CALL DOES NOT EXIST", callID=call_id, action=action)

    def result(**more: str) -> JsonObject:
        return {"callID": call_id, "action": action, **more, "holdState": "held" if leg.held else "active"}

    def no(message: str) -> Outcome:
        return refused(message, callID=call_id, action=action)

    if action in ("hold", "unhold", "toggleHold"):
        return _hold(server, leg, action, result)
    if action == "transfer":
        number = _text(params, "destination")
        if not number:
            return no("destination missing")
        state = result(message="CALL TRANSFERRED")
        return state if server.router.transfer(leg, number) else no("call is not bridged")
    if action == "replace":
        state = result()
        problem = _replace(server, leg, _text(params, "replaceCallID"))
        return no(problem) if problem else state
    if action == "updateMedia":
        new, problem = _update_media(server, leg, wire.get(params, "sdp"))
        return no(problem) if problem else result(sdp=new)
    return result()


def _replace(server: VertoServer, leg: Leg, other_id: str) -> str:
    if not other_id:
        return "replaceCallID missing"
    second = server.switch.legs.get(other_id)
    if second is None:
        return "invalid transfer leg"
    return "" if server.router.replace(leg, second) else "transfer failed"


def _update_media(server: VertoServer, leg: Leg, sdp: Any) -> tuple[str, str]:
    """The answer, or why there is none."""
    if not isinstance(sdp, str):
        return "", "SDP missing"
    if not leg.answered:
        server.switch.end(leg, "DESTINATION_OUT_OF_ORDER")
        return "", "Cannot update a call that has not been answered."
    line = _media(server, sdp)
    if line is None:
        return "", "CODEC NEGOTIATION ERROR"
    leg.media = line
    return server.switch.media.update(leg, sdp), ""


def _hold(server: VertoServer, leg: Leg, action: str, result: Any) -> Outcome:
    wanted = not leg.held if action == "toggleHold" else action == "hold"
    if not leg.answered or wanted == leg.held:
        return dict(result())  # nothing to do is answered at once

    def finish() -> JsonObject:
        leg.held = wanted
        server.switch.log.changed(leg)
        server.switch.watch.poke()
        return dict(result())

    return Slow(server.options.hold_delay, finish)


def send_to_call(server: VertoServer, session: VertoSession, params: Any) -> Outcome:
    """ZIWO's own method: sets `verto_dvar_*` variables; the action's text means nothing."""
    call_id = _call_id(params)
    if not isinstance(call_id, str):
        return call_id
    action = _text(params, "action")
    if not action:
        return refused("action missing")
    leg = server.switch.legs.get(call_id)
    if leg is None:
        return refused("CALL DOES NOT EXIST", callID=call_id, action=action)
    leg.variables.update(dialog_variables(params))
    server.switch.watch.poke()
    return {"callID": call_id, "action": action}
