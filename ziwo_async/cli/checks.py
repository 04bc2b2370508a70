"""The checks of `ziwo doctor`, in their order. Nothing secret is in what they say."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from .. import (
    EXIT_CODES,
    BadCredentials,
    CannotConnect,
    ConfigError,
    DuplicateSession,
    RequestTimeout,
    TokenExpired,
    TransportError,
    ZiwoClient,
    ZiwoError,
    exit_code,
)
from .account import Account

__all__ = ["Check", "Checks", "Finding", "examine"]

_LIMIT = 10.0
_PHONE_LIMIT = 40.0
_A_DAY = 86_400.0
_SOON = 14


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to check.

    Attributes:
        name: What it is called.
        work: Checks it; gives what there is to say, and raises when it is wrong.
        advice: What to do about an error.
        needs: Names of the checks without which it makes no sense.
    """

    name: str
    work: Callable[[], Awaitable[str]]
    advice: Callable[[Exception], str]
    needs: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a check.

    Attributes:
        name: What the check is called.
        ok: Whether it is good; None: it was left out, because of another one.
        says: What there is to say.
        seconds: How long it took.
        advice: What to do about it, when something is wrong.
        code: The exit code that it asks for.
    """

    name: str
    ok: bool | None
    says: str
    seconds: float | None = None
    advice: str = ""
    code: int = 0


async def examine(checks: Sequence[Check]) -> AsyncIterator[Finding]:
    """Do checks one after the other; those that need a failed one are left out.

    Args:
        checks: What to check, in order.
    """
    bad: set[str] = set()
    for check in checks:
        missing = next((name for name in check.needs if name in bad), None)
        if missing is not None:
            bad.add(check.name)
            yield Finding(check.name, None, f"not checked: it needs {missing}")
            continue
        begun = time.perf_counter()
        try:
            says = await check.work()
        except (ZiwoError, OSError) as error:
            bad.add(check.name)
            code = exit_code(error) if isinstance(error, ZiwoError) else EXIT_CODES["connection"]
            seconds = time.perf_counter() - begun
            yield Finding(check.name, False, _words(error), seconds, check.advice(error), code)
        else:
            yield Finding(check.name, True, says, time.perf_counter() - begun)


def _words(error: Exception) -> str:
    if isinstance(error, ZiwoError):
        return str(error)
    if isinstance(error, TimeoutError):
        return f"no answer within {_LIMIT:g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


class Checks:
    """What is checked, for one account. What a check finds out is there for those behind it."""

    def __init__(self, account: Account, *, before_the_phone: Callable[[], object]) -> None:
        """Check nothing yet.

        Args:
            account: Where to connect and as whom.
            before_the_phone: Called before the phone logs in.
        """
        self._account = account
        self._before_the_phone = before_the_phone
        self._stack = AsyncExitStack()
        self._url = ""
        self._made: ZiwoClient | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def all(self, *, phone: bool) -> Sequence[Check]:
        """Give the checks in their order.

        Args:
            phone: Whether the phone's login is one.
        """
        checks = [
            Check("name", self._name, self._about_name),
            Check("DNS", self._dns, _about_dns, ["name"]),
            Check("TCP and TLS", self._connection, _about_tls, ["DNS"]),
            Check("login", self._login, self._about_login, ["TCP and TLS"]),
            Check("profile", lambda: self._user(phone=phone), _about_profile, ["login"]),
            Check("webrtc config", self._webrtc_config, _about_config, ["login"]),
        ]
        if phone:
            needs = ["profile"] if self._account.verto_url is not None else ["profile", "webrtc config"]
            checks.append(Check("phone login", self._phone_login, _about_phone, needs))
        return checks

    # --- the network --------------------------------------------------------------------------------------------------

    async def _name(self) -> str:
        self._url = self._account.settings(needs_login=False).base_url
        return self._url

    @property
    def _place(self) -> tuple[str, int, bool]:
        parts = urlsplit(self._url)
        secure = parts.scheme == "https"
        return parts.hostname or "", parts.port or (443 if secure else 80), secure

    async def _dns(self) -> str:
        host, port, _ = self._place
        try:
            return f"{ip_address(host)} is an address, there is no name to look up"
        except ValueError:
            pass
        async with asyncio.timeout(_LIMIT):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return f"{host} is {', '.join(dict.fromkeys(str(entry[4][0]) for entry in found))}"

    async def _connection(self) -> str:
        host, port, secure = self._place
        async with asyncio.timeout(_LIMIT):
            context = await asyncio.to_thread(ssl.create_default_context) if secure else None
            _, writer = await asyncio.open_connection(host, port, ssl=context)
        try:
            if not secure:
                return f"{host}:{port} listens; plain http, which is only for this machine"
            return _certificate(writer, host, port)
        finally:
            # Nothing was said, so nobody needs a polite goodbye.
            writer.transport.abort()

    # --- the REST API -------------------------------------------------------------------------------------------------

    async def _login(self) -> str:
        self._made = await self._stack.enter_async_context(self._account.client(examines=True))
        await self._made.session.login()
        how = "the token is accepted" if self._account.token is not None else "user and password are accepted"
        return f"{how} (from: {self._account.source})"

    async def _user(self, *, phone: bool) -> str:
        profile = await self._client.session.profile()
        who = f"{profile.username or 'no user name'}, {profile.type or 'no type'}"
        if profile.cc_login is not None and profile.cc_password is not None:
            return f"{who}, ccLogin {profile.cc_login}"
        if not phone:
            return f"{who}, no ccLogin: this user has no phone"
        raise ConfigError(f"{who}: the profile has no ccLogin or no ccPassword, so this user has no phone")

    async def _webrtc_config(self) -> str:
        config = await self._client.session.webrtc_config()
        return f"the phone is at {config.verto_url(self._url)}"

    # --- the phone ----------------------------------------------------------------------------------------------------

    async def _phone_login(self) -> str:
        self._before_the_phone()
        phone = self._client.phone
        limit = asyncio.timeout(_PHONE_LIMIT)
        try:
            async with limit, phone:
                return f"{phone.login} is ready for calls"
        except TimeoutError:
            if not limit.expired():
                raise
        raise RequestTimeout(f"the phone was not ready within {_PHONE_LIMIT:g} s")

    @property
    def _client(self) -> ZiwoClient:
        assert self._made is not None  # the checks that use it need the login
        return self._made

    def _about_name(self, error: Exception) -> str:
        del error  # of a wrong name it says what to do itself
        return "" if self._account.has_place else "Or log in once: `ziwo login`."

    def _about_login(self, error: Exception) -> str:
        if isinstance(error, TokenExpired):
            return self._account.expired
        if isinstance(error, BadCredentials):
            return "Log in to ZIWO's web page with the same user and password; if that fails, ask an admin."
        if isinstance(error, ConfigError):
            return "Log in once with `ziwo login`, or set the variables."
        return ""


def _certificate(writer: asyncio.StreamWriter, host: str, port: int) -> str:
    found: ssl.SSLObject = writer.get_extra_info("ssl_object")
    certificate = found.getpeercert() or {}
    names = [str(entry[1]) for entry in certificate.get("subjectAltName", ())]
    days = int((ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) // _A_DAY)
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    soon = " (soon!)" if days < _SOON else ""
    return f"{host}:{port}, {found.version()}; certificate of {shown}, {days} days left{soon}"


# --- what to do -------------------------------------------------------------------------------------------------------


def _about_dns(error: Exception) -> str:
    del error
    return "Is the name right? Does https://<name>.aswat.co open in a browser? If both are: this machine has no DNS."


def _about_tls(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            "Something between here and ZIWO may replace the certificate (a proxy, an antivirus), or the clock is"
            " wrong. A certificate authority of your own goes into SSL_CERT_FILE."
        )
    if isinstance(error, ssl.SSLError):
        return "Another kind of server answers there; or something between cuts TLS off."
    return "Is this machine online? A firewall must let it out to that port."


def _about_profile(error: Exception) -> str:
    if isinstance(error, ConfigError):
        return "Log in as an agent; or say --no-phone, if you only want the REST API."
    return ""


def _about_config(error: Exception) -> str:
    del error
    return "The REST API does not say where the phone is. If you know it, set ZIWO_VERTO_URL."


def _about_phone(error: Exception) -> str:
    if isinstance(error, DuplicateSession):
        return "Somebody is logged in as this agent, such as ZIWO's web phone: log out there, or wait some minutes."
    if isinstance(error, BadCredentials):
        return "REST let this user in, the phone did not: the position may have another name (ZIWO_POSITION)."
    if isinstance(error, (CannotConnect, TransportError, TimeoutError)):
        return "A firewall must let this machine out to the phone's port (8082 at ZIWO), for websockets."
    return ""
