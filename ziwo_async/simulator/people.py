"""Who is in the world: agents and customers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..verto.frames import JsonObject
from .rtp.pcm import Source, Tone, source_of
from .statuses import StatusLog

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from .calls import SimCall
    from .numbers import SimNumber
    from .queues import SimQueue
    from .world import World

__all__ = ["RIGHTS", "Script", "SimAgent", "SimCustomer"]

StatusSource: TypeAlias = Literal["agent", "fs-disconnect"]

RIGHTS = frozenset({"admin", "eavesdrop"})
"""What a user can be allowed: the routes of admins, and to listen to calls."""

_VOICE = 600
"""Frequency in Hz of what a customer says who was not told what."""


class SimAgent:
    """An agent of the contact centre; or another user, who has no phone (`World.add_user`).

    Attributes:
        id: Numeric user id.
        type: `agent`, or `admin` for a user without a phone.
        rights: What the user may do: words of `RIGHTS`. REST refuses the rest with 403.
        ccLogin: Agent number, a string ("0011").
        cc_password: The secret half of the Verto password.
        username: E-mail for the REST login.
        password: Password for the REST login.
        position: The web phone's name, `agent-<ccLogin>`; the Verto login.
        effective_name: Name others are shown when this agent calls them (the directory's
            effective_caller_id_name); None: what the client sends.
        ready: `PUT /agents/autologin` was called: the agent gets calls of queues.
        status: Presence: the name of one of `World.statuses`.
        status_comment: What was said with the last change of it.
        status_source: Who changed it last: `agent`, or `fs-disconnect` when the phone was lost.
        status_log: For how long it was what.
        photo: Hash of a stored file, or None.
        country_code: Country of the profile.
        language_code: Language of the profile.
        device_token: Where pushes go, as an app registered it; empty: nowhere.
        created_at: Seconds since the epoch.
    """

    def __init__(
        self,
        world: World,
        number: int,
        cc_login: str,
        *,
        first_name: str,
        last_name: str,
        username: str,
        password: str,
        cc_password: str,
        position: str,
        verto_password: str,
        effective_name: str | None,
        rights: Iterable[str],
        type: str,  # noqa: A002 (the name of ZIWO's field)
        created_at: float,
    ) -> None:
        self._world = world
        self.id = number
        self.type = type
        self.rights = set(rights)
        self.created_at = created_at
        self.ccLogin = cc_login
        self.first_name = first_name
        self.last_name = last_name
        self.username = username
        self.password = password
        self.cc_password = cc_password
        self.position = position
        self.effective_name = effective_name
        self._verto_password = verto_password
        self.ready = False
        self.status = "Logged Out"
        self.status_comment = ""
        self.status_source: StatusSource = "agent"
        self.status_log = StatusLog(self.status, created_at)
        self.photo: str | None = None
        self.country_code: str | None = "AE"
        self.language_code: str | None = "en"
        self.device_token = ""

    def __repr__(self) -> str:
        return f"SimAgent({self.ccLogin!r}, status={self.status!r}, connected={self.connected})"

    @property
    def verto_password(self) -> str:
        """What the client sends as `passwd`: hex MD5 of ccLogin and ccPassword joined."""
        if self._verto_password:
            return self._verto_password
        return hashlib.md5((self.ccLogin + self.cc_password).encode(), usedforsecurity=False).hexdigest()

    @property
    def verto_address(self) -> str:
        """Position and domain, as messages name the agent."""
        return f"{self.position}@127.0.0.1"

    @property
    def connected(self) -> bool:
        """Whether a logged-in Verto socket of this agent exists."""
        return self._world.is_connected(self)

    @property
    def on_call(self) -> bool:
        """Whether the agent has a call, be it a ringing one."""
        return self._world.is_on_call(self)

    @property
    def calls(self) -> list[SimCall]:
        """The calls that have a live leg of this agent, oldest first."""
        return [call for call in self._world.calls if any(x.agent is self and not x.ended for x in call.legs)]

    def set_status(self, status: str, comment: str = "", *, source: StatusSource = "agent") -> None:
        """Change the presence; a waiting queue call may ring as a consequence.

        Args:
            status: The name of a status.
            comment: What is said with it.
            source: What the live socket tells of who did it. A lost phone changes nothing by itself here.
        """
        self.status = status
        self.status_comment = comment
        self.status_source = source
        self.status_log.changed(status, self._world.now())
        self._world.agent_changed()

    def set_ready(self, ready: bool) -> None:
        """Log the position in or out of the call centre (REST autologin, logout)."""
        self.ready = ready
        self._world.agent_changed()

    async def comes_online(self, timeout: float = 5.0) -> None:
        """Wait until a Verto socket of this agent is logged in and was told `verto.clientReady`.

        Raises:
            WaitedInVain: Not within `timeout` seconds.
        """
        world = self._world
        await world.watch.until(
            lambda: True if world.is_client_ready(self) else None,
            timeout,
            lambda: f"agent {self.ccLogin} is not connected",
        )

    async def picks_up(self, call: SimCall) -> bool:
        """The server asks the agent's client to answer (`verto.pickup`), in whatever state the call is.

        Returns:
            Whether there was a socket to ask (`verto_pickup` says -ERROR otherwise).
        """
        return self._world.running().commands.pickup(call.id)

    async def told_to_dial(self, number: str, *, uuid: str | None = None) -> bool:
        """The server asks the client to dial (`verto.dial`) and looks for the call, as `verto_dial` does.

        Returns:
            True at the first look (every 0.5 s) that finds a call with the uuid; False after 39 looks (19.5 s),
            or at once when no socket bears the agent's name.
        """
        return await self._world.running().commands.dial(self, number, uuid)

    async def send(self, data: JsonObject, **extra: object) -> bool:
        """`verto.send` to the newest socket that bears the agent's name.

        Args:
            data: Any JSON object.
            extra: Members that follow `data` in the API's JSON and leak into the params (a measured server bug).

        Returns:
            Whether there was such a socket.
        """
        return self._world.running().commands.send(self, data, extra)

    async def send_on_call(self, call: SimCall, data: JsonObject, **extra: object) -> bool:
        """`verto.sendToAgentOnCall`; see `send`. False also when the call is not this agent's."""
        return self._world.running().commands.send_on_call(self, call.id, data, extra)

    async def eavesdrops(self, target: SimCall | SimAgent, *, headers: Mapping[str, str] | None = None) -> SimCall:
        """Ring this agent with an eavesdrop call; the watched parties are told nothing (measured).

        Args:
            target: A call: it is watched until it ends. An agent: each of the agent's calls is, from its bridge on,
                and the eavesdrop call lives until it is hung up (as ZIWO documents its eavesdrop).
            headers: `verto_h_*` headers of the invite.
        """
        commands = self._world.running().commands
        if isinstance(target, SimAgent):
            return commands.spy_on_agent(self, target, headers or {})
        named = {"verto_h_primaryCallID": target.id, **(headers or {})}
        return commands.eavesdrop(self, target.id, named)

    async def gets_message(self, sender: str, body: str) -> None:
        """A chat message: `verto.info` with `msg`, to every socket of the agent."""
        self._world.running().commands.chat(self, sender, body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How a customer behaves when called. Times are seconds.

    Attributes:
        ring: From the call to the first sign of life (early media).
        early_media: Send `verto.media` before the answer.
        answer_after: From the end of `ring` to the answer; None: never.
        refuse: Hangup cause instead of an answer.
        refuse_after: From the call to the refusal.
        hang_up_after: From the answer (of either side's call) to the customer's hangup; None: never.
    """

    ring: float = 0.0
    early_media: bool = True
    answer_after: float | None = 0.2
    refuse: str | None = None
    refuse_after: float = 0.0
    hang_up_after: float | None = None


class SimCustomer:
    """Somebody outside, with a phone number; or (`service`) an application of the server such as the echo test.

    Attributes:
        number: The number, as agents dial it and as it is shown.
        name: Caller name.
        script: What the customer does when an agent dials the number.
        variables: Channel variables the dialplan sets on an agent's call to the number (`verto_svar_*` are shown).
        headers: `verto_h_*` variables it sets.
        service: An application: it is answered without being a bridge.
        voice: What comes from the customer where the simulator carries media; see `speaks`.
    """

    def __init__(self, world: World, number: str, name: str, *, service: bool = False) -> None:
        self._world = world
        self.number = number
        self.name = name
        self.service = service
        self.script = Script()
        self.variables: dict[str, str] = {}
        self.headers: dict[str, str] = {}
        self.voice: Source = Tone(_VOICE)
        self._taken = 0
        self._calls: list[SimCall] = []

    def __repr__(self) -> str:
        return f"SimCustomer({self.number!r})"

    def will(self, *, answer_after: float | None = 0.2, early_media: bool = True, ring: float = 0.0) -> SimCustomer:
        """Answer when called; see `Script`."""
        self.script = replace(self.script, answer_after=answer_after, early_media=early_media, ring=ring, refuse=None)
        return self

    def will_reject(
        self, *, cause: str = "CALL_REJECTED", after: float = 0.0, early_media: bool = False
    ) -> SimCustomer:
        """Refuse when called, by default at once and without early media."""
        self.script = replace(self.script, refuse=cause, refuse_after=after, early_media=early_media)
        return self

    def is_busy(self, *, after: float = 0.0, early_media: bool = False) -> SimCustomer:
        """Be busy (USER_BUSY)."""
        return self.will_reject(cause="USER_BUSY", after=after, early_media=early_media)

    def never_answers(self, *, after: float = 30.0, early_media: bool = False) -> SimCustomer:
        """Let it ring; the network gives up (NO_ANSWER) after `after` seconds."""
        return self.will_reject(cause="NO_ANSWER", after=after, early_media=early_media)

    def speaks(self, sound: Source | int | str | Path) -> SimCustomer:
        """Say this from now on, in every call; needs `Simulator(media=True)` to be heard.

        Args:
            sound: A tone by its frequency in Hz, a WAV file by its path (played once, from its beginning, then
                silence), or a source such as `ziwo_async.simulator.rtp.Tone`. At first it is a tone of 600 Hz.
        """
        self.voice = source_of(sound)
        return self

    def hangs_up_after(self, seconds: float | None) -> SimCustomer:
        """Hang up so long after the answer, whoever called; None: never."""
        self.script = replace(self.script, hang_up_after=seconds)
        return self

    async def dials(
        self,
        target: SimAgent | SimQueue | SimNumber | str,
        headers: Mapping[str, str] | None = None,
        *,
        ring_timeout: float | None = None,
        call_id: str | None = None,
        variables: Mapping[str, str] | None = None,
        did: str | None = None,
    ) -> SimCall:
        """Call an agent, a queue or a number; returns when `verto.invite` is queued (or the call waits, or has failed).

        Args:
            target: Who is called. An agent without a socket: the call has ended with USER_NOT_REGISTERED. A number of
                the contact centre leads to what it is linked to: a queue, or a call tracker whose service is asked (see
                `SimCall.tracked`); one that is linked to nothing ends with NO_ROUTE_DESTINATION.
            headers: `verto_h_*` headers of the agent's leg, beside the two that ZIWO's calls always carry
                (`verto_h_primaryCallID`, `verto_h_originalCallerIdNumber`), which they can overwrite.
            ring_timeout: Seconds until NO_ANSWER; None: `ServerOptions.ring_timeout`. A tracker's rule that has a time
                of its own goes by that.
            call_id: The (first) agent leg's uuid; None: a new one.
            variables: Channel variables of the agent's leg (`verto_svar_*` are shown to the client).
            did: The number that was dialled, for the call's record; None: one that leads to the target. Means nothing
                where the target is a number.

        Raises:
            SimulatorError: The contact centre has no such number, or a header is no `verto_h_*`.
        """
        return self._world.running().commands.customer_dials(
            self,
            target,
            headers or {},
            ring_timeout=ring_timeout,
            call_id=call_id,
            variables=variables,
            did=did,
        )

    def called(self, call: SimCall | None) -> None:
        """An agent's call has arrived (used by the switch)."""
        if call is not None:
            self._calls.append(call)
            self._world.watch.poke()

    async def is_called(self, timeout: float = 5.0) -> SimCall:
        """Wait for the next call an agent makes to this number (each call is given once, in order).

        Raises:
            WaitedInVain: None came within `timeout` seconds.
        """

        def look() -> SimCall | None:
            if len(self._calls) > self._taken:
                self._taken += 1
                return self._calls[self._taken - 1]
            return None

        return await self._world.watch.until(look, timeout, lambda: f"nobody called {self.number}")
