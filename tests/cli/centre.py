"""A contact centre in a thread, and `ziwo` run in this one: quick, and with every output searched for secrets."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from typer.testing import CliRunner, Result

from ziwo_async.cli.app import app
from ziwo_async.testing import ServedWorld, serve

T = TypeVar("T")
PASSWORD = "canary-password-5555"
PATIENCE = 40.0


class Centre:
    """A contact centre that is being served in another thread."""

    def __init__(self, world: ServedWorld, loop: asyncio.AbstractEventLoop) -> None:
        self.world = world
        self._loop = loop
        self.secrets = {PASSWORD, *(agent.cc_password for agent in world.agents)}

    def do(self, work: Callable[[ServedWorld], T]) -> T:
        """Do something to the world, in its own thread."""

        async def there() -> T:
            return work(self.world)

        return asyncio.run_coroutine_threadsafe(there(), self._loop).result(PATIENCE)

    def wait_for(self, work: Callable[[ServedWorld], Awaitable[T]]) -> T:
        """Do something that takes its time."""

        async def there() -> T:
            return await work(self.world)

        return asyncio.run_coroutine_threadsafe(there(), self._loop).result(PATIENCE)

    @property
    def tokens(self) -> set[str]:
        """The access tokens that are good now."""
        return set(self.world.simulator.rest._tokens)

    @property
    def requests(self) -> list[str]:
        """The requests that it saw: method, path and status."""
        return self.do(lambda world: [entry.text for entry in world.journal if entry.kind == "http"])

    def env(self, cc_login: str = "5555") -> dict[str, str]:
        agent = self.world.agent(cc_login)
        return {"ZIWO_API_URL": self.world.api_url, "ZIWO_USERNAME": agent.username, "ZIWO_PASSWORD": agent.password}


@contextmanager
def centre_in_a_thread() -> Iterator[Centre]:
    ready: queue.Queue[tuple[Centre, asyncio.Event] | BaseException] = queue.Queue()

    async def main() -> None:
        try:
            async with serve(agents=("0011",)) as world:
                world.add_agent("5555", first_name="Ann", last_name="Agent", password=PASSWORD)
                over = asyncio.Event()
                ready.put((Centre(world, asyncio.get_running_loop()), over))
                await over.wait()
        except BaseException as error:
            ready.put(error)
            raise

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="contact centre", daemon=True)
    thread.start()
    found = ready.get(timeout=PATIENCE)
    if isinstance(found, BaseException):
        raise found
    centre, over = found
    try:
        yield centre
    finally:
        centre._loop.call_soon_threadsafe(over.set)
        thread.join(PATIENCE)
        assert not thread.is_alive()


class Ziwo:
    """`ziwo` in this process. No output may have a secret."""

    def __init__(self, centre: Centre, folder: Path) -> None:
        self.centre = centre
        self.folder = folder
        self.env: dict[str, str | None] = {**dict.fromkeys(n for n in os.environ if n.startswith("ZIWO_"))}
        self.env |= {"XDG_CONFIG_HOME": str(folder / "config"), "TEST_KEYRING": str(folder / "keyring.json")}
        self.env |= centre.env()

    @property
    def login_file(self) -> Path:
        return self.folder / "config" / "ziwo_async" / "login.json"

    def nobody(self) -> None:
        """From now on the environment logs nobody in."""
        for name in ("ZIWO_API_URL", "ZIWO_USERNAME", "ZIWO_PASSWORD"):
            self.env[name] = None

    def __call__(self, *arguments: str, stdin: str | None = None, **env: str | None) -> Result:
        secrets = self.centre.secrets | self.centre.tokens
        result = CliRunner().invoke(app, arguments, input=stdin, env={**self.env, **env})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        for secret in secrets | self.centre.tokens:
            assert secret not in result.output
        return result

    def ok(self, *arguments: str, stdin: str | None = None, **env: str | None) -> str:
        """Run it, and expect that it works; gives stdout."""
        result = self(*arguments, stdin=stdin, **env)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: str, **env: str | None) -> list[Any]:
        """Run it with --json; stdout must be JSON lines and nothing else."""
        return [json.loads(line) for line in self.ok(*arguments, "--json", **env).splitlines()]

    def refuses(self, code: int, *arguments: str, stdin: str | None = None, **env: str | None) -> str:
        """Run it, and expect one line on stderr, nothing on stdout, and this exit code."""
        result = self(*arguments, stdin=stdin, **env)
        assert result.exit_code == code, result.output
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert line.startswith("ziwo: ")
        return line
