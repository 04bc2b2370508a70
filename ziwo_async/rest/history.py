"""Reading the call history: every call once, in order of its start, with bounded memory.

The server's order and filters are not relied upon, as integrators do not rely on them. A range with many calls is read
in windows of whole days, each collected and sorted before anything is given; what the windows have in common is given
once.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pydantic import JsonValue

from ..errors import DecodeError
from .envelope import Reply
from .models.base import parse_rows
from .models.cdr import Cdr
from .paging import PAGE_SIZE, Page, PageStyle, Patience, read_pages
from .period import Days, Period
from .prepared import Params
from .transport import Transport

__all__ = ["WINDOW", "CdrReader", "HistoryQuery", "cdr_pages", "read_history", "time_of"]

_log = logging.getLogger("ziwo_async.rest")

WINDOW = 2_000
"""With more calls than this, a range of several days is read in parts."""

_PATH = "/callHistory/"
_PATIENCE = Patience(repeats=3, fruitless=20)  # new calls at the front move a page that we have had to the next place
_FEW = 5  # so many records of one page may all be bad; more are an answer that we do not know
_ROUNDS = 3
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


class CdrReader:
    """Reads answers with CDRs. One record that cannot be read is left out, with one warning for all of them."""

    def __init__(self, path: str = _PATH) -> None:
        """Remember nothing.

        Args:
            path: Path of the requests, for the error.
        """
        self._path = path
        self._warned = False

    def __call__(self, reply: Reply) -> Sequence[Cdr | None]:
        """Read an answer; None stands for a record that is left out.

        Args:
            reply: The answer.

        Raises:
            DecodeError: It is no list of records, or has several and none of them can be read.
        """
        try:
            return parse_rows(Cdr, reply, method="GET", path=self._path)
        except DecodeError as error:
            rows = [self._one(reply, part) for part in _apart(reply.content)]
            if not rows or (len(rows) > _FEW and all(row is None for row in rows)):
                raise
            if not self._warned:
                self._warned = True
                _log.warning("%s; such records are left out", error)
            return rows

    def _one(self, reply: Reply, part: JsonValue) -> Cdr | None:
        try:
            (cdr,) = parse_rows(Cdr, replace(reply, content=part), method="GET", path=self._path)
        except DecodeError:
            return None
        return cdr


def _apart(content: JsonValue) -> list[JsonValue]:
    """Give lists of one record each; an object keyed by id keeps its keys."""
    if isinstance(content, dict) and content and all(isinstance(row, dict) for row in content.values()):
        return [{name: row} for name, row in content.items()]
    return [[row] for row in content] if isinstance(content, list) else []


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryQuery:
    """What to read, and how.

    The earliest first is asked for as `order=startedAt`. Only the reverse, `~startedAt`, was seen on this route; that
    the sign reverses an order is known from other lists. Nothing depends on it, because calls are sorted here.

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


def cdr_pages(
    transport: Transport, params: Params, *, size: int, style: PageStyle = "limit", read: CdrReader | None = None
) -> AsyncGenerator[Page[Cdr]]:
    """Read the history page by page, to its end.

    Args:
        transport: The way to the REST API.
        params: Filters and order.
        size: Records to ask for at a time.
        style: How a page is asked for.
        read: Reads the answers; one that is used again does not warn again.

    Raises:
        BadArgument: The size is no positive number.
        ZiwoError: As for `Transport.request`.
    """
    return read_pages(
        transport,
        _PATH,
        read=read or CdrReader(),
        key=lambda cdr: cdr.key,
        params=params,
        size=size,
        style=style,
        patience=_PATIENCE,
    )


async def read_history(
    transport: Transport, query: HistoryQuery, *, read: CdrReader | None = None
) -> AsyncIterator[Cdr]:
    """Read the history: every call once, in order of its start.

    Args:
        transport: The way to the REST API.
        query: What to read.
        read: Reads the answers; one that is used again does not warn again.

    Raises:
        BadArgument: The page size is no positive number.
        ZiwoError: As for `Transport.request`.
    """
    today = datetime.now(UTC).date()
    waiting = [query.period.days]
    shelf = _Shelf(newest_first=query.newest_first)
    read = read or CdrReader()
    everything = 0
    while waiting:
        days = waiting.pop()
        halves = days.halves(today)
        window = _Window(transport, query, days, read, splittable=halves is not None)
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

    def __init__(
        self, transport: Transport, query: HistoryQuery, days: Days, read: CdrReader, *, splittable: bool
    ) -> None:
        self._transport = transport
        self._query = query
        self._days = days
        self._read = read
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
        params = query.params(self._days)
        pages = cdr_pages(self._transport, params, size=query.size, style=query.style, read=self._read)
        async with aclosing(pages):
            async for page in pages:
                self.found.update((cdr.key, cdr) for cdr in page.records)
                self.total = max(self.total, page.total or 0)
                if self._splittable and self._too_many(page):
                    return False
        return True

    def _too_many(self, page: Page[Cdr]) -> bool:
        # After a page that is not full usually nothing follows, whatever the total says.
        more = self.total > WINDOW and len(page.rows) >= min(self._query.size, PAGE_SIZE)
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
