"""What the server sends: the params of every `verto.*` method of its, typed. `params.py` is the other way.

Reading is tolerant, as the server is (source: mod_verto and ZIWO's fork): a missing or mistyped text becomes `""`,
extra members are ignored, and only what a message is useless without is required (`MalformedMessage` else).
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from operator import itemgetter
from typing import Any, NamedTuple, TypeGuard, cast

from .frames import JsonObject

__all__ = [
    "Announce",
    "Answer",
    "Attach",
    "Bye",
    "ClientReady",
    "Dial",
    "Display",
    "Info",
    "Invite",
    "MalformedMessage",
    "Media",
    "MediaParams",
    "Pickup",
    "Ping",
    "Prompt",
    "PubSubEvent",
    "Punt",
    "Send",
    "SendToAgentOnCall",
]


class MalformedMessage(ValueError):
    """A message lacks what it is useless without; the text says what."""


class Invite(NamedTuple):
    """`verto.invite` of the server: an inbound call. `display_direction` is the server's point of view."""

    call_id: str
    sdp: str
    caller_id_name: str
    caller_id_number: str
    callee_id_name: str
    callee_id_number: str
    display_direction: str
    headers: dict[str, str]
    variables: dict[str, str]

    @classmethod
    def read(cls, params: JsonObject) -> Invite:
        """Read the params.

        Raises:
            MalformedMessage: There is no callID.
        """
        _call_id(params, "verto.invite")
        call_id, sdp, name, number, callee, callee_number, direction = _texts(params, _INVITE)
        headers, variables = _headers(params), _variables(params)
        return cls(call_id, sdp, name, number, callee, callee_number, direction, headers, variables)


class Attach(NamedTuple):
    """`verto.attach`: take this call (again). Same fields as `Invite`; answered with `verto.attach`."""

    call_id: str
    sdp: str
    caller_id_name: str
    caller_id_number: str
    callee_id_name: str
    callee_id_number: str
    display_direction: str
    headers: dict[str, str]
    variables: dict[str, str]

    @classmethod
    def read(cls, params: JsonObject) -> Attach:
        """Read the params.

        Raises:
            MalformedMessage: There is no callID.
        """
        _call_id(params, "verto.attach")
        return cls(*Invite.read(params))


class Media(NamedTuple):
    """`verto.media`: early media of our outbound call, with the SDP answer."""

    call_id: str
    sdp: str
    variables: dict[str, str]

    @classmethod
    def read(cls, params: JsonObject) -> Media:
        """Read the params.

        Raises:
            MalformedMessage: There is no callID.
        """
        return cls(_call_id(params, "verto.media"), _text(params, "sdp"), _variables(params))


class Answer(NamedTuple):
    """`verto.answer`: our outbound call was answered. The SDP comes only when no `verto.media` brought it."""

    call_id: str
    sdp: str
    variables: dict[str, str]

    @classmethod
    def read(cls, params: JsonObject) -> Answer:
        """Read the params.

        Raises:
            MalformedMessage: There is no callID.
        """
        return cls(_call_id(params, "verto.answer"), _text(params, "sdp"), _variables(params))


class Display(NamedTuple):
    """`verto.display`: the party on the other end changed (also sent soon after a bridge is made)."""

    call_id: str
    display_name: str
    display_number: str
    headers: dict[str, str]

    @classmethod
    def read(cls, params: JsonObject, known: dict[str, str] | None = None) -> Display:
        """Read the params.

        Args:
            params: The params.
            known: The headers the call has; mod_verto repeats all of them, so they are mostly the same ones again.

        Raises:
            MalformedMessage: There is no callID.
        """
        _call_id(params, "verto.display")
        call_id, name, number, *_ = _texts(params, _DISPLAY)
        if known is None or not _repeats(params, known):
            known = _headers(params)
        return cls(call_id, name, number, known)


class Bye(NamedTuple):
    """`verto.bye`: the call ended by the other side or the system. Codes may be over 127."""

    call_id: str
    cause: str
    cause_code: int | None

    @classmethod
    def read(cls, params: JsonObject) -> Bye:
        """Read the params.

        Raises:
            MalformedMessage: There is no callID.
        """
        return cls(_call_id(params, "verto.bye"), _text(params, "cause"), _number(params, "causeCode"))


