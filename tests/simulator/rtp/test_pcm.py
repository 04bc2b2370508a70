"""Frames, tones, files, and how they are measured."""

from __future__ import annotations

import math
import wave
from array import array
from pathlib import Path

import pytest

from ziwo_async.simulator.rtp.pcm import FRAME, RATE, Ear, Frame, Heard, Silence, Tone, Wav, mix, source_of

pytestmark = pytest.mark.media


def listen(source: Tone | Wav | Silence, seconds: float) -> Heard:
    ear = Ear(seconds)
    while not ear.full:
        ear.hear(source.take())
    return ear.heard()


def constant(value: int) -> Frame:
    return array("h", [value] * FRAME)


@pytest.mark.parametrize("hz", [50, 440, 880, 1500, 3900])
def test_a_tone_is_measured_at_its_own_frequency_only(hz: int) -> None:
    heard = listen(Tone(hz, 6_000), 0.4)
    assert heard.level(hz) == pytest.approx(6_000, rel=0.01)
    for other in (200, 700, 1100, 2000, 3000):
        assert heard.level(other) < 100
    assert heard.has(hz)
    assert not heard.has(hz + 333)


def test_the_frames_of_a_tone_fit_together() -> None:
    heard = listen(Tone(333), 1.5)
    step = 2 * math.pi * 333 / RATE
    assert all(abs(sample - 6_000 * math.sin(step * n)) < 2 for n, sample in enumerate(heard.samples))


@pytest.mark.parametrize(("hz", "level"), [(0, 1), (4_000, 1), (440, -1), (440, 32_768)])
def test_a_tone_that_no_line_carries_is_refused(hz: int, level: int) -> None:
    with pytest.raises(ValueError, match="telephone line"):
        Tone(hz, level)


def test_several_sources_add_up_and_none_of_them_is_nothing() -> None:
    assert mix([]) is None
    assert mix([None, None]) is None
    assert mix([None, constant(7)]) == constant(7)
    assert mix([constant(1), None, constant(2), constant(3)]) == constant(6)


@pytest.mark.parametrize("sign", [1, -1])
def test_too_loud_is_cut_and_does_not_wrap(sign: int) -> None:
    loud = constant(sign * 30_000)
    assert mix([loud, loud]) == constant(sign * 32_767)
    assert loud == constant(sign * 30_000), "the sources are not changed"


def write(path: Path, samples: list[int], *, rate: int = RATE, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(array("h", samples).tobytes())
    return path


def sine(hz: float, rate: int, seconds: float) -> list[int]:
    return [round(6_000 * math.sin(2 * math.pi * hz * n / rate)) for n in range(round(rate * seconds))]


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000])
def test_a_wav_is_played_once_at_its_own_pitch(tmp_path: Path, rate: int) -> None:
    voice = Wav(write(tmp_path / "voice.wav", sine(600, rate, 0.5), rate=rate))
    assert listen(voice, 0.5).level(600) == pytest.approx(6_000, rel=0.1)
    assert max(map(abs, listen(voice, 0.2).samples)) < 200, "then silence"


def test_of_a_stereo_file_the_first_channel_is_played(tmp_path: Path) -> None:
    pairs = [sample for pair in zip(sine(500, RATE, 0.4), sine(900, RATE, 0.4), strict=True) for sample in pair]
    heard = listen(Wav(write(tmp_path / "two.wav", pairs, channels=2)), 0.4)
    assert heard.has(500)
    assert not heard.has(900)


def test_other_sample_widths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="16 bit"):
        Wav(write(tmp_path / "eight.wav", [0] * 80, width=1))


def test_what_was_heard_can_be_saved_and_played_again(tmp_path: Path) -> None:
    listen(Tone(700), 0.3).save(tmp_path / "heard.wav")
    assert listen(Wav(tmp_path / "heard.wav"), 0.3).level(700) == pytest.approx(6_000, rel=0.01)


def test_a_path_is_a_source(tmp_path: Path) -> None:
    path = write(tmp_path / "voice.wav", [1] * FRAME)
    tone = Tone(440)
    assert source_of(tone) is tone
    assert source_of(path).take() == source_of(str(path)).take() == constant(1)


def test_an_ear_keeps_time_when_nothing_comes() -> None:
    ear = Ear(0.1)
    for frame in (None, constant(5), None, None, constant(6), constant(7)):
        ear.hear(frame)
    heard = ear.heard()
    assert (heard.seconds, heard.frames) == (0.1, 2), "what comes after the end is not kept"
    assert heard.samples[FRAME] == 5
    assert heard.samples[0] == heard.samples[2 * FRAME] == 0
    assert Heard(array("h"), 0).level(440) == 0
