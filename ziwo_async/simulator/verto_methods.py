"""The methods of the Verto server that are not about one call; `METHODS` has them all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ..verto.frames import JsonObject
from . import verto_calls, wire
from .verto_replies import Outcome, Refusal, refused

if TYPE_CHECKING:
    from .legs import Leg
    from .verto_server import VertoServer
    from .verto_session import VertoSession

__all__ = ["METHODS"]

Handler: TypeAlias = "Callable[[VertoServer, VertoSession, Any], Outcome]"


def _login(server: VertoServer, session: VertoSession, params: Any) -> Outcome:
    result: JsonObject = {}
    if server.options.login_expires is not None:
        if session.expires is None:
            session.expires = int(server.clock.epoch() + server.options.login_expires)
        # Its place is between the message and the address (z07b).
        result["auth-expires"] = session.expires
    return {"message": "logged in", **result, "client-address": session.peer}


def _ping(server: VertoServer, session: VertoSession, params: Any) -> Outcome:
    expires: JsonObject = {} if session.expires is None else {"auth-expires": session.expires}
    return {**expires, "message": "PONG"}


def _info(server: VertoServer, session: VertoSession, params: Any) -> Outcome:
    if params is None:
        return refused("Params data missing")
    msg = wire.get(params, "msg")
    if msg is not None:
        to, body = wire.get(msg, "to"), wire.get(msg, "body")
        if not isinstance(to, str) or not isinstance(body, str):
            return Refusal({"message": "INVALID MESSAGE to and body params required"})
        _deliver_message(server, cast("JsonObject", msg), to)
        return {"message": "SENT"}
    leg = verto_calls.leg_of(server, params)
    if leg is None:
        # Success all the same; only the missing SENT tells (s12).
        return {}
    variables = verto_calls.dialog_variables(params)
    leg.variables.update(variables)
    dtmf = wire.get(params, "dtmf")
    if isinstance(dtmf, str):
        _steer(leg, dtmf)
        server.world.dtmf_received(leg.call_id, dtmf)
        return {"message": "SENT"}
    return {}


_WHISPERS = {"0": "none", "1": "customer", "2": "agent", "3": "both"}


def _steer(leg: Leg, dtmf: str) -> None:
    """A supervisor's digits say who hears him (z11); a length may follow the digits, as in `12@150`."""
    if leg.call is None or not (leg.spies_on or leg.spied_agent is not None):
        return
    for digit in dtmf.partition("@")[0]:
        leg.call.whisper = _WHISPERS.get(digit, leg.call.whisper)


def _deliver_message(server: VertoServer, msg: JsonObject, to: str) -> None:
    agent = server.world.agent_by_login(to.partition("@")[0])
    sender = msg.get("from")
    shown: JsonObject = {"from": sender, "to": to, "body": msg["body"]} if sender else {"to": to, "body": msg["body"]}
    if isinstance(sender, str):
        user, _, host = sender.partition("@")
        shown.update({"from_user": user, "from_host": host, "from_full": user})
    for target in server.of_agent(agent) if agent is not None else []:
        target.queue("verto.info", {"msg": shown})


def _channels(params: Any) -> list[str]:
    wanted = wire.get(params, "eventChannel")
    items = wanted if wire.is_list(wanted) else [wanted]
    return [item for item in items if isinstance(item, str)]


def _allowed(server: VertoServer, channel: str) -> bool:
    allowed = server.options.event_channels
    return channel in allowed or channel.partition(".")[0] in allowed


def _subscribe(server: VertoServer, session: VertoSession, params: Any) -> Outcome:
    done: list[str] = []
    denied: list[str] = []
    already: list[str] = []
    for channel in _channels(params):
        if not _allowed(server, channel):
            denied.append(channel)
        elif channel in session.subscriptions:
            already.append(channel)
        else:
            session.subscriptions[channel] = 0
            done.append(channel)
    lists: JsonObject = {}
    if done or already:
        lists["subscribedChannels"] = done
    if denied:
        lists["unauthorizedChannels"] = denied
    if already:
        lists["alreadySubscribedChannels"] = already
    # An error object without code and message, where nothing was subscribed (s15).
    return lists if done or already else Refusal(lists)


def _unsubscribe(server: VertoServer, session: VertoSession, params: Any) -> Outcome:
    done: list[str] = []
    missing: list[str] = []
    for channel in _channels(params):
        (missing if session.subscriptions.pop(channel, None) is None else done).append(channel)
    lists: JsonObject = {}
    if done:
        lists["unsubscribedChannels"] = done
    if missing:
        lists["notSubscribedChannels"] = missing
    return Refusal(lists) if missing and not done else lists


def _broadcast(server: VertoServer, session: VertoSession, params: Any) -> Outcome:
    channels = _channels(params)
    # Both refusals come as results (s15).
    if not channels:
        return {"message": "eventChannel not specified.", "code": -32002}
    if not _allowed(server, channels[0]):
        return {"message": "Permission Denied.", "code": -32002}
    if wire.get(params, "localBroadcast") is True:
        event = {**cast("JsonObject", params), "userid": session.login_id, "sessid": session.sessid}
        for target in server.sessions():
            _publish(target, channels[0], event)
    return {}


def _publish(target: VertoSession, channel: str, event: JsonObject) -> None:
    for name in (channel, channel.partition(".")[0]):
        if name in target.subscriptions:
            serno = target.subscriptions[name]
            target.subscriptions[name] += 1
            target.queue("verto.event", {**event, "eventSerno": serno, "subscribedChannel": name})
            return


METHODS: dict[str, Handler] = {
    "login": _login,
    "verto.ping": _ping,
    "verto.info": _info,
    "verto.subscribe": _subscribe,
    "verto.unsubscribe": _unsubscribe,
    "verto.broadcast": _broadcast,
    "verto.invite": verto_calls.invite,
    "verto.answer": verto_calls.answer,
    "verto.bye": verto_calls.bye,
    "verto.modify": verto_calls.modify,
    "verto.attach": verto_calls.attach,
    "verto.sendToCall": verto_calls.send_to_call,
}
