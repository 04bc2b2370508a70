"""Resource: the directory of queues."""

from __future__ import annotations

from .models.queue import Queue
from .paging import PAGE_SIZE, Listing
from .resource import Resource

__all__ = ["QueuesResource"]


class QueuesResource(Resource):
    """The queues of the contact centre. An agent's own are in `ziwo.agent.queues`."""

    def list(
        self, *, with_agents: bool = False, with_stats: bool = False, page_size: int = PAGE_SIZE
    ) -> Listing[Queue]:
        """List all queues, as agents see them.

        Needs: any agent. (`GET /agent/queues`; source: seen at an integrator, not documented)

        Args:
            with_agents: Ask for `Queue.agents` (`dataset=agents`).
            with_stats: Ask for numbers about each queue (`dataset=stats`); their names are not known, they are in
                `Queue.model_extra`.
            page_size: How many to ask for at a time; an integrator asks for 500.
        """
        datasets = [name for name, wanted in (("agents", with_agents), ("stats", with_stats)) if wanted]
        return self._listing(Queue, "/agent/queues", key=_id, params={"dataset": datasets}, page_size=page_size)

    def list_all(self, *, page_size: int = PAGE_SIZE) -> Listing[Queue]:
        """List all queues with their agents, as admins see them.

        Needs: an admin. (`GET /admin/queues/`; source: seen at an integrator, not documented)

        Args:
            page_size: How many to ask for at a time; ZIWO allows admins 50.
        """
        return self._listing(Queue, "/admin/queues/", key=_id, page_size=page_size)


def _id(queue: Queue) -> int:
    return queue.id
