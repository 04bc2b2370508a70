"""What ZIWO calls: the service of a call tracker and the CDR web hook, for aiohttp and for any ASGI server."""

from __future__ import annotations

from .cdr_hook import CdrHook
from .masking import Mask, MaskingTable, Pair
from .models import Answer, EndCall, Rule, StartCall, call
from .once import Claim, MemoryOnce, OnceStore
from .once_sqlite import SqliteOnce
from .rehearsal import is_rehearsal
from .stats import HookStats
from .tracker import Decision, TrackerService
from .tracking import CampaignNumbers, SourceCounts

__all__ = [
    "Answer",
    "CampaignNumbers",
    "CdrHook",
    "Claim",
    "Decision",
    "EndCall",
    "HookStats",
    "Mask",
    "MaskingTable",
    "MemoryOnce",
    "OnceStore",
    "Pair",
    "Rule",
    "SourceCounts",
    "SqliteOnce",
    "StartCall",
    "TrackerService",
    "call",
    "is_rehearsal",
]
