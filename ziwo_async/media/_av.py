# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportPrivateImportUsage=false
"""The edge to PyAV: sound from one form into another. Everything here works on mono 16-bit PCM."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import cast

import av
from av import AudioFrame, AudioResampler, CodecContext, Packet
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream

from .frame import LINE_RATE

__all__ = ["AvError", "Converter", "Decoder", "Encoder", "Resampler", "SoundReader", "SoundWriter"]

AvError = av.FFmpegError
"""What PyAV raises for files it cannot read or write."""


def _pcm(frame: AudioFrame) -> bytes:
    # The buffer may be longer than the sound.
    return bytes(frame.planes[0])[: frame.samples * 2]


def _frame(pcm: bytes, rate: int) -> AudioFrame:
    frame = AudioFrame(format="s16", layout="mono", samples=len(pcm) // 2)
    frame.sample_rate = rate
    frame.planes[0].update(pcm)
    return frame


def _prime(graph: AudioResampler, rate: int, channels: int) -> None:
    # A resampler holds a part of what it gets back: with silence in that place, the first frame comes out at once.
    silence = AudioFrame(format="s16", layout="mono" if channels == 1 else "stereo", samples=rate * 3 // 1000)
    silence.sample_rate = rate
    silence.planes[0].update(bytes(silence.planes[0].buffer_size))
    graph.resample(silence)


class Converter:
    """Makes 20 ms frames at one rate out of decoded sound."""

    def __init__(self, rate: int) -> None:
        """Make one.

        Args:
            rate: Samples a second of what comes out.
        """
        self._rate = rate
        self._shape: tuple[int, int] | None = None
        self._graph: AudioResampler | None = None

    def convert(self, frame: AudioFrame) -> list[bytes]:
        """The frames that are complete now."""
        shape = (frame.sample_rate, frame.layout.nb_channels)
        if shape != self._shape or self._graph is None:
            # A re-attached call may have another codec.
            self._shape = shape
            self._graph = AudioResampler(format="s16", layout="mono", rate=self._rate, frame_size=self._rate // 50)
            _prime(self._graph, *shape)
        return [_pcm(made) for made in self._graph.resample(frame)]


class Resampler:
    """Brings a stream of PCM, whatever its rate and pieces, to one rate."""

    def __init__(self, rate: int) -> None:
        """Make one.

        Args:
            rate: Samples a second of what comes out.
        """
        self._rate = rate
        self._from = rate
        self._graph: AudioResampler | None = None
        self._odd = b""

    def push(self, pcm: bytes, rate: int) -> bytes:
        """Take a piece; gives what is ready."""
        if self._odd:
            pcm, self._odd = self._odd + pcm, b""
        if len(pcm) % 2:
            pcm, self._odd = pcm[:-1], pcm[-1:]
        before = b""
        if rate != self._from:
            before, self._from = self.flush(), rate
        if not pcm or rate == self._rate:
            return before + pcm
        if self._graph is None:
            self._graph = AudioResampler(format="s16", layout="mono", rate=self._rate)
        return before + b"".join(_pcm(made) for made in self._graph.resample(_frame(pcm, rate)))

    def flush(self) -> bytes:
        """The rest, at the end of the sound."""
        graph, self._graph = self._graph, None
        return b"" if graph is None else b"".join(_pcm(made) for made in graph.resample(None))


class Decoder:
    """Decodes what is received, one packet at a time."""

    def __init__(self, codec: str) -> None:
        """Make one.

        Args:
            codec: `opus`, `PCMU` or `PCMA`.
        """
        self._context = cast("AudioCodecContext", CodecContext.create(_CODECS[codec], "r"))
        self._context.format = "s16"
        self._context.layout = "mono"
        self._context.sample_rate = LINE_RATE if codec == "opus" else 8000

    def decode(self, payload: bytes) -> list[AudioFrame]:
        """The sound of a packet; nothing when it is broken."""
        try:
            return self._context.decode(Packet(payload))
        except AvError:
            return []


# What the encoders give for 20 ms of silence: nothing needs to be encoded while nothing is said.
_SILENCE = {"opus": b"\xd8\xff\xfe", "PCMU": b"\xff" * 160, "PCMA": b"\xd5" * 160}
_CODECS = {"opus": "libopus", "PCMU": "pcm_mulaw", "PCMA": "pcm_alaw"}
# Frames of silence that are encoded after sound, so that it fades out as the codec wants it.
_TAIL = 4


class Encoder:
    """Encodes what is sent, 20 ms at a time.

    Attributes:
        clock: Ticks a second of the RTP timestamps.
    """

    def __init__(self, codec: str) -> None:
        """Make one.

        Args:
            codec: `opus`, `PCMU` or `PCMA`.
        """
        self.clock = LINE_RATE if codec == "opus" else 8000
        self._silence = _SILENCE[codec]
        self._context = cast("AudioCodecContext", CodecContext.create(_CODECS[codec], "w"))
        self._context.format = "s16"
        self._context.layout = "mono"
        self._context.sample_rate = self.clock
        self._context.time_base = Fraction(1, self.clock)
        if codec == "opus":
            self._context.bit_rate = 40_000
            self._context.options = {"application": "voip"}
        self._narrow: AudioResampler | None = None
        if self.clock != LINE_RATE:
            self._narrow = AudioResampler("s16", "mono", self.clock, self.clock // 50)
            _prime(self._narrow, LINE_RATE, 1)
        self._tail = 0
        self._encoded = 0

    def encode(self, pcm: bytes | None) -> bytes:
        """The payload of 20 ms.

        Args:
            pcm: The sound at `LINE_RATE`; None for silence.
        """
        if pcm is not None:
            self._tail = _TAIL
        elif self._tail:
            self._tail -= 1
            pcm = bytes(LINE_RATE // 25)
        else:
            return self._silence
        frame = _frame(pcm, LINE_RATE)
        made = [frame] if self._narrow is None else self._narrow.resample(frame)
        payload = b"".join(self._encode(piece) for piece in made)
        return payload or self._silence

    def _encode(self, frame: AudioFrame) -> bytes:
        frame.pts = self._encoded
        frame.time_base = Fraction(1, self.clock)
        self._encoded += frame.samples
        return b"".join(bytes(packet) for packet in self._context.encode(frame))


class SoundReader:
    """Reads a sound file of any kind that FFmpeg knows, as PCM at `LINE_RATE`. Blocking: for threads."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open it.

        Raises:
            OSError: It cannot be read, or is no file.
            FFmpegError: It is no sound.
        """
        # A file that is open already: FFmpeg would take many names for addresses, and fetch them. Nor may what is in it
        # name other files.
        if os.path.exists(path) and not os.path.isfile(path):
            raise OSError(errno.EINVAL, "it is no file")
        self._file = open(path, "rb")  # noqa: SIM115 - it is open as long as it is played
        try:
            self._container = av.open(self._file, "r", options={"protocol_whitelist": "none"})
        except BaseException:
            self._file.close()
            raise
        try:
            self._frames = iter(self._container.decode(audio=0))
        except BaseException:
            self.close()
            raise
        self._graph = AudioResampler("s16", "mono", LINE_RATE)

    def read(self, seconds: float) -> bytes:
        """The next piece, at least that long; less, and at last nothing, at the end."""
        wanted, made = round(seconds * LINE_RATE) * 2, bytearray()
        for frame in self._frames:
            made += b"".join(_pcm(piece) for piece in self._graph.resample(frame))
            if len(made) >= wanted:
                return bytes(made)
        rest: Iterator[AudioFrame] = iter(self._graph.resample(None))
        return bytes(made) + b"".join(_pcm(piece) for piece in rest)

    def close(self) -> None:
        """Let go of the file."""
        self._container.close()
        self._file.close()


_BUFFER = 4096
_FORMATS = {"mp3": ("mp3", "libmp3lame"), "ogg": ("ogg", "libopus")}


class SoundWriter:
    """Writes a compressed sound file. Blocking: for threads."""

    def __init__(self, path: str, kind: str, rate: int, channels: int) -> None:
        """Begin the file.

        Args:
            path: Where.
            kind: `mp3` or `ogg` (opus).
            rate: Samples a second of what is written.
            channels: 1 or 2.

        Raises:
            OSError: It cannot be written.
        """
        name, codec = _FORMATS[kind]
        self._layout = "mono" if channels == 1 else "stereo"
        self._rate = rate
        self._written = 0
        # A file of ours: FFmpeg's own keeps an error to itself until the end.
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - it is open as long as the recording goes on
        try:
            self._container = av.open(self._file, "w", format=name, buffer_size=_BUFFER)
            self._stream = cast("AudioStream", self._container.add_stream(codec, rate=rate))
        except BaseException:
            self._file.close()
            raise
        self._stream.layout = self._layout
        self._channels = channels

    def write(self, pcm: bytes) -> bool:
        """Add samples, interleaved when there are two channels. There is always room.

        Raises:
            OSError: It cannot be written.
        """
        frame = AudioFrame(format="s16", layout=self._layout, samples=len(pcm) // (2 * self._channels))
        frame.sample_rate = self._rate
        frame.planes[0].update(pcm)
        frame.pts = self._written
        frame.time_base = Fraction(1, self._rate)
        self._written += frame.samples
        with _os_errors():
            self._container.mux(self._stream.encode(frame))
        return True

    def close(self) -> None:
        """Finish the file.

        Raises:
            OSError: It cannot be written.
        """
        try:
            with _os_errors():
                try:
                    if self._written:
                        self._container.mux(self._stream.encode(None))
                finally:
                    self._container.close()
        finally:
            self._file.close()


@contextmanager
def _os_errors() -> Generator[None]:
    """What FFmpeg raises about files is not always an `OSError`."""
    try:
        yield
    except AvError as error:
        if isinstance(error, OSError):
            raise
        raise OSError(f"the file could not be written: {error}") from None
