"""Faults to order: for a test that wants to see how a client takes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..verto.frames import JsonObject
from .people import SimAgent
from .problems import SimulatorError

if TYPE_CHECKING:
    from .rest import Rest
    from .verto_server import VertoServer
    from .verto_session import VertoSession

__all__ = ["Faults", "HttpAnswer"]


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A scripted HTTP answer: `body` is sent as JSON when it is an object, else as text (HTML when it begins so)."""

    status: int
    headers: dict[str, str]
    body: JsonObject | str | None
    path: str | None


@dataclass(slots=True)
class _Plan:
    """What is ordered and not yet done."""

    failures: dict[str, deque[JsonObject]] = field(default_factory=dict[str, "deque[JsonObject]"])
    drops: dict[str, deque[bool]] = field(default_factory=dict[str, "deque[bool]"])
    http: deque[HttpAnswer] = field(default_factory=deque["HttpAnswer"])


class Faults:
    """The faults of one simulator.

    Attributes:
        refusing: New Verto connections are reset at once.
        reply_delay: Seconds by which every reply of the Verto server is late.
        logins_to_close: How many of the next logins end with a closed connection instead of a reply.
    """

    def __init__(self, verto: VertoServer, rest: Rest) -> None:
        self._verto = verto
        self._rest = rest
        self._plan = _Plan()
        self.refusing = False
        self.reply_delay = 0.0
        self.logins_to_close = 0

    # ---- the phone socket ------------------------------------------------------------------------------------

    async def cut_phone_socket(self, agent: SimAgent | None = None) -> int:
        """Reset the TCP connection of an agent's phone (of all phones when None), without a close frame.

        When this returns the server has handled the loss: answered calls are detached, the others have ended.

        Returns:
            How many sockets were cut.
        """
        sessions = self._sessions(agent)
        for session in sessions:
            session.abort()
        return len(sessions)

    def refuse_connections(self, refuse: bool = True) -> None:
        """Reset every new Verto connection before the handshake, until told otherwise."""
        self.refusing = refuse

    async def half_open(self, agent: SimAgent) -> None:
        """The network is gone: the server neither reads nor writes any more, the TCP connection stays.

        Raises:
            SimulatorError: The agent has no socket.
        """
        for session in self._required(agent):
            session.freeze()

    def close_during_login(self, times: int = 1) -> None:
        """Close the connection (close code 1000) instead of answering the next login."""
        self.logins_to_close = times

    async def close_phone_socket(self, agent: SimAgent | None = None) -> int:
        """Close properly (code 1000), as the server does when a login expires; calls are detached."""
        sessions = self._sessions(agent)
        for session in sessions:
            session.drop()
        return len(sessions)

    async def inject(self, agent: SimAgent, raw_text: str) -> None:
        """Send a text frame as it is, at once.

        Raises:
            SimulatorError: The agent has no socket.
        """
        for session in self._required(agent):
            session.write_text(raw_text)

    def delay_replies(self, seconds: float) -> None:
        """Make every reply so late; 0 ends it. Order is kept."""
        self.reply_delay = seconds

    def fail_next(self, method: str, code: int | None, message: str, **fields: object) -> None:
        """The next request of that method is not executed and gets this error (members in mod_verto's order)."""
        error: JsonObject = {**fields, "message": message}
        if code is not None:
            error["code"] = code
        self._plan.failures.setdefault(method, deque()).append(error)

    def drop_next(self, method: str, *, executed: bool = True) -> None:
        """The next request of that method gets no reply; by default it is executed, only its reply is lost."""
        self._plan.drops.setdefault(method, deque()).append(executed)

    def take_failure(self, method: str) -> JsonObject | None:
        """The error ordered for this request (used by the server)."""
        ordered = self._plan.failures.get(method)
        return ordered.popleft() if ordered else None

    def take_drop(self, method: str) -> bool | None:
        """Whether this request gets no reply: None: it gets one; else whether it is executed (used by the server)."""
        ordered = self._plan.drops.get(method)
        return ordered.popleft() if ordered else None

    def take_login_close(self) -> bool:
        """Whether this login ends with a closed connection (used by the server)."""
        if self.logins_to_close <= 0:
            return False
        self.logins_to_close -= 1
        return True

    def _sessions(self, agent: SimAgent | None) -> list[VertoSession]:
        return [s for s in self._verto.sessions() if agent is None or s.agent is agent]

    def _required(self, agent: SimAgent) -> list[VertoSession]:
        sessions = self._sessions(agent)
        if not sessions:
            raise SimulatorError(f"agent {agent.ccLogin} has no Verto socket")
        return sessions

    # ---- REST ------------------------------------------------------------------------------------------------

    def expire_tokens(self) -> None:
        """Every access token handed out so far is refused with 401 from now on."""
        self._rest.expire_tokens()

    def next_http(
        self,
        status: int,
        *,
        headers: Mapping[str, str] | None = None,
        body: JsonObject | str | None = None,
        path: str | None = None,
        times: int = 1,
    ) -> None:
        """Script the answer to the next REST request(s).

        Args:
            status: HTTP status.
            headers: Headers, such as `Retry-After` or `Location`.
            body: An object is sent as JSON, text as HTML; None: an empty body.
            path: Only for requests to this path; None: for any.
            times: For how many requests.
        """
        answer = HttpAnswer(status, dict(headers or {}), body, path)
        self._plan.http.extend([answer] * times)

    def take_http(self, path: str) -> HttpAnswer | None:
        """The answer scripted for this request (used by the REST server)."""
        for answer in self._plan.http:
            if answer.path in (None, path):
                self._plan.http.remove(answer)
                return answer
        return None
