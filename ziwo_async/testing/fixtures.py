"""The fixtures, as pytest-asyncio wants them. Registered by `plugin`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from ..client import ZiwoClient
    from .world import ServedWorld

__all__ = ["ziwo_client", "ziwo_world"]


@pytest_asyncio.fixture
async def ziwo_world() -> AsyncGenerator[ServedWorld]:
    """A contact centre on loopback with the agents 0011 and 5555; see `ziwo_async.testing.ServedWorld`."""
    from .world import serve

    async with serve() as world:
        yield world


@pytest_asyncio.fixture
async def ziwo_client(request: pytest.FixtureRequest, ziwo_world: ServedWorld) -> AsyncGenerator[ZiwoClient]:
    """A client of `ziwo_world`, its phone started: agent 5555, or `@pytest.mark.ziwo(agent="0011")`.

    With `@pytest.mark.ziwo(proxy=True)` its phone connects through a fault proxy: `ziwo_world.proxy`.
    """
    from ..client import ZiwoClient
    from .world import FAST_RECONNECT

    wanted, behind_proxy = _wanted(request.node.get_closest_marker("ziwo"))
    if wanted not in {agent.ccLogin for agent in ziwo_world.agents}:
        ziwo_world.add_agent(wanted)
    agent = ziwo_world.agent(wanted)
    proxy = await ziwo_world.through_proxy() if behind_proxy else None
    ziwo = ZiwoClient(
        username=agent.username,
        password=agent.password,
        api_url=ziwo_world.api_url,
        verto_url=f"ws://{proxy.address}" if proxy is not None else None,
        reconnect=FAST_RECONNECT,
    )
    async with ziwo, ziwo.phone:
        yield ziwo


def _wanted(marker: pytest.Mark | None) -> tuple[str, bool]:
    def ziwo(agent: str = "5555", *, proxy: bool = False) -> tuple[str, bool]:
        return agent, proxy

    try:
        return ziwo() if marker is None else ziwo(*marker.args, **marker.kwargs)
    except TypeError as error:
        pytest.fail(f"the marker ziwo takes agent= and proxy= only: {error}", pytrace=False)
