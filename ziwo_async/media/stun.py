"""The STUN servers: who tells them, and which of them is asked now."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias, cast

__all__ = ["FALLBACK", "StunList", "StunSource", "ask_ziwo"]

_log = logging.getLogger("ziwo_async.media")

FALLBACK = ("stun.l.google.com:19302",)
"""What ZIWO's own client uses when the list cannot be had (source: official web client)."""
StunSource: TypeAlias = Sequence[str] | Callable[[], Awaitable[object]]
"""Servers as `host` or `host:port`; or an async function that gives ZIWO's object, `{"stun": ["host:port", ...]}`."""

_URL = "https://stun.ziwo.io"
_ASK_LIMIT = 1.0
_KEEP = 3600.0
_REST = 60.0
_SERVER = re.compile(r"(?:stun:)?([A-Za-z0-9.-]{1,253})(?::(\d{1,5}))?")
_DEFAULT_PORT = 3478
_MOST = 8


async def ask_ziwo() -> object:
    """Ask ZIWO for its list (`GET https://stun.ziwo.io`; source: official web client).

    Raises:
        aiohttp.ClientError: It cannot be had.
    """
    import aiohttp

    async with aiohttp.ClientSession() as http, http.get(_URL, allow_redirects=False) as response:
        response.raise_for_status()
        return cast("object", await response.json(content_type=None))


class StunList:
    """Gives the servers to ask for a call. A list is kept for an hour, a server that did not answer rests a minute."""

    def __init__(self, source: StunSource, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Make a list that was not asked for yet.

        Args:
            source: Where the servers come from; an empty sequence for none.
            clock: Seconds, for how long things are kept.
        """
        self._source = source
        self._clock = clock
        self._servers: list[tuple[str, int]] = []
        self._until = float("-inf")
        self._resting: dict[tuple[str, int], float] = {}
        self._lock = asyncio.Lock()

    async def servers(self) -> list[tuple[str, int]]:
        """The servers to ask now, as host and port. Never raises: without a list, the documented server is used."""
        async with self._lock:
            if self._clock() >= self._until:
                self._servers = await self._ask()
                self._until = self._clock() + _KEEP
        now = self._clock()
        return [server for server in self._servers if self._resting.get(server, now) <= now]

    def silent(self, servers: Sequence[tuple[str, int]]) -> None:
        """These did not answer: calls of the next minute do not wait for them."""
        for server in servers:
            self._resting[server] = self._clock() + _REST

    async def _ask(self) -> list[tuple[str, int]]:
        if not callable(self._source):
            return _parsed(self._source)
        try:
            async with asyncio.timeout(_ASK_LIMIT):
                told = await self._source()
        except Exception as error:  # noqa: BLE001 - whatever a source raises, a call is made without its list
            _log.warning("the list of STUN servers cannot be had (%s); %s is used", type(error).__name__, FALLBACK[0])
            return _parsed(FALLBACK)
        found = cast("dict[str, object]", told).get("stun") if isinstance(told, dict) else None
        names = (
            [name for name in cast("list[object]", found) if isinstance(name, str)] if isinstance(found, list) else []
        )
        return _parsed(names) or _parsed(FALLBACK)


def _parsed(names: Sequence[str]) -> list[tuple[str, int]]:
    matches = (_SERVER.fullmatch(name.strip()) for name in names[:_MOST])
    return [(match.group(1), int(match.group(2) or _DEFAULT_PORT)) for match in matches if match is not None]
