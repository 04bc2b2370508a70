"""The simulator: servers in front of a world."""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .api import Rest
from .call_log import CallLog
from .clock import Clock
from .commands import Commands
from .faults import Faults
from .hooks import Hooks
from .journal import Journal
from .live import LiveServer
from .options import ServerOptions
from .routing import Router
from .switch import Switch
from .verto_server import VertoServer
from .world import World

if TYPE_CHECKING:
    from .rtp.plane import RtpMedia

__all__ = ["Simulator"]


class Simulator:
    """A contact centre on loopback: REST over HTTP, Verto over a websocket, and the live socket on the REST port.

    Use it as `async with Simulator(world) as sim:`. It runs in the caller's event loop, starts no task of its own
    for Verto, and when it closes every socket is reset and every timer and request of a hook cancelled.

    Args:
        world: Who exists. A world is served by one simulator at a time.
        host: Address to listen on.
        port: REST port; 0: any.
        verto_port: Verto port; 0: any.
        options: Settings and delays of the server.
        clock: Time; one is made when None.
        media: Carry real sound, over RTP on `host`: needs the extra `media`. False: there is signalling only, and
            session descriptions are made up.
        serve_rest: False: only the Verto server listens. aiohttp opens its sockets itself, so REST cannot run in
            virtual time (`ziwo_async.testing.run_virtual`).
        live: Serve the live socket (Socket.IO) at `/socket/` of the REST port. Its hub, which knows what would be
            told, is there in any case.

    Attributes:
        world: The world given.
        options: The options given.
        journal: Every frame and request, bounded.
        faults: Faults to order.
        verto: The Verto server.
        switch: The channels.
        call_log: Makes the history out of the calls.
        live: The live socket.
        rtp: The media of the channels; None without `media`.
        hooks: The requests to services of call trackers, and the CDR web hook.
        commands: What the back end can make the switch do.

    Raises:
        ImportError: `media` without the extra.
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
        media: bool = False,
        live: bool = True,
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
        self.rtp = self._real_media() if media else None
        if self.rtp is not None:
            self.switch.media = self.rtp
        router = Router(self.world, self.switch)
        self.rest = Rest(self.world, self.clock, self.journal, self.options)
        self.live = LiveServer(self.world, self.clock, self.journal, self.options)
        self.live.user_of = self.rest.user_of
        self.rest.live = self.live if live else None
        self.faults = Faults(self.verto, self.rest, self.live)
        self.hooks = Hooks(self.world, self.switch, router, self.clock, self.journal)
        self.commands = Commands(self.world, self.switch, router, self.verto, self.hooks)
        self.verto.switch = self.switch
        self.verto.router = router
        self.verto.faults = self.faults
        self.rest.faults = self.faults

    def _real_media(self) -> RtpMedia:
        from .rtp.plane import RtpMedia

        return RtpMedia(
            legs=self.switch.legs,
            clock=self.clock,
            watch=self.world.watch,
            rng=self.world.rng,
            end=self.switch.end,
            host=self._host,
        )

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
            self.live.hub.open()
            self.hooks.open()
            await self.switch.media.open()
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
        self.live.close()
        self.hooks.stop()
        self.clock.close()
        self.switch.close()
        self.call_log.close()
        async with AsyncExitStack() as stack:
            stack.callback(self.world.close)
            stack.callback(self.clock.close)
            stack.push_async_callback(self.switch.media.close)
            stack.push_async_callback(self.rest.close)
            stack.push_async_callback(self.verto.close)
            stack.push_async_callback(self.hooks.close)
