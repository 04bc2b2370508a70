"""Programs as subprocesses: started, read while they run, and always ended."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ZIWO = (sys.executable, "-m", "ziwo_async.cli")
PATIENCE = 40.0


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment, without what would change a program's output or log it in somewhere."""
    noise = ("ZIWO_", "FORCE_COLOR", "NO_COLOR", "COLUMNS", "PYTHONUNBUFFERED")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(noise)}
    # Buffered output would hide from these tests what a user would not see either, so nothing is unbuffered here.
    # And nobody is logged in on this machine.
    nobody = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring", "XDG_CONFIG_HOME": os.devnull}
    return {**kept, **nobody, "PYTHONIOENCODING": "utf-8", "PYTHONWARNINGS": "error", **(extra or {})}


class Program:
    """A running program."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.out: list[str] = []
        self.err: list[str] = []
        self._news = asyncio.Condition()
        assert process.stdout is not None
        assert process.stderr is not None
        self._readers = [
            asyncio.create_task(self._read(process.stdout, self.out)),
            asyncio.create_task(self._read(process.stderr, self.err)),
        ]

    async def _read(self, stream: asyncio.StreamReader, into: list[str]) -> None:
        async for line in stream:
            into.append(line.decode().rstrip("\n"))
            async with self._news:
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()

    @property
    def text(self) -> str:
        return "\n".join(self.out)

    @property
    def errors(self) -> str:
        return "\n".join(self.err)

    async def says(self, pattern: str, *, times: int = 1, timeout: float = PATIENCE) -> list[str]:
        """Wait until so many lines of stdout match; give them."""

        def found() -> list[str]:
            return [line for line in self.out if re.search(pattern, line)]

        try:
            async with asyncio.timeout(timeout), self._news:
                while len(found()) < times:
                    if self._readers[0].done():
                        break
                    await self._news.wait()
        except TimeoutError:
            pass
        assert len(found()) >= times, f"no {pattern!r} x{times} in:\n{self.text}\n--- stderr:\n{self.errors}"
        return found()

    async def ends(self, *, timeout: float = PATIENCE) -> int:
        """Wait for the end; give the exit code."""
        async with asyncio.timeout(timeout):
            code = await self.process.wait()
            await asyncio.gather(*self._readers)
        return code

    async def stops(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return await self.ends()

    async def aclose(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.ends()


def _interruptible() -> None:
    # A shell's background job ignores the interrupt, and its children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@asynccontextmanager
async def program(
    *command: str | Path,
    env: Mapping[str, str] | None = None,
    stdin: int = asyncio.subprocess.DEVNULL,
    cwd: Path = ROOT,
) -> AsyncIterator[Program]:
    """Run a program until the end of the block."""
    started = Program(
        await asyncio.create_subprocess_exec(
            *command,
            env=clean_environment(env),
            cwd=cwd,
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=_interruptible,
        )
    )
    try:
        yield started
    finally:
        await started.aclose()


async def finished(*command: str | Path, env: Mapping[str, str] | None = None) -> tuple[int, Program]:
    """Run a program to its end."""
    async with program(*command, env=env) as running:
        return await running.ends(), running
