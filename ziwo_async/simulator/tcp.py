"""What asyncio does not offer of TCP: a real reset, and a port that is kept while nothing listens on it."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from asyncio.trsock import TransportSocket

__all__ = ["hold_port", "send_reset", "stop_listening"]

_ACCEPT_TURNS = 4
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def send_reset(transport: asyncio.Transport) -> None:
    """End a TCP connection with RST, at once (a plain `abort` sends FIN when everything was read)."""
    found = transport.get_extra_info("socket")
    if isinstance(found, TransportSocket):
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()


async def stop_listening(listener: asyncio.Server) -> None:
    """Close a listener, and lose no connection that it has accepted already.

    asyncio takes two turns of the loop from the accept to the protocol; when the listener is closed in between, it
    forgets the connection without closing it.
    """
    loop = asyncio.get_running_loop()
    try:
        for accepting in listener.sockets:
            if _is_real(accepting):
                loop.remove_reader(accepting.fileno())
        for _ in range(_ACCEPT_TURNS):
            await asyncio.sleep(0)
    finally:
        listener.close()


async def hold_port(listener: asyncio.Server) -> socket.socket | None:
    """Stop listening and keep the port: connections are refused, and no other process can take it meanwhile.

    Returns:
        The socket to close when something listens there again; None where the port cannot be kept (a network in
        memory, a system that is not POSIX, another process that was quicker).
    """
    first = listener.sockets[0]
    real, address = _is_real(first), first.getsockname()
    await stop_listening(listener)
    if not real or os.name != "posix":
        return None
    held = socket.socket(first.family, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(address)
    except OSError:
        held.close()
        return None
    return held


def _is_real(listening: object) -> bool:
    """Whether it is a socket of the system, and not one of a network in memory."""
    return isinstance(listening, TransportSocket)
