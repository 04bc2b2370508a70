"""Resource: calls that are over."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import date, datetime, timedelta
from typing import Literal, TypeAlias

from ..errors import BadArgument, DecodeError
from .history import WINDOW, CdrReader, HistoryQuery, cdr_pages, read_history, time_of
from .missed import MissedCalls
from .models.cdr import Cdr
from .paging import PAGE_SIZE, Listing, PageStyle, pages
from .period import Period
from .places import PlaceStore
from .prepared import Params, segment
from .resource import Resource
from .transport import Transport

__all__ = ["CallsResource", "Dataset"]

Dataset: TypeAlias = Literal["tags", "notes", "customer", "agent"]
"""What a CDR comes with when it is asked for."""

_OWN = "/agents/channels/calls/"
_NUMERIC = re.compile(r"[0-9]+(?::[0-9]+)?")  # 46; ZIWO's endCall example has 46:5196


class CallsResource(Resource):
    """Calls that are over, as CDRs. A CDR appears when its call has ended.

    Every method raises what `ZiwoClient.request` raises; what it adds is in its docs.
    """

    def __init__(self, transport: Transport, *, user: str | None = None) -> None:
        """Use a transport; no I/O happens.

        Args:
            transport: The way to the REST API.
            user: Whose places the feeds remember; by default the user name in the profile.
        """
        super().__init__(transport)
        self._user = user

    def own(
        self,
        from_date: date | datetime | None = None,
        to_date: date | datetime | None = None,
        *,
        directions: Sequence[str] = (),
        abandoned: bool | None = None,
        contact_number: str | None = None,
        datasets: Sequence[Dataset] = (),
        page_size: int = PAGE_SIZE,
    ) -> Listing[Cdr]:
        """Give the agent's own calls, each once, in the order in which the server gives them.

        A record that cannot be read is left out, with one warning in the log.

        Needs: any agent. (`GET /agents/channels/calls/`; source: Android SDK)

        Args:
            from_date: The first day, or a moment; see `history`.
            to_date: The last day, or the moment before which calls started; see `history`.
            directions: Only these, such as `inbound`.
            abandoned: Only calls that were abandoned, or only those that were not.
            contact_number: Only calls with this number, as the server compares numbers.
            datasets: What the CDRs come with (`agent` is not known to work here).
            page_size: Records to ask for at a time.

        Raises:
            BadArgument: An argument can never work.
        """
        period = Period.of(from_date, to_date)
        params: Params = {
            "directions[]": [str(word) for word in _several(directions, "directions")] or None,
            "abandoned": abandoned,
            **period.days.params(),
            "contactNumber": contact_number,
            "dataset": list(_several(datasets, "datasets")) or None,
        }
        size = _positive(page_size)

        async def meant() -> AsyncIterator[Cdr]:
            read = CdrReader(_OWN)
            found = pages(self._transport, Cdr, _OWN, key=lambda cdr: cdr.key, params=params, size=size, read=read)
            async with aclosing(found):
                async for page in found:
                    for cdr in page:
                        if period.holds(time_of(cdr)):
                            yield cdr

        return Listing(meant)

    def history(
        self,
        from_date: date | datetime | None = None,
        to_date: date | datetime | None = None,
        *,
        agents: Sequence[int | str] = (),
        queues: Sequence[int | str] = (),
        numbers: Sequence[int | str] = (),
        contact_number: str | None = None,
        recordings: bool | None = None,
        datasets: Sequence[Dataset] = (),
        newest_first: bool = False,
        paging: PageStyle = "limit",
        page_size: int = PAGE_SIZE,
    ) -> Listing[Cdr]:
        """Give everybody's calls: each once, in order of their start, with bounded memory.

        A range with more than 2 000 calls is read in parts of whole days, each collected and sorted, so the first call
        comes when the first part is complete. Order, time and repetition are our own work; the other filters are the
        server's, because how it compares numbers, and which of several agents it means, is not documented. A record
        that cannot be read is left out, with one warning in the log.

        What is sent for the order: `order=~startedAt` when the newest come first, which the Manager app does, and else
        `order=startedAt`, which was seen on other lists only. A server that does not know it does no harm.

        A `date` is sent as it is. ZIWO does not say in which time zone it reads it; a call up to a day beside the range
        is therefore not thrown away. A `datetime` with a time zone is exact: the days around are asked for, and only
        calls that started at or after `from_date` and before `to_date` are given.

        Needs: an admin. (`GET /callHistory/`; source: ZIWO Manager app)

        Args:
            from_date: The first day, or the first moment; the oldest call when None.
            to_date: The last day (included), or the moment before which calls started; now when None.
            agents: Only calls of these agents, by the number of their user (`Agent.id`).
            queues: Only calls of these queues, by number.
            numbers: Only calls of these numbers (DIDs), by the number of their record.
            contact_number: Only calls with this customer, as the server compares numbers.
            recordings: Only calls with a recording, or only those without.
            datasets: What the CDRs come with.
            newest_first: The other way round.
            paging: How a page is asked for: `limit` (as most integrators do), or `fetch` (as the Manager app does).
            page_size: Records to ask for at a time.

        Raises:
            BadArgument: An argument can never work, such as a `datetime` without time zone.
        """
        query = HistoryQuery(
            period=Period.of(from_date, to_date),
            filters={
                # Commas and brackets as the official clients write them.
                "agents": _joined(agents, "agents"),
                "numbers": _joined(numbers, "numbers"),
                "queues[]": [str(queue) for queue in _several(queues, "queues")] or None,
                "contactNumber": contact_number,
                "recordings": recordings,
                "dataset": list(_several(datasets, "datasets")) or None,
            },
            newest_first=newest_first,
            style=paging,
            size=_positive(page_size),
        )
        return Listing(lambda: read_history(self._transport, query))

    async def get(self, record_id: int | str) -> Cdr:
        """Give one call by the number of its record.

        Needs: an admin. (`GET /callHistory/{id}`; source: ZIWO docs, Call History)

        Args:
            record_id: `Cdr.id`, such as 46; not the `callID`, for which there is `by_call_id`.

        Raises:
            BadArgument: It is a `callID`, or something else that is no number.
            NotFound: There is no such record.
        """
        if not _NUMERIC.fullmatch(str(record_id)):
            raise BadArgument("this is no number of a record; with a callID (a UUID), use calls.by_call_id()")
        return await self._one(Cdr, "GET", f"/callHistory/{segment(record_id)}")

    async def by_call_id(self, call_id: str) -> Cdr | None:
        """Give one call by its `callID`; None when it is not (yet) in the history.

        Where the server ignores the filter, the newest 2 000 calls are looked through, page by page.

        Needs: an admin. (`GET /callHistory/`; source: ZIWO Manager app)

        Args:
            call_id: `Cdr.call_id`; not the number of the record, for which there is `get`.

        Raises:
            BadArgument: It is empty or the number of a record.
            DecodeError: The server ignores the filter, and the call is not among the newest: it may be older.
        """
        if not call_id or _NUMERIC.fullmatch(call_id):
            raise BadArgument("this is no callID; with the number of a record, use calls.get()")
        wanted = call_id.lower()
        looked, whole = 0, True
        found = cdr_pages(self._transport, {"callID": call_id, "order": "~startedAt"}, size=PAGE_SIZE)
        async with aclosing(found):
            async for page in found:
                for cdr in page.records:
                    if cdr.call_id is not None and cdr.call_id.lower() == wanted:
                        return cdr
                looked += len(page.fresh)
                whole = bool(page.fresh)  # or it ends because the server repeats itself
                if looked >= WINDOW:
                    whole = False
                    break
        if whole:
            return None
        text = f"the server ignores the filter callID, and the call is not among the {looked} that it gives first"
        raise DecodeError(text, status=200, method="GET", path="/callHistory/")

    def missed(
        self,
        *,
        since: datetime | timedelta | None = None,
        every: float = 30.0,
        overlap: timedelta = timedelta(hours=6),
        store: PlaceStore | None = None,
        name: str = "missed",
    ) -> MissedCalls:
        """Give every missed call, as they come, for ever: see `MissedCalls`.

        Needs: an admin. (`GET /callHistory/`, `GET /profile`; sources: ZIWO Manager app, official web client)

        Args:
            since: Where to begin when the store knows no place: a moment, or a time back from now; now when None.
            every: Seconds between two looks at the history.
            overlap: How long a call may last and still be found.
            store: Where the place is remembered; by default a file in the home folder (see `SqlitePlaces`).
            name: Name of the place; another one is another feed.

        Raises:
            BadArgument: An argument can never work.
        """
        return MissedCalls(
            self._transport, since=since, every=every, overlap=overlap, store=store, name=name, user=self._user
        )


def _several(given: Sequence[int | str], what: str) -> Sequence[int | str]:
    if isinstance(given, str):
        raise BadArgument(f"{what} is a list, such as [{given!r}]")
    return given


def _joined(given: Sequence[int | str], what: str) -> str | None:
    words = [str(word) for word in _several(given, what)]
    if any(not word or "," in word for word in words):
        raise BadArgument(f"{what} must be numbers or names without a comma")
    return ",".join(words) or None


def _positive(size: int) -> int:
    if size < 1:
        raise BadArgument(f"a page has at least 1 record, not {size}")
    return size
