"""Resource: CTI, acting for agents with the instance's api_key."""

from __future__ import annotations

from ..errors import BadArgument, DecodeError
from .dialling import DiallingResource, check_number, place_call
from .envelope import as_object
from .models.base import parse
from .models.cti import ClickToCall, CtiCall
from .prepared import segment

__all__ = ["CtiResource"]


class CtiResource(DiallingResource):
    """Acting for any agent, with the instance's `api_key` instead of a token. ZIWO's support gives the key.

    ZIWO's page names three more operations: agent change status, agent logout and click to IVR. Their paths are not
    known, so they are not here; with the path from your instance's own documentation, use `client.request`.

    Each method raises `ConfigError` when the client has no api_key, and `BadCredentials` when the server refuses it.
    """

    async def agent_login(self, cc_login: str, *, position: str | None = None) -> None:
        """Log an agent in at a position, so that calls reach it. Needs: the api_key.

        (`POST /integrations/cti/agents/{ccLogin}/login/{position}`; source: old load tests of a ZIWO test instance, not
        documented)

        Args:
            cc_login: The agent's number, such as `0011`.
            position: Name of the position; by default that of the agent's web phone, `agent-<ccLogin>`.

        Raises:
            BadArgument: The number is no text: as a number it would lose its zeros.
        """
        place = f"agent-{cc_login}" if position is None else position
        path = f"{_path(cc_login)}/login/{segment(place)}"
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
            BadArgument: It is no number, or the agent's number is no text.
            SpendRefused: The program's own `SpendPolicy` forbids it.
            ConnectionLost: The connection ended. As for the next three, the call may have been made: the error says so,
                and is not `retryable`.
            RequestTimeout: No answer in time.
            ServerError: The server failed.
            DecodeError: The answer has no call id.
        """
        check_number(number)
        path = f"{_path(cc_login)}/call"
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
            BadArgument: The number is no text.
            DecodeError: The answer is not an object.
        """
        path = f"{_path(cc_login)}/call"
        reply = await self._transport.request("GET", path, credential="api_key")
        content = as_object(reply.content)
        if content is None:
            raise DecodeError("the content is not an object", status=reply.status, method="GET", path=path)
        # What an agent without a call is answered is not known: nothing, or both parts empty.
        return parse(CtiCall, reply, method="GET", path=path) if any(content.values()) else None


def _path(cc_login: str) -> str:
    given: object = cc_login  # a user's type checker may be off
    if not isinstance(given, str):
        raise BadArgument(f"an agent's number (ccLogin) is a text such as '0011', not {given!r}")
    return f"/integrations/cti/agents/{segment(cc_login)}"
