"""AiortcMedia: real audio for calls, by aiortc. Needs the extra `media`, which is imported when it is made."""

from __future__ import annotations

import ipaddress
import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import BadArgument, ConfigError
from .quiet import hide_passwords
from .stun import StunList, StunSource, ask_ziwo

if TYPE_CHECKING:
    from .session import AiortcSession
    from .voice import VoiceActivity

__all__ = ["AiortcMedia"]

_log = logging.getLogger("ziwo_async.media")


class AiortcMedia:
    """A media engine that carries real audio (opus, PCMU, PCMA over DTLS-SRTP).

    ```python
    async with ZiwoClient("acme", username=u, password=p, media=AiortcMedia()) as ziwo, ziwo.phone:
        call = await ziwo.phone.dial("+97150000000")
        await call.wait_for(Active)
        await call.audio.play("welcome.wav")
        async for frame in call.audio.frames(rate=16000):
            ...
    ```
    """

    def __init__(
        self,
        *,
        stun: StunSource = ask_ziwo,
        gather_limit: float = 2.0,
        watch_after: float = 5.0,
        loopback: bool | None = None,
        voice: VoiceActivity | None = None,
    ) -> None:
        """Load the media libraries, and make an engine.

        Args:
            stun: STUN servers as `host:port`, none for `()`; or an async function that gives `{"stun": [...]}`. By
                default ZIWO's own list is asked for (`GET https://stun.ziwo.io`), once an hour, and without it the
                server that ZIWO's own client falls back to is used.
            gather_limit: Seconds that a call waits for STUN at most.
            watch_after: Seconds without audio after which `MediaLost` is told.
            loopback: Whether the server is on this machine, where no STUN is needed; None finds out by itself.
            voice: When sound counts as voice: `VoiceStarted` and `VoiceStopped` are published for all calls then.

        Raises:
            ConfigError: The extra `media` is not installed.
            BadArgument: A time is not above zero.
        """
        if gather_limit <= 0 or watch_after <= 0:
            raise BadArgument("AiortcMedia: gather_limit and watch_after must be above zero")
        try:
            from . import freeswitch
            from ._connection import Certificates
        except ImportError as error:
            if (error.name or "").partition(".")[0] not in ("aiortc", "aioice", "av", "pylibsrtp", "OpenSSL"):
                raise
            raise ConfigError(
                f'AiortcMedia needs the extra "media": pip install "ziwo_async[media]" ({error.name} is missing)'
            ) from None
        freeswitch.check_version()
        hide_passwords()
        self._certificates = Certificates()
        self._stun = StunList(stun)
        self._gather_limit = gather_limit
        self._watch_after = watch_after
        self._loopback = loopback
        self._server_is_here = False
        self._voice = voice

    def note_server(self, url: str) -> None:
        """Told by the phone where its server is, before each login."""
        host = urlsplit(url).hostname or ""
        try:
            self._server_is_here = host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            self._server_is_here = False

    async def open(self, call_id: str) -> AiortcSession:
        """Begin the media of one call."""
        from .session import AiortcSession

        session = AiortcSession(
            call_id,
            certificates=self._certificates,
            stun=self._stun,
            gather_limit=self._gather_limit,
            watch_after=self._watch_after,
            loopback=True if self._loopback is None and self._server_is_here else self._loopback,
            voice=self._voice,
        )
        try:
            await session.start()
        except BaseException:
            await session.close()
            raise
        return session
