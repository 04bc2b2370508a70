"""Resource: the REST session and the user that is logged in."""

from __future__ import annotations

from pydantic import SecretStr

from .models.profile import Profile
from .models.webrtc import WebrtcConfig
from .resource import Resource

__all__ = ["SessionResource"]


class SessionResource(Resource):
    """Login, logout, the user's own account, and the phone's configuration."""

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
        """End the REST session and forget the token. The agent's position stays as it is: see `ziwo.agent.logout`.

        A token from elsewhere is only forgotten: it is not ours to end. (`POST /auth/logout`; source: Android SDK)
        """
        await self._transport.logout()

    async def access_token(self) -> SecretStr:
        """Give the access token in use, for other programs of the same user; log in first when there is none.

        It is as good as the password: closing the client ends it, unless it came from elsewhere.
        (`POST /auth/login`; source: official clients)

        Raises:
            BadCredentials: The server refuses user and password.
            TokenExpired: The server refuses the token, and there is no password.
        """
        return await self._transport.access_token()

    async def profile(self) -> Profile:
        """Give the user that is logged in, with presence and live calls.

        (`GET /profile`; source: official web client)

        Raises:
            DecodeError: The answer is not a profile.
        """
        return await self._one(Profile, "GET", "/profile")

    async def webrtc_config(self) -> WebrtcConfig:
        """Tell where the phone's websocket listens.

        (`GET /fs/webrtc/config`; source: official web client)

        Raises:
            DecodeError: The answer is not a configuration.
        """
        return await self._one(WebrtcConfig, "GET", "/fs/webrtc/config")

    async def reset_password(self, username: str) -> None:
        """Let ZIWO send the user a mail to set a new password. Needs no login.

        (`POST /users/password/reset`; source: Android SDK)

        Args:
            username: E-mail address of the user.
        """
        await self._transport.request("POST", "/users/password/reset", form={"username": username}, credential="none")

    async def register_device(self, device_token: str | SecretStr) -> None:
        """Register a telephone for push messages about calls.

        The device token travels in the URL, because ZIWO takes it nowhere else; this package logs no query.
        (`PUT /auth/device`; source: Android SDK)

        Args:
            device_token: Token of Firebase Cloud Messaging.
        """
        device_token = SecretStr(device_token) if isinstance(device_token, str) else device_token  # no frame shows it
        await self._transport.request("PUT", "/auth/device", params={"deviceToken": device_token})
