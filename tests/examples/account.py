"""The environment in which an example logs in."""

from __future__ import annotations

from ziwo_async.testing import ServedWorld

__all__ = ["login"]


def login(world: ServedWorld, cc_login: str = "5555") -> dict[str, str]:
    """The variables of an agent."""
    agent = world.agent(cc_login)
    return {"ZIWO_API_URL": world.api_url, "ZIWO_USERNAME": agent.username, "ZIWO_PASSWORD": agent.password}
