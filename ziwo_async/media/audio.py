"""CallAudio: what is heard and said in one call. You get it as `call.audio`."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import BadArgument, CallEnded
from ..events import VoiceStarted, VoiceStopped
from .frame import SILENCE_DB
from .playback import Playback, Sound, Speech, check_rate
from .recording import RecordingHandle, open_recording
from .tone import Tone
from .voice import VoiceActivity, VoiceWatch

if TYPE_CHECKING:
    from ..dispatch.owner import TaskOwner
    from .files import Format
    from .received import FrameStream, Received
    from .sent import Sent
    from .timeline import Direction

__all__ = ["CallAudio", "Levels"]

_log = logging.getLogger("ziwo_async.media")

# Levels and voice news that are not read in time: only the latest count.
_BUFFER = 64
_CLOSE_LIMIT = 5.0


@dataclass(frozen=True, slots=True)
class Levels:
    """How loud it is, in dBFS: 0 is the loudest there is, speech about -30 to -15, silence -100.

    Attributes:
        received: The loudest frame that was heard since the last time.
        sent: The loudest frame that was sent.
        at: When, in seconds since the epoch.
    """

    received: float
    sent: float
    at: float


class CallAudio:
    """What is heard and said in one call, from its first description to its end, over re-attachments too."""

    def __init__(self, call_id: str, received: Received, sent: Sent, owner: TaskOwner) -> None:
        """Made by the media engine.

        Args:
            call_id: The call.
            received: What is heard.
            sent: What is said.
            owner: Owns what is played.
        """
        self._call_id = call_id
        self._received = received
        self._sent = sent
        self._owner = owner
        self._recordings: set[RecordingHandle] = set()
        self._watches: set[VoiceWatch] = set()
        self._ended = asyncio.Event()

    def __repr__(self) -> str:
        return f"<CallAudio of call {self._call_id}, {self._received.frames} frames received, {self._sent.frames} sent>"

    @property
    def received_frames(self) -> int:
        """How many frames of 20 ms were received so far."""
        return self._received.frames

    @property
    def sent_frames(self) -> int:
        """How many frames of 20 ms were sent so far, silence included."""
        return self._sent.frames

    # -- hearing ---------------------------------------------------------------

    def frames(self, rate: int = 16000, *, buffer: int = 50) -> FrameStream:
        """What is heard, as an async iterator of frames of 20 ms that ends with the call.

        Several may read at once. Nothing is kept while nobody reads.

        Args:
            rate: Samples a second: 8000, 16000 or 48000.
            buffer: How many unread frames are kept; the oldest go first, and are counted in `.dropped`.

        Raises:
            BadArgument: There is no such rate, or the buffer holds nothing.
        """
        return self._received.stream(rate, buffer)

    async def levels(self, every: float = 0.1) -> AsyncGenerator[Levels]:
        """How loud it is, again and again, until the call ends.

        Args:
            every: Seconds.

        Raises:
            BadArgument: `every` is not above zero.
        """
        if every <= 0:
            raise BadArgument("levels: every must be above zero")
        heard = said = SILENCE_DB

        def note_heard(level: float, at: float) -> None:
            nonlocal heard
            heard = max(heard, level)

        def note_said(level: float | None, at: float) -> None:
            nonlocal said
            said = max(said, SILENCE_DB if level is None else level)

        leave = (self._received.meter(note_heard), self._sent.meter(note_said))
        try:
            while not await self._over_within(every):
                yield Levels(received=heard, sent=said, at=time.time())
                heard = said = SILENCE_DB
        finally:
            for stop in leave:
                stop()

    async def voice(self, settings: VoiceActivity | None = None) -> AsyncGenerator[VoiceStarted | VoiceStopped]:
        """When somebody begins to speak and stops, as it happens, until the call ends.

        To get the same as events of the phone, for all calls, make the engine with `AiortcMedia(voice=...)`.

        Args:
            settings: When sound counts as voice.
        """
        news: deque[VoiceStarted | VoiceStopped] = deque(maxlen=_BUFFER)
        came = asyncio.Event()

        def note(event: VoiceStarted | VoiceStopped) -> None:
            news.append(event)
            came.set()

        leave = self.watch_voice(settings or VoiceActivity(), note)
        over = asyncio.ensure_future(self._ended.wait())
        try:
            while True:
                while news:
                    yield news.popleft()
                if over.done():
                    return
                came.clear()
                waiting = asyncio.ensure_future(came.wait())
                try:
                    await asyncio.wait([waiting, over], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waiting.cancel()
        finally:
            over.cancel()
            leave()

    def watch_voice(
        self, settings: VoiceActivity, tell: Callable[[VoiceStarted | VoiceStopped], None]
    ) -> Callable[[], None]:
        """Call a function when voice starts and stops; gives the function that ends that. `voice` is easier to use."""
        watch = VoiceWatch(
            settings,
            lambda since, level: tell(VoiceStarted(call_id=self._call_id, at=_epoch(since), level=level)),
            lambda since, lasted: tell(VoiceStopped(call_id=self._call_id, at=_epoch(since), seconds=lasted)),
        )
        self._watches.add(watch)
        leave = self._received.meter(watch.heard)

        def end() -> None:
            self._watches.discard(watch)
            watch.end()
            leave()

        return end

    # -- speaking --------------------------------------------------------------

    def play(self, sound: Sound) -> Playback:
        """Play something to the other side, mixed with what is played already. Begins at once, ends with the call.

        Args:
            sound: A file of any kind that FFmpeg reads; a `Tone`; or an async iterator of frames.

        Returns:
            A handle: await it to wait for the end, `stop()` it. A file that cannot be read is told there.

        Raises:
            BadArgument: That is nothing that can be played.
            CallEnded: The call is over.
        """
        if not isinstance(sound, str | os.PathLike | Tone) and not hasattr(sound, "__aiter__"):
            raise BadArgument(f"play: {type(sound).__name__} is no path, no Tone, and no async iterator of frames")
        return self._begin(sound, None)

    def speak(self, speech: Speech, *, rate: int | None = None) -> Playback:
        """Say what is made as it goes, by a voice of a language model for instance.

        It is brought to the line's rate and sent at its pace. Pieces may be of any length and come in bursts: some two
        seconds are taken ahead, and a gap is filled with silence.

        Args:
            speech: An async iterator of frames, or of bare PCM (mono, 16-bit little-endian).
            rate: Samples a second of bare PCM.

        Raises:
            BadArgument: That is nothing that can be said, or `rate` makes no sense.
            CallEnded: The call is over.
        """
        if not hasattr(speech, "__aiter__"):
            raise BadArgument(f"speak: {type(speech).__name__} is no async iterator of frames, nor of bytes of PCM")
        if rate is not None:
            check_rate(rate)
        return self._begin(speech, rate)

    def _begin(self, sound: Sound | Speech, rate: int | None) -> Playback:
        self._check_open("nothing can be played")
        name = os.path.basename(sound) if isinstance(sound, str | os.PathLike) else repr(type(sound).__name__)
        playback = Playback(self._sent, str(sound) if isinstance(sound, Tone) else str(name))
        playback.begin(sound, self._owner, rate)
        return playback

    # -- recording -------------------------------------------------------------

    async def record(
        self,
        path: str | os.PathLike[str],
        *,
        format: Format | None = None,  # noqa: A002 - the word that people look for
        overwrite: bool = False,
        direction: Direction = "mixed",
        rate: int = 16000,
    ) -> RecordingHandle:
        """Record the call to a file, from now on until `stop()` or its end.

        The file appears at the end, whole, and readable by this user only. Consent to record is your program's
        business.

        Args:
            path: A file; or a folder, then the file is named by the call.
            format: `wav`, `mp3` or `ogg`; by default what the name ends in.
            overwrite: Whether the file may exist already.
            direction: `mixed`, `received` only, `sent` only, or `both` in stereo: received left, sent right.
            rate: Samples a second: 8000, 16000 or 48000.

        Raises:
            BadArgument: It cannot be written there, or an argument makes no sense.
            CallEnded: The call is over.
        """
        self._check_open("nothing can be recorded")
        self.frames(rate)  # looks at the rate
        handle = await open_recording(
            path, self._call_id, kind=format, overwrite=overwrite, direction=direction, rate=rate
        )
        handle.begin(self._received, self._sent)
        if self._ended.is_set():
            handle.end()
        self._recordings = {one for one in self._recordings if not one.done} | {handle}
        return handle

    # -- for the engine --------------------------------------------------------

    async def end(self) -> None:
        """The call is over: readers end, what is played stops, recordings become whole."""
        self._ended.set()
        self._received.end()
        self._sent.end()
        for watch in self._watches:
            watch.end()
        ending = [handle.end() for handle in self._recordings]
        if ending:
            _, still = await asyncio.wait(ending, timeout=_CLOSE_LIMIT)
            for task in still:
                _log.error("%s: the disk did not take it within %g s", task.get_name(), _CLOSE_LIMIT)

    def _check_open(self, what: str) -> None:
        if self._ended.is_set():
            raise CallEnded(f"it is over: {what} any more", call_id=self._call_id)

    async def _over_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._ended.wait()
        except TimeoutError:
            return False


def _epoch(moment: float) -> float:
    """The loop's time as seconds since the epoch."""
    return time.time() - (asyncio.get_running_loop().time() - moment)
