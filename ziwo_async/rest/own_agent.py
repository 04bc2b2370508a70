"""Resource: the agent's own session in the call centre."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import JsonValue, Secret, SecretStr

from ..errors import BadArgument, Conflict
from .click_to_call import click_to_call
from .dialling import DiallingResource
from .envelope import Reply
from .models.agent import Agent
from .models.base import parse
from .models.cti import ClickToCall
from .models.number import Number
from .models.profile import Profile
from .models.queue import Queue
from .models.status import AgentPresence, AgentStatus, CustomStatus
from .prepared import segment
from .transport import Transport

if TYPE_CHECKING:
    from ..spend import SpendGuard

__all__ = ["OwnAgentResource"]


class OwnAgentResource(DiallingResource):
    """The agent that is logged in: position, presence, profile, and the directories that agents may read."""

    def __init__(self, transport: Transport, guard: SpendGuard | None = None) -> None:
        """Use a transport; no I/O happens.

        Args:
            transport: The way to the REST API.
            guard: Asked before everything that dials.
        """
        super().__init__(transport, guard)
        self._custom: list[CustomStatus] = []

    # --- the position ---------------------------------------------------------------------------------------------

    async def autologin(self, position: str | None = None) -> None:
        """Say that this position (device) is connected and takes calls; without it the agent gets no queue calls.

        Needs: any agent. (`PUT /agents/autologin`, `PUT /agents/autologin/{position}`; source: official web client.
        The position in the path: ZIWO's Verto tutorial)

        Args:
            position: Name of the position, such as `agent-0011`; the server's default when None.

        Raises:
            ConfigError: The name cannot be part of a path.
        """
        suffix = "" if position is None else f"/{segment(position)}"
        await self._transport.request("PUT", f"/agents/autologin{suffix}", json={})

    async def logout(self) -> None:
        """Log the agent's position out of the call centre. Being logged out already (HTTP 412) is fine.

        Needs: any agent. (`PUT /agents/logout`; source: official web client, and Android SDK for the 412)
        """
        try:
            await self._transport.request("PUT", "/agents/logout", json={})
        except Conflict as error:
            if error.status != 412:
                raise

    async def autologout(self) -> None:
        """Undo `autologin`: what the Android SDK sends where the web client sends `logout`.

        Needs: any agent. (`PUT /agents/autologout`; source: Android SDK)
        """
        await self._transport.request("PUT", "/agents/autologout", json={})

    # --- presence -------------------------------------------------------------------------------------------------

    async def status(self) -> AgentPresence:
        """Give the agent's presence: the status, since when, the state, and the position.

        Every field is None for a user who takes no calls. Needs: any agent. (`GET /profile`; source: official web
        client)

        Raises:
            DecodeError: The answer has no readable presence.
        """
        profile = await self._one(Profile, "GET", "/profile")
        return parse(AgentPresence, Reply(profile.live_info, {}, 200), method="GET", path="/profile")

    async def set_status(self, status: int | str | AgentStatus, *, comment: str | None = None) -> None:
        """Set the agent's status by its number or its name.

        A number is sent as it is. The name of an `AgentStatus` has a fixed number; any other name is looked up in the
        contact centre's own statuses, which are asked for once, and again when a name is not among them. Upper and
        lower case do not matter. Needs: any agent. (`PUT /agents/status`, `GET /agent/statuses`; source: Android SDK.
        Comments and the contact centre's own statuses: seen at an integrator, not documented)

        Args:
            status: The status, such as `AgentStatus.MEETING`, `"On Break"`, `"Prayer"` or `2`.
            comment: A remark; with one, the request is JSON instead of a form.

        Raises:
            BadArgument: No such status; the text lists those that there are.
        """
        number = await self._number_of(status)
        if comment is None:
            await self._transport.request("PUT", "/agents/status", form={"number": number})
        else:
            await self._transport.request("PUT", "/agents/status", json={"number": number, "comment": comment})

    async def statuses(self, *, enabled: bool = True) -> list[CustomStatus]:
        """Give the statuses of the contact centre; `CustomStatus.id` is the number that `set_status` takes.

        Needs: any agent. (`GET /agent/statuses`; source: seen at an integrator, not documented)

        Args:
            enabled: Only those that agents may choose now. False sends no filter.

        Raises:
            DecodeError: The answer is no list of statuses.
        """
        return await self._list(CustomStatus, "/agent/statuses", params={"enabled": True if enabled else None})

    # --- profile --------------------------------------------------------------------------------------------------

    async def update_profile(
        self,
        *,
        first_name: str | None = None,
        last_name: str | None = None,
        photo: str | None = None,
        password: str | SecretStr | None = None,
        current_password: str | SecretStr | None = None,
        country_code: str | None = None,
        language_code: str | None = None,
    ) -> None:
        """Change the own profile. Only what is given is sent.

        After a change of the password, a client that was made with the old one fails at its next login. Needs: any
        agent. (`PUT /agents`; source: Android SDK)

        Args:
            first_name: Given name.
            last_name: Family name.
            photo: The photo, as `Profile.photo` names it.
            password: The new password.
            current_password: The password until now.
            country_code: ISO country.
            language_code: ISO language.

        Raises:
            BadArgument: Nothing is given.
        """
        password, current_password = _hidden(password), _hidden(current_password)  # no frame of ours shows them
        shown = {
            "firstName": first_name,
            "lastName": last_name,
            "photo": photo,
            "countryCode": country_code,
            "languageCode": language_code,
        }
        body = _body(shown, {"password": password, "currentPassword": current_password})
        if body is None:
            raise BadArgument("update_profile changes nothing: give at least one field")
        await self._transport.request("PUT", "/agents", json=body)

    # --- directories ----------------------------------------------------------------------------------------------

    async def queues(self) -> list[Queue]:
        """Give the agent's queues.

        Needs: any agent. (`GET /agents/channels/calls/listQueues`; source: official web client)

        Raises:
            DecodeError: The answer is no list of queues.
        """
        return await self._list(Queue, "/agents/channels/calls/listQueues")

    async def numbers(self) -> list[Number]:
        """Give the telephone numbers that the agent may call from.

        Needs: any agent. (`GET /agents/channels/calls/listNumbers`; source: official web client)

        Raises:
            DecodeError: The answer is no list of numbers.
        """
        return await self._list(Number, "/agents/channels/calls/listNumbers")

    async def colleagues(self) -> list[Agent]:
        """Give the agents that can be called.

        Needs: any agent. (`GET /agents/channels/calls/listAgents`; source: seen at an integrator, not documented)

        Raises:
            DecodeError: The answer is no list of agents.
        """
        return await self._list(Agent, "/agents/channels/calls/listAgents")

    # --- calls ----------------------------------------------------------------------------------------------------

    async def click_to_call(self, number: str, *, roaming_only: bool = False) -> ClickToCall:
        """Call a number: the agent's own phone rings first, then the number is called.

        Needs: any agent. (`POST /integrations/cti/agents/call/{number}`; source: official web client)

        Args:
            number: The number, sent as given.
            roaming_only: Ring the agent's roaming number only (ZIWO's `roamingOnly`).

        Raises:
            BadArgument: It is no number.
            SpendRefused: The program's own `SpendPolicy` forbids it.
            ZiwoError: As for `ZiwoClient.request`. When the call may have been made all the same, the error says so,
                and is not `retryable`.
        """
        return await click_to_call(self._transport, number, roaming_only=roaming_only, guard=self._guard)

    # --- inside ---------------------------------------------------------------------------------------------------

    async def _number_of(self, status: int | str) -> int:
        if isinstance(status, int):
            if isinstance(status, bool) or status < 0:
                raise BadArgument(f"{status} is no number of a status")
            return status
        given: object = status  # a user's type checker may be off
        if not isinstance(given, str):
            raise BadArgument(f"a status is a number or a name, not {given!r}")
        wanted = status.strip().casefold()
        number = _FIXED.get(wanted)
        if number is None and self._custom:
            number = _named(self._custom, wanted)
        if number is None:
            self._custom = custom = await self.statuses()
            number = _named(custom, wanted)
            if number is None:
                names = dict.fromkeys([known.value for known in AgentStatus] + [one.name for one in custom])
                raise BadArgument(f"there is no status {status!r}; there are {', '.join(map(repr, names))}")
        return number


_FIXED = {status.casefold(): status.number for status in AgentStatus}


def _named(statuses: list[CustomStatus], wanted: str) -> int | None:
    return next((status.id for status in statuses if status.name.strip().casefold() == wanted), None)


def _hidden(secret: str | SecretStr | None) -> SecretStr | None:
    return SecretStr(secret) if isinstance(secret, str) else secret


def _body(shown: Mapping[str, str | None], hidden: Mapping[str, SecretStr | None]) -> Secret[JsonValue] | None:
    """Give what is given, as a body that no repr shows; None when it is nothing."""
    given: dict[str, JsonValue] = {key: value for key, value in shown.items() if value is not None}
    given |= {key: value.get_secret_value() for key, value in hidden.items() if value is not None}
    return Secret[JsonValue](given) if given else None
