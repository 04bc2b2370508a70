"""The request itself, against servers that answer in every way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeAlias

import pytest

from ziwo_async.simulator.hooks.post import NoAnswer, Outgoing, post
from ziwo_async.simulator.hooks.target import NoTarget, find_target

LIMIT = 5.0
Serve: TypeAlias = "Callable[[bytes], Awaitable[str]]"


@pytest.fixture
async def serve() -> AsyncGenerator[Serve]:
    servers: list[asyncio.Server] = []

    async def start(answer: bytes) -> str:
        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        servers.append(await asyncio.start_server(one, "127.0.0.1", 0))
        return f"http://localhost:{servers[-1].sockets[0].getsockname()[1]}/x"

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()


def outgoing() -> Outgoing:
    return Outgoing(content_type="application/json", body=b"{}")


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokmore", b"ok"),
        (b"HTTP/1.0 200 OK\r\n\r\nto the end", b"to the end"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
    ],
)
async def test_answers(serve: Serve, answer: bytes, body: bytes) -> None:
    reply = await post(find_target(await serve(answer)), outgoing(), LIMIT)
    assert (reply.status, reply.body) == (200, body)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"", "ended without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", "ended without an answer"),
        (b"SSH-2.0\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 abc\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", "no HTTP"),
    ],
)
async def test_what_is_no_answer(serve: Serve, answer: bytes, problem: str) -> None:
    with pytest.raises(NoAnswer, match=problem):
        await post(find_target(await serve(answer)), outgoing(), LIMIT)


async def test_hosts_that_are_allowed_are_called(serve: Serve) -> None:
    url = (await serve(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")).replace("localhost", "127.0.0.1")
    target = find_target(url.replace("127.0.0.1", "0.0.0.0"), {"0.0.0.0"})
    assert (await post(target, outgoing(), LIMIT)).status == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://0.0.0.0/",
        "http://example.com/",
        "http://[fe80::1]/",
        "http://2130706433/",
        "http://127.1/",
        "//127.0.0.1/",
    ],
)
def test_other_hosts_are_not(url: str) -> None:
    with pytest.raises(NoTarget):
        find_target(url)


@pytest.mark.parametrize(
    ("url", "host"),
    [("http://[::1]:1/", "::1"), ("http://127.9.9.9/", "127.9.9.9"), ("http://[::ffff:7f00:1]/", "127.0.0.1")],
)
def test_this_machine_has_many_addresses(url: str, host: str) -> None:
    assert find_target(url).hosts == (host,)


def test_what_a_target_shows_has_no_secrets() -> None:
    target = find_target("https://us%40er:pa%2Fss@127.0.0.1:8443/a%20b?token=t#f")
    assert (target.tls, target.port, target.host, target.path) == (True, 8443, "127.0.0.1:8443", "/a%20b?token=t")
    assert target.shown == "https://127.0.0.1:8443/a%20b"
    assert target.authorization == "Basic dXNAZXI6cGEvc3M="
    for secret in ("pa/ss", "pa%2Fss", "token", "dXNA"):
        assert secret not in repr(target)
