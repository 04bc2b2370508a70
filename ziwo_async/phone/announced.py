"""Calls that were announced to us by other ways than the phone's: we asked ZIWO for them, and know an id of theirs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVarTuple, Unpack

from ..dispatch.owner import TaskHandle
from ..events import Direction, Event
from ..verto.direction import names_of

if TYPE_CHECKING:
    from .call import Call
    from .core import PhoneCore

__all__ = ["Announced"]

_Ts = TypeVarTuple("_Ts")


class Announced:
    """What a part of the package that stands above the phone may do with it: whisper sessions."""

    def __init__(self, core: PhoneCore) -> None:
        """Made by the phone.

        Args:
            core: The phone's working parts.
        """
        self._core = core

    def note(self, name: str) -> None:
        """A call known by this id is of kind `service`, whether it rings already or will.

        Args:
            name: The call's id, or what one of its `verto_h_*` headers will say.
        """
        self._core.session.services.note(name)
        call = self.find(name)
        if call is not None:
            self._core.session.set_direction(call.id, Direction.SERVICE)

    def find(self, name: str) -> Call | None:
        """Give the live inbound call that is known by this id, or None.

        Args:
            name: As for `note`.
        """
        for call_id, call in self._core.calls.items():
            machine = self._core.session.calls.get(call_id)
            if machine is not None and name in names_of(call.headers, call_id):
                return call
        return None

    def check_ready(self) -> None:
        """Refuse when nothing could ring here.

        Raises:
            ClientClosed: The phone is not started, or closed.
            ConnectionLost: It is reconnecting.
        """
        self._core.check_open(new_call=True)

    def tell(self, event: Event) -> None:
        """Publish an event about the phone as a whole."""
        if not self._core.over:
            self._core.tell(event)

    def spawn(self, name: str, function: Callable[[Unpack[_Ts]], Awaitable[None]], *args: *_Ts) -> TaskHandle:
        """Start a task that ends with the phone.

        Raises:
            ClientClosed: The phone is closed.
        """
        return self._core.owner.spawn(name, function, *args)
