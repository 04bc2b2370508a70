"""The way to the REST API: sends requests, keeps us logged in, and turns every failure into one of our errors."""

from __future__ import annotations

import logging
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from ssl import SSLContext
from types import TracebackType
from typing import Literal, Self, TypeAlias, TypeVar

import aiohttp
import stamina
from pydantic import JsonValue, SecretStr
from yarl import URL

from ..config import RetryPolicy, Timeouts, check_url
from ..errors import (
    ApiError,
    ApiWarning,
    AuthError,
    BadCredentials,
    CannotConnect,
    ConfigError,
    ConnectionLost,
    DecodeError,
    RateLimited,
    RequestTimeout,
    ServerError,
    TokenExpired,
    ZiwoError,
)
from .auth import Authenticator, Credentials, CredentialsProvider, Header, Token, is_header_value, nobody, static
from .envelope import Reply, as_object, decode, error_for, not_json, unwrap, words_of
from .exchange import MAX_BODY, Answer, Body, Exchange
from .failures import redirect_text
from .prepared import Form, Params, Prepared, prepare, redirected

__all__ = ["MAX_BODY", "CredentialKind", "Transport"]

# stamina logs every retry as a warning; without a handler Python would print a bare "stamina.retry_scheduled" on stderr
# of a program that has set up no logging. Where logging is set up, this changes nothing.
logging.getLogger("stamina").addHandler(logging.NullHandler())

CredentialKind: TypeAlias = Literal["token", "api_key", "none"]
"""What a request proves itself with: the access token, the instance's CTI key, or nothing."""

