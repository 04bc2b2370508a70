"""Dispatcher: brings events to waiters and streams in wire order, then to handlers in per-call lanes.

`publish` is called by the read path and never awaits: waiters and streams are resolved there and then, handlers are
queued. Every buffer is bounded; what is dropped is counted and told.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeAlias, TypeVar, cast

from ..errors import ClientClosed, ConfigError, ExpectTimeout, StreamOverflow, ZiwoError
from ..events import CallEvent, Destroy, Event, EventsDropped, HandlerFailed
from ..router import Registration, Router, changes
from .lanes import Lanes
from .owner import TaskHandle, TaskOwner

__all__ = ["Dispatcher", "EventStream", "Expectation", "Overflow", "Waiter"]

_log = logging.getLogger("ziwo_async.dispatch")

E = TypeVar("E", bound=Event)
Overflow = Literal["drop_oldest", "drop_newest", "fail"]
"""What an event stream does when its buffer is full."""


# A plain tuple: one is made for every event and handler.
_Run: TypeAlias = tuple[Registration, object, Event]


def _start(run: _Run) -> Coroutine[Any, Any, None]:
    registration, call, event = run
    return registration.handler(call, event) if registration.with_call else registration.handler(event)


class Waiter(Generic[E]):
    """Waits for one event. Gone from the table as soon as it is settled, timed out or cancelled."""

    __slots__ = ("future", "kind", "where")

    def __init__(self, kind: type[E], where: Callable[[E], bool] | None) -> None:
        self.kind = kind
        self.where = where
        self.future: asyncio.Future[E] = asyncio.get_running_loop().create_future()

    def offer(self, event: Event) -> None:
        """Take the event, if it is the awaited one."""
        if self.future.done() or not isinstance(event, self.kind):
            return
        try:
            wanted = self.where is None or self.where(event)
        except Exception as error:  # noqa: BLE001
            # The predicate is the waiter's own code, so its error goes to whoever waits.
            self.future.set_exception(error)
            return
        if wanted:
            self.future.set_result(event)


class Dispatcher:
    """Brings events to whoever listens."""

    def __init__(self, owner: TaskOwner, router: Router, *, lane_limit: int = 256) -> None:
        """Make a dispatcher.

        Args:
            owner: Owns the tasks that run handlers.
            router: The handlers.
            lane_limit: How many events may wait for the handlers of one call; the oldest is dropped for the next.
        """
        self._owner = owner
        self._router = router
        self._matching: dict[type[Event], tuple[Registration, ...]] = {}
        self._version = -1
        self._waiters: list[Waiter[Any]] = []
        self._streams: list[EventStream[Any]] = []
        self._lanes: Lanes[_Run] = Lanes(
            owner, _start, self._run_failed, lane_limit=lane_limit, overflowed=self._overflowed
        )
        self._during: dict[str, list[tuple[TaskHandle, float]]] = {}
        # The call of each running task, those of destroyed calls too, while they use up their grace.
        self._tasks: dict[object, str] = {}
        self._telling_overflow = False

    # -- publishing ------------------------------------------------------------

    def publish(self, event: Event, call_id: str | None, call: object) -> None:
        """Bring an event to waiters and streams now, and queue it for its handlers.

        Args:
            event: The event.
            call_id: The call whose lane it belongs to; None for the session's own lane.
            call: The call's handle, for handlers of call events.
        """
        if self._waiters:
            for waiter in tuple(self._waiters):
                waiter.offer(event)
        if self._streams:
            for stream in tuple(self._streams):
                stream.offer(event)
        kind = type(event)
        handlers = self._matching.get(kind) if changes.count == self._version else None
        for registration in self._handlers_of(kind) if handlers is None else handlers:
            if registration.when is not None and not self._wanted(registration, event):
                continue
            if registration.task:
                self._start_during(registration, call, cast("CallEvent", event))
            else:
                self._lanes.put(call_id, (registration, call, event))
        if kind is Destroy and self._during:
            self._end_during(cast("CallEvent", event).call_id)

    def _handlers_of(self, kind: type[Event]) -> tuple[Registration, ...]:
        if changes.count != self._version:
            self._matching.clear()
            self._version = changes.count
        found = self._matching.get(kind)
        if found is None:
            found = self._matching[kind] = self._router.matching(kind)
        return found

    def _wanted(self, registration: Registration, event: Event) -> bool:
        try:
            return bool(registration.when is None or registration.when(event))
        except Exception as error:  # noqa: BLE001 - user code may raise anything; it is told as HandlerFailed
            self._failed(registration, event, error)
            return False

    async def _run_during(self, token: object, run: _Run) -> None:
        try:
            await _start(run)
        except Exception as error:  # noqa: BLE001 - user code may raise anything; it is told as HandlerFailed
            self._run_failed(run, error)
        finally:
            del self._tasks[token]
            self._lanes.emptied.ring()

    def _run_failed(self, run: _Run, error: Exception) -> None:
        self._failed(run[0], run[2], error)

    def _failed(self, registration: Registration, event: Event, error: Exception) -> None:
        if isinstance(event, HandlerFailed):
            # Never tell the failure of the one who listens to failures: that would go on for ever.
            _log.error("the handler %s of HandlerFailed failed itself: %r", registration.name, error)
            return
        call_id = event.call_id if isinstance(event, CallEvent) else None
        told = HandlerFailed(
            handler=registration.name,
            error=f"{type(error).__name__}: {error}",
            failed_event=event.model_dump(mode="json", by_alias=True),
            call_id=call_id,
        )
        if not self._anyone(HandlerFailed):
            _log.error("the handler %s failed", registration.name, exc_info=error)
        self.publish(told, None, None)

    def _anyone(self, kind: type[Event]) -> bool:
        return bool(
            self._handlers_of(kind)
            or any(issubclass(kind, stream.kind) for stream in self._streams)
            or any(issubclass(kind, waiter.kind) for waiter in self._waiters)
        )

    def _overflowed(self, key: str | None, dropped: int) -> None:
        name = "the handlers of the session" if key is None else f"the handlers of call {key}"
        # Told at 1, 2, 4, 8, ...: telling each one would make a slow consumer slower.
        if self._telling_overflow or dropped & (dropped - 1):
            return
        self._telling_overflow = True
        try:
            _log.warning("%s are too slow: %d events dropped so far", name, dropped)
            self.publish(EventsDropped(consumer=name, dropped=dropped), None, None)
        finally:
            self._telling_overflow = False

    # -- handlers that last as long as the call --------------------------------

    def _start_during(self, registration: Registration, call: object, event: CallEvent) -> None:
        name, token = f"{registration.name} of call {event.call_id}", object()
        handle = self._owner.spawn(name, self._run_during, token, (registration, call, event))
        self._tasks[token] = event.call_id
        running = self._during.setdefault(event.call_id, [])
        running[:] = [(task, grace) for task, grace in running if not task.done]
        running.append((handle, registration.grace))

    def _end_during(self, call_id: str) -> None:
        for handle, grace in self._during.pop(call_id, ()):
            if not handle.done:
                asyncio.get_running_loop().call_later(grace, handle.cancel)

    # -- waiting ---------------------------------------------------------------

    async def wait_for(self, kind: type[E], where: Callable[[E], bool] | None, limit: float | None, what: str) -> E:
        """Wait for the next event of a kind.

        Raises:
            ExpectTimeout: It did not come within `limit` seconds.
            ClientClosed: The phone was closed meanwhile.
        """
        waiter = self.arm(kind, where)
        try:
            async with asyncio.timeout(limit):
                return await waiter.future
        except TimeoutError:
            raise ExpectTimeout(f"{what} did not come within {limit:g} s") from None
        finally:
            self.disarm(waiter)

    def arm(self, kind: type[E], where: Callable[[E], bool] | None) -> Waiter[E]:
        """Begin to wait; `disarm` must follow."""
        waiter = Waiter(kind, where)
        self._waiters.append(waiter)
        return waiter

    def disarm(self, waiter: Waiter[Any]) -> None:
        """Stop waiting."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        waiter.future.cancel()

    def add(self, stream: EventStream[Any]) -> None:
        """Let a stream see events."""
        self._streams.append(stream)

    def remove(self, stream: EventStream[Any]) -> None:
        """Let a stream see no more events."""
        if stream in self._streams:
            self._streams.remove(stream)

    @property
    def listeners(self) -> int:
        """How many waiters and streams there are."""
        return len(self._waiters) + len(self._streams)

    async def idle(self) -> None:
        """Wait until no event waits for a handler of `on` and none runs. Ends too when the phone closes."""
        while self._owner.running and self._lanes.busy():
            await self._lanes.emptied.wait()

    async def handlers_done(self, *, but_not: Collection[str] = ()) -> None:
        """Wait until no handler of `on` waits or runs, and no task of `during` runs. Ends too when the phone closes.

        Never ends in a handler, which would wait for itself.

        Args:
            but_not: Ids of calls whose handlers and tasks may go on.
        """
        while self._owner.running and (
            self._lanes.busy(but_not) or any(call_id not in but_not for call_id in self._tasks.values())
        ):
            await self._lanes.emptied.wait()

    def close(self, error: ZiwoError) -> None:
        """End every waiter and stream: waiters with the error, streams after what they hold."""
        for waiter in tuple(self._waiters):
            if not waiter.future.done():
                waiter.future.set_exception(error)
        self._waiters.clear()
        for stream in tuple(self._streams):
            stream.end()
        self._streams.clear()
        self._lanes.emptied.ring()


