"""Runs a handler once for each call, however often and however fast ZIWO sends the same."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from enum import Enum
from hashlib import sha256

from .handler import Strays, result_of
from .once import Claim, OnceStore
from .stats import HookStats

__all__ = ["Outcome", "Repeats"]

_log = logging.getLogger("ziwo_async.webhooks")
_LONGEST_KEY = 200
# Seconds: how often another process is asked whether it is done, at first and at most.
_FIRST_LOOK, _SLOWEST_LOOK = 0.02, 0.5


class Outcome(Enum):
    """What became of a request."""

    DONE = "done"
    FAILED = "failed"
    BUSY = "busy"


class Repeats:
    """Owns the handlers that run. A request waits for its handler, or for the one of its twin."""

    def __init__(self, store: OnceStore, stats: HookStats, strays: Strays, *, limit: float) -> None:
        """Make it.

        Args:
            store: What was handled already.
            stats: What is counted.
            strays: Who owns handlers that were given up.
            limit: Seconds that a handler may take.
        """
        self._store = store
        self._stats = stats
        self._strays = strays
        self._limit = limit
        self._jobs: dict[str, asyncio.Task[Outcome]] = {}

    async def run(
        self, key: str, handler: Callable[[], Coroutine[object, object, object]], *, threaded: bool
    ) -> Outcome:
        """Run a handler, unless that was done before or is being done.

        The handler runs on when the request is given up: half of it would be worse than all of it.

        Args:
            key: What is handled.
            handler: The handler.
            threaded: Whether it runs in a thread, and so cannot be cancelled.
        """
        key = key if len(key) <= _LONGEST_KEY else f"sha256:{sha256(key.encode()).hexdigest()}"
        job = self._jobs.get(key)
        if job is None:
            job = asyncio.create_task(self._job(key, handler, threaded), name=f"webhook {key[:60]}")
            self._jobs[key] = job
            job.add_done_callback(lambda _: self._jobs.pop(key, None))
        else:
            self._stats.repeated += 1
        # Longer than a handler may take, so that only one that cannot be stopped is not waited for.
        done, _ = await asyncio.wait((job,), timeout=self._limit + 1.0)
        if not done or job.cancelled():
            return Outcome.BUSY
        return job.result()

    async def aclose(self, limit: float) -> None:
        """Wait for the handlers, then cancel them.

        Args:
            limit: Seconds to wait at most, before and after.
        """
        if not self._jobs:
            return
        _, pending = await asyncio.wait(self._jobs.values(), timeout=limit)
        for job in pending:
            job.cancel()
        if pending:
            _log.warning("%d handlers were cancelled because the service closes", len(pending))
            await asyncio.wait(pending, timeout=limit)

    async def _job(self, key: str, handler: Callable[[], Coroutine[object, object, object]], threaded: bool) -> Outcome:
        owner = secrets.token_hex(8)
        try:
            claim = await self._claimed(key, owner)
        except Exception:  # noqa: BLE001 - a store may be a user's, and is logged
            # Without the store nobody knows whether it was handled, and twice is worse than later.
            _log.exception("the store of what was handled failed; the request is to be sent again")
            return Outcome.BUSY
        if claim != "yours":
            self._stats.repeated += claim == "done"
            return Outcome.DONE if claim == "done" else Outcome.BUSY
        try:
            handled = await self._handled(key, owner, handler, threaded)
        except asyncio.CancelledError:
            if not threaded:
                await self._settle(key, owner, handled=False)
            # A thread cannot be stopped: its claim ends by itself.
            raise
        await self._settle(key, owner, handled=handled)
        return Outcome.DONE if handled else Outcome.FAILED

    async def _claimed(self, key: str, owner: str) -> Claim:
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + self._limit, _FIRST_LOOK
        while True:
            claim = await self._store.claim(key, owner)
            if claim != "busy" or loop.time() + pause > end:
                return claim
            # It is another process that is at it, and it has no way to tell.
            await asyncio.sleep(pause)
            pause = min(pause * 2, _SLOWEST_LOOK)

    async def _handled(
        self, key: str, owner: str, handler: Callable[[], Coroutine[object, object, object]], threaded: bool
    ) -> bool:
        running = asyncio.create_task(handler())
        try:
            too_long = await self._watch(running, key, owner, threaded=threaded)
        except BaseException:
            self._strays.take(running)
            raise
        if too_long and running.cancelled():
            return False
        try:
            result_of(running)
        except Exception:  # noqa: BLE001 - user code may raise anything; it is logged, and told as HTTP 500
            self._stats.failed += 1
            _log.exception("the handler failed")
            return False
        self._stats.handled += 1
        return True

    async def _watch(self, running: asyncio.Task[object], key: str, owner: str, *, threaded: bool) -> bool:
        """Wait until a handler has ended, and renew its claim; nobody else may begin while it has not.

        Returns:
            Whether it took too long.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + self._limit
        told = False
        while True:
            pause = self._store.lease / 3
            done, _ = await asyncio.wait((running,), timeout=pause if told else min(pause, end - loop.time()))
            if done:
                return told
            if not told and loop.time() >= end:
                told = True
                self._stats.timed_out += 1
                _log.error("the handler takes more than %s s%s", self._limit, "" if threaded else ", and is cancelled")
                if not threaded:
                    running.cancel()
            await self._renew(key, owner)

    async def _renew(self, key: str, owner: str) -> None:
        try:
            if await self._store.claim(key, owner) != "yours":
                _log.error("a handler took so long to let go of the event loop that another process may run it too")
        except Exception:  # noqa: BLE001 - a store may be a user's, and is logged
            _log.exception("the claim of a handler that runs could not be renewed")

    async def _settle(self, key: str, owner: str, *, handled: bool) -> None:
        try:
            if handled:
                await self._store.finish(key, owner)
            else:
                await self._store.release(key, owner)
        except Exception:  # noqa: BLE001 - a store may be a user's, and is logged
            _log.exception("the store of what was handled failed after the handler had run")
