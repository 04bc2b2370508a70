"""A day of 500 agents in virtual time, as the hub of the live socket tells it. Nothing listens on a real port there."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from itertools import pairwise
from typing import Any

from ziwo_async.simulator import Clock, Leg, SimAgent, SimCall, SimCustomer, Simulator, World
from ziwo_async.testing import VirtualLoop, run_virtual

AGENTS = 500
CALLS = 3_000
DAY = 86_000.0
STATUSES = ("Available", "On Break", "Meeting", "Outgoing")


class Sockets:
    """The phones of all agents: they are there, and what they are told does not matter here."""

    sessid = "everybody"
    remembered_name = ""

    def queue(self, method: str, params: object) -> None:
        del method, params


class Day:
    """Calls that come in, are answered or not, and end; agents who change their status; one supervisor who listens."""

    def __init__(self, sim: Simulator, loop: VirtualLoop) -> None:
        self.sim = sim
        self.loop = loop
        self.rng = random.Random(1)
        self.pushed: dict[str, list[float]] = {}
        self.content: dict[str, Any] = {}
        self.ended: Counter[str] = Counter()
        self.seen: set[str] = set()

    def hear(self, name: str, payload: str) -> None:
        envelope = json.loads(payload)
        assert envelope["info"] == {"status": 200}
        self.content[name] = envelope["content"]
        if name == "GET /callHistory":
            self.ended[envelope["content"]["callID"]] += 1
            return
        self.pushed.setdefault(name, []).append(self.loop.time())
        if name == "GET /live/calls":
            self.seen.update(self.content[name])

    async def call(self, customer: SimCustomer) -> None:
        """One call: an agent answers it, or nobody does."""
        world, switch, rng = self.sim.world, self.sim.switch, self.rng
        await asyncio.sleep(rng.uniform(0, DAY))
        kind = rng.random()
        if kind < 0.2:  # nobody is reached
            await customer.dials(rng.choice(world.agents))
            return
        call = await customer.dials(world.queue("Sales"))
        await asyncio.sleep(rng.uniform(1, 30))
        if kind < 0.4 or call.outside is None:  # the customer gives up
            await call.hangs_up()
            return
        leg = self.answer(call, rng.choice(world.agents))
        await asyncio.sleep(rng.uniform(5, 300))
        if rng.random() < 0.5:
            switch.end(leg, "NORMAL_CLEARING")
        else:
            await call.hangs_up()

    def answer(self, call: SimCall, agent: SimAgent) -> Leg:
        """The switch connects the caller with an agent, as after a phone's answer."""
        outside = call.outside
        assert outside is not None
        leg = Leg(
            call_id=self.sim.switch.new_uuid(),
            sessid="everybody",
            agent=agent,
            dialled=False,
            caller=outside.party,
            callee=outside.party,
            call=call,
        )
        call.legs.append(leg)
        self.sim.switch.add(leg)
        self.sim.switch.mark_answered(leg)
        self.sim.switch.connect(outside, leg)
        return leg

    async def moods(self) -> None:
        agents = self.sim.world.agents
        for _ in range(500):
            await asyncio.sleep(DAY / 500)
            self.rng.choice(agents).set_status(self.rng.choice(STATUSES))


def test_a_day_of_500_agents_every_call_ends_once() -> None:
    async def main(loop: VirtualLoop) -> Day:
        world = World(seed=1, agents=[f"{number:04d}" for number in range(1, AGENTS + 1)])
        async with Simulator(world, clock=Clock(epoch=loop.epoch), serve_rest=False) as sim:
            world.queue("Sales", agents=world.agents)
            day = Day(sim, loop)
            member = sim.live.hub.join(world.add_user("boss@acme.example"), day.hear)
            for name in ("GET /live/calls", "GET /live/queueCalls", "GET /live/stats"):
                member.ask(name)
            member.subscribe("GET /callHistory")
            async with asyncio.TaskGroup() as group:
                group.create_task(day.moods())
                for number in range(CALLS):
                    group.create_task(day.call(world.customer(f"+9715{number:08d}")))
            await asyncio.sleep(10)
            member.ask("GET /live/agents")
            return day

    day = run_virtual(main, limit=2 * DAY)
    calls = {call.primary_call_id for call in day.sim.world.calls}
    assert len(calls) == CALLS
    assert day.ended == Counter(calls)  # every call, and each once
    assert day.content["GET /live/calls"] == []
    assert day.content["GET /live/queueCalls"] == []
    assert len(day.content["GET /live/agents"]) == AGENTS
    assert len(day.seen) > CALLS / 2
    assert day.seen <= calls
    for times in day.pushed.values():
        assert all(after - before >= 0.0499 for before, after in pairwise(times))


def test_nobody_listening_costs_nothing() -> None:
    async def main(loop: VirtualLoop) -> int:
        world = World(agents=["0011"])
        async with Simulator(world, clock=Clock(epoch=loop.epoch), serve_rest=False) as sim:
            told: list[str] = []
            member = sim.live.hub.join(world.agent("0011"), lambda name, payload: told.append(name))
            member.ask("GET /live/status")
            member.leave()
            world.agent("0011").set_status("On Break")
            await asyncio.sleep(1)
            return len(told)

    assert run_virtual(main) == 1
