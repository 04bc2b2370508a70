"""What asyncio does not offer of TCP: a real reset, and a port that is kept while nothing listens on it."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from asyncio.trsock import TransportSocket

__all__ = ["hold_port", "send_reset"]

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def send_reset(transport: asyncio.Transport) -> None:
    """End a TCP connection with RST, at once (a plain `abort` sends FIN when everything was read)."""
    found = transport.get_extra_info("socket")
    if isinstance(found, TransportSocket):
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()


def hold_port(host: str, listener: asyncio.Server) -> socket.socket | None:
    """Close a listener and keep its port: connections are refused, and no other process can take it meanwhile.

    Returns:
        The socket to close when something listens there again; None where the port cannot be kept (a network in
        memory, a system that is not POSIX, another process that was quicker).
    """
    first = listener.sockets[0]
    real, port = isinstance(first, TransportSocket), first.getsockname()[1]
    listener.close()
    if not real or os.name != "posix":
        return None
    held = socket.socket(first.family, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((host, port))
    except OSError:
        held.close()
        return None
    return held
