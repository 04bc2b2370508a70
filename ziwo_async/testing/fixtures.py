"""The fixtures, as pytest-asyncio wants them. Registered by `plugin`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, NamedTuple

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from ..client import ZiwoClient
    from ..phone.media import MediaEngine
    from .world import ServedWorld

__all__ = ["ziwo_client", "ziwo_world"]


@pytest_asyncio.fixture
async def ziwo_world(request: pytest.FixtureRequest) -> AsyncGenerator[ServedWorld]:
    """A contact centre on loopback with the agents 0011 and 5555; see `ziwo_async.testing.ServedWorld`.

    With `@pytest.mark.ziwo(media=True)` its calls carry sound (extra `media`).
    """
    from .world import serve

    async with serve(media=_wanted(request.node.get_closest_marker("ziwo")).media) as world:
        yield world


@pytest_asyncio.fixture
async def ziwo_client(request: pytest.FixtureRequest, ziwo_world: ServedWorld) -> AsyncGenerator[ZiwoClient]:
    """A client of `ziwo_world`, its phone started: agent 5555, or `@pytest.mark.ziwo(agent="0011")`.

    With `@pytest.mark.ziwo(proxy=True)` its phone connects through a fault proxy: `ziwo_world.proxy`. With `media=True`
    its calls carry sound: `call.audio`.
    """
    from ..client import ZiwoClient
    from .world import FAST_RECONNECT

    wanted = _wanted(request.node.get_closest_marker("ziwo"))
    if wanted.agent not in {agent.ccLogin for agent in ziwo_world.agents}:
        ziwo_world.add_agent(wanted.agent)
    agent = ziwo_world.agent(wanted.agent)
    proxy = await ziwo_world.through_proxy() if wanted.proxy else None
    ziwo = ZiwoClient(
        username=agent.username,
        password=agent.password,
        api_url=ziwo_world.api_url,
        verto_url=f"ws://{proxy.address}" if proxy is not None else None,
        reconnect=FAST_RECONNECT,
        media=_media() if wanted.media else None,
    )
    async with ziwo, ziwo.phone:
        yield ziwo


def _media() -> MediaEngine:
    from ..media import AiortcMedia

    return AiortcMedia()


class _Wanted(NamedTuple):
    agent: str
    proxy: bool
    media: bool


def _wanted(marker: pytest.Mark | None) -> _Wanted:
    def ziwo(agent: str = "5555", *, proxy: bool = False, media: bool = False) -> _Wanted:
        return _Wanted(agent, proxy, media)

    try:
        return ziwo() if marker is None else ziwo(*marker.args, **marker.kwargs)
    except TypeError as error:
        pytest.fail(f"the marker ziwo takes agent=, proxy= and media= only: {error}", pytrace=False)
