"""Which protocol a server speaks: Engine.IO 4 first, 3 when it is refused, and what worked is tried first again."""

from __future__ import annotations

import logging

from .socket import Address, Listener, LiveSocket, ProtocolRefused, Protocols

__all__ = ["Connector"]

_log = logging.getLogger("ziwo_async.live")


class Connector:
    """Opens live sockets.

    Attributes:
        protocol: What the last connection spoke; None before the first.
    """

    def __init__(self) -> None:
        """Know nothing of the server."""
        self.protocol: Protocols | None = None

    async def open(self, address: Address, listener: Listener) -> LiveSocket:
        """Connect.

        Args:
            address: Where.
            listener: Gets the events.

        Raises:
            TokenRefused: The server does not take the token.
            CannotConnect: There is no connection.
            ConfigError: The extra `live` is not installed.
        """
        first: Protocols = self.protocol or 4
        second: Protocols = 3 if first == 4 else 4
        try:
            socket = await self._open(first, address, listener)
        except ProtocolRefused as error:
            _log.debug("%s; trying Engine.IO %d", error, second)
        else:
            self.protocol = first
            return socket
        self.protocol = None
        socket = await self._open(second, address, listener)
        self.protocol = second
        return socket

    async def _open(self, protocol: Protocols, address: Address, listener: Listener) -> LiveSocket:
        if protocol == 3:
            from .engine3 import EngineThree  # aiohttp's websockets, when they are needed

            return await EngineThree.open(address, listener)
        from .socketio import SocketIo

        return await SocketIo.open(address, listener)
