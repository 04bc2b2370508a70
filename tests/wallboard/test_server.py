"""The server: who gets in, what it says of itself, and streams that end."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from importlib.resources import files
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from ziwo_async.serving.gate import Gate
from ziwo_async.wallboard.board import Board
from ziwo_async.wallboard.server import _PAGE, WallboardServer

from .conftest import Feed
from .rows import agent


@pytest.fixture
async def http(server: WallboardServer) -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)  # an address is no name
    async with aiohttp.ClientSession(server.url, cookie_jar=jar, timeout=aiohttp.ClientTimeout(20)) as session:
        yield session


async def enter(http: aiohttp.ClientSession, server: WallboardServer) -> aiohttp.ClientResponse:
    return await http.post("/session", json={"token": server.gate.token.get_secret_value()})


async def messages(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    async for line in response.content:
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


async def news(told: AsyncIterator[dict[str, Any]]) -> dict[str, Any]:
    """The next message that tells anything; on a busy machine heartbeats may come between."""
    async for message in told:
        if {"agents", "calls", "queues", "kpis"} & set(message):
            return message
    raise AssertionError("the stream ended")


# --- who gets in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/session", "/stream"])
async def test_nothing_is_told_without_the_cookie(http: aiohttp.ClientSession, path: str) -> None:
    for headers in ({}, {"Cookie": "ziwo_wallboard=x"}):
        async with http.get(path, headers=headers) as response:
            assert response.status == 401


async def test_the_cookie_stands_for_the_token_and_is_not_the_token(
    http: aiohttp.ClientSession, server: WallboardServer
) -> None:
    response = await enter(http, server)
    assert response.status == 204
    cookie = response.headers["Set-Cookie"]
    assert re.fullmatch(r"ziwo_wallboard_\d+=[\w-]{43}; HttpOnly; Path=/; SameSite=Strict", cookie)
    assert server.gate.token.get_secret_value() not in cookie
    async with http.get("/session") as again:
        assert again.status == 204


@pytest.mark.parametrize("query", ["token", "access_token"])
async def test_a_token_in_the_query_lets_nobody_in(
    http: aiohttp.ClientSession, server: WallboardServer, query: str
) -> None:
    async with http.get("/stream", params={query: server.gate.token.get_secret_value()}) as response:
        assert response.status == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"json": {"token": "wrong"}}, 401),
        ({"json": {"token": "wr\N{LATIN SMALL LETTER O WITH DIAERESIS}ng"}}, 401),
        ({"json": {"token": None}}, 400),
        ({"json": ["token"]}, 400),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": b"[" * 4000, "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": b"no gzip", "headers": {"Content-Type": "application/json", "Content-Encoding": "gzip"}}, 400),
        ({"data": b'{"token": "\\ud800"}', "headers": {"Content-Type": "application/json; charset=no"}}, 401),
        ({"data": {"token": "x"}}, 415),
        ({"json": {"token": "x" * 5000}}, 413),
    ],
)
async def test_what_is_not_the_token_is_refused(http: aiohttp.ClientSession, body: dict[str, Any], status: int) -> None:
    async with http.post("/session", **body) as response:
        assert response.status == status
        assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},  # DNS rebinding: the browser says the name that it looked up
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1.evil.example:{port}"},
        {"Host": "127.0.0.1:1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},  # another port of this machine
    ],
)
async def test_other_names_and_other_sites_are_refused(
    http: aiohttp.ClientSession, server: WallboardServer, headers: dict[str, str]
) -> None:
    await enter(http, server)
    port = server.url.rpartition(":")[2].rstrip("/")
    sent = {name: value.format(port=port) for name, value in headers.items()}
    for method, path in (("POST", "/session"), ("GET", "/session"), ("GET", "/stream"), ("GET", "/main.js")):
        async with http.request(method, path, headers=sent) as response:
            assert response.status == 403, path


async def test_a_cookie_that_is_no_text_is_none(http: aiohttp.ClientSession, server: WallboardServer) -> None:
    cookie = b"ziwo_wallboard_%d=\xff\xfe" % server._port
    reader, writer = await asyncio.open_connection("127.0.0.1", server._port)
    writer.write(b"GET /session HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nCookie: %b\r\n\r\n" % (server._port, cookie))
    async with asyncio.timeout(20):
        assert (await reader.readline()).split()[1] == b"401"
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(("port", "host", "ours"), [(80, "localhost", True), (8066, "localhost", False)])
def test_browsers_leave_out_the_port_80(port: int, host: str, ours: bool) -> None:
    gate = Gate("x")
    gate.serve_on(port)
    request = make_mocked_request("GET", "/", headers={"Host": host})
    if ours:
        gate.check_names(request)
    else:
        with pytest.raises(web.HTTPForbidden):
            gate.check_names(request)


async def test_localhost_is_a_name_of_ours(server: WallboardServer) -> None:
    url = server.url.replace("127.0.0.1", "localhost")
    connector = aiohttp.TCPConnector(resolver=_Loopback())
    async with aiohttp.ClientSession(connector=connector) as session, session.get(url) as response:
        assert response.status == 200


class _Loopback(aiohttp.abc.AbstractResolver):
    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[aiohttp.abc.ResolveResult]:
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        pass


async def test_a_new_start_has_a_new_token(board: Board, feed: Feed) -> None:
    tokens = {WallboardServer(board, feed, title="").gate.token.get_secret_value() for _ in range(5)}
    assert len(tokens) == 5
    assert min(map(len, tokens)) >= 43


async def test_old_sessions_make_room(http: aiohttp.ClientSession, server: WallboardServer) -> None:
    await enter(http, server)
    async with aiohttp.ClientSession(server.url) as others:
        for _ in range(64):
            await enter(others, server)
    async with http.get("/session") as response:
        assert response.status == 401


# --- what it says of itself -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/main.js", "/board.css", "/icon.svg", "/session", "/nothing", "/../server.py"])
async def test_every_answer_has_the_headers(http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(path) as response:
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.status in {200, 401, 404}


async def test_the_page_has_no_inline_code_and_no_other_host(http: aiohttp.ClientSession) -> None:
    async with http.get("/") as response:
        page = await response.text()
    assert re.findall(r"<script[^>]*>", page) == ['<script type="module" src="main.js">']
    assert not re.search(r"\son\w+=|style=|https?:|//", page)


async def test_the_token_is_in_no_log_and_no_repr(
    http: aiohttp.ClientSession, server: WallboardServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    response = await enter(http, server)
    async with http.get("/session"):
        pass
    token = server.gate.token.get_secret_value()
    cookie = response.cookies.popitem()[1].value
    for secret in (token, cookie):
        assert secret not in caplog.text
        assert secret not in repr(server) + repr(server.gate.__dict__["token"])


async def test_it_listens_on_loopback_alone(server: WallboardServer) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    assert server._runner is not None
    assert {address[0] for address in server._runner.addresses} == {"127.0.0.1"}


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing(
    server: WallboardServer, board: Board, feed: Feed
) -> None:
    port = int(server.url.rpartition(":")[2].rstrip("/"))
    with pytest.raises(OSError, match="address already in use"):
        async with WallboardServer(board, feed, title="", port=port):
            pass


# --- streams ----------------------------------------------------------------------------------------------------------


async def test_a_stream_tells_everything_then_the_differences(
    http: aiohttp.ClientSession, server: WallboardServer, board: Board, feed: Feed
) -> None:
    board.put("agents", {"1": agent("Ann"), "2": agent("Bob")})
    await enter(http, server)
    async with http.get("/stream") as response, asyncio.timeout(20):
        told = messages(response)
        first = await anext(told)
        assert first["full"] is True
        assert set(first["agents"]) == {"1", "2"}
        assert (first["live"], first["at"], first["title"]) == (True, feed.at, "acme")
        board.put("agents", {"1": dict(board.rows("agents")["1"]), "3": agent("Cy")})
        second = await news(told)
        assert set(second["agents"]) == {"2", "3"}  # Ann is as she was
        assert second["agents"]["2"] is None
        assert "full" not in second
        heartbeat = await anext(told)  # nothing new is told, too
        assert not {"agents", "calls", "queues", "kpis"} & set(heartbeat)


async def test_a_slow_page_gets_the_newest_and_nothing_piles_up(
    http: aiohttp.ClientSession, server: WallboardServer, board: Board
) -> None:
    await enter(http, server)
    async with http.get("/stream") as response, asyncio.timeout(20):
        told = messages(response)
        await anext(told)
        for number in range(500):
            board.put("agents", {"1": agent("Ann", status=str(number))})
        assert (await news(told))["agents"]["1"]["status"] == "499"


async def test_open_pages_have_a_limit(http: aiohttp.ClientSession, server: WallboardServer) -> None:
    await enter(http, server)
    streams = [await http.get("/stream") for _ in range(16)]
    assert {stream.status for stream in streams} == {200}
    async with http.get("/stream") as one_more:
        assert one_more.status == 503
    for stream in streams:
        stream.close()


async def test_streams_end_with_the_server(board: Board, feed: Feed) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as http:
        async with WallboardServer(board, feed, title="acme") as server:
            await http.post(f"{server.url}session", json={"token": server.gate.token.get_secret_value()})
            response = await http.get(f"{server.url}stream")
            told = messages(response)
            await anext(told)
        async with asyncio.timeout(20):
            assert [message async for message in told if message.get("full")] == []


# --- the board --------------------------------------------------------------------------------------------------------


async def test_a_board_tells_only_what_differs() -> None:
    board = Board()
    board.put("agents", {"1": agent("Ann", since=1.0)})
    seen = board.seen()
    assert board.difference(seen) == {}
    board.put("agents", {"1": agent("Ann", since=1.0)})
    assert board.difference(seen) == {}
    board.put("agents", {"1": agent("Ann", since=2.0), "2": agent("Bob", since=1.0)})
    assert {kind: set(rows) for kind, rows in board.difference(seen).items()} == {"agents": {"1", "2"}}
    board.put("agents", {})
    assert board.difference(seen) == {"agents": {"1": None}}


async def test_waiting_ends_with_a_change_or_the_time() -> None:
    board = Board()
    waiting = asyncio.create_task(board.wait(600))
    await asyncio.sleep(0)
    board.put("queues", {"1": {"name": "x"}})
    async with asyncio.timeout(20):
        await waiting
    await board.wait(0.01)


def test_every_file_of_the_page_is_in_the_package_and_served() -> None:
    shipped = {file.name for file in files("ziwo_async.wallboard").joinpath("page").iterdir()}
    assert shipped == set(_PAGE.values())
