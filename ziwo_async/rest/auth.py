"""Who we are: credentials, the login, and the one token that all requests share.

The token travels in the header `access_token` (source: ZIWO docs), set for each request by `origin_guard`, never in the
headers of a session: aiohttp would carry those to another host on a redirect.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import aiohttp
from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse
from pydantic import SecretStr
from yarl import URL

from ..config import RetryPolicy
from ..errors import (
    AuthError,
    BadCredentials,
    CannotConnect,
    ClientClosed,
    ConfigError,
    ConnectionLost,
    RequestTimeout,
    TokenExpired,
    ZiwoError,
)
from .retries import attempts

__all__ = [
    "Authenticator",
    "Credentials",
    "CredentialsProvider",
    "FormValue",
    "Header",
    "Token",
    "again",
    "is_header_value",
    "never_resend",
    "nobody",
    "origin_guard",
    "static",
    "stranger_guard",
]

logger = logging.getLogger("ziwo_async.rest")

_RECENT_TOKENS = 8
_FRESH = 60.0

_FOR_STRANGERS = frozenset({"accept", "accept-encoding", "host", "user-agent"})

_Z = TypeVar("_Z", bound=ZiwoError)
FormValue: TypeAlias = str | int | bool | SecretStr


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What proves who we are: a token, or user and password, or both (then the token is tried first).

    Attributes:
        username: E-mail address of the agent or admin.
        password: Their password.
        token: An access token from elsewhere ("token login"; source: official web client).
        hashed: Send base64(HMAC-SHA256(password, username + password)) instead of the password, as official clients of
            2016-18 did.
        remember: Ask for a token that lives longer; how long is not documented (source: ZIWO Manager app).
    """

    username: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = None
    hashed: bool = False
    remember: bool = False

    def __post_init__(self) -> None:
        if self.token is None and (self.username is None or self.password is None):
            raise ConfigError("credentials need a user name and a password, or a token")
        if self.token is not None and not is_header_value(self.token.get_secret_value()):
            raise ConfigError("the token is empty or has characters that no HTTP header can carry")

    @classmethod
    def from_password(
        cls, username: str, password: str | SecretStr, *, hashed: bool = False, remember: bool = False
    ) -> Credentials:
        """Make credentials of a user name and a password.

        Args:
            username: E-mail address of the agent or admin.
            password: Their password.
            hashed: See the attribute.
            remember: See the attribute.
        """
        password = SecretStr(password) if isinstance(password, str) else password  # no frame of ours shows it
        return cls(username=username, password=password, hashed=hashed, remember=remember)

    @classmethod
    def from_token(cls, token: str | SecretStr) -> Credentials:
        """Make credentials of an access token from elsewhere.

        Args:
            token: The access token.
        """
        token = SecretStr(token) if isinstance(token, str) else token  # no frame of ours shows it
        return cls(token=token)

    @property
    def can_login(self) -> bool:
        """Whether there are a user name and a password."""
        return self.username is not None and self.password is not None

    def login_form(self) -> Mapping[str, FormValue]:
        """Give the fields of `POST /auth/login`.

        Raises:
            ConfigError: There is only a token.
        """
        if self.username is None or self.password is None:
            raise ConfigError("a login needs a user name and a password; these credentials are a token")
        form: dict[str, FormValue] = {"username": self.username, "password": self._wire_password()}
        if self.remember:
            form["remember"] = True
        return form

    def _wire_password(self) -> SecretStr:
        assert self.username is not None
        assert self.password is not None
        if not self.hashed:
            return self.password
        return SecretStr(
            base64.b64encode(
                hmac.digest(
                    self.password.get_secret_value().encode(),
                    (self.username + self.password.get_secret_value()).encode(),
                    hashlib.sha256,
                )
            ).decode("ascii")
        )


CredentialsProvider: TypeAlias = Callable[[], Awaitable[Credentials]]
"""Asked at each login attempt, so that a changed password or a fresh token is picked up."""


def static(credentials: Credentials) -> CredentialsProvider:
    """Wrap credentials that never change in a provider.

    Args:
        credentials: What the provider answers.
    """

    async def provide() -> Credentials:
        return credentials

    return provide


