"""Where the bytes of a recording come from: routes, one after the other, until one has it; then a checked body."""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from ..config import RetryPolicy
from ..errors import ApiError, ConnectionLost, DecodeError, Forbidden, NotFound, RecordingNotReady
from .envelope import decode, error_for, not_json, unwrap
from .exchange import Body
from .models.base import parse
from .models.recording import RecordingRoute, SignedUrl
from .part import is_validator
from .scrub import Scrub
from .sound import HEAD, Sound, is_sound_type, sound_of
from .transport import Transport

__all__ = ["BeginAnew", "ResumePoint", "SoundBody", "SoundSource", "signed_url"]

_log = logging.getLogger("ziwo_async.rest")

_WORDS = 64 * 1024
_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15}|\*)", re.ASCII)
_ADDRESS = re.compile(r"\S*(?://|\?\S*=)\S*")  # a word with a path of a host, or with a query


class BeginAnew(Exception):
    """The server cannot go on where we stopped: the file has changed, or it does not know ranges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePoint:
    """Where to go on.

    Attributes:
        route: Where the first bytes came from; another route begins anew.
        start: How many bytes there are.
        validator: What the server called that version of the file.
        total: Its length, when it was told.
    """

    route: RecordingRoute
    start: int
    validator: str
    total: int | None


class SoundBody:
    """An open recording. Its first bytes have been looked at: it is sound.

    Attributes:
        route: Where it comes from.
        start: Number of the first byte that comes; 0 but for a resumed one.
        size: Length in bytes of the whole; None when the server does not tell.
        validator: What the server calls this version; None when it could not be resumed.
        sound: What kind of sound it is; None for a resumed one.
    """

    def __init__(self, body: Body, route: RecordingRoute, path: str, *, most: int, clean: Scrub) -> None:
        """Wrap an answer (used by `SoundSource`).

        Args:
            body: The answer.
            route: Where it comes from.
            path: The path to name in errors.
            most: How many bytes the whole may have.
            clean: Takes secrets out of what a server says.
        """
        self._path = path
        self._most = most
        self._clean = clean
        self._status = body.status
        self._chunks = body.chunks()
        self._head: list[bytes] = []
        self.route: RecordingRoute = route
        self.start = 0
        self.size: int | None = None
        self.validator: str | None = None
        self.sound: Sound | None = None

    async def begin(self, body: Body, resume: ResumePoint | None) -> None:
        """Read the headers, and as much of the body as tells what it is.

        Args:
            body: The answer.
            resume: What was asked for.

        Raises:
            BeginAnew: It is not what was asked for; ask for the whole.
            ApiError: It is no recording.
        """
        status = body.status
        if status >= 400 and not (status == 416 and resume is not None):
            # Only the storage of a signed address comes here, and its words are not shown: they may have the address.
            raise error_for(403 if status == 401 else status, "the server refuses", method="GET", path=self._path)
        if status == 416:
            raise BeginAnew
        if status not in {200, 206} or (status == 206 and resume is None):
            raise self._wrong(f"no recording comes with HTTP {status}")
        if body.header("Content-Encoding") not in {None, "", "identity"}:
            raise self._wrong("the recording is compressed, although we asked for it as it is")
        self._read_headers(body, resume if status == 206 else None)
        if not is_sound_type(body.header("Content-Type")):
            raise await self._no_sound()
        if self.start == 0:
            head = await self._read_head(HEAD)
            self.sound = sound_of(head)
            if self.sound is None:
                raise await self._no_sound()
        if self.size is not None and self.size > self._most:
            raise self._too_large()

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Read it, in pieces of up to 64 KiB.

        Raises:
            ConnectionLost: It ended before it was complete.
            RequestTimeout: The next piece did not come in time.
            DecodeError: It is longer than it should be.
        """
        count = self.start
        for chunk in self._head:
            count = self._counted(count, chunk)
            yield chunk
        self._head = []
        async with aclosing(self._chunks):
            async for chunk in self._chunks:
                count = self._counted(count, chunk)
                yield chunk
        if self.size is not None and count < self.size:
            raise ConnectionLost(f"the recording ended after {count} of {self.size} bytes")

    async def aclose(self) -> None:
        """Give up reading."""
        await self._chunks.aclose()

    # --- inside ---------------------------------------------------------------------------------------------------

    def _read_headers(self, body: Body, resume: ResumePoint | None) -> None:
        length = _number(body.header("Content-Length"))
        self.validator = _validator(body)
        if resume is None:
            self.size = length
            if length is None and "chunked" not in (body.header("Transfer-Encoding") or "").lower():
                _log.warning("GET %s: the server tells no length, so a cut would go unseen", self._path)
            return
        found = _RANGE.fullmatch((body.header("Content-Range") or "").strip())
        if found is None or int(found[1]) != resume.start:
            raise BeginAnew
        self.start = resume.start
        self.size = None if found[3] == "*" else int(found[3])
        if resume.total is not None and self.size not in {None, resume.total}:
            raise BeginAnew
        self.size = self.size if self.size is not None else resume.total
        kind = "ETag" if resume.validator.startswith('"') else "Last-Modified"
        if (body.header(kind) or resume.validator) != resume.validator:
            raise BeginAnew
        self.validator = resume.validator

    async def _read_head(self, most: int) -> bytes:
        while sum(map(len, self._head)) < most and (chunk := await anext(self._chunks, None)) is not None:
            self._head.append(chunk)
        return b"".join(self._head)[:most]

    async def _no_sound(self) -> ApiError:
        """Say what came instead: an error in ZIWO's envelope, a page, nothing at all."""
        found = await self._read_head(_WORDS)
        if not found:
            return self._wrong("the recording is empty")
        try:
            value = decode(found)
        except ValueError:
            if found.lstrip()[:1] == b"<":
                return not_json(found, status=self._status, method="GET", path=self._path)
            return self._wrong("what came is no sound that we know: no mp3, no wav, no ogg")
        try:
            unwrap(value, status=self._status, method="GET", path=self._path, clean=self._clean)
        except ApiError as error:
            return ApiError(_hidden(error.message), status=self._status, method="GET", path=self._path)
        return self._wrong("the answer is JSON, and no recording")

    def _counted(self, count: int, chunk: bytes) -> int:
        count += len(chunk)
        if count > self._most:
            raise self._too_large()
        if self.size is not None and count > self.size:
            raise self._wrong(f"more comes than the {self.size} bytes that the server told")
        return count

    def _too_large(self) -> DecodeError:
        return self._wrong(f"the recording is larger than {self._most} bytes (max_bytes)")

    def _wrong(self, text: str) -> DecodeError:
        return DecodeError(text, status=self._status, method="GET", path=self._path)


