"""The REST API as a whole: one attribute for each resource, made when it is first used."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..spend import SpendGuard
    from .agents import AgentsResource
    from .calls import CallsResource
    from .crm import CrmResource
    from .cti import CtiResource
    from .eavesdrops import EavesdropsResource
    from .monitor import MonitorResource
    from .numbers import NumbersResource
    from .own_agent import OwnAgentResource
    from .queues import QueuesResource
    from .recordings import RecordingsResource, VoicemailsResource
    from .session import SessionResource
    from .skills import SkillsResource
    from .static import StaticResource
    from .statistics import StatisticsResource
    from .trackers import CallTrackersResource
    from .transport import Transport
    from .users import UsersResource

__all__ = ["RestApi"]


class RestApi:
    """What a contact centre can be asked over HTTP. `ZiwoClient` is one."""

    def __init__(self, transport: Transport, guard: SpendGuard | None = None) -> None:
        """Use a transport; no I/O happens.

        Args:
            transport: The way to the REST API.
            guard: Asked before everything that dials.
        """
        self._transport = transport
        self._guard = guard

    @cached_property
    def session(self) -> SessionResource:
        """Login, logout, the user's own account, and the phone's configuration."""
        from .session import SessionResource

        return SessionResource(self._transport)

    @cached_property
    def agent(self) -> OwnAgentResource:
        """The agent that is logged in: position, status, profile, click to call."""
        from .own_agent import OwnAgentResource

        return OwnAgentResource(self._transport, self._guard)

    @cached_property
    def agents(self) -> AgentsResource:
        """All agents."""
        from .agents import AgentsResource

        return AgentsResource(self._transport)

    @cached_property
    def users(self) -> UsersResource:
        """All users: agents and admins."""
        from .users import UsersResource

        return UsersResource(self._transport)

    @cached_property
    def queues(self) -> QueuesResource:
        """The queues."""
        from .queues import QueuesResource

        return QueuesResource(self._transport)

    @cached_property
    def numbers(self) -> NumbersResource:
        """The numbers (DIDs) of the contact centre."""
        from .numbers import NumbersResource

        return NumbersResource(self._transport)

    @cached_property
    def skills(self) -> SkillsResource:
        """Which agents serve which queues."""
        from .skills import SkillsResource

        return SkillsResource(self._transport)

    @cached_property
    def calls(self) -> CallsResource:
        """Calls that are over (CDRs): one's own, everybody's, and the missed ones as they come."""
        from .calls import CallsResource

        return CallsResource(self._transport)

    @cached_property
    def recordings(self) -> RecordingsResource:
        """Recordings of calls."""
        from .recordings import RecordingsResource

        return RecordingsResource(self._transport, retry=self._transport.retry)

    @cached_property
    def voicemails(self) -> VoicemailsResource:
        """Voicemails."""
        from .recordings import VoicemailsResource

        return VoicemailsResource(self._transport, retry=self._transport.retry)

    @cached_property
    def eavesdrops(self) -> EavesdropsResource:
        """Eavesdrop calls: how one begins, and who hears the supervisor."""
        from .eavesdrops import EavesdropsResource

        return EavesdropsResource(self._transport, self._guard)

    @cached_property
    def trackers(self) -> CallTrackersResource:
        """Call trackers: who is asked where an incoming call goes."""
        from .trackers import CallTrackersResource

        return CallTrackersResource(self._transport)

    @cached_property
    def crm(self) -> CrmResource:
        """The customers (CDB)."""
        from .crm import CrmResource

        return CrmResource(self._transport)

    @cached_property
    def cti(self) -> CtiResource:
        """What the instance's api_key allows: log agents in, and let them call."""
        from .cti import CtiResource

        return CtiResource(self._transport, self._guard)

    @cached_property
    def statistics(self) -> StatisticsResource:
        """Figures about agents and calls."""
        from .statistics import StatisticsResource

        return StatisticsResource(self._transport)

    @cached_property
    def static(self) -> StaticResource:
        """What hardly changes: countries, and where files are."""
        from .static import StaticResource

        return StaticResource(self._transport)

    @cached_property
    def monitor(self) -> MonitorResource:
        """Whether the contact centre answers."""
        from .monitor import MonitorResource

        return MonitorResource(self._transport)