class ClientReady(NamedTuple):
    """`verto.clientReady`: logged in and ready; the `verto.attach` of each listed call came before it."""

    reattached_sessions: tuple[str, ...]

    @classmethod
    def read(cls, params: JsonObject) -> ClientReady:
        """Read the params; ZIWO's client documents a spelling without the plural, which is taken too."""
        listed = params.get("reattached_sessions", params.get("reattached_session"))
        return cls(tuple(item for item in listed if isinstance(item, str)) if _is_list(listed) else ())


class Info(NamedTuple):
    """`verto.info`: a chat message (`msg`) or real-time text (`txt`); without a call, `call_id` is empty."""

    call_id: str
    text: str
    sender: str
    recipient: str

    @classmethod
    def read(cls, params: JsonObject) -> Info:
        """Read the params."""
        msg = params.get("msg")
        txt = params.get("txt")
        if isinstance(msg, dict):
            message = cast("JsonObject", msg)
            body, sender, recipient = _texts(message, _MSG)
            return cls(_text(params, "callID"), body, sender, recipient)
        chars = _text(cast("JsonObject", txt), "chars") if isinstance(txt, dict) else ""
        return cls(_text(params, "callID"), chars, "", "")


class Ping(NamedTuple):
    """`verto.ping` of the server, after 30 s without input from us. Needs no answer."""

    serno: int | None
    auth_expires: int | None

    @classmethod
    def read(cls, params: JsonObject) -> Ping:
        """Read the params."""
        return cls(_number(params, "serno"), _number(params, "auth-expires"))


class Punt(NamedTuple):
    """`verto.punt`: another connection took this session."""

    @classmethod
    def read(cls, params: JsonObject) -> Punt:
        """Read the params, of which there are none."""
        del params
        return cls()


class Announce(NamedTuple):
    """`verto.announce`: an operator's words to every socket."""

    text: str

    @classmethod
    def read(cls, params: JsonObject) -> Announce:
        """Read the params."""
        words = params.get("msg")
        return cls(" ".join(str(word) for word in words) if _is_list(words) else _text(params, "msg"))


class Prompt(NamedTuple):
    """`verto.prompt`: asks for input. No caller of it is known."""

    call_id: str
    type: str
    text: str
    regex: str

    @classmethod
    def read(cls, params: JsonObject) -> Prompt:
        """Read the params."""
        return cls(*(_text(params, key) for key in ("callID", "type", "text", "regex")))


class MediaParams(NamedTuple):
    """`verto.mediaParams`: the server's wish for other media constraints."""

    call_id: str
    media_params: JsonObject

    @classmethod
    def read(cls, params: JsonObject) -> MediaParams:
        """Read the params."""
        return cls(_text(params, "callID"), _object(params, "mediaParams"))


class PubSubEvent(NamedTuple):
    """`verto.event`: something on an event channel. ZIWO uses none."""

    channel: str
    data: JsonObject
    serno: int | None

    @classmethod
    def read(cls, params: JsonObject) -> PubSubEvent:
        """Read the params."""
        return cls(_text(params, "eventChannel"), _object(params, "data"), _number(params, "eventSerno"))


class Pickup(NamedTuple):
    """`verto.pickup` (ZIWO): answer this ringing call now. Also sent for calls where that is wrong."""

    call_id: str

    @classmethod
    def read(cls, params: JsonObject) -> Pickup:
        """Read the params.

        Raises:
            MalformedMessage: There is no callID.
        """
        return cls(_call_id(params, "verto.pickup"))


class Dial(NamedTuple):
    """`verto.dial` (ZIWO): call this number, with this id as callID (which need not look like a UUID)."""

    number: str
    uuid: str

    @classmethod
    def read(cls, params: JsonObject) -> Dial:
        """Read the params.

        Raises:
            MalformedMessage: The number or the uuid is missing.
        """
        number, uuid = _text(params, "number"), _text(params, "uuid")
        if not number or not uuid:
            raise MalformedMessage("verto.dial without a number or a uuid")
        return cls(number, uuid)


