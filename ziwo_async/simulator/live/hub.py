"""Who is told what, and when: the answers to what is asked, and every change."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from .events import CALL_HISTORY, EVENTS
from .floor import Floor
from .kpis import Day
from .quirks import LiveQuirks

if TYPE_CHECKING:
    from ..clock import Clock, Timer
    from ..history import Cdr
    from ..people import SimAgent
    from ..world import World

__all__ = ["Hub", "Member"]

_ENCODE = json.JSONEncoder(check_circular=False).encode


class Member:
    """Somebody who listens; `Hub.join` makes one.

    Attributes:
        user: Who it is: what may be seen, and whose own status and profile.
        events: The events that are told when they change.
    """

    def __init__(self, hub: Hub, user: SimAgent, emit: Callable[[str, str], None]) -> None:
        self.user = user
        self.events: set[str] = set()
        self._hub = hub
        self._emit = emit
        self._told: dict[str, str] = {}

    def ask(self, event: str) -> None:
        """Tell the event now, and from now on when it changes."""
        if self._may(event):
            self.events.add(event)
            self._tell(event, self._hub.envelope(event, self.user, self._hub.floor()))

    def subscribe(self, event: str) -> None:
        """Tell the event when it changes. No source shows an answer to the subscription itself."""
        if self._may(event) and event not in self.events:
            self.events.add(event)
            if event != CALL_HISTORY:
                self._told[event] = self._hub.envelope(event, self.user, self._hub.floor())

    def leave(self) -> None:
        """It is told nothing any more."""
        self.events.clear()
        self._hub.left(self)

    def _may(self, event: str) -> bool:
        found = EVENTS.get(event)
        if found is None:
            self._emit_all(event, refusal(404, "Not Found"))
        elif found.admin and "admin" not in self.user.rights:
            self._emit_all(event, refusal(403, "You have no permission for this: admin"))
        else:
            return True
        return False

    def wants(self, event: str) -> bool:
        """Whether changes of the event are for this one (used by the hub)."""
        found = EVENTS[event]
        if found.admin and "admin" not in self.user.rights:
            return False
        return event in self.events or self._hub.quirks.push_unasked

    def changed(self, event: str, envelope: str) -> None:
        """This is how it is now (used by the hub): told unless it was already."""
        if self._told.get(event) != envelope:
            self._tell(event, envelope)

    def happened(self, event: str, envelope: str) -> None:
        """Something has happened (used by the hub): told in any case."""
        self._emit_all(event, envelope)

    def _tell(self, event: str, envelope: str) -> None:
        self._told[event] = envelope
        self._emit_all(event, envelope)

    def _emit_all(self, event: str, envelope: str) -> None:
        quirks = self._hub.quirks
        if quirks.null_payloads:
            self._emit(event, "null")
        self._emit(event, json.dumps(envelope) if quirks.text_payloads else envelope)


class Hub:
    """All who listen to one world.

    Changes are coalesced: an event is told once in `interval` seconds at most, with what it is then; only new records
    of calls are told one by one. With nobody listening nothing is computed but the day's counts.

    Args:
        world: What is told about.
        clock: Time.
        interval: Seconds.
        quirks: How it is told.
    """

    def __init__(self, world: World, clock: Clock, *, interval: float, quirks: LiveQuirks) -> None:
        self.quirks = quirks
        self._world = world
        self._clock = clock
        self._interval = interval
        self._members: list[Member] = []
        self._day = Day(world)
        self._timer: Timer | None = None
        self._pushed_at = float("-inf")

    def open(self) -> None:
        """The world is served from now on: watch it."""
        self._world.watch.listeners.append(self.poked)
        self._world.history.listeners.append(self._recorded)
        self._day.begin()

    def close(self) -> None:
        """Watch it no more; everybody leaves."""
        if self.poked in self._world.watch.listeners:
            self._world.watch.listeners.remove(self.poked)
            self._world.history.listeners.remove(self._recorded)
        for member in tuple(self._members):
            member.leave()

    def join(self, user: SimAgent, emit: Callable[[str, str], None]) -> Member:
        """Somebody listens.

        Args:
            user: Who.
            emit: Called with an event's name and its payload, which is JSON.
        """
        member = Member(self, user, emit)
        self._members.append(member)
        return member

    def left(self, member: Member) -> None:
        """Somebody listens no more (used by `Member.leave`)."""
        if member in self._members:
            self._members.remove(member)

    # ---- what is told ----------------------------------------------------------------------------------------

    def floor(self) -> Floor:
        """How things are now."""
        return Floor(self._world, self._day, self.quirks)

    def envelope(self, event: str, user: SimAgent, floor: Floor) -> str:
        """An event as it is now, for a user, in JSON."""
        return envelope(EVENTS[event].content(floor, user))

    def poked(self) -> None:
        """Something has changed."""
        if self._members and self._timer is None:
            due = self._pushed_at + self._interval - self._clock.monotonic()
            self._timer = self._clock.later(max(due, 0.0), self._push)

    def _push(self) -> None:
        self._timer = None
        self._pushed_at = self._clock.monotonic()
        floor = self.floor()
        for name, event in EVENTS.items():
            if name == CALL_HISTORY:
                continue
            found = ""
            for member in tuple(self._members):
                if member.wants(name):
                    if event.own or not found:
                        found = self.envelope(name, member.user, floor)
                    member.changed(name, found)

    def _recorded(self, cdr: Cdr) -> None:
        self._day.add(cdr)
        told = envelope({"callID": cdr.call_id})
        for member in tuple(self._members):
            if member.wants(CALL_HISTORY):
                member.happened(CALL_HISTORY, told)


def envelope(content: object) -> str:
    """A content in ZIWO's envelope."""
    return _ENCODE({"result": True, "content": content, "info": {"status": 200}})


def refusal(status: int, message: str) -> str:
    """A refusal in ZIWO's envelope."""
    return json.dumps({"result": False, "error": {"message": message}, "info": {"status": status}})
