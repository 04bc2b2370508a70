"""What the network can do: no connection, TLS, silence, a cut in the middle. And no secret in any error."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
import trustme
from aiohttp import web
from aiohttp.abc import AbstractResolver
from yarl import URL

from ziwo_async.config import Timeouts
from ziwo_async.errors import (
    ApiError,
    BadCredentials,
    CannotConnect,
    ConnectionLost,
    DecodeError,
    RequestTimeout,
    TransportError,
    ZiwoError,
)
from ziwo_async.rest.auth import Credentials
from ziwo_async.rest.failures import translate


def dead_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def raw_server(answer: bytes, *, requests: list[bytes]) -> AsyncIterator[str]:
    """Read one request per connection, answer these bytes, and hang up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_dead_port_names_the_host_and_the_login_is_tried_again(kit):
    port = dead_port()
    asked = 0

    async def provider() -> Credentials:
        nonlocal asked
        asked += 1
        return kit.password()

    transport = kit.transport(f"http://127.0.0.1:{port}", provider)
    with pytest.raises(CannotConnect, match=f"127.0.0.1:{port}") as caught:
        await transport.request("GET", "/profile")
    assert "ECONNREFUSED" in str(caught.value)
    assert "check" in str(caught.value)
    assert caught.value.retryable
    assert asked == 3, "a login that found no connection is tried again, with credentials asked anew"


async def test_a_read_with_a_dead_port_is_retried_and_a_write_is_not(kit, ziwo):
    tries: list[str] = []
    transport = kit.transport(ziwo.url, http=(session := aiohttp.ClientSession(connector=Counting(tries))))
    async with session:
        await transport.login()
        await ziwo.stop()
        tries.clear()
        with pytest.raises(CannotConnect):
            await transport.request("GET", "/profile")
        assert len(tries) == 3
        tries.clear()
        with pytest.raises(CannotConnect):
            await transport.request("PUT", "/agents/autologin", json={})
        assert len(tries) == 1


class Counting(aiohttp.TCPConnector):
    """A real connector that notes each connection it makes; none is kept, so that each request makes one."""

    def __init__(self, tries: list[str]) -> None:
        super().__init__(force_close=True)
        self._tries = tries

    async def connect(self, req, traces, timeout):
        self._tries.append(req.method)
        return await super().connect(req, traces, timeout)


class NoSuchName(AbstractResolver):
    async def resolve(self, host, port=0, family=socket.AF_INET):
        raise OSError(None, "no such name")

    async def close(self) -> None:
        pass


async def test_a_name_that_does_not_exist(kit):
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=NoSuchName())) as session:
        transport = kit.transport("https://nobody-api.aswat.co", http=session)
        with pytest.raises(
            CannotConnect, match=r"nobody-api\.aswat\.co cannot be resolved; check the contact-centre name"
        ):
            await transport.request("GET", "/profile")


async def test_a_proxy_that_is_down(kit):
    async with aiohttp.ClientSession(proxy=f"http://127.0.0.1:{dead_port()}") as session:
        transport = kit.transport("http://127.0.0.1:9", http=session)
        with pytest.raises(CannotConnect, match="the proxy"):
            await transport.request("GET", "/profile")


async def test_nobody_accepts_the_connection(kit):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        crowd = []
        try:
            # A full backlog: the kernel drops further connection attempts without a word.
            for _ in range(4):
                one = socket.socket()
                one.setblocking(False)
                one.connect_ex(address)
                crowd.append(one)
            transport = kit.transport(f"http://127.0.0.1:{address[1]}", timeouts=Timeouts(connect=0.05))
            with pytest.raises(CannotConnect, match=r"did not accept a connection within 0\.05 s"):
                await transport.request("GET", "/profile")
        finally:
            for one in crowd:
                one.close()


@pytest.fixture
async def tls(kit) -> AsyncIterator[tuple[object, trustme.CA]]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = kit.Server()
    await server.start(context)
    yield server, authority
    await server.stop()


async def test_a_certificate_of_an_unknown_authority(kit, tls):
    server, _ = tls
    with pytest.raises(CannotConnect, match=r"TLS with 127\.0\.0\.1:\d+ failed: .*certificate") as caught:
        await kit.transport(server.url).request("GET", "/profile")
    assert "check the host name and the certificate" in str(caught.value)
    assert server.seen == []


async def test_a_private_authority_can_be_given(kit, tls):
    server, authority = tls
    context = ssl.create_default_context()
    authority.configure_trust(context)
    assert (await kit.transport(server.url, ssl=context).request("GET", "/profile")).status == 200


async def test_a_server_that_speaks_no_tls(kit, ziwo):
    with pytest.raises(CannotConnect, match="TLS with"):
        await kit.transport(ziwo.url.replace("http:", "https:")).request("GET", "/profile")


@pytest.mark.parametrize("begun", [False, True])
async def test_a_slow_answer(kit, ziwo, begun):
    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if begun:
            await response.prepare(request)
            await response.write(b'{"result"')
        await asyncio.Event().wait()
        return response

    ziwo.on("GET", "/x", slow)
    ziwo.on("POST", "/x", slow)
    transport = kit.transport(ziwo.url, timeouts=Timeouts(request=0.1))
    with pytest.raises(RequestTimeout, match=r"within 0\.1 s") as caught:
        await transport.request("POST", "/x")
    assert isinstance(caught.value, TimeoutError)
    assert ziwo.count("POST", "/x") == 1
    with pytest.raises(RequestTimeout):
        await transport.request("GET", "/x")
    assert ziwo.count("GET", "/x") == 3


