"""Test support for users of the package: the pytest plugin and what its fixtures give.

async def test_my_bot(ziwo_world, ziwo_client):
    ziwo_client.include(router)
    call = await ziwo_world.customer("+97150000000").dials(ziwo_world.agent("5555"))
    await call.reaches("active")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .centre import VirtualWorld, serve_virtual
    from .network import Link, LinkOptions, Network
    from .proxy import FaultProxy, Traffic
    from .recordings import Replayed, ReplayedCall, replay_recording
    from .stuck import Deadlock, LeftBehind, Runaway
    from .virtual import VirtualLoop, run_virtual
    from .world import FAST_RECONNECT, FAST_SERVER, ServedWorld, serve

__all__ = [
    "FAST_RECONNECT",
    "FAST_SERVER",
    "Deadlock",
    "FaultProxy",
    "LeftBehind",
    "Link",
    "LinkOptions",
    "Network",
    "Replayed",
    "ReplayedCall",
    "Runaway",
    "ServedWorld",
    "Traffic",
    "VirtualLoop",
    "VirtualWorld",
    "replay_recording",
    "run_virtual",
    "serve",
    "serve_virtual",
]

_HOMES = {
    "Deadlock": "stuck",
    "FaultProxy": "proxy",
    "LeftBehind": "stuck",
    "Link": "network",
    "LinkOptions": "network",
    "Network": "network",
    "Replayed": "recordings",
    "ReplayedCall": "recordings",
    "Runaway": "stuck",
    "Traffic": "proxy",
    "VirtualLoop": "virtual",
    "VirtualWorld": "centre",
    "replay_recording": "recordings",
    "run_virtual": "virtual",
    "serve_virtual": "centre",
}
"""Modules of the names that are not in `world`."""


def __getattr__(name: str) -> Any:
    # On first use: pytest imports this package for the plugin, whether a test wants it or not.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES.get(name, 'world')}", __name__), name)
