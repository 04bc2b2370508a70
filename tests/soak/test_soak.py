"""Long random runs: calls, commands and faults in any order; `make soak SEEDS=n SOAK_SECONDS=n`.

Whatever happens, every call ends in one destroy, nothing comes after it, no flow leaves the documented ones, losses and
restorations alternate, and nothing is left behind.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import defaultdict

import pytest

from ziwo_async import (
    Call,
    Destroy,
    DialogEvent,
    Event,
    FlowViolation,
    HandlerFailed,
    ReconnectPolicy,
    Ringing,
    Router,
    SessionLost,
    SessionRestored,
    Timeouts,
    Verdict,
    ZiwoClient,
    ZiwoError,
    check_flow,
)
from ziwo_async.simulator import ServerOptions, Simulator, World

pytestmark = pytest.mark.soak

SEEDS = int(os.environ.get("SOAK_SEEDS", "2"))
SECONDS = float(os.environ.get("SOAK_SECONDS", "10"))
NUMBERS = [f"+9715000000{index:02d}" for index in range(8)]


class Witness:
    """Sees every event and remembers what must hold."""

    def __init__(self) -> None:
        self.events: dict[str, list[DialogEvent]] = defaultdict(list)
        self.session: list[str] = []
        self.wrong: list[str] = []

    def see(self, event: Event) -> None:
        if isinstance(event, DialogEvent):
            if any(isinstance(earlier, Destroy) for earlier in self.events[event.call_id]):
                self.wrong.append(f"{event.state} after destroy of {event.call_id}")
            self.events[event.call_id].append(event)
        elif isinstance(event, FlowViolation | HandlerFailed):
            self.wrong.append(repr(event))
        elif isinstance(event, SessionLost | SessionRestored):
            self.session.append(type(event).__name__)


async def act(rng: random.Random, world: World, sim: Simulator, ziwo: ZiwoClient) -> None:
    """Do one random thing; what the phone refuses is fine, as long as it says so with one of its errors."""
    agent = world.agent("5555")
    customer = world.customer(rng.choice(NUMBERS))
    calls = list(ziwo.phone.calls)
    what = rng.choice(
        ["in", "in", "out", "out", "hold", "unhold", "dtmf", "hangup", "remote", "transfer", "cut", "wait"]
    )
    if what == "in":
        await customer.dials(agent)
    elif what == "out":
        customer.will(answer_after=rng.uniform(0, 0.2), early_media=rng.random() < 0.5)
        if rng.random() < 0.3:
            customer.is_busy()
        await ziwo.phone.dial(customer.number)
    elif what == "cut":
        if rng.random() < 0.3:
            await sim.faults.cut_phone_socket(agent)
    elif what == "remote":
        live = [call for call in world.calls if call.state in ("ringing", "active", "held")]
        if live:
            await rng.choice(live).hangs_up()
    elif what == "wait" or not calls:
        await asyncio.sleep(rng.uniform(0, 0.1))
    else:
        call = rng.choice(calls)
        await {
            "hold": call.hold,
            "unhold": call.unhold,
            "dtmf": lambda: call.dtmf("12"),
            "hangup": call.hangup,
            "transfer": lambda: call.transfer(rng.choice(NUMBERS)),
        }[what]()


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_anything_may_happen_and_every_call_ends_once(seed: int) -> None:
    rng = random.Random(seed)
    world = World("acme", seed=seed)
    options = ServerOptions(hold_delay=0.01, ready_delay=0.01, flush_quiet=0.005)
    witness, router = Witness(), Router()

    @router.during(Ringing)
    async def answer(call: Call, event: Ringing) -> None:
        if rng.random() < 0.7:
            try:
                await call.answer(hold_others=rng.random() < 0.3)
            except ZiwoError:
                return

    async with Simulator(world, options=options) as sim:
        agent = world.agent("5555")
        ziwo = ZiwoClient(
            username=agent.username,
            password=agent.password,
            api_url=sim.api_url,
            router=router,
            reconnect=ReconnectPolicy(base=0.02, cap=0.1),
            timeouts=Timeouts(verto_request=3, close=2),
        )
        stream = ziwo.events(Event, buffer=1_000_000, overflow="fail")
        async with stream:
            async with ziwo, ziwo.phone:
                running: set[asyncio.Task[None]] = set()
                end = asyncio.get_running_loop().time() + SECONDS
                while asyncio.get_running_loop().time() < end:
                    task = asyncio.create_task(act(rng, world, sim, ziwo))
                    running.add(task)
                    done, running = await asyncio.wait(running, timeout=0.02)
                    for finished in done:
                        error = finished.exception()
                        if error is not None and not isinstance(error, ZiwoError):
                            raise error
                if running:
                    await asyncio.wait(running, timeout=20)
            async for event in stream:
                witness.see(event)
    assert witness.wrong == []
    assert len(witness.events) > 5
    for call_id, events in witness.events.items():
        assert sum(isinstance(event, Destroy) for event in events) == 1, (call_id, [str(e.state) for e in events])
        assert check_flow(events[-1].state_flow).verdict is not Verdict.VIOLATION
    assert witness.session[::2] == ["SessionLost"] * len(witness.session[::2])
    assert witness.session[1::2] == ["SessionRestored"] * len(witness.session[1::2])
    assert not ziwo.phone.calls