class SoundSource:
    """One recording, wherever it is. `opened` may be called again, to go on after a break.

    Attributes:
        call_id: The call's UUID.
        answered: Whether a server has begun to send it, so that another try after a break makes sense.
    """

    def __init__(
        self,
        transport: Transport,
        call_id: str,
        routes: Sequence[RecordingRoute],
        *,
        wait: float,
        most: int,
        retry: RetryPolicy,
    ) -> None:
        """Name it; no I/O happens.

        Args:
            transport: The way to the REST API.
            call_id: The call's UUID, checked.
            routes: The routes to try.
            wait: Seconds from now on that a recording may take to become ready.
            most: How many bytes it may have.
            retry: How the pauses between two looks grow.
        """
        self._transport = transport
        self._routes = routes
        self._wait = wait
        self._deadline = asyncio.get_running_loop().time() + wait
        self._most = most
        self._retry = retry
        self.call_id = call_id
        self.answered = False

    @asynccontextmanager
    async def opened(self, resume: ResumePoint | None = None) -> AsyncGenerator[SoundBody]:
        """Open the recording, as soon as it is ready.

        Args:
            resume: Where to go on, if it can be.

        Raises:
            RecordingNotReady: No route had it before the wait was over.
            Forbidden: No route lets this user have it.
            BeginAnew: It can only be had from the beginning.
            ZiwoError: As for any request.
        """
        async with AsyncExitStack() as stack:
            yield await self._found(stack, resume)

    async def _found(self, stack: AsyncExitStack, resume: ResumePoint | None) -> SoundBody:
        pause = self._retry.base
        while True:
            refusals: list[NotFound | Forbidden] = []
            for route in self._routes:
                point = resume if resume is not None and resume.route == route else None
                try:
                    return await stack.enter_async_context(self._at(route, point))
                except (NotFound, Forbidden) as refusal:
                    refusals.append(refusal)
            if all(isinstance(refusal, Forbidden) for refusal in refusals):
                raise refusals[0]
            left = self._deadline - asyncio.get_running_loop().time()
            if left <= 0:
                break
            _log.debug("the recording of %s is not ready; the next look is in %.1f s", self.call_id, min(pause, left))
            await asyncio.sleep(min(pause, left))
            # A little early or late, so that many who wait for many recordings do not come at the same time.
            pause = min(pause * 2, self._retry.cap) * random.uniform(0.9, 1.1)  # noqa: S311 - jitter
        text = f"there is no recording of this call (yet); looked for {self._wait:g} s"
        raise RecordingNotReady(text, status=404, method="GET", path=_path(self._routes[0], self.call_id))

    @asynccontextmanager
    async def _at(self, route: RecordingRoute, resume: ResumePoint | None) -> AsyncGenerator[SoundBody]:
        path = _path(route, self.call_id)
        address: str | SecretStr = path
        if route == "signed":
            # A new one each time: how long one lives is not known.
            address = (await signed_url(self._transport, self.call_id)).url
            if not address.get_secret_value().lower().startswith(("https://", "http://")):
                # A path would be asked for with our token, and the server is not to choose what we ask for.
                raise DecodeError("the signed address is none", status=200, method="GET", path=path)
        headers = {"Accept-Encoding": "identity"}
        if resume is not None:
            headers |= {"Range": f"bytes={resume.start}-", "If-Range": resume.validator}
        async with AsyncExitStack() as stack:
            body = await self._streamed(stack, address, path, headers)
            self.answered = True
            sound = SoundBody(body, route, path, most=self._most, clean=self._transport.cleaned)
            stack.push_async_callback(sound.aclose)
            await sound.begin(body, resume)
            yield sound

    async def _streamed(
        self, stack: AsyncExitStack, address: str | SecretStr, path: str, headers: dict[str, str]
    ) -> Body:
        failed: ApiError | Forbidden
        try:
            return await stack.enter_async_context(self._transport.stream(address, headers=headers))
        except (ApiError, Forbidden) as error:
            failed = _without_address(error, path)
        raise failed


