"""Socket.IO: the packets of protocol 4 (Socket.IO 2, on Engine.IO 3) and 5 (Socket.IO 3 and 4, on Engine.IO 4)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

__all__ = ["CONNECT", "CONNECT_ERROR", "DISCONNECT", "EVENT", "BadPacket", "Packet", "decode", "encode", "event"]

CONNECT, DISCONNECT, EVENT, CONNECT_ERROR = "0", "1", "2", "4"
"""Kinds of packets; 4 is called ERROR in the older protocol. Acknowledgements (3) ask for no answer."""

_FORM = re.compile(r"([0-4])(?:(/[^,]*)(?:,|\Z))?([0-9]{0,15})(.*)", re.DOTALL)


class BadPacket(ValueError):
    """The text is no packet, or a binary one."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet of a client.

    Attributes:
        kind: Its digit.
        namespace: `/`, or another one; a query is cut off.
        data: What it carries; None when it carries nothing.
    """

    kind: str
    namespace: str
    data: Any


def decode(text: str) -> Packet:
    """The packet that a client has sent.

    Raises:
        BadPacket: It is malformed.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise BadPacket("unknown kind of packet")
    kind, namespace, _, rest = match.groups()
    try:
        data = json.loads(rest) if rest else None
    except (ValueError, RecursionError):
        raise BadPacket("not JSON") from None
    if kind == EVENT and not (isinstance(data, list) and data and isinstance(data[0], str)):
        raise BadPacket("an event needs a name")
    return Packet(kind, (namespace or "/").partition("?")[0], data)


def encode(kind: str, data: object = None, namespace: str = "/") -> str:
    """A packet of the server; `data` None: it carries nothing."""
    where = "" if namespace == "/" else f"{namespace},"
    return f"{kind}{where}{'' if data is None else json.dumps(data)}"


def event(name: str, payload: str) -> str:
    """An event with one argument that is JSON already."""
    return f"{EVENT}[{json.dumps(name)},{payload}]"
