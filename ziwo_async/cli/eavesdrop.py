"""`ziwo eavesdrop`: listen to an agent's calls, live; on request record them, and speak into them."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, TypeAlias, cast, get_args

import typer

from .. import (
    EXIT_CODES,
    AiortcMedia,
    BadArgument,
    EavesdropAudit,
    Event,
    MediaLost,
    MediaUp,
    SessionLost,
    SessionRestored,
    WhisperSession,
    ZiwoClient,
)
from ..media.files import target_of
from .account import Account, signed_in
from .meter import Meter
from .output import show_json_object
from .running import fail, following, plain, run
from .views import session_note

if TYPE_CHECKING:
    from ..media import Levels, Playback, RecordingHandle

__all__ = ["eavesdrop"]

_Whisper: TypeAlias = Literal["agent", "both", "none"]
# When the phone has failed, that is known as soon as the end of its calls.
_MOMENT = 0.5
_HEARERS: dict[str, str] = {"agent": "the agent", "both": "agent and customer", "none": "nobody"}


@dataclass(frozen=True, slots=True)
class _Wish:
    """What was asked for."""

    agent: str
    whisper: _Whisper
    record: Path | None
    overwrite: bool
    position: str | None
    within: float
    seconds: float | None
    play: Path | None


def eavesdrop(
    agent: Annotated[str, typer.Argument(help="The agent to listen to, by ccLogin such as 5555.")],
    whisper: Annotated[
        str, typer.Option(metavar="agent|both|none", help="Who hears you: the agent, agent and customer, or nobody.")
    ] = "none",
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Record to a new file: .wav, .mp3 or .ogg.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a recording that exists.")] = False,
    play: Annotated[Path | None, typer.Option(metavar="FILE", help="Play a sound to those who hear you.")] = None,
    position: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which of your positions rings; by default your usual one.")
    ] = None,
    within: Annotated[
        float, typer.Option(min=0.1, max=60.0, metavar="SECONDS", help="How long it may take until the call is up.")
    ] = 15.0,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0.1, metavar="SECONDS", help="How long; by default until Ctrl-C.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Audit events and levels, one JSON object a line.")] = False,
) -> None:
    """Listen to an agent's calls until Ctrl-C. Needs the extra `media`, and the role permission `eavesdrop`.

    Your own phone is used: this one takes its place, and other calls that ring here are not answered. Whether people
    must be told that they are listened to, or recorded, is for you to know.
    """
    if whisper not in get_args(_Whisper):
        fail(f"--whisper is one of {', '.join(get_args(_Whisper))}, not {whisper!r}", EXIT_CODES["configuration"])
    if play is not None and whisper == "none":
        fail("--play: nobody would hear it; add --whisper agent, or both", EXIT_CODES["configuration"])
    for file in (record, play):
        _check(file, is_read=file is play, overwrite=overwrite)
    wish = _Wish(agent, cast("_Whisper", whisper), record, overwrite, position, within, seconds, play)
    who = signed_in()
    run(_eavesdrop(who, wish, _Json() if json else _Lines()), expired=who.expired)


def _check(file: Path | None, *, is_read: bool, overwrite: bool) -> None:
    """Say now what would be said when the call is up already."""
    if file is None:
        return
    if is_read and not file.is_file():
        fail(f"--play: there is no file {file}", EXIT_CODES["configuration"])
    if not is_read and file.is_file() and not overwrite:
        fail(f"--record: {file} exists; use --overwrite, or another name", EXIT_CODES["configuration"])
    if not is_read:
        try:
            target_of(file, None, "call", overwrite=overwrite)
        except BadArgument as error:
            fail(str(error), EXIT_CODES["configuration"])


async def _eavesdrop(who: Account, wish: _Wish, view: _View) -> int:
    ziwo = who.client(media=AiortcMedia())
    asked = ziwo.eavesdrop(wish.agent, whisper=wish.whisper, position=wish.position, answer_within=wish.within)
    async with following(ziwo, view.event), asked as session:
        recording = None if wish.record is None else await session.record(wish.record, overwrite=wish.overwrite)
        try:
            code = await _listen(session, wish, view, recording)
        finally:
            if recording is not None:
                await _finish(recording, view)
        if session.call.is_over:
            await _phone_fails(ziwo)
    return code


async def _phone_fails(ziwo: ZiwoClient) -> None:
    """Raise what has ended the phone, and with it the call, such as another client that took its place."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_MOMENT):
            await ziwo.phone.wait_closed()