_T = TypeVar("_T")
_A = TypeVar("_A", bound=AuthError)
_FORBIDDEN_KEPT = 256
_MOST_REDIRECTS = 5
_ERROR_BODY = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Transport:
    """Sends REST requests to one contact centre, over one aiohttp session.

    The session is borrowed (`http=`, never closed here) or our own (made at the first request, closed by `aclose`).
    The credential is added to each request by a middleware that checks the origin. Redirects are not followed, but for
    the bodies of `stream`.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials | CredentialsProvider | None,
        *,
        api_key: SecretStr | None = None,
        http: aiohttp.ClientSession | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        ssl: SSLContext | None = None,
    ) -> None:
        """Make a transport; no I/O happens yet.

        Args:
            base_url: Address of the REST API, such as `https://acme-api.aswat.co`.
            credentials: Who we are, or an async function that tells; it is asked at each login attempt. None: only
                requests with the api_key, or with nothing, can be sent.
            api_key: The instance's key for CTI routes, from ZIWO's support.
            http: A session to borrow. Its headers, cookies and proxy are used, its own middlewares are not.
            timeouts: Time limits.
            retry: How reads are retried.
            ssl: TLS settings, such as a private certificate authority.

        Raises:
            ConfigError: The address is not https (http is fine on loopback), or the key cannot be sent.
        """
        self._base_url = check_url(base_url, scheme="https", what="the REST address")
        self._timeouts = timeouts or Timeouts()
        self._retry = retry or RetryPolicy()
        if api_key is not None and not is_header_value(api_key.get_secret_value()):
            raise ConfigError("the api_key is empty or has characters that no HTTP header can carry")
        self._api_key = api_key
        self._exchange = Exchange(
            URL(self._base_url).origin(), http=http, timeouts=self._timeouts, retry=self._retry, ssl=ssl
        )
        self._forbidden: set[tuple[str, str]] = set()
        self._auth = Authenticator(
            static(credentials) if isinstance(credentials, Credentials) else credentials or nobody,
            self._login,
            retry=self._retry,
            provider_timeout=self._timeouts.login,
        )

    def __repr__(self) -> str:
        state = "closed" if self._exchange.closed else "logged in" if self._auth.current else "not logged in"
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

    @property
    def timeouts(self) -> Timeouts:
        """The time limits."""
        return self._timeouts

    @property
    def retry(self) -> RetryPolicy:
        """How reads are retried."""
        return self._retry

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        form: Form | None = None,
        json: JsonValue = None,
        credential: CredentialKind = "token",
    ) -> Reply:
        """Send one request, and give the content of the answer.

        The first request with a token logs in. After a 401 there is one new login, shared by all requests that got one,
        and one more try; after a 403 too, if we logged in by password (some servers say 403 for an expired token;
        source: iOS app). Only GET is retried after failures of network and server. Messages in the answer's `info`,
        such as deprecations, are issued as `ApiWarning` and are in `Reply.warnings`.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: Path from the root of the API, such as `/profile`; ids in it go through `segment`.
            params: Query parameters.
            form: Body as urlencoded fields.
            json: Body as JSON.
            credential: What the request proves itself with.

        Raises:
            ConfigError: The request is wrong in itself; nothing was sent.
            CannotConnect: No connection could be made.
            ConnectionLost: The connection ended before the answer was complete.
            RequestTimeout: No complete answer in time. The request may have had its effect.
            BadCredentials: The server refuses user and password, the token that it has just given, or the api_key.
            TokenExpired: The server refuses the token, and there is no password.
            Forbidden: The user lacks the permission.
            RateLimited: Too many requests, and the wait is too long or the attempts are used up.
            ApiError: Any other error the server answered (NotFound, Conflict, ServerError, DecodeError, ...).
            ClientClosed: The transport, or the borrowed session, is closed.
        """
        request = prepare(self._base_url, method, path, params=params, form=form, json=json)
        if credential != "token":
            answer = await self._sent(request, self._key(request) if credential == "api_key" else None)
            if answer.status == 401:
                what = "request, which carries no credential" if credential == "none" else credential
                raise self._unauthorised(
                    BadCredentials, f"{method} {path}: the server refuses the {what}", request, answer
                )
            return self._reply(request, answer)
        token = self._auth.current or await self._auth.token()
        answer = await self._sent(request, token.header)
        if self._worth_a_login(request, token, answer.status):
            refused_with = answer.status
            token = await self._renewed(request, token)
            answer = await self._sent(request, token.header)
            self._note_forbidden(request, refused_with, answer.status)
        if answer.status == 401:
            raise self._refused_token(request, token, answer)
        return self._reply(request, answer)

    @asynccontextmanager
    async def stream(
        self, path: str, *, params: Params | None = None, headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Body]:
        """Open the body of a GET, such as a recording; it is read in the block, and never whole in memory.

        Redirects are followed, to https only; another host than ours never sees a credential. Opening is retried as
        `request` is, reading is not. An answer of 400 or more is raised, but for 416, which is for the caller to see.

        Args:
            path: Path from the root of the API, or (for what the server itself named, such as a signed URL) a whole
                address.
            params: Query parameters.
            headers: Further headers, such as `Range`.

        Raises:
            ZiwoError: As for `request`.
        """
        given = headers or {}
        if not path.startswith("/"):
            async with self._followed(redirected(path), None, given) as body:
                yield await self._good(redirected(path), body)
            return
        request = prepare(self._base_url, "GET", path, params=params)
        token = await self._auth.token()
        async with self._followed(request, token.header, given) as body:
            if not (body.ours and self._worth_a_login(request, token, body.status)):
                yield await self._good(request, body)
                return
            refused_with = body.status
        token = await self._renewed(request, token)
        async with self._followed(request, token.header, given) as body:
            self._note_forbidden(request, refused_with, body.status)
            if body.ours and body.status == 401:
                raise self._refused_token(request, token, None)
            yield await self._good(request, body)

    async def login(self) -> None:
        """Make sure that there is a token: log in, or take the one that the credentials have.

        Raises:
            BadCredentials: The server refuses user and password.
            ZiwoError: As for `request`.
        """
        await self._auth.token()

    async def access_token(self, refused: SecretStr | None = None) -> SecretStr:
        """Give the token in use, for the one place that needs it elsewhere: the handshake of the live socket.

        Args:
            refused: A token that the server refused; another one is given then. By default whichever is in use.

        Raises:
            TokenExpired: There is only that token, and no password to get another one with.
            BadCredentials: The server refuses the credentials.
            TransportError: The login could not be done.
        """
        token = await self._auth.token()
        if refused is not None and token.value == refused:
            token = await self._auth.renew(token)
        return token.value

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
        answer = await self._exchange.send(request, token.header, limit=self._timeouts.close)
        if answer.status != 401:
            self._reply(request, answer)

    async def aclose(self) -> None:
        """Close our own session; a borrowed one stays open. Requests under way fail with `ClientClosed`. Idempotent."""
        await self._exchange.aclose()

    # --- credentials ----------------------------------------------------------------------------------------------

    def _key(self, request: Prepared) -> Header:
        if self._api_key is None:
            raise ConfigError(
                f"{request.method} {request.path} needs the instance's api_key: pass api_key=, or set ZIWO_API_KEY "
                "(ZIWO's support gives it)"
            )
        return Header("api_key", self._api_key)

    def _worth_a_login(self, request: Prepared, token: Token, status: int) -> bool:
        if status == 403:
            # Once a fresh token got the same 403, it is about permission: no login for each further try.
            return token.by_password and (request.method, request.path) not in self._forbidden
        return status == 401

    async def _renewed(self, request: Prepared, token: Token) -> Token:
        try:
            return await self._auth.renew(token)
        except TokenExpired as error:
            # Each waiter has an error of its own, and it is about its own request.
            error.status, error.method, error.path = 401, request.method, request.path
            raise

    def _note_forbidden(self, request: Prepared, before: int, after: int) -> None:
        if before == after == 403 and len(self._forbidden) < _FORBIDDEN_KEPT:
            self._forbidden.add((request.method, request.path))

    def _refused_token(self, request: Prepared, token: Token, answer: Answer | None) -> AuthError:
        kind = BadCredentials if token.by_password else TokenExpired
        text = f"{request.method} {request.path}: the server refuses the token that it was given last"
        return self._unauthorised(kind, text, request, answer)

    def _unauthorised(self, kind: type[_A], text: str, request: Prepared, answer: Answer | None) -> _A:
        words = self._scrubbed(words_of(answer.body), request) if answer is not None else ""
        return kind(text, status=401, message=words, method=request.method, path=request.path)

    # --- one request ----------------------------------------------------------------------------------------------

    async def _sent(self, request: Prepared, header: Header | None) -> Answer:
        """Send, with retries for reads. Gives any answer but 429 and 5xx, which are raised."""
        if request.method != "GET":
            return await self._sent_once(request, header)
        try:
            return await self._sent_once(request, header)
        except ZiwoError as error:
            failed = error  # the ordinary case, success, does not pay for the machinery of retries
        return await self._retried(lambda: self._sent_once(request, header), failed)

    async def _sent_once(self, request: Prepared, header: Header | None) -> Answer:
        answer = await self._exchange.send(request, header, limit=self._timeouts.request)
        if answer.status == 429 or answer.status >= 500:
            raise self._error(request, answer.status, answer.body, answer.retry_after)
        return answer

    async def _retried(self, once: Callable[[], Awaitable[_T]], failed: ZiwoError | None = None) -> _T:
        """Try until it works; `failed` is what the first try, done already, raised."""
        async for attempt in stamina.retry_context(
            on=self._backoff,
            attempts=self._retry.attempts,
            timeout=None,
            wait_initial=self._retry.base,
            wait_max=self._retry.cap,
            wait_jitter=self._retry.base,
        ):
            with attempt:
                if failed is not None:
                    error, failed = failed, None
                    raise error
                return await once()
        raise AssertionError("stamina raises the last error")  # pragma: no cover

    def _backoff(self, error: Exception) -> bool | float:
        if isinstance(error, RateLimited) and error.retry_after is not None:
            # 0.0: the next attempt waits at the gate, as everybody else does.
            return 0.0 if error.retry_after <= self._retry.max_retry_after else False
        return isinstance(error, (CannotConnect, ConnectionLost, RateLimited, RequestTimeout, ServerError))

    # --- streams --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _followed(
        self, request: Prepared, header: Header | None, headers: Mapping[str, str]
    ) -> AsyncGenerator[Body]:
        for _ in range(_MOST_REDIRECTS):
            async with self._opened(request, header, headers) as body:
                location = body.header("Location")
                if body.status not in _REDIRECTS or location is None:
                    yield body
                    return
            request = redirected(location, base=request.url)
        text = f"more than {_MOST_REDIRECTS} redirects"
        raise ApiError(text, status=302, method="GET", path=request.path)

    @asynccontextmanager
    async def _opened(
        self, request: Prepared, header: Header | None, headers: Mapping[str, str]
    ) -> AsyncGenerator[Body]:
        opening = [self._exchange.opened(request, header, headers=headers)]

        async def once() -> Body:
            opening[0] = self._exchange.opened(request, header, headers=headers)
            body = await opening[0].__aenter__()
            if body.status != 429 and body.status < 500:
                return body
            try:
                await self._good(request, body)
            finally:
                await opening[0].__aexit__(None, None, None)
            raise AssertionError("429 and 5xx are errors")  # pragma: no cover

        body = await self._retried(once)
        try:
            yield body
        finally:
            await opening[0].__aexit__(None, None, None)

    async def _good(self, request: Prepared, body: Body) -> Body:
        if body.status < 400 or body.status == 416:
            return body
        if body.ours:
            raise self._error(request, body.status, await body.read(_ERROR_BODY), body.retry_after)
        # What another host says is not shown: it may repeat its address, which is a secret. And no login of ours would
        # change its mind.
        status = 403 if body.status == 401 else body.status
        raise self._error(request, status, b'{"message":"said by another host"}', body.retry_after)

    # --- answers --------------------------------------------------------------------------------------------------

    def _reply(self, request: Prepared, answer: Answer) -> Reply:
        method, path, status = request.method, request.path, answer.status
        if status >= 400:
            raise self._error(request, status, answer.body, answer.retry_after)
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
                reply = unwrap(value, status=status, method=method, path=path)
            except ApiError as error:
                text = self._scrubbed(error.message, request)
            else:
                for word in reply.warnings if reply.info else ():
                    warnings.warn(f"{method} {path}: {self._scrubbed(word, request)}", ApiWarning, stacklevel=3)
                return reply
            raise ApiError(text, status=status, method=method, path=path)
        raise not_json(answer.body, status=status, method=method, path=path)

    def _error(self, request: Prepared, status: int, body: bytes, retry_after: float | None) -> ZiwoError:
        text = self._scrubbed(words_of(body), request)
        return error_for(status, text, method=request.method, path=request.path, retry_after=retry_after)

    def _scrubbed(self, text: str, request: Prepared) -> str:
        # Servers like to repeat what they were given.
        tokens = (token.get_secret_value() for token in self._auth.recent)
        key = () if self._api_key is None else (self._api_key.get_secret_value(),)
        for secret in (*tokens, *key, *request.secrets()):
            if secret:
                text = text.replace(secret, "***")
        return text

    # --- login ----------------------------------------------------------------------------------------------------

    async def _login(self, credentials: Credentials) -> SecretStr:
        """Do one `POST /auth/login` (source: ZIWO docs and all official clients)."""
        request = prepare(self._base_url, "POST", "/auth/login", form=credentials.login_form())
        answer = await self._exchange.send(request, None, limit=self._timeouts.login)
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

    def _refused(self, request: Prepared, answer: Answer) -> BadCredentials:
        words = self._scrubbed(words_of(answer.body), request)
        text = f"the server refuses user and password: {words or 'no reason given'}"
        return BadCredentials(text, status=answer.status, message=words, method=request.method, path=request.path)
