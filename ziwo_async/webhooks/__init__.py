"""What ZIWO calls: the service of a call tracker and the CDR web hook, for aiohttp and for any ASGI server."""

from __future__ import annotations

from .models import Answer, EndCall, Rule, StartCall, call
from .once import Claim, MemoryOnce, OnceStore
from .stats import HookStats
from .tracker import Decision, TrackerService

__all__ = [
    "Answer",
    "Claim",
    "Decision",
    "EndCall",
    "HookStats",
    "MemoryOnce",
    "OnceStore",
    "Rule",
    "StartCall",
    "TrackerService",
    "call",
]
