"""The environment in which an example logs in."""

from __future__ import annotations

from ziwo_async.testing import ServedWorld

__all__ = ["login"]


def login(world: ServedWorld) -> dict[str, str]:
    """The variables of agent 5555."""
    agent = world.agent("5555")
    return {"ZIWO_API_URL": world.api_url, "ZIWO_USERNAME": agent.username, "ZIWO_PASSWORD": agent.password}
