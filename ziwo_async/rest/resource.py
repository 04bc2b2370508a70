"""What all resources share: a transport, and the ways from an answer to models."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Hashable
from typing import TypeVar

from pydantic import JsonValue

from .models.base import Model, parse, parse_rows
from .paging import PAGE_SIZE, Listing, pages
from .prepared import Form, Params
from .transport import CredentialKind, Transport

__all__ = ["Resource"]

_M = TypeVar("_M", bound=Model)


class Resource:
    """A part of the REST API. Every method raises what `ZiwoClient.request` raises; what it adds is in its docs."""

    def __init__(self, transport: Transport) -> None:
        """Use a transport; no I/O happens.

        Args:
            transport: The way to the REST API.
        """
        self._transport = transport

    async def _one(
        self,
        model: type[_M],
        method: str,
        path: str,
        *,
        params: Params | None = None,
        form: Form | None = None,
        json: JsonValue = None,
        credential: CredentialKind = "token",
    ) -> _M:
        reply = await self._transport.request(method, path, params=params, form=form, json=json, credential=credential)
        return parse(model, reply, method=method, path=path)

    async def _list(self, model: type[_M], path: str, *, params: Params | None = None) -> list[_M]:
        """Read a list that comes whole."""
        reply = await self._transport.request("GET", path, params=params)
        return parse_rows(model, reply, method="GET", path=path)

    def _listing(
        self,
        model: type[_M],
        path: str,
        *,
        key: Callable[[_M], Hashable],
        params: Params | None = None,
        page_size: int = PAGE_SIZE,
    ) -> Listing[_M]:
        """Read a list that comes in pages of `limit` and `skip`."""

        async def records() -> AsyncIterator[_M]:
            async for page in pages(self._transport, model, path, key=key, params=params, size=page_size):
                for record in page:
                    yield record

        return Listing(records)
