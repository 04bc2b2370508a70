"""Watch: a position in a topic; the newest wins, what is missed is counted, and everything ends."""

from __future__ import annotations

import asyncio

import pytest

from ziwo_async.errors import BadCredentials, ClientClosed
from ziwo_async.live.watch import Topic, Watch

from ..phone.kit import within


class Line:
    connected = True
    connections = 1


async def test_the_present_snapshot_comes_first_and_then_the_newest() -> None:
    topic: Topic[int] = Topic(Line())
    topic.put(1)
    topic.put(2)
    watch = Watch(topic)
    assert (watch.current, watch.dropped) == (2, 0)
    assert await within(anext(watch)) == 2
    for number in (3, 4, 5):
        topic.put(number)
    assert await within(anext(watch)) == 5
    assert watch.dropped == 2


async def test_a_reader_waits_and_several_read_the_same() -> None:
    topic: Topic[int] = Topic(Line())
    readers = [asyncio.ensure_future(anext(Watch(topic))) for _ in range(3)]
    await asyncio.sleep(0)
    topic.put(1)
    assert await within(asyncio.gather(*readers)) == [1, 1, 1]


async def test_a_cancelled_reader_loses_nothing() -> None:
    topic: Topic[int] = Topic(Line())
    watch = Watch(topic)
    reading = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])
    topic.put(1)
    assert await within(anext(watch)) == 1


async def test_items_are_kept_for_a_slow_reader_within_bounds() -> None:
    topic: Topic[int] = Topic(Line(), keep=3)
    topic.put(0)
    watch = Watch(topic, from_now=True)
    for number in range(1, 6):
        topic.put(number)
    topic.end(None)
    assert [item async for item in watch] == [3, 4, 5]
    assert watch.dropped == 2


async def test_the_end_comes_after_what_is_unread_and_with_its_error() -> None:
    topic: Topic[int] = Topic(Line())
    watch = Watch(topic)
    topic.put(1)
    topic.end(BadCredentials("no"))
    assert await within(anext(watch)) == 1
    with pytest.raises(BadCredentials):
        await within(anext(watch))
    waiting: Topic[int] = Topic(Line())
    first = asyncio.ensure_future(Watch(waiting).first())
    await asyncio.sleep(0)
    waiting.end(None)
    with pytest.raises(ClientClosed):
        await within(first)


async def test_a_closed_reader_stops() -> None:
    topic: Topic[int] = Topic(Line())
    topic.put(1)
    async with Watch(topic) as watch:
        async for _ in watch:
            break
    assert [item async for item in watch] == []


async def test_first_has_a_limit() -> None:
    topic: Topic[int] = Topic(Line())
    with pytest.raises(TimeoutError):
        await Watch(topic).first(timeout=0.001)
    topic.put(1)
    assert await Watch(topic).first() == 1


def test_what_is_known_is_stale_without_a_connection_and_until_the_next_one_tells_it() -> None:
    line = Line()
    topic: Topic[int] = Topic(line)
    watch = Watch(topic)
    assert watch.stale
    topic.put(1)
    assert not watch.stale
    line.connected = False
    assert watch.stale
    line.connected, line.connections = True, 2
    assert watch.stale
    topic.put(2)
    assert not watch.stale
    line.connected = False
    assert "stale" in repr(watch)
