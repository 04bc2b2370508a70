"""A program on a terminal of its own: a real one (a pty)."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .kit import ROOT, ZIWO, clean_environment


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, process: subprocess.Popen[bytes], ours: int) -> None:
        self.process = process
        self._ours = ours
        self.shown = ""

    def answer(self, prompt: str, answer: str) -> None:
        self.shows(prompt)
        os.write(self._ours, f"{answer}\n".encode())

    def shows(self, wanted: str) -> None:
        deadline = time.monotonic() + 20
        while wanted not in self.shown:
            ready, _, _ = select.select([self._ours], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"no {wanted!r} in {self.shown!r}"
            self.shown += os.read(self._ours, 4096).decode()


@contextmanager
def on_a_terminal(*arguments: str, **env: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*ZIWO, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=clean_environment({"TERM": "dumb", **env}),
        cwd=ROOT,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait(20)
        os.close(ours)
