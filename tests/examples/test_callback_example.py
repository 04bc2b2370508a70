"""The example of the web callback, run as its docstring says."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from ziwo_async import Call, Ringing, Router, ZiwoClient
from ziwo_async.testing import ServedWorld

from ..cli.kit import ROOT, program
from .account import login

EXAMPLES = ROOT / "examples"
CUSTOMER = "+97150000000"
HTML = {"Accept": "text/html"}


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@asynccontextmanager
async def serving(world: ServedWorld, folder: Path) -> AsyncIterator[aiohttp.ClientSession]:
    port = free_port()
    env = {
        **login(world, "0011"),
        "ZIWO_API_KEY": world.cti_key,
        "CALLBACK_AGENTS": "5555",
        "PORT": str(port),
        "PYTHONUNBUFFERED": "1",
    }
    async with program(sys.executable, EXAMPLES / "web_callback.py", env=env, cwd=folder) as app:
        await app.says("Running on")
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            yield http
        assert await app.stops() == 0
        assert "Traceback" not in app.errors
        assert world.cti_key not in app.errors + app.text
        assert CUSTOMER not in app.errors + app.text


async def until(http: aiohttp.ClientSession, place: str, wanted: Callable[[dict[str, object]], object]) -> None:
    async with asyncio.timeout(30):
        while True:
            async with http.get(place) as response:
                if wanted(await response.json()):
                    return
            await asyncio.sleep(0.1)


async def test_web_callback(world: ServedWorld, tmp_path: Path) -> None:
    agent, router, picks_up = world.agent("5555"), Router(), asyncio.Event()
    world.customer(CUSTOMER).will(answer_after=0.1)

    @router.on(Ringing)
    async def pick_up(call: Call, event: Ringing) -> None:
        await picks_up.wait()
        await call.answer()

    ziwo = ZiwoClient(username=agent.username, password=agent.password, api_url=world.api_url, router=router)
    async with ziwo, ziwo.phone:
        async with serving(world, tmp_path) as http:
            key, place = await asks(http)
            await until(http, place, lambda callback: callback["state"] == "calling")
        async with serving(world, tmp_path) as http:  # the agent's phone rings on meanwhile
            headers = {"Idempotency-Key": key}
            async with http.post("/callbacks", json={"contact": CUSTOMER}, headers=headers) as known:
                assert known.status == 202
                assert known.headers["Location"] == place  # the restart has lost nothing
            picks_up.set()
            await until(http, place, lambda callback: callback["over"])
            async with http.get(place) as done:
                assert (await done.json())["state"] == "connected"
            async with http.get(place, headers=HTML) as shown:
                assert "You were connected" in await shown.text()
    assert len(world.calls) == 1


async def asks(http: aiohttp.ClientSession) -> tuple[str, str]:
    """Ask by the form, twice, and in ways that are refused."""
    async with http.get("/", headers=HTML) as shown:
        key = re.search(r'name="key" value="([^"]+)"', await shown.text())
        assert key is not None
        assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    fields = {"contact": "+971 5 000 0000", "key": key[1]}
    async with http.post("/callbacks", data=fields, headers=HTML) as told:
        assert "We " in await told.text()
        assert 'http-equiv="refresh"' in await told.text()
        place = told.url.path
    async with http.post("/callbacks", data=fields, headers=HTML) as again:
        assert again.url.path == place  # a double click
    async with http.post("/callbacks", data={"contact": '"><script>'}, headers=HTML) as refused:
        assert refused.status == 400
        assert "<script>" not in await refused.text()
    for kind, body in (
        *(("application/json", body) for body in ("5", "[", "[" * 4000, '{"contact": 5}', '{"contact": "112"}', "{}")),
        ("application/json; charset=nobody", '{"contact": "+971500000001"}'),
        ("application/x-www-form-urlencoded; charset=nobody", "contact=%2B971500000001"),
        ("multipart/form-data", "contact"),
    ):
        async with http.post("/callbacks", data=body, headers={"Content-Type": kind}) as wrong:
            assert wrong.status == 400, (kind, body)
    async with http.get("/callbacks/nobody") as missing:
        assert missing.status == 404
    return key[1], place
