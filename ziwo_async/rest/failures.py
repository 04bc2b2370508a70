"""From errors of aiohttp to ours. aiohttp's carry the request and its headers, so only plain facts are taken over."""

from __future__ import annotations

import errno
import ssl

import aiohttp
from yarl import URL

from ..errors import CannotConnect, ConnectionLost, RequestTimeout, TransportError, ZiwoError

__all__ = ["REDIRECTS", "maybe_made", "redirect_text", "translate"]

REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""The HTTP statuses with which a server sends us elsewhere."""


def translate(error: BaseException, *, url: URL, limit: float, connect_limit: float) -> TransportError:
    """Give our error for a failed request. Raise it outside of the `except` block, or the original becomes its context.

    Args:
        error: What aiohttp, asyncio or the operating system raised.
        url: Where the request went; only host and port are shown.
        limit: Seconds that the request had.
        connect_limit: Seconds that the connection had.
    """
    host = f"{url.host}:{url.port}"
    # A class can be several of these at once, so the order matters: from the narrow to the wide.
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return CannotConnect(
            f"{host} did not accept a connection within {connect_limit:g} s; check host, port and firewall"
        )
    if isinstance(error, (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError)):
        return CannotConnect(f"TLS with {host} failed: {_tls_reason(error)}; check the host name and the certificate")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return CannotConnect(f"the name {url.host} cannot be resolved; check the contact-centre name and the network")
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return CannotConnect(f"the proxy on the way to {host} does not answer; check the proxy settings of the session")
    if isinstance(error, aiohttp.ClientConnectorError):
        return CannotConnect(f"no connection to {host}: {_os_reason(error.os_error)}; check host, port and network")
    if isinstance(error, TimeoutError):
        return RequestTimeout(f"no complete answer from {host} within {limit:g} s; the request may have had its effect")
    if isinstance(error, (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError)):
        return ConnectionLost(f"the connection to {host} ended before the answer was complete")
    if isinstance(error, aiohttp.ClientResponseError):
        return ConnectionLost(f"what answers at {host} does not speak HTTP", reason="not HTTP")
    if isinstance(error, OSError):
        return ConnectionLost(f"the connection to {host} broke: {_os_reason(error)}")
    return ConnectionLost(f"the request to {host} failed ({type(error).__name__})")


def redirect_text(location: str | None) -> str:
    """Say where a redirect leads: scheme, host and port, without path, query or user info.

    Args:
        location: The header `Location`.
    """
    try:
        target = URL(location or "")
        shown = f"{target.scheme}://{target.host}:{target.port}" if target.host else "another path of the same host"
    except ValueError:
        shown = "an unreadable address"
    return f"the server redirects to {shown}; redirects are not followed, so check the REST address"


def maybe_made(error: ZiwoError) -> None:
    """Say in an error that the call may have been made: whoever tries again on `retryable` would ring a customer twice.

    Args:
        error: What a request that makes a call ended with, after it was sent.
    """
    error.args = (f"{error}; the call may have been made all the same",)
    error.retryable = False


def _tls_reason(error: BaseException) -> str:
    inner: object = error.args[-1]  # what the TLS layer said; both classes keep it last
    if isinstance(inner, ssl.SSLCertVerificationError):
        return inner.verify_message
    return (inner.reason if isinstance(inner, ssl.SSLError) else None) or type(inner).__name__


def _os_reason(error: OSError) -> str:
    # The symbolic name only: the text of the system is localised, and aiohttp adds addresses to it.
    return errno.errorcode.get(error.errno or 0, type(error).__name__)
