"""Configuration: the contact-centre name, settings from the environment, time limits and retry policies.

Everything here is a frozen value that is checked when it is made, before any I/O. Nothing is read from the
environment at import time; only `Settings.from_env` reads it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields
from ipaddress import ip_address
from typing import Literal, NoReturn, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from .errors import ConfigError, InvalidInstanceName

__all__ = [
    "Buffers",
    "Liveness",
    "ReconnectPolicy",
    "RetryPolicy",
    "Settings",
    "Timeouts",
    "api_base_url",
    "check_url",
    "is_loopback",
    "normalise_instance",
]

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SHAPES = "Give the bare name (acme), its host (acme.aswat.co or acme-api.aswat.co) or its https:// address"


def normalise_instance(name: str) -> str:
    """Give the bare contact-centre name for any usual spelling of it.

    Accepted are `acme`, `acme.aswat.co`, `acme-api.aswat.co` and `https://` addresses of both hosts, in any case,
    with or without one trailing slash (users write all of these; source: official web client, integrators).

    Args:
        name: What the user gave.

    Returns:
        The name: one lower-case DNS label.

    Raises:
        InvalidInstanceName: Anything else: other hosts, ports, paths, user info, white space, non-ASCII letters.
    """
    # Before lower(): it turns some non-ASCII letters (the Kelvin sign, for one) into ASCII ones.
    if not name.isascii():
        _refuse(name, "has letters outside a-z, 0-9 and '-'")
    rest = name.lower()
    if rest.startswith("https://"):
        rest = rest.removeprefix("https://").removesuffix("/")
    for suffix in ("-api.aswat.co", ".aswat.co"):
        if rest.endswith(suffix):
            rest = rest.removesuffix(suffix)
            break
    if not rest:
        _refuse(name, "is empty")
    if _LABEL.fullmatch(rest) is None:
        _refuse(name, "is not one DNS label (1 to 63 of a-z, 0-9 and '-', no '-' at the ends)")
    return rest


def _refuse(name: str, why: str) -> NoReturn:
    # repr keeps control characters out of logs, and the cut keeps a pasted document out. What stands before an @ may be
    # a password, as in https://user:password@host.
    named = "...@" + name.rpartition("@")[2] if "@" in name else name
    shown = repr(named if len(named) <= 80 else named[:77] + "...")
    raise InvalidInstanceName(f"the contact-centre name {shown} {why}. {_SHAPES}.")


def api_base_url(name: str) -> str:
    """Give the address of the REST API of a contact centre: `https://<name>-api.aswat.co` (source: ZIWO docs).

    Args:
        name: The contact-centre name, in any spelling that `normalise_instance` takes.

    Raises:
        InvalidInstanceName: The name cannot be turned into a ZIWO host.
    """
    return f"https://{normalise_instance(name)}-api.aswat.co"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: `localhost`, 127.0.0.0/8 or ::1. No name is resolved."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: str, *, scheme: Literal["https", "wss"], what: str) -> str:
    """Check an address that a user or a server gave, and return it without a trailing slash.

    The plain scheme (`http`, `ws`) is only accepted for loopback hosts: a token must not cross a network unencrypted.

    Args:
        url: The address.
        scheme: The scheme it should have.
        what: What the address is, for the error text (such as `ZIWO_API_URL`).

    Raises:
        ConfigError: Wrong scheme, no host, a bad port, or user info, a query or a fragment.
    """
    plain = {"https": "http", "wss": "ws"}[scheme]
    example = f"{scheme}://acme-api.aswat.co"
    # The address itself is shown by no message here: it may hold a password or a token.
    if not url.isascii() or any(c <= " " or c in '\\"<>^`{|}\x7f' for c in url):
        raise ConfigError(f"{what} has characters that no address has. It should look like {example}.")
    try:
        parts: SplitResult = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigError(f"{what} is not an address. It should look like {example}.") from None
    if parts.scheme not in {scheme, plain} or not host or port == 0:
        raise ConfigError(f"{what} is not a {scheme} address with a host. It should look like {example}.")
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise ConfigError(f"{what} must have no user name, password, query or fragment.")
    if ".." in parts.path or "//" in parts.path:
        raise ConfigError(f"{what} has a path with '..' or '//'.")
    if parts.scheme == plain and not is_loopback(host):
        raise ConfigError(f"{what} must start with {scheme}://; {plain}:// is only for this machine (127.0.0.1).")
    return url.rstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Time limits, all in seconds.

    Attributes:
        connect: Until a connection stands, TLS included.
        request: One REST request, from sending to the last byte of its body.
        login: One REST login, and one answer of a credentials provider.
        verto_request: One Verto request, armed after the frame was written.
        close: Closing a connection, or ending a session, politely.
    """

    connect: float = 10.0
    request: float = 10.0
    login: float = 10.0
    verto_request: float = 10.0
    close: float = 5.0

    def __post_init__(self) -> None:
        _positive(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How REST reads are retried. Writes are never retried.

    Attributes:
        attempts: How often a read is tried in all; 1 means no retry.
        base: First wait in seconds; it doubles with each attempt and is jittered.
        cap: Longest wait between two attempts, in seconds.
        max_retry_after: Longest `Retry-After` (HTTP 429) that is waited for, in seconds. When the server asks for more,
            `RateLimited` is raised at once.
    """

    attempts: int = 3
    base: float = 0.5
    cap: float = 8.0
    max_retry_after: float = 60.0

    def __post_init__(self) -> None:
        _positive(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectPolicy:
    """How a lost session is made again: full jitter in [0, min(cap, base * 2^n)].

    Attributes:
        base: Seconds of the first window.
        cap: Longest window in seconds.
        cap_with_calls: Longest window in seconds while the server may still hold a call for us.
        detach_window: For how many seconds the server is taken to hold answered calls whose phone is away
            (mod_verto's `detach-timeout-sec`, 120 by default; ZIWO's setting is not known).
        blocked_first: Seconds to wait when the server says that somebody else is logged in as the agent (-32003); it
            doubles with each refusal.
        blocked_longest: Longest such wait in seconds.
        stable_after: The counter starts anew only after a session has been ready for so many seconds; without that a
            server that accepts and closes would be hammered.
        max_attempts: Attempts in a row before giving up; None means never.
    """

    base: float = 0.5
    cap: float = 30.0
    cap_with_calls: float = 4.0
    detach_window: float = 120.0
    blocked_first: float = 20.0
    blocked_longest: float = 300.0
    stable_after: float = 30.0
    max_attempts: int | None = None

    def __post_init__(self) -> None:
        _positive(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness:
    """When a silent Verto socket is taken for dead.

    Attributes:
        silence: After so many seconds without any frame, `verto.ping` is sent.
        reply: Seconds within which any reply, even an error, proves the socket alive.
        tick: Every so many seconds the clocks are looked at.
        jump: When a clock moved by so many seconds more than it should have, the machine slept or the program stood
            still: then `verto.ping` is sent at once.
    """

    silence: float = 10.0
    reply: float = 5.0
    tick: float = 2.0
    jump: float = 30.0

    def __post_init__(self) -> None:
        _positive(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffers:
    """How many events may wait for handlers of `Router.on`. What is past it goes by the handler's `overflow=`.

    Attributes:
        per_call: For each call, and for the session as if it were one more call.
        per_session: For all of them together, past that, when their handlers have `overflow="block"`.
    """

    per_call: int = 256
    per_session: int = 10_000

    def __post_init__(self) -> None:
        for item in fields(self):
            value: object = getattr(self, item.name)
            if not isinstance(value, int) or value < 1:
                raise ConfigError(f"Buffers.{item.name} must be a whole number greater than 0, not {value!r}.")


def _positive(policy: Timeouts | RetryPolicy | ReconnectPolicy | Liveness) -> None:
    for item in fields(policy):
        value: float | None = getattr(policy, item.name)
        if value is None and item.name == "max_attempts":
            continue
        # No limit at all is not offered: every wait of this package is bounded.
        if value is None or not math.isfinite(value) or value <= 0:
            raise ConfigError(f"{type(policy).__name__}.{item.name} must be a number greater than 0, not {value!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where to connect and as whom.

    Attributes:
        contact_center: The bare name (any spelling is taken and normalised). May be None when `api_url` is given.
        username: The e-mail address of the agent or admin.
        password: Their password.
        token: An access token from elsewhere, instead of (or before) user and password.
        api_url: REST address that overrides the one made from the name; https, or http on loopback.
        verto_url: Phone websocket address that overrides the one the server tells; wss, or ws on loopback.
        position: Name of the agent's position (device); the server's default when None.
        api_key: The instance's key for CTI routes; with it alone, only those can be used.
        needs_login: Whether a token, or user and password, must be here unless there is an api_key; False when a
            provider gives the credentials.

    Raises:
        ConfigError: A value is wrong, or there is nothing to connect to.
    """

    contact_center: str | None = None
    username: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = None
    api_url: str | None = None
    verto_url: str | None = None
    position: str | None = None
    api_key: SecretStr | None = None
    needs_login: bool = True

    def __post_init__(self) -> None:
        if self.contact_center is None and self.api_url is None:
            raise ConfigError(
                "no contact centre: set ZIWO_CONTACT_CENTER to the name in https://<name>.aswat.co (for example acme),"
                " or pass contact_center."
            )
        if self.contact_center is not None:
            object.__setattr__(self, "contact_center", normalise_instance(self.contact_center))
        if self.api_url is not None:
            object.__setattr__(self, "api_url", check_url(self.api_url, scheme="https", what="api_url (ZIWO_API_URL)"))
        if self.verto_url is not None:
            checked = check_url(self.verto_url, scheme="wss", what="verto_url (ZIWO_VERTO_URL)")
            object.__setattr__(self, "verto_url", checked)
        only_a_key = self.api_key is not None and self.username is None and self.password is None
        if self.needs_login and self.token is None and not only_a_key:
            self._check_login()

    def _check_login(self) -> None:
        if self.username is None and self.password is None:
            raise ConfigError(
                "no credentials: set ZIWO_USERNAME and ZIWO_PASSWORD to what you log in to ZIWO with, or set ZIWO_TOKEN"
                " to an access token."
            )
        if self.password is None:
            raise ConfigError("no password: ZIWO_USERNAME is set, so set ZIWO_PASSWORD too (or ZIWO_TOKEN instead).")
        if self.username is None:
            raise ConfigError("no user: ZIWO_PASSWORD is set, so set ZIWO_USERNAME to the agent's e-mail address.")

    @property
    def base_url(self) -> str:
        """The address of the REST API: `api_url`, or the one made from the contact-centre name."""
        if self.api_url is not None:
            return self.api_url
        assert self.contact_center is not None  # __post_init__ wants one of the two
        return api_base_url(self.contact_center)

    @classmethod
    def from_env(cls) -> Self:
        """Read the settings from `ZIWO_*` environment variables.

        They are ZIWO_CONTACT_CENTER, ZIWO_USERNAME, ZIWO_PASSWORD, ZIWO_TOKEN, ZIWO_API_URL, ZIWO_VERTO_URL,
        ZIWO_POSITION and ZIWO_API_KEY. An empty variable counts as not set.

        Raises:
            ConfigError: A variable is missing or wrong; the text names it and says what to set.
        """
        from ._env import read_environment  # pydantic-settings costs a third of a second to import

        return cls(**read_environment())
