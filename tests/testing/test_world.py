"""A world with fault proxies in front of it."""

from __future__ import annotations

import pytest

from ziwo_async.simulator import NotRunning, SimulatorError
from ziwo_async.testing import ServedWorld, serve

from ..phone.kit import until
from ..simulator.client import RawClient


async def test_each_client_can_have_a_proxy_of_its_own_and_all_are_closed_with_the_world() -> None:
    async with serve() as world:
        with pytest.raises(SimulatorError, match="no proxy"):
            _ = world.proxy
        first, second = await world.through_proxy(), await world.through_proxy(seed=7)
        assert world.proxy is first
        one = await RawClient.connect(f"ws://{first.address}")
        two = await RawClient.connect(f"ws://{second.address}")
        await one.login(world.agent("0011"), "one")
        await two.login(world.agent("5555"), "two")
        first.reset()
        assert await one.ended() == 1006
        assert "result" in await two.ask("verto.ping")
        await until(lambda: not world.agent("0011").connected)
        assert world.agent("5555").connected
    assert await two.ended() == 1006
    assert (first.open, second.open) == (0, 0)
    for proxy in (first, second):
        with pytest.raises(OSError):  # noqa: PT011 (refused)
            await RawClient.connect(f"ws://{proxy.address}")


async def test_a_world_that_is_not_served_has_no_proxy() -> None:
    with pytest.raises(NotRunning):
        await ServedWorld(agents=()).through_proxy()