async def signed_url(transport: Transport, call_id: str) -> SignedUrl:
    """Ask for an address of a recording that needs no token.

    Args:
        transport: The way to the REST API.
        call_id: The call's UUID, checked.
    """
    path = _path("signed", call_id)
    return parse(SignedUrl, await transport.request("GET", path), method="GET", path=path)


def _path(route: RecordingRoute, call_id: str) -> str:
    return {
        "surveillance": f"/surveillance/recordings/{call_id}.mp3",
        "signed": f"/callHistory/{call_id}/recording/signed-url",
        "history": f"/callHistory/{call_id}/recording",
    }[route]


def _without_address(error: ApiError | Forbidden, path: str) -> ApiError | Forbidden:
    """Give an error that shows nothing of a storage's address, because that is a secret."""
    if isinstance(error, Forbidden):
        return Forbidden(_hidden(str(error)), status=403, method="GET", path=path)
    if error.path == path:
        text = _hidden(error.message)
        return error if text == error.message else error_for(error.status, text, method="GET", path=path)
    # From the storage itself, or (without a path) about where the server leads; that names the host only.
    text = "the storage of the recording fails" if error.path else error.message
    return error_for(error.status, text, method="GET", path=path)


def _hidden(text: str) -> str:
    return _ADDRESS.sub("***", text)


def _validator(body: Body) -> str | None:
    etag = body.header("ETag")
    # A weak ETag says that two versions are alike, not that their bytes are the same.
    found = body.header("Last-Modified") if etag is None else etag if etag.startswith('"') else None
    return found if is_validator(found) else None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 16 else None
