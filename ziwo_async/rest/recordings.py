"""Resources: recordings of calls, and voicemails."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

from ..config import RetryPolicy
from ..errors import BadArgument
from .call_id import call_uuid
from .download import ProgressCallback, download
from .models.recording import Recording, RecordingRoute, RouteChoice, SignedUrl
from .resource import Resource
from .sound import Sound
from .sound_source import SoundBody, SoundSource, signed_url
from .transport import Transport

__all__ = ["MAX_BYTES", "RecordingsResource", "SoundStream", "VoicemailsResource"]

MAX_BYTES = 1024**3
"""How many bytes a recording may have, unless the caller says otherwise."""

_ROUTES: tuple[RecordingRoute, ...] = ("surveillance", "signed", "history")


class SoundStream:
    """A recording that comes in pieces, and is never whole in memory."""

    def __init__(self, body: SoundBody, sound: Sound) -> None:
        """Wrap an open recording (used by `RecordingsResource.stream`).

        Args:
            body: The recording.
            sound: What kind of sound it is.
        """
        self._body = body
        self._sound = sound

    def __repr__(self) -> str:
        return f"<SoundStream {self.content_type} size={self.size} route={self.route}>"

    @property
    def size(self) -> int | None:
        """Its length in bytes; None when the server does not tell."""
        return self._body.size

    @property
    def content_type(self) -> str:
        """What it is by its first bytes: `audio/mpeg`, `audio/wav` or `audio/ogg`."""
        return self._sound.content_type

    @property
    def route(self) -> RecordingRoute:
        """Where it comes from."""
        return self._body.route

    def chunks(self) -> AsyncIterator[bytes]:
        """Read it, once, in pieces of up to 64 KiB.

        Raises:
            ConnectionLost: It ended before it was complete; `download` would go on by itself.
            RequestTimeout: The next piece did not come in time.
            DecodeError: It is longer than it may be.
        """
        return self._body.chunks()


class _Sounds(Resource):
    """What recordings and voicemails have in common."""

    def __init__(self, transport: Transport, *, retry: RetryPolicy | None = None) -> None:
        """Use a transport; no I/O happens.

        Args:
            transport: The way to the REST API.
            retry: How a broken transfer goes on, and how the looks for what is not ready yet get rarer.
        """
        super().__init__(transport)
        self._retry = retry or RetryPolicy()

    def _source(self, call_id: str, routes: Sequence[RecordingRoute], *, wait: float, most: int) -> SoundSource:
        checked = call_uuid(call_id)
        if not (math.isfinite(wait) and wait >= 0):
            raise BadArgument(f"the wait must be 0 or more seconds, not {wait!r}")
        if most < 1:
            raise BadArgument(f"max_bytes must be 1 or more, not {most!r}")
        return SoundSource(self._transport, checked, routes, wait=wait, most=most, retry=self._retry)

    async def _download(
        self,
        source: SoundSource,
        target: str | os.PathLike[str],
        progress: ProgressCallback | None,
        *,
        resume: bool,
        overwrite: bool,
        timeout: float,
    ) -> Recording:
        if not (math.isfinite(timeout) and timeout > 0):
            raise BadArgument(f"the timeout must be more than 0 seconds, not {timeout!r}")
        return await download(
            source,
            target,
            progress=progress,
            resume=resume,
            overwrite=overwrite,
            timeout=timeout,
            retry=self._retry,
        )

    @asynccontextmanager
    async def _stream(self, source: SoundSource) -> AsyncGenerator[SoundStream]:
        async with source.opened() as body:
            assert body.sound is not None, "only the middle of a recording is not known to be sound"
            yield SoundStream(body, body.sound)

    async def _ready(self, source: SoundSource) -> RecordingRoute:
        async with source.opened() as body:
            return body.route


class RecordingsResource(_Sounds):
    """The recordings of calls.

    Each goes by the call's UUID (`callID`), not by the number of its record. Right after a call its recording is not
    ready for a while, and ZIWO says that there is none (source: seen at integrators); every method waits for it.

    Of the three routes, `auto` takes the first that has it: `surveillance`, which ZIWO documents, then `signed`, a
    cloud storage, then `history`; the next one whenever a route says that there is none, or refuses this user.
    Needs: not documented; some integrators get recordings with an admin's token only.
    """

    async def download(
        self,
        call_id: str,
        target: str | os.PathLike[str],
        *,
        route: RouteChoice = "auto",
        wait: float = 60.0,
        progress: ProgressCallback | None = None,
        resume: bool = True,
        overwrite: bool = False,
        max_bytes: int = MAX_BYTES,
        timeout: float = 600.0,
    ) -> Recording:
        """Download the recording of a call to a file, which appears whole or not at all.

        A transfer that breaks goes on where it stopped, within this call and, with `resume`, in a later one: until
        then the bytes are in `<target>.part`, beside a small `<target>.part.json`. The file is readable by this user
        only. Its name is yours, or made of the call's UUID; never one that the server gives. What comes is checked: by
        its length, its type and its first bytes.

        Needs: not documented; see the class.
        (`GET /surveillance/recordings/{callID}.mp3`; source: ZIWO docs)
        (`GET /callHistory/{callID}/recording/signed-url`; source: seen at an integrator)
        (`GET /callHistory/{callID}/recording`; source: seen at an integrator)

        Args:
            call_id: The call's UUID (`callID`).
            target: A file; or a folder that exists, then the file is `<callID>.mp3` in it.
            route: Where to get it.
            wait: Seconds that it may take to become ready; 0 looks once.
            progress: Called in the event loop after each piece, with the bytes so far.
            resume: Whether to take up, and to leave, a part.
            overwrite: Whether the file may exist already.
            max_bytes: How large it may be.
            timeout: Seconds for all of it.

        Raises:
            BadArgument: `call_id` is no UUID; or the target exists, cannot be made, or is being downloaded already.
            RecordingNotReady: There is none, or not yet.
            DecodeError: What came is no sound, is empty, or is larger than `max_bytes`.
            OSError: The file cannot be written, because the disk is full for instance.
        """
        source = self._source(call_id, _routes(route), wait=wait, most=max_bytes)
        return await self._download(source, target, progress, resume=resume, overwrite=overwrite, timeout=timeout)

    @asynccontextmanager
    async def stream(
        self,
        call_id: str,
        *,
        route: RouteChoice = "auto",
        wait: float = 60.0,
        max_bytes: int = MAX_BYTES,
    ) -> AsyncGenerator[SoundStream]:
        """Open the recording of a call, to read it in pieces.

        Each piece has the time limit of a request. A transfer that breaks does not go on: `download` does that.

        Needs: not documented; see the class.
        (`GET /surveillance/recordings/{callID}.mp3`; source: ZIWO docs)
        (`GET /callHistory/{callID}/recording/signed-url`; source: seen at an integrator)
        (`GET /callHistory/{callID}/recording`; source: seen at an integrator)

        Args:
            call_id: The call's UUID (`callID`).
            route: Where to get it.
            wait: Seconds that it may take to become ready; 0 looks once.
            max_bytes: How large it may be.

        Raises:
            BadArgument: `call_id` is no UUID.
            RecordingNotReady: There is none, or not yet.
            DecodeError: What came is no sound, is empty, or is larger than `max_bytes`.
        """
        async with self._stream(self._source(call_id, _routes(route), wait=wait, most=max_bytes)) as stream:
            yield stream

    async def signed_url(self, call_id: str) -> SignedUrl:
        """Ask for an address at a cloud storage, where the recording can be had without a token, by a browser say.

        Whoever has the address can listen. How long it lives is not known.

        Needs: not documented; see the class.
        (`GET /callHistory/{callID}/recording/signed-url`; source: seen at an integrator)

        Args:
            call_id: The call's UUID (`callID`).

        Raises:
            BadArgument: `call_id` is no UUID.
            NotFound: There is no recording, or not yet.
        """
        return await signed_url(self._transport, call_uuid(call_id))

    async def wait_until_ready(
        self, call_id: str, *, timeout: float = 60.0, route: RouteChoice = "auto"
    ) -> RecordingRoute:
        """Wait until a recording can be had, and tell on which route.

        Needs: not documented; see the class.
        (`GET /surveillance/recordings/{callID}.mp3`; source: ZIWO docs)
        (`GET /callHistory/{callID}/recording/signed-url`; source: seen at an integrator)
        (`GET /callHistory/{callID}/recording`; source: seen at an integrator)

        Args:
            call_id: The call's UUID (`callID`).
            timeout: Seconds that it may take; 0 looks once.
            route: Where to look.

        Raises:
            BadArgument: `call_id` is no UUID.
            RecordingNotReady: There is none, or not yet.
            DecodeError: What came is no sound.
        """
        return await self._ready(self._source(call_id, _routes(route), wait=timeout, most=MAX_BYTES))


class VoicemailsResource(_Sounds):
    """Voicemails: what callers said when nobody answered. They go by the call's UUID, as recordings do."""

    async def download(
        self,
        call_id: str,
        target: str | os.PathLike[str],
        *,
        wait: float = 60.0,
        progress: ProgressCallback | None = None,
        resume: bool = True,
        overwrite: bool = False,
        max_bytes: int = MAX_BYTES,
        timeout: float = 600.0,
    ) -> Recording:
        """Download a voicemail to a file ("Fetch Voicemail"), as `RecordingsResource.download` does.

        Needs: not documented.
        (`GET /surveillance/recordings/{callID}.mp3`; source: ZIWO docs)

        Args:
            call_id: The call's UUID (`callID`).
            target: A file; or a folder that exists, then the file is `<callID>.mp3` in it.
            wait: Seconds that it may take to become ready; 0 looks once.
            progress: Called in the event loop after each piece, with the bytes so far.
            resume: Whether to take up, and to leave, a part.
            overwrite: Whether the file may exist already.
            max_bytes: How large it may be.
            timeout: Seconds for all of it.

        Raises:
            BadArgument: `call_id` is no UUID; or the target exists, cannot be made, or is being downloaded already.
            RecordingNotReady: There is none, or not yet.
            DecodeError: What came is no sound, is empty, or is larger than `max_bytes`.
            OSError: The file cannot be written, because the disk is full for instance.
        """
        source = self._source(call_id, _ROUTES[:1], wait=wait, most=max_bytes)
        return await self._download(source, target, progress, resume=resume, overwrite=overwrite, timeout=timeout)

    @asynccontextmanager
    async def stream(
        self, call_id: str, *, wait: float = 60.0, max_bytes: int = MAX_BYTES
    ) -> AsyncGenerator[SoundStream]:
        """Open a voicemail, to read it in pieces, as `RecordingsResource.stream` does.

        Needs: not documented.
        (`GET /surveillance/recordings/{callID}.mp3`; source: ZIWO docs)

        Args:
            call_id: The call's UUID (`callID`).
            wait: Seconds that it may take to become ready; 0 looks once.
            max_bytes: How large it may be.

        Raises:
            BadArgument: `call_id` is no UUID.
            RecordingNotReady: There is none, or not yet.
            DecodeError: What came is no sound, is empty, or is larger than `max_bytes`.
        """
        async with self._stream(self._source(call_id, _ROUTES[:1], wait=wait, most=max_bytes)) as stream:
            yield stream

    async def wait_until_ready(self, call_id: str, *, timeout: float = 60.0) -> None:
        """Wait until a voicemail can be had.

        Needs: not documented.
        (`GET /surveillance/recordings/{callID}.mp3`; source: ZIWO docs)

        Args:
            call_id: The call's UUID (`callID`).
            timeout: Seconds that it may take; 0 looks once.

        Raises:
            BadArgument: `call_id` is no UUID.
            RecordingNotReady: There is none, or not yet.
            DecodeError: What came is no sound.
        """
        await self._ready(self._source(call_id, _ROUTES[:1], wait=timeout, most=MAX_BYTES))


def _routes(route: RouteChoice) -> Sequence[RecordingRoute]:
    if route == "auto":
        return _ROUTES
    if route not in _ROUTES:
        raise BadArgument(f"{route!r} is no route to recordings: there are auto, {', '.join(_ROUTES)}")
    return (route,)
