"""A network in memory, for the virtual event loop: servers, connections and their faults, without one socket.

Both ends of a connection are plain asyncio transports, so code that is written for `loop.create_server` and
`loop.create_connection` runs over it unchanged. It behaves as TCP does: bytes arrive in order, in pieces of any size, a
writer that is too fast is paused, each direction closes by itself, and an abort is a reset for the peer.

There is no TLS and no name resolution: a host is a name, and only what listens in the same loop can be reached.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from .transport import MemoryTransport, Pipe

if TYPE_CHECKING:
    from .virtual import VirtualLoop

__all__ = ["Direction", "Link", "LinkOptions", "MemoryServer", "Network", "ProtocolFactory"]

ProtocolFactory: TypeAlias = Callable[[], asyncio.BaseProtocol]
Address: TypeAlias = tuple[str, int]
Direction: TypeAlias = Literal["to_server", "to_client", "both"]
"""Which way a fault works, in the words of `FaultProxy`."""

_EVERYWHERE = "0.0.0.0"  # noqa: S104 - a key of the table; nothing is bound
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_FIRST_PORT = 20_000
_FIRST_CLIENT_PORT = 40_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOptions:
    """How connections carry bytes. Times are seconds.

    Attributes:
        latency: From a write to its arrival; half of what a new connection takes.
        jitter: At most so much is added to the latency of each write; order is kept.
        split: Bytes arrive in pieces of random size, one piece in each turn of the loop.
    """

    latency: float = 0.0
    jitter: float = 0.0
    split: bool = False


class Link:
    """One connection, seen from the network: what happens to its bytes.

    Attributes:
        number: The how manieth connection of the network it is, from 1.
        options: How it carries bytes; may be replaced at any time.
    """

    def __init__(self, network: Network, number: int, client: Address, server: Address) -> None:
        self.number = number
        self.options = network.options
        self._network = network
        self._client = MemoryTransport(network.loop, self._closed, sockname=client, peername=server)
        self._server = MemoryTransport(network.loop, self._closed, sockname=server, peername=client)
        self._up = Pipe(self, self._client, self._server, network.loop, network.rng)
        self._down = Pipe(self, self._server, self._client, network.loop, network.rng)
        self._client.join(out=self._up, into=self._down)
        self._server.join(out=self._down, into=self._up)

    def __repr__(self) -> str:
        (host, port), (_, client_port) = self.address, self.client_address
        return f"<Link {self.number} from port {client_port} to {host}:{port}{'' if self.open else ', closed'}>"

    @property
    def address(self) -> Address:
        """Host and port of the server."""
        found: Address = self._client.get_extra_info("peername")
        return found

    @property
    def client_address(self) -> Address:
        """Host and port of the client."""
        found: Address = self._client.get_extra_info("sockname")
        return found

    @property
    def open(self) -> bool:
        """Whether one of the two ends is still open."""
        return not (self._client.over and self._server.over)

    @property
    def ends(self) -> tuple[MemoryTransport, MemoryTransport]:
        """The client's transport and the server's."""
        return self._client, self._server

    def _closed(self) -> None:
        if not self.open:
            self._network.forget(self)

    def _pipes(self, toward: Direction) -> tuple[Pipe, ...]:
        return {"to_client": (self._down,), "to_server": (self._up,), "both": (self._up, self._down)}[toward]

    def reset(self) -> None:
        """Break it: both ends get `ConnectionResetError` in the next turn, bytes under way are lost."""
        for pipe in self._pipes("both"):
            pipe.break_off()

    def cut(self, toward: Direction = "both") -> None:
        """End it as a middle box does: the end of the stream comes behind the bytes under way, nothing after it."""
        for pipe in self._pipes(toward):
            pipe.finish()
            pipe.deaf = True

    def stall(self, toward: Direction = "both") -> None:
        """A black hole: nothing arrives any more, neither bytes nor the end, until `resume`; nobody is told."""
        for pipe in self._pipes(toward):
            pipe.hold()

    def resume(self, toward: Direction = "both") -> None:
        """End a stall: what was sent meanwhile arrives now, as after TCP's own repetitions."""
        for pipe in self._pipes(toward):
            pipe.go_on()


