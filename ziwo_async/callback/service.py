"""CallbackService: takes requests, and runs them. What to do is decided in `machine`; here it is done."""

from __future__ import annotations

import asyncio
import logging
import math
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self, TypeAlias
from urllib.parse import quote

from ..dispatch.owner import finish
from ..errors import (
    ApiError,
    AuthError,
    BadArgument,
    CannotConnect,
    ConfigError,
    DecodeError,
    ExpectTimeout,
    RateLimited,
    ServerError,
    SpendRefused,
    StoreError,
    TransportError,
    ZiwoError,
)
from ..rest.api import RestApi
from .checks import check_contact, check_key, make_plan
from .look import Looker
from .machine import Busy, Cancel, Event, Held, Lost, NotPlaced, Placed, Ready, Sight, Trouble, deadline, step
from .records import Attempt, Callback
from .store import Limits, SqliteCallbacks

__all__ = ["CallbackService", "Dial"]

_log = logging.getLogger("ziwo_async.callback")

Dial: TypeAlias = Callable[[str, str, str | None], Awaitable[str]]
"""Makes the call of an agent (ccLogin) to a number, with the number to show or None, and gives the call's id.

It must raise what `ziwo.cti.call` raises, and must not try again by itself: an error that does not prove that nothing
was done is taken for a call that may have been made.
"""

_HOUR = 3600.0
_AT_ONCE = 16
_LONGEST_NAP = 30.0
_FAR = 86_400.0
_PAUSE = 10.0
_LONG_PAUSE = 60.0
_CLOSE_WITHIN = 20.0


