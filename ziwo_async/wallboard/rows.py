"""Snapshots and events of the live feed as rows of the board: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import JsonValue

from ..events import Destroy, DialogEvent, Direction, Hangup
from ..models.presence import AgentStatus
from .board import Row, Rows

if TYPE_CHECKING:
    from ..live.models import LiveAgent, LiveCall, LiveQueue, LiveStats, WaitingCall

__all__ = ["agent_rows", "call_rows", "figure_rows", "queue_rows"]

_TONES = {
    AgentStatus.AVAILABLE: "good",
    AgentStatus.ON_BREAK: "rest",
    AgentStatus.MEETING: "busy",
    AgentStatus.OUTGOING: "busy",
    AgentStatus.LOGGED_OUT: "off",
}
# In FreeSWITCH's call centre a caller for whom an agent's phone rings is "Trying", and still waits.
_WAITING = frozenset({"waiting", "trying"})
# Field of `LiveStats`, title, whether it is always in sight.
_FIGURES = (
    ("sla", "Service level", True),
    ("average_waiting_time", "Average wait", True),
    ("average_speed_of_answer", "Answer speed", True),
    ("total_queue_answered_calls", "Answered", True),
    ("total_abandoned_calls", "Abandoned", True),
    ("percentage_abandoned_calls", "Abandoned %", True),
    ("total_voicemails", "Voicemails", True),
    ("total_outgoing_calls", "Outgoing", True),
    ("total_agents_on_call", "On a call", True),
    ("total_agents_logged_in", "Logged in", True),
    ("total_agents", "Agents", False),
    ("total_agents_on_available_status", "Available", False),
    ("total_agents_on_break_status", "On break", False),
    ("total_agents_on_meeting_status", "In a meeting", False),
    ("total_agents_on_outgoing_status", "Status outgoing", False),
    ("total_acd_calls", "Calls of queues", False),
    ("total_ivr_landed_calls", "Calls into the voice menu", False),
    ("total_lost_in_ivr_calls", "Lost in the voice menu", False),
    ("total_clean_calls_in", "Clean calls in", False),
    ("total_phantom_calls_in", "Phantom calls in", False),
    ("total_clean_calls_out", "Clean calls out", False),
    ("total_phantom_calls_out", "Phantom calls out", False),
    ("total_transferred_calls", "Transferred", False),
    ("answer_seizure_ratio", "Answer-seizure ratio", False),
    ("average_calls_answered_per_agent", "Answered per agent, average", False),
    ("average_abandon_time", "Time to abandon, average", False),
    ("average_inbound_handle_time", "Inbound handling, average", False),
    ("average_inbound_talk_time", "Inbound talk, average", False),
    ("average_queue_talk_time", "Talk in queue calls, average", False),
    ("average_outbound_handle_time", "Outbound handling, average", False),
    ("average_outbound_talk_time", "Outbound talk, average", False),
    ("total_inbound_talk_time", "Inbound talk, total", False),
    ("total_outbound_talk_time", "Outbound talk, total", False),
    ("total_hold_time", "Hold, total", False),
)


def agent_rows(agents: Mapping[str, LiveAgent]) -> Rows:
    """Agents with their status, and since when they have it."""
    return {
        key: {
            "name": agent.name,
            "login": agent.cc_login or "",
            "status": agent.status or "status not known",
            "state": (agent.live_info.state if agent.live_info else None) or "",
            "tone": "off" if agent.status is None else _TONES.get(agent.status, "other"),
            "since": _epoch(agent.since),
            "order": f"{agent.name.casefold()} {key}",
        }
        for key, agent in agents.items()
    }


def queue_rows(queues: Mapping[str, LiveQueue], waiting: Iterable[WaitingCall]) -> Rows:
    """Queues with how many wait, and since when the first of them does.

    Two snapshots tell of waiting calls: the queue's own, whose fields are not all known, and the list of all queue
    calls. The larger count is shown, and the earliest moment that either tells. A queue that only the list names has a
    row too.
    """
    listed: dict[str, list[datetime | None]] = {}
    titles: dict[str, str] = {}
    for call in waiting:
        if call.bridged_at is None and (call.state or "").lower() in _WAITING:
            name = _plain_queue(call.queue_name)
            titles.setdefault(name, call.queue_name or "")
            listed.setdefault(name, []).append(call.joined_at)
    rows: dict[str, Row] = {}
    for key, queue in queues.items():
        own = [call.joined_at for call in queue.waiting]
        found = listed.pop(_plain_queue(queue.name), [])
        rows[key] = _queue_row(queue.name or key, max(len(own), len(found)), [*own, *found], key)
    for name, moments in listed.items():
        rows[f"name:{name}"] = _queue_row(titles[name] or "no queue", len(moments), moments, name)
    return rows


def _queue_row(name: str, waiting: int, moments: Iterable[datetime | None], key: str) -> Row:
    known = [moment for moment in moments if moment is not None]
    return {
        "name": name,
        "waiting": waiting,
        "longest": _epoch(min(known)) if known else None,
        "order": f"{name.casefold()} {key}",
    }


def _plain_queue(name: str | None) -> str:
    """FreeSWITCH's call centre names its queues `name@domain`."""
    return (name or "").partition("@")[0].casefold()


def call_rows(calls: Mapping[str, LiveCall], flows: Mapping[str, DialogEvent], agents: Iterable[LiveAgent]) -> Rows:
    """Calls with who talks to whom, and their state flow as far as the feed told it.

    Args:
        calls: The live calls.
        flows: The last event of each call: of some that live, and of those that have just ended.
        agents: For their names.
    """
    names = {agent.cc_login: agent.name for agent in agents if agent.cc_login}
    rows: dict[str, Row] = {}
    for key in {**calls, **flows}:
        call, event = calls.get(key), flows.get(key)
        flow: list[JsonValue] = []
        if event is not None:
            flow = [{"state": str(s.state), "at": s.date_unix, "inferred": s.inferred} for s in event.state_flow]
            began = event.state_flow[0].date_unix if event.state_flow else None
        else:
            began = _epoch(call.started_at) if call is not None else None
        rows[key] = {
            "customer": _customer(call, event),
            "where": _where(call, event, names),
            "flow": flow,
            "state": (call.state if call is not None else None) or "",
            "over": isinstance(event, (Hangup, Destroy)),
            "order": f"{began or 0:017.3f} {key}",
        }
    return rows


def _customer(call: LiveCall | None, event: DialogEvent | None) -> str:
    if event is not None and event.customer_number:
        return event.customer_number
    if call is None:
        return ""
    return (call.did_called if call.direction == Direction.OUTBOUND else call.caller_number) or ""


def _where(call: LiveCall | None, event: DialogEvent | None, names: Mapping[str, str]) -> str:
    direction = event.direction if event is not None else call.direction if call is not None else None
    agent = (event.agent if event is not None else None) or (call.agent if call is not None else None)
    queue = call.queue_name if call is not None else None
    return ", ".join(str(part) for part in (direction, names.get(agent, agent) if agent else None, queue) if part)


def figure_rows(stats: LiveStats) -> Rows:
    """The figures that the server told, the important ones first."""
    rows: dict[str, Row] = {}
    for order, (field, title, main) in enumerate(_FIGURES):
        value: object = getattr(stats, field)
        if value is not None:
            rows[field] = {"name": title, "text": _figure(value), "main": main, "order": order}
    return rows


def _figure(value: object) -> str:
    if isinstance(value, timedelta):
        minutes, seconds = divmod(max(0, round(value.total_seconds())), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e6 else str(value)


def _epoch(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
