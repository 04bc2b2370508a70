"""`ziwo recording get`: a recording or a voicemail, in a file."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bar

from .. import EXIT_CODES, BadArgument, Progress, RecordingNotReady, TransportError, ZiwoClient, exit_code
from .account import Account, ask
from .running import fail, plain
from .screen import Screen

__all__ = ["recording"]

recording = typer.Typer(no_args_is_help=True, help="Recordings of calls.")


@recording.callback()
def _recording() -> None:
    """Recordings of calls."""


@recording.command()
def get(
    call_id: Annotated[str, typer.Argument(help="The call's UUID (`callID`), as `ziwo history` shows it.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE|FOLDER", help="Where to; in a folder it is CALL_ID.mp3.")
    ] = Path(),
    voicemail: Annotated[bool, typer.Option("--voicemail", help="The voicemail that the caller left.")] = False,
    wait: Annotated[
        float, typer.Option(min=0.0, max=3600.0, metavar="SECONDS", help="How long it may take to become ready.")
    ] = 60.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists.")] = False,
) -> None:
    """Download the recording of a call, and print the path of the file.

    After a Ctrl-C or a lost connection, the same command goes on where this one stopped.
    """
    kind = "voicemail" if voicemail else "recording"

    async def work(ziwo: ZiwoClient, account: Account) -> int:
        del account
        source = ziwo.voicemails if voicemail else ziwo.recordings
        seen = _Seen()
        try:
            with _bar(seen):
                found = await source.download(call_id, output, wait=wait, progress=seen, overwrite=overwrite)
        except BadArgument as error:
            # The same in the words of this command.
            raise BadArgument(str(error).replace("pass overwrite=True", "use --overwrite")) from None
        except RecordingNotReady as error:
            fail(f"there is no {kind} of this call (yet); looked for {wait:g} s", exit_code(error))
        except OSError as error:
            fail(f"the {kind} cannot be written: {error.strerror or error}", EXIT_CODES["failed"])
        except (asyncio.CancelledError, TransportError):
            if seen.received:
                sys.stderr.write(f"ziwo: stopped at {seen.received} bytes; the same command goes on from there\n")
            raise
        typer.echo(plain(str(found.path)))
        return EXIT_CODES["stopped"]

    ask(work)


class _Seen:
    """How far the download got; tells whoever draws it."""

    def __init__(self) -> None:
        self.received = 0
        self.draw: Callable[[Progress], None] | None = None

    def __call__(self, progress: Progress) -> None:
        self.received = progress.received
        if self.draw is not None:
            self.draw(progress)


@contextmanager
def _bar(seen: _Seen) -> Generator[None]:
    """Draw a progress bar on stderr, if that is a terminal."""
    console = Screen(stderr=True)
    if not console.is_terminal:
        yield
        return
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        seen.draw = lambda progress: bar.update(task, completed=progress.received, total=progress.total)
        yield
