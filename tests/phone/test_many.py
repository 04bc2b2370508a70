"""A thousand phones of one process lose their connections at once: all come back, spread out, nobody twice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from ziwo_async import Event, LoginLimiter, Phone, ReconnectPolicy, Router, SessionEvent, SessionRestored, Timeouts
from ziwo_async.phone.account import Account, AccountProvider
from ziwo_async.simulator import Clock, JournalEntry, ServerOptions, SimAgent, Simulator, World
from ziwo_async.testing import VirtualLoop, run_virtual

PHONES = 1_000
RATE = 20


def provider_of(agent: SimAgent, sim: Simulator) -> AccountProvider:
    async def provider(fresh: bool) -> Account:
        return Account(login=agent.position, password_hash=agent.verto_password, url=sim.verto_url)

    return provider


async def dropped_at_once(loop: VirtualLoop) -> None:
    world = World(agents=[f"{number:04d}" for number in range(PHONES)])
    options = ServerOptions(disable_multiple_sessions=True)
    seen: Counter[str] = Counter()
    back: list[float] = []
    router = Router()

    def note(event: Event) -> bool:
        seen[type(event).__name__] += 1
        if isinstance(event, SessionRestored):
            back.append(loop.time())
        return False

    @router.on(SessionEvent, when=note)
    async def never(event: SessionEvent) -> None:
        raise AssertionError

    limiter = LoginLimiter(RATE, clock=loop.time)
    async with Simulator(world, options=options, clock=Clock(loop.epoch), serve_rest=False) as sim:
        logins: list[str] = []

        def note_login(entry: JournalEntry) -> None:
            if entry.kind == "in" and '"method":"login"' in entry.text:
                logins.append(entry.text)

        # The journal itself is bounded, and there will be many pings.
        setattr(sim.journal, "add", note_login)  # noqa: B010
        rng = random.Random(loop.seed)
        phones = [
            Phone(
                provider_of(agent, sim),
                router=router,
                limiter=limiter,
                reconnect=ReconnectPolicy(),
                timeouts=Timeouts(),
                rng=rng,
                clock=loop.epoch,
            )
            for agent in world.agents
        ]
        starting = [asyncio.ensure_future(phone.start()) for phone in phones]
        await asyncio.gather(*starting)
        assert len(sim.verto.sessions()) == PHONES

        dropped = loop.time()
        logins.clear()
        await sim.faults.cut_phone_socket()
        while seen["SessionRestored"] < PHONES:
            await asyncio.sleep(1)
            assert loop.time() - dropped < 120

        # Nobody logged in twice, nobody was refused, nobody was thrown out.
        assert len(logins) == len(set(logins)) == PHONES
        assert seen == {"SessionReady": PHONES, "SessionLost": PHONES, "SessionRestored": PHONES}
        assert all(phone.ready for phone in phones)
        # Spread out: never more than the limiter's rate within any one second (each takes the same 0.1 s to be ready).
        back.sort()
        most = max(sum(1 for other in back if moment <= other < moment + 1) for moment in back)
        assert most <= RATE + 1
        assert PHONES / RATE - 1 <= back[-1] - dropped <= PHONES / RATE + 5
        await asyncio.gather(*(phone.aclose() for phone in phones))


def test_a_thousand_phones_come_back_at_the_limiters_rate_and_nobody_twice() -> None:
    run_virtual(dropped_at_once, seed=1)
