"""AiortcSession: the media of one call, over all its connections."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager

from ..dispatch.owner import TaskOwner, finish
from ..errors import MediaError
from ..events import CallEvent, DialogState, MediaLost, MediaUp
from ._connection import Certificates, Line, Way
from .audio import CallAudio
from .received import Received
from .sdp import check, cleaned, is_loopback
from .sent import Sent
from .stun import StunList
from .voice import VoiceActivity
from .watchdog import Loss, Watchdog

__all__ = ["AiortcSession"]

_log = logging.getLogger("ziwo_async.media")

_CLOSE_LIMIT = 2.0


class AiortcSession:
    """The media of one call: negotiates, watches, and hands out `audio`.

    Attributes:
        audio: What is heard and said.
    """

    def __init__(
        self,
        call_id: str,
        *,
        certificates: Certificates,
        stun: StunList,
        gather_limit: float,
        watch_after: float,
        loopback: bool | None,
        voice: VoiceActivity | None,
    ) -> None:
        """Made by `AiortcMedia.open`."""
        self._call_id = call_id
        self._certificates = certificates
        self._stun = stun
        self._gather_limit = gather_limit
        self._loopback = loopback
        self._watchdog = Watchdog(watch_after, up=self._came_up, lost=self._was_lost)
        self._received = Received(self._watchdog.heard)
        self._sent = Sent()
        self._owner = TaskOwner(f"media of call {call_id}", self._crashed)
        self.audio = CallAudio(call_id, self._received, self._sent, self._owner)
        self._voice = voice
        self._line: Line | None = None
        self._tell: Callable[[CallEvent], None] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Make it ready for tasks."""
        await self._owner.start()

    # -- negotiation -----------------------------------------------------------

    async def offer(self) -> str:
        """Make a complete SDP offer, for an outbound call.

        Raises:
            MediaError: The call is over.
        """
        line = self._new_line(bool(self._loopback))
        try:
            offer = await line.offer()
        except BaseException:
            await line.close()
            raise
        await self._switch_to(line)
        return offer

    async def answer(self, offer: str) -> str:
        """Answer the server's offer: of an inbound call, or again when the call is re-attached.

        Each answer has a connection of its own; when it stands, the one before is closed.

        Raises:
            MediaError: The offer has no codec of ours, is not encrypted, or the call is over.
        """
        check(offer, self._call_id, "offer")
        line = self._new_line(is_loopback(offer) if self._loopback is None else self._loopback)
        try:
            with self._understanding("offer"):
                answer = await line.answer(cleaned(offer))
        except BaseException:
            await line.close()
            raise
        await self._switch_to(line)
        return answer

    async def accept(self, answer: str) -> None:
        """Take the server's answer to our offer. With early media it comes twice: the second one is not needed.

        Raises:
            MediaError: It has no codec of ours, or is not encrypted.
        """
        line = self._line
        if line is None or not line.waits_for_answer:
            _log.debug("call %s: an answer that no offer waits for is ignored", self._call_id)
            return
        check(answer, self._call_id, "answer")
        with self._understanding("answer"):
            await line.accept(cleaned(answer))

    @contextmanager
    def _understanding(self, what: str) -> Generator[None]:
        try:
            yield
        except Exception as error:
            # Whatever aiortc makes of words that it does not understand.
            raise MediaError(
                f"the server's {what} cannot be used ({type(error).__name__}: {error})", call_id=self._call_id
            ) from error

    def _new_line(self, loopback: bool) -> Line:
        if self._closing is not None:
            raise MediaError("its media is closed", call_id=self._call_id)
        way = Way(loopback=loopback, stun=self._stun, limit=self._gather_limit)
        return Line(
            self._received, self._sent, certificate=self._certificates.present(), way=way, failed=self._line_failed
        )

    async def _switch_to(self, line: Line) -> None:
        before, self._line = self._line, line
        self._watchdog.anew()
        if before is not None:
            await before.close()

    def _line_failed(self) -> None:
        line = self._line
        if line is not None and line.failed and self._closing is None:
            self._watchdog.cut()

    async def mute(self, muted: bool) -> None:
        """Send silence, or what is played again."""
        self._sent.muted = muted

    # -- news ------------------------------------------------------------------

    def report_to(self, tell: Callable[[CallEvent], None]) -> None:
        """Tell what happens to the media, from now on.

        Args:
            tell: Called with `MediaUp`, `MediaLost`, and where asked for `VoiceStarted` and `VoiceStopped`.
        """
        self._tell = tell
        if self._voice is not None:
            self.audio.watch_voice(self._voice, tell)

    def note(self, state: DialogState) -> None:
        """The call has entered a state: audio is expected while it is active, and not while it is on hold."""
        if state is DialogState.ACTIVE:
            self._watchdog.watch()
        elif state in (DialogState.HELD, DialogState.RECOVERING):
            self._watchdog.rest()
        elif state in (DialogState.HANGUP, DialogState.DESTROY):
            self._watchdog.end()

    def _came_up(self, again: bool) -> None:
        if self._tell is not None:
            codec = "" if self._line is None else self._line.codec
            self._tell(MediaUp(call_id=self._call_id, codec=codec, again=again))

    def _was_lost(self, reason: Loss, seconds: float) -> None:
        _log.warning("call %s has no audio: %s", self._call_id, reason)
        if self._tell is not None:
            self._tell(MediaLost(call_id=self._call_id, reason=reason, seconds=round(seconds, 3)))

    def _crashed(self, name: str, error: Exception) -> None:
        _log.error("call %s: %s failed: %r", self._call_id, name, error)

    # -- the end ---------------------------------------------------------------

    async def close(self) -> None:
        """Let go of everything, also when cancelled. Safe to call twice."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name=f"ziwo_async:media: close call {self._call_id}")
        await finish(self._closing)

    async def _close(self) -> None:
        self._watchdog.end()
        try:
            await self.audio.end()
        finally:
            await self._owner.aclose(_CLOSE_LIMIT)
            if self._line is not None:
                await self._line.close()
