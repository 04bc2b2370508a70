"""Ways of asking a service that are not the usual one: forged, slow, repeated, broken, out of order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["PLAIN", "Breakage", "Variant", "broken", "forged", "late", "repeated", "slow"]

Breakage: TypeAlias = Literal["garbage", "empty", "truncated", "huge", "deep", "type"]

_GARBAGE = b'\x00\xff{"callID": "half an obje'
_DEPTH = 100_000
_HUGE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """How one request differs from the one that ZIWO sends; made by the functions of this module.

    Attributes:
        name: What it is called in `HookRequest.variant`.
        keys: Values of the `X-API-KEY` headers, one header each; None: the key that is set.
        copies: How many times it is sent.
        apart: Seconds from one copy to the next; 0: all at once.
        wait: Seconds from the headers to the body.
        piece: The body is sent in pieces of so many bytes; None: whole.
        pause: Seconds between two pieces.
        body: Sent instead of the right body; None: the right one.
        content_type: Said of the body; None: the right one.
        padding: Length in bytes of a text `padding` that is added to the fields.
        cut: The connection's sending side ends in the middle of the body.
        after_end: A startCall is sent when the call's endCall has been answered.
        genuine: ZIWO could have sent it: the tracker's log has it.
    """

    name: str = "plain"
    keys: tuple[bytes, ...] | None = None
    copies: int = 1
    apart: float = 0.0
    wait: float = 0.0
    piece: int | None = None
    pause: float = 0.0
    body: bytes | None = None
    content_type: str | None = None
    padding: int = 0
    cut: bool = False
    after_end: bool = False
    genuine: bool = True


PLAIN = Variant()
"""As ZIWO sends it."""


def forged(*keys: str | bytes) -> Variant:
    """Somebody who does not know the key.

    Args:
        keys: The values of the `X-API-KEY` headers: none for a request without the header, several for one with
            several. Bytes are sent as they are, for keys that are no text.

    Raises:
        ValueError: A key has a line break in it.
    """
    values = tuple(key if isinstance(key, bytes) else key.encode() for key in keys)
    if any(set(value) & {0, 10, 13} for value in values):  # NUL, LF, CR
        raise ValueError("a header has no line breaks and no NUL in it")
    return Variant(name="forged", keys=values, genuine=False)


def slow(*, wait: float = 0.0, piece: int | None = None, pause: float = 0.0) -> Variant:
    """A slow body; ZIWO's time limit counts all the same.

    Args:
        wait: Seconds from the headers to the body.
        piece: The body dribbles in pieces of so many bytes; None: it comes whole.
        pause: Seconds between two pieces.
    """
    return Variant(name="slow", wait=wait, piece=piece, pause=pause)


def repeated(times: int = 2, *, apart: float = 0.0) -> Variant:
    """The same request several times; the call goes by the answer to the first.

    Args:
        times: How many times.
        apart: Seconds from one to the next; 0: all at once, each on its own connection.
    """
    return Variant(name="repeated", copies=times, apart=apart)


def broken(how: Breakage = "garbage", *, size: int = _HUGE) -> Variant:
    """A request that is wrong in itself, with the right key.

    Args:
        how: `garbage`: the body is neither a form nor JSON; `empty`: there is none; `truncated`: the sender stops in
            the middle of it; `huge`: a field of `size` bytes is added; `deep`: JSON of 100 000 lists in each other;
            `type`: the right body is said to be `application/octet-stream`.
        size: Bytes of a huge field.
    """
    name = f"broken: {how}"
    if how == "garbage":
        return Variant(name=name, body=_GARBAGE, genuine=False)
    if how == "empty":
        return Variant(name=name, body=b"", genuine=False)
    if how == "truncated":
        return Variant(name=name, cut=True, genuine=False)
    if how == "huge":
        return Variant(name=name, padding=size, genuine=False)
    if how == "deep":
        return Variant(name=name, body=b"[" * _DEPTH, content_type="application/json", genuine=False)
    return Variant(name=name, content_type="application/octet-stream", genuine=False)


def late() -> Variant:
    """Out of order: the startCall of a call is sent when its endCall has been answered.

    Until then the caller waits for it, no longer than the tracker's time limit.
    """
    return Variant(name="late", after_end=True)
