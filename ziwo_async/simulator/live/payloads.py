"""Engine.IO: how several packets share the body of one HTTP request or answer.

A packet is a digit (its kind) and text. Nothing binary is ever sent by ZIWO's live socket; what a client sends in
base64 or bytes is refused.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["BadPayload", "Protocol", "decode", "encode"]

Protocol: TypeAlias = Literal[3, 4]

_SEPARATOR = "\x1e"
_END_OF_LENGTH = 0xFF
_MOST_DIGITS = 10


class BadPayload(ValueError):
    """The body is no payload of packets."""


def encode(packets: list[str], protocol: Protocol) -> str:
    """The body that carries the packets. They are ASCII, so that nobody counts their length differently."""
    if protocol == 4:
        return _SEPARATOR.join(packets)
    return "".join(f"{len(packet)}:{packet}" for packet in packets)


def decode(body: bytes, protocol: Protocol) -> list[str]:
    """The packets of a body.

    Raises:
        BadPayload: It is malformed, or has something binary in it.
    """
    if protocol == 3 and body[:1] in (b"\x00", b"\x01"):
        return _decode_bytes(body)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise BadPayload("not UTF-8") from None
    packets = text.split(_SEPARATOR) if protocol == 4 else _decode_counted(text)
    if any(not packet[:1].isdecimal() for packet in packets):
        raise BadPayload("a packet begins with a digit")
    return packets


def _decode_counted(text: str) -> list[str]:
    """Engine.IO 3 as text: `<length>:<packet>`, the length in UTF-16 units, as JavaScript counts."""
    units = text.encode("utf-16-le")
    packets: list[str] = []
    at = 0
    while at < len(units):
        colon = units.find(b":\x00", at)
        digits = units[at:colon].decode("utf-16-le") if colon >= 0 else ""
        if not (digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS):
            raise BadPayload("a packet needs its length")
        begin = colon + 2
        at = begin + 2 * int(digits)
        if at > len(units):
            raise BadPayload("a packet is shorter than its length")
        packets.append(units[begin:at].decode("utf-16-le", "replace"))
    return packets


def _decode_bytes(body: bytes) -> list[str]:
    """Engine.IO 3 as bytes: 0 (text), the length's digits as bytes of their value, 255, the packet in UTF-8."""
    packets: list[str] = []
    at = 0
    while at < len(body):
        end = body.find(_END_OF_LENGTH, at + 1, at + 2 + _MOST_DIGITS)
        digits = body[at + 1 : end] if end >= 0 else b""
        if body[at] != 0 or not digits or any(digit > 9 for digit in digits):
            raise BadPayload("a packet of text needs its length")
        length = int("".join(str(digit) for digit in digits))
        at = end + 1 + length
        if at > len(body):
            raise BadPayload("a packet is shorter than its length")
        try:
            packets.append(body[end + 1 : at].decode())
        except UnicodeDecodeError:
            raise BadPayload("not UTF-8") from None
    return packets
