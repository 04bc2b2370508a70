"""The way to the REST API: sends requests, keeps us logged in, and turns every failure into one of our errors."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from ssl import SSLContext
from types import TracebackType
from typing import Literal, Self, TypeAlias, TypeVar

import aiohttp
from pydantic import SecretStr
from yarl import URL

from ..config import RetryPolicy, Timeouts, check_url, is_loopback
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
from ..models.secret_keys import hide_secrets
from .auth import Authenticator, Credentials, CredentialsProvider, Header, Token, again, is_header_value, nobody, static
from .envelope import Reply, as_object, decode, error_for, not_json, unwrap, words_of
from .exchange import MAX_BODY, Answer, Body, Exchange
from .failures import REDIRECTS, maybe_made, redirect_text
from .prepared import Form, Json, Params, Prepared, lies_under, prepare, redirected
from .retries import attempts
from .scrub import Scrub, scrub, scrub_data

__all__ = ["MAX_BODY", "CredentialKind", "Transport"]

_log = logging.getLogger("ziwo_async.rest")

CredentialKind: TypeAlias = Literal["token", "api_key", "none"]
"""What a request proves itself with: the access token, the instance's CTI key, or nothing."""

_T = TypeVar("_T")
_A = TypeVar("_A", bound=AuthError)
_FORBIDDEN_KEPT = 256
_MOST_REDIRECTS = 5
_ERROR_BODY = 64 * 1024
# Where files are. A redirect on our own host sees the token there, and nowhere else: a server that is led astray could
# make us ask for what acts.
_FILES = ("/callHistory/", "/storage/", "/surveillance/recordings/")
_PACKAGE = __name__.partition(".")[0]


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
        url = URL(self._base_url)
        self._on_loopback = is_loopback(url.host or "")
        self._files = tuple(url.raw_path.rstrip("/") + folder for folder in _FILES)
        self._forbidden: set[tuple[str, str]] = set()
        self._auth = Authenticator(
            static(credentials) if isinstance(credentials, Credentials) else credentials or nobody,
            self._login,
            retry=self._retry,
            provider_timeout=self._timeouts.login,
            fixed=isinstance(credentials, Credentials),
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
        json: Json = None,
        credential: CredentialKind = "token",
        dials: bool = False,
    ) -> Reply:
        """Send one request, and give the content of the answer.

        The first request with a token logs in. After a 401 there is one new login, shared by all requests that got one,
        and one more try; after a 403 too, if we logged in by password more than a minute ago (some servers say 403 for
        an expired token; source: iOS app). A refused password is not sent again, unless a provider gives it. Only GET
        is retried after failures of network and server. Messages in the answer's `info`, such as deprecations, are
        issued as `ApiWarning` and are in `Reply.warnings`; where warnings are errors, a request that wrote something
        logs them instead, because its answer must not be lost.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: Path from the root of the API, such as `/profile`; ids in it go through `segment`.
            params: Query parameters.
            form: Body as urlencoded fields.
            json: Body as JSON.
            credential: What the request proves itself with.
            dials: Whether it makes a call: when that may have been made all the same, the error says so, and is not
                `retryable`.

        Raises:
            ConfigError: The request is wrong in itself, or the client belongs to another event loop; nothing was sent.
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
        request = prepare(self._base_url, method, path, params=params, form=form, json=json, dials=dials)
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
        self, path: str | SecretStr, *, params: Params | None = None, headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Body]:
        """Open the body of a GET, such as a recording; it is read in the block, and never whole in memory.

        Redirects are followed, to https only; another host than ours never sees a credential, and ours only where files
        are. Opening is retried as `request` is, reading is not. What is no 2xx is raised, but for 416, which is for the
        caller to see.

        Args:
            path: Path from the root of the API, or (for what the server itself named, such as a signed URL) a whole
                address; that is best given as a secret, so that no traceback shows it.
            params: Query parameters.
            headers: Further headers, such as `Range`.

        Raises:
            ZiwoError: As for `request`.
        """
        given = headers or {}
        path = SecretStr(path) if isinstance(path, str) and not path.startswith("/") else path
        if isinstance(path, SecretStr):
            request = redirected(path, plain_http=self._on_loopback)
            async with self._followed(request, None, given) as body:
                yield await self._good(request, body)
            return
        request = prepare(self._base_url, "GET", path, params=params)
        token = await self._auth.token()
        async with self._followed(request, token.header, given) as body:
            if not (body.carried and self._worth_a_login(request, token, body.status)):
                yield await self._good(request, body)
                return
            refused_with = body.status
        token = await self._renewed(request, token)
        async with self._followed(request, token.header, given) as body:
            self._note_forbidden(request, refused_with, body.status)
            if body.carried and body.status == 401:
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

    async def logout(self, *, for_good: bool = False) -> None:
        """End the REST session, if it was us who logged in, and forget the token either way.

        A login under way is waited for, because it makes a session as well. A pause that the server asked for is not.

        Args:
            for_good: No request logs in any more.

        Raises:
            ZiwoError: As for `request`; a token that is no longer valid is not an error.
        """
        token = await self._auth.dropped(for_good=for_good)
        if token is None or not token.by_password:
            return
        request = prepare(self._base_url, "POST", "/auth/logout")
        answer = await self._exchange.send(request, token.header, limit=self._timeouts.close, gated=False)
        if answer.status != 401:
            self._reply(request, answer)

    async def aclose(self) -> None:
        """Close our own session; a borrowed one stays open. Requests under way fail with `ClientClosed`. Idempotent."""
        await self._exchange.aclose()

    async def until_closed(self) -> None:
        """Wait until `aclose` is called: for those who pause between requests."""
        await self._exchange.until_closed()

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
            # What a fresh token is refused is about permission, and stays so: no login for each further try.
            known = (request.method, request.path) in self._forbidden
            return token.by_password and not token.fresh and not known
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
        words = words_of(answer.body, self._cleaner(request)) if answer is not None else ""
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
            failure = self._error(request, answer.status, answer.body, answer.retry_after)
            if request.dials and isinstance(failure, ServerError):
                maybe_made(failure)
            raise failure
        return answer

    async def _retried(self, once: Callable[[], Awaitable[_T]], failed: ZiwoError | None = None) -> _T:
        """Try until it works; `failed` is what the first try, done already, raised."""
        async for attempt in attempts(self._backoff, self._retry):
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
                location = body.location
                if body.status not in REDIRECTS or location is None:
                    yield body
                    return
            request = redirected(location, base=request.url, plain_http=self._on_loopback)
            if not lies_under(request.path, self._files):
                header = None
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
        if 200 <= body.status < 300 or body.status == 416:
            return body
        if body.status < 400:
            text = f"no file comes with HTTP {body.status}"
            raise ApiError(text, status=body.status, method="GET", path=request.path)
        # A 401 to a request without our token is no matter of our login.
        status = 403 if body.status == 401 else body.status
        if body.ours:
            raise self._error(request, status, await body.read(_ERROR_BODY), body.retry_after)
        # What another host says is not shown: it may repeat its address, which is a secret.
        raise self._error(request, status, b'{"message":"said by another host"}', body.retry_after)

    # --- answers --------------------------------------------------------------------------------------------------

    def _reply(self, request: Prepared, answer: Answer) -> Reply:
        # In two steps: whatever shows the frames of an error with their variables must not find the content in one.
        found = self._read(request, answer)
        if isinstance(found, Reply):
            self._warn(request, found)
            return found
        if request.dials and isinstance(found, DecodeError):
            maybe_made(found)
        raise found

    def _read(self, request: Prepared, answer: Answer) -> Reply | ZiwoError:
        method, path, status = request.method, request.path, answer.status
        if status >= 400:
            return self._error(request, status, answer.body, answer.retry_after)
        if status in REDIRECTS:
            return ApiError(redirect_text(answer.location), status=status, method=method, path=path)
        if not 200 <= status < 300:
            return ApiError("no answer comes with this status", status=status, method=method, path=path)
        if answer.too_large:
            text = f"the answer is larger than {MAX_BODY // (1024 * 1024)} MiB"
            return DecodeError(text, status=status, method=method, path=path)
        try:
            value = decode(answer.body)
        except ValueError:
            return not_json(answer.body, status=status, method=method, path=path)
        try:
            reply = unwrap(value, status=status, method=method, path=path, clean=self._cleaner(request))
        except ApiError as error:
            return again(error)
        if all(isinstance(value, (int, float)) for value in reply.info.values()):
            return reply  # the ordinary case: nothing, or a total
        return replace(reply, info=as_object(scrub_data(hide_secrets(dict(reply.info)), self._cleaner(request))) or {})

    def _warn(self, request: Prepared, reply: Reply) -> None:
        for word in reply.warnings if reply.info else ():
            text = f"{request.method} {request.path}: {word}"
            try:
                warnings.warn(text, ApiWarning, stacklevel=_frames_of_ours())
            except ApiWarning:
                if request.method == "GET":
                    raise
                _log.warning("%s", text)

    def _error(self, request: Prepared, status: int, body: bytes, retry_after: float | None) -> ZiwoError:
        text = words_of(body, self._cleaner(request))
        return error_for(status, text, method=request.method, path=request.path, retry_after=retry_after)

    def _cleaner(self, request: Prepared) -> Scrub:
        return lambda text: scrub(text, (*self._secrets(), *request.secrets()))

    def _secrets(self) -> Iterator[str]:
        yield from (token.get_secret_value() for token in self._auth.recent)
        if self._api_key is not None:
            yield self._api_key.get_secret_value()

    def cleaned(self, text: str) -> str:
        """Take what we prove ourselves with out of a text that a server sent.

        Args:
            text: The text, whole: nothing may have been cut from it.
        """
        return scrub(text, self._secrets())

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
        token = _token_in(reply)
        if token is None:
            text = "the answer to the login has no access_token"
            raise DecodeError(text, status=answer.status, method=request.method, path=request.path)
        return token

    def _refused(self, request: Prepared, answer: Answer) -> BadCredentials:
        words = words_of(answer.body, self._cleaner(request))
        text = f"the server refuses user and password: {words or 'no reason given'}"
        return BadCredentials(text, status=answer.status, message=words, method=request.method, path=request.path)


def _token_in(reply: Reply) -> SecretStr | None:
    found = (as_object(reply.content) or {}).get("access_token")
    return SecretStr(found) if isinstance(found, str) and is_header_value(found) else None


def _frames_of_ours() -> int:
    """Count the frames up to the one outside of this package, as `stacklevel` of a warning issued by the caller."""
    count, frame = 0, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        count, frame = count + 1, frame.f_back
    return count
