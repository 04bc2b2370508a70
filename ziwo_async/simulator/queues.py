"""Queues: who waits, and who is rung next."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .calls import SimCall
    from .people import SimAgent
    from .world import World

__all__ = ["SimQueue"]


class SimQueue:
    """A queue: a call rings the first agent that is connected, ready and available, in the order given.

    Attributes:
        id: Number of the queue in the directory.
        name: Its name, by which numbers are linked to it.
        extension: The number under which it can be reached inside.
        agents: Who serves it.
        waiting: The calls that no agent rings for, oldest first.
        priorities: Priority of an agent's skill by the agent's id, as it was set through REST.
        created_at: Seconds since the epoch.
    """

    def __init__(self, world: World, name: str, agents: list[SimAgent], *, number: int, created_at: float) -> None:
        self._world = world
        self.id = number
        self.name = name
        self.extension = str(7000 + number)
        self.agents = agents
        self.waiting: list[SimCall] = []
        self.priorities: dict[int, int] = {}
        self.created_at = created_at

    def __repr__(self) -> str:
        return f"SimQueue({self.name!r}, {len(self.agents)} agents, {len(self.waiting)} waiting)"

    def free_agent(self, tried: list[SimAgent]) -> SimAgent | None:
        """The agent to ring next, or None."""
        world = self._world
        return next(
            (
                agent
                for agent in self.agents
                if agent not in tried
                and agent.ready
                and world.is_available(agent)
                and world.is_connected(agent)
                and not world.is_on_call(agent)
            ),
            None,
        )
