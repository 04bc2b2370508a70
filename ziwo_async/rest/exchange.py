"""One HTTP request and its answer, over one aiohttp session: no login, no retry, no opinion about the answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from ssl import SSLContext

import aiohttp
from pydantic import SecretStr
from yarl import URL

from ..config import RetryPolicy, Timeouts
from ..errors import CannotConnect, ClientClosed, ConfigError, ConnectionLost, RateLimited, RequestTimeout, ZiwoError
from .auth import Header, again, never_resend, origin_guard, stranger_guard
from .envelope import retry_after_seconds
from .failures import maybe_made, translate
from .gate import RateGate
from .prepared import Prepared

__all__ = ["MAX_BODY", "Answer", "Body", "Exchange"]

logger = logging.getLogger("ziwo_async.rest")

MAX_BODY = 8 * 1024 * 1024
"""Largest body of an answer in bytes, after decompression. Recordings are not read whole."""

_CHUNK = 64 * 1024
# aiohttp ends a body that is being read with a bare RuntimeError when its session is closed.
_BROKEN = (aiohttp.ClientError, OSError, RuntimeError)


@dataclass(slots=True)
class Answer:
    """A whole answer.

    Attributes:
        status: HTTP status code.
        body: The body; empty when it is too large.
        location: Where a redirect leads.
        retry_after: Seconds that the server asked to wait.
        too_large: The body is larger than `MAX_BODY`.
    """

    status: int
    body: bytes = field(repr=False)
    location: str | None = field(repr=False)
    retry_after: float | None
    too_large: bool


class Exchange:
    """Sends single requests to one origin.

    The session is borrowed (never closed here) or our own (made at the first request, closed by `aclose`). The
    credential is added to each request by a middleware that checks the origin. Redirects are not followed.
    """

    def __init__(
        self,
        origin: URL,
        *,
        http: aiohttp.ClientSession | None,
        timeouts: Timeouts,
        retry: RetryPolicy,
        ssl: SSLContext | None,
    ) -> None:
        """Make it; no I/O happens yet.

        Args:
            origin: Scheme, host and port that may see a credential.
            http: A session to borrow.
            timeouts: Time limits.
            retry: How long a `Retry-After` may be.
            ssl: TLS settings.
        """
        self._origin = origin
        self.timeouts = timeouts
        self._retry = retry
        self._ssl = ssl
        self._borrowed = http
        self._owned: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._being_read: set[aiohttp.StreamReader] = set()
        self._gate = RateGate(spread=retry.base)
        self._ended = asyncio.Event()
        self.closed = False

    async def send(self, request: Prepared, header: Header | None, *, limit: float, gated: bool = True) -> Answer:
        """Send a request and read its whole answer.

        Args:
            request: The request, to our origin.
            header: The credential, or None.
            limit: Seconds for all of it.
            gated: Whether it waits while the server wants no requests; a goodbye does not.

        Raises:
            RateLimited: The server asked for a longer pause than we are ready to wait.
            TransportError: The network failed.
            ClientClosed: This, or the borrowed session, is closed.
        """
        if gated:
            await self._pass_the_gate(request)
        session = self._session()
        started = time.monotonic()
        failure: ZiwoError | asyncio.CancelledError
        try:
            answer = await self._talk(session, request, header, limit)
        except ConnectionLost as error:
            failure = again(error) if not self._is_closed else self._failure(error, request.url, limit)
        except ZiwoError:
            raise
        except _BROKEN as error:
            failure = self._failure(error, request.url, limit)
        except asyncio.CancelledError as error:
            # A new one, because the frames of aiohttp hold the body of the request, and a login's has the password.
            failure = asyncio.CancelledError(*error.args)
        else:
            _log_answer(request, answer.status, started)
            self._note_pause(answer.status, answer.retry_after)
            return answer
        # Outside of `except`: aiohttp's error holds the headers, and would be the context of ours.
        logger.debug("%s %s failed: %s", request.method, request.path, type(failure).__name__)
        if request.dials and isinstance(failure, ZiwoError) and not isinstance(failure, CannotConnect):
            maybe_made(failure)
        raise failure

    @asynccontextmanager
    async def opened(
        self, request: Prepared, header: Header | None, *, headers: Mapping[str, str]
    ) -> AsyncGenerator[Body]:
        """Send a GET and give the answer as soon as its headers are here; the body is read in the block.

        A request to another origin carries no credential, no cookie and none of the borrowed session's headers.

        Args:
            request: The request.
            header: The credential; used for our origin only.
            headers: Further headers, such as `Range`.

        Raises:
            RateLimited: The server asked for a longer pause than we are ready to wait.
            TransportError: The network failed.
            ClientClosed: This, or the borrowed session, is closed.
        """
        ours = request.url.origin() == self._origin
        if ours:
            await self._pass_the_gate(request)
        guard = origin_guard(self._origin, header) if ours else stranger_guard(request.url.origin(), frozenset(headers))
        started = time.monotonic()
        limit = self.timeouts.request
        body: Body | None = None
        failure: ZiwoError | asyncio.CancelledError | None = None
        try:
            async with asyncio.timeout(limit):
                # The response is kept out of this frame: its repr has the whole address, which may be a signed one.
                body = Body(
                    self,
                    await self._session().request(
                        "GET",
                        request.url,
                        headers={"Accept": "*/*", **headers},
                        allow_redirects=False,
                        raise_for_status=False,
                        middlewares=(guard,),
                        ssl=self._ssl if self._ssl is not None else True,
                        timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.timeouts.connect),
                    ),
                    ours=ours,
                    carried=ours and header is not None,
                )
        except ZiwoError:
            raise
        except _BROKEN as error:
            failure = self._failure(error, request.url, limit)
        except asyncio.CancelledError as error:
            failure = asyncio.CancelledError(*error.args)
        if body is None:
            assert failure is not None
            logger.debug("%s %s failed: %s", request.method, request.path, type(failure).__name__)
            raise failure
        _log_answer(request, body.status, started)
        if ours:
            self._note_pause(body.status, body.retry_after)
        self._being_read.add(body.content)
        try:
            yield body
        finally:
            self._being_read.discard(body.content)
            body.close()

    async def aclose(self) -> None:
        """Close our own session; a borrowed one stays open. Requests under way fail with `ClientClosed`. Idempotent."""
        self.closed = True
        self._ended.set()
        for content in self._being_read:
            # Closing the session wakes nobody who waits for the rest of a body.
            content.set_exception(aiohttp.ClientConnectionError("closed"))
        session, self._owned = self._owned, None
        if session is None:
            return
        if self._loop is not asyncio.get_running_loop():
            with suppress(RuntimeError):  # the loop whose connections they are is closed
                await session.close()
            return
        try:
            async with asyncio.timeout(self.timeouts.close):
                await session.close()
        except TimeoutError:
            logger.warning("closing the HTTP session took more than %g s", self.timeouts.close)

    async def until_closed(self) -> None:
        """Wait until `aclose` is called."""
        await self._ended.wait()

    async def next_chunk(self, chunks: AsyncIterator[bytes], url: URL) -> bytes | None:
        """Read on in a body (used by `Body`); None at its end."""
        limit = self.timeouts.request
        failure: ZiwoError
        try:
            async with asyncio.timeout(limit):
                return await anext(chunks, None)
        except _BROKEN as error:
            failure = self._failure(error, url, limit)
        raise failure

    # --- inside ---------------------------------------------------------------------------------------------------

    async def _talk(
        self, session: aiohttp.ClientSession, request: Prepared, header: Header | None, limit: float
    ) -> Answer:
        headers = {"Accept": "application/json"}
        if request.content_type is not None:
            headers["Content-Type"] = request.content_type
        guard = origin_guard(self._origin, header)
        async with session.request(
            request.method,
            request.url,
            data=request.body(),
            headers=headers,
            allow_redirects=False,
            raise_for_status=False,
            middlewares=(guard,) if request.method == "GET" else (guard, never_resend),
            ssl=self._ssl if self._ssl is not None else True,
            timeout=aiohttp.ClientTimeout(total=limit, sock_connect=self.timeouts.connect, ceil_threshold=limit + 1),
        ) as response:
            self._being_read.add(response.content)
            try:
                body = await _read(response)
            finally:
                self._being_read.discard(response.content)
            return Answer(
                status=response.status,
                body=body or b"",
                too_large=body is None,
                location=response.headers.get("Location"),
                retry_after=retry_after_seconds(response.headers.get("Retry-After"), now=time.time),
            )

    async def _pass_the_gate(self, request: Prepared) -> None:
        if not await self._gate.passed(at_most=self._retry.max_retry_after):
            wait = self._gate.remaining
            text = f"the server asked for {wait:.0f} s without requests"
            raise RateLimited(text, status=429, method=request.method, path=request.path, retry_after=wait)

    def _note_pause(self, status: int, pause: float | None) -> None:
        if status == 429:
            self._gate.shut(self._retry.base if pause is None else pause)

    def _session(self) -> aiohttp.ClientSession:
        if self.closed:
            raise ClientClosed("the REST transport is closed")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise ConfigError("the client was used in another event loop before: make one client for each event loop")
        if self._borrowed is not None:
            if self._borrowed.closed:
                raise ClientClosed("the aiohttp session that was passed in is closed")
            return self._borrowed
        if self._owned is None:
            # No cookies: the token is all the state there is. No proxy or .netrc from the environment.
            self._owned = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
        return self._owned

    @property
    def _is_closed(self) -> bool:
        return self.closed or (self._borrowed is not None and self._borrowed.closed)

    def _failure(self, error: BaseException, url: URL, limit: float) -> ZiwoError:
        if self._is_closed:
            return ClientClosed("the HTTP session was closed while a request was under way")
        if isinstance(error, RuntimeError):
            raise error  # it is no matter of the network
        return translate(error, url=url, limit=limit, connect_limit=self.timeouts.connect)


class Body:
    """An open answer. Its body is read piece by piece; each piece has the time limit of a request.

    Attributes:
        status: HTTP status code.
        retry_after: Seconds that the server asked to wait.
        ours: Whether it came from our contact centre, and not from another host that a redirect led to.
        carried: Whether the request carried our credential.
    """

    def __init__(self, exchange: Exchange, response: aiohttp.ClientResponse, *, ours: bool, carried: bool) -> None:
        """Wrap an answer (used by `Exchange`).

        Args:
            exchange: Whose limits and error words hold.
            response: The answer.
            ours: Whether it came from our contact centre.
            carried: Whether the request carried our credential.
        """
        self.ours = ours
        self.carried = carried
        self._exchange = exchange
        self._response = response
        self._chunks = response.content.iter_chunked(_CHUNK)
        self.status = response.status
        self.retry_after = retry_after_seconds(response.headers.get("Retry-After"), now=time.time)

    def __repr__(self) -> str:
        return f"<Body HTTP {self.status}>"

    def header(self, name: str) -> str | None:
        """Give a header of the answer, or None.

        Args:
            name: Its name, in any case.
        """
        return self._response.headers.get(name)

    @property
    def content(self) -> aiohttp.StreamReader:
        """Where the body comes in (used by `Exchange`)."""
        return self._response.content

    @property
    def location(self) -> SecretStr | None:
        """Where a redirect leads; a secret, because it may be a signed address."""
        found = self._response.headers.get("Location")
        return None if found is None else SecretStr(found)

    def close(self) -> None:
        """End it. The connection is not used again: a half-read body would have to be read to its end."""
        self._response.close()

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Read the body in pieces of up to 64 KiB.

        Raises:
            ConnectionLost: It ended before it was complete.
            RequestTimeout: The next piece did not come in time.
        """
        while (chunk := await self._exchange.next_chunk(self._chunks, self._response.url)) is not None:
            yield chunk

    async def read(self, most: int, *, limit: float | None = None) -> bytes:
        """Read up to so many bytes: a small file, or the words of an error.

        Args:
            most: How many bytes at most.
            limit: Seconds for all of it; those of a request when None.

        Raises:
            ConnectionLost: It ended before it was complete.
            RequestTimeout: It took too long.
        """
        limit = self._exchange.timeouts.request if limit is None else limit
        found = bytearray()
        try:
            async with asyncio.timeout(limit), aclosing(self.chunks()) as chunks:
                async for chunk in chunks:
                    found += chunk
                    if len(found) >= most:
                        break
        except RequestTimeout:
            raise
        except TimeoutError:
            found.clear()
        else:
            return bytes(found[:most])
        raise RequestTimeout(f"the body of the answer did not come within {limit:g} s")


def _log_answer(request: Prepared, status: int, started: float) -> None:
    if logger.isEnabledFor(logging.DEBUG):
        took = 1000 * (time.monotonic() - started)
        logger.debug("%s %s -> %d in %.0f ms", request.method, request.path, status, took)


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """Read a body; None when it is too large."""
    content = response.content
    first = await content.readany()
    if content.at_eof():
        return first  # the ordinary case: it came in one piece
    body = bytearray(first)
    while len(body) <= MAX_BODY:
        chunk = await content.readany()
        if not chunk:
            return bytes(body)
        body += chunk
    response.close()  # or leaving the response would read on to its end
    return None
