"""ZIWO's REST API, as far as an agent's session needs it (source: ZIWO's SDKs and developers page)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web

from ..verto.frames import JsonObject
from .journal import Journal, JournalEntry
from .people import STATUSES, SimAgent

if TYPE_CHECKING:
    from .clock import Clock
    from .faults import Faults
    from .world import World

__all__ = ["Rest"]

_OPEN = ("/auth/login", "/monitor/ping")
_CREATED = "2024-01-01T00:00:00.000Z"


class Rest:
    """The HTTP server. `faults` and `verto_port` are set by `Simulator` before it listens."""

    faults: Faults
    verto_port: int

    def __init__(self, world: World, clock: Clock, journal: Journal) -> None:
        self._world = world
        self._clock = clock
        self._journal = journal
        self._tokens: dict[str, SimAgent] = {}
        self._runner: web.AppRunner | None = None

    async def listen(self, host: str, port: int) -> int:
        """Start to listen; gives the port."""

        @web.middleware
        async def around(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            return await self._around(request, handler)

        app = web.Application(middlewares=[around])
        app.add_routes(
            [
                web.post("/auth/login", self._login),
                web.post("/auth/logout", self._logout),
                web.get("/monitor/ping", self._ping),
                web.get("/profile", self._profile),
                web.get("/fs/webrtc/config", self._webrtc_config),
                *(
                    web.put(path, self._autologin)
                    for name in ("autologin", "autoLogin")
                    for path in (f"/agents/{name}", f"/agents/{name}/{{position}}")
                ),
                web.put("/agents/logout", self._agent_logout),
                web.put("/agents/autologout", self._autologout),
                web.put("/agents/status", self._status),
                web.post("/live/calls/eavesdrop/{agent}", self._eavesdrop),
                web.put("/live/calls/eavesdrop/{call_id}", self._whisper),
            ]
        )
        # Nothing of a test outlives it: connections are not waited for when the simulator closes.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening and close every connection."""
        if self._runner is not None:
            await self._runner.cleanup()

    def expire_tokens(self) -> None:
        """Forget every access token."""
        self._tokens.clear()

    # ---- around every request --------------------------------------------------------------------------------

    async def _around(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        response = await self._answer(request, handler)
        token = request.headers.get("access_token", "")
        agent = self._tokens.get(token)
        entry = f"{request.method} {request.path} {response.status}"
        self._journal.add(
            JournalEntry(
                self._clock.monotonic(), "http", request.remote or "", agent.ccLogin if agent is not None else "", entry
            )
        )
        return response

    async def _answer(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        scripted = self.faults.take_http(request.path)
        if scripted is not None:
            headers = scripted.headers
            if isinstance(scripted.body, dict):
                return web.json_response(scripted.body, status=scripted.status, headers=headers)
            kind = {} if "Content-Type" in headers else {"Content-Type": "text/html; charset=utf-8"}
            return web.Response(text=scripted.body or "", status=scripted.status, headers={**headers, **kind})
        if request.path not in _OPEN and request.headers.get("access_token", "") not in self._tokens:
            return _error(401, "Invalid access token")
        try:
            return await handler(request)
        except web.HTTPException as error:
            return _error(error.status, error.reason)

    def _agent(self, request: web.Request) -> SimAgent:
        return self._tokens[request.headers["access_token"]]

    # ---- account ---------------------------------------------------------------------------------------------

    async def _login(self, request: web.Request) -> web.Response:
        fields = await _fields(request)
        username, password = fields.get("username"), fields.get("password")
        agent = next((a for a in self._world.agents if a.username == username and a.password == password), None)
        if agent is None:
            return _error(401, "Invalid credentials")
        token = self._world.new_uuid()
        self._tokens[token] = agent
        return _content({**user_object(agent), "access_token": token})

    async def _logout(self, request: web.Request) -> web.Response:
        del self._tokens[request.headers["access_token"]]
        return _content({})

    async def _ping(self, request: web.Request) -> web.Response:
        return _content({})

    async def _profile(self, request: web.Request) -> web.Response:
        agent = self._agent(request)
        return _content({**user_object(agent), "liveInfo": live_info(agent), "liveCalls": [c.id for c in agent.calls]})

    async def _webrtc_config(self, request: web.Request) -> web.Response:
        return _content({"webSocket": {"protocol": "ws", "port": self.verto_port}})

    # ---- the agent's position --------------------------------------------------------------------------------

    async def _autologin(self, request: web.Request) -> web.Response:
        agent = self._agent(request)
        position = request.match_info.get("position", agent.position)
        if position != agent.position:
            return _error(404, f"No such position: {position}")
        if agent.status == "Logged Out":
            agent.set_status("Available")
        agent.set_ready(True)
        return _content({})

    async def _agent_logout(self, request: web.Request) -> web.Response:
        agent = self._agent(request)
        if not agent.ready:
            return _error(412, "Agent is already logged out")
        self._log_out(agent)
        return _content({})

    async def _autologout(self, request: web.Request) -> web.Response:
        self._log_out(self._agent(request))
        return _content({})

    def _log_out(self, agent: SimAgent) -> None:
        agent.set_status("Logged Out")
        agent.set_ready(False)

    async def _status(self, request: web.Request) -> web.Response:
        number = (await _fields(request)).get("number")
        text = str(number)
        status = STATUSES.get(int(text)) if text.isascii() and text.isdigit() else None
        if status is None:
            return _error(400, "Invalid status number")
        self._agent(request).set_status(status)
        return _content({})

    # ---- eavesdrop -------------------------------------------------------------------------------------------

    async def _eavesdrop(self, request: web.Request) -> web.Response:
        """Rings the user's own position; the client answers it itself (ZIWO developers page)."""
        supervisor = self._agent(request)
        target = next((a for a in self._world.agents if a.ccLogin == request.match_info["agent"]), None)
        if target is None:
            return _error(404, "No such agent")
        if not supervisor.connected:
            return _error(412, "Your position is not connected")
        call = self._world.running().commands.spy_on_agent(supervisor, target, {})
        return _content({"callID": call.id})

    async def _whisper(self, request: web.Request) -> web.Response:
        """No Verto frame accompanies it (measured): `SimCall.whisper` tells what was set."""
        whisper = str((await _fields(request)).get("whisper"))
        if whisper not in ("agent", "both", "none"):
            return _error(400, "Invalid whisper")
        wanted = request.match_info["call_id"]
        call = next((call for call in self._world.calls if call.id == wanted and call.state != "ended"), None)
        if call is None:
            return _error(404, "No such call")
        call.whisper = whisper
        self._world.watch.poke()
        return _content({})


def user_object(agent: SimAgent) -> JsonObject:
    """The user object of the login and the profile."""
    return {
        "id": agent.id,
        "firstName": agent.first_name,
        "lastName": agent.last_name,
        "username": agent.username,
        "status": "active",
        "type": "agent",
        "photo": None,
        "roleId": 2,
        "role": {"id": 2, "name": "Agent", "permissions": {}},
        "lastLoginAt": _CREATED,
        "createdAt": _CREATED,
        "updatedAt": _CREATED,
        "contactNumber": None,
        "profileType": "users",
        "ccLogin": agent.ccLogin,
        "ccPassword": agent.cc_password,
        "wrapUpTime": 0,
        "noAnswerTimeout": 20,
        "noAnswerDelayTime": None,
        "roamingTimeout": 20,
        "roamingContactNumber": None,
        "outboundRoaming": False,
        "autoAnswer": False,
        "languageCode": "en",
        "countryCode": "AE",
    }


def live_info(agent: SimAgent) -> JsonObject:
    """Presence; every value is a string (source: ZIWO's Android SDK)."""
    return {
        "callsAnswered": "0",
        "contactString": f"verto.rtc/{agent.position}",
        "lastBridgeEPOCH": "0",
        "lastStatusChangeEPOCH": "0",
        "lastUnBridgeEPOCH": "0",
        "noAnswerCount": "0",
        "position": agent.position,
        "state": "In a queue call" if agent.calls else "Waiting",
        "status": agent.status,
        "talkTime": "0",
        "wrapUpTime": "0",
    }


async def _fields(request: web.Request) -> JsonObject:
    if request.content_type == "application/json":
        try:
            body: Any = await request.json()
        except json.JSONDecodeError:
            raise web.HTTPBadRequest(reason="Invalid JSON") from None
        return cast("JsonObject", body) if isinstance(body, dict) else {}
    return dict(await request.post())


def _content(content: JsonObject) -> web.Response:
    return web.json_response({"result": True, "content": content, "info": {}})


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"result": False, "error": {"message": message}, "info": {}}, status=status)
