"""Resource: the directory of agents."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import BadArgument
from .models.agent import Agent
from .paging import PAGE_SIZE, Listing
from .resource import Resource

__all__ = ["AgentsResource"]


class AgentsResource(Resource):
    """The agents of the contact centre."""

    def list(self, order: str | None = "firstName", *, page_size: int = PAGE_SIZE) -> Listing[Agent]:
        """List all agents with their presence, as agents see them.

        Needs: any agent. (`GET /agent/agents`; source: Android SDK)

        Args:
            order: Field to sort by, such as `firstName`; `~firstName` is the reverse. None: the server's own order.
            page_size: How many to ask for at a time.
        """
        return self._listing(Agent, "/agent/agents", key=_id, params={"order": order}, page_size=page_size)

    def list_all(self, *, page_size: int = PAGE_SIZE) -> Listing[Agent]:
        """List all agents, as admins see them.

        Needs: an admin. (`GET /admin/agents/`; source: Manager app)

        Args:
            page_size: How many to ask for at a time; ZIWO allows admins 50.
        """
        return self._listing(Agent, "/admin/agents/", key=_id, page_size=page_size)

    async def in_history(self, *, deleted: bool = False) -> Sequence[Agent]:
        """Give the agents that calls of the history can belong to.

        Needs: an admin. (`GET /callHistory/listAgents`; source: seen at an integrator, not documented)

        Args:
            deleted: Whether those too that were deleted; only `false` was seen.

        Raises:
            DecodeError: The answer is no list of agents.
        """
        return await self._list(Agent, "/callHistory/listAgents", params={"deleted": deleted})

    async def by_cc_login(self, cc_login: str) -> Agent | None:
        """Find an agent by its number, by walking through `list`; None when there is none.

        Needs: any agent. (`GET /agent/agents`; source: Android SDK)

        Args:
            cc_login: The agent's number, such as `0011`: `11` is another one.

        Raises:
            BadArgument: It is empty, or no text.
        """
        given: object = cc_login  # a user's type checker may be off
        if not isinstance(given, str) or not given:
            raise BadArgument(f"an agent's number (ccLogin) is a text such as '0011', not {given!r}")
        async for agent in self.list():
            if agent.cc_login == cc_login:
                return agent
        return None


def _id(agent: Agent) -> int:
    return agent.id
