"""MediaTable: the media of each call, opened when first needed, one step at a time per call."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Generator
from typing import TYPE_CHECKING

from ..errors import MediaError, WrongState
from ..events import CallEvent, DialogState
from .media import AudioSession, MediaEngine, MediaSession, WantsServer

if TYPE_CHECKING:
    from ..media.audio import CallAudio

__all__ = ["MediaTable"]

_log = logging.getLogger("ziwo_async.phone")


class _Entry:
    __slots__ = ("lock", "session")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.session: MediaSession | None = None


class MediaTable:
    """The media of each call."""

    def __init__(self, engine: MediaEngine, tell: Callable[[CallEvent], None]) -> None:
        """Make a table that is empty.

        Args:
            engine: Makes the media.
            tell: Called with the events of media that tell what becomes of them.
        """
        self._engine = engine
        self._tell = tell
        self._entries: dict[str, _Entry] = {}
        self._offers: dict[str, str] = {}
        self._own: dict[str, MediaEngine] = {}
        self._server = ""

    @contextlib.asynccontextmanager
    async def using(self, call_id: str, engine: MediaEngine | None) -> AsyncGenerator[None]:
        """Let another engine make the media of this call, if they begin in the block, and for as long as they last.

        When the media were refused, or did not begin, the call knows nothing of that engine any more. After other
        failures it may still come to be answered, with what the engine has begun.
        """
        if engine is None or self.has(call_id) or call_id not in self._offers:
            yield  # too late, or there is no such call: the block says so
            return
        if isinstance(engine, WantsServer):
            engine.note_server(self._server)
        self._own[call_id] = engine
        try:
            yield
        except BaseException as error:
            if isinstance(error, MediaError) or not self.has(call_id):
                self._own.pop(call_id, None)
                await self._begin_anew(call_id)
            raise

    async def _begin_anew(self, call_id: str) -> None:
        entry = self._entries.get(call_id)
        if entry is not None:
            async with entry.lock:
                await self._shut(call_id, entry)

    def note_offer(self, call_id: str, sdp: str) -> None:
        """Keep the offer of a ringing call until the call is answered."""
        self._offers[call_id] = sdp

    def offer_of(self, call_id: str) -> str | None:
        """The offer of a call that was offered to us; None when there is no such call."""
        return self._offers.get(call_id)

    def forget_offer(self, call_id: str) -> None:
        """The call is over."""
        self._offers.pop(call_id, None)
        self._own.pop(call_id, None)

    def note_server(self, url: str) -> None:
        """The phone connects to this address."""
        self._server = url
        if isinstance(self._engine, WantsServer):
            self._engine.note_server(url)

    def note_state(self, call_id: str, state: DialogState) -> None:
        """A call has entered a state."""
        entry = self._entries.get(call_id)
        if entry is not None and isinstance(entry.session, AudioSession):
            entry.session.note(state)

    def audio(self, call_id: str, state: DialogState) -> CallAudio:
        """The audio of a call.

        Raises:
            WrongState: Its media have not begun, or are over.
            MediaError: The engine carries no audio.
        """
        entry = self._entries.get(call_id)
        session = None if entry is None else entry.session
        if session is None:
            raise WrongState(
                f"it has no audio in state '{state}': a ringing call gets it when it is answered",
                call_id=call_id,
                state=str(state),
            )
        if not isinstance(session, AudioSession):
            engine = type(self._own.get(call_id, self._engine)).__name__
            raise MediaError(
                f"{engine} carries no audio: make the client with media=AiortcMedia()",
                call_id=call_id,
            )
        return session.audio

    def has(self, call_id: str) -> bool:
        """Whether the call has media to close."""
        return call_id in self._entries

    async def offer(self, call_id: str) -> str:
        """Make an offer for an outbound call.

        Raises:
            MediaError: The engine cannot.
        """
        entry = self._entries.setdefault(call_id, _Entry())
        async with entry.lock:
            try:
                with _engine_errors(call_id, "made no offer"):
                    return await (await self._open(call_id, entry)).offer()
            except BaseException:
                # Cancelled, too: nobody else knows of a call that was not made.
                await self._shut(call_id, entry)
                raise

    async def answer(self, call_id: str, offer: str) -> str:
        """Answer an offer of the server.

        Raises:
            MediaError: The engine cannot.
        """
        entry = self._entries.setdefault(call_id, _Entry())
        async with entry.lock:
            with _engine_errors(call_id, "made no answer"):
                return await (await self._open(call_id, entry)).answer(offer)

    async def accept(self, call_id: str, answer: str) -> None:
        """Take the server's answer to our offer.

        Raises:
            MediaError: The engine cannot.
        """
        entry = self._entries.get(call_id)
        if entry is not None:
            async with entry.lock:
                if entry.session is not None:
                    with _engine_errors(call_id, "did not take the server's answer"):
                        await entry.session.accept(answer)

    async def mute(self, call_id: str, *, muted: bool) -> None:
        """Switch our microphone off or on, if the call has media.

        Raises:
            MediaError: The engine cannot.
        """
        entry = self._entries.get(call_id)
        if entry is not None:
            async with entry.lock:
                if entry.session is not None:
                    with _engine_errors(call_id, "could not be muted or unmuted"):
                        await entry.session.mute(muted)

    async def close(self, call_id: str) -> None:
        """Let go of a call's media. Safe to call twice."""
        self._offers.pop(call_id, None)
        entry = self._entries.get(call_id)
        if entry is not None:
            async with entry.lock:
                await self._shut(call_id, entry)

    async def close_all(self) -> None:
        """Let go of everything."""
        for call_id in list(self._entries):
            await self.close(call_id)

    async def _open(self, call_id: str, entry: _Entry) -> MediaSession:
        if entry.session is None:
            entry.session = await self._own.get(call_id, self._engine).open(call_id)
            if isinstance(entry.session, AudioSession):
                entry.session.report_to(self._tell)
        return entry.session

    async def _shut(self, call_id: str, entry: _Entry) -> None:
        session, entry.session = entry.session, None
        self._entries.pop(call_id, None)
        if session is not None:
            try:
                with _engine_errors(call_id, "could not be closed"):
                    await session.close()
            except MediaError as error:
                _log.error("%s", error)


@contextlib.contextmanager
def _engine_errors(call_id: str, what: str) -> Generator[None]:
    """Turn whatever an engine raises into the error of its call: other calls have nothing to do with it."""
    try:
        yield
    except MediaError:
        raise
    except Exception as error:
        _log.exception("the media engine failed for call %s", call_id)
        raise MediaError(f"the media engine {what} ({type(error).__name__}: {error})", call_id=call_id) from error
