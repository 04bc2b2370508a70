"""What is said: tones, files, frames of any rate, several at once, mute, and the ends of all of them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ziwo_async import BadArgument, CallEnded
from ziwo_async.media import AudioFrame, Tone
from ziwo_async.media._av import Resampler
from ziwo_async.media.playback import Playback
from ziwo_async.media.sent import Sent, mixed

from .kit import OURS, frames_of, heard_by, is_tone, session_of, sine, strength, talking, until, wav_file, within


async def test_a_tone_is_heard_as_long_as_it_lasts() -> None:
    async with talking() as (session, peer, _):
        playback = session.audio.play(Tone(OURS, 0.6))
        assert await heard_by(peer, OURS)
        await within(playback)
        assert playback.completed
        assert playback.seconds == pytest.approx(0.6)
        assert not await heard_by(peer, OURS, seconds=0.2)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16000, 1), (44100, 2)])
async def test_a_file_of_any_rate_is_played(tmp_path: Path, rate: int, channels: int) -> None:
    pcm = sine(OURS, 0.8, rate)
    if channels == 2:
        pcm = b"".join(pcm[n : n + 2] * 2 for n in range(0, len(pcm), 2))
    path = wav_file(tmp_path / "welcome.wav", pcm, rate, channels)
    async with talking() as (session, peer, _):
        playback = session.audio.play(path)
        await until(lambda: playback.seconds > 0.05)
        assert await heard_by(peer, OURS)
        await within(playback)
        assert playback.completed
        assert playback.seconds == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("content", [None, b"", b"this is no sound at all" * 100])
async def test_a_file_that_is_no_sound_is_told_to_who_waits(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "welcome.wav"
    if content is not None:
        path.write_bytes(content)
    async with session_of() as (session, _):
        playback = session.audio.play(str(path))
        with pytest.raises(BadArgument, match=r"welcome\.wav' cannot be played"):
            await within(playback.wait())
        assert playback.done
        assert not playback.completed
        assert session._sent._sources == []


@pytest.mark.parametrize("rate", [8000, 24000, 48000])
async def test_speech_of_any_rate_and_in_any_pieces_is_heard(rate: int) -> None:
    async with talking() as (session, peer, _):
        playback = session.audio.speak(frames_of(sine(OURS, 0.7, rate), rate, pieces=[7, 4001, 3, 120]))
        assert await heard_by(peer, OURS)
        await within(playback)
        assert playback.completed
        assert playback.seconds == pytest.approx(0.7, abs=0.05)


async def test_bare_pcm_needs_its_rate() -> None:
    async def pcm() -> AsyncIterator[bytes]:
        text = sine(OURS, 0.6, 24000)
        for n in range(0, len(text), 1001):
            yield text[n : n + 1001]

    async with talking() as (session, peer, _):
        session.audio.speak(pcm(), rate=24000)
        assert await heard_by(peer, OURS)
        with pytest.raises(BadArgument, match="rate"):
            await within(session.audio.speak(pcm()))
        with pytest.raises(BadArgument, match="no rate"):
            session.audio.speak(pcm(), rate=1)


async def test_a_gap_in_speech_is_silence_and_speech_goes_on() -> None:
    more = asyncio.Event()

    async def speech() -> AsyncIterator[AudioFrame]:
        yield AudioFrame(sine(OURS, 1.5, 16000), 16000)
        await more.wait()
        yield AudioFrame(sine(1500, 1.5, 16000), 16000)

    async with talking() as (session, peer, _):
        playback = session.audio.speak(speech())
        # A window that a busy machine broke is not a tone: there is room in the speech for more than one.
        assert await heard_by(peer, OURS, seconds=0.2) or await heard_by(peer, OURS, seconds=0.2)
        await until(lambda: not playback._waiting)
        assert not await heard_by(peer, OURS, seconds=0.2)
        assert not playback.done
        assert playback.seconds <= 1.54
        more.set()
        assert await heard_by(peer, 1500) or await heard_by(peer, 1500)
        await within(playback)


async def test_a_voice_that_is_too_fast_is_made_to_wait() -> None:
    made = 0

    async def speech() -> AsyncIterator[AudioFrame]:
        nonlocal made
        while True:
            made += 1
            yield AudioFrame(bytes(3200), 16000)  # 0.1 s

    async with session_of() as (session, _):
        playback = session.audio.speak(speech())
        await until(lambda: made >= 20)
        for _ in range(50):
            await asyncio.sleep(0)
        assert made <= 23
        playback.stop()
        await within(playback)
        assert not playback.completed


async def test_an_iterator_is_closed_and_its_error_told() -> None:
    closed: list[str] = []

    async def speech(fails: bool) -> AsyncIterator[AudioFrame]:
        try:
            yield AudioFrame(sine(OURS, 0.1, 16000), 16000)
            if fails:
                raise LookupError("the voice is gone")
            await asyncio.get_running_loop().create_future()
        finally:
            closed.append("closed")

    async with session_of() as (session, _):
        with pytest.raises(LookupError, match="the voice is gone"):
            await within(session.audio.play(speech(True)))
        playback = session.audio.play(speech(False))
        await until(lambda: playback._waiting)
        playback.stop()
        await until(lambda: len(closed) == 2)
        endless = session.audio.play(speech(False))
        await until(lambda: endless._waiting)
        await session.close()
        assert len(closed) == 3
        assert endless.done
        assert not endless.completed


async def test_two_are_heard_together_and_one_can_be_stopped() -> None:
    async with talking() as (session, peer, _):
        one = session.audio.play(Tone(1000))
        session.audio.play(Tone(1700))
        heard = (await within(peer.heard(0.4))).samples.tobytes()
        both = [strength(heard, 8000, hz) for hz in (1000, 1700)]
        assert min(both) > 0.3, both
        one.stop()
        one.stop()
        assert await heard_by(peer, 1700)


async def test_what_is_played_comes_to_its_end_when_the_connection_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ziwo_async.media.sent._PATIENCE", 0.3)
    async with talking() as (session, _, _):
        assert session._line is not None
        tone, spoken = (
            session.audio.play(Tone(OURS, 0.6)),
            session.audio.speak(frames_of(sine(OURS, 0.6, 16000), 16000)),
        )
        await until(lambda: tone.seconds >= 0.1)
        await session._line.close()
        lost = asyncio.get_running_loop().time()
        await within(tone)
        await within(spoken)
        assert tone.completed
        assert spoken.completed
        assert asyncio.get_running_loop().time() - lost > 0.6
        assert session._sent._timer is None or not session._sent._sources


async def test_what_is_played_before_there_is_a_connection_waits_for_it() -> None:
    async with session_of() as (session, _):
        playback = session.audio.play(Tone(OURS, 0.2))
        await asyncio.sleep(0.4)
        assert playback.seconds == 0
        assert not playback.done


async def test_one_long_piece_does_not_hold_the_loop() -> None:
    async def speech() -> AsyncIterator[bytes]:
        yield bytes(2 * 24000 * 600)

    async with session_of() as (session, _):
        playback = session.audio.speak(speech(), rate=24000)
        longest, before = 0.0, time.perf_counter()
        for _ in range(100):
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest, before = max(longest, now - before), now
        assert longest < 0.3
        assert 0 < len(playback._waiting) < 48000 * 2 * 3


@pytest.mark.parametrize("piece", ["text", 7, AudioFrame(bytes(960), 0), AudioFrame(bytes(960), 10**7)])
async def test_pieces_that_are_no_sound_are_told(piece: Any) -> None:
    async def speech() -> AsyncIterator[Any]:
        yield piece

    async with session_of() as (session, _):
        with pytest.raises(BadArgument, match=r"no sound|no rate"):
            await within(session.audio.speak(speech(), rate=24000))


@pytest.mark.parametrize("speech", [b"pcm", [b"pcm"], None])
async def test_what_cannot_be_said_is_refused(speech: Any) -> None:
    async with session_of() as (session, _):
        with pytest.raises(BadArgument, match="no async iterator"):
            session.audio.speak(speech, rate=24000)


async def test_any_kind_of_bytes_is_pcm() -> None:
    async def speech() -> AsyncIterator[Any]:
        yield bytearray(960)
        yield memoryview(bytes(960))

    async with talking() as (session, _, _):
        playback = session.audio.speak(speech(), rate=24000)
        await within(playback)
        assert playback.seconds == pytest.approx(0.04)


async def test_only_files_are_played(tmp_path: Path) -> None:
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readline()).decode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x.wav"
    sound = wav_file(tmp_path / "sound.wav", sine(OURS, 0.2, 8000), 8000)
    fifo, several, remote = tmp_path / "fifo", tmp_path / "several.txt", tmp_path / "remote.m3u8"
    os.mkfifo(fifo)
    several.write_text(f"ffconcat version 1.0\nfile {sound.name}\n")
    remote.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n")
    async with server, session_of() as (session, _):
        for place in (address, f"concat:{sound}", f"file:{sound}", "pipe:0", tmp_path, fifo, several, remote):
            with pytest.raises(BadArgument, match="cannot be played"):
                await within(session.audio.play(place))
    assert asked == []


def test_what_is_too_loud_together_is_clipped() -> None:
    loud = (30000).to_bytes(2, "little", signed=True) * 2
    deep = (-30000).to_bytes(2, "little", signed=True) * 2
    assert mixed([loud, loud]) == (32767).to_bytes(2, "little") * 2
    assert mixed([deep, deep]) == (-32768).to_bytes(2, "little", signed=True) * 2
    assert mixed([loud, deep]) == bytes(4)


async def test_mute_is_silence_and_what_is_played_goes_on() -> None:
    async with talking() as (session, peer, _):
        playback = session.audio.play(Tone(OURS))
        assert await heard_by(peer, OURS)
        await session.mute(True)
        played = playback.seconds
        await until(lambda: playback.seconds > played + 0.2)
        heard = await within(peer.heard(0.2))
        assert heard.frames >= 8, "silence is sent, and not nothing"
        assert heard.level(OURS) < 10
        await session.mute(False)
        assert await heard_by(peer, OURS)


async def test_silence_is_sent_while_nothing_is_played() -> None:
    async with talking() as (session, peer, _):
        heard = await within(peer.heard(0.4))
        assert heard.frames >= 18
        assert max(abs(sample) for sample in heard.samples) < 10
        assert session.audio.sent_frames


async def test_a_loop_that_was_blocked_sends_no_burst() -> None:
    async with talking() as (session, _peer, _):
        sent = session.audio.sent_frames
        time.sleep(0.5)  # noqa: ASYNC251 - that is what it is about
        await asyncio.sleep(0.1)
        assert session.audio.sent_frames - sent < 12


async def test_nothing_begins_after_the_call() -> None:
    async with session_of() as (session, _):
        await session.close()
        with pytest.raises(CallEnded, match="nothing can be played"):
            session.audio.play(Tone(OURS))
        with pytest.raises(CallEnded):
            session.audio.speak(frames_of(b"", 8000))


@pytest.mark.parametrize("sound", [7, None, b"pcm", object()])
async def test_what_cannot_be_played_is_refused(sound: Any) -> None:
    async with session_of() as (session, _):
        with pytest.raises(BadArgument, match="no path"):
            session.audio.play(sound)


@pytest.mark.parametrize("wrong", [{"frequency": 0}, {"frequency": 24000}, {"frequency": 400, "volume": 1.1}])
def test_tones_have_limits(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadArgument):
        Tone(**wrong)


def test_a_tone_has_no_seam_where_it_repeats() -> None:
    pieces = list(Tone(441, 1.5).frames())
    assert len(pieces) == 75
    assert is_tone(b"".join(pieces[40:60]), 48000, 441, least=0.99)


def test_a_resampler_loses_nothing() -> None:
    resampler, pcm = Resampler(48000), sine(500, 1.0, 8000)
    made = b"".join(resampler.push(pcm[n : n + 333], 8000) for n in range(0, len(pcm), 333)) + resampler.flush()
    assert abs(len(made) // 2 - 48000) < 100
    assert is_tone(made, 48000, 500, least=0.95)
    assert resampler.push(b"\1\0", 48000) == b"\1\0"
    assert len(resampler.push(sine(500, 1.0, 16000), 16000) + resampler.push(b"", 24000)) // 2 > 47000


async def test_a_playback_tells_itself() -> None:
    playback = Playback(Sent(), "welcome.wav")
    assert repr(playback) == "<Playback of welcome.wav, 0.0 s>"
    playback.stop()
    assert repr(playback).endswith("ended>")
