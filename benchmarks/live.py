"""The live feed: snapshots of 500 agents a CPU-second, against bare JSON decoding of the same texts in the same run.

Both sides get the same messages over a real websocket from a server in another process, which speaks Engine.IO 4. Ours
makes typed snapshots of them and the events of their differences; the bare side reads the socket with aiohttp, calls
`json.loads`, and does nothing else. In each snapshot a twentieth of the agents has changed, as in a busy contact centre
that pushes every second or so; what it costs when all have changed is printed too. CPU time of this process only.

    python benchmarks/live.py [--snapshots 300] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from pydantic import SecretStr

from ziwo_async import AgentStatusChanged, Router
from ziwo_async.live.feed import LiveFeed

AGENTS, GOAL = 500, 2.00
STATUSES = ("Available", "On Break", "Meeting", "Outgoing", "Logged Out")


def agents_of(rng: random.Random) -> dict[str, Any]:
    queues = [{"id": number, "name": f"queue {number}"} for number in range(1, 4)]
    return {
        str(number): {
            "id": number,
            "ccLogin": f"{number:04}",
            "firstName": f"First{number}",
            "lastName": f"Last{number}",
            "photo": None,
            "liveInfo": {
                "callsAnswered": str(rng.randrange(90)),
                "contactString": f"verto.rtc/agent-{number:04}",
                "lastBridgeEPOCH": "1700000000",
                "lastStatusChangeEPOCH": "1700000000",
                "lastUnBridgeEPOCH": "1700000060",
                "noAnswerCount": "0",
                "position": f"agent-{number:04}",
                "state": "Waiting",
                "status": rng.choice(STATUSES),
                "talkTime": str(rng.randrange(9000)),
                "wrapUpTime": "0",
            },
            "queues": queues,
        }
        for number in range(1, AGENTS + 1)
    }


def snapshots(count: int, changed: int) -> list[str]:
    """The messages, as they are on the wire."""
    rng = random.Random(7)
    agents = agents_of(rng)
    found = []
    for turn in range(count):
        for key in rng.sample(sorted(agents), changed):
            info = agents[key]["liveInfo"]
            info["status"] = STATUSES[(STATUSES.index(info["status"]) + 1) % len(STATUSES)]
            info["lastStatusChangeEPOCH"] = str(1_700_000_000 + turn)
            info["callsAnswered"] = str(turn)
        envelope = {"result": True, "content": agents, "info": {"status": 200}}
        found.append("42" + json.dumps(["GET /live/agents", envelope]))
    return found


# -- the server, in another process --------------------------------------------------------------------------------


async def serve(count: int) -> None:
    from aiohttp import web

    texts = {changed: snapshots(count, changed) for changed in (AGENTS // 20, AGENTS)}

    async def socket(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        opened = {"sid": "s", "upgrades": [], "pingInterval": 600_000, "pingTimeout": 600_000}
        await ws.send_str("0" + json.dumps(opened))
        async for message in ws:
            text = str(message.data)
            if text.startswith("40"):
                await ws.send_str('40{"sid":"t"}')
            elif text.startswith('42["GET /live/agents"'):
                for snapshot in texts[int(request.query["access_token"])]:
                    await ws.send_str(snapshot)
        return ws

    app = web.Application()
    app.router.add_get("/socket/", socket)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


@asynccontextmanager
async def server(count: int) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--serve", str(count), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        port = int(await asyncio.wait_for(process.stdout.readline(), 60))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


# -- the two sides -------------------------------------------------------------------------------------------------


async def ours(url: str, count: int, changed: int) -> tuple[float, int]:
    """CPU seconds, and how many events came of it."""

    async def token(refused: SecretStr | None) -> SecretStr:
        return SecretStr(str(changed))

    told = 0
    router = Router()

    def note(event: AgentStatusChanged) -> bool:
        nonlocal told
        told += 1
        return False

    @router.on(AgentStatusChanged, when=note)
    async def never(event: AgentStatusChanged) -> None:
        raise AssertionError

    feed = LiveFeed(url, token=token, router=router)
    seen = 0
    watch = feed.agents()
    began = time.process_time()
    async with feed:
        async for snapshot in watch:
            assert len(snapshot) == AGENTS
            seen += 1
            if seen + watch.dropped >= count:
                break
        spent = time.process_time() - began
    return spent, told


async def bare(url: str, count: int, changed: int) -> float:
    began = time.process_time()
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(
            f"{url}/socket/?access_token={changed}&EIO=4&transport=websocket", max_msg_size=2**25, compress=0
        ) as ws,
    ):
        await ws.receive()
        await ws.send_str("40")
        await ws.receive()
        await ws.send_str('42["GET /live/agents",{}]')
        for _ in range(count):
            text = (await ws.receive()).data
            _, envelope = json.loads(text[2:])
            assert len(envelope["content"]) == AGENTS
        return time.process_time() - began


async def main(count: int, rounds: int) -> float:
    ratios: dict[int, list[float]] = {}
    async with server(count) as url:
        await ours(url, count, AGENTS // 20)  # imports, and the first models
        for changed in (AGENTS // 20, AGENTS):
            for number in range(rounds):
                theirs = await bare(url, count, changed)
                mine, told = await ours(url, count, changed)
                assert told == (count - 1) * changed, told
                ratios.setdefault(changed, []).append(mine / theirs)
                print(
                    f"{changed:3} of {AGENTS} changed, round {number + 1}: "
                    f"ours {count / mine:6.0f} snapshots a CPU-second, bare {count / theirs:6.0f}, "
                    f"{told} events; ratio {mine / theirs:.2f}"
                )
    print(f"ratio when all change: {statistics.median(ratios[AGENTS]):.2f}")
    return statistics.median(ratios[AGENTS // 20])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--snapshots", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(given.serve))
    else:
        ratio = asyncio.run(main(given.snapshots, given.rounds))
        print(f"ratio: {ratio:.2f} (goal {GOAL:.2f})")
