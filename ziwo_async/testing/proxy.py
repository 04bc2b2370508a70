"""A TCP proxy on loopback that misbehaves to order.

It knows nothing of what is spoken through it: put it in front of any port.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self, TypeAlias

from ..dispatch.owner import TaskOwner
from ..simulator.tcp import send_reset, stop_listening
from .lane import Lane, Mode, Traffic

__all__ = ["Direction", "FaultProxy", "On", "Traffic"]

Direction: TypeAlias = Literal["to_server", "to_client", "both"]
"""Which way a fault works: from the client to the server, from the server to the client, or both."""

On: TypeAlias = Literal["all", "present", "new"]
"""Which connections have a fault: all, those that are open now, or those that are made from now on."""


class FaultProxy:
    """Sits between a client and a server and cuts, holds, loses, delays or damages what passes.

    Use it as `async with FaultProxy(host, port) as proxy:` and let the client connect to `proxy.address`. When it
    closes, every connection is reset and nothing of it is left. Its random numbers are seeded: the same bytes get the
    same fault. It holds about `buffer` bytes per direction of a connection; then it stops to read, as a full network
    does, until the receiver takes more.

    A close (FIN) or reset (RST) of one side is passed on to the other in order, unless a fault holds or swallows it.

    Args:
        host: Where the server listens.
        port: Its port.
        seed: Seed of the random numbers (`delay`'s jitter, which bit `corrupt` flips).
        listen_host: Address to listen on.
        listen_port: Port to listen on; 0: any.
        buffer: How many bytes one direction of a connection may hold (what has been read at once comes on top).

    Attributes:
        port: The port it listens on (0 before it does).
        to_server: Bytes from clients to the server.
        to_client: Bytes from the server to clients.
        accepted: How many connections were passed on.
        refused: How many were refused, by `refuse`.
        unreachable: How many were reset because the server could not be reached.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        seed: int = 0,
        listen_host: str = "127.0.0.1",
        listen_port: int = 0,
        buffer: int = 65_536,
    ) -> None:
        self._target = (host, port)
        self.host = listen_host
        self.port = listen_port
        self.to_server = Traffic()
        self.to_client = Traffic()
        self.accepted = 0
        self.refused = 0
        self.unreachable = 0
        self._rng = random.Random(seed)
        self._buffer = buffer
        self._new = {"to_server": Mode(), "to_client": Mode()}
        self._refusing = False
        self._links: dict[_Link, None] = {}
        self._listener: asyncio.Server | None = None
        self._tasks = TaskOwner("fault proxy", self._crashed)
        self._failures: list[Exception] = []
        self._closing = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def address(self) -> str:
        """Where to connect to, as `host:port`."""
        return f"{self.host}:{self.port}"

    @property
    def open(self) -> int:
        """How many connections are open now (a side that is kept open after a fault counts)."""
        return len(self._links)

    def __repr__(self) -> str:
        host, port = self._target
        return f"FaultProxy({self.address} -> {host}:{port}, open={self.open})"

    # ---- opening and closing -----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        await self._tasks.start()
        try:
            self._listener = await loop.create_server(lambda: _Link(self).client, self.host, self.port)
        except BaseException:
            await self._tasks.aclose(1.0)
            raise
        self.port = int(self._listener.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        if self._listener is not None:
            await stop_listening(self._listener)
        for link in tuple(self._links):
            link.reset()
        await self._tasks.aclose(5.0)
        for link in tuple(self._links):
            link.reset()  # one that was connected while its task was being cancelled
        await self._empty.wait()
        if self._listener is not None:
            await self._listener.wait_closed()
        if self._failures:
            raise ExceptionGroup("the fault proxy failed", self._failures)

    def _crashed(self, name: str, error: Exception) -> None:
        self._failures.append(error)

    # ---- faults that happen once -------------------------------------------------------------------------------

    def cut(self, direction: Direction = "both") -> int:
        """Close (FIN) every present connection, as a process that ends does; what is held is thrown away.

        With one direction only that receiver is told so, and the other direction goes on (a half-closed connection).

        Returns:
            How many connections were cut.
        """
        for link in tuple(self._links):
            for lane in link.lanes(direction):
                lane.send_fin()
        return len(self._links)

    def reset(self, direction: Direction = "both") -> int:
        """Reset (RST) every present connection: no goodbye, what is on its way is lost.

        With `to_client` only the client sees it, and the server still believes in its connection (with `to_server`
        the other way round), until it closes it itself.

        Returns:
            How many connections were reset.
        """
        links = tuple(self._links)
        for link in links:
            link.reset(direction)
        return len(links)

    def duplicate(self, direction: Direction = "both", *, times: int = 1, on: On = "present") -> None:
        """Deliver the bytes of the next chunk twice (TCP never does that; a broken middlebox may).

        Args:
            direction: Which way.
            times: For how many chunks of each connection. A chunk is what one read gives: a message or a part of
                one when little is sent.
            on: Which connections.
        """
        self._set(direction, on, lambda mode: setattr(mode, "duplicate", times))

    def corrupt(self, direction: Direction = "both", *, times: int = 1, on: On = "present") -> None:
        """Flip one bit of the next chunk; see `duplicate` for the arguments."""
        self._set(direction, on, lambda mode: setattr(mode, "corrupt", times))

    # ---- faults that last --------------------------------------------------------------------------------------

    def stall(self, direction: Direction = "both", *, on: On = "all") -> None:
        """Keep all bytes, and deliver them at `resume`: a network that comes back in time."""
        self._set(direction, on, lambda mode: setattr(mode, "stalled", True))

    def resume(self, direction: Direction = "both") -> None:
        """End `stall`: what was kept is delivered, in order."""
        self._set(direction, "all", lambda mode: setattr(mode, "stalled", False))

    def black_hole(self, direction: Direction = "both", *, on: On = "all") -> None:
        """Swallow all bytes, a close and a reset too; the connection stays: a network that is gone for good.

        What was swallowed does not come back at `heal`, so that a connection that had it is of no more use; for a
        network that comes back take `stall`.
        """
        self._set(direction, on, lambda mode: setattr(mode, "black_hole", True))

    def delay(self, seconds: float, jitter: float = 0.0, direction: Direction = "both", *, on: On = "all") -> None:
        """Deliver every chunk so many seconds late, and up to `jitter` seconds later still; order is kept.

        0 ends it: what waits is delivered at once.
        """

        def change(mode: Mode) -> None:
            mode.delay, mode.jitter = _positive("seconds", seconds), _positive("jitter", jitter)

        self._set(direction, on, change)

    def split(self, size: int, direction: Direction = "both", *, on: On = "all") -> None:
        """Deliver so many bytes at a time; 0 ends it.

        A receiver in this event loop reads each piece by itself; one in another process may find several.
        """
        pieces = int(_positive("size", size))
        self._set(direction, on, lambda mode: setattr(mode, "split", pieces))

    def throttle(self, bytes_per_second: float, direction: Direction = "both", *, on: On = "all") -> None:
        """Deliver no faster than this, per connection and direction; 0 ends it."""
        rate = _positive("bytes_per_second", bytes_per_second)
        self._set(direction, on, lambda mode: setattr(mode, "rate", rate))

    def refuse(self, refuse: bool = True) -> None:
        """Reset every new connection as soon as it is made, before a byte passes; False ends it."""
        self._refusing = refuse

    def heal(self) -> None:
        """End all faults, on all connections: what was held is delivered, what was swallowed is lost."""
        self._refusing = False
        self._new = {"to_server": Mode(), "to_client": Mode()}
        for link in tuple(self._links):
            for lane in link.lanes("both"):
                lane.mode = Mode()
                lane.changed()

    def _set(self, direction: Direction, on: On, change: Callable[[Mode], None]) -> None:
        if on not in ("all", "present", "new"):
            raise ValueError(f"on is all, present or new, not {on!r}")
        names = _ways(direction)
        if on != "present":
            for name in names:
                change(self._new[name])
        if on != "new":
            for link in tuple(self._links):
                for lane in link.lanes(direction):
                    change(lane.mode)
                    lane.changed()

    # ---- used by the connections -------------------------------------------------------------------------------

    def new_lane(self, name: Literal["to_server", "to_client"], settle: Callable[[], None]) -> Lane:
        """One direction of a new connection (used by the connections)."""
        traffic = self.to_server if name == "to_server" else self.to_client
        # A generator of its own: what becomes of one connection does not depend on what the others say.
        rng = random.Random(self._rng.getrandbits(64))
        return Lane(self._new[name].copy(), traffic, rng, self._buffer, settle)

    def joined(self, link: _Link) -> bool:
        """A client has connected (used by the connections); False: it is refused."""
        if self._closing or self._refusing:
            self.refused += 1
            return False
        self.accepted += 1
        self._links[link] = None
        self._empty.clear()
        self._tasks.spawn("connect", self._connect, link)
        return True

    def left(self, link: _Link) -> None:
        """A connection is over (used by the connections)."""
        self._links.pop(link, None)
        if not self._links:
            self._empty.set()

    async def _connect(self, link: _Link) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: link.server, *self._target)
        except OSError:
            self.unreachable += 1
            link.reset()


