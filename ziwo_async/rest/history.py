"""Reading the call history: every call once, in order of its start, with bounded memory.

The server's order and filters are not relied upon, as integrators do not rely on them. A range with many calls is read
in windows of whole days, each collected and sorted before anything is given; what the windows have in common is given
once.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ..errors import BadArgument
from .models.base import parse_rows
from .models.cdr import Cdr
from .paging import PAGE_SIZE, PageStyle
from .period import Days, Period
from .prepared import Params
from .transport import Transport

__all__ = ["WINDOW", "CdrPage", "HistoryQuery", "read_history", "read_pages", "time_of"]

_log = logging.getLogger("ziwo_async.rest")

WINDOW = 2_000
"""With more calls than this, a range of several days is read in parts."""

_PATH = "/callHistory/"
_MOST_REPEATS = 3
_MOST_FRUITLESS = 20
_ROUNDS = 3
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CdrPage:
    """One page of the history, as it came.

    Attributes:
        records: Its calls, those of earlier pages included.
        total: How many there are in all, if the server told.
    """

    records: Sequence[Cdr]
    total: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryQuery:
    """What to read, and how.

    Attributes:
        period: When the calls started.
        filters: Further query parameters.
        newest_first: The order in which calls are given.
        style: How a page is asked for.
        size: Records to ask for at a time.
    """

    period: Period
    filters: Params = field(default_factory=dict[str, str])
    newest_first: bool = False
    style: PageStyle = "limit"
    size: int = PAGE_SIZE

    def params(self, days: Days) -> Params:
        """Give the query parameters for some days."""
        return {**self.filters, **days.params(), "order": "~startedAt" if self.newest_first else "startedAt"}


def time_of(cdr: Cdr) -> datetime | None:
    """Give the start of a call, or the best substitute: its answer, its end, the creation of the record."""
    return cdr.start or cdr.answer or cdr.end or cdr.created_at


async def read_pages(
    transport: Transport, params: Params, *, size: int, style: PageStyle = "limit"
) -> AsyncGenerator[CdrPage]:
    """Read the history page by page, to its end. Where `pages` gives new records only, this gives whole pages.

    Args:
        transport: The way to the REST API.
        params: Filters and order.
        size: Records to ask for at a time.
        style: How a page is asked for.

    Raises:
        BadArgument: The size is no positive number.
        ZiwoError: As for `Transport.request`.
    """
    if size < 1:
        raise BadArgument(f"a page has at least 1 record, not {size}")
    seen: set[str] = set()
    former: list[str] = []
    skip = fruitless = repeats = 0
    while True:
        window = {"limit": size, "skip": skip} if style == "limit" else {"fetchStart": skip, "fetchStop": size}
        reply = await transport.request("GET", _PATH, params={**params, **window})
        records = parse_rows(Cdr, reply, method="GET", path=_PATH)
        if not records:
            return
        yield CdrPage(records, reply.total)
        keys = [cdr.key for cdr in records]
        # New calls at the front move a page that we have had to here; but a server that ignores `skip` repeats the
        # first page for ever.
        repeats = repeats + 1 if keys == former else 0
        fruitless = fruitless + 1 if seen.issuperset(keys) else 0
        if repeats == _MOST_REPEATS or fruitless == _MOST_FRUITLESS:
            return
        seen.update(keys)
        former = keys
        skip += len(records)
        if reply.total is None:
            # A page may be short because the server allows less than we asked for; less than the documented maximum
            # is taken for the end.
            if len(records) < min(size, PAGE_SIZE):
                return
        elif skip >= reply.total:
            return


async def read_history(transport: Transport, query: HistoryQuery) -> AsyncIterator[Cdr]:
    """Read the history: every call once, in order of its start.

    Args:
        transport: The way to the REST API.
        query: What to read.

    Raises:
        BadArgument: The page size is no positive number.
        ZiwoError: As for `Transport.request`.
    """
    today = datetime.now(UTC).date()
    waiting = [query.period.days]
    shelf = _Shelf(newest_first=query.newest_first)
    everything = 0
    while waiting:
        days = waiting.pop()
        halves = days.halves(today)
        window = _Window(transport, query, days, splittable=halves is not None)
        whole = await window.read()
        everything = everything or window.total
        if not whole:
            assert halves is not None
            earlier, later = halves
            waiting += [earlier, later] if query.newest_first else [later, earlier]
            continue
        if window.ignored and 0 < everything <= len(window.found):
            # The server gives everything whatever days it is asked for: no need to ask for the others.
            waiting.clear()
        for cdr in shelf.release(window.meant(), upcoming=waiting[-1] if waiting else None):
            yield cdr


class _Window:
    """Some days of the history, collected."""

    def __init__(self, transport: Transport, query: HistoryQuery, days: Days, *, splittable: bool) -> None:
        self._transport = transport
        self._query = query
        self._days = days
        self._splittable = splittable
        self.found: dict[str, Cdr] = {}
        self.total = 0

    async def read(self) -> bool:
        """Read all pages; give whether that is done: not when the calls are too many and can be read in parts."""
        for _ in range(_ROUNDS):
            known = len(self.found)
            if not await self._round():
                return False
            if len(self.found) >= self.total or len(self.found) == known:
                break
            # Calls moved to another page while we read. What comes twice by its callID also gets here, once.
            _log.debug("call history: %d of %d calls read; reading again", len(self.found), self.total)
        return True

    async def _round(self) -> bool:
        query = self._query
        pages = read_pages(self._transport, query.params(self._days), size=query.size, style=query.style)
        async with aclosing(pages):
            async for page in pages:
                self.found.update((cdr.key, cdr) for cdr in page.records)
                self.total = max(self.total, page.total or 0)
                if self._splittable and self._too_many(page):
                    return False
        return True

    def _too_many(self, page: CdrPage) -> bool:
        # A page that is not full is the last one, whatever the total says.
        more = self.total > WINDOW and len(page.records) >= min(self._query.size, PAGE_SIZE)
        # When the server does not look at the days, reading in parts gains nothing.
        return (more or len(self.found) > WINDOW) and not self._strange(page.records)

    @property
    def ignored(self) -> bool:
        """Whether the server has not looked at the days: most of the calls are of others."""
        return self._strange(self.found.values())

    def _strange(self, cdrs: Collection[Cdr]) -> bool:
        return 2 * sum(not self._days.near(time_of(cdr)) for cdr in cdrs) > len(cdrs)

    def meant(self) -> dict[str, Cdr]:
        """Give the calls that the user meant. Those of other windows are among them: better twice than not at all."""
        return {key: cdr for key, cdr in self.found.items() if self._query.period.holds(time_of(cdr))}


class _Shelf:
    """Where calls stand until no window to come can have an earlier one."""

    def __init__(self, *, newest_first: bool) -> None:
        self._newest_first = newest_first
        self._held: dict[str, Cdr] = {}
        self._former: set[str] = set()

    def release(self, window: dict[str, Cdr], *, upcoming: Days | None) -> list[Cdr]:
        """Take a window in, and give what is certain to come before anything of the next one, in order.

        Args:
            window: The calls of a window, by key.
            upcoming: The next window; None when this is the last.
        """
        self._held.update((key, cdr) for key, cdr in window.items() if key not in self._former)
        self._former = set(window)
        ready = [(time_of(cdr) or _BEFORE_ALL, key) for key, cdr in self._held.items()]
        if upcoming is not None:
            ready = [item for item in ready if self._certain(item[0], upcoming)]
        return [self._held.pop(key) for _, key in sorted(ready, reverse=self._newest_first)]

    def _certain(self, moment: datetime, upcoming: Days) -> bool:
        if self._newest_first:
            return upcoming.end is not None and moment >= upcoming.end
        return upcoming.begin is not None and moment < upcoming.begin
