"""Dispatcher: brings events to waiters and streams in wire order, then to handlers in per-call lanes.

`publish` is called by the read path and never awaits: waiters and streams are resolved there and then, handlers are
queued. Every buffer is bounded; what is dropped is counted and told.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from dataclasses import replace
from typing import Any, Generic, TypeVar, cast

from ..config import Buffers
from ..errors import ExpectTimeout, ZiwoError
from ..events import CallEvent, Destroy, Event, EventsDropped, HandlerFailed, SlowConsumer
from ..router import Registration, Router, changes
from .lanes import Lanes, Run, cancelled_from_outside
from .owner import TaskHandle, TaskOwner
from .streams import EventStream
from .tally import Tally

__all__ = ["Dispatcher", "Waiter"]

_log = logging.getLogger("ziwo_async.dispatch")

E = TypeVar("E", bound=Event)


def _start(run: Run) -> Coroutine[Any, Any, None]:
    registration, call, event, _ = run
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

    def __init__(self, owner: TaskOwner, router: Router, *, buffers: Buffers | None = None) -> None:
        """Make a dispatcher.

        Args:
            owner: Owns the tasks that run handlers.
            router: The handlers.
            buffers: How many events may wait for handlers.
        """
        self._owner = owner
        self._router = router
        self._matching: dict[type[Event], tuple[Registration, ...]] = {}
        self._version = -1
        self._waiters: list[Waiter[Any]] = []
        self._streams: list[EventStream[Any]] = []
        self._lanes = Lanes(
            owner, _start, failed=self._run_failed, tell=self.tell, flush=self._flush, buffers=buffers or Buffers()
        )
        self._during: dict[str, list[tuple[TaskHandle, float]]] = {}
        # The call of each running task, those of destroyed calls too, while they use up their grace.
        self._tasks: dict[object, str] = {}
        self._tasks_tally = Tally()
        self._streams_tally = Tally()
        self._untold: deque[SlowConsumer | EventsDropped] = deque()
        self._flushing = False

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
                self._lanes.put(call_id, registration, call, event)
        if kind is Destroy:
            if self._during:
                self._end_during(cast("CallEvent", event).call_id)
            if self._lanes.room.out:
                self._lanes.room.out.pop(call_id, None)
        if self._untold:
            self._flush()

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

    async def _run_during(self, token: object, run: Run) -> None:
        try:
            await _start(run)
        except asyncio.CancelledError as error:
            if cancelled_from_outside():
                raise
            self._run_failed(run, error)
        except Exception as error:  # noqa: BLE001 - user code may raise anything; it is told as HandlerFailed
            self._run_failed(run, error)
        finally:
            del self._tasks[token]
            self._lanes.emptied.ring()

    def _run_failed(self, run: Run, error: BaseException) -> None:
        self._failed(run[0], run[2], error)

    def _failed(self, registration: Registration, event: Event, error: BaseException) -> None:
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

    # -- back-pressure ---------------------------------------------------------

    def tell(self, news: SlowConsumer | EventsDropped) -> None:
        """Take news about a consumer, to be published after the event that is being published now."""
        self._untold.append(news)

    def _flush(self) -> None:
        # News may make news, when those who listen to it are slow themselves: each is told once, so it comes to an end.
        if self._flushing:
            return
        self._flushing = True
        told: set[tuple[type[Event], str, str | None]] = set()
        try:
            while self._untold:
                news = self._untold.popleft()
                what = (type(news), news.consumer, news.call_id)
                if what not in told:
                    told.add(what)
                    self.publish(news, None, None)
        finally:
            self._flushing = False

    @property
    def counters(self) -> dict[str, Tally]:
        """What became of the events, by kind of consumer: `handlers` (of `on`), `tasks` (of `during`), `streams`.

        Of handlers and tasks, those that were chosen by their predicate are counted. At any time
        published = handled + dropped + waiting, for each; after the phone was closed nothing waits for handlers.
        """
        return {
            "handlers": self._lanes.tally,
            "tasks": replace(self._tasks_tally),
            "streams": replace(self._streams_tally),
        }

    @property
    def waiting(self) -> int:
        """How many events wait for handlers."""
        return self._lanes.waiting

    @property
    def dropped(self) -> int:
        """How many events were dropped, for all consumers together."""
        return sum(tally.dropped for tally in self.counters.values())

    # -- handlers that last as long as the call --------------------------------

    def _start_during(self, registration: Registration, call: object, event: CallEvent) -> None:
        self._tasks_tally.published += 1
        if not self._owner.running:
            self._tasks_tally.dropped += 1
            return
        self._tasks_tally.handled += 1
        name, token = f"{registration.name} of call {event.call_id}", object()
        handle = self._owner.spawn(name, self._run_during, token, (registration, call, event, 0.0))
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
        stream.join(self._streams_tally, self.tell)

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
        if not self._owner.running:
            self._lanes.discard()