async def nobody() -> Credentials:
    """The provider of a client that has only an api_key.

    Raises:
        ConfigError: Always.
    """
    raise ConfigError("this request needs a login, but the client has only an api_key: pass username and password")


@dataclass(frozen=True, slots=True)
class Header:
    """A credential as it is sent: `access_token`, or `api_key` for CTI routes (source: ZIWO docs).

    Attributes:
        name: Name of the HTTP header.
        value: The secret.
    """

    name: str
    value: SecretStr


@dataclass(frozen=True, slots=True)
class Token:
    """An access token in use.

    Attributes:
        value: The token.
        by_password: Whether we got it by logging in, so that another login can renew it.
        generation: Counts the tokens of one authenticator.
        born: When we got it, by the clock of the event loop.
        header: The token as it is sent.
    """

    value: SecretStr
    by_password: bool
    generation: int
    born: float
    header: Header = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "header", Header("access_token", self.value))

    @property
    def fresh(self) -> bool:
        """Whether we got it so lately that it cannot have expired: what it is refused is about permission."""
        return asyncio.get_running_loop().time() - self.born < _FRESH


class Authenticator:
    """Holds the token, and makes sure that any number of waiters cause one login.

    There is no background task: whoever comes first logs in under a lock, and those who waited take over the outcome,
    good or bad. When the first is cancelled, the next waiter logs in.
    """

    def __init__(
        self,
        provider: CredentialsProvider,
        login: Callable[[Credentials], Awaitable[SecretStr]],
        *,
        retry: RetryPolicy,
        provider_timeout: float,
        fixed: bool = False,
    ) -> None:
        """Make an authenticator that does no I/O yet.

        Args:
            provider: Gives the credentials; asked at each attempt.
            login: Does one login over the network and gives the token; raises one of our errors.
            retry: How a login that found no connection is tried again. Nothing else about a login is.
            provider_timeout: Seconds that the provider may take.
            fixed: Whether the provider always gives the same: then a password that was refused is not sent again,
                because servers lock users out for that.
        """
        self._provider = provider
        self._login = login
        self._retry = retry
        self._provider_timeout = provider_timeout
        self._fixed = fixed
        self._ended = False
        self._lock = asyncio.Lock()
        self._token: Token | None = None
        self._generation = 0
        self._refused_gift: SecretStr | None = None
        self._recent: deque[SecretStr] = deque(maxlen=_RECENT_TOKENS)
        self._finished = 0
        self._failure: ZiwoError | None = None

    def __repr__(self) -> str:
        return f"<Authenticator {'logged in' if self._token else 'not logged in'}>"

    @property
    def current(self) -> Token | None:
        """The token in use, None before the first login and after `forget`."""
        return self._token

    @property
    def recent(self) -> Iterable[SecretStr]:
        """The last tokens, newest last: what must not be repeated from an answer of the server."""
        return self._recent

    async def token(self) -> Token:
        """Give the token in use; the first caller logs in.

        Raises:
            BadCredentials: The server refuses the credentials.
            TransportError: The login could not be done.
        """
        return self._token if self._token is not None else await self._renew(None)

    async def renew(self, refused: Token) -> Token:
        """Give a token other than the one that the server refused.

        Args:
            refused: The token of the failed request. When it has been replaced meanwhile, there is no login.

        Raises:
            TokenExpired: There is only a token, and the provider has no other one.
            BadCredentials: The server refuses the credentials.
            TransportError: The login could not be done.
        """
        return await self._renew(refused)

    async def dropped(self, *, for_good: bool = False) -> Token | None:
        """Drop the token, and give it, for a logout. A login under way is waited for: it makes a session as well.

        Args:
            for_good: No login is begun any more.
        """
        self._ended = self._ended or for_good
        async with self._lock:
            token, self._token = self._token, None
            return token

    async def _renew(self, refused: Token | None) -> Token:
        seen = self._finished
        async with self._lock:
            if self._token is not None and (refused is None or self._token.generation != refused.generation):
                return self._token
            if self._ended:
                raise ClientClosed("the client is logged out, and closes")
            if self._failure is not None and (self._finished != seen or self._refused_for_good):
                # The login that we waited for failed; another one would fail the same way, and lock the user out.
                raise again(self._failure)
            if refused is not None and not refused.by_password:
                self._refused_gift = refused.value
            self._token = None
            try:
                token = await self._fresh_with_retries()
            except Exception as error:
                self._finished += 1
                self._failure = again(error) if isinstance(error, ZiwoError) else _of_provider(error)
                raise
            self._finished += 1
            self._failure = None
            self._token = token
            self._recent.append(token.value)
            return token

    @property
    def _refused_for_good(self) -> bool:
        return self._fixed and isinstance(self._failure, BadCredentials)

    async def _fresh_with_retries(self) -> Token:
        async for attempt in attempts(CannotConnect, self._retry):
            with attempt:
                return await self._fresh()
        raise AssertionError("stamina raises the last error")  # pragma: no cover

    async def _fresh(self) -> Token:
        credentials = await self._ask()
        self._generation += 1
        if credentials.token is not None and credentials.token != self._refused_gift:
            return self._made(credentials.token, by_password=False)
        if not credentials.can_login:
            raise TokenExpired("the access token is refused, and there is no password to get another one with")
        logger.info("logging in")
        return self._made(await self._login(credentials), by_password=True)

    def _made(self, value: SecretStr, *, by_password: bool) -> Token:
        now = asyncio.get_running_loop().time()
        return Token(value, by_password=by_password, generation=self._generation, born=now)

    async def _ask(self) -> Credentials:
        try:
            async with asyncio.timeout(self._provider_timeout):
                return await self._provider()
        except TimeoutError:
            pass
        raise RequestTimeout(f"the credentials provider gave no answer within {self._provider_timeout:g} s")


