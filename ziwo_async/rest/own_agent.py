"""Resource: the agent's own session in the call centre."""

from __future__ import annotations

from ..errors import Conflict
from .prepared import segment
from .transport import Transport

__all__ = ["OwnAgentResource"]


class OwnAgentResource:
    """The agent that is logged in. Every method raises what `Transport.request` raises."""

    def __init__(self, transport: Transport) -> None:
        """Use a transport; no I/O happens.

        Args:
            transport: The way to the REST API.
        """
        self._transport = transport

    async def autologin(self, position: str | None = None) -> None:
        """Say that this position (device) is connected and takes calls; without it the agent gets no queue calls.

        (`PUT /agents/autologin`; source: official web client. The position in the path: ZIWO's Verto tutorial)

        Args:
            position: Name of the position, such as `agent-0011`; the server's default when None.

        Raises:
            ConfigError: The name cannot be part of a path.
        """
        suffix = "" if position is None else f"/{segment(position)}"
        await self._transport.request("PUT", f"/agents/autologin{suffix}", json={})

    async def logout(self) -> None:
        """Log the agent's position out of the call centre. Being logged out already (HTTP 412) is fine.

        (`PUT /agents/logout`; source: official web client, and Android SDK for the 412)
        """
        try:
            await self._transport.request("PUT", "/agents/logout", json={})
        except Conflict as error:
            if error.status != 412:
                raise
