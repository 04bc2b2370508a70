"""The record of a call as the API writes it (source: ZIWO's Android SDK, developers page, integrators)."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from ...verto.frames import JsonObject
from . import rows

if TYPE_CHECKING:
    from ..history import Cdr
    from ..people import SimAgent
    from ..world import World

__all__ = ["cdr", "disposition", "live_call", "position"]

_DISPOSITIONS = {"answered": "ANSWER", "no-answer": "NOANSWER", "cancel": "CANCEL", "busy": "BUSY"}


def disposition(record: Cdr) -> str:
    """The result in the switch's words."""
    return _DISPOSITIONS.get(record.result, "FAILED")


def position(record: Cdr) -> str | None:
    """What answered, or rang last: an agent's web phone, or a number outside."""
    return record.position or (None if record.agent is None else record.agent.position)


def cdr(record: Cdr, world: World, datasets: Collection[str] = ()) -> JsonObject:
    """A record.

    Args:
        record: The record.
        world: Whose numbers it is about.
        datasets: Members that are only there when they are asked for: tags, notes, customer, agent.
    """
    row: JsonObject = {
        "id": record.id,
        "callID": record.call_id,
        "direction": record.direction,
        "result": record.result,
        "disposition": disposition(record),
        "hangupCause": record.cause,
        "hangupBy": record.hung_up_by,
        **_times(record),
        **_parties(record, world),
        **_queue(record),
        "voicemail": record.voicemail,
        "recordingFile": f"{record.call_id}.mp3" if record.has_recording else None,
        "lostInIVR": False,
        "nonWorkingHours": False,
        "nonFCRRepeats": 0,
        "flags": 0,
        "audioQuality": 100 if record.answered_at is not None else 0,
        "ivrFile": None,
        "ivrTime": None,
        "emotions": None,
        "status": "active",
        "createdAt": rows.iso(record.ended_at),
        "updatedAt": rows.iso(record.ended_at),
        "version": 1,
        "extendedInfo": _extended(record, world),
        **_datasets(record, world, datasets),
    }
    return {**row, **(record.overrides or {})}


_NOT_YET = frozenset(
    {
        *("endedAt", "endDateTime", "endRawTime", "duration", "talkTime", "ringTime"),
        *("queueWaitTime", "queueTalkTime", "agentWaitTime"),
    }
)


def live_call(record: Cdr, world: World) -> JsonObject:
    """A call that is not over, by what its record will say: all but what only its end tells."""
    row: JsonObject = {
        "callID": record.call_id,
        "direction": record.direction,
        **_times(record),
        **_parties(record, world),
        **_queue(record),
    }
    return {name: value for name, value in row.items() if name not in _NOT_YET}


def _times(record: Cdr) -> JsonObject:
    """Each time in three spellings; whole seconds, as a PBX counts them."""
    found: JsonObject = {}
    for name, at in (("start", record.started_at), ("answered", record.answered_at), ("end", record.ended_at)):
        stamp = None if at is None else rows.iso(at)
        past = {"start": "started", "end": "ended"}.get(name, name)
        found[f"{past}At"] = stamp
        found[f"{name}DateTime"] = stamp
        found[f"{name}RawTime"] = None if at is None else int(at)
    return {
        **found,
        "duration": round(record.duration),
        "talkTime": round(record.talk),
        "ringTime": round(record.ring),
        "holdTime": round(record.hold),
    }


def _parties(record: Cdr, world: World) -> JsonObject:
    agent = record.agent
    caller, name = record.customer, record.customer_name
    if record.direction == "outbound":
        # Here the caller is the contact centre's own number; the customer is in didCalled and channelName.
        caller = name = world.did_of()
    elif record.direction != "inbound" and agent is not None:
        caller, name = agent.ccLogin, f"{agent.first_name} {agent.last_name}"
    dialled = record.did or (record.customer if record.direction == "outbound" else "")
    channel = f"sofia/external/{caller}" if record.direction == "inbound" else f"verto.rtc/{dialled}"
    number = world.number(record.did)
    rang = None if record.rang_at is None or agent is None else rows.iso(record.rang_at)
    return {
        "callerIDName": name or None,
        "callerIDNumber": caller or None,
        "didCalled": dialled or None,
        "channelName": channel,
        "gateway": "external" if record.direction in ("inbound", "outbound") else None,
        "numberId": None if number is None else number.id,
        "agentId": None if agent is None else agent.id,
        "agentCCLogin": "unknown" if agent is None else agent.ccLogin,
        "agentRingStartedAt": rang,
        "agentRingStartDateTime": rang,
        "position": position(record),
        "positionId": None if agent is None else agent.id,
        "otherSideUserId": _other_side(record),
        "customerId": _customer_id(record, world),
    }


def _other_side(record: Cdr) -> int | None:
    others = [agent for agent in record.agents if agent is not record.agent]
    return others[-1].id if record.direction == "internal" and others else None


def _customer_id(record: Cdr, world: World) -> str | None:
    found = _known(record, world)
    return None if found is None else str(found["id"])


def _known(record: Cdr, world: World) -> JsonObject | None:
    known = world.records.of_phone(record.customer)
    return None if known is None else rows.customer(known)


def _queue(record: Cdr) -> JsonObject:
    queue = record.queue
    entered = None if queue is None else rows.iso(record.started_at)
    answered = None if queue is None or record.answered_at is None else rows.iso(record.answered_at)
    return {
        "queueId": None if queue is None else queue.id,
        "queueName": None if queue is None else queue.name,
        "queueEnteredAt": entered,
        "queueEnterDateTime": entered,
        "queueAnsweredAt": answered,
        "queueAnsweredDateTime": answered,
        "queueWaitTime": 0 if queue is None else round(record.wait),
        "queueTalkTime": 0 if queue is None else round(record.talk),
        "agentWaitTime": 0 if queue is None else round(record.wait - record.ring),
    }


def _extended(record: Cdr, world: World) -> JsonObject:
    """Snapshots of who and what took part. As on real servers, agents are there with their `ccPassword`."""
    agent, number, queue = record.agent, world.number(record.did), record.queue
    position = None
    if agent is not None:
        position = {
            "id": agent.id,
            "name": agent.position,
            "type": "verto",
            "connected": agent.connected,
            "agent": _leaked(agent),
        }
    return {
        "agents": None if agent is None else _leaked(agent),
        "numbers": None if number is None else rows.number(number),
        "positions": position,
        "queues": None
        if queue is None
        else {**rows.queue(queue), "agents": [_leaked(served) for served in queue.agents]},
    }


def _leaked(agent: SimAgent) -> JsonObject:
    return {**rows.agent_short(agent), "ccPassword": agent.cc_password, "liveInfo": rows.live_info(agent)}


def _datasets(record: Cdr, world: World, datasets: Collection[str]) -> JsonObject:
    found: JsonObject = {}
    if "tags" in datasets:
        found["tags"] = [{"id": index, "name": name} for index, name in enumerate(record.tags, 1)]
    if "notes" in datasets:
        found["notes"] = [{"id": index, "content": text} for index, text in enumerate(record.notes, 1)]
    if "customer" in datasets:
        found["customer"] = _known(record, world)
    if "agent" in datasets:
        found["agent"] = None if record.agent is None else rows.agent_short(record.agent)
    return found
