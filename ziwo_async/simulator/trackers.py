"""Call trackers: the external services that are asked what to do with a call, and told its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..verto.frames import JsonObject
from .problems import SimulatorError

__all__ = ["SimTracker", "TrackerLog", "Trackers"]

_TEXTS = (
    "startRequestURL",
    "endRequestURL",
    "startRequestAPIKey",
    "endRequestAPIKey",
    "welcomePlayback",
    "errorPlayback",
)
_MILLISECONDS = ("startRequestTimeout", "endRequestTimeout")
_LONGEST_TIME = 9
"""Digits of a number of milliseconds."""
_LOGS = 10_000


@dataclass(slots=True, kw_only=True)
class SimTracker:
    """A call tracker (source of the fields: ZIWO developers page).

    Attributes:
        id: Its number.
        name: Its name; numbers are linked to it by that.
        fields: The other settings in ZIWO's spelling; API keys and URLs may hold secrets, so they are not shown.
        blocked: It is blocked.
        created_at: Seconds since the epoch.
        updated_at: Seconds since the epoch.
    """

    id: int
    name: str
    fields: dict[str, str | int | None] = field(repr=False)
    blocked: bool = False
    created_at: float
    updated_at: float

    def text(self, name: str) -> str | None:
        """A setting that is a text."""
        value = self.fields[name]
        return value if isinstance(value, str) else None

    def seconds(self, name: str) -> float | None:
        """A time limit; it is kept in milliseconds."""
        value = self.fields[name]
        return value / 1000 if isinstance(value, int) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerLog:
    """One request to the service of a tracker.

    Attributes:
        id: Its number.
        tracker_id: Whose service was asked.
        tracker_name: Its name.
        kind: Which of the two requests.
        call_id: The call it was about.
        url: Where it went, without user and password.
        request: The fields of the request.
        response: The answer, if it was a JSON object of 64 KiB at most.
        status: The HTTP status; None: there was no answer.
        error: Why there was none; empty when there was.
        at: Seconds since the epoch.
    """

    id: int
    tracker_id: int
    tracker_name: str
    kind: Literal["start", "end"]
    call_id: str
    url: str
    status: int | None
    error: str
    request: JsonObject = field(repr=False)
    response: JsonObject | None = field(repr=False)
    at: float


class Trackers:
    """The call trackers of a world, oldest first.

    Attributes:
        logs: The newest 10 000 requests to their services, oldest first.

    Args:
        now: Gives the time of day in seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._trackers: dict[int, SimTracker] = {}
        self._last = 0
        self._last_log = 0
        self.logs: deque[TrackerLog] = deque(maxlen=_LOGS)

    def __iter__(self) -> Iterator[SimTracker]:
        return iter(tuple(self._trackers.values()))

    def __len__(self) -> int:
        return len(self._trackers)

    def add(self, name: str, fields: Mapping[str, object]) -> SimTracker:
        """Create one; see `World.add_tracker`.

        Raises:
            SimulatorError: The name is empty or taken, or a setting is of no use.
        """
        if not name:
            raise SimulatorError("a call tracker needs a name")
        if any(tracker.name == name for tracker in self):
            raise SimulatorError(f"there is a call tracker {name!r} already")
        settings = _settings(fields)
        self._last += 1
        now = self._now()
        empty: dict[str, str | int | None] = dict.fromkeys((*_TEXTS, *_MILLISECONDS))
        tracker = SimTracker(id=self._last, name=name, fields={**empty, **settings}, created_at=now, updated_at=now)
        self._trackers[tracker.id] = tracker
        return tracker

    def update(self, tracker: SimTracker, fields: Mapping[str, object]) -> None:
        """Change settings; those that are not given stay.

        Raises:
            SimulatorError: A setting is of no use.
        """
        tracker.fields.update(_settings(fields))
        tracker.updated_at = self._now()

    def block(self, tracker: SimTracker, blocked: bool) -> None:
        """Block or unblock one."""
        tracker.blocked = blocked
        tracker.updated_at = self._now()

    def remove(self, tracker: SimTracker) -> None:
        """Delete one; its logs stay."""
        del self._trackers[tracker.id]

    def find(self, id_or_name: str, *, by_name: bool = True) -> SimTracker | None:
        """The tracker with that id or, unless `by_name` is False, name."""
        for tracker in self:
            if str(tracker.id) == id_or_name or (by_name and tracker.name == id_or_name):
                return tracker
        return None

    def log(
        self,
        tracker: SimTracker,
        kind: Literal["start", "end"],
        *,
        call_id: str,
        url: str,
        status: int | None,
        error: str,
        request: JsonObject | None = None,
        response: JsonObject | None = None,
    ) -> None:
        """Note a request to the service of a tracker."""
        self._last_log += 1
        self.logs.append(
            TrackerLog(
                id=self._last_log,
                tracker_id=tracker.id,
                tracker_name=tracker.name,
                kind=kind,
                call_id=call_id,
                url=url,
                status=status,
                error=error,
                request=request or {},
                response=response,
                at=self._now(),
            )
        )


def _settings(fields: Mapping[str, object]) -> dict[str, str | int | None]:
    """The known settings among some fields; an empty text means none."""
    found: dict[str, str | int | None] = {}
    for name, value in fields.items():
        if name in _TEXTS:
            found[name] = None if value is None else str(value) or None
        elif name in _MILLISECONDS:
            text = "" if value is None else str(value)
            if text and not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_TIME):
                raise SimulatorError(f"{name} must be a number of milliseconds")
            found[name] = int(text) if text else None
        elif name != "name":
            raise SimulatorError(f"a call tracker has no field {name!r}")
    return found
