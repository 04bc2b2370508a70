"""JSON-RPC envelopes: text in, frame out, and back; with limits.

Decoding never raises: what cannot be read comes back as an `UnreadableFrame` that says why, because a server may
send anything and a phone call must not end for it. Encoding raises `BadFrame`, because that is our own mistake.

Facts used here (mod_verto, measured; see the docs' "protocol" page): a frame is a request if it has a `method`;
results always carry an object; error objects may lack `code` and `message`, and may hold the key `message` twice,
the first one being the precise one; server ids and ours are separate number spaces; the server closes the socket at
1 000 000 bytes.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple, TypeAlias, TypeGuard, cast

from pydantic_core import from_json

from ..errors import BadFrame

__all__ = [
    "MAX_DEPTH",
    "MAX_INBOUND",
    "MAX_OUTBOUND",
    "BatchFrame",
    "ErrorFrame",
    "Frame",
    "FrameId",
    "JsonObject",
    "RequestFrame",
    "ResultFrame",
    "UnreadableFrame",
    "decode",
    "encode_error",
    "encode_request",
    "encode_result",
]

JsonObject: TypeAlias = dict[str, Any]
FrameId: TypeAlias = int | str | float | None

MAX_INBOUND = 1_048_576
"""Longest frame that is decoded, in bytes (characters for text): 1 MiB."""
MAX_OUTBOUND = 999_999
"""Longest frame that may be sent, in bytes: mod_verto closes the socket at one more (measured)."""
MAX_DEPTH = 200
"""Deepest nesting that is decoded: the limit of the JSON parser, which lets arrays be one level deeper."""


class RequestFrame(NamedTuple):
    """A request: ours to the server, or the server's to us (`verto.invite`, `verto.bye`, ...)."""

    method: str
    params: JsonObject
    id: FrameId


class ResultFrame(NamedTuple):
    """The reply to a request that was accepted. A result that is no object stands under the key `value`."""

    id: FrameId
    result: JsonObject


class ErrorFrame(NamedTuple):
    """The reply to a request that was refused.

    Attributes:
        id: Id of the request; None when the server could not read it.
        code: JSON-RPC error code; None when mod_verto left it out.
        message: The server's words; where it gave two, both, the precise one first.
        data: The whole error object.
    """

    id: FrameId
    code: int | None
    message: str
    data: JsonObject


class BatchFrame(NamedTuple):
    """A JSON array of frames. mod_verto answers a batch with a batch; we never send one."""

    frames: tuple[RequestFrame | ResultFrame | ErrorFrame | UnreadableFrame, ...]


class UnreadableFrame(NamedTuple):
    """A frame that could not be read.

    Attributes:
        reason: Why, in a few words.
        text: The frame, or its beginning when it is too large.
        size: Its length in bytes (characters for text).
    """

    reason: str
    text: str
    size: int


Frame: TypeAlias = RequestFrame | ResultFrame | ErrorFrame | BatchFrame | UnreadableFrame

_SHOWN = 2_000


def decode(raw: str | bytes) -> Frame:
    """Decode one websocket message. Never raises.

    Args:
        raw: The text (or the bytes of it) as it came.
    """
    size = len(raw)
    if size > MAX_INBOUND:
        return _unreadable(f"too large: {size} bytes, the limit is {MAX_INBOUND}", raw, size)
    try:
        # NaN and Infinity are no JSON; strings are not cached: ids and SDPs never repeat.
        value = from_json(raw, allow_inf_nan=False, cache_strings="keys")
    except (ValueError, TypeError) as error:  # TypeError: a lone surrogate, which no UTF-8 text can hold
        if "recursion limit" in str(error):
            return _unreadable(f"nested deeper than {MAX_DEPTH} levels", raw, size)
        # Non-JSON text is legal here: FreeSWITCH's speed test (`#SPU ...`) shares the socket.
        return _unreadable(f"not JSON: {error}", raw, size)
    try:
        # Nearly every frame is a plain request; what is not goes the long way, which gives the same for one that is.
        method, params, frame_id = value["method"], value["params"], value["id"]
        if type(method) is str and type(params) is dict and type(frame_id) is int and value["jsonrpc"] == "2.0":
            return RequestFrame(method, cast("JsonObject", params), frame_id)
    except (KeyError, TypeError, IndexError):
        pass
    if _is_list(value):
        return BatchFrame(tuple(_envelope(item, json.dumps(item), size) for item in value))
    return _envelope(value, raw, size)


