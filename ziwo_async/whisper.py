"""Whisper sessions: listen to an agent's live conversation, and speak to the agent, in five lines.

    async with ziwo.eavesdrop("5555", whisper="agent") as session:
        await session.record("coaching.wav")

It joins REST and phone. ZIWO rings the current user's position with an eavesdrop call, which its back end does not
answer: the client must (source: ZIWO docs, Call Whispering). So the call is asked for (REST), its invite is recognised
at our phone by the id that ZIWO gave, whichever of the two comes first, and answered. Only calls that we asked for are
answered; everything else that rings stays an ordinary ringing call.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Self, get_args

from ._whisper_audit import AuditTrail
from ._whisper_begin import LONGEST_WAIT, Beginning
from .dispatch.owner import finish
from .dispatch.streams import EventStream
from .errors import BadArgument, ZiwoError
from .events import CallEvent, Destroy, Ringing
from .rest.eavesdrops import EavesdropsResource, Whisper

if TYPE_CHECKING:
    import os

    from .media.files import Format
    from .media.playback import Playback, Sound, Speech
    from .media.received import FrameStream
    from .media.recording import RecordingHandle
    from .media.timeline import Direction
    from .phone.call import Call
    from .phone.phone import Phone

__all__ = ["LONGEST_WAIT", "WhisperSession"]

_log = logging.getLogger("ziwo_async.audit")

_DISK_SECONDS = 5.0


class WhisperSession:
    """One eavesdrop call, from `async with` on: listens, and speaks to the agent, to both, or to nobody.

    When the agent's call ends the session stays: ZIWO plays hold music until the next one. A lost connection is made
    again and the call recovered like any other. Each step gives an `EavesdropAudit` event, and a line in the log
    `ziwo_async.audit`.
    """

    def __init__(
        self,
        phone: Phone,
        eavesdrops: EavesdropsResource,
        agent: str,
        *,
        whisper: Whisper = "none",
        position: str | None = None,
        answer_within: float = 15.0,
    ) -> None:
        """Made by `ZiwoClient.eavesdrop`.

        Args:
            phone: Our phone, at which the call rings.
            eavesdrops: The REST side.
            agent: The agent to listen to, by ccLogin such as `5555`.
            whisper: Who hears us from the beginning.
            position: The position to ring; the user's default one when None.
            answer_within: Seconds from the request until the call must be answered, 60 at most.

        Raises:
            BadArgument: An argument can never work.
        """
        if not agent.strip():
            raise BadArgument("eavesdrop: the agent's number is empty")
        if whisper not in get_args(Whisper):
            raise BadArgument(f"whisper is one of {', '.join(get_args(Whisper))}, not {whisper!r}")
        if not 0 < answer_within <= LONGEST_WAIT:
            raise BadArgument(
                f"answer_within must be more than 0 and at most {LONGEST_WAIT:g} s, not {answer_within!r}"
            )
        self._phone = phone
        self._eavesdrops = eavesdrops
        self._position = position
        self._within = answer_within
        self._wanted: Whisper = whisper
        self._audit = AuditTrail(phone, agent)
        self._call: Call | None = None
        self._used = False
        self._closing: asyncio.Task[None] | None = None
        self._recordings: list[RecordingHandle] = []
        self.agent = agent

    def __repr__(self) -> str:
        state = "not begun" if self._call is None else str(self._call.state)
        return f"<WhisperSession {self.agent} {state}, heard by {self.heard_by}>"

    # -- life ------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._used:
            raise BadArgument("a whisper session begins only once; make another one with ziwo.eavesdrop()")
        self._used = True
        self._phone.announced.check_ready()
        begins = Beginning(
            self._phone, self._eavesdrops, self._audit, self.agent, position=self._position, within=self._within
        )
        async with EventStream(self._phone.dispatcher, Ringing) as rings:
            call_id = await begins.create()
            try:
                self._call = await begins.recognise(call_id, rings)
                await begins.answer(self._call)
                if self._wanted != "none":
                    await self.whisper(self._wanted)
                if self._call.is_over:
                    raise self._call.ended_error("it ended while the session began")
            except BaseException as error:
                begins.give_up(call_id, error)
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop listening: hang up our leg, and wait until recordings are whole, also when cancelled.

        The agent's call goes on. A call that the phone has kept on the server (`drain(calls="keep")`) is kept.
        """
        if self._closing is None or self._closing.done():
            self._closing = asyncio.create_task(
                self._close(), name=f"ziwo_async:whisper: stop listening to {self.agent}"
            )
        await finish(self._closing)

    async def _close(self) -> None:
        call = self._call
        if call is not None and not call.is_over:
            try:
                await call.hangup()
            except ZiwoError as error:  # the phone is closed: what becomes of the call was decided there
                _log.info("eavesdrop call %s was not hung up: %s", call.id, error)
        recordings, self._recordings = self._recordings, []
        for recording in recordings:
            # What fails is told by the handle, and in the log; a disk that hangs keeps nobody here.
            with contextlib.suppress(OSError, BadArgument, TimeoutError):
                async with asyncio.timeout(_DISK_SECONDS):
                    await recording.wait()

    async def wait_closed(self) -> Destroy:
        """Wait until the session is over, by whomever.

        Returns:
            The last event of the call; who ended it and why are in its `current_call`.
        """
        return await self.call.wait_for(Destroy)

    # -- what it is ------------------------------------------------------------

    @property
    def call(self) -> Call:
        """The eavesdrop call at our phone.

        Raises:
            BadArgument: The session has not begun: use it with `async with`.
        """
        if self._call is None:
            raise BadArgument(
                "the whisper session has not begun: use it as `async with ziwo.eavesdrop(...) as session`"
            )
        return self._call

    @property
    def call_id(self) -> str:
        """The id that ZIWO gave the eavesdrop call, by which it is changed."""
        return self._audit.call_id or self.call.id

    @property
    def heard_by(self) -> Whisper:
        """Who hears us now: `agent`, `both` or `none`."""
        return self._audit.heard_by

    async def events(self) -> AsyncIterator[CallEvent]:
        """Read the events of this call, until it is over."""
        call = self.call
        async with EventStream(self._phone.dispatcher, CallEvent) as stream:
            if call.is_over:
                return
            async for event in stream:
                if event.call_id == call.id:
                    yield event
                    if isinstance(event, Destroy):
                        return

    # -- what it can do --------------------------------------------------------

    async def whisper(self, to: Whisper) -> None:
        """Say who hears us.

        (`PUT /live/calls/eavesdrop/{callID}`; source: ZIWO docs)

        Args:
            to: `agent`, `both` (agent and customer) or `none`.

        Raises:
            BadArgument: There is no such way to whisper.
            Forbidden: The user lacks the permission `eavesdrop`.
            NotFound: The eavesdrop call is over.
        """
        try:
            await self._eavesdrops.update(self.call_id, whisper=to)
        except BaseException as error:  # a cancellation too: it may have come about
            self._audit.tell("update", whisper=to, error=error)
            raise
        self._audit.heard_by = to
        self._audit.tell("update")

    def audio(self, rate: int = 16000) -> FrameStream:
        """What is heard, the agent and the customer, as an async iterator of frames of 20 ms that ends with the call.

        Args:
            rate: Samples a second: 8000, 16000 or 48000.

        Raises:
            MediaError: The client was made without `media=AiortcMedia()`.
        """
        return self.call.audio.frames(rate)

    async def record(
        self,
        path: str | os.PathLike[str],
        *,
        format: Format | None = None,  # noqa: A002 - the word that people look for
        overwrite: bool = False,
        direction: Direction = "mixed",
        rate: int = 16000,
    ) -> RecordingHandle:
        """Record to a file, from now on until `stop()` of what this gives, or the end of the session.

        Args:
            path: A file; or a folder, then the file is named by the call.
            format: `wav`, `mp3` or `ogg`; by default what the name ends in.
            overwrite: Whether the file may exist already.
            direction: `mixed`, `received` only, `sent` only, or `both` in stereo: received left, sent right.
            rate: Samples a second: 8000, 16000 or 48000.

        Raises:
            BadArgument: It cannot be written there, or an argument makes no sense.
            MediaError: The client was made without `media=AiortcMedia()`.
            CallEnded: The session is over.
        """
        recording = await self.call.audio.record(
            path, format=format, overwrite=overwrite, direction=direction, rate=rate
        )
        self._recordings = [one for one in self._recordings if not one.done] + [recording]
        return recording

    def play(self, sound: Sound) -> Playback:
        """Play something to those who hear us. Begins at once.

        Args:
            sound: A file of any kind that FFmpeg reads; a `Tone`; or an async iterator of frames.

        Returns:
            A handle: await it to wait for the end, `stop()` it.

        Raises:
            MediaError: The client was made without `media=AiortcMedia()`.
            CallEnded: The session is over.
        """
        return self.call.audio.play(sound)

    def speak(self, speech: Speech, *, rate: int | None = None) -> Playback:
        """Say what is made as it goes, by a voice of a language model for instance.

        Args:
            speech: An async iterator of frames, or of bare PCM (mono, 16-bit little-endian).
            rate: Samples a second of bare PCM.

        Raises:
            MediaError: The client was made without `media=AiortcMedia()`.
            CallEnded: The session is over.
        """
        return self.call.audio.speak(speech, rate=rate)
