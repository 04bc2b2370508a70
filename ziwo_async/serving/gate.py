"""Who may use what a page is served: the names that the server answers to, the token, the cookie that stands for it."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import SecretStr

from ..errors import ConfigError
from .body import read_object

__all__ = ["Gate"]

# More open pages are one wall each. The oldest session goes first.
_MAX_SESSIONS = 64
_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::(?P<port>[0-9]{1,5}))?")
_ORIGIN = re.compile(r"https?://[a-z0-9.\-]+(?::[0-9]{1,5})?|https?://\[[0-9a-f:]+\](?::[0-9]{1,5})?")


class Gate:
    """Lets in who has the token. It is handed over once, in the body of a POST; a cookie stands for it afterwards.

    Attributes:
        token: The token; made anew at each start.
    """

    def __init__(self, cookie: str, *, origins: Iterable[str] = ()) -> None:
        """Make a gate that answers to loopback names.

        Args:
            cookie: What the name of the cookie begins with; the port follows, since browsers do not keep cookies of
                different ports apart.
            origins: Where pages may be too, such as `https://crm.example`: the server answers to those names as well.

        Raises:
            ConfigError: An origin is none.
        """
        self.token = SecretStr(secrets.token_urlsafe(32))
        self._cookie = cookie
        self._origins = frozenset(_checked(origin) for origin in origins)
        self._hosts = frozenset(urlsplit(origin).netloc for origin in self._origins)
        self._sessions: list[str] = []
        self._port: str | None = None

    def serve_on(self, port: int) -> None:
        """Say which port the server has: names with another port are refused."""
        self._port = str(port)

    def call_cookie(self, cookie: str) -> None:
        """Let the name of the cookie begin in another way: two gates on one port must not take it from each other.

        Args:
            cookie: What it begins with.
        """
        self._cookie = cookie

    def check_names(self, request: web.Request, *, first: bool = False) -> None:
        """Refuse a request that was made to another name, or by another site's page.

        A page of an attacker can make its own name lead to 127.0.0.1 (DNS rebinding); the browser then still says that
        name in `Host`.

        Args:
            request: The request.
            first: Whether it opens the page itself, to which a link of another site may lead.

        Raises:
            HTTPForbidden: The request is not for us.
        """
        given = [host.lower() for host in request.headers.getall("Host", [])]
        if len(given) != 1 or not self._is_ours(given[0]):
            raise web.HTTPForbidden(text="This server answers to its own names only.")
        origin = request.headers.get("Origin")
        own = f"{request.scheme}://{given[0]}" if given[0] not in self._hosts else None
        if origin is not None and origin != own and origin not in self._origins:
            raise web.HTTPForbidden(text="Asked by a page of another site.")
        if not first and request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            raise web.HTTPForbidden(text="Asked by a page of another site.")

    def _is_ours(self, host: str) -> bool:
        loopback = _LOOPBACK.fullmatch(host)
        # Browsers leave the port out when it is the one that everybody expects.
        return host in self._hosts or (loopback is not None and self._port in (None, loopback["port"] or "80"))

    def _name(self, request: web.Request) -> str:
        port = request.host.rpartition("]")[2].rpartition(":")[2]
        return f"{self._cookie}_{port}" if port.isdecimal() else self._cookie

    def check_session(self, request: web.Request) -> None:
        """Refuse a request without a cookie that was given for the token.

        Raises:
            HTTPUnauthorized: It has none.
        """
        given = request.cookies.get(self._name(request), "").encode(errors="replace")
        # Every one is compared, so that the time tells nothing.
        if not sum(hmac.compare_digest(given, known.encode()) for known in self._sessions):
            raise web.HTTPUnauthorized(text="The token is needed.")

    async def enter(self, request: web.Request) -> web.Response:
        """Answer the POST that hands the token over: `{"token": "..."}`. The cookie is set.

        Raises:
            HTTPUnauthorized: It is not the token.
            HTTPBadRequest: There is none.
            HTTPUnsupportedMediaType: It is no JSON.
        """
        given = (await read_object(request)).get("token")
        if not isinstance(given, str):
            raise web.HTTPBadRequest(text='Expected {"token": "..."}.')
        if not hmac.compare_digest(given.encode(errors="replace"), self.token.get_secret_value().encode()):
            raise web.HTTPUnauthorized(text="That is not the token.")
        session = secrets.token_urlsafe(32)
        self._sessions = [*self._sessions, session][-_MAX_SESSIONS:]
        response = web.Response(status=204)
        # Behind a proxy that has the TLS, only the browser knows.
        secure = request.secure or request.headers.get("Origin", "").startswith("https://")
        response.set_cookie(self._name(request), session, httponly=True, samesite="Strict", path="/", secure=secure)
        return response


def _checked(origin: str) -> str:
    found = origin.removesuffix("/").lower()
    if not _ORIGIN.fullmatch(found):
        raise ConfigError(f"{origin[:80]!r} is no origin: it is a scheme and a host, such as https://crm.example")
    return found
