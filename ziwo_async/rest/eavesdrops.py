"""Resource: calls that listen to agents."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from ..errors import BadArgument
from .dialling import DiallingResource, place_call
from .models.eavesdrop import EavesdropCall
from .prepared import segment

__all__ = ["EavesdropsResource", "Whisper"]

Whisper: TypeAlias = Literal["agent", "both", "none"]
"""Who hears us: the agent alone, the agent and the customer, or nobody."""


class EavesdropsResource(DiallingResource):
    """Listening to an agent's calls, and speaking into them. Needs ZIWO v1.4.2-beta or later."""

    async def create(self, agent: str, *, position: str | None = None) -> EavesdropCall:
        """Begin a call that listens to an agent. It rings our own position, and we have to answer it ourselves.

        The position must be connected before. While the agent has no call, music plays; when the agent has one, we
        hear it. Needs: an admin with the role permission `eavesdrop`.
        (`POST /live/calls/eavesdrop/{agent}`; source: ZIWO docs)

        Args:
            agent: The agent's number (`ccLogin`), such as `5555`.
            position: Name of the position to ring; our default one when None.

        Raises:
            BadArgument: The position has no name.
            SpendRefused: The program's own `SpendPolicy` forbids it.
            ConnectionLost: The connection ended. As for the next three, the call may have been made: the error says so,
                and is not `retryable`.
            RequestTimeout: No answer in time.
            ServerError: The server failed.
            DecodeError: The answer has no call id.
        """
        path = f"/live/calls/eavesdrop/{segment(agent)}"
        if position is not None and not position.strip():
            raise BadArgument("the position to ring has no name; None is the default one")
        if self._guard is not None:
            self._guard.check("eavesdrop", None)
        return await place_call(self._transport, EavesdropCall, path, form={"positionName": position})

    async def update(self, call_id: str, *, whisper: Whisper) -> None:
        """Say who hears us in a call that listens. Needs: an admin with the role permission `eavesdrop`.

        (`PUT /live/calls/eavesdrop/{callID}`; source: ZIWO docs)

        Args:
            call_id: The id that `create` gave.
            whisper: `agent`, `both` or `none`.

        Raises:
            BadArgument: There is no such way to whisper.
        """
        if whisper not in get_args(Whisper):
            raise BadArgument(f"whisper is one of {', '.join(get_args(Whisper))}, not {whisper!r}")
        await self._transport.request("PUT", f"/live/calls/eavesdrop/{segment(call_id)}", form={"whisper": whisper})
