"""What is missing in the environment is asked for on a terminal: a real one (a pty)."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ziwo_async.testing import serve

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


@pytest.mark.parametrize("asked", [("User", "Password"), ("Password",)])
async def test_user_and_password_are_asked_for_and_the_password_is_not_shown(asked: tuple[str, ...]) -> None:
    async with serve() as world:
        agent = world.agent("5555")

        def dial() -> str:
            env = {"ZIWO_API_URL": world.api_url}
            if "User" not in asked:
                env["ZIWO_USERNAME"] = agent.username
            with on_a_terminal("dial", "9196", **env) as terminal:
                if "User" in asked:
                    terminal.answer("User (e-mail address): ", agent.username)
                terminal.answer("Password: ", agent.password)
                terminal.shows(" active ")
                terminal.process.terminate()
                assert terminal.process.wait(20) == 0
                return terminal.shown

        assert agent.password not in await asyncio.to_thread(dial)


def test_the_contact_centre_is_asked_for_first() -> None:
    with on_a_terminal("listen") as terminal:
        terminal.answer("Contact centre", "not a name!")
        terminal.answer("User", "me")
        terminal.answer("Password: ", "canary-secret")
        terminal.shows("bare name")
        assert terminal.process.wait(20) == 2
        assert "canary-secret" not in terminal.shown
