"""Presence: the statuses an agent can choose. The one an agent has is told by `ziwo_async.models.presence`."""

from __future__ import annotations

from ...models.presence import AgentPresence, AgentStatus, Presence
from .base import Model

__all__ = ["AgentPresence", "AgentStatus", "CustomStatus", "Presence"]


class CustomStatus(Model):
    """A status of the contact centre (record of `GET /agent/statuses`; source: seen at an integrator).

    Attributes:
        id: The number that `PUT /agents/status` takes.
        name: What agents see.
        behaviour: What it means to the queues; the words are not documented.
    """

    id: int
    name: str
    behaviour: str | None = None
