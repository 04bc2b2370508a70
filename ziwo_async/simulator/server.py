"""The simulator: servers in front of a world."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from .api import Rest
from .call_log import CallLog
from .clock import Clock
from .commands import Commands
from .faults import Faults
from .journal import Journal
from .options import ServerOptions
from .routing import Router
from .switch import Switch
from .verto_server import VertoServer
from .world import World

__all__ = ["Simulator"]


class Simulator:
    """A contact centre on loopback: REST over HTTP and Verto over a websocket.

    Use it as `async with Simulator(world) as sim:`. It runs in the caller's event loop, starts no task of its own
    for Verto, and when it closes every socket is reset and every timer cancelled.

    Args:
        world: Who exists. A world is served by one simulator at a time.
        host: Address to listen on.
        port: REST port; 0: any.
        verto_port: Verto port; 0: any.
        options: Settings and delays of the server.
        clock: Time; one is made when None.
        serve_rest: False: only the Verto server listens. aiohttp opens its sockets itself, so REST cannot run in
            virtual time (`ziwo_async.testing.run_virtual`).

    Attributes:
        world: The world given.
        options: The options given.
        journal: Every frame and request, bounded.
        faults: Faults to order.
        verto: The Verto server.
        switch: The channels.
        call_log: Makes the history out of the calls.
        commands: What the back end can make the switch do.

    Raises:
        ExceptionGroup: On exit, when the simulator itself failed in a callback: a bug of the simulator.
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        verto_port: int = 0,
        options: ServerOptions | None = None,
        clock: Clock | None = None,
        serve_rest: bool = True,
    ) -> None:
        self._serves_rest = serve_rest
        self.world = world if world is not None else World()
        self.options = options if options is not None else ServerOptions()
        self.journal = Journal()
        self.clock = clock if clock is not None else Clock()
        self._host = host
        self._port = port
        self._verto_port = verto_port
        self.verto = VertoServer(self.world, self.clock, self.options, self.journal)
        self.switch = Switch(
            sockets=self.verto,
            clock=self.clock,
            options=self.options,
            rng=self.world.rng,
            watch=self.world.watch,
        )
        self.call_log = CallLog(self.world, self.clock, self.options)
        self.switch.log = self.call_log
        router = Router(self.world, self.switch)
        self.rest = Rest(self.world, self.clock, self.journal, self.options)
        self.faults = Faults(self.verto, self.rest)
        self.commands = Commands(self.world, self.switch, router, self.verto)
        self.verto.switch = self.switch
        self.verto.router = router
        self.verto.faults = self.faults
        self.rest.faults = self.faults

    @property
    def api_url(self) -> str:
        """Base URL of the REST API, without a slash at the end."""
        return f"http://{self._host}:{self._port}"

    @property
    def verto_url(self) -> str:
        """URL of the Verto websocket."""
        return f"ws://{self._host}:{self._verto_port}"

    async def __aenter__(self) -> Self:
        self.world.open(self)
        try:
            self._verto_port = await self.verto.listen(self._host, self._verto_port)
            self.rest.verto_port = self._verto_port
            if self._serves_rest:
                self._port = await self.rest.listen(self._host, self._port)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()
        if self.clock.failures:
            raise ExceptionGroup("the simulator failed", self.clock.failures)

    async def _close(self) -> None:
        self.clock.close()
        self.switch.close()
        self.call_log.close()
        try:
            await self.verto.close()
        finally:
            try:
                await self.rest.close()
            finally:
                self.clock.close()
                self.world.close()
