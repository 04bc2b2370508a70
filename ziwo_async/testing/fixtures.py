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
    """A client of `ziwo_world`, its phone started: agent 5555, or `@pytest.mark.ziwo(agent="0011")`."""
    from ..client import ZiwoClient
    from .world import FAST_RECONNECT

    wanted = _agent(request.node.get_closest_marker("ziwo"))
    if wanted not in {agent.ccLogin for agent in ziwo_world.agents}:
        ziwo_world.add_agent(wanted)
    agent = ziwo_world.agent(wanted)
    ziwo = ZiwoClient(
        username=agent.username, password=agent.password, api_url=ziwo_world.api_url, reconnect=FAST_RECONNECT
    )
    async with ziwo, ziwo.phone:
        yield ziwo


def _agent(marker: pytest.Mark | None) -> str:
    def ziwo(agent: str = "5555") -> str:
        return agent

    try:
        return ziwo() if marker is None else ziwo(*marker.args, **marker.kwargs)
    except TypeError as error:
        pytest.fail(f"the marker ziwo takes agent= only: {error}", pytrace=False)
