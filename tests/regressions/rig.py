"""A contact centre, a bad network and a phone with the default time limits, all in virtual time.

The times that `docs/explanation/reliability.md` states are asserted here: nothing depends on how fast the machine is.
"""

from __future__ import annotations

import functools
import inspect
import random
from collections.abc import Callable, Coroutine
from typing import Any

from ziwo_async import Event, Liveness, LoginLimiter, Phone, ReconnectPolicy, Timeouts
from ziwo_async.simulator import Clock, ServerOptions, SimAgent, Simulator, World
from ziwo_async.testing import FaultProxy, VirtualLoop, run_virtual

from ..phone.kit import Desk, Seen

LOGIN = 0.5
"""No login over the simulated network takes longer: the server is ready 0.1 s after it accepted."""


class Longest(random.Random):
    """Jitter that always waits as long as it may: what a table calls `within` is the worst case."""

    def uniform(self, a: float, b: float) -> float:
        return b


class Timed(Seen):
    """Every event in wire order, with its time."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.times: list[float] = []
        super().__init__()

    def _note(self, event: Event) -> bool:
        self.times.append(self._loop.elapsed)
        return super()._note(event)

    def at(self, kind: type[Event], number: int = 0) -> float:
        """When the event of that kind (the first, or the `number`-th after it) was published."""
        found = [time for event, time in zip(self.events, self.times, strict=True) if isinstance(event, kind)]
        return found[number]


class Rig:
    """What a test gets.

    Attributes:
        loop: Virtual time and the network in memory.
        desk: The contact centre, and what the tests of the phone know to do with it.
        proxy: Stands between the phone and the server.
        seen: Every event with its time.
    """

    def __init__(self, loop: VirtualLoop, sim: Simulator, proxy: FaultProxy) -> None:
        self.loop = loop
        self.proxy = proxy
        self.desk = Desk(sim)
        self.desk.seen = self.seen = Timed(loop)

    @property
    def now(self) -> float:
        return self.loop.elapsed

    def phone(self, agent: SimAgent | None = None, url: str | None = None, **options: Any) -> Phone:
        """A phone behind the proxy, with the policies that every user gets, and the longest jitter."""
        return self.desk.phone(agent, url or f"ws://{self.proxy.address}", **(self.defaults() | options))

    def defaults(self) -> dict[str, Any]:
        return {
            "timeouts": Timeouts(),
            "reconnect": ReconnectPolicy(),
            "liveness": Liveness(),
            "limiter": LoginLimiter(clock=self.loop.time),
            "rng": Longest(),
            "clock": self.loop.epoch,
        }

    async def started(self, agent: SimAgent | None = None, **options: Any) -> Phone:
        phone = self.phone(agent, **options)
        await phone.start()
        return phone


def in_virtual_time(
    *, options: ServerOptions | None = None, limit: float = 7_200.0
) -> Callable[[Callable[..., Coroutine[Any, Any, None]]], Callable[..., None]]:
    """Make a plain test of a coroutine function that takes a `Rig` first."""

    def decorate(story: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
        async def main(loop: VirtualLoop, given: dict[str, Any]) -> None:
            clock = Clock(loop.epoch)
            async with Simulator(World(), options=options, clock=clock, serve_rest=False) as sim:
                host, _, port = sim.verto_url.removeprefix("ws://").partition(":")
                async with FaultProxy(host, int(port)) as proxy:
                    rig = Rig(loop, sim, proxy)
                    await story(rig, **given)
                    proxy.heal()
                    await rig.desk.close()

        @functools.wraps(story)
        def test(**given: Any) -> None:
            run_virtual(lambda loop: main(loop, given), limit=limit)

        parameters = list(inspect.signature(story).parameters.values())[1:]
        test.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return test

    return decorate
