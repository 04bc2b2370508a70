"""Voice activity: when it starts and stops, without fluttering; by an iterator and as events."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ziwo_async import BadArgument
from ziwo_async.events import VoiceStarted, VoiceStopped
from ziwo_async.media import VoiceActivity
from ziwo_async.media.voice import VoiceDetector
from ziwo_async.simulator.rtp import Silence
from ziwo_async.simulator.rtp import Tone as ServerTone

from .kit import SERVER, media, talking, until, within

QUICK = VoiceActivity(onset=0.04, pause=0.1)


def turns(levels: list[float], settings: VoiceActivity) -> list[tuple[float, bool]]:
    """When a detector turns, and to what, for a level every 20 ms."""
    detector, found = VoiceDetector(settings), []
    for index, level in enumerate(levels):
        if detector.feed(level, index / 50):
            found.append((round(detector.since, 2), detector.speaking))
    return found


def test_voice_needs_to_last_and_so_does_its_end() -> None:
    settings = VoiceActivity(start_db=-40, stop_db=-46, onset=0.06, pause=0.2)
    quiet, loud = [-60.0] * 20, [-20.0] * 20
    assert turns(quiet + loud + quiet, settings) == [(0.4, True), (0.8, False)]
    assert turns([*quiet, -20.0, -20.0, *quiet], settings) == [], "a click is no voice"
    assert turns(loud + quiet[:5] + loud, settings) == [(0.0, True)], "a breath is no end"


def test_a_voice_at_the_edge_does_not_flutter() -> None:
    settings = VoiceActivity(start_db=-40, stop_db=-46, onset=0.0, pause=0.0)
    assert turns([-39.0, -41.0, -45.0, -39.0, -45.9, -46.1, -41.0], settings) == [(0.0, True), (0.1, False)]


@pytest.mark.parametrize("wrong", [{"start_db": -50, "stop_db": -40}, {"onset": -1}, {"pause": -0.1}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadArgument):
        VoiceActivity(**wrong)


async def test_voice_is_told_by_an_iterator_that_ends_with_the_call() -> None:
    async with talking() as (session, peer, news):
        found: list[VoiceStarted | VoiceStopped] = []

        async def watch() -> None:
            async for event in session.audio.voice(QUICK):
                found.append(event)

        watcher = asyncio.ensure_future(watch())
        await until(lambda: len(found) == 1)
        peer.play(Silence())
        await until(lambda: len(found) == 2)
        peer.play(ServerTone(SERVER))
        await until(lambda: len(found) == 3)
        await session.close()
        await within(watcher)
        started, stopped, again = found
        assert isinstance(started, VoiceStarted)
        assert isinstance(stopped, VoiceStopped)
        assert isinstance(again, VoiceStarted)
        assert -30 < started.level < -5
        assert stopped.seconds == pytest.approx(stopped.at - started.at, abs=1e-3)
        assert not news.of(VoiceStarted), "events are for who asked for them"


async def test_voice_is_told_as_events_when_the_engine_is_asked_to() -> None:
    async with talking(media(voice=QUICK)) as (_, peer, news):
        await until(lambda: news.of(VoiceStarted))
        peer.play(None)
        await until(lambda: news.of(VoiceStopped), "a voice that breaks off has stopped")


async def test_leaving_the_iterator_leaves_nothing() -> None:
    async with talking() as (session, _, _):
        voice = session.audio.voice(QUICK)
        await within(anext(voice))
        assert session._received._levels
        await voice.aclose()
        assert session._received._levels == []
        reader = asyncio.ensure_future(anext(session.audio.voice()))
        await asyncio.sleep(0)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
