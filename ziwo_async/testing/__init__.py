"""Test support for users of the package: the pytest plugin and what its fixtures give.

async def test_my_bot(ziwo_world, ziwo_client):
    ziwo_client.include(router)
    call = await ziwo_world.customer("+97150000000").dials(ziwo_world.agent("5555"))
    await call.reaches("active")
"""

from __future__ import annotations

from .world import FAST_RECONNECT, FAST_SERVER, ServedWorld, serve

__all__ = ["FAST_RECONNECT", "FAST_SERVER", "ServedWorld", "serve"]
