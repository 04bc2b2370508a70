"""ICE as FreeSWITCH does it, on loopback: one candidate, and roles that no conflict is noticed about.

Measured against aiortc: FreeSWITCH never answers a check with a role conflict (487) and never changes its role by
itself; it obeys the client's 487. Its tie breaker is random, so that with equal roles a client of aioice is stuck in
about half of the calls. Here it always loses: a client that depends on luck is found out in every run.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import string
from typing import cast

from .untyped import StunMessage, read_stun, stun_request, stun_response

__all__ = ["Ice"]

_CHECK_EVERY = 0.05
_FIRST_CHECK = 0.02
_MOST_CHECKS = 100
_WAITING = 256
_PRIORITY = 1_862_270_975
_TIE_BREAKER = 0
_ALPHABET = string.ascii_letters + string.digits


class Ice(asyncio.DatagramProtocol):
    """One socket on loopback, and the connectivity checks on it. `role`, `_recv` and `_send` are for DTLS.

    The socket is bound at once, without waiting, so that a description can be written; it listens after `open`.

    Args:
        host: Loopback address.
        rng: Makes the credentials.

    Attributes:
        port: Port of the one candidate.
        ufrag: User name fragment.
        pwd: Password.
        role: `controlled` or `controlling`.
        conflicts: How many of our checks the client refused because both had the same role.
    """

    def __init__(self, host: str, rng: random.Random) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((host, 0))
            self._socket.setblocking(False)
        except OSError:
            self._socket.close()
            raise
        self.port = int(self._socket.getsockname()[1])
        self.ufrag = "".join(rng.choices(_ALPHABET, k=16))
        self.pwd = "".join(rng.choices(_ALPHABET, k=24))
        self.role = "controlled"
        self.conflicts = 0
        self._remote: tuple[str, str] | None = None
        self._address: tuple[str, int] | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._heard_of = asyncio.Event()
        self._datagrams: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._closed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._checks: dict[bytes, bool] = {}
        self._checked = False

    async def open(self) -> None:
        """Listen."""
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=self._socket)

    def expect(self, ufrag: str, pwd: str, *, controlled: bool) -> None:
        """The client's description is there; before it, its checks are not answered."""
        self._remote = (ufrag, pwd)
        self.role = "controlled" if controlled else "controlling"

    async def connected(self) -> None:
        """Wait for the first valid check of the client: where it comes from is where everything goes."""
        await self._heard_of.wait()

    async def close(self) -> None:
        """Close the socket. Safe to call twice."""
        self._stop_checks()
        self._datagrams.put_nowait(None)  # whoever waits for one is woken
        if self._transport is None:
            self._socket.close()
            return
        self._transport.close()
        await self._closed.wait()

    # ---- for DTLS ------------------------------------------------------------------------------------------------

    async def _recv(self) -> bytes:
        data = await self._datagrams.get()
        if data is None:
            raise ConnectionError("closed")
        return data

    async def _send(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing() or self._address is None:
            raise ConnectionError("not connected")
        self._transport.sendto(data, self._address)

    # ---- asyncio -------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the socket is ours."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the socket is closed."""
        self._closed.set()

    def error_received(self, exc: Exception) -> None:
        """asyncio: the client's port is closed; it may come back."""

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """asyncio: a datagram."""
        if not data:
            return
        if data[0] > 3:
            if addr == self._address and self._datagrams.qsize() < _WAITING:
                self._datagrams.put_nowait(data)
            return
        message = read_stun(data)
        if message is None or self._remote is None:
            return
        ufrag, pwd = self._remote
        if message.kind == "request":
            if message.username == f"{self.ufrag}:{ufrag}" and message.signed_with(self.pwd):
                self._asked(message, addr)
        elif message.transaction in self._checks and message.signed_with(pwd):
            self._answered(message)

    def _asked(self, request: StunMessage, addr: tuple[str, int]) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.sendto(stun_response(request, addr, self.pwd).data, addr)
        self._address = addr
        self._heard_of.set()
        # Our own checks come after the client's first one, so that a role conflict meets a check that has succeeded.
        if self._timer is None and not self._checked:
            self._timer = asyncio.get_running_loop().call_later(_FIRST_CHECK, self._check)

    # ---- our own checks ------------------------------------------------------------------------------------------

    def _check(self) -> None:
        self._timer = None
        if self._remote is None or self._address is None or self._transport is None or self._transport.is_closing():
            return
        if len(self._checks) >= _MOST_CHECKS:
            return
        ufrag, pwd = self._remote
        controlled = self.role == "controlled"
        request = stun_request(
            f"{ufrag}:{self.ufrag}", pwd, controlled=controlled, tie_breaker=_TIE_BREAKER, priority=_PRIORITY
        )
        self._checks[request.transaction] = controlled
        with contextlib.suppress(OSError):
            self._transport.sendto(request.data, self._address)
        self._timer = asyncio.get_running_loop().call_later(_CHECK_EVERY, self._check)

    def _answered(self, message: StunMessage) -> None:
        was_controlled = self._checks[message.transaction]
        if message.kind == "response":
            self._checked = True
            self._stop_checks()
        elif message.error_code == 487 and was_controlled == (self.role == "controlled"):
            self.conflicts += 1
            self.role = "controlling" if was_controlled else "controlled"

    def _stop_checks(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