class CallbackService:
    """Calls visitors back: an agent's phone rings first, and when the agent has picked up, the visitor's.

    ```python
    async with CallbackService(ziwo, extensions=["0011", "0012"], store=SqliteCallbacks("callbacks.sqlite")) as calls:
        callback = await calls.request("+971 50 123 4567")
        callback = await calls.wait(callback.id, timeout=300)
        print(callback.state, callback.why)
    ```

    ZIWO's own widget rings the visitor first; no route for that is known, so this goes by click to call
    (`ziwo.cti.call`). It needs the instance's `api_key`, and the login of an admin for the call history, by which it is
    known what became of a call. Dials go through the client's `SpendPolicy`.

    **Never twice.** A dial is on the disk before it is sent. When the answer is lost, or the program dies, the call is
    looked for at the agent and in the history; it is never tried again. When it cannot be found, the callback ends
    `unclear`. The next agent, or the next round, comes only when the call before is known to be over without anybody
    having been joined. No route is known that ends a call, so a phone that rings longer than it should is waited for.

    Several services, also in several processes, may share a store.
    """

    def __init__(
        self,
        client: RestApi,
        extensions: Sequence[str],
        *,
        store: SqliteCallbacks,
        caller_id: str | None = None,
        retries: int = 2,
        timeout: float = 60.0,
        extension_timeout: float = 15.0,
        extension_delay: float = 20.0,
        expires_after: float = 900.0,
        resolve_within: float = 300.0,
        per_contact: int = 3,
        most_open: int = 200,
        keep: float = 30 * 86_400.0,
        every: float = 2.0,
        dial: Dial | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Make a service; no I/O happens yet.

        The first six options after `store` are those of ZIWO's widget, whose names for them are in parentheses.

        Args:
            client: The contact centre, with the api_key and the login of an admin.
            extensions: Agents by ccLogin, in the order in which they are tried (`extensions`). Numbers of the contact
                centre, which the widget takes too, have no known route.
            store: Where callbacks are kept.
            caller_id: The number that the visitor is to see (`callerIDNumber`). No parameter of click to call is known
                for it, so it needs `dial`.
            retries: How many more rounds follow one in which nobody was joined (`numberOfRetries`).
            timeout: Seconds for the visitor to answer (`timeout`).
            extension_timeout: Seconds for an agent to pick up (`extensionTimeout`).
            extension_delay: Seconds before the next agent, and before the next round (`extensionDelay`).
            expires_after: No dial begins so many seconds after the request.
            resolve_within: How many seconds longer than both time limits a call is looked for before it is unclear.
            per_contact: How many callbacks one number may ask for within an hour.
            most_open: How many callbacks may be under way.
            keep: Callbacks that are over are forgotten after so many seconds.
            every: Longest time between two looks at a call, in seconds.
            dial: Makes a call in another way than `ziwo.cti.call`; the `SpendPolicy` is its own business then.
            clock: Tells seconds since 1970.
            sleep: Waits so many seconds.

        Raises:
            BadArgument: A value can never work.
            ConfigError: `caller_id` without `dial`.
        """
        self._plan = make_plan(
            extensions,
            caller_id=caller_id,
            can_show_caller_id=dial is not None,
            retries=retries,
            timeout=timeout,
            extension_timeout=extension_timeout,
            extension_delay=extension_delay,
            resolve_within=resolve_within,
            every=every,
        )
        if not (0 < expires_after < math.inf and 0 < keep < math.inf and per_contact >= 1 and most_open >= 1):
            raise BadArgument("expires_after, keep, per_contact and most_open must be more than nothing, and finite")
        self._client = client
        self._store = store
        self._dial = self._by_cti if dial is None else dial
        self._look = Looker(client)
        self._limits = Limits(per_contact, _HOUR, most_open)
        self._expires_after = expires_after
        self._keep = keep
        self._clock = clock
        self._sleep = sleep
        self._working: dict[str, asyncio.Task[None]] = {}
        self._resting: dict[str, float] = {}
        self._purged_at: float | None = None
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._wake = asyncio.Event()
        self._changed = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._closer: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<CallbackService by {', '.join(self._plan.extensions)}>"

    # --- life ---------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Begin to run what is in the store, and what is requested from now on."""
        if self._runner is not None:
            raise ConfigError("a CallbackService is entered once: make another one")
        self._runner = asyncio.create_task(self._run(), name="ziwo_async:callbacks")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop. A request to ZIWO under way gets its answer first, for up to 20 seconds; the rest goes on next time."""
        if self._closer is None:
            self._closer = asyncio.create_task(self._close(), name="ziwo_async:callbacks: close")
        await finish(self._closer)

    async def _close(self) -> None:
        runner = self._runner
        if runner is not None:
            runner.cancel()
            await asyncio.wait([runner])
        working = list(self._working.values())
        if working:
            _, late = await asyncio.wait(working, timeout=_CLOSE_WITHIN)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    # --- requests -----------------------------------------------------------------------------------------------------

    async def request(self, contact: str, *, key: str | None = None) -> Callback:
        """Ask for a callback. When this returns, it is stored, and a restart does not lose it.

        A number that has a callback under way gets no second one: that one is given.

        Args:
            contact: The visitor's number, as typed.
            key: An idempotency key: asked again with the same one, the same callback is given, also when it is over.

        Raises:
            BadArgument: The contact is no telephone number, or the key was used for another number.
            SpendRefused: The number asked too often, or too many callbacks are under way; reason `rate`.
            StoreError: It could not be stored.
            ConfigError: The store cannot be used.
        """
        number, key = check_contact(contact), check_key(key)
        now = self._clock()
        wanted = Callback(
            id=uuid.uuid4().hex,
            contact=number,
            requested_at=now,
            expires_at=now + self._expires_after,
            due_at=now,
            plan=self._plan,
        )
        found, new = await self._store.add(wanted, key, self._limits, now)
        if new:
            _log.info("callback %s: requested", found.id)
            self._wake.set()
        return found

    async def get(self, id: str) -> Callback | None:  # noqa: A002 - as everywhere in the package
        """Give a callback as it is now, or None.

        Args:
            id: `Callback.id`.

        Raises:
            StoreError: The store cannot be read.
            ConfigError: The store cannot be used.
        """
        return await self._store.get(id)

    async def open(self) -> list[Callback]:
        """Give all callbacks that are not over.

        Raises:
            StoreError: The store cannot be read.
            ConfigError: The store cannot be used.
        """
        return await self._store.open()

    async def wait(self, id: str, *, timeout: float) -> Callback:  # noqa: A002
        """Wait until a callback is over, and give it.

        Args:
            id: `Callback.id`.
            timeout: Seconds, of real time.

        Raises:
            BadArgument: There is no such callback.
            ExpectTimeout: It is not over in time; it goes on.
            StoreError: The store cannot be read.
            ConfigError: The store cannot be used.
        """
        try:
            async with asyncio.timeout(timeout):
                while True:
                    changed = self._changed
                    found = await self._store.get(id)
                    if found is None:
                        raise BadArgument(f"there is no callback {id[:40]!r}")
                    if found.over:
                        return found
                    await self._woken(changed, self._plan.every)  # another process may be the one that runs it
        except ExpectTimeout:
            raise
        except TimeoutError:
            pass
        raise ExpectTimeout(f"callback {id} is not over within {timeout:g} s")

    async def cancel(self, id: str) -> Callback | None:  # noqa: A002
        """Let no further dial be made for a callback; None when there is no such one.

        A call under way goes on: no route is known that ends it. The callback is over when the call is.

        Args:
            id: `Callback.id`.

        Raises:
            StoreError: It could not be stored.
            ConfigError: The store cannot be used.
        """
        return await self._apply(id, Cancel())

    # --- running ------------------------------------------------------------------------------------------------------

    async def tick(self) -> float | None:
        """Do once what is due now, and give the seconds until something is due again; None: there is nothing.

        `async with` does this by itself. It is for those who run it by their own timer, and for tests.

        Raises:
            StoreError: The store cannot be read.
            ConfigError: The store cannot be used.
        """
        tasks, _ = await self._start_due()
        if tasks:
            await asyncio.wait(tasks)
        now = self._clock()
        found, later = await self._store.due(now, far=now + _FAR)
        if found:
            return 0.0
        return None if later is None else later - now

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                _, pause = await self._start_due()
                await self._purge()
            except (StoreError, ConfigError) as error:
                _log.error("callbacks: %s", error)
                pause = _PAUSE
            await self._woken(self._wake, min(max(pause, 0.0), _LONGEST_NAP))

    async def _start_due(self) -> tuple[list[asyncio.Task[None]], float]:
        now = self._clock()
        found, later = await self._store.due(now, far=now + _FAR)
        self._resting = {key: until for key, until in self._resting.items() if now < until < now + _FAR}
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

    async def _woken(self, event: asyncio.Event, seconds: float) -> None:
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        waking = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait((sleeping, waking), return_when=asyncio.FIRST_COMPLETED)
            if sleeping.done():
                sleeping.result()
        finally:
            sleeping.cancel()
            waking.cancel()
            await asyncio.gather(sleeping, waking, return_exceptions=True)

    async def _work(self, it: Callback) -> None:
        try:
            async with self._at_once:
                await self._advance(it)
        except (StoreError, ConfigError) as error:
            _log.error("callback %s: %s", it.id, error)
            self._resting[it.id] = self._clock() + _PAUSE
        except Exception:  # noqa: BLE001 - told, and one callback must not stop the others
            # A bug of ours or of a dial function. What was dialled is looked up next time, as after a crash.
            _log.exception("callback %s: unexpected", it.id)
            self._resting[it.id] = self._clock() + _LONG_PAUSE
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
            lost = await self._apply(it.id, Lost(attempt.number, "the program ended before ZIWO's answer came"))
            if lost is None or lost.state != "checking":
                return
        await self._watch(it, attempt)

    async def _begin(self, it: Callback) -> None:
        event: Event
        try:
            known = await self._look.before(it, self._clock())
            event = Busy() if known is None else Ready(known)
        except ZiwoError as error:
            event = Held(str(error), _pause_after(error))
            _tell(it, error)

        def decide(now_stored: Callback, taken: frozenset[str]) -> Callback:
            if now_stored != it:
                return now_stored  # another process, or a cancellation, was quicker
            chosen = Busy() if isinstance(event, Ready) and it.extension in taken else event
            return step(now_stored, chosen, self._clock())

        changed = await self._store.change(it.id, decide)
        if changed is None:
            return
        before, after = changed
        self._note(before, after)
        if before == it and after.state == "dialling" and after.attempt is not None:
            await self._send(after, after.attempt)

    async def _send(self, it: Callback, attempt: Attempt) -> None:
        event: Event
        try:
            call_id = await self._dial(attempt.extension, it.contact, it.plan.caller_id)
            event = Placed(attempt.number, call_id)
        except ZiwoError as error:
            event = _not_dialled(attempt.number, error)
            _tell(it, error)
        await self._apply(it.id, event)

    async def _watch(self, it: Callback, attempt: Attempt) -> None:
        event: Event
        try:
            found = await self._look.after(it, attempt, thoroughly=self._clock() >= deadline(it, attempt))
            event = Sight(attempt.number, found)
        except ZiwoError as error:
            event = Trouble(attempt.number, str(error), _pause_after(error))
            _tell(it, error)
        await self._apply(it.id, event)

    async def _apply(self, id: str, event: Event) -> Callback | None:  # noqa: A002
        changed = await self._store.change(id, lambda it, _: step(it, event, self._clock()))
        if changed is None:
            return None
        self._note(*changed)
        return changed[1]

    def _note(self, before: Callback, after: Callback) -> None:
        if before == after:
            return
        if before.state != after.state:
            _log.info("callback %s: %s, after %s: %s", after.id, after.state, before.state, _masked(after, after.why))
        self._changed.set()
        self._changed = asyncio.Event()
        self._wake.set()

    async def _by_cti(self, extension: str, contact: str, caller_id: str | None) -> str:
        del caller_id  # refused when the service was made: click to call has no parameter for it
        return (await self._client.cti.call(extension, contact)).call_id


def _not_dialled(number: int, error: ZiwoError) -> NotPlaced | Lost:
    """What an error says of a dial: that it was certainly not made, or that it may have been."""
    why = str(error)
    if isinstance(error, SpendRefused):
        if error.reason == "rate":
            return NotPlaced(number, "ours", why, _pause_after(error))
        return NotPlaced(number, "contact", why)
    if isinstance(error, (CannotConnect, RateLimited, AuthError)):
        return NotPlaced(number, "ours", why, _pause_after(error))
    if isinstance(error, BadArgument):
        return NotPlaced(number, "contact", why)
    if isinstance(error, ConfigError):
        return NotPlaced(number, "ours", why, _pause_after(error))
    # 408: a server in between lost patience, and does not know more than we.
    if isinstance(error, ApiError) and not isinstance(error, (ServerError, DecodeError)) and error.status != 408:
        return NotPlaced(number, "agent", why)
    return Lost(number, why)


def _pause_after(error: Exception) -> float:
    if isinstance(error, (SpendRefused, RateLimited)) and error.retry_after is not None:
        return min(max(error.retry_after, 1.0), _LONG_PAUSE)
    return _PAUSE if isinstance(error, TransportError) or getattr(error, "retryable", False) else _LONG_PAUSE


def _tell(it: Callback, error: ZiwoError) -> None:
    level = logging.ERROR if isinstance(error, (ConfigError, AuthError)) else logging.WARNING
    _log.log(level, "callback %s: %s", it.id, _masked(it, str(error)))


def _masked(it: Callback, text: str) -> str:
    """Take the visitor's number out of a text: it is personal, and logs go far."""
    return text.replace(quote(it.contact, safe=""), "(number)").replace(it.contact, "(number)")
