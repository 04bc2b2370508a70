"""The time that a reading of the history covers: days as they are sent, and moments that we check ourselves.

The server takes days only, and its time zone is not known (source: none says it). No zone is a whole day away from UTC,
so a day's margin makes every comparison safe.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Self

from ..errors import BadArgument

__all__ = ["MARGIN", "Days", "Period", "midnight"]

MARGIN = timedelta(days=1)
"""More than the distance of any time zone from UTC."""
_DAY = timedelta(days=1)
_EARLIEST, _LATEST = date.min + 2 * _DAY, date.max - 3 * _DAY
_FIRST = date(2010, 1, 1)
"""Where an open beginning is taken to be when it is halved. It is never sent."""


def midnight(day: date) -> datetime:
    """Give the moment at which a day begins in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Days:
    """Whole days of the server, both included.

    Attributes:
        first: The first day, None for the beginning of time.
        last: The last day, None for now and later.
    """

    first: date | None = None
    last: date | None = None

    def params(self) -> dict[str, str | None]:
        """Give the query parameters."""
        return {
            "fromDate": None if self.first is None else self.first.isoformat(),
            "toDate": None if self.last is None else self.last.isoformat(),
        }

    @property
    def begin(self) -> datetime | None:
        """No call of these days started earlier, whatever the server's time zone is."""
        return None if self.first is None or self.first <= _EARLIEST else midnight(self.first) - MARGIN

    @property
    def end(self) -> datetime | None:
        """All calls of these days started earlier, whatever the server's time zone is."""
        return None if self.last is None or self.last >= _LATEST else midnight(self.last) + _DAY + MARGIN

    def near(self, moment: datetime | None) -> bool:
        """Whether a call that started then can belong to these days; one without a time can."""
        return moment is None or _between(self.begin, moment, self.end)

    def halves(self, today: date) -> tuple[Days, Days] | None:
        """Cut in two, the earlier half first; None for a single day.

        Args:
            today: Where open days are taken to end.
        """
        first = _FIRST if self.first is None else self.first
        last = today if self.last is None else self.last
        if first >= last:
            return None
        middle = first + (last - first) // 2
        return Days(self.first, middle), Days(middle + _DAY, self.last)


@dataclass(frozen=True, slots=True)
class Period:
    """What a user asked for.

    Attributes:
        days: What is sent.
        begin: Calls that started earlier are not meant.
        end: Calls that started then or later are not meant.
        exact: Whether a moment was asked for, not only days.
    """

    days: Days
    begin: datetime | None = None
    end: datetime | None = None
    exact: bool = False

    @classmethod
    def of(cls, from_date: date | datetime | None, to_date: date | datetime | None) -> Self:
        """Make a period of what a user gave.

        Args:
            from_date: A day, sent as it is; or a moment, checked by us in days that are wider.
            to_date: The same for the end; a day is included, a moment is not.

        Raises:
            BadArgument: A moment has no time zone, or the period ends before it begins.
        """
        first, begin = _side(from_date, -MARGIN)
        last, end = _side(to_date, MARGIN)
        if (begin and end and begin >= end) or (first and last and first > last):
            raise BadArgument(f"the period ends before it begins: {from_date} to {to_date}")
        days = Days(first, last)
        return cls(days, begin or days.begin, end or days.end, exact=begin is not None or end is not None)

    def holds(self, moment: datetime | None) -> bool:
        """Whether a call that started then is meant; one without a time is, unless moments were asked for."""
        if moment is None:
            return not self.exact
        return _between(self.begin, moment, self.end)


def _side(given: date | datetime | None, margin: timedelta) -> tuple[date | None, datetime | None]:
    """Give the day to send, and the exact moment when there is one."""
    if not isinstance(given, datetime):
        return given, None
    if given.tzinfo is None:
        raise BadArgument(f"{given} has no time zone: which moment is meant? Use datetime.now(UTC), or a date")
    try:
        exact = given.astimezone(UTC)
        return (exact + margin).date(), exact
    except OverflowError:
        raise BadArgument(f"{given} is out of reach") from None


def _between(begin: datetime | None, moment: datetime, end: datetime | None) -> bool:
    return (begin is None or moment >= begin) and (end is None or moment < end)
