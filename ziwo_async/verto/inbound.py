"""What each frame of the server does to a session. One function per method; `receive` is the door.

Nothing a server sends raises here: what has no meaning becomes an `UnknownFrame` event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..events import AgentMessage, DialogState, Direction, Event, TextMessage, UnknownFrame, trusted
from . import messages as m
from . import replies
from .call import CallMachine, Input
from .direction import names_of
from .effects import DialAsked, Effect, LoggedIn, PickupAsked, Publish, Ready, Refused, RemoteSdp, Settled, TakenOver
from .frames import BatchFrame, ErrorFrame, Frame, JsonObject, RequestFrame, ResultFrame, UnreadableFrame
from .parts import OpenRequest, Phase

if TYPE_CHECKING:
    from .session import SessionMachine

__all__ = ["receive"]


def receive(session: SessionMachine, frame: Frame, at: float) -> list[Effect]:
    """Take one frame and return what is to be done, in order.

    Args:
        session: The session it came for.
        frame: As `decode` gave it.
        at: Now, in seconds since the epoch.
    """
    effects: list[Effect] = []
    if isinstance(frame, RequestFrame):
        handler = _HANDLERS.get(frame.method)
        if handler is None:
            effects.append(_unknown("unknown method", frame))
        else:
            try:
                handler(session, frame, at, effects)
            except m.MalformedMessage as error:
                effects.append(_unknown(str(error), frame))
    elif isinstance(frame, ResultFrame | ErrorFrame):
        _reply(session, frame, at, effects)
    elif isinstance(frame, BatchFrame):
        for item in frame.frames:
            effects.extend(receive(session, item, at))
    else:
        effects.append(_unreadable(frame))
    return effects


def _reply(session: SessionMachine, frame: ResultFrame | ErrorFrame, at: float, effects: list[Effect]) -> None:
    request_id = frame.id
    request = session.open_requests.pop(request_id, None) if isinstance(request_id, int) else None
    if request is None or not isinstance(request_id, int):
        if request_id not in session.forgotten:
            effects.append(_stray(frame))
        return
    call = None if request.call_id is None or request.stale else session.calls.get(request.call_id)
    if isinstance(frame, ResultFrame):
        effects.append(Settled(request_id, frame.result))
        if request.method == "login":
            _logged_in(session, frame.result, effects)
        elif call is not None:
            session.publish(effects, call, _accepted(call, request, frame.result, at))
        return
    error = replies.error_of(frame, request.method, request.action, request.call_id)
    effects.append(Refused(request_id, error))
    if call is not None:
        session.publish(effects, call, _refused(call, request, frame, at))


def _logged_in(session: SessionMachine, result: JsonObject, effects: list[Effect]) -> None:
    if session.phase is Phase.LOGGING_IN:
        session.phase = Phase.LOGGED_IN
    session.auth_expires = m.Ping.read(result).auth_expires
    effects.append(LoggedIn(session.auth_expires))


def _on_ready(session: SessionMachine, frame: RequestFrame, at: float, effects: list[Effect]) -> None:
    listed = set(m.ClientReady.read(frame.params).reattached_sessions) | session.offered_again
    if session.phase is not Phase.TAKEN_OVER:
        session.phase = Phase.READY
    absent = [call for call in session.calls.values() if call.detached and call.call_id not in listed]
    for call in absent:
        if call.doubtful:
            call.doubtful = False
            session.publish(effects, call, call.connection_lost(at))
    missing = [call for call in absent if not call.is_over]
    lost = [] if session.asks_again else missing
    for call in lost:
        session.publish(effects, call, call.gone(at))
    for call_id, cause in session.unsaid.items():
        effects.append(session.bye(call_id, cause))
    session.unsaid.clear()
    kept = {call_id for call_id in listed if call_id in session.calls and call_id not in session.strangers}
    # A call that is over for us was told to be so when it was offered: it is no stranger.
    unknown = {call_id for call_id in listed - kept if call_id in session.calls or call_id not in session.ended}
    left = tuple(call.call_id for call in missing if not call.is_over)
    effects.append(Ready(tuple(sorted(kept)), tuple(call.call_id for call in lost), tuple(sorted(unknown)), left))


def _on_invite(session: SessionMachine, frame: RequestFrame, at: float, effects: list[Effect]) -> None:
    invite = m.Invite.read(frame.params)
    call = session.calls.get(invite.call_id)
    if call is None:
        call = session.begin(invite.call_id)
        effects.append(RemoteSdp(invite.call_id, "offer", invite.sdp))
    announced = any(name in session.services for name in names_of(invite.headers, invite.call_id))
    session.publish(effects, call, call.offered(invite, at, direction=Direction.SERVICE if announced else None))
    overtaken = session.early_byes.pop(invite.call_id, None)
    if overtaken is not None:
        session.publish(effects, call, call.ended(overtaken, at))


def _on_attach(session: SessionMachine, frame: RequestFrame, at: float, effects: list[Effect]) -> None:
    attach = m.Attach.read(frame.params)
    call_id = attach.call_id
    if call_id in session.ended and call_id not in session.calls:
        # It is over for us: our bye was lost with the connection, or the answer of the other side was, when the call
        # counted as unanswered. Its destroy was published, so it cannot live again: the server is told to end it.
        effects.append(session.bye(call_id, session.unsaid.pop(call_id, "NORMAL_CLEARING")))
        return
    call = session.calls.get(call_id)
    if call is None:
        call = session.begin(call_id)
        session.strangers.add(call_id)
    session.offered_again.add(call_id)
    session.publish(effects, call, call.attached(attach, at))
    if call.is_answered:
        # Answering the offer of an unanswered call would make mod_verto hang it up.
        effects.append(RemoteSdp(call_id, "attach", attach.sdp))


def _on_media(session: SessionMachine, frame: RequestFrame, at: float, effects: list[Effect]) -> None:
    media = m.Media.read(frame.params)
    _media(session, media.call_id, media.sdp, media.variables, frame, at, effects, answered=False)


def _on_answer(session: SessionMachine, frame: RequestFrame, at: float, effects: list[Effect]) -> None:
    answer = m.Answer.read(frame.params)
    _media(session, answer.call_id, answer.sdp, answer.variables, frame, at, effects, answered=True)


def _media(
    session: SessionMachine,
    call_id: str,
    sdp: str,
    variables: dict[str, str],
    frame: RequestFrame,
    at: float,
    effects: list[Effect],
    *,
    answered: bool,
) -> None:
    call = _known(session, call_id, frame, effects)
    if call is None:
        return
    events = call.media_arrived(variables, at, answered=answered)
    if sdp and not call.media_told and call.is_outbound and call.state is not DialogState.HANGUP:
        # Applied from whichever message brings it first; a later one is ignored (ziwo.md J 20).
        call.media_told = True
        effects.append(RemoteSdp(call_id, "answer", sdp))
    session.publish(effects, call, events)


def _on_display(session: SessionMachine, frame: RequestFrame, at: float, effects: list[Effect]) -> None:
    call_id = frame.params.get("callID")
    call = session.calls.get(call_id) if isinstance(call_id, str) else None
    display = m.Display.read(frame.params, None if call is None else call.headers)
    if call is None:
        _known(session, display.call_id, frame, effects)
    else:
        if call.state is DialogState.ANSWERING and session.gave_up("verto.answer", call_id):
            # The reply to our answer never came, but only an answered call is connected to somebody.
            session.publish(effects, call, call.feed(Input.ANSWER_OK, at))
        session.publish(effects, call, call.displayed(display, at))


def _on_bye(session: SessionMachine, frame: RequestFrame, at: float, effects: list[Effect]) -> None:
    bye = m.Bye.read(frame.params)
    call = _known(session, bye.call_id, frame, effects)
    if call is not None:
        session.publish(effects, call, call.ended(bye, at))
    elif bye.call_id not in session.ended:
        # Should its invite come yet, then the call is over: it must not ring for ever.
        session.early_byes[bye.call_id] = bye
        if len(session.early_byes) > _MOST_EARLY_BYES:
            del session.early_byes[next(iter(session.early_byes))]


def _known(session: SessionMachine, call_id: str, frame: RequestFrame, effects: list[Effect]) -> CallMachine | None:
    call = session.calls.get(call_id)
    if call is None and call_id not in session.ended:
        effects.append(_unknown(f"{frame.method} for a call we do not have", frame))
    return call


def _on_pickup(session: SessionMachine, frame: RequestFrame, at: float, effects: list[Effect]) -> None:
    del at
    pickup = m.Pickup.read(frame.params)
    call = session.calls.get(pickup.call_id)
    # The server sends it for answered and for our own outbound calls too; answering those would do harm.
    if call is not None and call.is_inbound_ringing:
        effects.append(PickupAsked(pickup.call_id))
    elif call is None:
        _known(session, pickup.call_id, frame, effects)


def _on_dial(session: SessionMachine, frame: RequestFrame, at: float, effects: list[Effect]) -> None:
    del at
    dial = m.Dial.read(frame.params)
    effects.append(DialAsked(dial.number, dial.uuid))


def _on_send(session: SessionMachine, frame: RequestFrame, at: float, effects: list[Effect]) -> None:
    del at
    effects.append(Publish(AgentMessage(data=m.Send.read(frame.params).data), None))


def _on_send_on_call(session: SessionMachine, frame: RequestFrame, at: float, effects: list[Effect]) -> None:
    del at
    sent = m.SendToAgentOnCall.read(frame.params)
    effects.append(Publish(AgentMessage(data=sent.data, call_id=sent.call_id), sent.call_id))


def _on_info(session: SessionMachine, frame: RequestFrame, at: float, effects: list[Effect]) -> None:
    del at
    info = m.Info.read(frame.params)
    call_id = info.call_id or None
    values = {
        "event": "text_message",
        "text": info.text,
        "sender": info.sender,
        "recipient": info.recipient,
        "call_id": call_id,
    }
    event = trusted(TextMessage, values)
    effects.append(Publish(event, call_id))


def _on_announce(session: SessionMachine, frame: RequestFrame, at: float, effects: list[Effect]) -> None:
    del at
    effects.append(Publish(TextMessage(text=m.Announce.read(frame.params).text, sender="server"), None))


def _on_ping(session: SessionMachine, frame: RequestFrame, at: float, effects: list[Effect]) -> None:
    del at, effects
    ping = m.Ping.read(frame.params)
    session.auth_expires = ping.auth_expires if ping.auth_expires is not None else session.auth_expires


def _on_punt(session: SessionMachine, frame: RequestFrame, at: float, effects: list[Effect]) -> None:
    del frame, at
    session.phase = Phase.TAKEN_OVER
    effects.append(TakenOver())


def _on_unused(session: SessionMachine, frame: RequestFrame, at: float, effects: list[Effect]) -> None:
    del at
    effects.append(_unknown("not used by ZIWO", frame))


def _accepted(call: CallMachine, request: OpenRequest, result: JsonObject, at: float) -> list[Event]:
    match request.method:
        case "verto.invite":
            return call.feed(Input.CREATED, at)
        case "verto.answer":
            return call.feed(Input.ANSWER_OK, at)
        case "verto.attach":
            return call.feed(Input.ATTACH_OK, at)
        case "verto.bye":
            return call.feed(Input.BYE_CONFIRMED, at)
        case "verto.modify" if request.action == ASK:
            return _told_state(call, result, at)
        case "verto.modify" if request.action in _HOLDS and result.get("holdState") in ("held", "active"):
            return call.hold_state(held=result["holdState"] == "held", at=at)
        case _:
            return []


ASK = "status"
"""An action that mod_verto does not know, so that it answers with the call's state and does nothing (measured)."""


