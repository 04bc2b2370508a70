"""Each error that a REST request can end with, over a real socket: its class, its words, and what it says to do."""

from __future__ import annotations

import ast
import asyncio
import re
import socket
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

import ziwo_async.rest
import ziwo_async.spend
from ziwo_async import (
    ApiError,
    AuthError,
    BadArgument,
    BadCredentials,
    CannotConnect,
    ClientClosed,
    ConfigError,
    Conflict,
    ConnectionLost,
    DecodeError,
    Forbidden,
    NotFound,
    PlaceError,
    RateLimited,
    RecordingNotReady,
    RequestTimeout,
    RetryPolicy,
    ServerError,
    SpendPolicy,
    SpendRefused,
    SqlitePlaces,
    Timeouts,
    TokenExpired,
    ZiwoClient,
    ZiwoError,
)
from ziwo_async import errors as tree

UUID = "5d2f3c1a-7f0e-4f6e-9d8b-0a1b2c3d4e5f"
Ask = Callable[[ZiwoClient], Awaitable[object]]


def profile(ziwo: ZiwoClient) -> Awaitable[object]:
    return ziwo.session.profile()


def client(url: str, **options) -> ZiwoClient:
    given = {"token": "CANARY-token", "retry": RetryPolicy(attempts=1), **options}
    return ZiwoClient(api_url=url, **given)