class _Link:
    """One connection: a client, a server, and a lane each way."""

    def __init__(self, proxy: FaultProxy) -> None:
        self._proxy = proxy
        self.to_server = proxy.new_lane("to_server", self.settle)
        self.to_client = proxy.new_lane("to_client", self.settle)
        self._severed = False
        self.client = _Side(self, self.to_server, self.to_client)
        self.server = _Side(self, self.to_client, self.to_server)

    def lanes(self, direction: Direction) -> list[Lane]:
        return [self.to_server if way == "to_server" else self.to_client for way in _ways(direction)]

    def connected(self, side: _Side) -> bool:
        """A side has its transport; False: nobody wants it any more."""
        return self._proxy.joined(self) if side is self.client else not self._severed

    def reset(self, direction: Direction = "both") -> None:
        """RST to one side (the other is not told), or to both."""
        self._severed = True
        for lane in self.lanes("both"):
            lane.stop()
        for way in _ways(direction):
            side = self.server if way == "to_server" else self.client
            if side.transport is not None:
                send_reset(side.transport)
        if self.server.transport is None:
            self.server.lost = True  # it is not connected (any more), and will not be
        self.settle()

    def settle(self) -> None:
        """Close when both sides have finished and nothing is held for either, and leave when both are gone."""
        sides = (self.client, self.server)
        if all(side.finished or side.lost for side in sides) and all(lane.idle for lane in self.lanes("both")):
            for side in sides:
                if side.transport is not None:
                    side.transport.close()
        if all(side.lost for side in sides):
            for lane in self.lanes("both"):
                lane.stop()
            self._proxy.left(self)


