"""The numbers of the day, counted call by call, and the KPIs made of them.

ZIWO documents the names of the KPIs only; what each means here is said in `kpis`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ...verto.frames import JsonObject

if TYPE_CHECKING:
    from ..history import Cdr
    from ..people import SimAgent
    from ..world import World

__all__ = ["Day", "Totals", "kpis"]

_PHANTOM = 5.0
"""A call that is over within so many seconds without an answer is a phantom."""

_IN_TIME = 20.0
"""Seconds within which a call of a queue has to be answered for the SLA."""


@dataclass(slots=True)
class Totals:
    """Some calls, counted. Times are sums of seconds."""

    calls: int = 0
    answered: int = 0
    unanswered: int = 0
    voicemails: int = 0
    phantoms: int = 0
    transferred: int = 0
    of_queues: int = 0
    queue_answered: int = 0
    in_time: int = 0
    duration: float = 0.0
    wait: float = 0.0
    wait_answered: float = 0.0
    wait_unanswered: float = 0.0
    talk: float = 0.0
    queue_talk: float = 0.0
    hold: float = 0.0

    def add(self, cdr: Cdr) -> None:
        """Count a call."""
        self.calls += 1
        self.duration += cdr.duration
        self.wait += cdr.wait
        self.talk += cdr.talk
        self.hold += cdr.hold
        self.voicemails += cdr.voicemail
        self.transferred += cdr.transferred
        self.of_queues += cdr.queue is not None
        if cdr.answered_at is None:
            self.unanswered += 1
            self.wait_unanswered += cdr.wait
            self.phantoms += cdr.duration < _PHANTOM
            return
        self.answered += 1
        self.wait_answered += cdr.wait
        if cdr.queue is not None:
            self.queue_answered += 1
            self.queue_talk += cdr.talk
            self.in_time += cdr.wait <= _IN_TIME


class Day:
    """The calls that began today (UTC) and are over. A record that is deleted later stays counted.

    Attributes:
        by_direction: By kind of call.
        by_agent: The inbound calls of each agent.
        by_queue: The calls of each queue.
        last: The newest answered call of each agent.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._midnight = 0.0
        self.by_direction: dict[str, Totals] = {}
        self.by_agent: dict[int, Totals] = {}
        self.by_queue: dict[int, Totals] = {}
        self.last: dict[int, Cdr] = {}

    def begin(self) -> None:
        """Count from the beginning, out of the history."""
        self._midnight = self._today()
        for counts in (self.by_direction, self.by_agent, self.by_queue):
            counts.clear()
        self.last.clear()
        for cdr in self._world.history:
            self._count(cdr)

    def add(self, cdr: Cdr) -> None:
        """Another call is over, and in the history."""
        if not self.look():
            self._count(cdr)

    def look(self) -> bool:
        """Begin again when it is another day; gives whether it is."""
        if self._today() == self._midnight:
            return False
        self.begin()
        return True

    def totals(self, direction: str) -> Totals:
        """The calls of one kind."""
        return self.by_direction.get(direction) or Totals()

    def _today(self) -> float:
        now = datetime.fromtimestamp(self._world.now(), UTC)
        return now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()

    def _count(self, cdr: Cdr) -> None:
        if cdr.started_at < self._midnight:
            return
        self.by_direction.setdefault(cdr.direction, Totals()).add(cdr)
        if cdr.queue is not None:
            self.by_queue.setdefault(cdr.queue.id, Totals()).add(cdr)
        if cdr.agent is None:
            return
        if cdr.direction == "inbound":
            self.by_agent.setdefault(cdr.agent.id, Totals()).add(cdr)
        if cdr.answered_at is not None:
            self.last[cdr.agent.id] = cdr


def _mean(total: float, count: int) -> int:
    return round(total / count) if count else 0


def _percent(part: int, whole: int, otherwise: float = 0.0) -> float:
    return round(100 * part / whole, 2) if whole else otherwise


def kpis(day: Day, agents: Iterable[SimAgent], talking: Iterable[SimAgent], behaviours: dict[str, str]) -> JsonObject:
    """The content of `GET /live/stats` (names: ZIWO Manager app). Seconds are whole, percentages have two decimals.

    Calls are today's that are over, agents are as they are now. In the simulator: clean calls are those that are no
    phantoms, abandoned ones those of customers whom nobody answered, ACD calls those of queues. The SLA is the share of
    the ACD calls answered within 20 s (100 when there was none), the answer-seizure ratio that of outgoing calls that
    were answered; the average per agent is over those who answered any. A talk includes its holds, and as there is no
    wrap-up time a call is handled as long as it is talked on. There is no IVR, so nobody lands or is lost in one.

    Args:
        day: The counts.
        agents: All agents.
        talking: Those who are connected with somebody.
        behaviours: What each status means, by its name.
    """
    people = list(agents)
    means = [behaviours.get(agent.status, "") for agent in people]
    inbound, outbound = day.totals("inbound"), day.totals("outbound")
    every = list(day.by_direction.values())
    busy = sum(totals.answered > 0 for totals in day.by_agent.values())
    return {
        "SLA": _percent(inbound.in_time, inbound.of_queues, 100.0),
        "totalACDCalls": inbound.of_queues,
        "totalIVRLandedCalls": 0,
        "totalLostInIVRCalls": 0,
        "totalCleanCallsIn": inbound.calls - inbound.phantoms,
        "totalPhantomCallsIn": inbound.phantoms,
        "totalTransferredCalls": sum(totals.transferred for totals in every),
        "totalAbandonedCalls": inbound.unanswered,
        "percentageAbandonedCalls": _percent(inbound.unanswered, inbound.calls),
        "totalVoicemails": inbound.voicemails,
        "totalQueueAnsweredCalls": inbound.queue_answered,
        "answerSeizureRatio": _percent(outbound.answered, outbound.calls),
        "averageCallsAnsweredPerAgent": round(inbound.answered / busy, 2) if busy else 0,
        "averageWaitingTime": _mean(inbound.wait, inbound.calls),
        "averageAbandonTime": _mean(inbound.wait_unanswered, inbound.unanswered),
        "averageInboundHandleTime": _mean(inbound.talk, inbound.answered),
        "averageInboundTalkTime": _mean(inbound.talk, inbound.answered),
        "averageSpeedOfAnswer": _mean(inbound.wait_answered, inbound.answered),
        "averageQueueTalkTime": _mean(inbound.queue_talk, inbound.queue_answered),
        "totalInboundTalkTime": round(inbound.talk),
        "totalOutgoingCalls": outbound.calls,
        "totalCleanCallsOut": outbound.calls - outbound.phantoms,
        "totalPhantomCallsOut": outbound.phantoms,
        "averageOutboundHandleTime": _mean(outbound.talk, outbound.answered),
        "averageOutboundTalkTime": _mean(outbound.talk, outbound.answered),
        "totalOutboundTalkTime": round(outbound.talk),
        "totalAgentsLoggedIn": sum(meaning != "logged-out" for meaning in means),
        "totalAgentsOnCall": len(set(talking)),
        "totalAgentsOnAvailableStatus": means.count("available"),
        "totalAgentsOnBreakStatus": means.count("break"),
        "totalAgentsOnMeetingStatus": means.count("meeting"),
        "totalAgentsOnOutgoingStatus": means.count("outgoing"),
        "totalHoldTime": round(sum(totals.hold for totals in every)),
        "totalAgents": len(people),
    }
