"""Running callbacks: each time one is due, one question to ZIWO or one dial, and one change in the store.

Nothing is remembered here that is not in the store, so it makes no difference where a program ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from ..errors import ConfigError, StoreError, ZiwoError
from ..rest.api import RestApi
from .look import Looker
from .machine import Busy, Event, Held, Lost, Placed, Ready, Sight, Trouble, deadline, step
from .records import Attempt, Callback
from .store import SqliteCallbacks
from .verdict import masked, not_dialled, pause_after, tell

__all__ = ["Dial", "Runner"]

_log = logging.getLogger("ziwo_async.callback")

Dial: TypeAlias = Callable[[str, str, str | None], Awaitable[str]]
"""Makes the call of an agent (ccLogin) to a number, with the number to show or None, and gives the call's id.

It must raise what `ziwo.cti.call` raises, and must not try again by itself: an error that does not prove that nothing
was done is taken for a call that may have been made.
"""

_HOUR = 3600.0
_AT_ONCE = 16
_LONGEST_NAP = 30.0
_REST = 10.0
_LONG_REST = 60.0
_CLOSE_WITHIN = 20.0


class Runner:
    """Runs the callbacks of a store."""

    def __init__(
        self,
        client: RestApi,
        store: SqliteCallbacks,
        *,
        dial: Dial | None,
        keep: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        """Make a runner; no I/O happens yet.

        Args:
            client: The contact centre.
            store: Where callbacks are kept.
            dial: Makes a call; click to call by api_key when None.
            keep: Callbacks that are over are forgotten after so many seconds.
            clock: Tells seconds since 1970.
            sleep: Waits so many seconds.
        """
        self._client = client
        self._store = store
        self._dial = self._by_cti if dial is None else dial
        self._look = Looker(client)
        self._keep = keep
        self._clock = clock
        self._sleep = sleep
        self._working: dict[str, asyncio.Task[None]] = {}
        self._resting: dict[str, float] = {}
        self._purged_at: float | None = None
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._wake = asyncio.Event()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # --- life ---------------------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Begin to run.

        Raises:
            ConfigError: It was started before.
        """
        if self._task is not None:
            raise ConfigError("a CallbackService is entered once: make another one")
        self._task = asyncio.create_task(self._run(), name="ziwo_async:callbacks")

    async def close(self) -> None:
        """Stop. What is under way with ZIWO gets its answer first, for some seconds."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        working = list(self._working.values())
        if working:
            _, late = await asyncio.wait(working, timeout=_CLOSE_WITHIN)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    async def _run(self) -> None:
        try:
            while True:
                self._wake.clear()
                try:
                    _, pause = await self._start_due()
                    await self._purge()
                except (StoreError, ConfigError) as error:
                    _log.error("callbacks: %s", error)
                    pause = _REST
                await self.until(self._wake, min(max(pause, 0.0), _LONGEST_NAP))
        except Exception:  # noqa: BLE001 - a bug of ours: told, and `running` is False
            _log.exception("callbacks are not run any more")

    async def tick(self) -> float | None:
        """Do once what is due now, and give the seconds until something is due again; None: there is nothing.

        Raises:
            StoreError: The store cannot be read.
            ConfigError: The store cannot be used.
        """
        tasks, _ = await self._start_due()
        if tasks:
            await asyncio.wait(tasks)
        now = self._clock()
        found, later = await self._store.due(now)
        if found:
            return 0.0
        return None if later is None else later - now

    async def _start_due(self) -> tuple[list[asyncio.Task[None]], float]:
        now = self._clock()
        found, later = await self._store.due(now)
        self._resting = {key: until for key, until in self._resting.items() if now < until <= now + _LONG_REST}
        tasks: list[asyncio.Task[None]] = []
        for it in found:
            if it.id in self._working or it.id in self._resting:
                continue
            task = asyncio.create_task(self._work(it), name=f"ziwo_async:callback {it.id}")
            self._working[it.id] = task
            tasks.append(task)
        rests = [until - now for until in self._resting.values()]
        return tasks, min([_LONGEST_NAP, *rests, *([] if later is None else [later - now])])

    async def _purge(self) -> None:
        now = self._clock()
        if self._purged_at is None or abs(now - self._purged_at) >= _HOUR:
            self._purged_at = now
            await self._store.purge(now - self._keep)

    # --- waking -------------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """There may be something due."""
        self._wake.set()

    @property
    def next_change(self) -> asyncio.Event:
        """Set at the next change of any callback that is made here."""
        return self._changed

    async def until(self, event: asyncio.Event, at_most: float) -> None:
        """Wait for an event.

        Args:
            event: The event.
            at_most: Seconds.
        """
        sleeping = asyncio.ensure_future(self._sleep(at_most))
        waking = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait((sleeping, waking), return_when=asyncio.FIRST_COMPLETED)
            if sleeping.done():
                sleeping.result()
        finally:
            sleeping.cancel()
            waking.cancel()
            await asyncio.gather(sleeping, waking, return_exceptions=True)

    # --- one callback -------------------------------------------------------------------------------------------------

    async def _work(self, it: Callback) -> None:
        try:
            async with self._at_once:
                await self._advance(it)
        except (StoreError, ConfigError) as error:
            _log.error("callback %s: %s", it.id, error)
            self._resting[it.id] = self._clock() + _REST
        except Exception:  # noqa: BLE001 - told, and one callback must not stop the others
            # A bug of ours or of a dial function. What was dialled is looked up next time, as after a crash.
            _log.exception("callback %s: unexpected", it.id)
            self._resting[it.id] = self._clock() + _LONG_REST
        finally:
            del self._working[it.id]
            self._wake.set()

    async def _advance(self, it: Callback) -> None:
        if it.state == "waiting":
            await self._begin(it)
            return
        attempt = it.attempt
        assert attempt is not None
        if it.state == "dialling":
            # Nobody here waits for its answer, or this would not be run.
            lost = await self.apply(it.id, Lost(attempt.number, "the program ended before ZIWO's answer came"))
            if lost is None or lost.state != "checking":
                return
        await self._watch(it, attempt)

    async def _begin(self, it: Callback) -> None:
        event: Busy | Ready | Held
        try:
            known = await self._look.before(it, self._clock())
            event = Busy() if known is None else Ready(known)
        except ZiwoError as error:
            event = Held(str(error), pause_after(error))
            tell(it, error)

        def decide(stored: Callback, taken: frozenset[str]) -> Callback:
            if stored != it:
                return stored  # another process, or a cancellation, was quicker
            chosen = Busy() if isinstance(event, Ready) and it.extension in taken else event
            return step(stored, chosen, self._clock())

        changed = await self._store.change(it.id, decide)
        if changed is None:
            return
        before, after = changed
        self._note(before, after)
        if before == it and after.state == "dialling" and after.attempt is not None:
            await self._send(after, after.attempt)

    async def _send(self, it: Callback, attempt: Attempt) -> None:
        """Dial. That it is about to be sent is on the disk; from here on it is never sent again."""
        event: Event
        try:
            event = Placed(attempt.number, await self._dial(attempt.extension, it.contact, it.plan.caller_id))
        except ZiwoError as error:
            event = not_dialled(attempt.number, error)
            tell(it, error)
        await self.apply(it.id, event)

    async def _by_cti(self, extension: str, contact: str, caller_id: str | None) -> str:
        del caller_id  # refused when the service was made: click to call has no parameter for it
        return (await self._client.cti.call(extension, contact)).call_id

    async def _watch(self, it: Callback, attempt: Attempt) -> None:
        event: Event
        try:
            found = await self._look.after(it, attempt, thoroughly=self._clock() >= deadline(it, attempt))
            event = Sight(attempt.number, found)
        except ZiwoError as error:
            event = Trouble(attempt.number, str(error), pause_after(error))
            tell(it, error)
        await self.apply(it.id, event)

    async def apply(self, id: str, event: Event) -> Callback | None:  # noqa: A002 - as everywhere in the package
        """Let an event happen to a callback; None when there is no such one.

        Args:
            id: Its id.
            event: The event.

        Raises:
            StoreError: It could not be stored.
            ConfigError: The store cannot be used.
        """
        changed = await self._store.change(id, lambda it, _: step(it, event, self._clock()))
        if changed is None:
            return None
        self._note(*changed)
        return changed[1]

    def _note(self, before: Callback, after: Callback) -> None:
        if before == after:
            return
        if before.state != after.state:
            _log.info("callback %s: %s, after %s: %s", after.id, after.state, before.state, masked(after, after.why))
        self._changed.set()
        self._changed = asyncio.Event()
        self._wake.set()