async def _finish(recording: RecordingHandle, view: _View) -> None:
    try:
        await recording.stop()
    except OSError as error:
        fail(f"the recording cannot be written: {error.strerror or error}", EXIT_CODES["failed"])
    view.note(f"recorded {recording.seconds:.1f} s: {recording.path}")


async def _listen(session: WhisperSession, wish: _Wish, view: _View, recording: RecordingHandle | None) -> int:
    """Show how loud it is until the time is over, or the call, or nothing can be recorded any more."""
    playing = session.play(wish.play) if wish.play is not None else None
    limit = asyncio.timeout(wish.seconds)
    try:
        async with limit, aclosing(session.call.audio.levels(view.every)) as levels:
            async for level in levels:
                view.levels(level)
                playing = await _still(playing, wish, view)
                if recording is not None and recording.done and not recording.full and not session.call.is_over:
                    return EXIT_CODES["failed"]  # why, is said by who waits for it
    except TimeoutError:
        if not limit.expired():
            raise
        return EXIT_CODES["stopped"]
    finally:
        view.end()
    ended = (await session.wait_closed()).current_call
    view.note(f"the call was ended, by {ended.hangup_by}: {ended.hangup_cause or 'no cause told'}")
    return EXIT_CODES["failed"]


async def _still(playing: Playback | None, wish: _Wish, view: _View) -> Playback | None:
    if playing is None or not playing.done:
        return playing
    await playing  # raises what went wrong
    view.note(f"played {wish.play}, {playing.seconds:.1f} s")
    return None


# --- how it is shown --------------------------------------------------------------------------------------------------


class _View(Protocol):
    """Shows what happens."""

    every: float

    def event(self, event: Event) -> None:
        """Something has happened."""
        ...

    def levels(self, levels: Levels) -> None:
        """So loud it is."""
        ...

    def note(self, text: str) -> None:
        """Something to know, for people."""
        ...

    def end(self) -> None:
        """There are no more levels."""
        ...


class _Lines:
    """For people: a line for each step of the audit, remarks on stderr, and below them the meter."""

    every = 0.1

    def __init__(self) -> None:
        self._meter = Meter()
        self._since: float | None = None

    def event(self, event: Event) -> None:
        match event:
            case EavesdropAudit():
                self._meter.clear()
                moment = event.at.astimezone()
                typer.echo(f"  {moment:%H:%M:%S}.{moment.microsecond // 1000:03d}  {event.action:<8}  {_told(event)}")
            case MediaUp():
                self.note(f"audio comes in{' again' if event.again else ''} ({event.codec})")
            case MediaLost():
                self.note(f"there is no audio: {event.reason}")
            case SessionLost() | SessionRestored():
                self.note(session_note(event))
            case _:
                pass

    def levels(self, levels: Levels) -> None:
        if self._since is None:
            self._since = levels.at
        self._meter.show(levels.received, levels.sent, levels.at - self._since)

    def note(self, text: str) -> None:
        self._meter.clear()
        _remark(text)

    def end(self) -> None:
        self._meter.clear()


def _told(event: EavesdropAudit) -> str:
    if event.error is not None:
        return plain(f"agent {event.agent}, failed: {event.error}")
    call = f", call {event.call_id}" if event.action == "create" and event.call_id else ""
    return plain(f"agent {event.agent}, heard by {_HEARERS.get(event.whisper, event.whisper)}{call}")


class _Json:
    """For programs: JSON lines on stdout; remarks on stderr."""

    every = 0.5

    def event(self, event: Event) -> None:
        if isinstance(event, EavesdropAudit | MediaUp | MediaLost | SessionLost | SessionRestored):
            show_json_object(event.model_dump(mode="json", by_alias=True))

    def levels(self, levels: Levels) -> None:
        at, received, sent = datetime.fromtimestamp(levels.at, UTC), round(levels.received, 1), round(levels.sent, 1)
        show_json_object({"event": "levels", "at": at, "received": received, "sent": sent})

    def note(self, text: str) -> None:
        _remark(text)

    def end(self) -> None:
        pass


def _remark(text: str) -> None:
    sys.stderr.write(f"ziwo: {plain(text)}\n")
