"""EventStream and Expectation: what a program reads events with, outside of handlers."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Literal, Self, TypeVar, get_args

from ..errors import ClientClosed, ConfigError, ExpectTimeout, StreamOverflow
from ..events import Event, EventsDropped, SlowConsumer
from .tally import Tally, marks, worth_telling

if TYPE_CHECKING:
    from .dispatcher import Dispatcher, Waiter

__all__ = ["EventStream", "Expectation", "Overflow"]

_log = logging.getLogger("ziwo_async.dispatch")

E = TypeVar("E", bound=Event)
Overflow = Literal["drop_oldest", "drop_newest", "fail"]
"""What an event stream does when its buffer is full."""


class EventStream(Generic[E]):
    """Events as an async iterator, from `async with` on until its end, bounded.

    Several tasks may read the same stream: each event goes to one of them. A cancelled reader loses no event.

    Attributes:
        kind: The event class; children are seen too.
        name: How `SlowConsumer` and `EventsDropped` name it: `events(<class>)`. It gets neither about itself.
        dropped: How many events were dropped because the buffer was full.
    """

    def __init__(
        self, dispatcher: Dispatcher, kind: type[E], *, buffer: int = 1000, overflow: Overflow = "drop_oldest"
    ) -> None:
        """Make a stream; it sees events from `async with` on.

        Args:
            dispatcher: Where the events come from.
            kind: The event class.
            buffer: How many unread events are kept.
            overflow: What to do with one more: `drop_oldest`, `drop_newest`, or `fail` the reader.

        Raises:
            ConfigError: `buffer` is not positive, or `overflow` is none of the three words.
        """
        if buffer < 1:
            raise ConfigError(f"the buffer of an event stream must hold at least one event, not {buffer}")
        if str(overflow) == "block":
            raise ConfigError(
                "overflow='block' is for handlers: the connection is read on, so a stream cannot make it wait. Give a"
                " larger buffer=, and drop_oldest, drop_newest or fail."
            )
        if overflow not in get_args(Overflow):
            raise ConfigError(f"overflow must be drop_oldest, drop_newest or fail, not {overflow!r}")
        self.kind = kind
        self.name = f"events({kind.__name__})"
        self.dropped = 0
        self._dispatcher = dispatcher
        self._limit = buffer
        self._half, self._quarter = marks(buffer)
        self._overflow = overflow
        self._events: deque[tuple[E, float]] = deque()
        self._readers: list[asyncio.Future[None]] = []
        self._ended = False
        self._failed = False
        self._slow = False
        self._tally = Tally()
        self._tell: Callable[[SlowConsumer | EventsDropped], None] | None = None
        self._news: Event | None = None
        self._now: Callable[[], float] | None = None

    async def __aenter__(self) -> Self:
        self._dispatcher.add(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dispatcher.remove(self)
        self.end()

    def join(self, tally: Tally, tell: Callable[[SlowConsumer | EventsDropped], None]) -> None:
        """Begin to see events; called by the dispatcher.

        Args:
            tally: Where all streams count.
            tell: Takes what is to be published about this one.
        """
        self._tally, self._tell = tally, tell
        self._now = asyncio.get_running_loop().time

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:
        while not self._events:
            if self._failed:
                raise StreamOverflow(
                    f"the stream was read too slowly: {self.dropped} events lost", dropped=self.dropped
                )
            if self._ended:
                raise StopAsyncIteration
            # Only woken here, never handed an event: a reader that is cancelled has none to lose (nats.py PR 804).
            reader: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._readers.append(reader)
            try:
                await reader
            finally:
                self._readers.remove(reader)
        self._tally.handled += 1
        return self._events.popleft()[0]

    @property
    def waiting(self) -> int:
        """How many events are unread."""
        return len(self._events)

    def offer(self, event: Event) -> None:
        """Take an event, if it is of the stream's kind. Never blocks."""
        if not isinstance(event, self.kind) or self._ended or event is self._news:
            return
        self._tally.published += 1
        before = len(self._events)
        if (self._failed or before >= self._limit) and not self._drop():
            return
        now = self._now() if self._now is not None else 0.0
        self._events.append((event, now))
        if not self._slow:
            if before + 1 >= self._half:
                self._slow = True
                lag = now - self._events[0][1]
                _log.warning("%s: %d events wait, the oldest for %.3f s", self.name, before + 1, lag)
                self._say(SlowConsumer(consumer=self.name, depth=before + 1, limit=self._limit, lag_seconds=lag))
        elif before < self._quarter:
            # It grows only here, so no low is missed.
            self._slow = False
        self._wake()

    def _drop(self) -> bool:
        """Drop an event by the policy; returns whether the new one may be added."""
        self.dropped += 1
        self._tally.dropped += 1
        if worth_telling(self.dropped):
            _log.warning("%s: read too slowly, %d events dropped so far", self.name, self.dropped)
            self._say(EventsDropped(consumer=self.name, dropped=self.dropped))
        if self._overflow == "fail":
            self._failed = True
            self._wake()
        if self._overflow != "drop_oldest":
            return False
        self._events.popleft()
        return True

    def _say(self, news: SlowConsumer | EventsDropped) -> None:
        self._news = news
        if self._tell is not None:
            self._tell(news)

    def end(self) -> None:
        """End the stream; what it holds can still be read."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        for reader in self._readers:
            if not reader.done():
                reader.set_result(None)


class Expectation(Generic[E]):
    """Armed before you act, so that an event that comes at once is not missed.

    ```python
    async with client.expect(Ringing, timeout=5) as expected:
        await customer.dials(agent)
    print(expected.event.customer_number)
    ```
    """

    def __init__(
        self, dispatcher: Dispatcher, kind: type[E], where: Callable[[E], bool] | None, timeout: float | None
    ) -> None:
        """Make an expectation; it is armed at `async with`.

        Args:
            dispatcher: Where the events come from.
            kind: The event class.
            where: Which of them; None for the next.
            timeout: Seconds to wait at the end of the block; None waits for ever.
        """
        self._dispatcher = dispatcher
        self._kind = kind
        self._where = where
        self._timeout = timeout
        self._waiter: Waiter[E] | None = None
        self._event: E | None = None

    async def __aenter__(self) -> Self:
        self._waiter = self._dispatcher.arm(self._kind, self._where)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        waiter = self._waiter
        if waiter is None:
            return
        try:
            if error is None:
                async with asyncio.timeout(self._timeout):
                    self._event = await waiter.future
        except TimeoutError:
            raise ExpectTimeout(f"no {self._kind.__name__} came within {self._timeout} s") from None
        finally:
            self._dispatcher.disarm(waiter)

    @property
    def event(self) -> E:
        """The event that came.

        Raises:
            ClientClosed: The block has not ended, so nothing is known yet.
        """
        if self._event is None:
            raise ClientClosed("the expected event is known after the 'async with' block")
        return self._event
