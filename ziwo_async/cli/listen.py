"""`ziwo listen`: the calls of a phone, live; and on request a recording of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import typer

from .. import EXIT_CODES, ConfigError, Recorder
from .account import Account, signed_in
from .running import fail, following, run
from .screen import Screen
from .views import Timeline, show_json

__all__ = ["listen"]

_MIB = 1_048_576


def listen(
    json: Annotated[
        bool, typer.Option("--json", help="Only the documented object of each state, one JSON object a line.")
    ] = False,
    record: Annotated[
        str | None, typer.Option(metavar="FILE", help="Keep every frame in a new file, without secrets.")
    ] = None,
    mask_numbers: Annotated[
        bool, typer.Option("--mask-numbers", help="Mask telephone numbers in the recording: +9715****526.")
    ] = False,
    record_limit: Annotated[int, typer.Option(min=1, metavar="MIB", help="Largest size of the recording.")] = 256,
) -> None:
    """Log in as a user and show the calls of their phone until Ctrl-C. It answers nothing.

    One agent has one phone: this one takes the place of the user's own, and its calls ring here.
    """
    with _recording(record, mask_numbers, record_limit * _MIB) as recorder:
        who = signed_in()
        run(_listen(who, recorder, json), expired=who.expired)


@contextmanager
def _recording(file: str | None, mask_numbers: bool, limit: int) -> Generator[Recorder | None]:
    if file is None:
        yield None
        return
    try:
        recorder = Recorder(file, mask_numbers=mask_numbers, limit=limit)
    except ConfigError as error:
        fail(str(error), EXIT_CODES["configuration"])
    try:
        yield recorder
    finally:
        recorder.close()
        if not recorder.frames:
            # Nobody logged in. Left there, it would be in the way of the next try.
            os.unlink(file)


async def _listen(who: Account, recorder: Recorder | None, json: bool) -> int:
    ziwo = who.client(recorder=recorder)
    show = show_json if json else Timeline(Screen()).show
    async with following(ziwo, show):
        sys.stderr.write(f"ziwo: this is the phone of {ziwo.phone.login} now; Ctrl-C ends it\n")
        await ziwo.phone.wait_closed()
    return EXIT_CODES["stopped"]
