"""Resource: the REST session and the user that is logged in."""

from __future__ import annotations

from .models import Profile, WebrtcConfig, parse
from .transport import Transport

__all__ = ["SessionResource"]


class SessionResource:
    """Login, logout, profile and the phone's configuration. Every method raises what `Transport.request` raises."""

    def __init__(self, transport: Transport) -> None:
        """Use a transport; no I/O happens.

        Args:
            transport: The way to the REST API.
        """
        self._transport = transport

    async def login(self) -> Profile:
        """Log in, unless there is a token already, and give the profile.

        Not needed before other requests: the first one logs in by itself. (`POST /auth/login`, `GET /profile`;
        source: official clients)

        Raises:
            BadCredentials: The server refuses user and password.
            TokenExpired: The server refuses the token, and there is no password.
        """
        await self._transport.login()
        return await self.profile()

    async def logout(self) -> None:
        """End the REST session and forget the token. The agent's position stays as it is: see `AgentsResource.logout`.

        A token from elsewhere is only forgotten: it is not ours to end. (`POST /auth/logout`; source: Android SDK)
        """
        await self._transport.logout()

    async def profile(self) -> Profile:
        """Give the user that is logged in, with presence and live calls.

        (`GET /profile`; source: official web client)

        Raises:
            DecodeError: The answer is not a profile.
        """
        reply = await self._transport.request("GET", "/profile")
        return parse(Profile, reply, method="GET", path="/profile")

    async def webrtc_config(self) -> WebrtcConfig:
        """Tell where the phone's websocket listens.

        (`GET /fs/webrtc/config`; source: official web client)

        Raises:
            DecodeError: The answer is not a configuration.
        """
        reply = await self._transport.request("GET", "/fs/webrtc/config")
        return parse(WebrtcConfig, reply, method="GET", path="/fs/webrtc/config")
