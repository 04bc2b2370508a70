"""The feed of missed calls: looks at the history again and again, and gives each missed call once.

A CDR appears when its call ENDS, and the history is sorted by when calls STARTED: a long call appears behind others
that were given long ago. So each look goes back by the longest time that a call may last, the overlap, and calls that
were given are recognised by their ids. Only server times are compared with each other, so the clocks need not agree;
but no record takes the feed farther than our own clock: one with a start in the future would end it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Self, TypeVar

from ..errors import BadArgument, DecodeError, PlaceError, RateLimited, ZiwoError
from .history import WINDOW, CdrReader, HistoryQuery, cdr_pages, read_history
from .models.base import parse
from .models.cdr import Cdr
from .models.profile import Profile
from .period import MARGIN, Days, Period
from .places import Place, PlaceStore, SqlitePlaces
from .prepared import Params
from .transport import Transport

__all__ = ["MissedCalls"]

_log = logging.getLogger("ziwo_async.rest")

_PAGE = 100
_PROOF = 20  # so many calls in order are no coincidence
_STORE_SECONDS = 10.0
_BACKOFF_BASE = 2.0
_BACKOFF_CAP = 300.0
_MOST_DOUBLINGS = 10
_MOST_UNREADABLE = 5
_SKEW = timedelta(hours=1)  # so far clocks may differ without a word
_NOTHING = timedelta()
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)
_AFTER_ALL = datetime.max.replace(tzinfo=UTC)

_T = TypeVar("_T")


class MissedCalls:
    """Every missed call, as they come: `async for cdr in ziwo.calls.missed(): ...` never ends.

    A call is missed when it is inbound and no person answered; a voicemail counts as missed. Calls of one look at the
    history come in order of their start. The same call is not given again, even when its record changes later.

    **At least once.** A call counts as handled when the loop comes back for the next one, and only then is it stored.
    When the program dies in the middle, or the loop is left by `break`, the call at hand is given again next time, and
    no other. So handle a call in the loop's body, and be ready to see the last one twice.

    **Failures.** What network and server do wrong is logged, and tried again after a pause (full jitter, up to five
    minutes); so is a store that is locked or does not answer. Wrong credentials and missing permission raise, and so
    does an answer that could not be read five times in a row; the feed can be iterated again afterwards and has lost
    nothing. Cancelling a wait, as `asyncio.timeout` does, is fine as well. An instance is for one task.

    **Limits.** A call that lasts longer than `overlap` may be overlooked, and one without a time of start is. The times
    are the server's, but for `since`, which is taken from this machine's clock when it is None or a time back. A call
    that starts in the future by this machine's clock is given, and else ignored.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        since: datetime | timedelta | None = None,
        every: float = 30.0,
        overlap: timedelta = timedelta(hours=6),
        store: PlaceStore | None = None,
        name: str = "missed",
        user: str | None = None,
        page_size: int = _PAGE,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        """Make a feed; no I/O happens before the first step.

        Args:
            transport: The way to the REST API.
            since: Where to begin when the store knows no place: calls that ended at this moment or later, or so long
                ago; now when None. When the store knows the place, the feed goes on there, and nothing is left out.
            every: Seconds between two looks at the history.
            overlap: How long a call may last and still be found. Each look goes back so far, and so long are ids
                remembered.
            store: Where the place is remembered; `SqlitePlaces()` when None.
            name: Name of the place. It is stored together with contact centre and user; one name is for one program.
            user: Whose place it is; by default the user name in the profile.
            page_size: Records to ask for at a time.
            clock: Tells seconds since the epoch.
            sleep: Waits so many seconds.
            rng: Where the jitter comes from.

        Raises:
            BadArgument: An argument can never work.
        """
        if isinstance(since, datetime) and since.tzinfo is None:
            raise BadArgument(f"since={since} has no time zone: which moment is meant? Use datetime.now(UTC)")
        if isinstance(since, timedelta) and since < timedelta():
            raise BadArgument("since is a time back from now, so it cannot be negative")
        if not every > 0 or overlap <= timedelta() or page_size < 1 or not name:
            raise BadArgument("every, overlap and page_size must be more than nothing, and name not empty")
        self._transport = transport
        self._since = since
        self._every = every
        self._overlap = overlap
        self._store = SqlitePlaces() if store is None else store
        self._name = name
        self._user = user
        self._page_size = page_size
        self._clock = clock
        self._sleep = sleep
        self._rng = rng or random.Random()  # noqa: S311 - jitter
        self._stored_as = ""
        self._saved = ""
        self._began: datetime | None = None
        self._warned = False
        self._read_rows = CdrReader()
        self._place: Place | None = None
        self._look: AsyncGenerator[Cdr] | None = None
        self._failures = 0
        self._pause = 0.0
        self._paused_at = 0.0

    def __repr__(self) -> str:
        return f"<MissedCalls {self._name!r} of {self._transport.base_url}>"

    def __aiter__(self) -> Self:
        # A loop that was left by `break` has not handled its last call: look again, it is given again.
        self._look = None
        return self

    async def __anext__(self) -> Cdr:
        """Give the next missed call; wait for it as long as it takes.

        Raises:
            BadCredentials: The server refuses user and password.
            TokenExpired: The server refuses the token, and there is no password.
            Forbidden: The user may not read the history.
            PlaceError: The place cannot be read or written.
            ConfigError: The store cannot be used.
            ClientClosed: The client is closed.
        """
        while True:
            await self._wait()
            if self._look is None:
                self._look = self._looking()
            try:
                return await anext(self._look)
            except StopAsyncIteration:
                self._failures = 0
                self._rest(self._every)
            except ZiwoError as error:
                self._rest(self._backoff(error))
            except BaseException:
                self._look = None
                raise

    async def aclose(self) -> None:
        """Stop in the middle; the call at hand is given again next time. The feed can be iterated again."""
        look, self._look = self._look, None
        if look is not None:
            await look.aclose()

    # --- pauses ---------------------------------------------------------------------------------------------------

    def _rest(self, seconds: float) -> None:
        self._look = None
        self._pause = seconds
        self._paused_at = self._clock()

    async def _wait(self) -> None:
        # What is left of the pause, as the wait may have been cancelled before. A clock that was set back costs no more
        # than one whole pause.
        left = min(self._pause, self._paused_at + self._pause - self._clock())
        if left > 0:
            await self._sleep_or_close(left)
        self._pause = 0.0

    async def _sleep_or_close(self, seconds: float) -> None:
        """Sleep, but no longer than the client is open: the next request then says that it is closed."""
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        closing = asyncio.ensure_future(self._transport.until_closed())
        try:
            await asyncio.wait((sleeping, closing), return_when=asyncio.FIRST_COMPLETED)
            if sleeping.done():
                sleeping.result()
        finally:
            sleeping.cancel()
            closing.cancel()
            await asyncio.gather(sleeping, closing, return_exceptions=True)

    def _backoff(self, error: ZiwoError) -> float:
        """Tell how long to wait after a failure; raise it when waiting does not help."""
        self._look = None
        self._failures += 1
        unreadable = isinstance(error, DecodeError) and self._failures < _MOST_UNREADABLE
        if not error.retryable and not unreadable:
            self._failures = 0
            raise error
        pause = self._rng.uniform(0, min(_BACKOFF_CAP, _BACKOFF_BASE * 2 ** min(self._failures, _MOST_DOUBLINGS)))
        if isinstance(error, RateLimited) and error.retry_after is not None:
            pause = min(_BACKOFF_CAP, max(pause, error.retry_after))
        _log.warning("missed calls: %s; trying again in %.0f s", error, pause)
        return pause

    # --- the place ------------------------------------------------------------------------------------------------

    async def _begin(self) -> Place:
        """Find the place where the feed goes on, or begins."""
        # Of the first try: what is missed while later ones fail is not left out.
        now = self._began = self._began or self._now()
        if self._user is None:
            reply = await self._transport.request("GET", "/profile")
            profile = parse(Profile, reply, method="GET", path="/profile")
            self._user = profile.username or str(profile.id)
        # A list in JSON: no name can look like another contact centre or user.
        self._stored_as = json.dumps([self._transport.base_url, self._user, self._name])
        text = await self._in_time(self._store.load(self._stored_as))
        if text is not None:
            return self._read(text)
        try:
            since = (
                self._since.astimezone(UTC) if isinstance(self._since, datetime) else now - (self._since or _NOTHING)
            )
            _ = since - self._overlap - MARGIN
        except OverflowError:
            raise BadArgument("since or overlap go back too far") from None
        place = Place.at(since, self._overlap)
        await self._save(place)  # at once: a program that dies before the first call begins here again
        return place

    def _read(self, text: str) -> Place:
        try:
            place = Place.from_json(text)
        except ValueError as error:
            raise PlaceError(f"the stored place of the feed {self._name!r} cannot be read: {error}") from None
        self._saved = text
        return place

    async def _save(self, place: Place) -> None:
        text = place.to_json()
        if text != self._saved:
            await self._in_time(self._store.save(self._stored_as, text))
            self._saved = text

    async def _in_time(self, working: Awaitable[_T]) -> _T:
        try:
            async with asyncio.timeout(_STORE_SECONDS):
                return await working
        except TimeoutError:
            pass
        error = PlaceError(f"the store of the feed {self._name!r} gave no answer within {_STORE_SECONDS:g} s")
        error.retryable = True
        raise error

    # --- time -----------------------------------------------------------------------------------------------------

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _heal(self, place: Place, now: datetime) -> None:
        if place.heal(now, self._overlap):
            text = "missed calls: the stored place was in the future; going on %s back, so calls may come again"
            _log.warning(text, self._overlap)

    def _pass(self, place: Place, cdr: Cdr, now: datetime) -> None:
        place.passed(cdr, now)
        if not self._warned and cdr.start is not None and cdr.start - now > _SKEW:
            self._warned = True  # once: the record comes with every look
            text = (
                "missed calls: call %s starts in the future (%s); is a clock wrong? The feed goes on by this machine's"
            )
            _log.warning(text, cdr.key, cdr.start)

    # --- one look at the history ----------------------------------------------------------------------------------

    async def _looking(self) -> AsyncGenerator[Cdr]:
        """Look at the history once, and give what is new. Being asked for the next one, the last one is handled."""
        if self._place is None:
            self._place = await self._begin()
        place, now = self._place, self._now()
        self._heal(place, now)
        await self._save(place)  # what failed to be stored: no other call is given before that
        # Not as far as this look sees, but as the one before saw: what moved to another page while we read, and was
        # overlooked, is found by the next look.
        horizon = place.newest - self._overlap
        async with aclosing(self._ascending(place.horizon, now)) as calls:
            async for cdr, safe in calls:
                wanted = place.wants(cdr)
                if wanted:
                    yield cdr
                    place.handled(cdr)
                self._pass(place, cdr, now)
                if wanted:
                    place.leave(safe)
                    await self._save(place)
        place.leave(horizon)
        await self._save(place)

    async def _ascending(self, horizon: datetime, now: datetime) -> AsyncGenerator[tuple[Cdr, datetime]]:
        """Give all calls since the horizon in order of their start, each with where the horizon may be after it."""
        tail = await self._tail(horizon)
        if tail.whole:
            for cdr in sorted(tail.calls.values(), key=lambda cdr: (_start(cdr), cdr.key)):
                yield cdr, horizon
            return
        # No farther than the tail went: a call that ends while we read is behind that at most by the overlap.
        top = min(now, max(_start(cdr) for cdr in tail.calls.values()))
        query = HistoryQuery(period=Period.of(horizon, None), size=self._page_size)
        async for cdr in read_history(self._transport, query, read=self._read_rows):
            yield cdr, horizon if cdr.start is None else min(cdr.start, top) - self._overlap

    async def _tail(self, horizon: datetime) -> _Tail:
        """Collect the calls since the horizon, from the newest backwards. Not whole when there are too many."""
        calls: dict[str, Cdr] = {}
        falling, read, last = True, 0, _AFTER_ALL
        params: Params = {**Days((horizon - MARGIN).date()).params(), "order": "~startedAt"}
        found = cdr_pages(self._transport, params, size=self._page_size, read=self._read_rows)
        async with aclosing(found):
            async for page in found:
                starts = [_start(cdr) for cdr in page.records] or [last]
                calls.update((cdr.key, cdr) for cdr in page.records if _start(cdr) >= horizon)
                falling = falling and all(a >= b for a, b in pairwise([last, *starts]))
                last = starts[-1]
                if len(calls) > WINDOW:
                    return _Tail(calls, whole=False)
                read += len(starts)
                if falling and read >= _PROOF and starts[0] < horizon:
                    break  # all that follow are older, provided that the server keeps the order; it did so far
        return _Tail(calls, whole=True)


@dataclass(frozen=True, slots=True)
class _Tail:
    calls: Mapping[str, Cdr]
    whole: bool


def _start(cdr: Cdr) -> datetime:
    return cdr.start or _BEFORE_ALL
