"""The examples of web hooks, each run as its docstring says, with calls that a simulated ZIWO asks it about."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import aiohttp
import pytest

from ziwo_async.simulator import SimCall, SimTracker
from ziwo_async.testing import ServedWorld

from ..cli.kit import ROOT, finished, program

EXAMPLES = ROOT / "examples"
KEY, PAIRS_KEY = "tracker-key-1234567", "pairs-key-1234567"
DIDS = ("+97142345671", "+97142345672")
CUSTOMER, DRIVER, OFFICE = "+971501111111", "+971502222222", "042789926"


@pytest.fixture
def port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        found: int = taken.getsockname()[1]
        return found


def link(world: ServedWorld, port: int) -> SimTracker:
    """A call tracker whose services are the example's, and its numbers."""
    tracker = world.add_tracker(
        "example",
        startRequestURL=f"http://127.0.0.1:{port}/startCall",
        startRequestAPIKey=KEY,
        endRequestURL=f"http://127.0.0.1:{port}/endCall",
        endRequestAPIKey=KEY,
    )
    for did in DIDS:
        world.add_number(did, link=tracker)
    return tracker


def shown(call: SimCall) -> list[tuple[str, str | None]]:
    """Whom the rules called, and with which number."""
    assert call.tracked is not None
    return [(tried.rule.number, tried.rule.caller_id) for tried in call.tracked.tried]


# --- call_masking.py --------------------------------------------------------------------------------------------------


async def test_call_masking(world: ServedWorld, tmp_path: Path, port: int) -> None:
    link(world, port)
    world.simulator.hooks.caller_field = "callerIDNumber"
    for number in (CUSTOMER, DRIVER, OFFICE):
        world.customer(number).will(answer_after=0.0).hangs_up_after(0.05)
    env = {"TRACKER_KEY": KEY, "PAIRS_KEY": PAIRS_KEY, "DIDS": ",".join(DIDS), "OFFICE": OFFICE, "PORT": str(port)}
    command = (sys.executable, EXAMPLES / "call_masking.py")
    url = f"http://127.0.0.1:{port}/pairs"
    body = {"customer": CUSTOMER, "driver": DRIVER, "minutes": 90}
    async with program(*command, env={**env, "PYTHONUNBUFFERED": "1"}, cwd=tmp_path) as masking:
        await masking.says("Running on")
        async with aiohttp.ClientSession(headers={"X-API-Key": PAIRS_KEY}) as http:
            async with http.post(url, json=body) as answer:
                did = (await answer.json())["did"]
            async with http.post(url, json={**body, "minutes": "soon"}) as answer:
                assert answer.status == 400
            async with http.post(url, json=body, headers={"X-API-Key": "ü"}) as answer:
                assert answer.status == 401
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST /pairs HTTP/1.1\r\nHost: x\r\nX-API-Key: \xff\r\nContent-Length: 0\r\n\r\n")
            async with asyncio.timeout(20):
                assert b" 401 " in await reader.readline()
            writer.close()
            for n, status in enumerate((200, 409)):  # the driver's second number, and no third one
                async with http.post(url, json={**body, "customer": f"050333333{n}"}) as answer:
                    assert answer.status == status
        assert did == DIDS[0]

        call = await world.customer(CUSTOMER).dials(did)
        await call.reaches("ended", 20)
        assert shown(call) == [(DRIVER, did)]
        assert await masking.stops() == 0

    async with program(*command, env={**env, "PYTHONUNBUFFERED": "1"}, cwd=tmp_path) as masking:
        await masking.says("Running on")
        back = await world.customer(DRIVER).dials(did)  # the same number, the other way, after a restart
        await back.reaches("ended", 20)
        assert shown(back) == [(CUSTOMER, did)]
        stranger = await world.customer("+971509999999").dials(did)
        await stranger.reaches("ended", 20)
        assert shown(stranger) == [(OFFICE, did)]
        assert await masking.stops() == 0
    for hidden in (KEY, PAIRS_KEY):
        assert hidden not in masking.text + masking.errors


# --- campaign_tracking.py ---------------------------------------------------------------------------------------------


async def test_campaign_tracking(world: ServedWorld, tmp_path: Path, port: int) -> None:
    tracker = link(world, port)
    env = {"TRACKER_KEY": KEY, "SALES": OFFICE, "PORT": str(port), "PYTHONUNBUFFERED": "1"}
    command = (sys.executable, EXAMPLES / "campaign_tracking.py")
    async with program(*command, env=env, cwd=tmp_path) as counting:
        await counting.says("Running on")
        world.customer(OFFICE).will(answer_after=0.0).hangs_up_after(0.05)
        answered = await world.customer(CUSTOMER).dials(DIDS[0])
        await answered.reaches("ended", 20)
        await counting.says(r"^\+97142345671: the call from radio is over$")
        world.customer(OFFICE).is_busy()
        missed = await world.customer(CUSTOMER).dials(DIDS[0])
        await counting.says(r"^\+97142345671: a call from radio$", times=2)
        await missed.hangs_up()
        await missed.reaches("ended", 20)
        await counting.says(r"^\+97142345671: the call from radio is over$", times=2)
        # Told again, it counts once.
        record = await world.history.of(answered)
        for _ in range(2):
            (done,) = await world.simulator.hooks.send("end", tracker, record=record)
            assert done.status == 200
        assert await counting.stops() == 0
    async with program(*command, "report", env=env, cwd=tmp_path) as report:
        assert await report.ends() == 0
    assert [line.split()[:-1] for line in report.out] == [
        ["source", "calls", "answered", "missed"],
        ["billboard", "airport", "0", "0", "0"],
        ["newsletter", "0", "0", "0"],
        ["radio", "2", "1", "1"],
    ]


@pytest.mark.parametrize("path", ["call_masking.py", "campaign_tracking.py"])
async def test_without_a_key_it_says_what_to_set(path: str) -> None:
    code, example = await finished(sys.executable, EXAMPLES / path)
    assert code == 1
    assert example.errors.startswith("set TRACKER_KEY")
