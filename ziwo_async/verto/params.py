"""What we send: the params of every method a client may call, as mod_verto and ZIWO's fork read them.

The JSON-RPC envelope is put around them by `session.py`. Members that the server never reads are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .frames import JsonObject

__all__ = [
    "answer_params",
    "attach_params",
    "broadcast_params",
    "bye_params",
    "dtmf_params",
    "invite_params",
    "login_params",
    "modify_params",
    "send_to_call_params",
    "subscribe_params",
    "text_params",
]


def login_params(
    *, login: str, password_hash: str, sessid: str, user_variables: Mapping[str, str | bool] | None = None
) -> JsonObject:
    """Params of `login`.

    Args:
        login: Position name, `agent-<ccLogin>`; a domain behind `@` is cut off by the server.
        password_hash: Lower-case hex MD5 of ccLogin + ccPassword (ZIWO's own clients).
        sessid: Our session id, the same one after a reconnect so that the server re-attaches calls.
        user_variables: Plain channel variables for every call of this socket; strings and booleans only.
    """
    params: JsonObject = {"login": login, "passwd": password_hash, "sessid": sessid}
    if user_variables:
        params["userVariables"] = dict(user_variables)
    return params


def _dialog(call_id: str, **more: Any) -> JsonObject:
    return {"callID": call_id, **more}


def invite_params(
    *,
    call_id: str,
    number: str,
    sdp: str,
    sessid: str,
    user_variables: Mapping[str, str | bool] | None = None,
    recover: bool = True,
) -> JsonObject:
    """Params of `verto.invite`: call a number.

    Args:
        call_id: Any string not in use by a live call; becomes the channel's uuid.
        number: The number to dial.
        sdp: A complete offer: the server takes no trickled candidates.
        sessid: Our session id.
        user_variables: Arrive as `verto_dvar_<name>`; strings and booleans only.
        recover: False lets the call end with the socket instead of being kept for re-attachment.
    """
    dialog = _dialog(
        call_id,
        destination_number=number,
        remote_caller_id_name="Outbound Call",
        remote_caller_id_number=number,
    )
    if user_variables:
        dialog["userVariables"] = dict(user_variables)
    if not recover:
        dialog["recoverCall"] = False
    return {"sdp": sdp, "dialogParams": dialog, "sessid": sessid}


def answer_params(*, call_id: str, sdp: str, sessid: str) -> JsonObject:
    """Params of `verto.answer`: answer a ringing inbound call with an SDP answer."""
    return {"sdp": sdp, "dialogParams": _dialog(call_id), "sessid": sessid}


def attach_params(*, call_id: str, sdp: str, sessid: str) -> JsonObject:
    """Params of `verto.attach`: take a re-attached call over with an SDP answer."""
    return {"sdp": sdp, "dialogParams": _dialog(call_id), "sessid": sessid}


def bye_params(*, call_id: str, cause: str, cause_code: int | None, sessid: str) -> JsonObject:
    """Params of `verto.bye`: the cause's name wins over its code; unknown ones become 16 NORMAL_CLEARING."""
    params: JsonObject = {"dialogParams": _dialog(call_id), "cause": cause, "sessid": sessid}
    if cause_code is not None:
        params["causeCode"] = cause_code
    return params


def modify_params(*, call_id: str, action: str, sessid: str, **extra: str) -> JsonObject:
    """Params of `verto.modify`: hold, unhold, transfer (`destination`), replace (`replaceCallID`), updateMedia."""
    return {"action": action, "dialogParams": _dialog(call_id), **extra, "sessid": sessid}


def dtmf_params(*, call_id: str, digits: str, sessid: str) -> JsonObject:
    """Params of `verto.info` with DTMF: a string, several digits at once; `12@150` sets a duration in ms."""
    return {"dtmf": digits, "dialogParams": _dialog(call_id), "sessid": sessid}


def text_params(*, to: str, body: str, sender: str, sessid: str) -> JsonObject:
    """Params of `verto.info` with a chat message."""
    return {"msg": {"to": to, "body": body, "from": sender}, "sessid": sessid}


def send_to_call_params(*, call_id: str, variables: Mapping[str, str | bool], sessid: str) -> JsonObject:
    """Params of `verto.sendToCall` (ZIWO): set channel variables `verto_dvar_<name>` of a call."""
    return {"action": "setVariables", "dialogParams": _dialog(call_id, userVariables=dict(variables)), "sessid": sessid}


def subscribe_params(*, channels: tuple[str, ...], sessid: str) -> JsonObject:
    """Params of `verto.subscribe` and `verto.unsubscribe`."""
    return {"eventChannel": list(channels), "sessid": sessid}


def broadcast_params(*, channel: str, data: JsonObject, sessid: str) -> JsonObject:
    """Params of `verto.broadcast`."""
    return {"eventChannel": channel, "data": data, "localBroadcast": True, "sessid": sessid}
