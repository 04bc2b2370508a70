"""The hooks: what the platform calls outside of itself, as ZIWO does.

A call to a number that is linked to a call tracker makes a startCall (`didCalled` as multipart form data, `X-API-KEY`,
the tracker's time limit); the rules of the answer are tried in order, and when the call is over its record is posted as
endCall. A CDR web hook, where one is set, is told every record.

    tracker = world.add_tracker("masking", startRequestURL=f"{service}/startCall", startRequestAPIKey=key)
    world.add_number("061234567", link=tracker)
    call = await world.customer("+97150000000").dials("061234567")

Only this machine is called, unless `Hooks.allowed_hosts` says otherwise. Forged, slow, repeated, broken and late
requests are made on request: `Hooks.next` for the hooks of calls, `Hooks.send` without a call.
"""

from __future__ import annotations

from .answer import Rule
from .hooks import Hooks
from .requests import HookKind, HookRequest
from .tracked import Playback, TrackedCall, TrackedState, Tried
from .variants import PLAIN, Breakage, Variant, broken, forged, late, repeated, slow

__all__ = [
    "PLAIN",
    "Breakage",
    "HookKind",
    "HookRequest",
    "Hooks",
    "Playback",
    "Rule",
    "TrackedCall",
    "TrackedState",
    "Tried",
    "Variant",
    "broken",
    "forged",
    "late",
    "repeated",
    "slow",
]
