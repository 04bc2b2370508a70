"""Faults to order: for a test that wants to see how a client takes them.

Where a recording of a real server shows a fault, its method names it (`s24`, `z02`: see `tests/data/transcripts`), and
the tests hold it to that recording.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..verto.frames import JsonObject
from .http_faults import HttpFaults
from .journal import JournalEntry
from .live.faults import LiveFaults
from .people import SimAgent
from .problems import SimulatorError

if TYPE_CHECKING:
    from .api import Rest
    from .live import LiveServer
    from .verto_server import VertoServer
    from .verto_session import VertoSession

__all__ = ["Faults"]


@dataclass(slots=True)
class _Plan:
    """What is ordered and not yet done."""

    failures: dict[str, deque[JsonObject]] = field(default_factory=dict[str, "deque[JsonObject]"])
    drops: dict[str, deque[bool]] = field(default_factory=dict[str, "deque[bool]"])
    duplicates: dict[str, int | None] = field(default_factory=dict[str, "int | None"])
    swaps: list[SimAgent] = field(default_factory=list[SimAgent])


class Faults(HttpFaults, LiveFaults):
    """The faults of one simulator: of its phones' sockets, of its REST API (`HttpFaults`), of its live socket.

    Attributes:
        refusing: New Verto connections are reset at once.
        reply_delay: Seconds by which every reply of the Verto server is late.
        message_delay: Seconds by which everything the Verto server says is late.
        logins_to_close: How many of the next logins end with a closed connection instead of a reply.
    """

    def __init__(self, verto: VertoServer, rest: Rest, live: LiveServer) -> None:
        HttpFaults.__init__(self, rest)
        LiveFaults.__init__(self, live)
        self._verto = verto
        self._plan = _Plan()
        self.refusing = False
        self.reply_delay = 0.0
        self.message_delay = 0.0
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

    async def punt(self, agent: SimAgent) -> int:
        """Another client takes the agent's session: `verto.punt`, then the socket is closed (1000) (s04, z02).

        The answered calls of the session are detached (they would be offered to the other client), the others end.

        Returns:
            How many sockets were punted.

        Raises:
            SimulatorError: The agent has no socket.
        """
        punted = [session for session in self._required(agent) if not session.punted]
        self._note(agent, "punt")
        for session in punted:
            session.punt()
        return len(punted)

    def duplicate(self, agent: SimAgent, tries: int | None = None) -> None:
        """Logins of this agent are refused as duplicates (-32003), whatever their password, until `release` (z02).

        The refused socket stays open and may try again; sockets that are logged in notice nothing.

        Args:
            agent: Whose name is taken.
            tries: Only so many logins; None: all.
        """
        self._note(agent, "duplicate")
        self._plan.duplicates[agent.position] = tries

    def release(self, agent: SimAgent) -> None:
        """End `duplicate`: the name is free again."""
        self._plan.duplicates.pop(agent.position, None)

    async def detach_expired(self, agent: SimAgent) -> int:
        """The detach window of the agent's calls ends now: those that nobody took over are over (s13, z08b).

        The far end is hung up (a bridged agent gets `verto.bye` 16); the agent is told nothing, then or later: the
        calls are not among the `reattached_sessions` of the next login. A call whose session has a socket is kept,
        so cut the socket first and keep the client away: `refuse_connections()`.

        Returns:
            How many calls ended.
        """
        self._note(agent, "detach window over")
        return self._verto.switch.end_detached(agent)

    @asynccontextmanager
    async def server_down(self) -> AsyncGenerator[None]:
        """The Verto server's process is killed; at the end of the block there is a new one on the same port (s24).

        Every socket is reset without a word and new connections are refused. The new server knows no call and no
        session: the same sessid is accepted, `reattached_sessions` is empty, a bye for an old call is answered
        CALL DOES NOT EXIST, and the server's request ids begin with 1. REST, tokens and presence are another server's
        and stay. (s22 only shows that mod_verto cannot be unloaded while it has calls.)

        Raises:
            SimulatorError: It is down already.
        """
        self._note(None, "server down")
        async with self._verto.restarting():
            yield
        self._note(None, "server up")

    async def server_restart(self, down_seconds: float = 0.0) -> None:
        """Restart the Verto server; returns when it is up again. See `server_down`.

        Args:
            down_seconds: How long nothing listens.
        """
        async with self.server_down():
            await asyncio.sleep(down_seconds)

    async def login_expired(self, agent: SimAgent) -> int:
        """The agent's login ends: the socket is closed (1000) without a word; calls are detached (s21, z07b).

        Returns:
            How many sockets were closed.

        Raises:
            SimulatorError: The agent has no socket.
        """
        sessions = self._required(agent)
        self._note(agent, "login expired")
        for session in sessions:
            session.drop()
        return len(sessions)

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

    def slow_server(self, seconds: float) -> None:
        """Make everything the server says so late, replies and requests alike, in order; 0 ends it.

        What was said before stays as late as it was, and what is said after it waits for it. No recording shows a
        slow server.
        """
        self._note(None, f"slow server: {seconds:g} s")
        self.message_delay = seconds

    def reordered(self, agent: SimAgent) -> None:
        """Swap the next two frames of the server to this agent; the first is held until there is a second.

        TCP keeps the order, so only a server can do that. The real one lets frames of different calls race (s17);
        that it swaps two of the same call no recording shows.
        """
        self._note(agent, "reordered")
        self._plan.swaps.append(agent)

    def dropped_reply(self, method: str) -> None:
        """The next request of that method is executed, and its reply is lost; the same as `drop_next(method)`."""
        self.drop_next(method)

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

    def take_duplicate(self, login: str) -> bool:
        """Whether a login with this name is refused as a duplicate (used by the server)."""
        if login not in self._plan.duplicates:
            return False
        left = self._plan.duplicates[login]
        if left is not None:
            if left <= 1:
                del self._plan.duplicates[login]
            else:
                self._plan.duplicates[login] = left - 1
            return left > 0
        return True

    def take_swap(self, agent: SimAgent | None) -> bool:
        """Whether this frame to the agent goes behind the next one (used by the server)."""
        if agent is None or agent not in self._plan.swaps:
            return False
        self._plan.swaps.remove(agent)
        return True

    def _note(self, agent: SimAgent | None, what: str) -> None:
        name = agent.ccLogin if agent is not None else ""
        entry = JournalEntry(self._verto.clock.monotonic(), "note", "", name, f"fault: {what}")
        self._verto.journal.add(entry)

    def _sessions(self, agent: SimAgent | None) -> list[VertoSession]:
        return [s for s in self._verto.sessions() if agent is None or s.agent is agent]

    def _required(self, agent: SimAgent) -> list[VertoSession]:
        sessions = self._sessions(agent)
        if not sessions:
            raise SimulatorError(f"agent {agent.ccLogin} has no Verto socket")
        return sessions
