"""Where a hook goes: only to this machine, unless the test says otherwise."""

from __future__ import annotations

import base64
from collections.abc import Collection
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

from yarl import URL

__all__ = ["NoTarget", "Target", "find_target"]


class NoTarget(Exception):
    """Nothing is sent; the text says why, without anything secret."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address to post to.

    Attributes:
        shown: The URL without user, password and query.
        hosts: Where to connect, in order; the first that accepts is taken. No name that is not allowed is looked up.
        port: TCP port.
        tls: Whether it is https.
        host: Value of the `Host` header.
        path: Path and query, as they are sent.
        authorization: Value of the `Authorization` header; empty: there is none.
    """

    shown: str
    hosts: tuple[str, ...]
    port: int
    tls: bool
    host: str
    path: str = field(repr=False)
    authorization: str = field(repr=False)


def find_target(text: str | None, allowed: Collection[str] = ()) -> Target:
    """Read a URL.

    Args:
        text: The URL; user and password in it are sent as basic authentication.
        allowed: Names and addresses of other hosts that may be called.

    Raises:
        NoTarget: There is no URL, it is of no use, or it leads to a host that is not allowed.
    """
    if not text:
        raise NoTarget("No URL is set")
    try:
        url = URL(text)
        host, port = url.host, url.port
    except ValueError:
        raise NoTarget("The URL is not valid") from None
    if url.scheme not in ("http", "https") or not host or not port:
        raise NoTarget("Only services on this machine are called")
    hosts = _hosts(host, allowed)
    authorization = ""
    if url.user is not None or url.password is not None:
        pair = f"{url.user or ''}:{url.password or ''}".encode()
        authorization = "Basic " + base64.b64encode(pair).decode()
    bare = url.with_user(None)
    return Target(
        shown=str(bare.with_query(None).with_fragment(None)),
        hosts=hosts,
        port=port,
        tls=url.scheme == "https",
        host=bare.raw_authority,
        path=url.raw_path_qs or "/",
        authorization=authorization,
    )


def _hosts(host: str, allowed: Collection[str]) -> tuple[str, ...]:
    if host == "localhost":
        return ("127.0.0.1", "::1")
    if host in allowed:
        return (host,)
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address is None or not address.is_loopback:
        raise NoTarget("Only services on this machine are called")
    return (str(address),)
