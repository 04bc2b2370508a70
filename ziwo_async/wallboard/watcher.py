"""Keeps a board up to date from the live feed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ZiwoError
from ..events import Destroy, DialogEvent
from .board import Board
from .rows import agent_rows, call_rows, figure_rows, queue_rows

if TYPE_CHECKING:
    from ..live.feed import LiveFeed
    from ..live.watch import Watch

__all__ = ["Watcher"]

T = TypeVar("T")

# Seconds between two drawings, and at most between two looks at what is over.
_PACE = 0.1
_AGEING = 1.0
# Seconds for which a call that ended stays on the board.
_LINGER = 6.0
# Calls whose flow is remembered, and calls that are drawn: a wall cannot hold more.
_MAX_FLOWS = 2000
_MAX_CALLS = 200


def _leaves(group: BaseExceptionGroup[ZiwoError]) -> Iterator[ZiwoError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _known(watch: Watch[T]) -> T | None:
    """What is known. When the server does not tell it any more, what it told once is not how things are."""
    return None if watch.refused else watch.current


class Watcher:
    """Reads the live feed into a board, while `run()` runs."""

    def __init__(self, feed: LiveFeed, board: Board) -> None:
        """Make a watcher.

        Args:
            feed: The live feed, `ziwo.live`; it is started and closed elsewhere.
            board: Where the rows go.
        """
        self._feed = feed
        self._board = board
        self._agents = feed.agents()
        self._queues = feed.queues()
        self._calls = feed.calls()
        self._waiting = feed.queue_calls()
        self._stats = feed.stats()
        self._flows: dict[str, DialogEvent] = {}
        self._over: dict[str, float] = {}
        self._stale: dict[Callable[[], None], None] = {}
        self._news = asyncio.Event()
        self._shows = (self._show_agents, self._show_queues, self._show_calls, self._show_stats)
        self._refused: list[bool] = []

    @property
    def _watches(self) -> dict[str, Watch[Any]]:
        return {"agents": self._agents, "queues": self._queues, "calls": self._calls, "kpis": self._stats}

    @property
    def live(self) -> bool:
        """Whether what is shown is kept up to date: all of it was told over the present connection."""
        shown = self._shown
        return self._feed.connected and bool(shown) and not any(watch.stale for watch in shown)

    @property
    def at(self) -> float | None:
        """When the last snapshot came (seconds since 1970), if ever; when connected, of what is stale all the same."""
        late = [watch for watch in self._shown if watch.stale] if self._feed.connected else []
        moments = [watch.at for watch in late or (*self._watches.values(), self._waiting) if watch.at is not None]
        return max(moments).timestamp() if moments else None

    @property
    def _shown(self) -> list[Watch[Any]]:
        """What there are rows of."""
        watches: tuple[Watch[Any], ...] = (*self._watches.values(), self._waiting)
        return [watch for watch in watches if _known(watch) is not None]

    @property
    def notes(self) -> dict[str, str]:
        """What the server does not tell, and why, by the kind of row."""
        return {kind: watch.refused for kind, watch in self._watches.items() if watch.refused}

    async def run(self) -> None:
        """Read until the feed is closed.

        Raises:
            ZiwoError: The feed ended for this error.
        """
        try:
            await self._read_all()
        except* ZiwoError as group:
            # One reader fails as the others do: the feed has one end.
            failed = next(_leaves(group))
        else:
            return
        raise failed

    async def _read_all(self) -> None:
        async with self._feed.events(DialogEvent, buffer=10_000) as events, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(self._agents, self._show_agents))
            tasks.create_task(self._read(self._queues, self._show_queues))
            tasks.create_task(self._read(self._waiting, self._show_queues))
            tasks.create_task(self._read(self._calls, self._show_calls))
            tasks.create_task(self._read(self._stats, self._show_stats))
            drawing = tasks.create_task(self._draw())
            async for event in events:
                self._take(event)
            drawing.cancel()

    async def _read(self, watch: Watch[T], show: Callable[[], None]) -> None:
        async for _ in watch:
            self._stale[show] = None
            self._news.set()

    async def _draw(self) -> None:
        """Make rows of what is new, a few times a second: each change would cost all rows of its kind."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_AGEING):
                    await self._news.wait()
            self._news.clear()
            self._forget()
            refused = [bool(watch.refused) for watch in (*self._watches.values(), self._waiting)]
            if refused != self._refused:
                self._refused = refused
                self._stale.update(dict.fromkeys(self._shows))
            stale, self._stale = self._stale, {}
            for show in stale:
                show()
            await asyncio.sleep(_PACE)

    def _show_agents(self) -> None:
        self._board.put("agents", agent_rows(_known(self._agents) or {}))

    def _show_queues(self) -> None:
        waiting = _known(self._waiting)
        self._board.put("queues", queue_rows(_known(self._queues) or {}, waiting or ()))

    def _show_stats(self) -> None:
        stats = _known(self._stats)
        self._board.put("kpis", {} if stats is None else figure_rows(stats))

    def _show_calls(self) -> None:
        # The flows are by `callID`, and nobody knows what a server keys its live calls by.
        calls = {call.call_id: call for call in (_known(self._calls) or {}).values()}
        # A call that is neither alive nor has just ended: the word of its end was lost, because too much happened.
        flows = {key: event for key, event in self._flows.items() if key in calls or key in self._over}
        rows = call_rows(calls, flows, (_known(self._agents) or {}).values())
        # The newest, when there are too many.
        self._board.hidden_calls = max(0, len(rows) - _MAX_CALLS)
        newest = sorted(rows, key=lambda key: str(rows[key]["order"]))[-_MAX_CALLS:]
        self._board.put("calls", {key: rows[key] for key in newest})

    def _take(self, event: DialogEvent) -> None:
        self._flows[event.call_id] = event
        if isinstance(event, Destroy):
            self._over[event.call_id] = asyncio.get_running_loop().time()
        while len(self._flows) > _MAX_FLOWS:
            oldest = next(iter(self._flows))
            self._over.pop(oldest, None)
            del self._flows[oldest]
        self._stale[self._show_calls] = None
        self._news.set()

    def _forget(self) -> None:
        """Take calls away that ended a while ago."""
        limit = asyncio.get_running_loop().time() - _LINGER
        for key in [key for key, ended in self._over.items() if ended < limit]:
            del self._over[key]
            self._flows.pop(key, None)
            self._stale[self._show_calls] = None
