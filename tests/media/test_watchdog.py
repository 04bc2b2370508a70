"""The watchdog: told once when audio is gone, never came, or is cut off; and once when it is back."""

from __future__ import annotations

import asyncio

import pytest

from ziwo_async.events import DialogState, MediaLost, MediaUp
from ziwo_async.media.watchdog import Loss, Watchdog
from ziwo_async.simulator.rtp import Peer
from ziwo_async.simulator.rtp import Tone as ServerTone

from .kit import SERVER, hears, media, session_of, talking, until, within

ACTIVE, HELD, RECOVERING = DialogState.ACTIVE, DialogState.HELD, DialogState.RECOVERING


async def test_audio_that_stops_is_told_once_and_told_again_when_it_is_back() -> None:
    async with talking(media(watch_after=0.2)) as (session, peer, news):
        session.note(ACTIVE)
        assert [(event.codec, event.again) for event in news.of(MediaUp)] == [("opus", False)]
        peer.play(None)
        await until(lambda: news.of(MediaLost))
        await asyncio.sleep(0.5)  # time itself is what is looked at: there is nothing else to wait for
        peer.play(ServerTone(SERVER))
        await until(lambda: len(news.of(MediaUp)) == 2)
        (lost,) = news.of(MediaLost)
        assert lost.reason == "no audio"
        assert 0.2 <= lost.seconds < 0.4
        assert news.of(MediaUp)[1].again


async def test_audio_that_never_comes_is_told() -> None:
    async with session_of(media(watch_after=0.1)) as (session, news), Peer() as peer:
        peer.accept(await session.answer(peer.offer()))
        await peer.connected()
        session.note(DialogState.EARLY)
        session.note(ACTIVE)
        await until(lambda: news)
        assert [event.reason for event in news.of(MediaLost)] == ["never came"]


async def test_a_call_on_hold_is_not_watched() -> None:
    async with talking(media(watch_after=0.1)) as (session, peer, news):
        session.note(ACTIVE)
        session.note(HELD)
        peer.play(None)
        await asyncio.sleep(0.3)  # as above
        assert len(news) == 1
        peer.play(ServerTone(SERVER))
        session.note(ACTIVE)
        await hears(session, SERVER)
        assert len(news) == 1


async def test_a_server_that_hangs_up_the_connection_is_told_at_once() -> None:
    async with talking(media(watch_after=60)) as (session, peer, news):
        session.note(ACTIVE)
        await peer.close()
        await until(lambda: news.of(MediaLost))
        assert news.of(MediaLost)[0].reason == "connection lost"
        async with Peer() as again:
            again.play(ServerTone(SERVER))
            again.accept(await within(session.answer(again.offer())))
            await until(lambda: news.of(MediaUp)[-1].again)


async def test_a_reattachment_gets_the_whole_time_again() -> None:
    async with talking(media(watch_after=1.0)) as (session, peer, news):
        session.note(ACTIVE)
        session.note(RECOVERING)
        async with Peer(after=peer) as again:
            again.play(ServerTone(SERVER))
            again.accept(await within(session.answer(again.offer())))
            session.note(ACTIVE)
            await hears(session, SERVER)
            assert not news.of(MediaLost)


async def test_the_end_of_a_call_is_no_loss() -> None:
    async with talking(media(watch_after=0.1)) as (session, peer, news):
        session.note(ACTIVE)
        session.note(DialogState.HANGUP)
        await peer.close()
        await until(lambda: session._line is not None and session._line.failed)
        assert len(news) == 1


@pytest.mark.parametrize("heard", [True, False])
async def test_nothing_is_told_before_the_call_is_active_or_after_its_end(heard: bool) -> None:
    told: list[tuple[Loss, float] | bool] = []
    watchdog = Watchdog(0.02, up=told.append, lost=lambda reason, seconds: told.append((reason, seconds)))
    if heard:
        watchdog.heard(0)
    await asyncio.sleep(0.05)
    watchdog.watch()
    watchdog.watch()
    watchdog.rest()
    watchdog.rest()
    await asyncio.sleep(0.05)
    assert told == ([False] if heard else [])
    if not heard:
        watchdog.cut()
        assert told == []
