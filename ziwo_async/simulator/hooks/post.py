"""A POST over a connection of its own, byte by byte.

Not aiohttp's client: it cannot send what is wrong on purpose, and it opens its sockets itself, for which virtual time
has no place.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field

from .target import Target

__all__ = ["NoAnswer", "Outgoing", "Reply", "post"]

_MOST_BYTES = 256 * 1024
_CLOSE_TIMEOUT = 1.0


class NoAnswer(Exception):
    """There was no answer, or none that is HTTP; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """What is sent, and how.

    Attributes:
        content_type: Type of the body.
        body: The body.
        keys: One `X-API-KEY` header each.
        wait: Seconds from the headers to the body.
        piece: Bytes of a piece of the body; None: it is sent whole.
        pause: Seconds between two pieces.
        cut: Only half of the body is sent, then the sending side ends.
    """

    content_type: str
    body: bytes = field(repr=False)
    keys: Sequence[bytes] = field(default=(), repr=False)
    wait: float = 0.0
    piece: int | None = None
    pause: float = 0.0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer."""

    status: int
    body: bytes = field(repr=False)


async def post(target: Target, outgoing: Outgoing, limit: float) -> Reply:
    """Send a request and read the answer. Redirects are not followed.

    Args:
        target: Where to.
        outgoing: What.
        limit: Seconds for all of it.

    Raises:
        NoAnswer: There was none in time, or none that is HTTP.
    """
    try:
        async with asyncio.timeout(limit):
            reader, writer = await _connect(target)
            try:
                reply = await _exchange(reader, writer, _head(target, outgoing), outgoing)
            except BaseException:
                writer.transport.abort()
                raise
            writer.close()
    except TimeoutError:
        raise NoAnswer("No answer in time") from None
    with contextlib.suppress(OSError):
        async with asyncio.timeout(_CLOSE_TIMEOUT):
            await writer.wait_closed()
    return reply


async def _connect(target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = ssl.create_default_context() if target.tls else None
    for host in target.hosts:
        try:
            return await asyncio.open_connection(host, target.port, ssl=context)
        except OSError:
            continue
    raise NoAnswer("Cannot connect")


def _head(target: Target, outgoing: Outgoing) -> bytes:
    lines = [
        f"POST {target.path} HTTP/1.1",
        f"Host: {target.host}",
        "User-Agent: ziwo-simulator",
        "Accept: */*",
        "Connection: close",
        f"Content-Type: {outgoing.content_type}",
        f"Content-Length: {len(outgoing.body)}",
    ]
    if target.authorization:
        lines.append(f"Authorization: {target.authorization}")
    head = [line.encode("latin-1") for line in lines]
    return b"\r\n".join([*head, *(b"X-API-KEY: " + key for key in outgoing.keys), b"", b""])


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes, outgoing: Outgoing
) -> Reply:
    # Both at once: a server may answer, and close, before it has read everything.
    sending = asyncio.create_task(_send(writer, head, outgoing))
    try:
        return await _read(reader)
    except (asyncio.IncompleteReadError, OSError):
        raise NoAnswer("The connection ended without an answer") from None
    except (ValueError, asyncio.LimitOverrunError):
        raise NoAnswer("The answer is no HTTP that can be read") from None
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _send(writer: asyncio.StreamWriter, head: bytes, outgoing: Outgoing) -> None:
    body = outgoing.body[: len(outgoing.body) // 2] if outgoing.cut else outgoing.body
    writer.write(head)
    if outgoing.wait > 0:
        await asyncio.sleep(outgoing.wait)
    size = outgoing.piece or max(len(body), 1)
    for begin in range(0, len(body), size):
        if begin and outgoing.pause > 0:
            await asyncio.sleep(outgoing.pause)
        writer.write(body[begin : begin + size])
        await writer.drain()
    if outgoing.cut and writer.can_write_eof():
        writer.write_eof()
    elif outgoing.cut:
        writer.close()  # TLS has no half of a connection


async def _read(reader: asyncio.StreamReader) -> Reply:
    while True:
        status, headers = await _read_head(reader)
        if status >= 200:  # what is below is not the answer yet
            break
    if status in (204, 304):
        return Reply(status, b"")
    if "chunked" in headers.get("transfer-encoding", "").casefold():
        return Reply(status, await _read_chunks(reader))
    length = headers.get("content-length")
    if length is None:
        body = await reader.read(_MOST_BYTES + 1)
        while len(body) <= _MOST_BYTES and (more := await reader.read(_MOST_BYTES)):
            body += more
    elif length.isascii() and length.isdigit() and int(length) <= _MOST_BYTES:
        body = await reader.readexactly(int(length))
    else:
        raise ValueError("the length is of no use")
    if len(body) > _MOST_BYTES:
        raise ValueError("the body is too long")
    return Reply(status, body)


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    raw = await reader.readuntil(b"\r\n\r\n")
    first, *lines = raw[:-4].decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError("no status line")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError("no header")
        headers[name.casefold()] = value.strip()
    return int(rest[:3]), headers


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";", 1)[0], 16)
        if size < 0 or len(body) + size > _MOST_BYTES:
            raise ValueError("the body is too long")
        if size == 0:
            return body
        body += await reader.readexactly(size)
        await reader.readuntil(b"\r\n")
