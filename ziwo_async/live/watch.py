"""Watch: what a program reads snapshots with. A reader holds a position, no snapshots: a slow one costs nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import UTC, datetime
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from ..errors import ClientClosed, ZiwoError

__all__ = ["Connected", "Topic", "Watch"]

T = TypeVar("T")


class Connected(Protocol):
    """What a topic knows of the connection."""

    @property
    def connected(self) -> bool:
        """Whether there is one."""
        ...

    @property
    def connections(self) -> int:
        """How many there were so far."""
        ...


class Topic(Generic[T]):
    """The last items of one event, newest last; for snapshots that is one.

    Attributes:
        count: How many items came so far.
        refused: Why the server does not tell it, in its words; None when it does, or was not asked.
        at: When the last item came.
    """

    def __init__(self, connection: Connected, *, keep: int = 1) -> None:
        """Make a topic.

        Args:
            connection: Tells whether what is known is still true.
            keep: How many items are kept for readers.
        """
        self.connection = connection
        self.count = 0
        self.refused: str | None = None
        self.at: datetime | None = None
        self.keep = keep
        # Over which connection the last item came. Counted, because clocks are set back now and then.
        self._over = 0
        self._items: deque[T] = deque(maxlen=keep)
        self._readers: set[asyncio.Future[None]] = set()
        self._ended = False
        self._error: ZiwoError | None = None

    @property
    def current(self) -> T | None:
        """The newest item."""
        return self._items[-1] if self._items else None

    @property
    def stale(self) -> bool:
        """Whether there is no connection, or nothing came over the present one yet."""
        return not self.connection.connected or self._over != self.connection.connections

    @property
    def ended(self) -> bool:
        """Whether nothing comes any more."""
        return self._ended

    def put(self, item: T) -> None:
        """Take a new item. Never blocks."""
        self._items.append(item)
        self.count += 1
        self.at = datetime.now(UTC)
        self._over = self.connection.connections
        self.refused = None
        self._wake()

    def end(self, error: ZiwoError | None) -> None:
        """Nothing comes any more; readers end, after what they have not read, or with the error."""
        self._ended = True
        self._error = error
        self._wake()

    def take(self, position: int) -> tuple[T, int, int] | None:
        """The next item behind a position: the item, the new position, and how many were dropped. None: there is none.

        Raises:
            ZiwoError: The feed has ended for this error.
        """
        if position < self.count:
            first = self.count - len(self._items)
            dropped = max(0, first - position)
            index = max(position, first)
            return self._items[index - first], index + 1, dropped
        if self._error is not None:
            raise self._error
        return None

    async def more(self) -> None:
        """Wait for the next item, or the end."""
        reader: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._readers.add(reader)
        try:
            await reader
        finally:
            self._readers.discard(reader)

    def _wake(self) -> None:
        for reader in self._readers:
            if not reader.done():
                reader.set_result(None)


class Watch(Generic[T]):
    """Snapshots of the live feed: `async for agents in ziwo.live.agents()`, or `.current` at any time.

    Iterating gives the present snapshot first, if there is one, then each newer one. A reader that is slower than the
    server gets the newest; those it missed are counted. It ends when the feed is closed. It may be made before the feed
    is started, and lives through reconnects.

    Attributes:
        dropped: How many this reader missed because newer ones had come.
    """

    def __init__(self, topic: Topic[T], *, from_now: bool = False) -> None:
        """Make a reader; done by `ziwo.live`.

        Args:
            topic: What is read.
            from_now: Begin with the next item instead of those that are kept.
        """
        self._topic = topic
        # Of snapshots, those before the present one are no loss.
        self._position = topic.count if from_now else max(0, topic.count - 1)
        self._closed = False
        self.dropped = 0

    def __repr__(self) -> str:
        return f"<Watch at {self.at}{' stale' if self.stale else ''}>"

    @property
    def current(self) -> T | None:
        """The newest snapshot; None before the first. Reading it does not move the reader."""
        return self._topic.current

    @property
    def at(self) -> datetime | None:
        """When the newest snapshot came, in UTC."""
        return self._topic.at

    @property
    def stale(self) -> bool:
        """Whether the newest snapshot may be untrue: there is no connection, or none came over the present one yet."""
        return self._topic.stale

    @property
    def refused(self) -> str | None:
        """Why the server does not tell it (`403: ...`: most of it is for admins only); None when it does."""
        return self._topic.refused

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End this reader: `async for` over it stops before the next item."""
        self._closed = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        """The next snapshot.

        Raises:
            ZiwoError: The feed ended for this error.
        """
        while not self._closed:
            found = self._topic.take(self._position)
            if found is not None:
                item, self._position, dropped = found
                self.dropped += dropped
                return item
            if self._topic.ended:
                break
            await self._topic.more()
        raise StopAsyncIteration

    async def first(self, timeout: float | None = None) -> T:
        """The present snapshot, or the first one when there is none yet.

        Args:
            timeout: Seconds to wait; None waits for ever.

        Raises:
            TimeoutError: None came in time.
            ClientClosed: The feed ended before.
            ZiwoError: The feed ended for this error.
        """
        async with asyncio.timeout(timeout):
            while (current := self._topic.current) is None:
                if self._topic.ended:
                    self._topic.take(self._topic.count)
                    raise ClientClosed("the live feed was closed")
                await self._topic.more()
        return current
