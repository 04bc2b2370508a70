"""A contact centre in virtual time, and phones to use there."""

from __future__ import annotations

import random
import uuid
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ..phone.account import Account
from ..phone.limiter import LoginLimiter
from ..phone.phone import Phone
from ..simulator import Clock, ServerOptions, Simulator
from .running import RunningWorld

if TYPE_CHECKING:
    from .virtual import VirtualLoop

__all__ = ["VirtualWorld", "serve_virtual"]


class VirtualWorld(RunningWorld):
    """A `World` in virtual time, with the simulator that serves it. There is no REST, so its phones are made here.

    Args:
        loop: The loop that everything runs in.
        agents: ccLogins of the agents.
    """

    def __init__(self, loop: VirtualLoop, agents: Iterable[str]) -> None:
        super().__init__(seed=loop.seed, agents=agents)
        self._loop = loop
        # Its own, because that of the process counts in real seconds.
        self._limiter = LoginLimiter(clock=loop.time)
        self._phones = 0

    def phone(self, cc_login: str = "5555", **options: Any) -> Phone:
        """Make a phone of an agent; start it with `async with`.

        Its time of day is the loop's; its ids and the jitter of its reconnects come from the loop's seed.

        Args:
            cc_login: The agent.
            options: More of `Phone`'s arguments, such as `router=` or `timeouts=`.

        Raises:
            UnknownAgent: The world has no such agent.
        """
        agent = self.agent(cc_login)
        self._phones += 1
        rng = random.Random(f"phone {self._loop.seed} {self._phones}")

        async def account(fresh: bool) -> Account:
            del fresh
            return Account(login=agent.position, password_hash=agent.verto_password, url=self.simulator.verto_url)

        def new_id() -> str:
            return str(uuid.UUID(int=rng.getrandbits(128), version=4))

        given: dict[str, Any] = {"clock": self._loop.epoch, "rng": rng, "new_id": new_id, "limiter": self._limiter}
        return Phone(account, **(given | options))


@asynccontextmanager
async def serve_virtual(
    loop: VirtualLoop, agents: Iterable[str] = ("0011", "5555"), *, options: ServerOptions | None = None
) -> AsyncGenerator[VirtualWorld]:
    """Serve a new world in virtual time, the Verto server only.

    Args:
        loop: The loop, as `run_virtual` gives it.
        agents: ccLogins of the agents.
        options: Settings and delays of the server; by default those that were measured: time costs nothing here.
    """
    world = VirtualWorld(loop, agents)
    async with Simulator(world, options=options, clock=Clock(epoch=loop.epoch), serve_rest=False):
        yield world
