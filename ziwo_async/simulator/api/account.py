"""Login and logout, the user's own profile, and what a phone needs to know."""

from __future__ import annotations

import base64
import hashlib
import hmac

from ...verto.frames import JsonObject
from . import rows
from .ask import Ask, Route
from .envelopes import Refused

__all__ = ["ROUTES"]


async def login(ask: Ask) -> JsonObject:
    """Log in with an e-mail address and a password, plain or hashed as clients did until 2018.

    `remember`, `type`, `vertoSessionId` and `deviceType` are accepted and change nothing here.
    """
    fields = await ask.fields()
    username, password = str(fields.get("username", "")), str(fields.get("password", ""))
    for user in ask.world.users:
        if user.username == username and password in (user.password, _hashed(username, user.password)):
            token = ask.world.new_uuid()
            ask.api.accept_token(token, user)
            return {**rows.user(user), "access_token": token}
    raise Refused(401, "Invalid credentials")


def _hashed(username: str, password: str) -> str:
    """The password as ZIWO's Manager app sends it."""
    digest = hmac.new(password.encode(), (username + password).encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


async def logout(ask: Ask) -> JsonObject:
    """End the token."""
    ask.api.forget_token(ask.http.headers["access_token"])
    return {}


async def device(ask: Ask) -> JsonObject:
    """Register an app for pushes."""
    ask.agent.device_token = ask.text("deviceToken")
    return {}


async def reset_password(ask: Ask) -> JsonObject:
    """Ask for a new password by mail; the answer does not tell whether there is such a user."""
    if not (await ask.fields()).get("username"):
        raise Refused(400, "username is required")
    return {}


async def ping(ask: Ask) -> JsonObject:
    """Whether the instance exists."""
    return {}


async def profile(ask: Ask) -> JsonObject:
    """The user, with presence and live calls."""
    agent = ask.agent
    return {**rows.user(agent), "liveInfo": rows.live_info(agent), "liveCalls": [call.id for call in agent.calls]}


async def change_profile(ask: Ask) -> JsonObject:
    """Change one's own profile; every field is optional, and a new password needs the present one."""
    agent, fields = ask.agent, await ask.fields()
    if "password" in fields:
        if fields.get("currentPassword") != agent.password:
            raise Refused(400, "The current password is wrong")
        agent.password = str(fields["password"])
    agent.first_name = str(fields.get("firstName", agent.first_name))
    agent.last_name = str(fields.get("lastName", agent.last_name))
    agent.photo = fields.get("photo", agent.photo)
    agent.country_code = fields.get("countryCode", agent.country_code)
    agent.language_code = fields.get("languageCode", agent.language_code)
    return {}


async def webrtc_config(ask: Ask) -> JsonObject:
    """Where the Verto websocket is."""
    return {"webSocket": {"protocol": "ws", "port": ask.api.verto_port}}


ROUTES = (
    Route("POST", "/auth/login", login, "open"),
    Route("POST", "/auth/logout", logout),
    Route("PUT", "/auth/device", device),
    Route("POST", "/users/password/reset", reset_password, "open"),
    Route("GET", "/monitor/ping", ping, "open"),
    Route("GET", "/profile", profile),
    Route("PUT", "/agents", change_profile),
    Route("GET", "/fs/webrtc/config", webrtc_config),
)
