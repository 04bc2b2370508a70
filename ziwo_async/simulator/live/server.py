"""The live socket on the REST port: handshakes, polling, websockets, and the switch from one to the other."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from ..journal import JournalEntry
from . import payloads
from .connection import LiveConnection
from .engine import MOST_BYTES, PING, PONG, UPGRADE, EngineSession
from .faults import LivePlan
from .hub import Hub
from .quirks import LiveQuirks

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..clock import Clock
    from ..journal import Journal
    from ..options import ServerOptions
    from ..people import SimAgent
    from ..world import World

__all__ = ["PATHS", "LiveServer"]

PATHS = ("/socket", "/socket/")

_UNKNOWN_TRANSPORT = (0, "Transport unknown")
_UNKNOWN_SID = (1, "Session ID unknown")
_BAD_METHOD = (2, "Bad handshake method")
_BAD_REQUEST = (3, "Bad request")
_BAD_PROTOCOL = (5, "Unsupported protocol version")


class LiveServer:
    """Engine.IO 3 and 4, and Socket.IO 2 and 5 on them. A wrong token is refused as each version does it.

    Attributes:
        quirks: How things are told; change it at any time.
        plan: The faults that are ordered.
        hub: Decides who is told what; also without the network.
        user_of: Gives the user of an access token; set by `Simulator`.
    """

    user_of: Callable[[str], SimAgent | None]

    def __init__(self, world: World, clock: Clock, journal: Journal, options: ServerOptions) -> None:
        self.quirks = LiveQuirks()
        self.plan = LivePlan()
        self.hub = Hub(world, clock, interval=options.live_push_interval, quirks=self.quirks)
        self._world = world
        self._clock = clock
        self._journal = journal
        self._options = options
        self._connections: dict[str, LiveConnection] = {}
        # A generator of its own: connections do not change the uuids of the calls.
        self._rng = random.Random(f"live {world.cti_key}")

    @property
    def connections(self) -> tuple[LiveConnection, ...]:
        """The open connections, oldest first."""
        return tuple(connection for connection in self._connections.values() if not connection.session.ended)

    def add_routes(self, app: web.Application) -> None:
        """Serve it in an application."""
        for path in PATHS:
            app.router.add_route("GET", path, self._get)
            app.router.add_route("POST", path, self._post)

    def close(self) -> None:
        """Reset every connection, and watch the world no more."""
        for connection in tuple(self._connections.values()):
            connection.session.abort("the simulator closes")
        self.hub.close()

    # ---- handshake -------------------------------------------------------------------------------------------

    def _connect(self, request: web.Request, protocol: payloads.Protocol) -> LiveConnection:
        session = EngineSession(
            f"{self._rng.getrandbits(120):030x}",
            protocol,
            "websocket" if request.query["transport"] == "websocket" else "polling",
            self._clock,
            interval=self._options.live_ping_interval,
            timeout=self._options.live_ping_timeout,
        )
        token = request.query.get("access_token", "")
        connection = LiveConnection(
            session, lambda: self.user_of(token), hub=self.hub, plan=self.plan, clock=self._clock
        )
        leave = session.on_end
        peer = request.remote or ""

        def ended() -> None:
            leave()
            self._connections.pop(session.sid, None)
            self._note(peer, connection, f"closed: {session.ended}")

        session.on_end = ended
        self._connections[session.sid] = connection
        connection.open()
        self._note(peer, connection, f"open: eio {protocol}, {session.carrier}")
        return connection

    def _note(self, peer: str, connection: LiveConnection, text: str) -> None:
        login = connection.user.ccLogin if connection.user is not None else ""
        self._journal.add(JournalEntry(self._clock.monotonic(), "note", peer, login, f"live socket {text}"))
        self._world.watch.poke()

    async def _get(self, request: web.Request) -> web.StreamResponse:
        # As servers of today do: whatever does not say 4 is taken for 3.
        protocol: payloads.Protocol = 4 if request.query.get("EIO") == "4" else 3
        sid, carrier = request.query.get("sid"), request.query.get("transport")
        if carrier not in ("polling", "websocket"):
            return _refusal(_UNKNOWN_TRANSPORT)
        if sid is None:
            if protocol in self.plan.refused:
                return _refusal(_BAD_PROTOCOL)
            if carrier == "websocket":
                return await self._begin_websocket(request, protocol)
            connection = self._connect(request, protocol)
            return await self._poll(request, connection.session)
        found = self._connections.get(sid)
        if found is None:
            return _refusal(_UNKNOWN_SID)
        if carrier == "websocket":
            return await self._upgrade(request, found.session)
        if found.carrier != "polling" or found.session.polled:
            return _refusal(_BAD_REQUEST)
        return await self._poll(request, found.session)

    # ---- polling ---------------------------------------------------------------------------------------------

    async def _poll(self, request: web.Request, session: EngineSession) -> web.StreamResponse:
        packets = await session.poll(request.transport)
        return web.Response(text=payloads.encode(packets, session.protocol), content_type="text/plain")

    async def _post(self, request: web.Request) -> web.StreamResponse:
        sid = request.query.get("sid")
        if sid is None:
            return _refusal(_BAD_METHOD)
        found = self._connections.get(sid)
        if found is None:
            return _refusal(_UNKNOWN_SID)
        if found.carrier != "polling" or request.query.get("transport") != "polling":
            return _refusal(_BAD_REQUEST)
        body = await request.read()
        try:
            packets = payloads.decode(body, found.protocol) if len(body) <= MOST_BYTES else []
        except payloads.BadPayload:
            packets = []
        if not packets:
            found.session.end("parse error")
            return _refusal(_BAD_REQUEST)
        for packet in packets:
            found.session.received(packet)
        return web.Response(text="ok", content_type="text/html")

    # ---- websocket -------------------------------------------------------------------------------------------

    def _websocket(self) -> web.WebSocketResponse:
        return web.WebSocketResponse(timeout=self._options.close_timeout, max_msg_size=MOST_BYTES, compress=False)

    async def _begin_websocket(self, request: web.Request, protocol: payloads.Protocol) -> web.StreamResponse:
        ws = self._websocket()
        if not ws.can_prepare(request).ok:
            return _refusal(_BAD_REQUEST)
        await ws.prepare(request)
        session = self._connect(request, protocol).session
        session.carried_by(request.transport)
        return await self._run(ws, session)

    async def _upgrade(self, request: web.Request, session: EngineSession) -> web.StreamResponse:
        """The client tries a websocket with a ping `probe`, and takes it for good with an upgrade packet."""
        ws = self._websocket()
        if session.carrier != "polling" or not ws.can_prepare(request).ok:
            return _refusal(_BAD_REQUEST)
        await ws.prepare(request)
        async for message in ws:
            if message.type is not WSMsgType.TEXT:
                break
            if message.data == f"{PING}probe":
                await ws.send_str(f"{PONG}probe")
                session.probed()
            elif message.data == UPGRADE and session.carrier == "polling" and not session.ended:
                session.carried_by(request.transport)
                return await self._run(ws, session)
            else:
                break
        await ws.close()
        return ws

    async def _run(self, ws: web.WebSocketResponse, session: EngineSession) -> web.WebSocketResponse:
        writer = asyncio.create_task(session.write_to(ws))
        try:
            async for message in ws:
                if message.type is not WSMsgType.TEXT:
                    session.end("parse error")
                    break
                session.received(message.data)
        finally:
            session.end("transport close")
            # What is left to say is said, and the close frame sent, unless the connection is gone.
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(self._options.close_timeout):
                    await writer
        return ws


def _refusal(problem: tuple[int, str]) -> web.Response:
    code, message = problem
    return web.json_response({"code": code, "message": message}, status=400)
