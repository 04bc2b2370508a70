"""Real Socket.IO clients of both generations, with one face for the tests."""

from __future__ import annotations

import asyncio
import json
import sys
from abc import ABC, abstractmethod
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import aiohttp
import socketio  # type: ignore[import-untyped, unused-ignore]

WAIT = 10.0

NAMES = (
    "GET /live/status",
    "GET /profile",
    "GET /live/agents",
    "GET /live/queues",
    "GET /live/calls",
    "GET /live/queueCalls",
    "GET /live/numbers",
    "GET /live/positions",
    "GET /live/stats",
    "GET /live/statistics/channels/calls/by/agents",
    "GET /live/statistics/channels/calls/by/queues",
    "GET /callHistory",
    "GET /nonsense",
)


class Ear(ABC):
    """A client: it hears every event of `NAMES`, and keeps them in order."""

    def __init__(self) -> None:
        self.heard: dict[str, asyncio.Queue[Any]] = {name: asyncio.Queue() for name in NAMES}
        self.happened: asyncio.Queue[str] = asyncio.Queue()
        """What else happened: `connect`, `error: <text>`, `disconnect`."""

    @abstractmethod
    async def emit(self, name: str, argument: object) -> None: ...

    @property
    @abstractmethod
    def carrier(self) -> str: ...

    async def ask(self, name: str) -> dict[str, Any]:
        """Ask for an event; gives the envelope."""
        await self.emit(name, {})
        return await self.next(name)

    async def content(self, name: str) -> Any:
        """Ask for an event that may be seen; gives the content."""
        return self.good(await self.ask(name))

    @staticmethod
    def good(envelope: dict[str, Any]) -> Any:
        assert set(envelope) == {"result", "content", "info"}, envelope
        assert envelope["result"] is True
        assert envelope["info"] == {"status": 200}
        return envelope["content"]

    async def next(self, name: str) -> Any:
        async with asyncio.timeout(WAIT):
            return await self.heard[name].get()

    async def update(self, name: str) -> Any:
        """The content of the next push."""
        return self.good(await self.next(name))

    async def until(self, name: str, look: Callable[[Any], object]) -> Any:
        """The content of the first push that is as wanted."""
        async with asyncio.timeout(WAIT):
            while not look(content := await self.update(name)):
                pass
            return content

    async def happens(self) -> str:
        async with asyncio.timeout(WAIT):
            return await self.happened.get()

    def silent(self, *names: str) -> bool:
        return all(self.heard[name].empty() for name in names or NAMES)


class NewEar(Ear):
    """python-socketio of today: Engine.IO 4, Socket.IO 5."""

    def __init__(self) -> None:
        super().__init__()
        # Its own session, because the library forgets one whose connection was refused.
        self._http = aiohttp.ClientSession()
        self.client: Any = socketio.AsyncClient(reconnection=False, http_session=self._http)
        for name in NAMES:
            self.client.on(name, self._hears(name))
        self.client.on("connect", lambda: self.happened.put_nowait("connect"))
        self.client.on("connect_error", self._error)
        self.client.on("disconnect", lambda *_: self.happened.put_nowait("disconnect"))

    def _hears(self, name: str) -> Any:
        return lambda *arguments: self.heard[name].put_nowait(arguments[0] if arguments else None)

    def _error(self, data: Any) -> None:
        self.happened.put_nowait(f"error: {data['message'] if isinstance(data, dict) else data}")

    async def connect(self, url: str, transports: tuple[str, ...]) -> None:
        await self.client.connect(url, transports=list(transports), socketio_path="socket", wait_timeout=WAIT)

    async def emit(self, name: str, argument: object) -> None:
        await self.client.emit(name, argument)

    @property
    def carrier(self) -> str:
        return cast("str", self.client.transport())

    async def close(self) -> None:
        if self.client.connected:
            await self.client.disconnect()
        await self.client.shutdown()
        await self._http.close()


class OldEar(Ear):
    """python-socketio 4 in a process of its own: Engine.IO 3, Socket.IO 2."""

    def __init__(self, libraries: Path) -> None:
        super().__init__()
        self._libraries = libraries
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._carrier = ""

    async def connect(self, url: str, transports: tuple[str, ...]) -> None:
        script = Path(__file__).parent / "old_client.py"
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(script), url, ",".join(transports), *NAMES),
            stdin=PIPE,
            stdout=PIPE,
            env={"PYTHONPATH": str(self._libraries), "PATH": ""},
            limit=2**24,
        )
        self._reading = asyncio.create_task(self._read(self._process))

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            said = json.loads(line)
            if said["kind"] == "event":
                self.heard[said["name"]].put_nowait(said["arguments"][0] if said["arguments"] else None)
                continue
            self._carrier = said.get("carrier", self._carrier)
            words = " ".join(said.get("arguments", []))
            self.happened.put_nowait(f"{said['kind']}: {words}" if words else said["kind"])

    async def emit(self, name: str, argument: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(["emit", name, argument]).encode() + b"\n")
        await self._process.stdin.drain()

    @property
    def carrier(self) -> str:
        return self._carrier

    async def close(self) -> None:
        if self._process is None or self._reading is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(WAIT):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reading
