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
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, get_args

from .dispatch.streams import EventStream
from .errors import (
    AgentNotFound,
    BadArgument,
    CallEnded,
    ClientClosed,
    Conflict,
    EavesdropTimeout,
    NotFound,
    PositionNotConnected,
    RequestTimeout,
    WrongState,
    ZiwoError,
)
from .events import Active, CallEvent, Destroy, DialogState, EavesdropAudit, Ringing
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
    from .rest.models.eavesdrop import EavesdropCall

__all__ = ["LONGEST_WAIT", "WhisperSession"]

_audit = logging.getLogger("ziwo_async.audit")

LONGEST_WAIT = 60.0
"""Seconds within which an eavesdrop call that we asked for is answered by itself; after that it is turned away."""

_DISK_SECONDS = 5.0

Action = Literal["create", "answer", "update", "end", "give up"]


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
        self._mode: Whisper = "none"
        self._call: Call | None = None
        self._call_id: str | None = None
        self._used = False
        self._recordings: list[RecordingHandle] = []
        self.agent = agent

    def __repr__(self) -> str:
        state = "not begun" if self._call is None else str(self._call.state)
        return f"<WhisperSession {self.agent} {state}, heard by {self._mode}>"

    # -- life ------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._used:
            raise BadArgument("a whisper session begins only once; make another one with ziwo.eavesdrop()")
        self._used = True
        self._phone.announced.check_ready()
        async with EventStream(self._phone.dispatcher, Ringing) as rings:
            deadline = asyncio.get_running_loop().time() + self._within
            created = await self._create()
            try:
                self._call = await self._recognise(created.call_id, rings, deadline)
                await self._answer(self._call, deadline)
                if self._wanted != "none":
                    await self.whisper(self._wanted)
            except BaseException as error:
                self._tell("give up", error=error)
                self._turn_away(created.call_id)
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop listening: hang up our leg, and wait until recordings are whole. The agent's call goes on."""
        call = self._call
        if call is not None and not call.is_over:
            await call.hangup()
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
        return self._call_id or self.call.id

    @property
    def heard_by(self) -> Whisper:
        """Who hears us now: `agent`, `both` or `none`."""
        return self._mode

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
        except ZiwoError as error:
            self._tell("update", whisper=to, error=error)
            raise
        self._mode = to
        self._tell("update")

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

    # -- how it begins ---------------------------------------------------------

    async def _create(self) -> EavesdropCall:
        # In a task of the phone's, so that a cancellation in the middle loses no call: it would ring, and nobody
        # would know why.
        outcome: asyncio.Future[EavesdropCall] = asyncio.get_running_loop().create_future()
        self._phone.announced.spawn(f"ask for an eavesdrop call on {self.agent}", self._ask, outcome)
        try:
            created = await asyncio.shield(outcome)
        except asyncio.CancelledError:
            outcome.add_done_callback(self._asked_in_vain)
            raise
        except (NotFound, Conflict) as error:
            problem: ZiwoError = _refused(error, self.agent)
        except ZiwoError as error:
            problem = error
        else:
            self._call_id = created.call_id
            self._phone.announced.note(created.call_id)
            self._tell("create")
            return created
        self._tell("create", error=problem)
        raise problem

    async def _ask(self, outcome: asyncio.Future[EavesdropCall]) -> None:
        try:
            outcome.set_result(await self._eavesdrops.create(self.agent, position=self._position))
        except ZiwoError as error:
            outcome.set_exception(error)
        finally:
            outcome.cancel()  # nothing when it is done; else the phone was closed meanwhile

    def _asked_in_vain(self, outcome: asyncio.Future[EavesdropCall]) -> None:
        if not outcome.cancelled() and outcome.exception() is None:
            self._call_id = outcome.result().call_id
            self._tell("give up", error=asyncio.CancelledError())
            self._turn_away(self._call_id)

    async def _recognise(self, call_id: str, rings: EventStream[Ringing], deadline: float) -> Call:
        """Wait for the call that ZIWO's id names; it may ring already."""
        try:
            async with asyncio.timeout_at(deadline):
                while (call := self._phone.announced.find(call_id)) is None:
                    await anext(rings)
        except TimeoutError:
            text = f"the eavesdrop call {call_id} on agent {self.agent} did not ring within {self._within:g} s"
            raise EavesdropTimeout(text, agent=self.agent, call_id=call_id) from None
        except StopAsyncIteration:
            self._phone.announced.check_ready()  # says why the phone is closed
            raise
        self._phone.announced.note(call_id)
        return call

    async def _answer(self, call: Call, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await _answered(call)
        except RequestTimeout:
            raise  # the server's silence, which says so itself
        except TimeoutError:
            text = f"the eavesdrop call {call.id} on agent {self.agent} was not answered within {self._within:g} s"
            raise EavesdropTimeout(text, agent=self.agent, call_id=call.id) from None
        self._tell("answer")
        self._phone.announced.spawn(f"see the end of eavesdrop call {call.id}", self._see_end, call)

    async def _see_end(self, call: Call) -> None:
        with contextlib.suppress(CallEnded):
            await call.wait_for(Destroy)
        self._tell("end")

    def _turn_away(self, call_id: str) -> None:
        """Nobody waits for the call any more: if it rings, now or soon, it is hung up."""
        with contextlib.suppress(ClientClosed):  # the phone is closed, and with it the call
            self._phone.announced.spawn(f"turn eavesdrop call {call_id} away", self._watch_for, call_id)

    async def _watch_for(self, call_id: str) -> None:
        try:
            async with asyncio.timeout(LONGEST_WAIT), EventStream(self._phone.dispatcher, Ringing) as rings:
                while (call := self._phone.announced.find(call_id)) is None:
                    await anext(rings)
                await call.hangup()
        except (TimeoutError, StopAsyncIteration, ZiwoError) as error:
            _audit.debug("eavesdrop call %s was not turned away: %s", call_id, error)

    def _tell(self, action: Action, *, whisper: Whisper | None = None, error: BaseException | None = None) -> None:
        event = EavesdropAudit(
            action=action,
            agent=self.agent,
            user=self._phone.login,
            call_id=self._call_id,
            whisper=whisper or self._mode,
            error=type(error).__name__ if error is not None else None,
            at=datetime.now(UTC),
        )
        _audit.info(
            "%s %s agent %s (call %s, heard by %s%s)",
            event.user,
            action,
            self.agent,
            event.call_id or "not known",
            event.whisper,
            f", failed: {event.error}" if event.error else "",
        )
        self._phone.announced.tell(event)


def _refused(error: NotFound | Conflict, agent: str) -> ZiwoError:
    # Which status ZIWO answers in which case is not documented; its words tell when it is about the position.
    if isinstance(error, Conflict) or "position" in error.message.lower():
        text = error.message or "our position is not connected"
        return PositionNotConnected(text, status=error.status, method=error.method, path=error.path)
    text = f"no agent {agent} to listen to: {error.message}"
    return AgentNotFound(text, status=error.status, method=error.method, path=error.path)


async def _answered(call: Call) -> None:
    """Answer, and wait until the call is active; whichever of the two tells first that it is over, tells it."""
    active = asyncio.ensure_future(call.wait_for(Active))
    answering = asyncio.ensure_future(_answer_if_it_rings(call))
    try:
        await asyncio.wait({active, answering}, return_when=asyncio.FIRST_COMPLETED)
        if not active.done():
            await answering
        await active
    finally:
        for task in (active, answering):
            task.cancel()
        await asyncio.gather(active, answering, return_exceptions=True)


async def _answer_if_it_rings(call: Call) -> None:
    if call.state is DialogState.RINGING:
        with contextlib.suppress(WrongState):  # a handler of the program, or ZIWO's pickup, was quicker
            await call.answer()
