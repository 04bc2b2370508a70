"""Who may see the wallboard: the token, the cookie that stands for it, and the names that the server answers to."""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import SecretStr

__all__ = ["Gate"]

# More open pages are one wall each. The oldest session goes first.
_MAX_SESSIONS = 64


class Gate:
    """Lets in who has the token. It is handed over once, in the body of a POST; a cookie stands for it afterwards.

    Attributes:
        token: The token; made anew at each start.
    """

    def __init__(self) -> None:
        self.token = SecretStr(secrets.token_urlsafe(32))
        self._sessions: list[str] = []
        self._port = 0

    def serve_on(self, port: int) -> None:
        """Say which port the server has: names with another port are refused."""
        self._port = port

    @property
    def _cookie(self) -> str:
        # Browsers do not keep cookies of different ports apart.
        return f"ziwo_wallboard_{self._port}"

    def check_host(self, request: web.Request) -> None:
        """Refuse a request that was made to another name, or by another site's page.

        A page of an attacker can make its own name lead to 127.0.0.1 (DNS rebinding); the browser then still says that
        name in `Host`.

        Raises:
            HTTPForbidden: The request is not for us.
        """
        names = {f"{name}:{self._port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        if request.headers.getall("Host", []) not in ([name] for name in names):
            raise web.HTTPForbidden(text="This server answers to its loopback address only.")
        origin = request.headers.get("Origin")
        if origin is not None and (urlsplit(origin).scheme != "http" or urlsplit(origin).netloc not in names):
            raise web.HTTPForbidden(text="Asked by a page of another site.")
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"} and (
            request.path != "/" or request.method != "GET"
        ):
            raise web.HTTPForbidden(text="Asked by a page of another site.")

    def check_session(self, request: web.Request) -> None:
        """Refuse a request without a cookie that was given for the token.

        Raises:
            HTTPUnauthorized: It has none.
        """
        given = request.cookies.get(self._cookie, "").encode()
        # Every one is compared, so that the time tells nothing.
        if not sum(hmac.compare_digest(given, known.encode()) for known in self._sessions):
            raise web.HTTPUnauthorized(text="The token is needed.")

    def let_in(self, given: str, response: web.Response) -> None:
        """Check the token, and set the cookie.

        Args:
            given: What was handed over.
            response: The response that gets the cookie.

        Raises:
            HTTPUnauthorized: It is not the token.
        """
        if not hmac.compare_digest(given.encode(), self.token.get_secret_value().encode()):
            raise web.HTTPUnauthorized(text="That is not the token.")
        session = secrets.token_urlsafe(32)
        self._sessions = [*self._sessions, session][-_MAX_SESSIONS:]
        response.set_cookie(self._cookie, session, httponly=True, samesite="Strict", path="/")
