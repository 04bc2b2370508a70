"""The fault proxy and a restart of the server in virtual time: they use nothing but the loop's own network calls."""

from __future__ import annotations

import asyncio
import random

from ziwo_async import DialogState, LoginLimiter, Phone
from ziwo_async.phone.account import Account
from ziwo_async.simulator import Simulator, World
from ziwo_async.testing import FaultProxy, VirtualLoop, run_virtual


def test_an_hour_of_faults_passes_in_virtual_time() -> None:
    async def main(loop: VirtualLoop) -> tuple[float, int, list[str]]:
        world = World()
        agent = world.agent("5555")
        async with Simulator(world, serve_rest=False) as sim:
            host, _, port = sim.verto_url.removeprefix("ws://").partition(":")
            async with FaultProxy(host, int(port)) as proxy:

                async def account(fresh: bool) -> Account:
                    return Account(
                        login=agent.position, password_hash=agent.verto_password, url=f"ws://{proxy.address}"
                    )

                phone = Phone(account, rng=random.Random(1), limiter=LoginLimiter(clock=loop.time))
                await phone.start()
                states: list[str] = []
                faults = (proxy.cut, proxy.reset, lambda: proxy.black_hole(on="present"))
                for fault in faults:
                    fault()
                    await asyncio.sleep(600)  # virtual
                    states.append(f"{phone.ready} {proxy.open}")
                await sim.faults.server_restart(1200)
                await asyncio.sleep(600)
                states.append(f"{phone.ready} {proxy.open}")
                proxy.split(1)
                proxy.delay(0.5, jitter=0.5)
                there = await world.customer("+97150000000").dials(agent)
                await asyncio.sleep(5)
                call = phone.call(there.id)
                assert call is not None
                assert call.state is DialogState.RINGING
                await phone.aclose()
                return loop.time(), proxy.accepted, states

    passed, accepted, states = run_virtual(main)
    assert passed >= 3600
    assert accepted >= 5
    assert states == ["True 1"] * 4
    assert run_virtual(main) == (passed, accepted, states)
