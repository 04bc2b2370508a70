"""The two ends of a connection in memory, and the two pipes between them."""

from __future__ import annotations

import asyncio
import errno
import os
import random
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from .network import LinkOptions
    from .virtual import VirtualLoop

__all__ = ["MemoryTransport", "Pipe"]

# What the two kernels of a real connection hold before a writer notices anything.
_KERNEL = 65_536
_HIGH = 65_536
_READ_AT_ONCE = 65_536

_FIN: Final = b""
"""The end of the stream, as an item of a pipe."""
_RST: Final = None
"""A reset, as an item of a pipe."""


class _Carrier(Protocol):
    @property
    def options(self) -> LinkOptions: ...


class Pipe:
    """One direction of a connection: bytes under way, in order.

    Attributes:
        size: Bytes under way.
        deaf: What is written from now on is lost.
    """

    def __init__(
        self, carrier: _Carrier, source: MemoryTransport, target: MemoryTransport, loop: VirtualLoop, rng: random.Random
    ) -> None:
        self.size = 0
        self.deaf = False
        self._carrier = carrier
        self._source = source
        self._target = target
        self._loop = loop
        self._rng = rng
        self._items: deque[tuple[float, bytes | None]] = deque()
        self._last_due = 0.0
        self._held = False
        self._closed = False
        self._handle: asyncio.Handle | None = None

    def send(self, data: bytes | None) -> None:
        """Put bytes, `_FIN` or `_RST` on their way."""
        if self.deaf:
            return
        if self._closed:
            if data:
                self._source.refused()
            return
        options = self._carrier.options
        due = self._loop.time() + options.latency
        if options.jitter > 0:
            due += self._rng.uniform(0, options.jitter)
        # What was sent first arrives first, however slow it was.
        due = self._last_due = max(due, self._last_due)
        self._items.append((due, data))
        if data:
            self.size += len(data)
        self.arm()

    def finish(self) -> None:
        """The end of the stream, behind what is under way."""
        self.send(_FIN)

    def reset(self) -> None:
        """A reset, behind what is under way."""
        self.send(_RST)

    def break_off(self) -> None:
        """A reset instead of what is under way, stalled or not."""
        self._disarm()
        self._items.clear()
        self.size = 0
        self._held = False
        self._items.append((self._loop.time(), _RST))
        self.deaf = True
        self.arm()

    def hold(self) -> None:
        """Nothing arrives, until `go_on`."""
        self._held = True
        self._disarm()

    def go_on(self) -> None:
        """End `hold`."""
        self._held = False
        self.arm()

    def close(self) -> None:
        """The end that reads is gone: nothing can arrive any more; bytes are answered with a reset."""
        self._disarm()
        self._closed = True
        if any(data for _, data in self._items):
            self._source.refused()
        self._items.clear()
        self.size = 0

    def arm(self) -> None:
        """Arrange the next delivery."""
        if self._handle is not None or self._held or not self._items or not self._target.takes(self._items[0][1]):
            return
        due = self._items[0][0]
        if due <= self._loop.time():
            self._handle = self._loop.call_soon(self._deliver)
        else:
            self._handle = self._loop.call_at(due, self._deliver)

    def _disarm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _deliver(self) -> None:
        self._handle = None
        _, first = self._items.popleft()
        if first is None:
            self._target.arrives_reset()
        elif first == _FIN:
            self._target.arrives_end()
        else:
            data = self._take(first)
            self.size -= len(data)
            self._target.arrives(data)
            self._source.drained()
        self.arm()

    def _take(self, first: bytes) -> bytes:
        """As much as one read of a socket gives: all that has arrived, or a piece of it."""
        items, now = self._items, self._loop.time()
        if items and items[0][1] and items[0][0] <= now:
            parts, size = [first], len(first)
            while items and items[0][0] <= now and (more := items[0][1]) and size < _READ_AT_ONCE:
                parts.append(more)
                size += len(more)
                items.popleft()
            first = b"".join(parts)
        if self._carrier.options.split and len(first) > 1:
            at = self._rng.randrange(1, len(first) + 1)
            if at < len(first):
                items.appendleft((now, first[at:]))
                first = first[:at]
        return first


