"""A call history on the small server: it can be as awkward as real ones are, and calls appear while it is read."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from aiohttp import web

Row = dict[str, Any]
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HISTORY = "/callHistory/"


def call_id(number: int) -> str:
    return str(uuid.UUID(int=2**64 + number))


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def row(
    number: int,
    start: datetime,
    *,
    seconds: float = 30,
    direction: str = "inbound",
    result: str | None = "no-answer",
    **fields: object,
) -> Row:
    return {
        "id": number,
        "callID": call_id(number),
        "direction": direction,
        "result": result,
        "startedAt": iso(start),
        "endedAt": iso(start + timedelta(seconds=seconds)),
        "callerIDNumber": "+971500000000",
        "didCalled": "+97140000000",
        "duration": int(seconds),
        **fields,
    }


class Archive:
    """Answers `GET /callHistory/`.

    `rows` are there; `coming` appear with the request of that number. The quirks are attributes.
    """

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.rows = list(rows)
        self.coming: dict[int, list[Row]] = {}
        self.queries: list[dict[str, str]] = []
        self.requests = 0
        self.total_as: str | None = "totalRecords"
        self.days_by = "startedAt"
        self.zone = timedelta()  # what the server adds to UTC before it looks at a day
        self.keeps_order = True
        self.keeps_dates = True
        self.repeats: set[int] = set()  # requests that get the page before once more
        self.always_first = False  # ignores skip
        self.most = 1000  # gives no more at a time
        self.total_of_page = False  # tells the page's length as the total
        self.knows_call_ids = True  # the filter callID
        self.spoilt: dict[int, object] = {}  # what is given in place of the record of that number
        self.before: Callable[[], web.Response | None] = lambda: None  # may answer instead
        self._sorted: dict[tuple[str, str, str, int], list[Row]] = {}
        self._page: list[Row] = []

    def appear(self, at_request: int, *rows: Row) -> None:
        self.coming.setdefault(at_request, []).extend(rows)

    @property
    def all_there(self) -> bool:
        return not self.coming or self.requests >= max(self.coming)

    async def answer(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        self.queries.append(query)
        self.requests += 1
        for number in [n for n in self.coming if n <= self.requests]:
            self.rows += self.coming.pop(number)
        instead = self.before()
        if instead is not None:
            return instead
        rows = self._select(query)
        start, size = (
            (int(query["skip"]), int(query["limit"]))
            if "limit" in query
            else (int(query["fetchStart"]), int(query["fetchStop"]))
        )
        if self.requests not in self.repeats:
            self._page = rows[:size] if self.always_first else rows[start : start + min(size, self.most)]
        info = {} if self.total_as is None else {self.total_as: len(self._page if self.total_of_page else rows)}
        content = [self.spoilt.get(row["id"], row) for row in self._page]
        return web.json_response({"result": True, "content": content, "info": info})

    def _select(self, query: dict[str, str]) -> list[Row]:
        if self.knows_call_ids and "callID" in query:
            return [row for row in self.rows if row["callID"] == query["callID"]]
        first, last, order = (query.get(name, "") for name in ("fromDate", "toDate", "order"))
        key = (first, last, order, len(self.rows))
        if key not in self._sorted:
            rows = [r for r in self.rows if not self.keeps_dates or self._meant(r, first, last)]
            if self.keeps_order:
                rows.sort(key=lambda r: (r["startedAt"] or "", r["id"]), reverse=order.startswith("~"))
            else:
                random.Random(len(rows)).shuffle(rows)
            self._sorted[key] = rows
        return self._sorted[key]

    def _meant(self, row: Row, first: str, last: str) -> bool:
        day = self.day_of(row).isoformat()
        return (not first or day >= first) and (not last or day <= last)

    def day_of(self, row: Row) -> date:
        return (datetime.fromisoformat(row[self.days_by]) + self.zone).date()
