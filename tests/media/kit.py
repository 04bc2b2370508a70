"""What the tests of media share: the two sides of a call, and a way to tell what was heard."""

from __future__ import annotations

import asyncio
import math
import wave
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from ziwo_async.events import CallEvent
from ziwo_async.media import AiortcMedia, AudioFrame
from ziwo_async.media.session import AiortcSession
from ziwo_async.simulator.rtp import Peer, Tone

T = TypeVar("T")
LIMIT = 5.0
SERVER, OURS = 440, 1000
"""What each side sounds like, in Hz."""


async def within(awaitable: Awaitable[T], seconds: float = LIMIT) -> T:
    """Wait for something, but not for ever."""
    async with asyncio.timeout(seconds):
        return await awaitable


async def until(look: Callable[[], object], what: str = "", seconds: float = LIMIT) -> None:
    """Let the loop turn until something that has no event of its own is so."""
    try:
        async with asyncio.timeout(seconds):
            while not look():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"still not so after {seconds} s: {what or look}") from None


def strength(pcm: bytes, rate: int, hz: int) -> float:
    """How much of the energy is in one frequency, 0 to 1 (Goertzel)."""
    samples = array("h", pcm)
    energy = sum(sample * sample for sample in samples)
    if not energy:
        return 0.0
    turn = 2 * math.cos(2 * math.pi * hz / rate)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + turn * last - before
    power = before * before + last * last - turn * before * last
    return 2 * power / (len(samples) * energy)


def is_tone(pcm: bytes, rate: int, hz: int, *, least: float = 0.8) -> bool:
    """Whether it is that tone, and little else."""
    return strength(pcm, rate, hz) >= least


def sine(hz: int, seconds: float, rate: int, amplitude: int = 8000) -> bytes:
    """A tone as PCM."""
    step = 2 * math.pi * hz / rate
    return array("h", (round(amplitude * math.sin(step * n)) for n in range(round(seconds * rate)))).tobytes()


def wav_file(path: Path, pcm: bytes, rate: int, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm)
    return path


def read_wav(path: Path) -> tuple[bytes, int, int]:
    """PCM, rate and channels of a WAV file."""
    with wave.open(str(path), "rb") as file:
        assert file.getsampwidth() == 2
        return file.readframes(file.getnframes()), file.getframerate(), file.getnchannels()


async def hear(session: AiortcSession, seconds: float, *, rate: int = 16000, skip: float = 0.1) -> bytes:
    """What a session hears; the first moments are left out, until a codec and a filter have settled."""

    async def collect() -> bytes:
        heard: list[AudioFrame] = []
        async for frame in session.audio.frames(rate):
            heard.append(frame)
            if len(heard) >= round((seconds + skip) / 0.02):
                break
        return b"".join(frame.pcm for frame in heard[round(skip / 0.02) :])

    return await within(collect())


async def hears(session: AiortcSession, hz: int, *, rate: int = 16000, seconds: float = LIMIT) -> None:
    """Wait until a session hears a tone and little else, for a fifth of a second."""

    async def wait() -> None:
        window: list[bytes] = []
        async for frame in session.audio.frames(rate):
            window = [*window[-9:], frame.pcm]
            if len(window) == 10 and is_tone(b"".join(window), rate, hz):
                return
        raise AssertionError("the call ended")

    await within(wait(), seconds)


async def heard_by(peer: Peer, hz: int, *, seconds: float = 0.3) -> bool:
    """Whether the server hears a tone from us."""
    heard = await within(peer.heard(seconds, timeout=2 * seconds + 1))
    return is_tone(heard.samples.tobytes(), 8000, hz)


class News(list[CallEvent]):
    """The events that a session told."""

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self if isinstance(event, kind)]


def media(**options: Any) -> AiortcMedia:
    """An engine for servers on this machine."""
    return AiortcMedia(**({"stun": (), "loopback": True} | options))


@asynccontextmanager
async def session_of(
    engine: AiortcMedia | None = None, call_id: str = "c1"
) -> AsyncIterator[tuple[AiortcSession, News]]:
    """A session, and what it tells."""
    session, news = await (engine or media()).open(call_id), News()
    session.report_to(news.append)
    try:
        yield session, news
    finally:
        await within(session.close())


@asynccontextmanager
async def talking(
    engine: AiortcMedia | None = None, *, outbound: bool = False, **options: Any
) -> AsyncIterator[tuple[AiortcSession, Peer, News]]:
    """Both sides of a call, connected; the server sends a tone."""
    async with session_of(engine) as (session, news), Peer(**options) as peer:
        peer.play(Tone(SERVER))
        if outbound:
            await session.accept(peer.answer(await within(session.offer())))
        else:
            peer.accept(await within(session.answer(peer.offer())))
        await peer.connected()
        await until(lambda: session.audio.received_frames, "nothing is received")
        yield session, peer, news


async def frames_of(pcm: bytes, rate: int, *, pieces: Iterable[int] = ()) -> AsyncIterator[AudioFrame]:
    """PCM as frames, cut where asked, else into 20 ms."""
    sizes = list(pieces)
    size = rate // 50 * 2
    while pcm:
        count = sizes.pop(0) if sizes else size
        piece, pcm = pcm[:count], pcm[count:]
        yield AudioFrame(piece, rate)
