"""Click to call by the agent that is logged in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .dialling import check_number, place_call
from .models.cti import ClickToCall
from .prepared import segment
from .transport import Transport

if TYPE_CHECKING:
    from ..spend import SpendGuard

__all__ = ["click_to_call"]


async def click_to_call(
    transport: Transport, number: str, *, roaming_only: bool = False, guard: SpendGuard | None = None
) -> ClickToCall:
    """Call a number for the agent that is logged in: their own phone rings first, then the number is called.

    Needs: any agent. (`POST /integrations/cti/agents/call/{number}`; source: official web client)

    Args:
        transport: The way to the REST API.
        number: The number, sent as given.
        roaming_only: Ring the agent's roaming number only (ZIWO's `roamingOnly`).
        guard: What may be spent; None for everything.

    Raises:
        BadArgument: It is no number.
        SpendRefused: The program's own `SpendPolicy` forbids it.
        ConnectionLost: The connection ended. As for the next three, the call may have been made: the error says so, and
            is not `retryable`.
        RequestTimeout: No answer in time.
        ServerError: The server failed.
        DecodeError: The answer has no call id.
    """
    check_number(number)
    path = f"/integrations/cti/agents/call/{segment(number)}"
    if guard is not None:
        guard.check("click to call", number)
    return await place_call(transport, ClickToCall, path, json={"roamingOnly": roaming_only})
