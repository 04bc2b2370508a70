"""CallbackService: takes requests for callbacks, and runs them."""

from __future__ import annotations

import asyncio
import logging
import math
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

from ..dispatch.owner import finish
from ..errors import BadArgument, ExpectTimeout
from ..rest.api import RestApi
from .checks import check_contact, check_key, make_plan
from .machine import Cancel
from .records import Callback
from .runner import Dial, Runner
from .store import Limits, SqliteCallbacks

__all__ = ["CallbackService"]

_log = logging.getLogger("ziwo_async.callback")

_HOUR = 3600.0


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

        What ZIWO's widget has too has its name there in parentheses.

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
        self._store = store
        self._limits = Limits(per_contact, _HOUR, most_open)
        self._expires_after = expires_after
        self._clock = clock
        self._runner = Runner(client, store, dial=dial, keep=keep, clock=clock, sleep=sleep)
        self._closer: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<CallbackService by {', '.join(self._plan.extensions)}>"

    # --- life ---------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Begin to run what is in the store, and what is requested from now on."""
        self._runner.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop. A request to ZIWO under way gets its answer first, for up to 20 seconds; the rest goes on next time."""
        if self._closer is None:
            self._closer = asyncio.create_task(self._runner.close(), name="ziwo_async:callbacks: close")
        await finish(self._closer)

    @property
    def running(self) -> bool:
        """Whether callbacks are run here: for a health check."""
        return self._runner.running

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
            self._runner.wake()
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
                    changed = self._runner.next_change
                    found = await self._store.get(id)
                    if found is None:
                        raise BadArgument(f"there is no callback {id[:40]!r}")
                    if found.over:
                        return found
                    await self._runner.until(changed, self._plan.every)  # another process may be the one that runs it
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
        return await self._runner.apply(id, Cancel())

    async def tick(self) -> float | None:
        """Do once what is due now, and give the seconds until something is due again; None: there is nothing.

        `async with` does this by itself. It is for those who run it by their own timer, and for tests.

        Raises:
            StoreError: The store cannot be read.
            ConfigError: The store cannot be used.
        """
        return await self._runner.tick()
