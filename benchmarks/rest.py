"""Requests per CPU-second with typed models, as a ratio to raw aiohttp that decodes the same answers to a dict.

Both sides ask the same server for the same answer of 1 kB in the same run, each in a fresh process, in turns; the
server is a third process. What is measured is the client process's CPU time (user + system). The last line is
`ratio: N.NN (goal 0.80)`: our requests per CPU-second over the floor's.

    python benchmarks/rest.py [--requests 4000] [--workers 10] [--rounds 7] [--profile]
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import pstats
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

GOAL = 0.8
_HERE = Path(__file__).parent


async def floor(port: int, requests: int, workers: int) -> float:
    """Raw aiohttp: one GET after the other, decoded with its own `json()`."""
    import aiohttp

    url = f"http://127.0.0.1:{port}/profile"

    async with aiohttp.ClientSession() as session:

        async def once() -> str:
            async with session.get(url, headers={"access_token": "bench"}) as response:
                response.raise_for_status()
                answer = await response.json()
                return str(answer["content"]["ccLogin"])

        return await spent(once, requests, workers, None)


async def product(port: int, requests: int, workers: int, profile: cProfile.Profile | None) -> float:
    """The client: login kept, envelope read, secrets hidden, a model made."""
    from ziwo_async import ZiwoClient

    async with ZiwoClient(api_url=f"http://127.0.0.1:{port}", token="bench") as ziwo:

        async def once() -> str:
            return str((await ziwo.session.profile()).cc_login)

        return await spent(once, requests, workers, profile)


async def spent(
    once: Callable[[], Awaitable[str]], requests: int, workers: int, profile: cProfile.Profile | None
) -> float:
    """CPU seconds of so many requests, by so many workers at a time, after some that warm up."""

    async def work(count: int) -> None:
        for _ in range(count):
            if await once() != "0011":
                raise SystemExit("a wrong answer")

    await asyncio.gather(*(work(20) for _ in range(workers)))
    if profile is not None:
        profile.enable()
    began = time.process_time()
    await asyncio.gather(*(work(requests // workers) for _ in range(workers)))
    used = time.process_time() - began
    if profile is not None:
        profile.disable()
    return used


def worker(side: str, chosen: argparse.Namespace) -> None:
    """Run one side once and print its CPU seconds."""
    profile = cProfile.Profile() if chosen.profile else None
    if side == "floor":
        used = asyncio.run(floor(chosen.port, chosen.requests, chosen.workers))
    else:
        used = asyncio.run(product(chosen.port, chosen.requests, chosen.workers, profile))
    if profile is not None:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    sys.stdout.write(json.dumps({"side": side, "cpu": used}) + "\n")


def main() -> None:
    """Run both sides in turns and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--workers", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--profile", action="store_true", help="print where the product's time goes")
    parser.add_argument("--side", choices=["floor", "product"], help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.side is not None:
        worker(chosen.side, chosen)
        return
    server = subprocess.Popen([sys.executable, str(_HERE / "_rest_server.py")], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        if chosen.profile:
            sys.stdout.write(_run("product", port, chosen, "--profile"))
        used: dict[str, list[float]] = {"floor": [], "product": []}
        for _ in range(chosen.rounds):
            for side, found in used.items():
                found.append(json.loads(_run(side, port, chosen).splitlines()[-1])["cpu"])
    finally:
        server.kill()
        server.wait()
    middle = {side: statistics.median(found) for side, found in used.items()}
    for side, found in used.items():
        each = [seconds / chosen.requests * 1e6 for seconds in found]
        sys.stdout.write(
            f"{side:8} {statistics.median(each):6.1f} us of CPU a request (min {min(each):.1f}, max {max(each):.1f}), "
            f"{chosen.requests / middle[side]:,.0f} requests a CPU-second\n"
        )
    sys.stdout.write(f"ratio: {middle['floor'] / middle['product']:.2f} (goal {GOAL:.2f})\n")


def _run(side: str, port: int, chosen: argparse.Namespace, *more: str) -> str:
    sizes = ["--requests", str(chosen.requests), "--workers", str(chosen.workers)]
    command = [sys.executable, __file__, "--side", side, "--port", str(port), *sizes, *more]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


if __name__ == "__main__":
    main()