class EventStream(Generic[E]):
    """Events as an async iterator, from `async with` on until its end, bounded.

    Attributes:
        kind: The event class; children are seen too.
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
        if overflow not in ("drop_oldest", "drop_newest", "fail"):
            raise ConfigError(f"overflow must be drop_oldest, drop_newest or fail, not {overflow!r}")
        self.kind = kind
        self.dropped = 0
        self._dispatcher = dispatcher
        self._limit = buffer
        self._overflow = overflow
        self._events: deque[E] = deque()
        self._wakeup: asyncio.Future[None] | None = None
        self._ended = False
        self._failed = False

    async def __aenter__(self) -> Self:
        self._dispatcher.add(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dispatcher.remove(self)
        self.end()

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
            self._wakeup = asyncio.get_running_loop().create_future()
            try:
                await self._wakeup
            finally:
                self._wakeup = None
        return self._events.popleft()

    def offer(self, event: Event) -> None:
        """Take an event, if it is of the stream's kind. Never blocks."""
        if not isinstance(event, self.kind) or self._ended or self._failed:
            return
        if len(self._events) >= self._limit:
            self.dropped += 1
            if self._overflow == "drop_newest":
                return
            if self._overflow == "fail":
                self._failed = True
                self._wake()
                return
            self._events.popleft()
        self._events.append(event)
        self._wake()

    def end(self) -> None:
        """End the stream; what it holds can still be read."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)


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
