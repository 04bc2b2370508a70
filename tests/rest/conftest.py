"""A small ZIWO-like REST server on loopback: real sockets, and every answer can be replaced by a test."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from aiohttp import web

from ziwo_async.config import RetryPolicy, Timeouts
from ziwo_async.rest.auth import Credentials, CredentialsProvider
from ziwo_async.rest.transport import Transport

USER = "agent@acme.test"
PASSWORD = "CANARY-password-9b1f"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PROFILE = {
    "id": 7,
    "firstName": "Ada",
    "username": USER,
    "type": "agent",
    "ccLogin": "0011",
    "ccPassword": "CANARY-cc-5d2e",
    "liveInfo": {"status": "Available"},
}


class Ziwo:
    """The server. `on()` replaces the answer of a route; `seen` holds what arrived."""

    def __init__(self) -> None:
        self.password = PASSWORD
        self.tokens: set[str] = set()
        self.logins = 0
        self.seen: list[tuple[str, str]] = []
        self.raw_paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.login_forms: list[dict[str, str]] = []
        self.disconnected = asyncio.Event()
        self._routes: dict[tuple[str, str], Handler] = {}
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self, ssl_context: object = None) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=ssl_context)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"{'https' if ssl_context else 'http'}://127.0.0.1:{port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def on(self, method: str, path: str, handler: Handler) -> None:
        self._routes[method, path] = handler

    def answers(self, method: str, path: str, *responses: Callable[[], web.Response]) -> None:
        """Give one response after the other; the last one for ever."""
        left = list(responses)

        async def handler(request: web.Request) -> web.Response:
            make = left.pop(0) if len(left) > 1 else left[0]
            return make()

        self.on(method, path, handler)

    def count(self, method: str, path: str) -> int:
        return self.seen.count((method, path))

    def allowed(self, request: web.Request) -> bool:
        return request.headers.get("access_token") in self.tokens

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.method, request.path))
        self.raw_paths.append(request.raw_path)
        self.headers.append(dict(request.headers))
        handler = self._routes.get((request.method, request.path))
        try:
            if handler is not None:
                return await handler(request)
            if request.path == "/auth/login":
                return await self.login(request)
        except asyncio.CancelledError:
            self.disconnected.set()
            raise
        if not self.allowed(request):
            return failed(401, "bad token")
        if request.path == "/profile":
            return ok(PROFILE)
        return ok({})

    async def login(self, request: web.Request) -> web.Response:
        self.logins += 1
        form = {key: str(value) for key, value in (await request.post()).items()}
        self.login_forms.append(form)
        if form.get("password") != self.password:
            return failed(401, f"wrong password {form.get('password')}")
        token = f"CANARY-token-{uuid.uuid4()}"
        self.tokens.add(token)
        return ok({**PROFILE, "access_token": token})


def ok(content: object, **info: object) -> web.Response:
    return web.json_response({"result": True, "content": content, "info": info})


def failed(status: int, text: str, **headers: str) -> web.Response:
    return web.json_response({"result": False, "error": {"message": text}}, status=status, headers=headers)


class Kit:
    """What the tests need from here; importing from a conftest is not possible."""

    USER = USER
    PASSWORD = PASSWORD
    PROFILE = PROFILE
    ok = staticmethod(ok)
    failed = staticmethod(failed)
    Server = Ziwo
    quick = RetryPolicy(attempts=3, base=0.001, cap=0.002, max_retry_after=5.0)

    def __init__(self) -> None:
        self.transports: list[Transport] = []

    def transport(
        self, url: str, credentials: Credentials | CredentialsProvider | None = None, **options: object
    ) -> Transport:
        options.setdefault("retry", self.quick)
        options.setdefault("timeouts", Timeouts())
        made = Transport(url, credentials or self.password(), **options)  # type: ignore[arg-type]
        self.transports.append(made)
        return made

    def password(self, password: str = PASSWORD) -> Credentials:
        return Credentials.from_password(USER, password)


@pytest.fixture
async def kit() -> AsyncIterator[Kit]:
    made = Kit()
    yield made
    for transport in made.transports:
        await transport.aclose()


@pytest.fixture
async def ziwo() -> AsyncIterator[Ziwo]:
    server = Ziwo()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def elsewhere() -> AsyncIterator[Ziwo]:
    server = Ziwo()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(autouse=True)
def no_canary_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Every test of this folder runs with all loggers at DEBUG, and no secret may show up."""
    caplog.set_level(logging.DEBUG)
    yield
    for phase in ("setup", "call"):
        for record in caplog.get_records(phase):  # type: ignore[arg-type]
            assert "CANARY" not in record.getMessage()
            assert "CANARY" not in str(record.exc_text or "")
