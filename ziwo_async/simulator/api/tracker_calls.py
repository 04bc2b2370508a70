"""What is said to the services of a call tracker, and what they answer (source: ZIWO developers page)."""

from __future__ import annotations

from ...verto.frames import JsonObject
from .rows import iso

__all__ = ["end_request", "start_rules"]


def start_rules(did: str) -> JsonObject:
    """The answer to startCall as the page shows it: the numbers to try, each with its time limit in seconds."""
    rule = {"action": "call", "number": "0505874603", "callerID": "042789926", "timeout": 10}
    return {"didCalled": did, "rules": [rule]}


def end_request(call_id: str, did: str, tracker: str, now: float) -> JsonObject:
    """The body of endCall for a dummy call that ends now, was answered 16 s ago and began 28 s ago.

    Args:
        call_id: Its UUID.
        did: The number that was dialled.
        tracker: Name of the call tracker.
        now: Seconds since the epoch.
    """
    started, answered = now - 28, now - 16
    stamp = {"createdAt": iso(now), "updatedAt": iso(now), "status": "active"}
    return {
        "id": "1:1",
        "version": "1",
        **stamp,
        "callID": call_id,
        "direction": "inbound",
        "disposition": "ANSWER",
        "hangupCause": "NORMAL_CLEARING",
        "hangupBy": "originatee",
        "callLegSide": "unknown",
        "callerIDName": "044508146",
        "callerIDNumber": "044508146",
        "didCalled": did,
        "channelName": "sofia/internal/044508146",
        "gateway": "external",
        "position": "0505874603",
        "agentCCLogin": "unknown",
        "audioQuality": "100",
        "duration": 28,
        "holdTime": 0,
        "startRawTime": int(started),
        "answeredRawTime": int(answered),
        "endRawTime": int(now),
        "startDateTime": iso(started),
        "answeredDateTime": iso(answered),
        "endDateTime": iso(now),
        "recordingFile": f"{call_id}.mp3",
        "extendedInfo": {
            "numbers": {
                "id": "1:1",
                "version": "1",
                **stamp,
                "did": did,
                "didCalled": did,
                "didDisplay": did,
                "linkType": "callTracker",
                "linkData": tracker,
            }
        },
        "callFlows": [
            {
                "id": "1:1",
                "version": "1",
                **stamp,
                "callID": call_id,
                "step": 1,
                "extensionName": "general_incoming",
                "extensionNumber": did,
                "transfered": False,
                "hangup": True,
            }
        ],
    }
