"""Lists that come in pages, as one async iterator: no gap, no record twice, and an end that cannot be missed.

What real servers do, and what is therefore handled (sources: ZIWO docs, Manager app, integrators): two ways to ask for
a page, a server that gives less than was asked for, totals in `info` or none, a page that is repeated for ever, and
records that move to the next page while it is read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from typing import Generic, Literal, TypeAlias, TypeVar

from ..errors import BadArgument
from .models.base import Model, parse_rows
from .prepared import Params, ParamValue
from .transport import Transport

__all__ = ["PAGE_SIZE", "Listing", "PageStyle", "pages"]

PAGE_SIZE = 50
"""Records a page: ZIWO's documented maximum for admin lists (source: ZIWO docs, call trackers)."""

PageStyle: TypeAlias = Literal["limit", "fetch"]
"""How a page is asked for: `limit` and `skip`, or `fetchStart` (an offset) and `fetchStop` (the page's size)."""

_M = TypeVar("_M", bound=Model)
_T = TypeVar("_T")


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
) -> AsyncIterator[list[_M]]:
    """Read a list page by page; gives the records of each page that were not seen before.

    Args:
        transport: The way to the REST API.
        model: What a record is.
        path: Path of the list.
        key: What makes two records the same.
        params: Filters.
        size: Records to ask for at a time.
        style: How a page is asked for.

    Raises:
        BadArgument: The size is no positive number.
        ZiwoError: As for `Transport.request`.
    """
    if size < 1:
        raise BadArgument(f"a page has at least 1 record, not {size}")
    seen: set[Hashable] = set()
    skip = 0
    while True:
        query: Params = {**(params or {}), **_window(style, skip, size)}
        reply = await transport.request("GET", path, params=query)
        records = parse_rows(model, reply, method="GET", path=path)
        fresh: list[_M] = []
        for record in records:
            if (name := key(record)) not in seen:
                seen.add(name)
                fresh.append(record)
        if fresh:
            yield fresh
        skip += len(records)
        if not fresh:
            return  # empty, or a page that we have had: a server that ignores `skip` repeats the first one for ever
        if reply.total is None:
            # Nobody says how many there are. A page may be short because the server allows less than we asked for, but
            # less than the documented maximum is taken for the end.
            if len(records) < min(size, PAGE_SIZE):
                return
        elif skip >= reply.total:
            return


def _window(style: PageStyle, skip: int, size: int) -> dict[str, int]:
    return {"limit": size, "skip": skip} if style == "limit" else {"fetchStart": skip, "fetchStop": size}
