"""The Verto server: who is connected, and what becomes of a message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ..verto.frames import JsonObject, encode_error, encode_result
from . import wire
from .journal import Journal
from .problems import SimulatorError
from .tcp import hold_port, stop_listening
from .verto_login import Rejected, authenticate
from .verto_methods import METHODS
from .verto_replies import NOT_ALLOWED, Outcome, Refusal, Slow
from .verto_session import VertoSession

if TYPE_CHECKING:
    from .clock import Clock
    from .faults import Faults
    from .options import ServerOptions
    from .people import SimAgent
    from .routing import Router
    from .switch import Switch
    from .world import World

__all__ = ["VertoServer"]


class VertoServer:
    """All Verto sockets of a simulator. The parts it works with are set by `Simulator` before it listens.

    Attributes:
        closing: New connections are refused, nothing is executed any more.
        down: The server's process is gone for now; see `restarting`.
    """

    switch: Switch
    router: Router
    faults: Faults

    def __init__(self, world: World, clock: Clock, options: ServerOptions, journal: Journal) -> None:
        self.world = world
        self.clock = clock
        self.options = options
        self.journal = journal
        self.closing = False
        self.down = False
        self._sessions: list[VertoSession] = []
        self._all: dict[VertoSession, None] = {}  # in their order: a set has none that can be repeated
        self._last_id = 0
        self._listener: asyncio.Server | None = None

    # ---- listening -------------------------------------------------------------------------------------------

    async def listen(self, host: str, port: int) -> int:
        """Start to listen; gives the port."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: VertoSession(self), host, port)
        return int(self._listener.sockets[0].getsockname()[1])

    @asynccontextmanager
    async def restarting(self) -> AsyncGenerator[None]:
        """The server's process is killed, and on exit there is a new one on the same port that knows nothing (s24).

        Every connection is reset, those to come are refused, calls and sessions are forgotten without a word, and
        the server's ids begin anew.

        Raises:
            SimulatorError: It is down already, or does not listen.
        """
        listener = self._listener
        if self.down or listener is None:
            raise SimulatorError("the server is down already")
        self.down = True
        host, port = listener.sockets[0].getsockname()[:2]
        for call in self.world.calls:
            call.lost_by_the_server()
        self.switch.restart()
        for session in tuple(self._all):
            session.abort()
        self._last_id = 0
        held = None
        try:
            held = await hold_port(listener)
            await listener.wait_closed()
            yield
        finally:
            self.down = False
            try:
                if not self.closing:
                    await self.listen(host, port)
            finally:
                if held is not None:
                    held.close()

    async def close(self) -> None:
        """Stop listening and reset every connection."""
        self.closing = True
        for session in tuple(self._all):
            session.shut()
        if self._listener is not None:
            await stop_listening(self._listener)
            await self._listener.wait_closed()

    def joined(self, session: VertoSession) -> None:
        """A socket is connected."""
        self._sessions.append(session)
        self._all[session] = None

    def disconnected(self, session: VertoSession) -> None:
        """A connection is over."""
        self._all.pop(session, None)

    def left(self, session: VertoSession) -> None:
        """A socket counts no more."""
        if session in self._sessions:
            self._sessions.remove(session)

    # ---- lookups ---------------------------------------------------------------------------------------------

    def sessions(self) -> list[VertoSession]:
        """All sockets that count, oldest first."""
        return list(self._sessions)

    def by_sessid(self, sessid: str) -> VertoSession | None:
        """The socket that holds a session id."""
        return next((s for s in self._sessions if s.sessid == sessid and not s.punted), None)

    def of_agent(self, agent: SimAgent) -> list[VertoSession]:
        """The logged-in sockets of an agent, newest first."""
        return [s for s in reversed(self._sessions) if s.agent is agent and s.authenticated and not s.punted]

    def newest_named(self, login: str) -> VertoSession | None:
        """The newest socket that bears a login name, logged in or not, as ZIWO's own commands look it up."""
        return next((s for s in reversed(self._sessions) if s.login_id == login), None)

    def next_id(self) -> int:
        """The next id of a server's request: one counter for all sockets."""
        self._last_id += 1
        return self._last_id

    # ---- messages --------------------------------------------------------------------------------------------

    def handle(self, session: VertoSession, text: str) -> None:
        """One message of a client."""
        value = wire.parse(text)
        if value is wire.BROKEN:
            session.reply(wire.refusal_text(wire.INVALID_REQUEST, None))
        elif wire.is_list(value):
            answers = [answer for item in value if (answer := self._batched(session, item)) is not None]
            session.reply(f"[{','.join(answers)}]")
        else:
            self._single(session, value)

    def _batched(self, session: VertoSession, item: Any) -> str | None:
        outcome = self._execute(session, item)
        if isinstance(outcome, Slow):
            outcome = outcome.finish()
        if outcome is None or isinstance(outcome, str):
            return outcome
        # In a batch the sessid is not added to the results (measured).
        return self._encode(wire.get(item, "id"), outcome)

    def _single(self, session: VertoSession, value: Any) -> None:
        outcome = self._execute(session, value)
        if isinstance(outcome, str):
            session.reply(outcome)
        elif isinstance(outcome, Slow):
            slow = outcome
            session.block(slow.seconds, lambda: self._finish(session, value, slow.finish()))
        elif outcome is not None:
            self._finish(session, value, outcome)

    def _finish(self, session: VertoSession, value: Any, outcome: JsonObject | Refusal) -> None:
        if isinstance(outcome, dict):
            outcome["sessid"] = session.sessid
        session.reply(self._encode(wire.get(value, "id"), outcome))
        if session.authenticated:
            session.arm_ready_once()

    def _encode(self, frame_id: Any, outcome: JsonObject | Refusal) -> str:
        if isinstance(outcome, dict):
            return encode_result(frame_id, outcome)
        if outcome.precise:
            # The key `message` stands twice on the wire (mod_verto.c:4083, 4328); no dict can say that.
            rest = wire.dump(outcome.error)
            error = f'{{"message":{wire.dump(outcome.precise)},{rest[1:]}'
            return f'{{"jsonrpc":"2.0","id":{wire.dump(frame_id)},"error":{error}}}'
        return encode_error(frame_id, outcome.error)

    def _execute(self, session: VertoSession, value: Any) -> Outcome | str | None:
        """Execute one request. A string is a whole reply; None: no reply."""
        if wire.get(value, "result") is not None:
            return None  # a reply of the client: its content is ignored
        frame_id = wire.get(value, "id")
        if wire.get(value, "jsonrpc") != "2.0":
            return wire.refusal_text(wire.INVALID_MESSAGE, frame_id)
        method = wire.get(value, "method")
        params: Any = wire.get(value, "params")
        self._bind(session, params)
        name = method if isinstance(method, str) else ""
        if name == "login" and self.faults.take_login_close():
            session.drop()
            return None
        ordered = self.faults.take_failure(name)
        if ordered is not None:
            return Refusal(ordered)
        executed = self.faults.take_drop(name)
        if executed is False:
            return None
        outcome = self._authenticated(session, name, params)
        if isinstance(outcome, dict) and (echo := wire.get(params, "echoParams")) is not None:
            outcome["requestParams"] = params if echo in (True, "true") else echo
        if executed:
            if isinstance(outcome, Slow):
                outcome.finish()
            elif isinstance(outcome, dict) and session.authenticated:
                session.arm_ready_once()
            return None
        return outcome

    def _bind(self, session: VertoSession, params: Any) -> None:
        """The first request binds the session id, before any password is checked; its holder is punted."""
        if session.sessid:
            return
        wanted = wire.get(params, "sessid")
        if not isinstance(wanted, str) or not wanted:
            session.sessid = self.world.new_uuid()
            return
        holder = self.by_sessid(wanted)
        session.sessid = wanted
        if holder is not None:
            holder.punt()

    def _authenticated(self, session: VertoSession, method: str, params: Any) -> Outcome:
        if method == "login" or not session.authenticated:
            try:
                authenticate(self, session, params)
            except Rejected as rejected:
                return Refusal({"code": rejected.code, "message": rejected.message})
        handler = METHODS.get(method)
        if handler is None:
            return NOT_ALLOWED
        return handler(self, session, params)