class Send(NamedTuple):
    """`verto.send` (ZIWO): application data for the position. Other members leak in by a server bug."""

    data: JsonObject

    @classmethod
    def read(cls, params: JsonObject) -> Send:
        """Read the params.

        Raises:
            MalformedMessage: The data are no object.
        """
        return cls(_data(params, "verto.send"))


class SendToAgentOnCall(NamedTuple):
    """`verto.sendToAgentOnCall` (ZIWO): application data for the agent on one call."""

    call_id: str
    data: JsonObject

    @classmethod
    def read(cls, params: JsonObject) -> SendToAgentOnCall:
        """Read the params.

        Raises:
            MalformedMessage: There is no callID, or the data are no object.
        """
        return cls(_call_id(params, "verto.sendToAgentOnCall"), _data(params, "verto.sendToAgentOnCall"))


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _text(params: JsonObject, key: str) -> str:
    value = params.get(key)
    return value if isinstance(value, str) else ""


class _Keys:
    """Several texts, read at once."""

    __slots__ = ("getter", "keys")

    def __init__(self, *keys: str) -> None:
        self.keys = keys
        self.getter: Callable[[JsonObject], tuple[str, ...]] = itemgetter(*keys)


_INVITE = _Keys(
    "callID", "sdp", "caller_id_name", "caller_id_number", "callee_id_name", "callee_id_number", "display_direction"
)
_DISPLAY = _Keys(
    "callID",
    "display_name",
    "display_number",
    "caller_id_name",
    "caller_id_number",
    "callee_id_name",
    "callee_id_number",
    "display_direction",
)
_MSG = _Keys("body", "from", "to")


def _texts(params: JsonObject, keys: _Keys) -> tuple[str, ...]:
    try:
        found = keys.getter(params)
        # Refuses anything that is no text, at a tenth of the cost of asking each.
        "".join(found)
    except (KeyError, TypeError):
        return tuple(_text(params, key) for key in keys.keys)
    return found


def _number(params: JsonObject, key: str) -> int | None:
    value = params.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if isfinite(value) else None  # 1e400 is good JSON, and infinite
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS:
        return int(value)
    return None


# Python refuses to convert texts of more than 4 300 digits, and no code of the server comes near this.
_MOST_DIGITS = 18


def _object(params: JsonObject, key: str) -> JsonObject:
    value = params.get(key)
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def _data(params: JsonObject, method: str) -> JsonObject:
    value = params.get("data")
    if isinstance(value, dict):
        return cast("JsonObject", value)
    raise MalformedMessage(f"{method} without an object as data")


def _call_id(params: JsonObject, method: str) -> str:
    value = params.get("callID")
    if isinstance(value, str) and value:
        return value
    raise MalformedMessage(f"{method} without a callID")


class _HeaderNames(dict[str, bool]):
    """Whether a key names a header, remembered: the same two dozen keys come in every frame."""

    def __missing__(self, key: str) -> bool:
        # mod_verto matches the prefix without regard to case and keeps the name as it was set.
        found = key[:8].lower() == "verto_h_"
        if len(self) < _MOST_NAMES:
            self[key] = found
        return found


# A server that invents names must not make the process grow.
_MOST_NAMES = 1024
_is_header = _HeaderNames()


def _headers(params: JsonObject) -> dict[str, str]:
    found: dict[str, str] = {key: value for key, value in params.items() if _is_header[key]}
    try:
        "".join(found.values())
    except TypeError:
        return {key: value if isinstance(value, str) else str(value) for key, value in found.items()}
    return found


def _repeats(params: JsonObject, known: dict[str, str]) -> bool:
    """Whether the headers of a display are the known ones: each of them, and nothing else but the usual members."""
    return (
        len(params) == len(known) + len(_DISPLAY.keys)
        and known.items() <= params.items()
        and all(key in params for key in _DISPLAY.keys)
    )


def _variables(params: JsonObject) -> dict[str, str]:
    # The object also leaks a dozen generic event headers; only these are meant.
    variables = params.get("variables")
    if not isinstance(variables, dict):
        return {}
    return {key: str(value) for key, value in cast("JsonObject", variables).items() if key[:11] == "verto_svar_"}