def _envelope(value: Any, raw: str | bytes, size: int) -> RequestFrame | ResultFrame | ErrorFrame | UnreadableFrame:
    if not isinstance(value, dict):
        return _unreadable("not a JSON object", raw, size)
    frame = cast("JsonObject", value)
    if frame.get("jsonrpc") != "2.0":
        return _unreadable("not JSON-RPC 2.0", raw, size)
    frame_id = _frame_id(frame.get("id"))
    if frame_id is _BAD_ID:
        return _unreadable("the id is neither a number nor a string", raw, size)
    method = frame.get("method")
    if method is not None:
        if not isinstance(method, str):
            return _unreadable("the method is not a string", raw, size)
        params = frame.get("params")
        if params is None:
            params = {}
        if not isinstance(params, dict):
            return _unreadable("the params are not an object", raw, size)
        return RequestFrame(method, cast("JsonObject", params), frame_id)
    if "result" in frame:
        result = frame["result"]
        return ResultFrame(frame_id, cast("JsonObject", result) if isinstance(result, dict) else {"value": result})
    if "error" in frame:
        return _error(frame_id, frame["error"], raw)
    return _unreadable("neither method nor result nor error", raw, size)


def _error(frame_id: FrameId, error: Any, raw: str | bytes) -> ErrorFrame:
    data = cast("JsonObject", error) if isinstance(error, dict) else {"value": error}
    code = data.get("code")
    message = data.get("message")
    words = message if isinstance(message, str) else ""
    if words == "CALL ERROR":
        # The key stands twice on the wire, the precise text first; ordinary parsers keep only the last.
        words = _all_messages(raw) or words
    return ErrorFrame(frame_id, code if isinstance(code, int) and not isinstance(code, bool) else None, words, data)


def _all_messages(raw: str | bytes) -> str:
    found: list[str] = []

    def collect(pairs: list[tuple[str, Any]]) -> JsonObject:
        found.extend(value for key, value in pairs if key == "message" and isinstance(value, str))
        return dict(pairs)

    json.loads(raw, object_pairs_hook=collect)
    return ": ".join(dict.fromkeys(found))


_BAD_ID: FrameId = "\0bad"


def _frame_id(value: Any) -> FrameId:
    """Bring ids to one form: `7`, `7.0` and `"7"` are the same id (mod_verto turns large integers into floats)."""
    if value is None:
        return None
    if isinstance(value, bool):
        return _BAD_ID
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < _LONG_ID else value
    return _BAD_ID


_LONG_ID = 19


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _unreadable(reason: str, raw: str | bytes, size: int) -> UnreadableFrame:
    text = raw[:_SHOWN]
    encoded = text.encode("utf-8", "replace") if isinstance(text, str) else text
    return UnreadableFrame(reason, encoded.decode("utf-8", "replace"), size)


def encode_request(frame_id: FrameId, method: str, params: JsonObject) -> str:
    """Encode a request.

    Raises:
        BadFrame: The params hold something that is no JSON (NaN, a lone surrogate, a foreign object), or the
            frame is longer than the server takes (`MAX_OUTBOUND`).
    """
    return _encode({"jsonrpc": "2.0", "method": method, "params": params, "id": frame_id}, method)


def encode_result(frame_id: FrameId, result: JsonObject) -> str:
    """Encode a reply. Requests of the server need none; where one is given it is a result, never an error.

    Raises:
        BadFrame: As `encode_request`.
    """
    return _encode({"jsonrpc": "2.0", "id": frame_id, "result": result}, "a reply")


def encode_error(frame_id: FrameId, error: JsonObject) -> str:
    """Encode an error reply (the simulator's side; a client never sends one).

    Raises:
        BadFrame: As `encode_request`.
    """
    return _encode({"jsonrpc": "2.0", "id": frame_id, "error": error}, "an error")


def _encode(frame: JsonObject, what: str) -> str:
    try:
        text = json.dumps(frame, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode("utf-8"))
    except (TypeError, ValueError, RecursionError) as error:
        # The cause may quote values (a password among them): only its kind is told.
        raise BadFrame(f"{what} cannot be written as JSON ({type(error).__name__}); nothing was sent") from None
    if size > MAX_OUTBOUND:
        raise BadFrame(
            f"{what} would be {size} bytes and the server closes the socket at {MAX_OUTBOUND + 1}; nothing was sent"
        )
    return text
