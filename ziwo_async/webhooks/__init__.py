"""What ZIWO calls: the service of a call tracker and the CDR web hook, for aiohttp and for any ASGI server."""

from __future__ import annotations

from .cdr_hook import CdrHook
from .models import Answer, EndCall, Rule, StartCall, call
from .once import Claim, MemoryOnce, OnceStore
from .once_sqlite import SqliteOnce
from .stats import HookStats
from .tracker import Decision, TrackerService

__all__ = [
    "Answer",
    "CdrHook",
    "Claim",
    "Decision",
    "EndCall",
    "HookStats",
    "MemoryOnce",
    "OnceStore",
    "Rule",
    "SqliteOnce",
    "StartCall",
    "TrackerService",
    "call",
]
