"""Frames per CPU-second from the socket to a typed handler, as a ratio to a raw `websockets` receive loop.

Both sides read the same bytes from the same server in the same run, each in a fresh process, in turns; the server is a
third process. What is measured is the client process's CPU time (user + system) between "go" and the last frame or the
last call's `destroy`. The last line is `ratio: N.NN (goal 2.50)`: our CPU per frame over the floor's.

    python benchmarks/events.py [--calls 4000] [--rounds 5] [--profile]
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
from pathlib import Path

from _replay import FRAMES_PER_CALL

GOAL = 2.5
_HERE = Path(__file__).parent


async def floor(port: int, calls: int) -> float:
    """Receive every frame as bytes and do nothing with it."""
    from websockets.asyncio.client import connect

    async with connect(
        f"ws://127.0.0.1:{port}", ping_interval=None, compression=None, max_size=None, close_timeout=1
    ) as socket:
        await socket.send("login")
        await socket.recv(decode=False)
        await socket.recv(decode=False)
        await socket.send("go")
        began = time.process_time()
        for _ in range(calls * FRAMES_PER_CALL):
            await socket.recv(decode=False)
        return time.process_time() - began


async def product(port: int, calls: int, profile: cProfile.Profile | None) -> float:
    """The whole phone, with one typed handler for each kind of event."""
    from ziwo_async import Call, Destroy, Hangup, PartyChanged, Phone, Ringing, Router, TextMessage
    from ziwo_async.phone.account import Account

    router = Router()
    seen = dict.fromkeys(("ringing", "party", "text", "hangup", "destroy"), 0)
    finished = asyncio.Event()

    @router.on(Ringing)
    async def ringing(call: Call, event: Ringing) -> None:
        seen["ringing"] += bool(event.customer_number)

    @router.on(PartyChanged)
    async def party(call: Call, event: PartyChanged) -> None:
        seen["party"] += bool(event.display_number)

    @router.on(TextMessage)
    async def text(event: TextMessage) -> None:
        seen["text"] += bool(event.text)

    @router.on(Hangup)
    async def hangup(call: Call, event: Hangup) -> None:
        seen["hangup"] += event.cause == "NORMAL_CLEARING"

    @router.on(Destroy)
    async def destroy(call: Call, event: Destroy) -> None:
        seen["destroy"] += 1
        if seen["destroy"] == calls:
            finished.set()

    async def account(fresh: bool) -> Account:
        return Account(login="agent-5555", password_hash="", url=f"ws://127.0.0.1:{port}")

    phone = Phone(account, router=router)
    async with phone:
        began = time.process_time()
        if profile is not None:
            profile.enable()
        # Never answered: it only tells the server to go.
        go = asyncio.ensure_future(phone.request("go"))
        await finished.wait()
        if profile is not None:
            profile.disable()
        spent = time.process_time() - began
        go.cancel()
    expected = {"ringing": calls, "party": 2 * calls, "text": 2 * calls, "hangup": calls, "destroy": calls}
    if seen != expected:
        raise SystemExit(f"events were lost or doubled: {seen}, expected {expected}")
    return spent


def worker(side: str, port: int, calls: int, *, profiled: bool) -> None:
    """Run one side once and print its CPU seconds."""
    profile = cProfile.Profile() if profiled else None
    spent = asyncio.run(floor(port, calls) if side == "floor" else product(port, calls, profile))
    if profile is not None:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    sys.stdout.write(json.dumps({"side": side, "cpu": spent}) + "\n")


def main() -> None:
    """Run both sides in turns and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="print where the product's time goes")
    parser.add_argument("--side", choices=["floor", "product"], help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.side is not None:
        worker(chosen.side, chosen.port, chosen.calls, profiled=chosen.profile)
        return
    server = subprocess.Popen([sys.executable, str(_HERE / "_blast.py"), str(chosen.calls)], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        if chosen.profile:
            sys.stdout.write(_run("product", port, chosen.calls, "--profile"))
        spent: dict[str, list[float]] = {"floor": [], "product": []}
        for _ in range(chosen.rounds):
            for side, found in spent.items():
                found.append(json.loads(_run(side, port, chosen.calls).splitlines()[-1])["cpu"])
    finally:
        server.kill()
        server.wait()
    frames = chosen.calls * FRAMES_PER_CALL
    middle = {side: statistics.median(found) for side, found in spent.items()}
    for side, found in spent.items():
        each = [seconds / frames * 1e6 for seconds in found]
        sys.stdout.write(
            f"{side:8} {statistics.median(each):6.2f} us of CPU a frame (min {min(each):.2f}, max {max(each):.2f}), "
            f"{frames / middle[side]:,.0f} frames a CPU-second\n"
        )
    sys.stdout.write(f"ratio: {middle['product'] / middle['floor']:.2f} (goal {GOAL:.2f})\n")


def _run(side: str, port: int, calls: int, *more: str) -> str:
    command = [sys.executable, __file__, "--side", side, "--port", str(port), "--calls", str(calls), *more]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


if __name__ == "__main__":
    main()