async def test_a_slow_login_is_not_tried_again(kit, ziwo):
    async def slow(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    ziwo.on("POST", "/auth/login", slow)
    with pytest.raises(RequestTimeout):
        await kit.transport(ziwo.url, timeouts=Timeouts(login=0.1)).request("GET", "/profile")
    assert ziwo.seen == [("POST", "/auth/login")]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"])
async def test_a_write_whose_connection_breaks_is_sent_once(kit, method, answer):
    requests: list[bytes] = []
    async with raw_server(answer, requests=requests) as url:
        transport = kit.transport(url, Credentials.from_token("CANARY-t"))
        with pytest.raises(ConnectionLost):
            await transport.request(method, "/x", json={})
    assert len(requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02F\r\n\r\n",
    ],
)
async def test_a_read_that_breaks_is_tried_again(kit, answer):
    requests: list[bytes] = []
    async with raw_server(answer, requests=requests) as url:
        transport = kit.transport(url, Credentials.from_token("CANARY-t"))
        with pytest.raises(ConnectionLost) as caught:
            await transport.request("GET", "/x")
        if answer.startswith(b"SSH"):
            assert "does not speak HTTP" in str(caught.value)
    assert len(requests) == 3


async def test_a_connection_that_is_reset(kit):
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    server = await asyncio.start_server(reset, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        transport = kit.transport(url, Credentials.from_token("CANARY-t"))
        with pytest.raises(ConnectionLost, match="broke: ECONNRESET"):
            await transport.request("GET", "/x")


@pytest.mark.parametrize("error", [aiohttp.ClientError("CANARY"), aiohttp.InvalidURL("http://CANARY")])
def test_what_aiohttp_may_invent_later_is_told_by_its_kind_only(error):
    url = URL("https://acme-api.aswat.co/x?CANARY")
    ours = translate(error, url=url, limit=1, connect_limit=1)
    assert type(ours) is ConnectionLost
    assert str(ours) == f"the request to acme-api.aswat.co:443 failed ({type(error).__name__})"


async def test_a_body_whose_compression_is_broken(kit):
    body = b"not gzip at all"
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with raw_server(head + body, requests=[]) as url:
        with pytest.raises((ConnectionLost, DecodeError)):
            await kit.transport(url, Credentials.from_token("CANARY-t")).request("POST", "/x")


# --- secrets --------------------------------------------------------------------------------------------------------


async def failing(kit, ziwo, case: str) -> None:
    """Fail in one of many ways, with a token in use."""
    transport = kit.transport(ziwo.url, timeouts=Timeouts(request=0.1 if case == "hang" else 10))
    await transport.login()
    token = (await transport.access_token()).get_secret_value()

    async def hang(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return kit.ok({})

    if case == "dead":
        await ziwo.stop()
    elif case == "hang":
        ziwo.on("GET", "/x", hang)
    elif case == "cut":
        ziwo.on("GET", "/x", cut)
    elif case == "relogin":
        ziwo.password = "other"
        ziwo.tokens.clear()
    elif case == "echo in 200":
        ziwo.answers("GET", "/x", lambda: kit.failed(200, f"no {token}"))
    elif case == "no json":
        ziwo.answers("GET", "/x", lambda: web.Response(text=f"no {token}"))
    elif case == "redirect":
        ziwo.answers("GET", "/x", lambda: web.Response(status=302, headers={"Location": f"http://h/?t={token}"}))
    else:
        ziwo.answers("GET", "/x", lambda: kit.failed(int(case), f"you sent {token}"))
    await transport.request("GET", "/x", params={"token": token})


CASES = {
    "dead": CannotConnect,
    "hang": RequestTimeout,
    "cut": ConnectionLost,
    "relogin": BadCredentials,
    "echo in 200": ApiError,
    "no json": DecodeError,
    "redirect": ApiError,
    "400": ApiError,
    "401": BadCredentials,
    "403": ZiwoError,
    "404": ApiError,
    "412": ApiError,
    "429": ApiError,
    "503": ApiError,
}


@pytest.mark.parametrize("case", CASES)
async def test_no_error_tells_a_secret(kit, ziwo, case):
    with pytest.raises(CASES[case]) as caught:
        await failing(kit, ziwo, case)
    error = caught.value
    told = [str(error), repr(error), repr(error.args), repr(vars(error)), "".join(traceback.format_exception(error))]
    assert not [text for text in told if "CANARY" in text]
    # Nobody who walks the chain by hand finds an error of another library, with the headers in it.
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    assert all(isinstance(link, ZiwoError) for link in chain), chain


async def test_not_even_the_local_variables_of_our_frames_hold_a_secret(kit, ziwo):
    ziwo.password = "other"
    with pytest.raises(BadCredentials) as caught:
        await kit.transport(ziwo.url).request("GET", "/profile")
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in frames.stack if "ziwo_async" in frame.filename and "tests" not in frame.filename]
    assert ours
    for frame in ours:
        assert not any("CANARY" in value for value in (frame.locals or {}).values()), (frame.name, frame.locals)


async def test_transport_errors_are_one_family(kit):
    with pytest.raises(TransportError):
        await kit.transport(f"http://127.0.0.1:{dead_port()}").login()
