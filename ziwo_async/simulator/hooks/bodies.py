"""What is said to the services (source: ZIWO developers page; of the CDR web hook: an integrator)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import urlencode

from ...verto.frames import JsonObject
from ..api import cdr_rows, rows
from ..history import Cdr

if TYPE_CHECKING:
    from ..numbers import SimNumber
    from ..world import World

__all__ = ["StartBody", "cdr_hook", "encode", "end_call", "test_record"]

StartBody: TypeAlias = Literal["multipart", "urlencoded", "json"]

_BOUNDARY = "------------------------ziwo0simulator0form"


def encode(fields: JsonObject, kind: StartBody) -> tuple[str, bytes]:
    """Content type and bytes of a body; in a form every field is a text."""
    if kind == "json":
        return "application/json", json.dumps(fields).encode()
    texts = {name: str(value) for name, value in fields.items()}
    if kind == "urlencoded":
        return "application/x-www-form-urlencoded", urlencode(texts).encode()
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in texts.items()
    ]
    return f"multipart/form-data; boundary={_BOUNDARY}", ("".join(parts) + f"--{_BOUNDARY}--\r\n").encode()


def cdr_hook(record: Cdr, world: World) -> JsonObject:
    """The body of the CDR web hook: the record as the history has it at this moment."""
    return {"action": "create", "content": cdr_rows.cdr(record, world)}


def end_call(record: Cdr, tracker: str, number: SimNumber | None) -> JsonObject:
    """The body of endCall: the record in the shape that the page shows, whose ids and versions are texts.

    Args:
        record: The record.
        tracker: Name of the call tracker.
        number: The number that was dialled; None: the directory does not have it.
    """
    ended, answered = record.ended_at, record.answered_at
    now = rows.iso(ended)
    made = rows.iso(ended if number is None else number.created_at)
    agent = record.agent
    return {
        "callID": record.call_id,
        "answeredRawTime": None if answered is None else int(answered),
        "hangupBy": record.hung_up_by,
        "audioQuality": "100" if answered is not None else "0",
        "duration": round(record.duration),
        "createdAt": now,
        "callerIDName": record.customer_name or record.customer,
        "recordingFile": f"{record.call_id}.mp3" if record.has_recording else None,
        "direction": record.direction,
        "updatedAt": now,
        "callerIDNumber": record.customer,
        "endRawTime": int(ended),
        "endDateTime": now,
        "holdTime": round(record.hold),
        "startRawTime": int(record.started_at),
        "callLegSide": "unknown",
        "hangupCause": record.cause,
        "disposition": cdr_rows.disposition(record),
        "agentCCLogin": "unknown" if agent is None else agent.ccLogin,
        "startDateTime": rows.iso(record.started_at),
        "answeredDateTime": None if answered is None else rows.iso(answered),
        "didCalled": record.did,
        "channelName": f"sofia/external/{record.customer}",
        "position": cdr_rows.position(record),
        "gateway": "external",
        "status": "active",
        "id": f"46:{record.id}",
        "version": "3",
        "extendedInfo": {
            "numbers": {
                "createdAt": made,
                "linkData": tracker,
                "didDisplay": record.did if number is None else number.display,
                "didCalled": record.did,
                "linkType": "callTracker",
                "did": record.did,
                "updatedAt": made,
                "status": "active",
                "id": f"19:{0 if number is None else number.id}",
                "version": "1",
            }
        },
        "callFlows": [
            {
                "callID": record.call_id,
                "transfered": record.transferred,
                "extensionName": "general_incoming",
                "createdAt": now,
                "extensionNumber": record.did,
                "step": 1,
                "hangup": True,
                "updatedAt": now,
                "status": "active",
                "id": f"50:{record.id}",
                "version": "2",
            }
        ],
    }


def test_record(call_id: str, did: str, now: float) -> Cdr:
    """The dummy call of the test: it ends now, was answered 16 s ago and began 28 s ago, as in the page's example."""
    return Cdr(
        id=1,
        call_id=call_id,
        direction="inbound",
        result="answered",
        started_at=now - 28,
        answered_at=now - 16,
        ended_at=now,
        customer="044508146",
        customer_name="044508146",
        did=did,
        agent=None,
        agents=(),
        queue=None,
        rang_at=now - 28,
        hold=0.0,
        cause="NORMAL_CLEARING",
        hung_up_by="originatee",
        voicemail=False,
        recording_seconds=16.0,
        recording_ready=True,
        position="0505874603",
    )
