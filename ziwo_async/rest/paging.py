"""Lists that come in pages, as one async iterator: no gap, no record twice, and an end that cannot be missed.

What real servers do, and what is therefore handled (sources: ZIWO docs, Manager app, integrators): two ways to ask for
a page, a server that gives less than was asked for, totals in `info` or none or of the page only, a page that is
repeated for ever, and records that move to the next page while it is read.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

from ..errors import BadArgument
from .envelope import Reply
from .models.base import Model, parse_rows
from .prepared import Params, ParamValue
from .transport import Transport

__all__ = ["HASTE", "PAGE_SIZE", "Listing", "Page", "PageStyle", "Patience", "Reading", "pages", "read_pages"]

PAGE_SIZE = 50
"""Records a page: ZIWO's documented maximum for admin lists (source: ZIWO docs, call trackers)."""

PageStyle: TypeAlias = Literal["limit", "fetch"]
"""How a page is asked for: `limit` and `skip`, or `fetchStart` (an offset) and `fetchStop` (the page's size)."""

_M = TypeVar("_M", bound=Model)
_T = TypeVar("_T")

Reading: TypeAlias = Callable[[Reply], Sequence[_M | None]]
"""How an answer becomes records, in its order; None stands for one that is left out."""


@dataclass(frozen=True, slots=True)
class Page(Generic[_M]):
    """One page of a list.

    Attributes:
        rows: What came, as it was read.
        fresh: Its records that no page before had, each once.
        total: How many there are in all, if the server told.
    """

    rows: Sequence[_M | None]
    fresh: Sequence[_M]
    total: int | None

    @property
    def records(self) -> list[_M]:
        """All that could be read, those of earlier pages included."""
        return [row for row in self.rows if row is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How many pages without anything new are the end of a list.

    Attributes:
        repeats: So many times the same page.
        fruitless: So many pages of which everything was seen before.
    """

    repeats: int
    fruitless: int


HASTE = Patience(repeats=1, fruitless=1)
"""For lists that do not change while they are read."""


class Listing(Generic[_T]):
    """Records that are fetched while you iterate: `async for agent in ziwo.agents.list()`.

    Nothing is sent before the first step. Each iteration starts anew. Every step can raise what `ZiwoClient.request`
    raises.
    """

    def __init__(self, start: Callable[[], AsyncIterator[_T]]) -> None:
        """Make a listing (used by the resources).

        Args:
            start: Begins an iteration.
        """
        self._start = start

    def __aiter__(self) -> AsyncIterator[_T]:
        return self._start()

    async def all(self, *, at_most: int | None = None) -> list[_T]:
        """Give all records as a list.

        Args:
            at_most: Stop after so many.
        """
        found: list[_T] = []
        if at_most is not None and at_most <= 0:
            return found
        async for item in self:
            found.append(item)
            if len(found) == at_most:
                break
        return found

    async def first(self) -> _T | None:
        """Give the first record, or None when there is none."""
        async for item in self:
            return item
        return None


async def pages(
    transport: Transport,
    model: type[_M],
    path: str,
    *,
    key: Callable[[_M], Hashable],
    params: Mapping[str, ParamValue | Sequence[ParamValue] | None] | None = None,
    size: int = PAGE_SIZE,
    style: PageStyle = "limit",
    read: Reading[_M] | None = None,
) -> AsyncGenerator[Sequence[_M]]:
    """Read a list page by page; gives the records of each page that were not seen before.

    Args:
        transport: The way to the REST API.
        model: What a record is.
        path: Path of the list.
        key: What makes two records the same.
        params: Filters.
        size: Records to ask for at a time.
        style: How a page is asked for.
        read: How an answer is read; by default, one record that cannot be read refuses all.

    Raises:
        BadArgument: The size is no positive number.
        ZiwoError: As for `Transport.request`.
    """

    def strictly(reply: Reply) -> Sequence[_M]:
        return parse_rows(model, reply, method="GET", path=path)

    found = read_pages(transport, path, read=read or strictly, key=key, params=params, size=size, style=style)
    async with aclosing(found):
        async for page in found:
            if page.fresh:
                yield page.fresh


async def read_pages(
    transport: Transport,
    path: str,
    *,
    read: Reading[_M],
    key: Callable[[_M], Hashable],
    params: Mapping[str, ParamValue | Sequence[ParamValue] | None] | None,
    size: int,
    style: PageStyle,
    patience: Patience = HASTE,
) -> AsyncGenerator[Page[_M]]:
    """Read a list page by page, to its end.

    The end is an empty page, a page that we have had, or what the total says, unless that is only the page's own
    length. That a page is short says nothing: a server may give less than it is asked for.

    Args:
        transport: The way to the REST API.
        path: Path of the list.
        read: How an answer is read.
        key: What makes two records the same.
        params: Filters and order.
        size: Records to ask for at a time.
        style: How a page is asked for.
        patience: How many pages without anything new are the end.

    Raises:
        BadArgument: The size is no positive number.
        ZiwoError: As for `Transport.request`.
    """
    if size < 1:
        raise BadArgument(f"a page has at least 1 record, not {size}")
    seen: set[Hashable] = set()
    former: list[Hashable] = []
    skip = repeats = fruitless = 0
    while True:
        query: Params = {**(params or {}), **_window(style, skip, size)}
        reply = await transport.request("GET", path, params=query)
        rows = read(reply)
        if not rows:
            return
        names = [None if row is None else key(row) for row in rows]  # what could not be read looks alike
        known = seen.issuperset(names)
        yield Page(rows, _fresh(rows, names, seen), reply.total)
        skip += len(rows)
        # A server that ignores `skip` repeats the first page for ever.
        repeats = repeats + 1 if names == former else 0
        fruitless = fruitless + 1 if known else 0
        former = names
        if repeats >= patience.repeats or fruitless >= patience.fruitless:
            return
        if reply.total is not None and skip >= reply.total and not _own_length(reply.total, len(rows), size):
            return


def _fresh(rows: Sequence[_M | None], names: Sequence[Hashable], seen: set[Hashable]) -> list[_M]:
    fresh: list[_M] = []
    for row, name in zip(rows, names, strict=True):
        if name not in seen:
            seen.add(name)
            if row is not None:
                fresh.append(row)
    return fresh


def _own_length(total: int, came: int, size: int) -> bool:
    """Whether a total may be no more than the length of a full page."""
    return total <= came == size


def _window(style: PageStyle, skip: int, size: int) -> dict[str, int]:
    return {"limit": size, "skip": skip} if style == "limit" else {"fetchStart": skip, "fetchStop": size}
