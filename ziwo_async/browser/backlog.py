"""The last events with their ids, and the calls as they are now: what a page still has to be told."""

from __future__ import annotations

import json
import secrets
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice
from types import MappingProxyType

from ..events import Destroy, DialogEvent
from ..serving.changes import Changes

__all__ = ["Backlog"]

_MOST_EVENTS = 1000
_MOST_CHARACTERS = 4_000_000
_MOST_CALLS = 1000


class Backlog(Changes):
    """Events in order, each with an id, bounded; one for all pages, so that a slow page costs no memory.

    A page has a place in it: the id of the last event that it was told. One whose place is not in the backlog any more
    is told all calls as they are now.
    """

    def __init__(self, *, most: int = _MOST_EVENTS, characters: int = _MOST_CHARACTERS) -> None:
        """Make an empty one.

        Args:
            most: How many events are kept.
            characters: How long their texts may be, together.
        """
        super().__init__()
        self._most = most
        self._room = characters
        self._used = 0
        self._events: deque[str] = deque()
        self._calls: dict[str, DialogEvent] = {}
        self._epoch = secrets.token_hex(6)
        self._last = 0

    @property
    def calls(self) -> Mapping[str, DialogEvent]:
        """The live calls: the last event of each, by its id."""
        return MappingProxyType(self._calls)

    def is_last(self, event_id: str) -> bool:
        """Whether nothing came after the event with this id."""
        return event_id == self.id_of(self._last)

    def id_of(self, place: int) -> str:
        """The id of the event before a place."""
        return f"{self._epoch}-{place}"

    def place_of(self, event_id: str) -> int | None:
        """The place after the event with this id; None when nobody can go on from there."""
        epoch, _, number = event_id.partition("-")
        if epoch != self._epoch or not (number.isascii() and number.isdecimal()) or len(number) > 18:
            return None
        place = int(number)
        return place if self._last - len(self._events) <= place <= self._last else None

    def add(self, event: DialogEvent) -> None:
        """Add an event, unless the call is known to be further on already."""
        known = self._calls.get(event.call_id)
        steps = len(event.state_flow)
        if known is not None and known.state_flow[steps - 1 : steps] == event.state_flow[-1:]:
            return
        self._note(event)
        text = json.dumps(event.to_detail())
        self._events.append(text)
        self._used += len(text)
        self._last += 1
        while len(self._events) > self._most or (self._used > self._room and len(self._events) > 1):
            self._used -= len(self._events.popleft())
        self.touch()

    def _note(self, event: DialogEvent) -> None:
        # Taken out first, so that the oldest is the one that said nothing for longest.
        self._calls.pop(event.call_id, None)
        if not isinstance(event, Destroy):
            self._calls[event.call_id] = event
            if len(self._calls) > _MOST_CALLS:
                del self._calls[next(iter(self._calls))]

    def begin_anew(self, calls: Iterable[DialogEvent]) -> None:
        """Forget all events: some were missed. Every page is told the calls as they are now.

        Args:
            calls: The last event of each live call.
        """
        self._events.clear()
        self._used = 0
        self._last = 0
        self._epoch = secrets.token_hex(6)
        known = list(calls)  # they may be those that are forgotten next
        self._calls.clear()
        for event in known:
            self._note(event)
        self.touch()

    def after(self, event_id: str, *, most: int | None = None) -> list[tuple[str, str]] | None:
        """The events after the one with this id, each as its id and its text; None when they are not known any more.

        Args:
            event_id: The id.
            most: How many at most; by default all.
        """
        place = self.place_of(event_id)
        if place is None:
            return None
        skipped = place - (self._last - len(self._events))
        texts = islice(self._events, skipped, None if most is None else skipped + most)
        return [(self.id_of(place + number), text) for number, text in enumerate(texts, 1)]

    def everything(self) -> tuple[str, list[dict[str, object]]]:
        """All calls as they are now, and the id to go on from."""
        return self.id_of(self._last), [event.to_detail() for event in self._calls.values()]