class MemoryTransport(asyncio.Transport):
    """One end of a connection in memory.

    It keeps what asyncio promises of transports: `connection_made` first, `connection_lost` once and last, no call into
    the protocol from inside `write`, and `pause_writing` when the peer reads too slowly.

    Attributes:
        over: `connection_lost` was called, or the protocol was never connected and never will be.
    """

    def __init__(
        self, loop: VirtualLoop, closed: Callable[[], None], *, sockname: tuple[str, int], peername: tuple[str, int]
    ) -> None:
        super().__init__({"sockname": sockname, "peername": peername})
        self.over = False
        self._loop = loop
        self._told_closed = closed
        self._out: Pipe
        self._in: Pipe
        self._protocol: asyncio.Protocol | None = None
        self._reading = True
        self._closing = False
        self._ending = False
        self._eof_written = False
        self._write_paused = False
        self._high, self._low = _HIGH, _HIGH // 4

    def __repr__(self) -> str:
        return f"<MemoryTransport {self.get_extra_info('sockname')} -> {self.get_extra_info('peername')}>"

    def join(self, *, out: Pipe, into: Pipe) -> None:
        """Take the two pipes (used by the link)."""
        self._out, self._in = out, into

    def begin(self, protocol: asyncio.BaseProtocol) -> None:
        """Connect a protocol (used by the network)."""
        if not isinstance(protocol, asyncio.Protocol):
            raise TypeError(f"the network in memory serves asyncio.Protocol, not {type(protocol).__name__}")
        self._protocol = protocol
        protocol.connection_made(self)
        self._in.arm()

    # ---- what arrives ----------------------------------------------------------------------------------------

    def takes(self, item: bytes | None) -> bool:
        """Whether an item of the pipe can arrive now; a reset always can, once there is a protocol."""
        return self._protocol is not None and not self._ending and (item is _RST or self._reading)

    def arrives(self, data: bytes) -> None:
        """Bytes are here."""
        if self._closing:
            # As a kernel does for a socket that was closed: the other side learns that nobody reads this.
            self._out.reset()
            return
        assert self._protocol is not None
        try:
            self._protocol.data_received(data)
        except Exception as error:  # noqa: BLE001 - as asyncio does: told, and the connection is over
            self._broken(error)

    def arrives_end(self) -> None:
        """The peer writes no more."""
        if self._closing:
            return
        assert self._protocol is not None
        try:
            keep_open = self._protocol.eof_received()
        except Exception as error:  # noqa: BLE001 - as asyncio does
            self._broken(error)
            return
        if not keep_open:
            self.close()

    def arrives_reset(self) -> None:
        """The peer, or the network, has broken the connection."""
        self._end(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))

    def refused(self) -> None:
        """The peer was gone when our bytes came."""
        if not self.over:
            self._in.reset()

    def _broken(self, error: Exception) -> None:
        self._loop.call_exception_handler(
            {"message": "a protocol failed", "exception": error, "transport": self, "protocol": self._protocol}
        )
        self._out.reset()
        self._end(error)

    # ---- reading ---------------------------------------------------------------------------------------------

    def is_reading(self) -> bool:
        """Whether the protocol takes data."""
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        """Leave what comes in the pipe."""
        self._reading = False

    def resume_reading(self) -> None:
        """Take data again."""
        self._reading = True
        self._in.arm()

    # ---- writing ---------------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; lost without a word when the connection is over, as in asyncio.

        Raises:
            RuntimeError: After `write_eof`.
        """
        if self._eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if not data or self._closing:
            return
        self._out.send(bytes(data))
        if not self._write_paused and self.get_write_buffer_size() > self._high:
            self._write_paused = True
            self._tell_writer("pause_writing")

    def drained(self) -> None:
        """Bytes of ours have arrived."""
        if self._write_paused and self.get_write_buffer_size() <= self._low:
            self._write_paused = False
            self._tell_writer("resume_writing")
        if self._closing and not self._ending and self.get_write_buffer_size() == 0:
            self._end(None)

    def _tell_writer(self, what: str) -> None:
        if not self._ending and self._protocol is not None:
            getattr(self._protocol, what)()

    def get_write_buffer_size(self) -> int:
        """Bytes that the two kernels of a real connection would not have taken yet."""
        return max(0, self._out.size - _KERNEL)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The low and the high mark."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the marks, as in asyncio."""
        if high is None:
            high = _HIGH if low is None else 4 * low
        low = high // 4 if low is None else low
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high, self._low = high, low

    def can_write_eof(self) -> bool:
        """Yes."""
        return True

    def write_eof(self) -> None:
        """Close our direction; the other stays open."""
        if not self._eof_written and not self._closing:
            self._eof_written = True
            self._out.finish()

    # ---- the end ---------------------------------------------------------------------------------------------

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._closing

    def close(self) -> None:
        """Send what is written, then close."""
        if self._closing:
            return
        self._closing = True
        if not self._eof_written:
            self._out.finish()
        if self.get_write_buffer_size() == 0:
            self._end(None)

    def abort(self) -> None:
        """Close at once; the peer gets a reset."""
        if not self._ending:
            self._out.reset()
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        if self._ending:
            return
        self._ending = self._closing = True
        self._loop.call_soon(self._lost, error)

    def _lost(self, error: Exception | None) -> None:
        self.over = True
        self._in.close()
        protocol, self._protocol = self._protocol, None
        try:
            if protocol is not None:
                protocol.connection_lost(error)
        finally:
            self._told_closed()

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol."""
        assert self._protocol is not None
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Replace the protocol."""
        if not isinstance(protocol, asyncio.Protocol):
            raise TypeError(f"the network in memory serves asyncio.Protocol, not {type(protocol).__name__}")
        self._protocol = protocol