def _told_state(call: CallMachine, result: JsonObject, at: float) -> list[Event]:
    """The server knows the call, and says whether it is held: what a reply that never came would have said."""
    if call.detached:
        return []
    events = call.feed(Input.ATTACH_OK, at)
    if call.is_answered and result.get("holdState") in ("held", "active"):
        events += call.hold_state(held=result["holdState"] == "held", at=at)
    return events


_HOLDS = ("hold", "unhold", "toggleHold")


def _refused(call: CallMachine, request: OpenRequest, frame: ErrorFrame, at: float) -> list[Event]:
    if replies.is_gone(frame):
        return call.gone(at)
    match request.method:
        case "verto.invite":
            return call.refused(*replies.cause_of(frame), at)
        case "verto.answer":
            return call.feed(Input.ANSWER_FAILED, at)
        case "verto.attach":
            return call.attach_failed(at)
        case "verto.bye":
            return call.feed(Input.BYE_TIMEOUT, at)
        case _:
            return []


def _unknown(reason: str, frame: RequestFrame) -> Publish:
    return Publish(UnknownFrame(reason=reason, method=frame.method, params=frame.params), None)


def _unreadable(frame: UnreadableFrame) -> Publish:
    return Publish(UnknownFrame(reason=frame.reason, text=frame.text, size=frame.size), None)


def _stray(frame: ResultFrame | ErrorFrame) -> Publish:
    if isinstance(frame, ErrorFrame):
        what = f"an error ({frame.message or 'no text'}) for no request of ours"
        return Publish(UnknownFrame(reason=what, params={"error": frame.data}), None)
    return Publish(UnknownFrame(reason=f"a reply to no request of ours (id {frame.id})"), None)


_MOST_EARLY_BYES = 16
_Handler = Callable[["SessionMachine", RequestFrame, float, list[Effect]], None]

_HANDLERS: dict[str, _Handler] = {
    "verto.clientReady": _on_ready,
    "verto.invite": _on_invite,
    "verto.attach": _on_attach,
    "verto.media": _on_media,
    "verto.answer": _on_answer,
    "verto.display": _on_display,
    "verto.bye": _on_bye,
    "verto.pickup": _on_pickup,
    "verto.dial": _on_dial,
    "verto.send": _on_send,
    "verto.sendToAgentOnCall": _on_send_on_call,
    "verto.info": _on_info,
    "verto.announce": _on_announce,
    "verto.ping": _on_ping,
    "verto.punt": _on_punt,
    "verto.event": _on_unused,
    "verto.prompt": _on_unused,
    "verto.mediaParams": _on_unused,
}
