"""One request, as the functions of the routes see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from aiohttp import web

from ...verto.frames import JsonObject
from .body import read_fields
from .envelopes import Answer, Refused

if TYPE_CHECKING:
    from ..people import SimAgent
    from ..world import World
    from .server import Rest

__all__ = ["Access", "Ask", "Handler", "Route", "whole_number"]

T = TypeVar("T")

_DAY = timedelta(days=1)
_LONGEST_NUMBER = 18

Handler: TypeAlias = "Callable[[Ask], Awaitable[Answer]]"
Access: TypeAlias = Literal["open", "token", "key", "recording"]
"""Who may ask: anybody; who has an access token (header); the CTI `api_key`; a token in header or query."""


def whole_number(text: str) -> int | None:
    """A number as the API takes it: decimal digits, and few enough for the 64 bits of a data base."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else None


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path, and the function that answers.

    Attributes:
        method: HTTP method.
        path: aiohttp's pattern. One that ends with a slash is served without it too.
        handler: Answers.
        access: Who may ask.
        right: What the user must be allowed to do; empty: nothing special.
    """

    method: str
    path: str
    handler: Handler
    access: Access = "token"
    right: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """Every spelling of the path."""
        bare = self.path.rstrip("/")
        return (bare, f"{bare}/") if bare != self.path else (bare,)


class Ask:
    """A request.

    Attributes:
        api: The server.
        http: aiohttp's request.
    """

    def __init__(self, api: Rest, http: web.Request, agent: SimAgent | None) -> None:
        self.api = api
        self.http = http
        self._agent = agent

    @property
    def world(self) -> World:
        """The contact centre."""
        return self.api.world

    @property
    def agent(self) -> SimAgent:
        """Whose token it came with."""
        if self._agent is None:
            raise Refused(401, "Invalid access token")
        return self._agent

    # ---- path and query --------------------------------------------------------------------------------------

    def named(self, name: str) -> str:
        """A part of the path."""
        return self.http.match_info[name]

    def text(self, name: str) -> str:
        """A parameter of the query; empty when it is missing."""
        return self.http.query.get(name, "")

    def many(self, name: str) -> list[str]:
        """A parameter that may be given several times, with brackets or without, or joined by commas."""
        given = [*self.http.query.getall(name, ()), *self.http.query.getall(f"{name}[]", ())]
        return [part.strip() for text in given for part in text.split(",") if part.strip()]

    def count(self, name: str) -> int | None:
        """A parameter that is a number of records; None when it is missing or empty."""
        text = self.text(name)
        if not text:
            return None
        found = whole_number(text)
        if found is None:
            raise Refused(400, f"{name} must be a number")
        return found

    def flag(self, name: str) -> bool | None:
        """A parameter that is true or false; None when it is missing or empty."""
        text = self.text(name).casefold()
        if not text:
            return None
        if text not in ("true", "false", "1", "0"):
            raise Refused(400, f"{name} must be true or false")
        return text in ("true", "1")

    def period(self) -> tuple[float, float]:
        """`fromDate`, `toDate` (both days included, in UTC), `fromTime`, `toTime`, in seconds since the epoch."""
        begin, end = self._day("fromDate"), self._day("toDate")
        from_time, to_time = self._clock_time("fromTime", timedelta()), self._clock_time("toTime", _DAY)
        # In seconds, because the day after the last one that there is has no date.
        begins = float("-inf") if begin is None else begin.timestamp() + from_time.total_seconds()
        ends = float("inf") if end is None else end.timestamp() + to_time.total_seconds()
        return begins, ends

    def _day(self, name: str) -> datetime | None:
        text = self.text(name)
        if not text:
            return None
        try:
            return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise Refused(400, f"{name} must be a date, YYYY-MM-DD") from None

    def _clock_time(self, name: str, otherwise: timedelta) -> timedelta:
        text = self.text(name)
        if not text:
            return otherwise
        for form in ("%H:%M:%S", "%H:%M"):
            try:
                found = datetime.strptime(text, form).replace(tzinfo=UTC)
            except ValueError:
                continue
            return timedelta(hours=found.hour, minutes=found.minute, seconds=found.second)
        raise Refused(400, f"{name} must be a time, HH:MM")

    def cut(self, records: Sequence[T], *, usual: int | None = None, most: int | None = None) -> Sequence[T]:
        """The records of the page that was asked for: `skip` and `limit`, or `fetchStart` and `fetchStop`.

        `fetchStop` is the length of a page, not its end (ZIWO developers page).

        Args:
            records: All records.
            usual: Length of a page when none is asked for; None: all.
            most: Longest page, whatever is asked for; None: any.
        """
        skip, limit = self.count("skip"), self.count("limit")
        if skip is None and limit is None:
            skip, limit = self.count("fetchStart"), self.count("fetchStop")
        skip = skip or 0
        limit = usual if limit is None else limit
        if most is not None:
            limit = most if limit is None else min(limit, most)
        return records[skip:] if limit is None else records[skip : skip + limit]

    def sort(self, records: Sequence[T], keys: dict[str, Callable[[T], Any]], usual: str = "") -> list[T]:
        """The records in the order asked for: `order=<field>`, or `order=~<field>` for the reverse.

        Args:
            records: The records.
            keys: What to compare, by field.
            usual: The order when none is asked for; empty: as they come.
        """
        order = self.text("order") or usual
        if not order:
            return list(records)
        key = keys.get(order.removeprefix("~"))
        if key is None:
            raise Refused(400, f"cannot order by {order.removeprefix('~')}")
        return sorted(records, key=key, reverse=order.startswith("~"))

    # ---- body ------------------------------------------------------------------------------------------------

    async def fields(self) -> JsonObject:
        """The body: a form or a JSON object."""
        return await read_fields(self.http)
