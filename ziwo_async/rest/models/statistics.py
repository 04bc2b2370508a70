"""Statistics: how long agents had which status, and sums over calls."""

from __future__ import annotations

import logging
import math
import re
from datetime import timedelta

from pydantic import JsonValue

from ..envelope import as_object
from .base import Model, Seconds

__all__ = ["CallSummary", "seconds_by_agent", "seconds_by_status"]

_ID = re.compile("[0-9]{1,18}")
_log = logging.getLogger("ziwo_async.rest")


class CallSummary(Model):
    """Sums over calls (`GET /statistics/summary/`; source: one unverified integrator: weak).

    Attributes:
        group: The key under which the server gave these sums, such as a date; None when it gave none.
        total_inbound_calls: Calls that came in.
        total_abandoned_calls: Calls whose caller gave up.
        average_waiting_time: How long callers waited.
        average_agents_online: How many agents were logged in.
    """

    group: str | None = None
    total_inbound_calls: int | None = None
    total_abandoned_calls: int | None = None
    average_waiting_time: Seconds = None
    average_agents_online: float | None = None


def seconds_by_status(value: JsonValue) -> dict[str, timedelta] | None:
    """Read seconds by status name, such as `{"Available": 3600, "All": 7200}`; None when it is no object.

    A value that is no number of seconds is left out, with a warning in the log.

    Args:
        value: What the server sent; `[]` is empty.
    """
    given = as_object(value)
    if given is None:
        return None
    found = {name: length for name, item in given.items() if (length := _length(item)) is not None}
    if len(found) < len(given):
        _log.warning("statistics: %d of %d values are no number of seconds", len(given) - len(found), len(given))
    return found


def seconds_by_agent(value: JsonValue) -> dict[int, dict[str, timedelta]] | None:
    """Read an object that is keyed by agent id; None when it is something else.

    Args:
        value: What the server sent; `[]` is empty.
    """
    given = as_object(value)
    if given is None:
        return None
    found: dict[int, dict[str, timedelta]] = {}
    for key, item in given.items():
        times = seconds_by_status(item)
        if times is None or not _ID.fullmatch(key):
            return None
        found[int(key)] = times
    return found


def _length(value: JsonValue) -> timedelta | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        seconds = float(value)
        return timedelta(seconds=seconds) if math.isfinite(seconds) else None
    except (ValueError, OverflowError):
        return None
