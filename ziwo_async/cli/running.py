"""What all commands share: running until done or stopped, and ending with one readable line and an exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import warnings
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NoReturn

import typer

from .. import EXIT_CODES, ApiWarning, Event, EventStream, TokenExpired, ZiwoClient, ZiwoError, exit_code

__all__ = ["fail", "following", "is_number", "plain", "run"]


# A second signal so much later means it: seconds.
_IMPATIENCE = 1.0


def plain(text: str) -> str:
    """Make text from elsewhere safe for a terminal: one line, no control characters."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def is_number(text: str) -> bool:
    """Whether an argument is the number of a record, not a name."""
    return text.isascii() and text.isdigit() and len(text) < 16


def fail(message: str, code: int) -> NoReturn:
    """Say why on one line of stderr, and end.

    Raises:
        Exit: With the code.
    """
    sys.stderr.write(f"ziwo: {plain(message)}\n")
    raise typer.Exit(code)


def run(work: Coroutine[Any, Any, int], *, expired: str = "", interrupted: int = EXIT_CODES["stopped"]) -> NoReturn:
    """Run a command's work until it is done, or SIGINT or SIGTERM comes; then end with its exit code.

    The first signal cancels the work, which closes what it opened (calls are hung up). Another one
    later than a second kills. Warnings of the server are one line on stderr each.

    Args:
        work: The work; gives the exit code.
        expired: What to say when the server refuses the token, instead of the error's own words.
        interrupted: The exit code after a signal.

    Raises:
        Exit: The work's exit code; for a `ZiwoError` its code, after one line on stderr.
    """
    try:
        with _warnings_as_lines():
            code = asyncio.run(_until_stopped(work, interrupted))
    except TokenExpired as error:
        fail(expired or str(error), exit_code(error))
    except ZiwoError as error:
        fail(str(error), exit_code(error))
    raise typer.Exit(code)


@contextmanager
def _warnings_as_lines() -> Generator[None]:
    def show(message: Warning | str, *where: object, **more: object) -> None:
        del where, more
        sys.stderr.write(f"ziwo: {plain(str(message))}\n")

    with warnings.catch_warnings():
        warnings.simplefilter("always", ApiWarning)
        warnings.showwarning = show
        yield


async def _until_stopped(work: Coroutine[Any, Any, int], interrupted: int) -> int:
    task = asyncio.ensure_future(work)
    with _signals(task.cancel):
        try:
            return await task
        except asyncio.CancelledError:
            return interrupted


@contextmanager
def _signals(stop: Callable[[], object]) -> Generator[None]:
    loop = asyncio.get_running_loop()
    first: list[float] = []

    def signalled(number: signal.Signals) -> None:
        if not first:
            first.append(loop.time())
            stop()
        elif loop.time() - first[0] > _IMPATIENCE:  # earlier: one Ctrl-C that came by two ways
            os._exit(128 + number)

    installed: list[signal.Signals] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, signalled, number)
        except (NotImplementedError, RuntimeError, ValueError):  # pragma: no cover - Windows, or no main thread
            break
        installed.append(number)
    try:
        yield
    finally:
        for number in installed:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def following(ziwo: ZiwoClient, show: Callable[[Event], None]) -> AsyncGenerator[None]:
    """Start the phone and show every event until it is closed, the last `destroy` included.

    Args:
        ziwo: The client; it is closed in the end.
        show: Called with each event, in order.
    """
    async with ziwo, ziwo.events(Event, buffer=10_000) as events:
        reader = asyncio.ensure_future(_show_all(events, show))
        body = asyncio.current_task()

        def reader_ended(task: asyncio.Future[None]) -> None:
            # The output is gone (a closed pipe): nobody is left to work for.
            if not task.cancelled() and task.exception() is not None and body is not None:
                body.cancel()

        reader.add_done_callback(reader_ended)
        try:
            async with ziwo.phone:
                yield
        finally:
            events.end()
            await reader


async def _show_all(events: EventStream[Event], show: Callable[[Event], None]) -> None:
    async for event in events:
        show(event)
    if events.dropped:
        sys.stderr.write(f"ziwo: {events.dropped} events were dropped: the output was read too slowly\n")
