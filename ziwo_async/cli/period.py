"""Days and moments as users write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from .. import BadArgument

__all__ = ["day", "moment", "period"]

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_LAST = re.compile(r"([1-9][0-9]{0,4})([mhdw])")
_A_DAY = timedelta(days=1)


def period(
    begin: str | None, end: str | None, last: str | None, *, now: datetime | None = None
) -> tuple[date | None, date | None]:
    """Read a period: days are days of the server, moments are exact.

    Args:
        begin: A day or a moment.
        end: A day or a moment.
        last: A length of time until now.
        now: The present.

    Raises:
        BadArgument: It is no period.
    """
    present = now or datetime.now(UTC)
    if last is not None:
        found = _LAST.fullmatch(last.strip().lower())
        if found is None:
            raise BadArgument(f"--last {last!r} is no length of time, such as 30m, 2h, 7d or 1w")
        if begin is not None or end is not None:
            raise BadArgument("--last goes until now: it does not go with --from and --to")
        try:
            return present - int(found[1]) * _UNITS[found[2]], None
        except OverflowError:
            raise BadArgument(f"--last {last} is before the beginning of time") from None
    if begin is None and end is None:
        return present - _A_DAY, None
    return moment(begin, "--from"), moment(end, "--to")


def moment(text: str | None, option: str) -> date | None:
    """Read a day, or a moment; one without a time zone is taken in that of this machine.

    Args:
        text: What the user gave.
        option: Where, for the error.

    Raises:
        BadArgument: It is neither.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise BadArgument(f"{option} {text!r} is no date, such as 2026-03-01 or 2026-03-01T08:30") from None


def day(text: str | None, option: str) -> date | None:
    """Read a day.

    Args:
        text: What the user gave.
        option: Where, for the error.

    Raises:
        BadArgument: It is none.
    """
    found = moment(text, option)
    if isinstance(found, datetime):
        raise BadArgument(f"{option} {text!r} is no day, such as 2026-03-01")
    return found
