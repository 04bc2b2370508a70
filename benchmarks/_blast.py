"""A server that costs nothing to the client's side: it answers one websocket handshake by hand, then sends bytes."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import struct
import sys

from _replay import frames

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BLOCK = 1 << 20
_HELLO = (
    b'{"jsonrpc":"2.0","id":1,"result":{"message":"logged in","sessid":"bench"}}',
    b'{"jsonrpc":"2.0","id":1,"method":"verto.clientReady","params":{"reattached_sessions":[]}}',
)


def wire(payload: bytes) -> bytes:
    """Put a websocket text frame around a payload, as servers do: not masked."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x81, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", 0x81, 126, size) + payload
    return struct.pack("!BBQ", 0x81, 127, size) + payload


def serve(calls: int) -> None:
    """Serve one connection after the other, each the same bytes; prints its port first.

    Args:
        calls: How many calls each connection gets.
    """
    hello = b"".join(wire(frame) for frame in _HELLO)
    everything = b"".join(wire(frame) for frame in frames(calls))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            peer, _ = listener.accept()
            with peer:
                _talk(peer, hello, everything)


def _talk(peer: socket.socket, hello: bytes, everything: bytes) -> None:
    request = b""
    while b"\r\n\r\n" not in request:
        request += peer.recv(4096)
    key = re.search(rb"Sec-WebSocket-Key: (\S+)", request, re.IGNORECASE)
    if key is None:
        return
    accept = base64.b64encode(hashlib.sha1(key.group(1) + _MAGIC, usedforsecurity=False).digest())
    peer.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    peer.recv(65536)
    peer.sendall(hello)
    peer.recv(65536)
    try:
        for start in range(0, len(everything), _BLOCK):
            peer.sendall(everything[start : start + _BLOCK])
        while peer.recv(65536):
            pass
    except OSError:
        return


if __name__ == "__main__":
    serve(int(sys.argv[1]))
