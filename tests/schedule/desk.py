"""The agents' desks: a phone, the program that uses it, and who watches both."""

from __future__ import annotations

import asyncio
import random
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ziwo_async import Call, CallEvent, Event, EventStream, MemoryStore, Phone, Ringing, Router
from ziwo_async.phone.account import Account
from ziwo_async.simulator import SimAgent

from .media import SeededMedia
from .steps import EXPECTED
from .witness import Witness

if TYPE_CHECKING:
    from .run import Run


@dataclass(frozen=True, slots=True)
class Made:
    """A phone that was made in the run, and who watched it."""

    name: str
    phone: Phone
    witness: Witness
    media: SeededMedia
    bot: Bot
    reader: asyncio.Task[int]


class Bot:
    """The program at a phone: handlers that are slow, broken, or answer; and a reader of a stream."""

    def __init__(self, run: Run, name: str, phone: Phone) -> None:
        self._run = run
        self._name = name
        self._plan = run.plan
        self._rng = random.Random(f"bot {run.plan.seed} {name}")
        self.handled = 0
        router = Router()
        router.on(CallEvent)(self.look)
        router.during(Ringing)(self.answer)
        phone.router.include(router)
        self.stream: EventStream[Event] = EventStream(phone.dispatcher, Event, buffer=5)

    async def look(self, call: Call, event: CallEvent) -> None:
        self.handled += 1
        if self._plan.slow_handler and self._rng.random() < 0.2:
            await asyncio.sleep(self._rng.uniform(0, self._plan.slow_handler))
        if self._rng.random() < self._plan.failing_handlers:
            raise ValueError("this handler is broken")

    async def answer(self, call: Call, event: Ringing) -> None:
        if self._rng.random() < self._plan.answering:
            await asyncio.sleep(self._rng.choice([0.0, 0.0, 1.0, 8.0]))
            try:
                await call.answer(hold_others=self._rng.random() < 0.5)
            except EXPECTED as error:
                self._run.note(f"{self._name} bot: {type(error).__name__}")

    async def read(self) -> int:
        """Read the stream to its end, at times too slowly; gives how many events came."""
        count = 0
        async with self.stream:
            async for _ in self.stream:
                count += 1
                if self._plan.slow_handler and self._rng.random() < 0.1:
                    await asyncio.sleep(self._plan.slow_handler)
        return count


class Desk:
    """One agent with a phone; restarted, the phone is another one."""

    def __init__(self, run: Run, agent: SimAgent) -> None:
        self.run = run
        self.agent = agent
        self.made = 0
        self.store = MemoryStore()
        self.open(None)

    def open(self, session_id: str | None) -> None:
        """Make a new phone, which is not started."""
        run, plan = self.run, self.run.plan
        self.made += 1
        name = f"{self.agent.ccLogin}/{self.made}"
        rng = random.Random(f"phone {plan.seed} {name}")
        violations = plan.has("strange", "reordered", "fail_next")
        self.witness = Witness(name, run.note, violations=violations, takes_over=self.made > 1)
        self.media = SeededMedia(rng, slow=0.5 if plan.slow_handler else 0.0, broken=plan.failing_handlers / 4)
        self.phone = Phone(
            self.account,
            media=self.media,
            timeouts=plan.timeouts,
            reconnect=plan.reconnect,
            liveness=plan.liveness,
            clock=run.loop.epoch,
            rng=rng,
            new_id=lambda: str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            session_id=session_id,
            ledger=self.store if plan.ledger else None,
            limiter=run.limiter,
            buffers=plan.buffers,
        )
        self.phone.router.include(self.witness.router)
        bot = Bot(run, name, self.phone)
        reader = run.loop.create_task(bot.read(), name=f"reader of {name}")
        run.phones.append(Made(name, self.phone, self.witness, self.media, bot, reader))

    async def account(self, fresh: bool) -> Account:
        del fresh
        url = self.run.sim.verto_url
        return Account(login=self.agent.position, password_hash=self.agent.verto_password, url=url)

    async def start(self) -> None:
        """Start the phone; that may fail when there are faults already."""
        try:
            await self.phone.start()
        except EXPECTED as error:
            self.run.note(f"{self.witness.name} did not start: {type(error).__name__}: {error}")
