"""A day of 500 agents in virtual time through the whole live feed, with 50 cuts: everything is told once, and is true.

The day is the simulator's own (`tests/simulator/live`). Only the wire is missing: the supervisor connects to the hub in
memory, so that payload reader, models, floor, lanes and handlers are what runs over sockets, too.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

import pytest
from pydantic import JsonValue, SecretStr

from ziwo_async import (
    Active,
    AgentStatusChanged,
    CallEvent,
    CallRecorded,
    Destroy,
    Event,
    FloorEvent,
    HandlerFailed,
    Hangup,
    LiveFeed,
    LiveLost,
    LiveRestored,
    QueueCallAbandoned,
    QueueCallAnswered,
    QueueCallWaiting,
    ReconnectPolicy,
    Router,
)
from ziwo_async.errors import ConnectionLost
from ziwo_async.live.routes import FLOOR, is_asked
from ziwo_async.live.socket import Address, Listener, Loss, Protocols
from ziwo_async.simulator import Cdr, Clock, ServerOptions, SimAgent, Simulator, World
from ziwo_async.simulator.live import Hub, Member
from ziwo_async.testing import VirtualLoop, run_virtual

from ..simulator.live.test_day import AGENTS, DAY, Day

CALLS = 300
CUTS = 50
PACE = 15.0
"""Seconds between two pushes of the hub: all 500 agents each time."""

OfCall: TypeAlias = Active | Hangup | Destroy | CallRecorded | QueueCallWaiting | QueueCallAnswered | QueueCallAbandoned


@dataclass
class Line:
    """A live socket without a wire: one member of the hub, from joining to leaving."""

    member: Member
    protocol: Protocols = 4
    loss: Loss = field(default_factory=Loss)
    emitted: list[str] = field(default_factory=list[str])

    async def emit(self, event: str, data: JsonValue) -> None:
        if self.loss.happened.is_set():
            raise ConnectionLost(self.loss.reason, reason=self.loss.reason)
        if event == "subscribe":
            assert isinstance(data, str)
            self.emitted.append(f"subscribe {data}")
            self.member.subscribe(data)
        elif event != "heartbeat":
            self.emitted.append(event)
            self.member.ask(event)

    async def close(self) -> None:
        self.cut("closed")

    def cut(self, reason: str) -> None:
        self.member.leave()
        self.loss.tell(reason)


class Exchange:
    """Where lines are opened, in the place of the connector."""

    def __init__(self, hub: Hub, user: SimAgent) -> None:
        self.hub = hub
        self.user = user
        self.outage = 0.0
        self.lines: list[Line] = []
        self.protocol: Protocols = 4

    @property
    def up(self) -> bool:
        return bool(self.lines) and not self.lines[-1].loss.happened.is_set()

    async def open(self, address: Address, listener: Listener) -> Line:
        del address
        await asyncio.sleep(self.outage)
        line = Line(self.hub.join(self.user, lambda name, payload: listener(name, (payload,))))
        self.lines.append(line)
        return line


@dataclass
class Seen:
    """What the feed published, what its handlers got, and what was true in the world."""

    published: list[Event] = field(default_factory=list[Event])
    handled: list[Event] = field(default_factory=list[Event])
    ended: dict[str, Cdr] = field(default_factory=dict[str, Cdr])
    ended_away: set[str] = field(default_factory=set[str])
    cuts: list[float] = field(default_factory=list[float])
    statuses: dict[str, str] = field(default_factory=dict[str, str])
    emitted: list[list[str]] = field(default_factory=list[list[str]])

    def router(self) -> Router:
        router = Router()

        def note(event: Event) -> bool:
            self.published.append(event)
            return True

        async def handle(event: Event) -> None:
            await asyncio.sleep(0)
            self.handled.append(event)

        for kind in (FloorEvent, CallEvent, HandlerFailed):
            router.on(kind, when=note)(handle)
        return router

    def of(self, kind: type[OfCall]) -> set[str]:
        """The calls of which the handlers were told this: each call once."""
        told = Counter(event.call_id for event in self.handled if isinstance(event, kind))
        assert not [call_id for call_id, times in told.items() if times > 1], f"{kind.__name__} twice"
        return set(told)

    def queued(self, *, answered: bool) -> set[str]:
        """The calls of queues that were answered, or were not."""
        found = (cdr for cdr in self.ended.values() if cdr.queue is not None)
        return {cdr.call_id for cdr in found if (cdr.answered_at is not None) is answered}

    def answered_unseen(self, call_id: str) -> bool:
        """Whether the call was answered and over between two pushes."""
        cdr = self.ended[call_id]
        return cdr.answered_at is not None and cdr.ended_at - cdr.answered_at < PACE

    def cut_while_it_waited(self, call_id: str) -> bool:
        """Whether the feed was cut before it could see how the wait came out."""
        cdr = self.ended[call_id]
        out = cdr.answered_at if cdr.answered_at is not None else cdr.ended_at
        return any(cdr.started_at <= cut <= out + PACE for cut in self.cuts)


def live_through(exchange_at: pytest.MonkeyPatch, away: float) -> Seen:
    """Live through the day.

    Args:
        exchange_at: Puts the exchange into the supervisor.
        away: Longest time for which every second cut keeps the feed away, in seconds.
    """

    async def token(refused: SecretStr | None) -> SecretStr:
        assert refused is None
        return SecretStr("of-no-use")

    async def main(loop: VirtualLoop) -> Seen:
        seen = Seen()
        world = World(seed=1, agents=[f"{number:04d}" for number in range(1, AGENTS + 1)])
        options = ServerOptions(live_push_interval=PACE)
        async with Simulator(world, clock=Clock(epoch=loop.epoch), options=options, serve_rest=False) as sim:
            world.queue("Sales", agents=world.agents)
            day = Day(sim, loop)
            exchange = Exchange(sim.live.hub, world.add_user("boss@acme.example"))
            exchange_at.setattr("ziwo_async.live.supervisor.Connector", lambda: exchange)

            def ended(cdr: Cdr) -> None:
                assert cdr.call_id not in seen.ended
                seen.ended[cdr.call_id] = cdr
                if not exchange.up:
                    seen.ended_away.add(cdr.call_id)

            async def cuts() -> None:
                for number in range(CUTS):
                    # Every second one follows soon: then the call that waits is known from both kinds of snapshots.
                    await asyncio.sleep(DAY / (0.75 * CUTS) if number % 2 == 0 else 0.5)
                    # When it hides something: somebody waits, and what becomes of them is not known yet.
                    while not feed.queue_calls().current:
                        await asyncio.sleep(1)
                    exchange.outage = loop.rng.uniform(0, away) if number % 2 else 0.0
                    seen.cuts.append(loop.epoch())
                    exchange.lines[-1].cut("the network is gone")

            world.history.listeners.append(ended)
            seen.statuses = {agent.ccLogin: agent.status for agent in world.agents}
            feed = LiveFeed(
                "http://nowhere.example",
                token=token,
                router=seen.router(),
                reconnect=ReconnectPolicy(base=1e-6, cap=1e-6),
                clock=loop.epoch,
                rng=loop.rng,
            )
            async with feed:
                async with asyncio.TaskGroup() as group:
                    group.create_task(day.moods())
                    group.create_task(cuts())
                    for number in range(CALLS):
                        group.create_task(day.call(world.customer(f"+9715{number:08d}")))
                await asyncio.sleep(2 * PACE)
                await feed.dispatcher.idle()
                assert feed.dispatcher.dropped == 0
                assert feed.calls().current == {}
                assert feed.queue_calls().current == ()
                assert feed.connections == CUTS + 1
            seen.emitted = [line.emitted for line in exchange.lines]
            check_statuses(seen, {agent.ccLogin: agent.status for agent in world.agents})
            assert set(seen.ended) == {call.primary_call_id for call in world.calls}
        return seen

    return run_virtual(main, limit=2 * DAY)


def check_statuses(seen: Seen, at_last: dict[str, str]) -> None:
    """The changes of each agent's status hang together, from the first status of the day to the last."""
    chains = {cc_login: [status] for cc_login, status in seen.statuses.items()}
    for event in seen.handled:
        if isinstance(event, AgentStatusChanged):
            chain = chains[str(event.cc_login)]
            assert event.before == chain[-1]
            chain.append(event.status)
    assert {cc_login: chain[-1] for cc_login, chain in chains.items()} == at_last
    assert all(before != after for chain in chains.values() for before, after in pairwise(chain))
    assert sum(len(chain) - 1 for chain in chains.values()) > 300


