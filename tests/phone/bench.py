"""A dispatcher with its lanes and workers, and handlers that can be held; no phone around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ziwo_async import Buffers, Call, CallEvent, Destroy, Event, Hangup, Muted, Router, SessionEvent
from ziwo_async.dispatch.dispatcher import Dispatcher
from ziwo_async.dispatch.owner import TaskOwner
from ziwo_async.errors import ClientClosed

from .kit import until, within


class Bench:
    """Registers handlers, publishes events, and tells what came of it."""

    def __init__(self, owner: TaskOwner, buffers: Buffers) -> None:
        self.owner = owner
        self.router = Router()
        self.dispatcher = Dispatcher(owner, self.router, buffers=buffers)
        self.go_on = asyncio.Event()
        self.ran: list[str] = []
        self.told: list[Event] = []
        self.router.on(SessionEvent, when=self._note)(_never)

    def _note(self, event: Event) -> bool:
        self.told.append(event)
        return False

    def held(self, name: str, kind: Any = CallEvent, **options: Any) -> None:
        """Register a handler that notes what it gets, and then waits to be let go."""

        async def handler(call: Call, event: CallEvent) -> None:
            self.ran.append(f"{name} {tag(event)}")
            await self.go_on.wait()

        handler.__qualname__ = name
        self.router.on(kind, **options)(handler)

    def publish(self, *tags: str) -> None:
        """Publish an event for each tag: the call's id and a number, as in `a1`."""
        for word in tags:
            self.dispatcher.publish(event_of(word), word[0], None)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.told if isinstance(event, kind)]

    async def let_go(self) -> list[str]:
        """Let the handlers go on, and give what they all got."""
        self.go_on.set()
        await within(self.dispatcher.idle())
        self.adds_up()
        return self.ran

    def adds_up(self) -> None:
        for tally in self.dispatcher.counters.values():
            assert tally.published == tally.handled + tally.dropped + tally.waiting
        assert self.dispatcher.counters["handlers"].waiting == self.dispatcher.waiting


async def _never(event: SessionEvent) -> None:
    raise AssertionError


def event_of(word: str) -> CallEvent:
    if word.endswith("!"):
        return LAST[word[1]]
    return Muted(call_id=word)


def tag(event: Event) -> str:
    return getattr(event, "call_id", "")


def last(kind: type[Any], word: str) -> Any:
    """A hangup or destroy, as bare as can be: only its class counts here."""
    return kind.model_construct(call_id=word)


LAST = {"h": last(Hangup, "hangup"), "d": last(Destroy, "destroy")}


@asynccontextmanager
async def bench(per_call: int = 4, per_session: int = 4) -> AsyncIterator[Bench]:
    crashes: list[str] = []
    owner = TaskOwner("test", lambda name, error: crashes.append(name))
    await owner.start()
    made = Bench(owner, Buffers(per_call=per_call, per_session=per_session))
    try:
        yield made
    finally:
        await owner.aclose(1)
        made.dispatcher.close(ClientClosed("the test is over"))
        assert made.dispatcher.waiting == 0
        made.adds_up()
        assert crashes == []


def words(call: str, first: int, count: int) -> list[str]:
    return [f"{call}{number}" for number in range(first, first + count)]


async def begun(at: Bench, runs: int = 1) -> None:
    await until(lambda: len(at.ran) >= runs, "no handler began")
