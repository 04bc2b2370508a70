"""Bodies that are too slow, too large or not what they should be: cut, and told by the right status."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from ziwo_async.errors import ConfigError
from ziwo_async.webhooks import CdrHook, TrackerService, call

from .serving import KEY, form, post, read_reply, send, serve

HEAD = f"POST /startCall HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nContent-Type: application/json\r\n".encode()
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def tracker(*, read_timeout: float = 30.0, max_body: int = 262_144) -> TrackerService:
    return TrackerService(
        keys=[KEY], fallback=[call("047654321")], read_timeout=read_timeout, max_body=max_body, start_timeout=60
    )


async def test_a_body_that_never_ends_is_given_up(server: str) -> None:
    service = tracker(read_timeout=0.2)
    async with serve(service, server) as port:
        for head in (CHUNKED + b"1\r\n{\r\n", HEAD + b"Content-Length: 1000\r\n\r\n{"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head)
            assert (await read_reply(reader)).status == 408
            writer.close()
    assert service.stats.rejected == 2


async def test_a_body_that_trickles_is_given_up_too(server: str) -> None:
    # Each byte comes in time; all of them together do not.
    async with serve(tracker(read_timeout=0.3), server) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(CHUNKED)
        reply = asyncio.create_task(read_reply(reader))
        while not reply.done():
            writer.write(b"1\r\n \r\n")
            await asyncio.wait((reply,), timeout=0.02)
        assert reply.result().status == 408
        writer.close()


async def test_a_gigabyte_in_chunks_is_cut(server: str) -> None:
    async with serve(tracker(), server) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(CHUNKED)
        reply = asyncio.create_task(read_reply(reader))
        chunk, sent = b"10000\r\n" + b"x" * 65536 + b"\r\n", 0
        while sent < 1 << 30 and not reply.done():
            try:
                writer.write(chunk)
                await writer.drain()
            except ConnectionError:
                break
            sent += 65536
            await asyncio.sleep(0)
        assert (await reply).status == 413
        assert sent < 1 << 28
        writer.close()


@pytest.mark.parametrize("length", [b"262145", b"1073741824", b"9" * 30])
async def test_a_length_that_is_too_large_is_enough(server: str, length: bytes) -> None:
    async with serve(tracker(), server) as port:
        status = (await send(port, HEAD + b"Content-Length: %s\r\n\r\n" % length)).status
    # A server may refuse a number of thirty digits by itself.
    assert status == 413 if len(length) < 20 else status in (400, 413)


async def test_the_limit_is_exact(server: str) -> None:
    async with serve(tracker(max_body=100), server) as port:
        for size, status in ((100, 200), (101, 413)):
            body = b'{"didCalled": "06"}'.ljust(size)
            assert (await send(port, post("/startCall", body))).status == status
            parts = b"".join(
                b"%x\r\n%s\r\n" % (len(body[at : at + 50]), body[at : at + 50]) for at in (0, 50, 100) if body[at:]
            )
            assert (await send(port, CHUNKED + parts + b"0\r\n\r\n")).status == status


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"br", b"gzip, gzip"])
async def test_a_compressed_body_is_never_unpacked(server: str, encoding: bytes) -> None:
    bomb = gzip.compress(bytes(1 << 24))
    async with serve(tracker(), server) as port:
        request = post("/startCall", bomb, more=b"Content-Encoding: %s\r\n" % encoding)
        status = (await send(port, request)).status
    # aiohttp itself refuses what it could not unpack.
    assert status in ((400, 415) if encoding == b"br" else (415,))


@pytest.mark.parametrize("key", [KEY, "x" * 20])
async def test_of_a_compressed_body_no_more_is_read(server: str, key: str) -> None:
    head = f"POST /startCall HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Encoding: gzip\r\n".encode()
    async with serve(tracker(), server) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + b"Content-Length: 200000\r\n\r\n" + gzip.compress(bytes(1 << 20))[:500])
        assert (await read_reply(reader)).status == (415 if key == KEY else 401)
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize(
    ("kind", "body"),
    {
        "no object": (b"application/json", b"[1]"),
        "no JSON": (b"application/json", b"{"),
        "broken UTF-8": (b"application/json", b'{"didCalled": "\xff"}'),
        "half a pair": (b"application/json", b'{"didCalled": "\\ud800"}'),
        "too deep": (b"application/json", b'{"didCalled": "06", "a": ' + b"[" * 100 + b"]" * 100 + b"}"),
        "much too deep": (b"application/json", b"[" * 200_000),
        "no didCalled": (b"application/json", b'{"a": 1}'),
        "no text": (b"application/json", b'{"didCalled": {"a": 1}}'),
        "true": (b"application/json", b'{"didCalled": true}'),
        "empty": (b"application/json", b'{"didCalled": ""}'),
        "nothing": (b"application/json", b""),
        "form without it": (b"application/x-www-form-urlencoded", b"a=1"),
        "form, twice": (b"application/x-www-form-urlencoded", b"didCalled=1&didCalled=2"),
        "form, broken UTF-8": (b"application/x-www-form-urlencoded", b"didCalled=%ff"),
        "form, many fields": (b"application/x-www-form-urlencoded", b"didCalled=1" + b"&a=1" * 300),
        "no boundary": (b"multipart/form-data", form(didCalled="1")[0]),
        "another boundary": (b"multipart/form-data; boundary=x", form(didCalled="1")[0]),
        "no end": (form()[1], form(didCalled="1")[0][:-4]),
        "many parts": (form()[1], form(**{f"n{number}": "" for number in range(300)}, didCalled="1")[0]),
    }.values(),
)
async def test_what_is_malformed_is_400_and_never_500(kind: bytes, body: bytes) -> None:
    service = tracker()
    async with serve(service, "aiohttp") as port:
        reply = await send(port, post("/startCall", body, kind))
    assert reply.status == 400
    assert json.loads(reply.body)["result"] is False
    assert service.stats.started == 0


async def test_other_kinds_of_body_are_415(server: str) -> None:
    async with serve(tracker(), server) as port:
        for kind in (b"text/plain", b"application/xml", b"image/png", b"multipart/mixed; boundary=x"):
            assert (await send(port, post("/startCall", b'{"didCalled": "06"}', kind))).status == 415


async def test_two_content_types_are_400(server: str) -> None:
    async with serve(tracker(), server) as port:
        request = post("/startCall", b'{"didCalled": "06"}', more=b"Content-Type: text/plain\r\n")
        assert (await send(port, request)).status == 400


async def test_chunks_that_make_no_sense_are_400(server: str) -> None:
    async with serve(tracker(), server) as port:
        assert (await send(port, CHUNKED + b"zz\r\n")).status == 400


async def test_other_methods_and_paths(server: str) -> None:
    async with serve(tracker(), server) as port:
        for method in (b"GET", b"PUT", b"DELETE", b"OPTIONS"):
            reply = await send(port, method + post("/startCall", b"")[4:])
            assert (reply.status, reply.headers["allow"]) == (405, "post")
        for path in ("/", "/startcall", "/startCall/", "/startCall/x", "//startCall", "/start%43all%00"):
            assert (await send(port, post(path, b'{"didCalled": "06"}'))).status == 404


async def test_a_sender_that_goes_away_in_the_middle_disturbs_nobody(server: str) -> None:
    async with serve(tracker(), server) as port:
        for _ in range(5):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HEAD + b"Content-Length: 100\r\n\r\n{")
            await writer.drain()
            writer.transport.abort()
        assert (await send(port, post("/startCall", b'{"didCalled": "06"}'))).status == 200


@pytest.mark.parametrize("service", [TrackerService, CdrHook])
@pytest.mark.parametrize("name", ["max_body", "read_timeout"])
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), True, "5"])
def test_limits_that_make_no_sense_are_refused(service: type[TrackerService], name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name):
        service(keys=[KEY], **{name: value})  # type: ignore[arg-type]
