"""A contact centre that is being served: what the fixture `ziwo_world` gives."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

from ..config import ReconnectPolicy
from ..simulator import ServerOptions, Simulator, SimulatorError
from .proxy import FaultProxy
from .running import RunningWorld

__all__ = ["FAST_RECONNECT", "FAST_SERVER", "ServedWorld", "serve"]

FAST_SERVER = ServerOptions(ready_delay=0.0, hold_delay=0.0, answer_settle=0.0, bridge_delay=0.0, flush_quiet=0.005)
"""The simulated server without the delays that ZIWO's has: for tests that want to be quick."""

FAST_RECONNECT = ReconnectPolicy(base=0.02, cap=0.2, stable_after=0.5)
"""A client's reconnect policy for tests: a cut socket is back within a fraction of a second."""


class ServedWorld(RunningWorld):
    """A `World` with the simulator that serves it: people, faults and addresses in one object."""

    def __init__(self, *, agents: Iterable[str]) -> None:
        super().__init__(agents=agents)
        self._proxies: list[FaultProxy] = []
        self._stack = AsyncExitStack()

    @property
    def proxy(self) -> FaultProxy:
        """The fault proxy in front of the Verto port: the first one that `through_proxy` started.

        Raises:
            SimulatorError: There is none.
        """
        if not self._proxies:
            raise SimulatorError("no proxy: mark the test with @pytest.mark.ziwo(proxy=True), or call through_proxy()")
        return self._proxies[0]

    async def through_proxy(self, *, seed: int = 0) -> FaultProxy:
        """Put a fault proxy in front of the Verto port; it is closed with this world.

        Give `f"ws://{proxy.address}"` to the client that is to run behind it (`ZiwoClient(verto_url=...)`). Every call
        starts another proxy, so that each client can have its own.

        Args:
            seed: Seed of its random numbers.

        Raises:
            NotRunning: Nothing serves this world.
        """
        url = urlsplit(self.verto_url)
        assert url.hostname is not None
        assert url.port is not None
        proxy = await self._stack.enter_async_context(FaultProxy(url.hostname, url.port, seed=seed))
        self._proxies.append(proxy)
        return proxy

    async def close_proxies(self) -> None:
        """Close every proxy (done by `serve`)."""
        self._proxies.clear()
        await self._stack.aclose()

    @property
    def api_url(self) -> str:
        """Base URL of the REST API."""
        return self.simulator.api_url

    @property
    def verto_url(self) -> str:
        """URL of the Verto websocket."""
        return self.simulator.verto_url


@asynccontextmanager
async def serve(
    agents: Iterable[str] = ("0011", "5555"), *, options: ServerOptions = FAST_SERVER, media: bool = False
) -> AsyncGenerator[ServedWorld]:
    """Serve a new world on free ports of loopback.

    Args:
        agents: ccLogins of the agents.
        options: Settings and delays of the server.
        media: Whether calls carry sound; needs the extra `media`.
    """
    world = ServedWorld(agents=agents)
    async with Simulator(world, options=options, media=media):
        try:
            yield world
        finally:
            await world.close_proxies()
