"""A live socket, and ears of both generations for it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Protocol

import pytest

from ziwo_async.simulator import SimAgent, Simulator, World

from .ears import Ear, NewEar, OldEar

OLD = ("python-socketio[asyncio_client]==4.6.1", "python-engineio==3.14.2")


class Listen(Protocol):
    def __call__(
        self, user: SimAgent | None = None, *, token: str | None = None, transports: tuple[str, ...] | None = None
    ) -> Awaitable[Ear]: ...


@pytest.fixture(scope="session")
def old_libraries(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the client of 2020: kept in pytest's cache where there is one (the wheel's run has none)."""
    cache: pytest.Cache | None = getattr(request.config, "cache", None)
    room = tmp_path_factory.mktemp("socketio-4") if cache is None else cache.mkdir("socketio-4")
    folder = room / "installed"
    if folder.is_dir():
        return folder
    # Workers share the cache, so each installs apart and the first to finish puts its copy in place, whole.
    with tempfile.TemporaryDirectory(dir=room) as apart:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", f"{apart}/new", *OLD]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip("the Socket.IO client of 2020 could not be installed within 180 s")
        if done.returncode != 0:
            pytest.skip(f"the Socket.IO client of 2020 could not be installed: {done.stderr[-300:]}")
        try:
            Path(apart, "new").rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    return folder


@pytest.fixture(params=["eio4", "eio3"])
def eio(request: pytest.FixtureRequest) -> int:
    return int(str(request.param)[-1])


@pytest.fixture
def make_ear(eio: int, request: pytest.FixtureRequest) -> Callable[[], NewEar | OldEar]:
    if eio == 4:
        return NewEar
    libraries: Path = request.getfixturevalue("old_libraries")
    return lambda: OldEar(libraries)


@pytest.fixture
async def listen(sim: Simulator, world: World, make_ear: Callable[[], NewEar | OldEar]) -> AsyncIterator[Listen]:
    """Connect a client, by default over a websocket as the agent 0011, who is an admin too."""
    ears: list[NewEar | OldEar] = []

    async def connect(
        user: SimAgent | None = None, *, token: str | None = None, transports: tuple[str, ...] | None = None
    ) -> Ear:
        user = user or world.agent("0011")
        token = token or f"token-of-{user.ccLogin}"
        sim.rest.accept_token(token, user)
        ear = make_ear()
        ears.append(ear)
        await ear.connect(f"{sim.api_url}?access_token={token}", transports or ("websocket",))
        happened = await ear.happens()
        assert happened == "connect", happened
        return ear

    yield connect
    for ear in ears:
        await ear.close()
