"""A request and a response without a web framework, and the reading of a body within its limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from pydantic import JsonValue
from pydantic_core import to_json

__all__ = ["Headers", "HookRequest", "HookResponse", "Refused", "failure", "read_body", "success"]

Headers = Sequence[tuple[bytes, bytes]]
_WANTED = frozenset({b"x-api-key", b"content-type", b"content-encoding", b"content-length"})
_MESSAGES = {
    400: "the request is malformed",
    401: "unauthorized",
    404: "not found",
    405: "only POST is answered",
    408: "the body took too long",
    413: "the body is too large",
    415: "this kind of body is not read",
    500: "the service failed",
    503: "try again later",
}
_FIXED = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
_MORE: dict[int, tuple[tuple[str, str], ...]] = {
    401: (("WWW-Authenticate", "X-API-Key"),),
    405: (("Allow", "POST"),),
    503: (("Retry-After", "5"),),
}
# Of these the body may not have been read, and nobody waits for the rest of it.
_CLOSE = (("Connection", "close"),)


class HookRequest:
    """A request whose headers have come.

    Attributes:
        method: In capitals.
        path: Without prefix and query.
        chunks: The body, as it comes.
        whole: The body, when all of it has come already.
        arrived: When (the event loop's clock).
        keys: The values of each `X-API-Key`.
    """

    __slots__ = ("_fields", "arrived", "chunks", "keys", "method", "path", "whole")

    def __init__(
        self,
        method: str,
        path: str,
        headers: Headers,
        chunks: AsyncIterator[bytes],
        *,
        whole: bytes | None,
        arrived: float,
    ) -> None:
        """Make it.

        Args:
            method: In capitals.
            path: Without prefix and query.
            headers: Names and values as they came.
            chunks: The body, as it comes.
            whole: The body, when all of it has come already.
            arrived: When (the event loop's clock).
        """
        self.method = method
        self.path = path
        self.chunks = chunks
        self.whole = whole
        self.arrived = arrived
        found = [(name, value.strip(b" \t")) for key, value in headers if (name := key.lower()) in _WANTED]
        self.keys = [value for name, value in found if name == b"x-api-key"]
        self._fields = found

    def header(self, name: bytes) -> bytes | None:
        """Give the value of a header, or None.

        Args:
            name: `content-type`, `content-encoding` or `content-length`.

        Raises:
            Refused: There are several, which senders and receivers could read differently.
        """
        values = [value for key, value in self._fields if key == name]
        if len(values) > 1:
            raise Refused(400)
        return values[0] if values else None


@dataclass(slots=True)
class HookResponse:
    """A response.

    Attributes:
        status: The HTTP status.
        body: JSON.
        headers: Names and values, the length of the body excepted.
    """

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = _FIXED


class Refused(Exception):
    """A request is not taken; never leaves the package.

    Attributes:
        status: The HTTP status.
    """

    def __init__(self, status: int) -> None:
        super().__init__(_MESSAGES[status])
        self.status = status


def success(content: dict[str, JsonValue]) -> HookResponse:
    """Give ZIWO's envelope around a content.

    Args:
        content: The content.
    """
    return HookResponse(200, to_json({"result": True, "content": content, "info": {}}))


def failure(status: int) -> HookResponse:
    """Give the envelope of an error. It says nothing that the sender does not know.

    Args:
        status: The HTTP status.
    """
    body = {"result": False, "content": {}, "info": {}, "error": {"message": _MESSAGES[status]}}
    return HookResponse(status, to_json(body), (*_FIXED, *_MORE.get(status, ()), *(_CLOSE if status < 500 else ())))


async def read_body(request: HookRequest, *, limit: int, timeout: float) -> bytes:
    """Read a body, and no more of it than allowed.

    Args:
        request: The request.
        limit: Bytes.
        timeout: Seconds for all of it.

    Raises:
        Refused: It is larger or slower than allowed, compressed, or its length makes no sense.
    """
    encoding = request.header(b"content-encoding")
    if encoding and encoding.lower() != b"identity":
        # A compressed body can be a thousand times larger than it looks; ZIWO sends none.
        raise Refused(415)
    length = request.header(b"content-length")
    if length is not None:
        if not length.isdigit():
            raise Refused(400)
        if len(length) > 15 or int(length) > limit:
            raise Refused(413)
    if request.whole is not None:
        if len(request.whole) > limit:
            raise Refused(413)
        return request.whole
    found = bytearray()
    try:
        async with asyncio.timeout(timeout):
            async for chunk in request.chunks:
                if len(found) + len(chunk) > limit:
                    raise Refused(413)
                found += chunk
    except TimeoutError:
        raise Refused(408) from None
    return bytes(found)