class _Side(asyncio.Protocol):
    """The client's or the server's end of a connection."""

    def __init__(self, link: _Link, outgoing: Lane, incoming: Lane) -> None:
        self._link = link
        self._outgoing = outgoing
        self._incoming = incoming
        self.transport: asyncio.Transport | None = None
        self.finished = False
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if not self._link.connected(self):
            send_reset(transport)
            return
        self._outgoing.source = self._incoming.sink = transport
        self._outgoing.pump()
        self._incoming.pump()

    def data_received(self, data: bytes) -> None:
        self._outgoing.feed(data)

    def eof_received(self) -> bool:
        self.finished = True
        self._outgoing.end(reset=False)
        self._link.settle()
        return True  # the other direction may go on

    def pause_writing(self) -> None:
        self._incoming.block(True)

    def resume_writing(self) -> None:
        self._incoming.block(False)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport, self.lost = None, True
        self._outgoing.source = self._incoming.sink = None
        self._incoming.stop()
        if exc is not None:
            self._outgoing.end(reset=True)
        elif not self.finished:
            self._outgoing.end(reset=False)
        self._link.settle()


def _ways(direction: Direction) -> tuple[Literal["to_server", "to_client"], ...]:
    match direction:
        case "both":
            return ("to_server", "to_client")
        case "to_server" | "to_client":
            return (direction,)
        case _:
            raise ValueError(f"direction is to_server, to_client or both, not {direction!r}")


def _positive(name: str, value: float) -> float:
    if value < 0:
        raise ValueError(f"{name} must not be negative")
    return value