def again(error: _Z) -> _Z:
    """Give an equal error without traceback, because one instance must not be raised in several tasks.

    Args:
        error: The error to copy.
    """
    # Not copy.copy: it calls __init__ with `args`, and our errors have keyword-only arguments.
    twin: _Z = type(error).__new__(type(error), *error.args)
    twin.__dict__.update(error.__dict__)
    return twin


def _of_provider(error: Exception) -> ZiwoError:
    """Give what those get who waited for a provider that broke; whoever asked it gets its own error."""
    failure = AuthError(f"the credentials provider failed ({type(error).__name__})")
    failure.retryable = True
    return failure


def is_header_value(text: str) -> bool:
    """Whether a token can be sent: printable ASCII without spaces, and not empty.

    Args:
        text: The token.
    """
    return bool(text) and text.isascii() and all("!" <= c <= "~" for c in text)


def origin_guard(origin: URL, credential: Header | None) -> ClientMiddlewareType:
    """Make an aiohttp client middleware for one request, which adds the credential for one origin only.

    Args:
        origin: Scheme, host and port that may see the credential.
        credential: What to add; None (for the login) adds nothing, but still lets nothing go elsewhere.
    """

    async def guard(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        if request.url.origin() != origin:
            raise ConfigError(f"refused to send a request for {origin} to {request.url.host}")
        if credential is not None:
            request.headers[credential.name] = credential.value.get_secret_value()
        return await handler(request)

    return guard


def stranger_guard(origin: URL, allowed: frozenset[str]) -> ClientMiddlewareType:
    """Make an aiohttp client middleware for a request to another host, such as a storage that holds recordings.

    It takes every header away that is not known to be harmless: a borrowed session may add cookies and passwords.

    Args:
        origin: Where the request goes.
        allowed: Names of headers that we gave ourselves.
    """
    kept = _FOR_STRANGERS | {name.lower() for name in allowed}

    async def guard(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        if request.url.origin() != origin:
            raise ConfigError(f"refused to send a request for {origin} to {request.url.host}")
        for name in {name for name in request.headers if name.lower() not in kept}:
            request.headers.popall(name)
        return await handler(request)

    return guard


async def never_resend(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """An aiohttp client middleware that keeps aiohttp from sending a PUT or DELETE twice when the connection breaks.

    Args:
        request: The request.
        handler: The rest of the chain.

    Raises:
        ConnectionLost: The connection ended after it stood; the request may or may not have had its effect.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        pass
    raise ConnectionLost(f"the connection to {request.url.host} ended before the answer came")
