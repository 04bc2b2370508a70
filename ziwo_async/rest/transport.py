"""The way to the REST API: sends requests, keeps us logged in, and turns every failure into one of our errors."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from ssl import SSLContext
from types import TracebackType
from typing import Self

import aiohttp
import stamina
from pydantic import JsonValue, SecretStr
from yarl import URL

from ..config import RetryPolicy, Timeouts, check_url
from ..errors import (
    ApiError,
    BadCredentials,
    CannotConnect,
    ClientClosed,
    ConnectionLost,
    DecodeError,
    RateLimited,
    RequestTimeout,
    ServerError,
    TokenExpired,
    ZiwoError,
)
from .auth import (
    Authenticator,
    Credentials,
    CredentialsProvider,
    Token,
    is_header_value,
    never_resend,
    origin_guard,
    static,
)
from .envelope import Reply, as_object, decode, error_for, not_json, retry_after_seconds, unwrap, words_of
from .failures import redirect_text, translate
from .gate import RateGate
from .prepared import Form, Params, Prepared, prepare

__all__ = ["MAX_BODY", "Transport"]

logger = logging.getLogger("ziwo_async.rest")
# stamina logs every retry as a warning; without a handler Python would print a bare "stamina.retry_scheduled" on stderr
# of a program that has set up no logging. Where logging is set up, this changes nothing.
logging.getLogger("stamina").addHandler(logging.NullHandler())

MAX_BODY = 8 * 1024 * 1024
"""Largest body of an answer in bytes, after decompression. Recordings are not read through here."""

_FORBIDDEN_KEPT = 256


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes = field(repr=False)
    location: str | None = field(repr=False)
    retry_after: float | None
    too_large: bool


class Transport:
    """Sends REST requests to one contact centre, over one aiohttp session.

    The session is borrowed (`http=`, never closed here) or our own (made at the first request, closed by `aclose`).
    The token is added to each request by a middleware that checks the origin. Redirects are not followed.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials | CredentialsProvider,
        *,
        http: aiohttp.ClientSession | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        ssl: SSLContext | None = None,
    ) -> None:
        """Make a transport; no I/O happens yet.

        Args:
            base_url: Address of the REST API, such as `https://acme-api.aswat.co`.
            credentials: Who we are, or an async function that tells; it is asked at each login attempt.
            http: A session to borrow. Its headers, cookies and proxy are used, its own middlewares are not.
            timeouts: Time limits.
            retry: How reads are retried.
            ssl: TLS settings, such as a private certificate authority.

        Raises:
            ConfigError: The address is not https (http is fine on loopback).
        """
        self._base_url = check_url(base_url, scheme="https", what="the REST address")
        self._origin = URL(self._base_url).origin()
        self._timeouts = timeouts or Timeouts()
        self._retry = retry or RetryPolicy()
        self._ssl = ssl
        self._borrowed = http
        self._owned: aiohttp.ClientSession | None = None
        self._closed = False
        self._gate = RateGate(spread=self._retry.base)
        self._forbidden: set[tuple[str, str]] = set()
        self._auth = Authenticator(
            static(credentials) if isinstance(credentials, Credentials) else credentials,
            self._login,
            retry=self._retry,
            provider_timeout=self._timeouts.login,
        )

    def __repr__(self) -> str:
        state = "closed" if self._closed else "logged in" if self._auth.current else "not logged in"
        return f"<Transport {self._base_url} {state}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def base_url(self) -> str:
        """The address of the REST API, without trailing slash."""
        return self._base_url

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        form: Form | None = None,
        json: JsonValue = None,
    ) -> Reply:
        """Send one request with the token, and give the content of the answer.

        The first request logs in. After a 401 there is one new login, shared by all requests that got one, and one more
        try; after a 403 too, if we logged in by password (some servers say 403 for an expired token; source: iOS app).
        Only GET is retried after failures of network and server.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: Path from the root of the API, such as `/profile`; ids in it go through `segment`.
            params: Query parameters.
            form: Body as urlencoded fields.
            json: Body as JSON.

        Raises:
            ConfigError: The request is wrong in itself; nothing was sent.
            CannotConnect: No connection could be made.
            ConnectionLost: The connection ended before the answer was complete.
            RequestTimeout: No complete answer in time. The request may have had its effect.
            BadCredentials: The server refuses user and password, or the token that it has just given.
            TokenExpired: The server refuses the token, and there is no password.
            Forbidden: The user lacks the permission.
            RateLimited: Too many requests, and the wait is too long or the attempts are used up.
            ApiError: Any other error the server answered (NotFound, Conflict, ServerError, DecodeError, ...).
            ClientClosed: The transport, or the borrowed session, is closed.
        """
        request = prepare(self._base_url, method, path, params=params, form=form, json=json)
        token = await self._auth.token()
        answer = await self._exchange(request, token)
        if self._worth_a_login(request, token, answer):
            refused_with = answer.status
            token = await self._auth.renew(token)
            answer = await self._exchange(request, token)
            if answer.status == refused_with == 403 and len(self._forbidden) < _FORBIDDEN_KEPT:
                self._forbidden.add((request.method, request.path))
        if answer.status == 401:
            kind = BadCredentials if token.by_password else TokenExpired
            raise kind(f"{method} {path}: the server refuses the token that it was given last")
        return self._reply(request, answer)

    async def login(self) -> None:
        """Make sure that there is a token: log in, or take the one that the credentials have.

        Raises:
            BadCredentials: The server refuses user and password.
            ZiwoError: As for `request`.
        """
        await self._auth.token()

    async def access_token(self) -> SecretStr:
        """Give the token in use, for the one place that needs it elsewhere: the handshake of the live socket.

        Raises:
            ZiwoError: As for `login`.
        """
        return (await self._auth.token()).value

    async def logout(self) -> None:
        """End the REST session, if it was us who logged in, and forget the token either way.

        Raises:
            ZiwoError: As for `request`; a token that is no longer valid is not an error.
        """
        token = self._auth.current
        self._auth.forget()
        if token is None or not token.by_password:
            return
        request = prepare(self._base_url, "POST", "/auth/logout")
        answer = await self._send(request, token.value, limit=self._timeouts.close)
        if answer.status != 401:
            self._reply(request, answer)

    async def aclose(self) -> None:
        """Close our own session; a borrowed one stays open. Requests under way fail with `ClientClosed`. Idempotent."""
        self._closed = True
        session, self._owned = self._owned, None
        if session is None:
            return
        try:
            async with asyncio.timeout(self._timeouts.close):
                await session.close()
        except TimeoutError:
            logger.warning("closing the HTTP session took more than %g s", self._timeouts.close)

    # --- one request ----------------------------------------------------------------------------------------------

    def _worth_a_login(self, request: Prepared, token: Token, answer: _Answer) -> bool:
        if answer.status == 403:
            # Once a fresh token got the same 403, it is about permission: no login for each further try.
            return token.by_password and (request.method, request.path) not in self._forbidden
        return answer.status == 401

    async def _exchange(self, request: Prepared, token: Token) -> _Answer:
        """Send, with retries for reads. Gives any answer but 429 and 5xx, which are raised."""
        async for attempt in stamina.retry_context(
            on=self._backoff,
            attempts=self._retry.attempts if request.method == "GET" else 1,
            timeout=None,
            wait_initial=self._retry.base,
            wait_max=self._retry.cap,
            wait_jitter=self._retry.base,
        ):
            with attempt:
                answer = await self._send(request, token.value, limit=self._timeouts.request)
                if answer.status == 429 or answer.status >= 500:
                    raise self._error(request, answer)
                return answer
        raise AssertionError("stamina raises the last error")  # pragma: no cover

    def _backoff(self, error: Exception) -> bool | float:
        if isinstance(error, RateLimited) and error.retry_after is not None:
            # 0.0: the next attempt waits at the gate, as everybody else does.
            return 0.0 if error.retry_after <= self._retry.max_retry_after else False
        return isinstance(error, (CannotConnect, ConnectionLost, RateLimited, RequestTimeout, ServerError))

    async def _send(self, request: Prepared, token: SecretStr | None, *, limit: float) -> _Answer:
        if not await self._gate.passed(at_most=self._retry.max_retry_after):
            wait = self._gate.remaining
            text = f"the server asked for {wait:.0f} s without requests"
            raise RateLimited(text, status=429, method=request.method, path=request.path, retry_after=wait)
        started = time.monotonic()
        failure: ZiwoError
        try:
            async with asyncio.timeout(limit):
                answer = await self._talk(request, token)
        except ZiwoError:
            raise
        except (aiohttp.ClientError, OSError) as error:
            failure = self._failure(error, request, limit)
        else:
            logger.debug(
                "%s %s -> %d in %.0f ms",
                request.method,
                request.path,
                answer.status,
                1000 * (time.monotonic() - started),
            )
            if answer.status == 429:
                self._gate.shut(self._retry.base if answer.retry_after is None else answer.retry_after)
            return answer
        # Outside of `except`: aiohttp's error holds the headers, and would be the context of ours.
        logger.debug("%s %s failed: %s", request.method, request.path, type(failure).__name__)
        raise failure

    async def _talk(self, request: Prepared, token: SecretStr | None) -> _Answer:
        headers = {"Accept": "application/json"}
        if request.content_type is not None:
            headers["Content-Type"] = request.content_type
        guard = origin_guard(self._origin, token)
        async with self._session().request(
            request.method,
            request.url,
            data=request.body(),
            headers=headers,
            allow_redirects=False,
            raise_for_status=False,
            middlewares=(guard,) if request.method == "GET" else (guard, never_resend),
            ssl=self._ssl if self._ssl is not None else True,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeouts.connect),
        ) as response:
            body = await _read(response)
            return _Answer(
                status=response.status,
                body=body or b"",
                too_large=body is None,
                location=response.headers.get("Location"),
                retry_after=retry_after_seconds(response.headers.get("Retry-After"), now=time.time()),
            )

    def _session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise ClientClosed("the REST transport is closed")
        if self._borrowed is not None:
            if self._borrowed.closed:
                raise ClientClosed("the aiohttp session that was passed in is closed")
            return self._borrowed
        if self._owned is None:
            # No cookies: the token is all the state there is. No proxy or .netrc from the environment.
            self._owned = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
        return self._owned

    def _failure(self, error: BaseException, request: Prepared, limit: float) -> ZiwoError:
        if self._closed or (self._borrowed is not None and self._borrowed.closed):
            return ClientClosed("the HTTP session was closed while a request was under way")
        return translate(error, url=request.url, limit=limit, connect_limit=self._timeouts.connect)

    # --- answers --------------------------------------------------------------------------------------------------

    def _reply(self, request: Prepared, answer: _Answer) -> Reply:
        method, path, status = request.method, request.path, answer.status
        if status >= 400:
            raise self._error(request, answer)
        if not 200 <= status < 300:
            raise ApiError(redirect_text(answer.location), status=status, method=method, path=path)
        if answer.too_large:
            text = f"the answer is larger than {MAX_BODY // (1024 * 1024)} MiB"
            raise DecodeError(text, status=status, method=method, path=path)
        try:
            value = decode(answer.body)
        except ValueError:
            pass
        else:
            try:
                return unwrap(value, status=status, method=method, path=path)
            except ApiError as error:
                text = self._scrubbed(error.message, request)
            raise ApiError(text, status=status, method=method, path=path)
        raise not_json(answer.body, status=status, method=method, path=path)

    def _error(self, request: Prepared, answer: _Answer) -> ZiwoError:
        return error_for(
            answer.status,
            self._scrubbed(words_of(answer.body), request),
            method=request.method,
            path=request.path,
            retry_after=answer.retry_after,
        )

    def _scrubbed(self, text: str, request: Prepared) -> str:
        # Servers like to repeat what they were given.
        for secret in (*(token.get_secret_value() for token in self._auth.recent), *request.secrets()):
            if secret:
                text = text.replace(secret, "***")
        return text

    # --- login ----------------------------------------------------------------------------------------------------

    async def _login(self, credentials: Credentials) -> SecretStr:
        """Do one `POST /auth/login` (source: ZIWO docs and all official clients)."""
        request = prepare(self._base_url, "POST", "/auth/login", form=credentials.login_form())
        answer = await self._send(request, None, limit=self._timeouts.login)
        if answer.status == 401:
            raise self._refused(request, answer)
        reply: Reply | None = None
        try:
            reply = self._reply(request, answer)
        except ApiError as error:
            # `result: false` with HTTP 200 is a refused login (source: ZIWO Manager app).
            if type(error) is not ApiError or error.status >= 300:
                raise
        if reply is None:
            raise self._refused(request, answer)
        found = (as_object(reply.content) or {}).get("access_token")
        if not isinstance(found, str) or not is_header_value(found):
            text = "the answer to the login has no access_token"
            raise DecodeError(text, status=answer.status, method=request.method, path=request.path)
        return SecretStr(found)

    def _refused(self, request: Prepared, answer: _Answer) -> BadCredentials:
        words = self._scrubbed(words_of(answer.body), request) or "no reason given"
        return BadCredentials(f"the server refuses user and password: {words}")


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """Read a body; None when it is too large."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > MAX_BODY:
            response.close()  # or leaving the response would read on to its end
            return None
    return bytes(body)
