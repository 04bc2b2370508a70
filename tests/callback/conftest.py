"""A contact centre and services that share one clock, which only the tests move."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ziwo_async import Call, Ringing, Router, ZiwoClient, same_number
from ziwo_async.callback import Callback, CallbackService, SqliteCallbacks
from ziwo_async.config import RetryPolicy, Timeouts
from ziwo_async.simulator import SimCall, Simulator
from ziwo_async.simulator.clock import Clock
from ziwo_async.simulator.http_faults import HttpAnswer
from ziwo_async.testing import FAST_RECONNECT, FAST_SERVER, ServedWorld

VISITOR = "+97150000000"
PATIENCE = 30.0


class TestClock:
    """The time of day of this test. `sleep` ends when the time has come, and not before."""

    __test__ = False

    def __init__(self) -> None:
        self.ahead = 0.0
        self._moved = asyncio.Event()

    def __call__(self) -> float:
        return time.time() + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += seconds
        self._moved.set()
        self._moved = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        until = self() + seconds
        while self() < until:
            await self._moved.wait()


class Centre:
    """The contact centre, its agents' phones, and the callbacks of this test."""

    VISITOR = VISITOR

    def __init__(self, world: ServedWorld, clock: TestClock, folder: Path, stack: AsyncExitStack) -> None:
        self.world = world
        self.clock = clock
        self.path = folder / "callbacks.sqlite"
        self._stack = stack
        self._dials: list[str] = []
        self.doubled: list[SimCall] = []

    async def client(self, **options: Any) -> ZiwoClient:
        admin = self.world.agent("0011")
        options.setdefault("retry", RetryPolicy(attempts=2, base=0.001, cap=0.002))
        ziwo = ZiwoClient(
            username=admin.username,
            password=admin.password,
            api_key=self.world.cti_key,
            api_url=self.world.api_url,
            **options,
        )
        return await self._stack.enter_async_context(ziwo)

    async def service(self, *extensions: str, **options: Any) -> CallbackService:
        """A service that nobody runs but `tick`."""
        ziwo = options.pop("client", None) or await self.client()
        store = options.pop("store", None) or SqliteCallbacks(self.path)
        options.setdefault("clock", self.clock)
        options.setdefault("sleep", self.clock.sleep)
        made = CallbackService(ziwo, extensions or ("5555",), store=store, **options)
        self._stack.push_async_callback(made.aclose)
        self._stack.callback(store.close)
        return made

    async def phone(self, cc_login: str, does: str = "answer") -> None:
        """The agent's phone: it answers, rejects, or rings on (`nothing`)."""
        agent, router = self.world.agent(cc_login), Router()

        @router.on(Ringing)
        async def ringing(call: Call, event: Ringing) -> None:
            if does == "answer":
                await call.answer()
            elif does == "reject":
                await call.hangup()

        ziwo = ZiwoClient(
            username=agent.username,
            password=agent.password,
            api_url=self.world.api_url,
            router=router,
            reconnect=FAST_RECONNECT,
            autologin=False,
        )
        await self._stack.enter_async_context(ziwo)
        await self._stack.enter_async_context(ziwo.phone)

    def dials(self) -> list[str]:
        """The requests for a call that arrived, by agent, also refused ones, and those whose answer was lost."""
        return list(self._dials)

    def count(self, patch: pytest.MonkeyPatch) -> None:
        # The simulator's first step with every request; its journal has none whose sender went away meanwhile.
        take = self.world.faults.take_http

        def counting(path: str) -> HttpAnswer | None:
            parts = path.split("/")
            if path.startswith("/integrations/cti/agents/") and len(parts) == 7:
                self._dials.append(parts[4])
                alive = [call for call in self.world.calls if call.state != "ended" and same_number(call.did, parts[6])]
                self.doubled += alive
            return take(path)

        patch.setattr(self.world.faults, "take_http", counting)

    async def until(
        self, service: CallbackService, key: str, wanted: Callable[[Callback], object], *, pace: float | None = 0.3
    ) -> Callback:
        """Tick, and move the clock, until a callback is as wanted. Without a pace: slowly while there is a call."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await service.get(key)
                assert found is not None
                if wanted(found):
                    return found
                assert not found.over, found
                await service.tick()
                alive = any(call.state != "ended" for call in self.world.calls)
                self.clock.advance((0.3 if alive else 15.0) if pace is None else pace)
                await asyncio.sleep(0.01)  # for the contact centre, which lives in real time

    async def until_true(self, wanted: Callable[[], object]) -> None:
        """Move the clock until something is true of what runs by itself."""
        async with asyncio.timeout(PATIENCE):
            while not wanted():
                self.clock.advance(1.0)
                await asyncio.sleep(0.01)

    async def over(self, service: CallbackService, key: str, *, pace: float = 0.3) -> Callback:
        return await self.until(service, key, lambda it: it.over, pace=pace)


@asynccontextmanager
async def opened(folder: Path, ring_timeout: float = 60.0) -> AsyncIterator[Centre]:
    clock = TestClock()
    world = ServedWorld(agents=("0011", "5555", "6666"))
    options = replace(FAST_SERVER, ring_timeout=ring_timeout)
    async with Simulator(world, options=options, clock=Clock(epoch=clock)), AsyncExitStack() as stack:
        made = Centre(world, clock, folder, stack)
        with pytest.MonkeyPatch.context() as patch:
            made.count(patch)
            yield made
            assert made.doubled == [], "a visitor was dialled while a call to them was up"


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[Centre]:
    async with opened(tmp_path) as made:
        yield made


@pytest.fixture
def quick() -> Timeouts:
    return Timeouts(request=0.3)
