"""Resources: recordings of calls, and voicemails."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

from ..config import RetryPolicy
from ..errors import BadArgument
from .call_id import call_uuid
from .download import ProgressCallback, download
from .models.cdr import Cdr
from .models.recording import Recording, RecordingRoute, RouteChoice, SignedUrl
from .resource import Resource
from .sound import Sound
from .sound_source import SoundBody, SoundSource, signed_url
from .transport import Transport

__all__ = ["MAX_BYTES", "RecordingsResource", "SoundStream", "SoundsResource", "VoicemailsResource"]

MAX_BYTES = 1024**3
"""How many bytes a recording may have, unless the caller says otherwise."""


class SoundStream:
    """A recording that comes in pieces, and is never whole in memory."""

    def __init__(self, body: SoundBody, sound: Sound) -> None:
        """Wrap an open recording (used by `SoundsResource.stream`).

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


class SoundsResource(Resource):
    """What recordings and voicemails have in common: both are the sound of a call.

    Each goes by the call's UUID (`callID`), not by the number of its record. Right after a call its sound is not ready
    for a while, and ZIWO says that there is none (source: seen at integrators); every method waits for it.

    Of several routes, `auto` takes the first that has it, and the next one whenever a route says that there is none, or
    refuses this user. Needs: not documented; some integrators get recordings with an admin's token only.
    """

    _ways: ClassVar[tuple[RecordingRoute, ...]] = ("surveillance",)
    """The routes that there are, the first to be tried first."""

    def __init__(self, transport: Transport, *, retry: RetryPolicy | None = None) -> None:
        """Use a transport; no I/O happens.

        Args:
            transport: The way to the REST API.
            retry: How a broken transfer goes on, and how the looks for what is not ready yet get rarer.
        """
        super().__init__(transport)
        self._retry = retry or RetryPolicy()

    async def download(
        self,
        call: Cdr | str,
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
        """Download the sound of a call to a file, which appears whole or not at all.

        A transfer that breaks goes on where it stopped, within this call and, with `resume`, in a later one: until
        then the bytes are in `<target>.part`, beside a small `<target>.part.json`. The file is readable by this user
        only. Its name is yours, or made of the call's UUID; never one that the server gives. What comes is checked: by
        its length, its type and its first bytes.

        Needs: not documented; see the class.
        (`GET /surveillance/recordings/{callID}.mp3`; source: ZIWO docs)
        (`GET /callHistory/{callID}/recording/signed-url`; source: seen at an integrator)
        (`GET /callHistory/{callID}/recording`; source: seen at an integrator)

        Args:
            call: The call, or its UUID (`callID`).
            target: A file; or a folder that exists, then the file is `<callID>.mp3` in it.
            route: Where to get it.
            wait: Seconds that it may take to become ready; 0 looks once.
            progress: Called in the event loop after each piece, with the bytes so far.
            resume: Whether to take up, and to leave, a part.
            overwrite: Whether the file may exist already.
            max_bytes: How large it may be.
            timeout: Seconds for all of it.

        Raises:
            BadArgument: The call has no UUID (`callID`), or this kind of sound not that route; or the target exists,
                cannot be made, or is being downloaded already.
            RecordingNotReady: There is none, or not yet.
            DecodeError: What came is no sound, is empty, or is larger than `max_bytes`.
            OSError: The file cannot be written, because the disk is full for instance.
        """
        source = self._source(call, route, wait=wait, most=max_bytes)
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
    async def stream(
        self,
        call: Cdr | str,
        *,
        route: RouteChoice = "auto",
        wait: float = 60.0,
        max_bytes: int = MAX_BYTES,
    ) -> AsyncGenerator[SoundStream]:
        """Open the sound of a call, to read it in pieces.

        Each piece has the time limit of a request. A transfer that breaks does not go on: `download` does that.

        Needs: not documented; see the class.
        (`GET /surveillance/recordings/{callID}.mp3`; source: ZIWO docs)
        (`GET /callHistory/{callID}/recording/signed-url`; source: seen at an integrator)
        (`GET /callHistory/{callID}/recording`; source: seen at an integrator)

        Args:
            call: The call, or its UUID (`callID`).
            route: Where to get it.
            wait: Seconds that it may take to become ready; 0 looks once.
            max_bytes: How large it may be.

        Raises:
            BadArgument: The call has no UUID (`callID`).
            RecordingNotReady: There is none, or not yet.
            DecodeError: What came is no sound, is empty, or is larger than `max_bytes`.
        """
        async with self._source(call, route, wait=wait, most=max_bytes).opened() as body:
            assert body.sound is not None, "only the middle of a recording is not known to be sound"
            yield SoundStream(body, body.sound)

    async def wait_until_ready(
        self, call: Cdr | str, *, timeout: float = 60.0, route: RouteChoice = "auto"
    ) -> RecordingRoute:
        """Wait until the sound of a call can be had, and tell on which route.

        Needs: not documented; see the class.
        (`GET /surveillance/recordings/{callID}.mp3`; source: ZIWO docs)
        (`GET /callHistory/{callID}/recording/signed-url`; source: seen at an integrator)
        (`GET /callHistory/{callID}/recording`; source: seen at an integrator)

        Args:
            call: The call, or its UUID (`callID`).
            timeout: Seconds that it may take; 0 looks once.
            route: Where to look.

        Raises:
            BadArgument: The call has no UUID (`callID`).
            RecordingNotReady: There is none, or not yet.
            DecodeError: What came is no sound.
        """
        async with self._source(call, route, wait=timeout, most=MAX_BYTES).opened() as body:
            return body.route

    # --- inside ---------------------------------------------------------------------------------------------------

    def _source(self, call: Cdr | str, route: RouteChoice, *, wait: float, most: int) -> SoundSource:
        checked = _id_of(call)
        if not (math.isfinite(wait) and wait >= 0):
            raise BadArgument(f"the wait must be 0 or more seconds, not {wait!r}")
        if most < 1:
            raise BadArgument(f"max_bytes must be 1 or more, not {most!r}")
        if route != "auto" and route not in self._ways:
            raise BadArgument(f"{route!r} is no route here: there are auto, {', '.join(self._ways)}")
        routes = self._ways if route == "auto" else (route,)
        return SoundSource(self._transport, checked, routes, wait=wait, most=most, retry=self._retry)


class RecordingsResource(SoundsResource):
    """The recordings of calls.

    There are three routes: `surveillance`, which ZIWO documents, then `signed`, a cloud storage, then `history`.
    """

    _ways = ("surveillance", "signed", "history")

    async def signed_url(self, call: Cdr | str) -> SignedUrl:
        """Ask for an address at a cloud storage, where the recording can be had without a token, by a browser say.

        Whoever has the address can listen. How long it lives is not known.

        Needs: not documented; see the class.
        (`GET /callHistory/{callID}/recording/signed-url`; source: seen at an integrator)

        Args:
            call: The call, or its UUID (`callID`).

        Raises:
            BadArgument: The call has no UUID (`callID`).
            NotFound: There is no recording, or not yet.
        """
        return await signed_url(self._transport, _id_of(call))


class VoicemailsResource(SoundsResource):
    """Voicemails: what callers said when nobody answered ("Fetch Voicemail").

    There is one route, `surveillance`. (`GET /surveillance/recordings/{callID}.mp3`; source: ZIWO docs)
    """


def _id_of(call: Cdr | str) -> str:
    if not isinstance(call, Cdr):
        return call_uuid(call)
    if call.call_id is None:
        raise BadArgument(f"the record {call.id} has no callID, by which recordings go")
    return call_uuid(call.call_id)
