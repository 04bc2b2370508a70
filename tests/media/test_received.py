"""What is heard: rates, several readers, bounds, and nothing kept for nobody."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from ziwo_async import BadArgument
from ziwo_async.media import AudioFrame, Levels, Tone
from ziwo_async.media.frame import SILENCE_DB, level_of

from .kit import SERVER, hear, hears, is_tone, session_of, sine, strength, talking, until, within


def test_the_tests_tell_tones_apart() -> None:
    pcm = sine(440, 0.2, 16000)
    assert is_tone(pcm, 16000, 440)
    assert strength(pcm, 16000, 880) < 0.01
    assert not is_tone(bytes(6400), 16000, 440)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
async def test_frames_are_20_ms_at_the_rate_asked_for(rate: int) -> None:
    async with talking() as (session, _, _):
        stream = session.audio.frames(rate)
        frames = [await within(anext(stream)) for _ in range(20)]
        assert {(len(frame.pcm), frame.rate, frame.samples) for frame in frames} == {(rate // 25, rate, rate // 50)}
        assert all(frame.seconds == 0.02 for frame in frames)
        times = [frame.at for frame in frames]
        assert times == sorted(times)
        assert abs(times[-1] - time.time()) < 2
        assert is_tone(b"".join(frame.pcm for frame in frames[5:]), rate, SERVER)
        assert -30 < frames[-1].level < -5


async def test_several_read_at_once_and_get_the_same() -> None:
    async with talking() as (session, _, _):
        one, two, wide = session.audio.frames(), session.audio.frames(), session.audio.frames(48000)
        async with one, two, wide:
            first = [await within(anext(one)) for _ in range(10)]
            assert [await within(anext(two)) for _ in range(10)] == first
            assert len((await within(anext(wide))).pcm) == 1920


async def test_a_slow_reader_loses_the_oldest_and_is_told_how_many() -> None:
    async with talking() as (session, _, _), session.audio.frames(buffer=5) as stream:
        came = session.audio.received_frames
        await until(lambda: session.audio.received_frames >= came + 20)
        assert stream.dropped >= 14
        assert time.time() - (await within(anext(stream))).at < 0.3
        await stream.aclose()
        with pytest.raises(StopAsyncIteration):
            await within(anext(stream))


async def test_streams_end_with_the_call() -> None:
    async with talking() as (session, _, _):
        stream, unread = session.audio.frames(), session.audio.frames()

        async def read() -> int:
            return len([frame async for frame in stream])

        reader = asyncio.ensure_future(read())
        await hears(session, SERVER)
        await session.close()
        assert await within(reader) > 5
        assert [frame async for frame in unread] == []
        assert [frame async for frame in session.audio.frames()] == []


async def test_a_stream_is_for_one_task_and_survives_a_cancelled_read() -> None:
    async with session_of() as (session, _):
        stream = session.audio.frames()
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="one task"):
            await anext(stream)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        stream.put(AudioFrame(b"\0\0", 16000))
        assert (await within(anext(stream))).pcm == b"\0\0"


async def test_nothing_piles_up_when_nobody_reads() -> None:
    async with talking() as (session, _peer, _):
        left = session.audio.frames()
        async for _ in left:
            break
        del left  # a reader who has left costs nothing any more
        came = session.audio.received_frames
        await until(lambda: session.audio.received_frames >= came + 10)
        assert session._received._rates == {}
        gc.collect()
        tracemalloc.start()
        try:
            came = session.audio.received_frames
            await until(lambda: session.audio.received_frames >= came + 5)
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            await until(lambda: session.audio.received_frames >= came + 75)
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        # 1.4 s of 48 kHz sound would be 130 KB.
        assert grown < 60_000, f"{grown} bytes more"
        track = session._line._transceiver.receiver.track  # type: ignore[union-attr]
        assert track._queue.empty()


async def test_an_error_in_a_listener_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with talking() as (session, _, _):

        def fails(pcm: bytes, at: float) -> None:
            raise ValueError("a bug of ours")

        leave = session._received.listen(8000, fails)
        await until(lambda: "could not be handed on" in caplog.text)
        leave()
        await hears(session, SERVER)


async def test_broken_packets_are_left_out() -> None:
    async with talking() as (session, peer, _):
        encoder = peer._encoder
        assert encoder is not None
        plain, peer._encoder = encoder.encode, encoder
        broken = iter([b"\xff" * 3, b"\x03\xff\xff\xff", b"\xfc"] * 5)
        encoder.encode = lambda frame: next(broken, None) or plain(frame)  # type: ignore[method-assign]
        await hears(session, SERVER)
        assert next(broken, None) is None


@pytest.mark.parametrize(("rate", "buffer"), [(44100, 10), (0, 10), (16000, 0), (16000, -1)])
async def test_rates_and_buffers_that_make_no_sense_are_refused(rate: int, buffer: int) -> None:
    async with session_of() as (session, _):
        with pytest.raises(BadArgument, match="8000, 16000, 48000"):
            session.audio.frames(rate, buffer=buffer)


async def test_levels_tell_both_sides() -> None:
    async with talking() as (session, _, _):
        playback = session.audio.play(Tone(1000, volume=0.5))
        async for levels in session.audio.levels(0.05):
            if levels.sent > -20 and levels.received > -40:
                break
        playback.stop()
        seen = [levels async for levels in _first(session.audio.levels(0.05), 8)]
        assert seen[-1].sent == SILENCE_DB
        assert -40 < seen[-1].received < -5
        assert session._received._levels == []
        with pytest.raises(BadArgument):
            await anext(session.audio.levels(0))
        await session.close()
        assert [levels async for levels in session.audio.levels(0.01)] == []


async def _first(source: AsyncGenerator[Levels], count: int) -> AsyncIterator[Levels]:
    seen = 0
    async for one in source:
        yield one
        seen += 1
        if seen == count:
            await source.aclose()
            return


def test_levels_are_in_decibels_of_full_scale() -> None:
    assert level_of([32767, -32768] * 80) == pytest.approx(0, abs=0.01)
    assert level_of([3277, -3277] * 80) == pytest.approx(-20, abs=0.01)
    assert level_of([0] * 160) == SILENCE_DB
    assert level_of([]) == SILENCE_DB
    assert AudioFrame(sine(440, 0.02, 16000, 32767), 16000).level == pytest.approx(-3.01, abs=0.05)
    assert AudioFrame(b"\0\0\0", 8000).level == SILENCE_DB


async def test_the_sound_that_is_heard_has_no_gaps() -> None:
    async with talking() as (session, _, _):
        assert is_tone(await hear(session, 1.0), 16000, SERVER, least=0.95)
