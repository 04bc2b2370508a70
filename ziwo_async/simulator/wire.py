"""JSON-RPC as mod_verto reads and writes it.

Replies are encoded by `verto.frames`, the client's own codec. Reading is different on purpose: mod_verto (cJSON)
takes things the client's codec refuses, and a simulator that refused them would be stricter than the server: text
after the JSON, keys in any case, ids of any type, a missing `jsonrpc` (answered with that id). So reading has its
own lenient parser here.
"""

from __future__ import annotations

import json
from typing import Any, TypeGuard, cast

from ..verto.frames import JsonObject

__all__ = [
    "BROKEN",
    "INVALID_MESSAGE",
    "INVALID_REQUEST",
    "dump",
    "get",
    "is_list",
    "parse",
    "refusal_text",
    "request_text",
]

BROKEN = object()
"""What `parse` returns for text that is no JSON."""

_BIGGEST_INT = 2**63 - 1


def parse(text: str) -> Any:
    """Read one message; trailing text is ignored and very large integers become floats (measured)."""
    try:
        value, _ = _DECODER.raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        return BROKEN
    return value


def _number(digits: str) -> int | float:
    number = int(digits)
    return number if -_BIGGEST_INT <= number <= _BIGGEST_INT else float(number)


def _pairs(pairs: list[tuple[str, Any]]) -> JsonObject:
    # C strings end at NUL (measured: "\0b" comes back as "").
    return {key: _cut(value) for key, value in pairs}


def _cut(value: Any) -> Any:
    return value.partition("\0")[0] if isinstance(value, str) else value


_DECODER = json.JSONDecoder(parse_int=_number, object_pairs_hook=_pairs)


def get(obj: Any, key: str) -> Any:
    """A member of an object by name, the case ignored as in cJSON; None when there is none."""
    if not isinstance(obj, dict):
        return None
    members = cast("JsonObject", obj)
    if key in members:
        return members[key]
    wanted = key.casefold()
    return next((value for name, value in members.items() if name.casefold() == wanted), None)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether a value is a JSON array."""
    return isinstance(value, list)


def dump(value: Any) -> str:
    """Write JSON as the server does: compact, no ASCII escapes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def request_text(frame_id: int, method: str, params: JsonObject) -> str:
    """A request of the server. The key order (id before method) is mod_verto's, not that of the client's codec."""
    return dump({"jsonrpc": "2.0", "id": frame_id, "method": method, "params": params})


def refusal_text(message: str, frame_id: Any) -> str:
    """A message that could not be read as a request at all: here the id comes last (measured)."""
    return dump({"jsonrpc": "2.0", "error": {"code": -32600, "message": message}, "id": frame_id})


INVALID_REQUEST = "Invalid Request"
"""Answer to what is no JSON."""
INVALID_MESSAGE = "Invalid message"
"""Answer to JSON that is no JSON-RPC 2.0 request."""
