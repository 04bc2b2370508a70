"""Resource: skills, which is ZIWO's word for which agent serves which queue."""

from __future__ import annotations

from .models.queue import Queue
from .prepared import segment
from .resource import Resource

__all__ = ["SkillsResource"]


class SkillsResource(Resource):
    """Puts agents into queues and takes them out."""

    async def queues(self) -> list[Queue]:
        """Give the queues that agents can be put into.

        Needs: an admin. (`GET /admin/skills/listQueues/`; source: seen at an integrator, not documented)

        Raises:
            DecodeError: The answer is no list of queues.
        """
        return await self._list(Queue, "/admin/skills/listQueues/")

    async def add(self, agent_id: int, queue_id: int, *, priority: int = 1) -> None:
        """Put an agent into a queue.

        Needs: an admin. (`POST /admin/skills/agents/{agentId}/`; source: seen at an integrator, not documented)

        Args:
            agent_id: `Agent.id`, not the ccLogin.
            queue_id: `Queue.id`.
            priority: Rank of the agent in the queue; only 1 was seen.
        """
        path = f"/admin/skills/agents/{segment(agent_id)}/"
        await self._transport.request("POST", path, json={"queue": queue_id, "priority": str(priority)})

    async def remove(self, agent_id: int, queue_id: int) -> None:
        """Take an agent out of a queue.

        Needs: an admin. (`DELETE /admin/skills/agents/{agentId}/{queueId}`; source: seen at an integrator, not
        documented)

        Args:
            agent_id: `Agent.id`, not the ccLogin.
            queue_id: `Queue.id`.
        """
        path = f"/admin/skills/agents/{segment(agent_id)}/{segment(queue_id)}"
        await self._transport.request("DELETE", path)
