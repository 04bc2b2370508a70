"""Floor: the differences between snapshots, as events. Pure: snapshots and the time in, events out.

A snapshot is the full state at one moment. What lies between two of them was not seen, and is not made up:

| event | told when | not known |
|---|---|---|
| `AgentStatusChanged` | the status differs from the last one seen, also over a gap | what came and went between |
| `QueueCallWaiting` | a row of the queues is there, and no agent has the call | waits shorter than the pace |
| `QueueCallAnswered` | its row says so (`bridgeEPOCH`, `Answered`), or the CDR | |
| the same, inferred | the row is gone; the live calls have it with an agent | |
| `QueueCallAbandoned` | its row says so (`Abandoned`), or the CDR | |
| the same, inferred | its row and the call went while we watched | an answer shorter than the pace |
| neither of the two | the row went in a gap, and nothing else tells | which of the two it was |
| `CallRecorded` | the server tells of a new CDR | those of a gap: the history has them |
| `Ringing`, `Early`, ... | a live call has an agent, a direction, and a known word | what lay between two snapshots |
| the same, inferred | no word, but the time of the answer, or of the agent's ring | |
| `Requesting`, inferred | a call out without a word and without an answer | `trying`, `early` |
| `Hangup`, `Destroy` | the CDR was told, or the row's word says so | cause, unless the CDR has it; by whom |
| the same, inferred | the call is gone from the live calls | cause; by whom |
| nothing | `liveInfo.state`: its words are not documented | |

"The pace" is how often the server pushes; what begins and ends between two pushes is not seen.
Of each call there is at most one of each, however often snapshots are lost, late or doubled.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import JsonValue

from ..events import (
    STATE_EVENTS,
    AgentStatusChanged,
    CallData,
    CallRecorded,
    DialogState,
    Direction,
    Event,
    QueueCallAbandoned,
    QueueCallAnswered,
    QueueCallWaiting,
    StateFlowItem,
)
from ..models.presence import AgentStatus
from .dialogs import HANGING_UP, customer_of, may_follow, state_of
from .models import EndedCall, LiveAgent, LiveCall, WaitingCall
from .told import Said, Told

__all__ = ["Floor"]

_MOST_VANISHED = 10_000
_MOST_ABSENT = 10_000
_STILL_WAITS = frozenset({"", "waiting", "trying"})
_FLOW = 64

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(slots=True)
class _Dialog:
    data: CallData
    flow: tuple[StateFlowItem, ...] = ()
    hung_up: bool = False

    @property
    def state(self) -> DialogState | None:
        return self.flow[-1].state if self.flow else None


@dataclass(slots=True)
class _Vanished:
    """A call that waited and whose row is gone.

    Attributes:
        row: The last row of it.
        watched: Whether we were connected all the time in which it went.
    """

    row: WaitingCall
    watched: bool


class Floor:
    """Turns snapshots into events; give it each as it comes, and `gap()` after each loss of the connection."""

    def __init__(self, told: Told | None = None) -> None:
        """Know nothing.

        Args:
            told: The memory of what was told.
        """
        self._told = told if told is not None else Told()
        self._agents: Mapping[str, LiveAgent] | None = None
        self._statuses: OrderedDict[str, AgentStatus] = OrderedDict()
        self._queued: dict[str, WaitingCall] = {}
        self._vanished: OrderedDict[str, _Vanished] = OrderedDict()
        self._live: Mapping[str, LiveCall] = {}
        self._seen_waiting: set[str] = set()
        self._dialogs: dict[str, _Dialog] = {}
        self._gap = False

    def gap(self) -> None:
        """The connection was lost: what happens from now to the next snapshot is not seen."""
        self._gap = True
        for call in self._vanished.values():
            call.watched = False
        self._seen_waiting.clear()

    # -- agents ----------------------------------------------------------------

    def agents(self, snapshot: Mapping[str, LiveAgent]) -> list[Event]:
        """Take the agents.

        Args:
            snapshot: All agents by id.
        """
        before, self._agents = self._agents, snapshot
        found: list[Event] = []
        for key, agent in snapshot.items():
            if before is not None and before.get(key) is agent:
                continue
            # An agent that was left out, or had no status, keeps the last one that was told.
            if agent.status is None or (last := self._statuses.get(key)) == agent.status:
                continue
            _remember(self._statuses, key, agent.status, len(snapshot) + _MOST_ABSENT)
            if before is not None:
                found.append(
                    AgentStatusChanged(
                        agent=key,
                        cc_login=agent.cc_login,
                        name=agent.name,
                        status=str(agent.status),
                        before=None if last is None else str(last),
                        since=agent.since,
                    )
                )
        return found

    # -- queues ----------------------------------------------------------------

    def queue_calls(self, rows: Sequence[WaitingCall], at: float) -> list[Event]:
        """Take the calls of the queues.

        Args:
            rows: All of them.
            at: When they came, in seconds since the epoch.
        """
        found: list[Event] = []
        present: set[str] = set()
        for row in rows:
            present.add(row.call_id)
            self._vanished.pop(row.call_id, None)
            word = (row.state or "").lower()
            said = self._told.of(row.call_id)
            if row.bridged_at is not None or word == "answered":
                found += self._answered(row, row.agent, at, inferred=False)
            elif word == "abandoned":
                found += self._abandoned(row, at, inferred=False)
            elif word in _STILL_WAITS and not said & (Said.OUTCOME | Said.RECORDED):
                self._queued[row.call_id] = row
                if self._told.once(row.call_id, Said.WAITING):
                    found.append(QueueCallWaiting(**_of_queue(row), waited_seconds=_waited(row, at)))
        for call_id in [known for known in self._queued if known not in present]:
            row = self._queued.pop(call_id)
            _remember(self._vanished, call_id, _Vanished(row, watched=not self._gap), _MOST_VANISHED)
            if self._told.of(call_id) & Said.RECORDED:
                found += self._settle(call_id, at, over=True)
            else:
                found += self._settle(call_id, at, over=False)
        self._gap = False
        return found

    def _settle(self, call_id: str, at: float, *, over: bool) -> Iterator[Event]:
        """Tell what became of a call that is gone from the queue, if it can be told."""
        gone = self._vanished.get(call_id)
        if gone is None:
            return
        live = self._live.get(call_id)
        state = None if live is None else state_of(live)
        if live is not None and state is not None and state[0] in (DialogState.ACTIVE, DialogState.HELD):
            yield from self._answered(gone.row, live.agent, at, inferred=True)
        elif over and gone.watched:
            yield from self._abandoned(gone.row, at, inferred=True)

    def _answered(self, row: WaitingCall, agent: str | None, at: float, *, inferred: bool) -> Iterator[Event]:
        self._forget(row.call_id)
        if self._told.once(row.call_id, Said.OUTCOME):
            end = row.bridged_at.timestamp() if row.bridged_at is not None else at
            waited = _waited(row, end)
            yield QueueCallAnswered(**_of_queue(row), agent=agent, waited_seconds=waited, inferred=inferred)

    def _abandoned(self, row: WaitingCall, at: float, *, inferred: bool) -> Iterator[Event]:
        self._forget(row.call_id)
        if self._told.once(row.call_id, Said.OUTCOME):
            yield QueueCallAbandoned(**_of_queue(row), waited_seconds=_waited(row, at), inferred=inferred)

    def _forget(self, call_id: str) -> None:
        self._queued.pop(call_id, None)
        self._vanished.pop(call_id, None)
        self._seen_waiting.discard(call_id)

    # -- live calls ------------------------------------------------------------

    def calls(self, snapshot: Mapping[str, LiveCall], at: float) -> list[Event]:
        """Take the live calls.

        Args:
            snapshot: All of them, by whatever they are keyed.
            at: When they came, in seconds since the epoch.
        """
        live = {row.call_id: row for row in snapshot.values()}
        before, self._live = self._live, live
        found: list[Event] = []
        for call_id, row in live.items():
            if before.get(call_id) is not row:
                found += self._look(row, at)
            if call_id in self._queued or call_id in self._vanished:
                self._seen_waiting.add(call_id)
        for call_id in [known for known in self._dialogs if known not in live]:
            found += self._end(call_id, at, inferred=True, cdr=None)
        for call_id in list(self._vanished):
            # That it is over is known only of a call that the live calls had: they may not have those that wait.
            found += self._settle(call_id, at, over=call_id not in live and call_id in self._seen_waiting)
        if len(self._seen_waiting) > len(self._queued) + len(self._vanished):
            self._seen_waiting &= self._queued.keys() | self._vanished.keys()
        return found

    def _look(self, row: LiveCall, at: float) -> Iterator[Event]:
        if self._told.of(row.call_id) & (Said.DIALOG_OVER | Said.RECORDED):
            return
        dialog = self._dialogs.get(row.call_id)
        if (row.state or "").lower() in HANGING_UP:
            if dialog is not None:
                yield from self._end(row.call_id, at, inferred=False, cdr=None)
            return
        state = state_of(row)
        if state is None:
            return
        if dialog is not None:
            # Its end is told with what is known last: it may be at another agent by then.
            dialog.data = _data(row)
        if not may_follow(dialog.state if dialog is not None else None, state[0]):
            return
        if dialog is None:
            dialog = self._dialogs[row.call_id] = _Dialog(_data(row))
        yield _step(dialog, state[0], at, inferred=state[1])

    def _end(self, call_id: str, at: float, *, inferred: bool, cdr: EndedCall | None) -> Iterator[Event]:
        dialog = self._dialogs.pop(call_id, None)
        if dialog is None or not self._told.once(call_id, Said.DIALOG_OVER):
            return
        facts: Mapping[str, JsonValue] = (cdr.model_extra or {}) if cdr is not None else {}
        cause = facts.get("hangupCause")
        dialog.data = dialog.data.model_copy(update={"hangup_cause": cause if isinstance(cause, str) else None})
        yield _step(dialog, DialogState.HANGUP, at, inferred=inferred)
        yield _step(dialog, DialogState.DESTROY, at, inferred=inferred)

    # -- the history -----------------------------------------------------------

    def recorded(self, call: EndedCall, at: float) -> list[Event]:
        """Take a call that has ended.

        Args:
            call: What the server told of it.
            at: When, in seconds since the epoch.

        Returns:
            Events; none when the call was told before.
        """
        if not self._told.once(call.call_id, Said.RECORDED):
            return []
        found = list(self._end(call.call_id, at, inferred=False, cdr=call))
        waited = self._queued.get(call.call_id)
        gone = self._vanished.get(call.call_id)
        row = waited if waited is not None else gone.row if gone is not None else None
        if row is not None:
            found += self._outcome(call, row, at)
        found.append(CallRecorded(call_id=call.call_id, cdr=call.model_dump(mode="json", by_alias=True)))
        return found

    def _outcome(self, call: EndedCall, row: WaitingCall, at: float) -> Iterator[Event]:
        """What the CDR says about the wait; a CDR that has no such fields says nothing."""
        facts: dict[str, JsonValue] = dict(call.model_extra or {})
        keys = [key for key in ("queueAnsweredAt", "queueAnsweredDateTime") if key in facts]
        agent = facts.get("agentCCLogin")
        if any(facts[key] for key in keys):
            named = agent if isinstance(agent, str) and agent != "unknown" else row.agent
            yield from self._answered(row, named, at, inferred=False)
        elif keys:
            yield from self._abandoned(row, at, inferred=False)
        else:
            yield from self._settle(call.call_id, at, over=True)


def _remember(memory: OrderedDict[_K, _V], key: _K, value: _V, most: int) -> None:
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > most:
        memory.popitem(last=False)


def _of_queue(row: WaitingCall) -> dict[str, Any]:
    return {"queue": row.queue_name or "", "call_id": row.call_id, "caller_number": row.caller_id or ""}


def _waited(row: WaitingCall, until: float) -> float | None:
    """By the server's clock at one end, and perhaps by ours at the other."""
    return None if row.joined_at is None else round(max(0.0, until - row.joined_at.timestamp()), 3)


def _data(row: LiveCall) -> CallData:
    agent: dict[str, Any] = {"agentCCLogin": row.agent}
    return CallData(
        call_id=row.call_id,
        primary_call_id=row.primary_call_id or row.call_id,
        direction=row.direction or Direction.INTERNAL,
        customer_number=customer_of(row),
        caller_id_name=row.caller_name or "",
        caller_id_number=row.caller_number or "",
        callee_id_number=row.did_called or "",
        source="live",
        **agent,
    )


def _step(dialog: _Dialog, state: DialogState, at: float, *, inferred: bool) -> Event:
    # A call that is put on hold all day must not grow: the beginning and the latest steps are kept.
    kept = dialog.flow if len(dialog.flow) < _FLOW else (dialog.flow[0], *dialog.flow[2:])
    dialog.flow = (*kept, StateFlowItem.at(state, at, inferred=inferred))
    data = dialog.data
    return STATE_EVENTS[state](
        state=state,
        call_id=data.call_id,
        primary_call_id=data.primary_call_id,
        customer_number=data.customer_number,
        direction=data.direction,
        state_flow=dialog.flow,
        current_call=data,
    )
