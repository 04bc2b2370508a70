"""AttendedTransfer: a customer on hold, and a third party to consult before the two are joined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import CallGone
from ..events import DialogState

if TYPE_CHECKING:
    from .call import Call
    from .core import PhoneCore

__all__ = ["AttendedTransfer"]


class AttendedTransfer:
    """A customer on hold, and a third party to consult.

    Attributes:
        source: The customer's call.
        consult: The consultation call.
    """

    def __init__(self, core: PhoneCore, source: Call, consult: Call) -> None:
        """Made by `Call.attended_transfer`."""
        self._core = core
        self.source = source
        self.consult = consult

    async def complete(self) -> None:
        """Join the customer and the third party; both our legs end by themselves.

        May be called while the third party still rings: the customer then hears music until it answers (measured).

        Raises:
            TransferFailed: The server refused.
            WrongState: One of the calls is not in a state for it.
            CallEnded: One of the calls ended meanwhile.
            ConnectionLost: The connection ended first.
        """
        if self.consult.is_over:
            raise self.consult.ended_error("the consultation call ended before the transfer was completed")
        self._core.check_open()
        effects = self._core.session.modify(self.source.id, "replace", replaceCallID=self.consult.id)
        try:
            await self._core.request(effects)
        except CallGone as error:
            raise self.source.ended_or(error) from None

    async def cancel(self) -> None:
        """End the consultation and take the customer off hold.

        Raises:
            ConnectionLost: The connection ended first.
        """
        await self.consult.hangup()
        if self.source.state is DialogState.HELD:
            await self.source.unhold()
