"""The contact centre of the soak: customers call, faults happen. A process of its own, so that its memory is not ours.

Prints one line of JSON with its addresses, then runs until stdin says `calm` (no more calls and faults) and ends. Each
fault it made is counted and told at the end.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter

from ziwo_async.simulator import ServerOptions, SimAgent, Simulator, World
from ziwo_async.simulator.problems import SimulatorError
from ziwo_async.testing import FaultProxy

NUMBERS = [f"+9715{number:08d}" for number in range(200)]


class Centre:
    """Calls and faults, at random."""

    def __init__(self, sim: Simulator, proxy: FaultProxy, seed: int, calls_per_second: float) -> None:
        self.sim = sim
        self.proxy = proxy
        self.rng = random.Random(seed)
        self.rate = calls_per_second
        self.counts: Counter[str] = Counter()

    async def customers(self) -> None:
        """Customers dial agents."""
        while True:
            await asyncio.sleep(self.rng.expovariate(self.rate))
            customer = self.sim.world.customer(self.rng.choice(NUMBERS))
            customer.will(answer_after=self.rng.uniform(0.1, 2), early_media=self.rng.random() < 0.5)
            customer.hangs_up_after(self.rng.uniform(1, 20) if self.rng.random() < 0.6 else None)
            agent = self.rng.choice(self.sim.world.agents)
            try:
                await customer.dials(agent)
                self.counts["calls"] += 1
            except SimulatorError:
                self.counts["not reached"] += 1
            live = [call for call in self.sim.world.calls if call.state != "ended"]
            self.sim.world.calls[:] = live

    async def faults(self) -> None:
        """One agent loses something every second; every few minutes it is everybody."""
        while True:
            await asyncio.sleep(self.rng.expovariate(1.0))
            agent = self.rng.choice(self.sim.world.agents)
            try:
                await self._one(agent)
            except SimulatorError:
                self.counts["no socket"] += 1

    async def _one(self, agent: SimAgent) -> None:
        faults = self.sim.faults
        method = self.rng.choice(["verto.answer", "verto.bye", "verto.invite", "verto.modify", "verto.ping"])
        kinds = {
            "cut": 20, "close": 10, "half open": 10, "expired": 6, "drop reply": 10, "fail": 8, "duplicate": 3,
            "reordered": 6, "slow": 4, "token": 2, "login cut": 4, "jitter": 2, "everybody": 0.25, "restart": 0.2,
            "hole": 0.3,
        }  # fmt: skip
        kind = self.rng.choices(list(kinds), list(kinds.values()))[0]
        self.counts[kind] += 1
        match kind:
            case "cut":
                await faults.cut_phone_socket(agent)
            case "close":
                await faults.close_phone_socket(agent)
            case "half open":
                await faults.half_open(agent)
            case "expired":
                await faults.login_expired(agent)
            case "drop reply":
                faults.drop_next(method, executed=self.rng.random() < 0.7)
            case "fail":
                faults.fail_next(method, -32002, self.rng.choice(["CODEC ERROR", "CALL DOES NOT EXIST"]))
            case "duplicate":
                faults.duplicate(agent, tries=self.rng.randint(1, 4))
            case "reordered":
                faults.reordered(agent)
            case "slow":
                faults.slow_server(self.rng.uniform(0, 0.5))
                await asyncio.sleep(2)
                faults.slow_server(0)
            case "token":
                faults.token_expired()
            case "login cut":
                faults.close_during_login(self.rng.randint(1, 2))
            case "jitter":
                self.proxy.delay(0.05, 0.05)
                self.proxy.split(self.rng.randint(1, 40))
                await asyncio.sleep(5)
                self.proxy.heal()
            case "everybody":
                self.proxy.reset()
            case "restart":
                await faults.server_restart(self.rng.uniform(0, 10))
            case _:
                self.proxy.black_hole(self.rng.choice(["to_server", "to_client", "both"]), on="present")
                await asyncio.sleep(25)
                self.proxy.heal()

    def heal(self) -> None:
        """No fault is left."""
        self.proxy.heal()
        self.sim.faults.slow_server(0)
        self.sim.faults.refuse_connections(False)
        for agent in self.sim.world.agents:
            self.sim.faults.release(agent)


async def main(agents: int, seed: int, calls_per_second: float) -> None:
    """Serve until told to be calm, and then until stdin ends."""
    world = World("acme", agents=[f"{number:04d}" for number in range(agents)], seed=seed)
    options = ServerOptions(detach_timeout=60.0)
    async with Simulator(world, options=options) as sim:
        host, port = sim.verto_url.removeprefix("ws://").split(":")
        async with FaultProxy(host, int(port), seed=seed) as proxy:
            centre = Centre(sim, proxy, seed, calls_per_second)
            people = [[a.username, a.password] for a in world.agents]
            print(json.dumps({"api": sim.api_url, "verto": f"ws://{proxy.address}", "agents": people}), flush=True)
            words = asyncio.StreamReader()
            await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
            await words.readline()
            async with asyncio.TaskGroup() as group:
                work = [group.create_task(centre.customers()), group.create_task(centre.faults())]
                await words.readline()
                for task in work:
                    task.cancel()
            centre.heal()
            print(json.dumps(centre.counts), flush=True)
            await words.read()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