async def cut(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def silence(request: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


ANSWERED: list[tuple[type[ZiwoError], int, dict[str, str], str, bool]] = [
    (ApiError, 400, {}, "GET /profile failed with HTTP 400: said by the server", False),
    (TokenExpired, 401, {}, "the access token is refused", False),
    (Forbidden, 403, {}, "not allowed for this user: said by the server", False),
    (NotFound, 404, {}, "GET /profile failed with HTTP 404: said by the server", False),
    (Conflict, 409, {}, "HTTP 409", False),
    (Conflict, 412, {}, "HTTP 412", False),
    (RateLimited, 429, {"Retry-After": "3600"}, "HTTP 429", True),
    (ServerError, 500, {}, "HTTP 500", True),
    (ServerError, 503, {}, "HTTP 503", True),
    (ApiError, 302, {"Location": "https://example.com/"}, "redirects to https://example.com:443", False),
]


@pytest.mark.parametrize(("kind", "status", "headers", "words", "retryable"), ANSWERED)
async def test_what_the_server_answers(kit, ziwo, kind, status, headers, words, retryable):
    ziwo.answers("GET", "/profile", lambda: kit.failed(status, "said by the server", **headers))
    async with client(ziwo.url) as asking:
        with pytest.raises(kind, match=words.replace("(", r"\(")) as caught:
            await profile(asking)
    assert type(caught.value) is kind
    assert caught.value.retryable is retryable
    assert (caught.value.status, caught.value.method, caught.value.path) == (status, "GET", "/profile")
    assert "CANARY" not in str(caught.value)


ANSWERED_WITH_NONE = [
    (ApiError, lambda: web.json_response({"result": False, "error": {"message": "no"}}), "HTTP 200: no"),
    (DecodeError, lambda: web.Response(text="<html>"), "an HTML page; is this the REST address"),
    (DecodeError, lambda: web.json_response({"result": True, "content": "x"}), "not an object"),
    (DecodeError, lambda: web.Response(body=b"[" + b"1," * 5_000_000 + b"1]"), "larger than 8 MiB"),
]


@pytest.mark.parametrize(("kind", "handler", "words"), ANSWERED_WITH_NONE)
async def test_answers_that_are_none(ziwo, kind, handler, words):
    ziwo.answers("GET", "/profile", handler)
    async with client(ziwo.url) as asking:
        with pytest.raises(kind, match=words) as caught:
            await profile(asking)
    assert type(caught.value) is kind


async def test_a_wrong_password(ziwo):
    async with client(ziwo.url, token=None, username="x", password="CANARY-wrong") as asking:
        with pytest.raises(BadCredentials, match="refuses user and password") as caught:
            await profile(asking)
    error = caught.value
    assert (error.status, error.method, error.path) == (401, "POST", "/auth/login")
    assert error.message == "wrong password ***"
    assert "CANARY" not in str(error)


async def test_nobody_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        async with client(f"http://127.0.0.1:{free.getsockname()[1]}") as asking:
            with pytest.raises(CannotConnect, match="check host, port and network"):
                await profile(asking)


async def test_a_connection_that_ends(ziwo):
    ziwo.on("GET", "/profile", cut)
    async with client(ziwo.url) as asking:
        with pytest.raises(ConnectionLost, match="ended before the answer"):
            await profile(asking)


async def test_a_server_that_says_nothing(ziwo):
    ziwo.on("GET", "/profile", silence)
    async with client(ziwo.url, timeouts=Timeouts(request=0.05)) as asking:
        with pytest.raises(RequestTimeout, match=r"within 0\.05 s"):
            await profile(asking)


async def test_a_client_that_is_closed(ziwo):
    asking = client(ziwo.url)
    await asking.aclose()
    with pytest.raises(ClientClosed):
        await profile(asking)


async def test_a_recording_that_is_not_ready(kit, ziwo, tmp_path):
    missing = f"/surveillance/recordings/{UUID}.mp3"
    ziwo.answers("GET", missing, lambda: kit.failed(404, "no such file"))
    async with client(ziwo.url) as asking:
        with pytest.raises(RecordingNotReady) as caught:
            await asking.recordings.download(UUID, tmp_path, route="surveillance", wait=0.0)
    assert isinstance(caught.value, NotFound)
    assert caught.value.retryable is True


NOTHING_SENT: list[tuple[type[ZiwoError], Ask, str]] = [
    (ConfigError, lambda ziwo: ziwo.request("FETCH", "/x"), "not one of the methods"),
    (ConfigError, lambda ziwo: ziwo.request("GET", "/x/../y"), "segment"),
    (ConfigError, lambda ziwo: ziwo.cti.call("0011", "+97150000000"), "ZIWO_API_KEY"),
    (BadArgument, lambda ziwo: ziwo.recordings.signed_url("46"), "callID"),
    (SpendRefused, lambda ziwo: ziwo.agent.click_to_call("+4420000000"), "begins with none of"),
]


@pytest.mark.parametrize(("kind", "ask", "words"), NOTHING_SENT)
async def test_what_is_refused_before_anything_is_sent(ziwo, kind, ask, words):
    async with client(ziwo.url, spend=SpendPolicy(allowed_prefixes=("+971",))) as asking:
        with pytest.raises(kind, match=words) as caught:
            await ask(asking)
    assert type(caught.value) is kind
    assert ziwo.seen == []


async def test_a_provider_of_credentials_that_fails(ziwo):
    both_ask = asyncio.Event()

    async def provider():
        await both_ask.wait()
        raise RuntimeError("CANARY")

    async with client(ziwo.url, token=None, credentials=provider) as asking:
        first, second = (asyncio.create_task(profile(asking)) for _ in range(2))
        asyncio.get_running_loop().call_later(0.05, both_ask.set)
        with pytest.raises(RuntimeError):  # whoever asked gets what the provider raised
            await first
        with pytest.raises(AuthError, match="provider failed") as caught:
            await second
    assert type(caught.value) is AuthError
    assert "CANARY" not in str(caught.value)
    assert caught.value.retryable is True


async def test_a_place_that_cannot_be_read(kit, ziwo, tmp_path):
    ziwo.answers("GET", "/profile", lambda: kit.ok({"id": 1, "username": "x"}))
    places = SqlitePlaces(tmp_path / "places")
    await places.save("x", "y")
    with closing(sqlite3.connect(tmp_path / "places")) as other:
        other.execute("DROP TABLE places")
    async with client(ziwo.url) as asking:
        with pytest.raises(PlaceError, match="cannot be read"):
            await anext(asking.calls.missed(since=timedelta(hours=1), store=places))


# --- is one missing? ------------------------------------------------------------------------------------------------

REST = Path(ziwo_async.rest.__file__).parent
FAMILIES = {"ZiwoError", "TransportError"}
"""Classes that code catches and docstrings name, for all that derive from them."""


class Named(ast.NodeVisitor):
    """The errors that a source makes or keeps in a table, and those that public docstrings say are raised."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        self.found |= {node.id} & {*tree.__all__}

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        raises = (ast.get_docstring(node) or "").partition("Raises:")[2]
        self.found |= {*re.findall(r"^    (\w+): ", raises, re.MULTILINE)} & {*tree.__all__}
        for inner in node.body:  # not its annotations
            self.visit(inner)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        for inner in node.body:  # not what it catches
            self.visit(inner)

    def visit_Call(self, node: ast.Call) -> None:
        if not (isinstance(node.func, ast.Name) and node.func.id == "isinstance"):
            self.generic_visit(node)


def named_in(*sources: Path) -> set[str]:
    named = Named()
    for source in sources:
        named.visit(ast.parse(source.read_text(encoding="utf-8")))
    return named.found


def shown_here() -> set[str]:
    """The classes in the tables above, and those that a test of this file expects."""
    tables = {kind.__name__ for kind, *_ in (*ANSWERED, *ANSWERED_WITH_NONE, *NOTHING_SENT)}
    calls = [
        node for node in ast.walk(ast.parse(Path(__file__).read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
    ]
    expected = [call.args[0] for call in calls if ast.unparse(call.func) == "pytest.raises"]
    return tables | {kind.id for kind in expected if isinstance(kind, ast.Name)}


def test_no_error_of_the_rest_layer_is_missing_here() -> None:
    raised = named_in(*REST.rglob("*.py"), Path(ziwo_async.spend.__file__))
    errors = {name for name in raised if issubclass(getattr(tree, name), ZiwoError)}  # and no warnings
    assert len(errors) > 15
    assert errors - FAMILIES - shown_here() == set()


def test_a_new_class_could_not_hide(tmp_path) -> None:
    source = tmp_path / "new.py"
    source.write_text("""
TABLE = {410: CallGone}
async def get() -> VertoError:
    \"\"\"Get it.

    Raises:
        BadFrame: It is broken.
    \"\"\"
    try:
        ...
    except StreamOverflow as error:
        if not isinstance(error, MediaError):
            raise WrongState("no") from None
""")
    assert named_in(source) == {"CallGone", "BadFrame", "WrongState"}
