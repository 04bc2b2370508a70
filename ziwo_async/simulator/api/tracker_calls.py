"""What the services of a call tracker answer (source: ZIWO developers page)."""

from __future__ import annotations

from ...verto.frames import JsonObject

__all__ = ["start_rules"]


def start_rules(did: str) -> JsonObject:
    """The answer to startCall as the page shows it: the numbers to try, each with its time limit in seconds."""
    rule = {"action": "call", "number": "0505874603", "callerID": "042789926", "timeout": 10}
    return {"didCalled": did, "rules": [rule]}
