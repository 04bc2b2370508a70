"""Recordings: what is in them, where they appear, and how they end."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from ziwo_async import BadArgument, CallEnded
from ziwo_async.media import Tone
from ziwo_async.media._av import SoundReader
from ziwo_async.media.files import SoundFile, target_of
from ziwo_async.media.timeline import Timeline, joined

from .kit import OURS, SERVER, hears, is_tone, read_wav, session_of, sine, strength, talking, until, within


def files(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


async def recorded(path: Path, seconds: float = 0.8, **options: Any) -> Path:
    async with talking() as (session, _, _):
        session.audio.play(Tone(OURS))
        await hears(session, SERVER)
        began = time.monotonic()
        handle = await session.audio.record(path, **options)
        came = session.audio.received_frames
        await until(lambda: session.audio.received_frames >= came + round(seconds / 0.02))
        assert path.name not in files(path.parent)
        assert await within(handle.stop()) == handle.path
        assert handle.done
        # On a busy machine the frames come late, and the recording is as long as it took.
        assert seconds - 0.4 <= handle.seconds <= time.monotonic() - began + 0.4
        assert handle.dropped == 0
        assert await handle.stop() == handle.path
    return handle.path


async def test_both_voices_are_in_a_mixed_recording(tmp_path: Path) -> None:
    pcm, rate, channels = read_wav(await recorded(tmp_path / "call.wav"))
    assert (rate, channels) == (16000, 1)
    assert len(pcm) / 2 / rate >= 0.4
    middle = pcm[len(pcm) // 4 // 2 * 2 : len(pcm) // 4 * 3 // 2 * 2]
    assert min(strength(middle, rate, hz) for hz in (SERVER, OURS)) > 0.2
    assert files(tmp_path) == ["call.wav"]
    assert (tmp_path / "call.wav").stat().st_mode & 0o777 == 0o600


async def test_one_direction_has_one_voice(tmp_path: Path) -> None:
    for direction, hz, other in (("received", SERVER, OURS), ("sent", OURS, SERVER)):
        pcm, rate, _ = read_wav(await recorded(tmp_path / f"{direction}.wav", 0.5, direction=direction, rate=8000))
        assert rate == 8000
        middle = pcm[len(pcm) // 4 // 2 * 2 : len(pcm) // 4 * 3 // 2 * 2]
        assert is_tone(middle, rate, hz)
        assert strength(middle, rate, other) < 0.05


async def test_both_in_stereo_are_left_and_right(tmp_path: Path) -> None:
    pcm, rate, channels = read_wav(await recorded(tmp_path / "call.wav", direction="both"))
    assert channels == 2
    samples = array("h", pcm)
    left, right = samples[::2], samples[1::2]
    middle = slice(len(left) // 4, len(left) * 3 // 4)
    assert is_tone(left[middle].tobytes(), rate, SERVER)
    assert is_tone(right[middle].tobytes(), rate, OURS)


@pytest.mark.parametrize(("name", "kind", "codec"), [("call.mp3", None, "mp3"), ("call", "ogg", "opus")])
async def test_compressed_files(tmp_path: Path, name: str, kind: str | None, codec: str) -> None:
    path = await recorded(tmp_path / name, 0.8, format=kind)
    with av.open(str(path)) as container:
        assert codec in container.streams.audio[0].codec_context.name
    reader = SoundReader(path)
    try:
        pcm = reader.read(10)
    finally:
        reader.close()
    middle = pcm[len(pcm) // 4 // 2 * 2 : len(pcm) // 4 * 3 // 2 * 2]
    assert min(strength(middle, 48000, hz) for hz in (SERVER, OURS)) > 0.2


async def test_a_recording_ends_with_the_call_and_can_be_waited_for(tmp_path: Path) -> None:
    async with talking() as (session, _, _):
        handle = await session.audio.record(tmp_path / "call.wav")
        waiting = asyncio.ensure_future(handle.wait())
        given_up = asyncio.ensure_future(handle.wait())
        await hears(session, SERVER)
        given_up.cancel()
        await session.close()
        assert await within(waiting) == tmp_path / "call.wav"
        assert is_tone(read_wav(tmp_path / "call.wav")[0][-9600:], 16000, SERVER, least=0.5)
        with pytest.raises(CallEnded, match="nothing can be recorded"):
            await session.audio.record(tmp_path / "late.wav")
    with pytest.raises(asyncio.CancelledError):
        await given_up


async def test_a_folder_gets_a_file_named_by_the_call_and_by_nothing_worse(tmp_path: Path) -> None:
    async with session_of(call_id="../../etc/cron.d/x y\0") as (session, _):
        handle = await session.audio.record(tmp_path, format="mp3")
        await within(handle.stop())
        assert handle.path == tmp_path / "_.._etc_cron.d_x_y_.mp3"
    assert files(tmp_path) == ["_.._etc_cron.d_x_y_.mp3"]
    assert target_of(tmp_path, None, "..", overwrite=False)[0] == tmp_path / "call.wav"
    assert len(target_of(tmp_path, None, "x" * 5000, overwrite=False)[0].name) == 104


async def test_a_file_that_exists_is_kept_unless_it_may_go(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(b"precious")
    async with session_of() as (session, _):
        with pytest.raises(BadArgument, match="exists: pass overwrite=True"):
            await session.audio.record(path)
        handle = await session.audio.record(path, overwrite=True)
        assert path.read_bytes() == b"precious"
        await within(handle.stop())
        assert path.read_bytes()[:4] == b"RIFF"
        late = await session.audio.record(tmp_path / "other.wav")
        (tmp_path / "other.wav").write_bytes(b"came meanwhile")
        with pytest.raises(BadArgument, match="exists"):
            await within(late.stop())
        assert (tmp_path / "other.wav").read_bytes() == b"came meanwhile"
    assert files(tmp_path) == ["call.wav", "other.wav"]


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("call.flac", {}, "no format 'flac'"),
        ("call.wav", {"format": "exe"}, "no format 'exe'"),
        ("no/such/folder.wav", {}, "no folder"),
        ("call.wav", {"direction": "up"}, "no direction"),
        ("call.wav", {"rate": 11025}, "samples a second"),
        ("", {}, "'' is no path"),
    ],
)
async def test_what_cannot_be_is_refused_at_once(tmp_path: Path, name: str, options: Any, reason: str) -> None:
    async with session_of() as (session, _):
        with pytest.raises(BadArgument, match=reason):
            await session.audio.record(tmp_path / name if name else "", **options)
    assert files(tmp_path) == []


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.mkdir()])
def test_what_is_no_file_is_not_replaced(tmp_path: Path, make: Callable[[Path], None]) -> None:
    place = tmp_path / "thing.wav"
    make(place)
    if place.is_dir():
        assert target_of(place, None, "c", overwrite=True)[0] == place / "c.wav"
    else:
        with pytest.raises(BadArgument, match="is no file"):
            target_of(place, None, "c", overwrite=True)


async def test_a_disk_that_fails_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: SoundFile, pcm: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SoundFile, "write", full)
    async with talking() as (session, _, _):
        handle = await session.audio.record(tmp_path / "call.wav")
        with pytest.raises(OSError, match="No space left"):
            await within(handle.wait())
        assert session._received._rates == {} or not session._received._rates[16000].sinks
        await hears(session, SERVER)
    assert files(tmp_path) == []


@pytest.mark.parametrize("kind", ["wav", "mp3", "ogg"])
async def test_a_disk_that_is_full_is_told_while_it_records(tmp_path: Path, kind: str) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with talking() as (session, _, _):
        handle = await session.audio.record(tmp_path / f"call.{kind}", rate=48000)
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, hard))
        try:
            with pytest.raises(OSError, match=r"File too large"):
                await within(handle.wait())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        with pytest.raises(OSError, match=r"File too large"):
            await within(handle.stop())
    assert files(tmp_path) == []


@pytest.mark.parametrize("kind", ["wav", "mp3", "ogg"])
async def test_a_disk_that_is_full_at_the_end_is_an_os_error(tmp_path: Path, kind: str) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with talking() as (session, _, _):
        handle = await session.audio.record(tmp_path / f"call.{kind}", rate=48000)
        await hears(session, SERVER)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
        try:
            with pytest.raises(OSError, match=r"File too large"):
                await within(handle.stop())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files(tmp_path) == []


async def test_a_clock_that_is_set_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, shift = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + shift[0])
    async with talking() as (session, _, _):
        await hears(session, SERVER)
        handle = await session.audio.record(tmp_path / "call.wav", direction="received")
        began = time.monotonic()
        for shift[0] in (-30.0, 12 * 3600.0, 0.0):
            came = session.audio.received_frames
            await until(lambda came=came: session.audio.received_frames >= came + 20)
        lasted = time.monotonic() - began
        await within(handle.stop())
    assert handle.dropped == 0
    pcm = read_wav(handle.path)[0]
    assert lasted - 0.3 <= len(pcm) / 32000 <= lasted + 2.0
    assert is_tone(pcm[3200:-6400], 16000, SERVER)


async def test_a_loop_that_was_blocked_loses_nothing_that_came(tmp_path: Path) -> None:
    frame = av.AudioFrame(format="s16", layout="mono", samples=320)
    frame.sample_rate = 16000
    frame.planes[0].update(sine(OURS, 0.02, 16000))
    async with session_of() as (session, _):
        handle = await session.audio.record(tmp_path / "call.wav", direction="received")
        await asyncio.sleep(0.1)
        time.sleep(1.0)  # noqa: ASYNC251 - that is what it is about
        for _ in range(50):
            session._received.push(frame)
            await asyncio.sleep(0)  # as the socket gives them: one each turn of the loop
        await asyncio.sleep(0.1)
        await within(handle.stop())
    assert handle.dropped == 0
    heard = array("h", read_wav(handle.path)[0])
    assert sum(1 for at in range(0, len(heard), 320) if any(heard[at : at + 320])) >= 50
    assert len(heard) / 16000 == pytest.approx(1.2, abs=0.2)


async def test_a_wav_file_that_can_hold_no_more_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ziwo_async.media.files._WAV_MOST", 32000)
    async with talking() as (session, _, _):
        handle = await session.audio.record(tmp_path / "call.wav")
        assert not handle.full
        assert await within(handle.wait()) == handle.path
        assert handle.full
        assert not session._received._rates.get(16000) or not session._received._rates[16000].sinks
    assert 16000 <= len(read_wav(handle.path)[0]) <= 32000
    assert handle.seconds == len(read_wav(handle.path)[0]) / 32000


def test_the_head_of_a_wav_file_can_tell_the_most_that_is_written() -> None:
    from ziwo_async.media.files import _WAV_MOST

    assert 2**31 < _WAV_MOST < 2**32 - 36


async def test_writing_never_blocks_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, plain = threading.Event(), SoundFile.write

    def slow(file: SoundFile, pcm: bytes) -> bool:
        assert gate.wait(5)
        return plain(file, pcm)

    monkeypatch.setattr(SoundFile, "write", slow)
    async with talking() as (session, _, _):
        handle = await session.audio.record(tmp_path / "call.wav", direction="received")
        came = session.audio.received_frames
        await until(lambda: session.audio.received_frames >= came + 50)
        gate.set()
        await within(handle.stop())
    assert len(read_wav(tmp_path / "call.wav")[0]) / 32000 == pytest.approx(1.0, abs=0.4)


async def test_a_disk_that_hangs_does_not_keep_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(SoundFile, "write", lambda file, pcm: gate.wait(5))
    monkeypatch.setattr("ziwo_async.media.audio._CLOSE_LIMIT", 0.05)
    async with talking() as (session, _, _):
        handle = await session.audio.record(tmp_path / "call.wav")
        await hears(session, SERVER)
        await within(session.close(), 2)
        assert "record call.wav: the disk did not take it" in caplog.text
        gate.set()
        await within(handle.wait())


async def test_a_cancelled_stop_still_makes_the_file_whole(tmp_path: Path) -> None:
    async with talking() as (session, _, _):
        handle = await session.audio.record(tmp_path / "call.wav")
        await hears(session, SERVER)
        task = asyncio.ensure_future(handle.stop())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(task)
        assert handle.done
        assert read_wav(tmp_path / "call.wav")[0]


# -- the timeline ------------------------------------------------------------------------------------------------------

RATE = 8000
PIECE = b"\1\0" * 160


def test_frames_that_come_in_bursts_follow_each_other() -> None:
    timeline = Timeline(RATE, 100.0)
    for at in (100.0, 100.0, 100.05, 100.05, 100.09):
        timeline.add(0, PIECE, at)
    received, sent = timeline.take(100.1)
    assert received == PIECE * 5
    assert sent == bytes(len(received))


def test_what_is_missing_is_silence() -> None:
    timeline = Timeline(RATE, 100.0)
    timeline.add(0, PIECE, 100.0)
    timeline.add(0, PIECE, 100.5)
    received, _ = timeline.take(101.0)
    assert received == PIECE + bytes(2 * (4000 - 160)) + PIECE + bytes(2 * (4000 - 160))


def test_what_comes_much_too_fast_is_dropped_and_so_is_what_nobody_takes() -> None:
    timeline = Timeline(RATE, 100.0)
    for _ in range(100):
        timeline.add(0, PIECE, 100.0)
    assert timeline.dropped == 100 - 17
    timeline = Timeline(RATE, 100.0)
    timeline.add(1, PIECE, 131.0)
    assert timeline.dropped == 1
    assert timeline.take(100.0) == (b"", b"")


def test_what_comes_late_all_at_once_takes_the_place_of_the_silence() -> None:
    timeline = Timeline(RATE, 100.0)
    timeline.add(0, PIECE, 100.0)
    for _ in range(60):
        timeline.add(0, PIECE, 101.5)
    assert timeline.dropped == 0
    received, _ = timeline.take(101.6)
    assert received.count(PIECE) == 61
    assert len(received) == 1.6 * RATE * 2


def test_silence_that_was_taken_is_not_given_back() -> None:
    timeline = Timeline(RATE, 100.0)
    timeline.add(0, PIECE, 101.0)
    taken, _ = timeline.take(101.0)
    assert taken == bytes(2 * RATE)
    for _ in range(30):
        timeline.add(0, PIECE, 101.1)
    assert timeline.take(102.0)[0].count(PIECE) == 31 - timeline.dropped
    assert timeline.dropped


def test_a_time_in_which_the_machine_slept_is_left_out() -> None:
    timeline = Timeline(RATE, 100.0)
    assert len(timeline.take(100.0 + 12 * 3600)[0]) == 30 * RATE * 2
    timeline.add(0, PIECE, 100.0 + 12 * 3600 + 0.02)
    assert PIECE in timeline.take(100.0 + 12 * 3600 + 0.1)[0]


def test_takes_follow_each_other_without_a_seam() -> None:
    timeline, pcm = Timeline(RATE, 0.0), sine(440, 1.0, RATE)
    out = b""
    for n in range(50):
        timeline.add(0, pcm[n * 320 : n * 320 + 320], n * 0.02)
        if n % 7 == 6:
            out += timeline.take(n * 0.02 - 0.05)[0]
    assert out + timeline.take(1.0)[0] == pcm


def test_joining() -> None:
    one, two = b"\1\0\2\0", b"\3\0\4\0"
    assert joined(one, two, "received") == one
    assert joined(one, two, "sent") == two
    assert joined(one, two, "both") == b"\1\0\3\0\2\0\4\0"
    assert joined(one, two, "mixed") == b"\4\0\6\0"
    assert joined(one, bytes(4), "mixed") == one
    assert joined(bytes(4), two, "mixed") == two
