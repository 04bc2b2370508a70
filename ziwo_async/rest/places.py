"""What a feed of calls remembers, and where, so that a restarted program goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol, Self, cast

from .._sqlite import SqliteFile
from ..errors import PlaceError
from .models.cdr import Cdr

__all__ = ["MemoryPlaces", "Place", "PlaceStore", "SqlitePlaces"]

_VERSION = 1
_SCHEMA = ("CREATE TABLE IF NOT EXISTS places (name TEXT PRIMARY KEY, place TEXT NOT NULL)",)


@dataclass(slots=True)
class Place:
    """What a feed has to remember.

    Attributes:
        floor: Calls that ended earlier are not meant.
        newest: The latest start that the feed has come by; never later than it was then.
        horizon: Calls that started earlier are done with; where the next look goes back to.
        given: Missed calls that were given and started at the horizon or later, by key.
    """

    floor: datetime
    newest: datetime
    horizon: datetime
    given: dict[str, datetime] = field(default_factory=dict[str, datetime])

    @classmethod
    def at(cls, since: datetime, overlap: timedelta) -> Self:
        """Make the place of a feed that begins.

        Args:
            since: Calls that ended then or later are meant.
            overlap: How long a call may last.
        """
        return cls(floor=since, newest=since, horizon=since - overlap)

    def wants(self, cdr: Cdr) -> bool:
        """Whether a call is to be given: missed, meant, and not given before."""
        start = cdr.start
        if not cdr.missed or start is None or start < self.horizon or cdr.key in self.given:
            return False
        return _end(cdr, start) >= self.floor

    def handled(self, cdr: Cdr) -> None:
        """Note that a call was given, and that the program has done with it what it does."""
        assert cdr.start is not None
        self.given[cdr.key] = cdr.start

    def passed(self, cdr: Cdr, now: datetime) -> None:
        """Note that the feed has come by a call, given or not.

        Args:
            cdr: The call. One with a start in the future must not take the horizon there: calls of today would be lost.
            now: The present. A clock that is slow costs longer looks, and no call.
        """
        if cdr.start is not None:
            self.newest = max(self.newest, min(cdr.start, now))

    def heal(self, now: datetime, overlap: timedelta) -> bool:
        """Come back from the future, where no call would ever be found; tell whether that was necessary.

        Args:
            now: The present. It is not believed when it is before the feed's own beginning.
            overlap: How long a call may last.
        """
        if self.horizon <= now or now < self.floor:
            return False
        self.newest = now
        self.horizon = now - overlap
        return True

    def leave(self, horizon: datetime) -> None:
        """Be done with what started earlier, and forget it."""
        if horizon > self.horizon:
            self.horizon = horizon
            self.given = {key: start for key, start in self.given.items() if start >= horizon}

    def to_json(self) -> str:
        """Give the text that is stored."""
        return json.dumps(
            {
                "version": _VERSION,
                "floor": self.floor.isoformat(),
                "newest": self.newest.isoformat(),
                "horizon": self.horizon.isoformat(),
                "given": {key: start.isoformat() for key, start in self.given.items()},
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` gave.

        Args:
            text: The text.

        Raises:
            ValueError: It is something else.
        """
        found: object = json.loads(text)
        if not isinstance(found, dict):
            raise ValueError("it is no object")
        data = cast("Mapping[str, object]", found)
        given = data.get("given")
        if data.get("version") != _VERSION or not isinstance(given, dict):
            raise ValueError("it is of another version")
        return cls(
            floor=_moment(data.get("floor")),
            newest=_moment(data.get("newest")),
            horizon=_moment(data.get("horizon")),
            given={key: _moment(start) for key, start in cast("Mapping[str, object]", given).items()},
        )


class PlaceStore(Protocol):
    """Where places are remembered. What is given to `save` holds ids of calls and times, no phone numbers.

    One place belongs to one feed: two programs that read the same feed under the same name disturb each other.
    """

    async def load(self, name: str) -> str | None:
        """Give what was saved last under a name, or None.

        Args:
            name: Names a feed of one user of one contact centre.
        """
        ...

    async def save(self, name: str, text: str) -> None:
        """Keep a place, instead of an earlier one. Afterwards a crash of the program must not lose it.

        Args:
            name: Names a feed of one user of one contact centre.
            text: The place.
        """
        ...


class MemoryPlaces:
    """Remembers places for as long as the process lives."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._texts: dict[str, str] = {}

    async def load(self, name: str) -> str | None:
        """Give what was saved last under a name, or None."""
        return self._texts.get(name)

    async def save(self, name: str, text: str) -> None:
        """Keep a place, instead of an earlier one."""
        self._texts[name] = text


class SqlitePlaces:
    """Remembers places in an SQLite file that only its owner can read; made when it is first used.

    Killing the process loses nothing; losing power may cost the last change.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """Choose a file; no I/O happens yet.

        Args:
            path: The file; its folder must exist. By default `ziwo_async/places.sqlite` under `$XDG_STATE_HOME`, or
                under `~/.local/state`; those folders are made.
        """
        self._in_the_home = path is None
        self._file = SqliteFile(
            _default_path if path is None else path, what="places", schema=_SCHEMA, error=PlaceError
        )

    def __repr__(self) -> str:
        return f"<SqlitePlaces {'in the home folder' if self._in_the_home else self._file}>"

    def close(self) -> None:
        """Close the file, which is also done when nothing refers to this any more. The next use opens it again."""
        self._file.close()

    async def load(self, name: str) -> str | None:
        """Give what was saved last under a name, or None.

        Args:
            name: Names a feed of one user of one contact centre.

        Raises:
            ConfigError: The file cannot be used: others can read it, or it is no SQLite file.
            PlaceError: The file cannot be read; `retryable` while another program has it locked.
        """
        row = await self._file.read(
            lambda db: db.execute("SELECT place FROM places WHERE name = ?", (name,)).fetchone()
        )
        if row is None:
            return None
        if not isinstance(row[0], str):
            raise PlaceError(f"the file of places {self._file} cannot be read: the place is no text")
        return row[0]

    async def save(self, name: str, text: str) -> None:
        """Keep a place, instead of an earlier one.

        Args:
            name: Names a feed of one user of one contact centre.
            text: The place.

        Raises:
            ConfigError: The file cannot be used: others can read it, or it is no SQLite file.
            PlaceError: The file cannot be written; `retryable` while another program has it locked.
        """
        await self._file.write(
            lambda db: db.execute(
                "INSERT INTO places (name, place) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET place = excluded.place",
                (name, text),
            )
        )


def _end(cdr: Cdr, start: datetime) -> datetime:
    try:
        return cdr.end or start + (cdr.duration or timedelta())
    except OverflowError:  # an absurd duration is none
        return start


def _default_path() -> Path:
    # A relative path in the variable is invalid and must be ignored (XDG Base Directory Specification).
    given = Path(os.environ.get("XDG_STATE_HOME", ""))
    folder = (given if given.is_absolute() else Path.home() / ".local" / "state") / "ziwo_async"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / "places.sqlite"


def _moment(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError("a time is missing")
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("a time has no zone")
    return moment
