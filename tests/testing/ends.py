"""The two ends of a proxied connection: they note what they see, chunk by chunk."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ziwo_async.testing import FaultProxy

from ..phone.kit import until, within


class End(asyncio.Protocol):
    """One end. `lost` is False while it is connected, else what the loop says: None (closed) or the error."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.chunks: list[bytes] = []
        self.eof = False
        self.lost: Exception | bool | None = False
        self.blocked = False

    @property
    def data(self) -> bytes:
        return b"".join(self.chunks)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.chunks.append(data)

    def eof_received(self) -> bool:
        self.eof = True
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = exc

    def pause_writing(self) -> None:
        self.blocked = True

    def resume_writing(self) -> None:
        self.blocked = False

    def send(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    def takes_little(self) -> None:
        """Keep the system's own buffers small, so that back-pressure is felt early."""
        assert self.transport is not None
        found = self.transport.get_extra_info("socket")
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            found.setsockopt(socket.SOL_SOCKET, option, 65_536)

    def close(self) -> None:
        assert self.transport is not None
        self.transport.close()

    async def has(self, data: bytes) -> None:
        await until(lambda: self.data == data, f"{self.data!r} instead of {data!r}")

    async def is_reset(self) -> None:
        await until(lambda: isinstance(self.lost, ConnectionResetError), f"no reset: {self.lost!r}, eof {self.eof}")

    async def sees_fin(self) -> None:
        await until(lambda: self.eof, "no FIN")
        assert self.lost is False


@dataclass
class Line:
    """A server, a proxy in front of it, and the clients made."""

    proxy: FaultProxy
    servers: list[End]
    clients: list[End]

    async def connect(self) -> tuple[End, End]:
        """A new connection through the proxy: its client's and its server's end."""
        before = len(self.servers)
        client = await self.dial()
        # The loop makes the protocol first, and connects it a turn later.
        await until(
            lambda: len(self.servers) > before and self.servers[before].transport is not None,
            "the server was not reached",
        )
        return client, self.servers[before]

    async def dial(self) -> End:
        loop = asyncio.get_running_loop()
        _, client = await within(loop.create_connection(End, self.proxy.host, self.proxy.port))
        self.clients.append(client)
        return client


@asynccontextmanager
async def line(**options: int) -> AsyncIterator[Line]:
    servers: list[End] = []

    def accept() -> End:
        servers.append(End())
        return servers[-1]

    loop = asyncio.get_running_loop()
    listener = await loop.create_server(accept, "127.0.0.1", 0)
    clients: list[End] = []
    try:
        async with FaultProxy("127.0.0.1", listener.sockets[0].getsockname()[1], **options) as proxy:
            yield Line(proxy, servers, clients)
    finally:
        listener.close()
        for end in (*clients, *servers):
            if end.transport is not None:
                end.transport.abort()
        await within(listener.wait_closed())


async def turns(count: int = 50) -> None:
    """Let the loop turn often enough for everything that is under way on loopback to arrive."""
    for _ in range(count):
        await asyncio.sleep(0)
