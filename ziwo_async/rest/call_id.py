"""The ids of calls, checked before one becomes a part of a file name."""

from __future__ import annotations

import re

from ..errors import BadArgument

__all__ = ["call_uuid"]

# [0-9a-fA-F] and re.ASCII by itself: no digit of another script, no braces, nothing that uuid.UUID would forgive.
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def call_uuid(call_id: str) -> str:
    """Check a `callID`, and give it back; such a text is safe as a file name on every system.

    A record of the history has two ids: the number `id`, and the UUID `callID`. Recordings and voicemails go by the
    second one (source: ZIWO docs).

    Args:
        call_id: The id.

    Raises:
        BadArgument: It is no UUID.
    """
    if isinstance(call_id, str) and _UUID.fullmatch(call_id):
        return call_id
    text = str(call_id)
    if text.isascii() and text.isdecimal():
        raise BadArgument(
            f"{text[:20]} is the number of a record; recordings want its callID, a UUID such as "
            "0d5e2c1a-7c1f-4f5e-9a53-2f8f0c9b7d11"
        )
    raise BadArgument(f"{text[:60]!r} is no callID: that is a UUID such as 0d5e2c1a-7c1f-4f5e-9a53-2f8f0c9b7d11")
