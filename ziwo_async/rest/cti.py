"""Resource: CTI, acting for agents with the instance's api_key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import DecodeError
from .click_to_call import check_number, place_call
from .envelope import as_object
from .models.base import parse
from .models.cti import ClickToCall, CtiCall
from .prepared import segment
from .resource import Resource
from .transport import Transport

if TYPE_CHECKING:
    from ..spend import SpendGuard

__all__ = ["CtiResource"]


class CtiResource(Resource):
    """Acting for any agent, with the instance's `api_key` instead of a token. ZIWO's support gives the key.

    ZIWO's page names three more operations: agent change status, agent logout and click to IVR. Their paths are not
    known, so they are not here; with the path from your instance's own documentation, use `client.request`.

    Each method raises `ConfigError` when the client has no api_key, and `BadCredentials` when the server refuses it.
    """

    def __init__(self, transport: Transport, guard: SpendGuard | None = None) -> None:
        """Use a transport; no I/O happens.

        Args:
            transport: The way to the REST API.
            guard: What may be spent; None for everything.
        """
        super().__init__(transport)
        self._guard = guard

    async def agent_login(self, cc_login: str, *, position: str | None = None) -> None:
        """Log an agent in at a position, so that calls reach it. Needs: the api_key.

        (`POST /integrations/cti/agents/{ccLogin}/login/{position}`; source: seen at an integrator, not documented)

        Args:
            cc_login: The agent's number, such as `0011`.
            position: Name of the position; by default that of the agent's web phone, `agent-<ccLogin>`.
        """
        place = f"agent-{cc_login}" if position is None else position
        path = f"/integrations/cti/agents/{segment(cc_login)}/login/{segment(place)}"
        await self._transport.request("POST", path, credential="api_key")

    async def call(self, cc_login: str, number: str, *, in_form: bool = False) -> ClickToCall:
        """Click to call: the agent's phone rings first, then the number is called. Needs: the api_key.

        (`POST /integrations/cti/agents/{ccLogin}/call/{number}`, `POST /integrations/cti/agents/{ccLogin}/call`;
        source: seen at an integrator, not documented)

        Args:
            cc_login: The agent's number, such as `0011`.
            number: Whom to call, sent as given. Seen are `00<country><number>`, `+<country><number>` and local numbers.
            in_form: Send the number in the body instead of the path. Both were seen to work.

        Raises:
            BadArgument: It is no number.
            SpendRefused: The program's own `SpendPolicy` forbids it.
            ConnectionLost: The connection ended. As for the next three, the call may have been made: the error says so,
                and is not `retryable`.
            RequestTimeout: No answer in time.
            ServerError: The server failed.
            DecodeError: The answer has no call id.
        """
        check_number(number)
        path = f"/integrations/cti/agents/{segment(cc_login)}/call"
        if not in_form:
            path = f"{path}/{segment(number)}"
        if self._guard is not None:
            self._guard.check("CTI call", number)
        form = {"number": number} if in_form else None
        return await place_call(self._transport, ClickToCall, path, form=form, credential="api_key")

    async def current_call(self, cc_login: str) -> CtiCall | None:
        """Tell which call an agent has now; None when there is none. Needs: the api_key.

        (`GET /integrations/cti/agents/{ccLogin}/call`; source: seen at an integrator, not documented)

        Args:
            cc_login: The agent's number, such as `0011`.

        Raises:
            DecodeError: The answer is not an object.
        """
        path = f"/integrations/cti/agents/{segment(cc_login)}/call"
        reply = await self._transport.request("GET", path, credential="api_key")
        content = as_object(reply.content)
        if content is None:
            raise DecodeError("the content is not an object", status=reply.status, method="GET", path=path)
        # What an agent without a call is answered is not known: nothing, or both parts empty.
        return parse(CtiCall, reply, method="GET", path=path) if any(content.values()) else None