# Ten seconds of work: a busy machine may take more than the minute that every test has.
@pytest.mark.timeout(600)
@pytest.mark.parametrize("away", [0.0, 600.0], ids=["back at once", "away for minutes"])
def test_a_day_of_500_agents_with_50_cuts_tells_everything_once(monkeypatch: pytest.MonkeyPatch, away: float) -> None:
    seen = live_through(monkeypatch, away)

    assert len(seen.ended) == CALLS
    kinds = Counter(type(event) for event in seen.handled)
    assert kinds[LiveLost] == kinds[LiveRestored] == CUTS
    assert kinds[HandlerFailed] == 0

    # Each connection asked for everything again, and once.
    assert seen.emitted == [[*(f"subscribe {route}" for route in FLOOR), *filter(is_asked, FLOOR)]] * (CUTS + 1)

    # Every event reached its handler, and once.
    assert Counter(map(id, seen.handled)) == Counter(map(id, seen.published))
    assert set(Counter(map(id, seen.handled)).values()) == {1}

    # Every call is told as ended; those of a gap are the history's, and are not made up.
    assert seen.of(CallRecorded) == set(seen.ended) - seen.ended_away
    assert len(seen.ended_away) == 0 if away == 0 else len(seen.ended_away) > CALLS / 20

    # What is told of the queue is what could be seen; an outcome is missing only where a cut hid it.
    waiting, answered, abandoned = seen.of(QueueCallWaiting), seen.of(QueueCallAnswered), seen.of(QueueCallAbandoned)
    assert answered <= seen.queued(answered=True)
    assert all(seen.answered_unseen(call_id) for call_id in abandoned - seen.queued(answered=False))
    assert not answered & abandoned
    assert answered | abandoned <= waiting
    assert all(seen.cut_while_it_waited(call_id) for call_id in waiting - answered - abandoned)
    assert len(waiting) > CALLS / 2

    # Every conversation that was seen has its end.
    assert seen.of(Active) == seen.of(Hangup) == seen.of(Destroy) <= seen.queued(answered=True)
    assert len(seen.of(Active)) > CALLS / 3