class _ListeningSocket:
    """The little that is asked of a listening socket."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def getsockname(self) -> Address:
        """Host and port."""
        return self._address


class MemoryServer(asyncio.AbstractServer):
    """What `loop.create_server` gives in virtual time."""

    def __init__(self, network: Network, factory: ProtocolFactory, address: Address) -> None:
        self._network = network
        self._factory = factory
        self._address = address
        self._serving = True
        self._links: dict[Link, None] = {}
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def sockets(self) -> tuple[_ListeningSocket, ...]:
        """One object with `getsockname()`; none when it is closed."""
        return (_ListeningSocket(self._address),) if self._serving else ()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop it belongs to."""
        return self._network.loop

    def is_serving(self) -> bool:
        """Whether it takes connections."""
        return self._serving

    async def start_serving(self) -> None:
        """Nothing: it serves from the beginning."""

    async def serve_forever(self) -> None:
        """Wait until cancelled; then close."""
        try:
            await self._network.loop.create_future()
        finally:
            self.close()

    def close(self) -> None:
        """Take no more connections; the present ones stay."""
        self._serving = False
        self._network.stop_listening(self._address, self)
        self._wake()

    def close_clients(self) -> None:
        """Close every connection."""
        for link in tuple(self._links):
            link.ends[1].close()

    def abort_clients(self) -> None:
        """Reset every connection."""
        for link in tuple(self._links):
            link.ends[1].abort()

    async def wait_closed(self) -> None:
        """Wait until it is closed and its last connection is over (as Python 3.12 and newer do)."""
        while self._serving or self._links:
            waiter: asyncio.Future[None] = self._network.loop.create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                self._waiters.remove(waiter)

    def accept(self, link: Link) -> None:
        """Take a connection (used by the network)."""
        if not self._serving:
            link.ends[1].abort()
            return
        self._links[link] = None
        link.ends[1].begin(self._factory())

    def forget(self, link: Link) -> None:
        """A connection is over (used by the network)."""
        self._links.pop(link, None)
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)


class Network:
    """All servers and connections of one virtual loop.

    Attributes:
        loop: The loop.
        rng: Jitter and split points; seeded by the loop.
        options: How connections made from now on carry bytes.
        made: How many connections there were.
    """

    def __init__(self, loop: VirtualLoop, rng: random.Random) -> None:
        self.loop = loop
        self.rng = rng
        self.options = LinkOptions()
        self.made = 0
        self._refusing = False
        self._last_port = _FIRST_PORT
        self._servers: dict[Address, MemoryServer] = {}
        self._links: dict[Link, MemoryServer] = {}
        self._waiting: list[asyncio.Future[None]] | None = None

    @property
    def links(self) -> tuple[Link, ...]:
        """The open connections, oldest first."""
        return tuple(self._links)

    @property
    def servers(self) -> tuple[MemoryServer, ...]:
        """The servers that take connections."""
        return tuple(self._servers.values())

    # ---- faults of the whole network -------------------------------------------------------------------------

    def refuse(self, refuse: bool = True) -> None:
        """Refuse new connections (`ConnectionRefusedError`), until told otherwise."""
        self._refusing = refuse

    def vanish(self) -> None:
        """The network is gone: every connection stalls, and new ones wait. Nobody is told. `come_back` ends it."""
        if self._waiting is None:
            self._waiting = []
        for link in self.links:
            link.stall()

    def come_back(self) -> None:
        """The network is there again: stalled connections go on, new ones are made."""
        waiting, self._waiting = self._waiting, None
        for waiter in waiting or ():
            if not waiter.done():
                waiter.set_result(None)
        for link in self.links:
            link.resume()

    # ---- used by the loop ------------------------------------------------------------------------------------

    def listen(self, factory: ProtocolFactory, host: str | None, port: int | None) -> MemoryServer:
        """Start to listen.

        Raises:
            OSError: Somebody listens there already.
        """
        if not port:
            self._last_port += 1
            port = self._last_port
        address = (host or _EVERYWHERE, port)
        if address in self._servers:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), f"{address[0]}:{port}")
        server = self._servers[address] = MemoryServer(self, factory, address)
        return server

    def stop_listening(self, address: Address, server: MemoryServer) -> None:
        """A server was closed."""
        if self._servers.get(address) is server:
            del self._servers[address]

    async def connect(self, factory: ProtocolFactory, host: str, port: int) -> tuple[MemoryTransport, Any]:
        """Make a connection.

        Raises:
            ConnectionRefusedError: Nobody listens there, or the network refuses.
        """
        loop = self.loop
        if self.options.latency > 0:
            await asyncio.sleep(2 * self.options.latency)
        while self._waiting is not None:
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiting.append(waiter)
            await waiter
        server = None if self._refusing else self._find(host, port)
        if server is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"Connect call failed ({host!r}, {port})")
        self.made += 1
        client_address = ("127.0.0.1", _FIRST_CLIENT_PORT + self.made)
        link = Link(self, self.made, client_address, (host, port))
        self._links[link] = server
        loop.call_soon(server.accept, link)
        client, protocol = link.ends[0], factory()
        client.begin(protocol)
        return client, protocol

    def _find(self, host: str, port: int) -> MemoryServer | None:
        names = (host, *_LOOPBACK, _EVERYWHERE) if host in _LOOPBACK else (host, _EVERYWHERE)
        return next((self._servers[name, port] for name in names if (name, port) in self._servers), None)

    def forget(self, link: Link) -> None:
        """A connection is over."""
        server = self._links.pop(link, None)
        if server is not None:
            server.forget(link)
