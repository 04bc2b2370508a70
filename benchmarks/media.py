"""What a call that receives audio costs with ziwo_async, against plain aiortc that does the same.

Each measurement is a fresh process; the sender is plain aiortc in another. All answer an offer and read what comes:

- `bare`: plain aiortc with its own silent track, as a call needs one; the frames are taken as it decodes them;
- `listen`: plain aiortc that sends nothing at all, which is less than a call needs;
- `ours`: ziwo_async, which sends silence, and gives frames of 20 ms at 16 kHz mono, which a program would have to make
  by itself with plain aiortc.

The time to the first frame counts from when the offer is handed in: it is the media's part of the way from the invite
to the first frame, without the websocket and the phone. The ratio is of CPU, ours over bare, in the worst of the sizes.

    python benchmarks/media.py [--seconds 6] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
GOAL = 1.10
CALLS = (1, 5, 10)
SIDES = ("bare", "listen", "ours")

Signal = Callable[[str, str, str], Awaitable[str]]
End = Callable[[], Awaitable[None]]


async def bare(signal: Signal, key: str, first: Callable[[float], None], *, sends: bool = True) -> End:
    """One call with plain aiortc."""
    import aioice.ice
    from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
    from aiortc.mediastreams import AudioStreamTrack

    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
    offer = await signal(key, "offer", "")
    began = time.perf_counter()
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    if sends:
        peer.addTrack(AudioStreamTrack())
    readers: list[asyncio.Task[None]] = []

    async def read(track: Any) -> None:
        await track.recv()
        first(time.perf_counter() - began)
        while True:
            await track.recv()

    peer.on("track", lambda track: readers.append(asyncio.ensure_future(read(track))))
    await peer.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    await signal(key, "answer", peer.localDescription.sdp)

    async def end() -> None:
        await peer.close()
        for reader in readers:
            reader.cancel()

    return end


def ours() -> Callable[[Signal, str, Callable[[float], None]], Awaitable[End]]:
    """One call with ziwo_async."""
    from ziwo_async.media import AiortcMedia

    engine = AiortcMedia(stun=(), loopback=True)

    async def call(signal: Signal, key: str, first: Callable[[float], None]) -> End:
        offer = await signal(key, "offer", "")
        began = time.perf_counter()
        session = await engine.open(key)

        async def read() -> None:
            frames = session.audio.frames(rate=16000)
            await anext(frames)
            first(time.perf_counter() - began)
            async for _ in frames:
                pass

        reader = asyncio.ensure_future(read())
        await signal(key, "answer", await session.answer(offer))

        async def end() -> None:
            await session.close()
            await reader

        return end

    return call


async def measure(side: str, calls: int, seconds: float) -> dict[str, Any]:
    """Run calls for some seconds; gives CPU and memory per call, and the times to the first frame."""
    sender = await asyncio.create_subprocess_exec(
        sys.executable, str(_HERE / "_media_peer.py"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert sender.stdin is not None
    assert sender.stdout is not None
    words, answers = sender.stdin, sender.stdout

    async def signal(key: str, kind: str, sdp: str) -> str:
        words.write(json.dumps({"id": key, "type": kind, "sdp": sdp}).encode() + b"\n")
        return str(json.loads(await answers.readline())["sdp"]) if kind == "offer" else ""

    make: Any = ours() if side == "ours" else partial(bare, sends=side == "bare")
    times: list[float] = []
    # One call first, whose costs are those of the process.
    end_first = await make(signal, "first", times.append)
    await asyncio.sleep(0.5)
    await end_first()
    before = private_memory()
    times.clear()
    ends = [await make(signal, str(number), times.append) for number in range(calls)]
    await asyncio.sleep(1.0)
    began, at = time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    spent, lasted = time.process_time() - began, time.perf_counter() - at
    grown = private_memory() - before
    for end in ends:
        await end()
    # More calls, one after the other, for the time to the first frame.
    for number in range(20 - calls):
        end = await make(signal, f"again{number}", times.append)
        while len(times) <= calls + number:
            await asyncio.sleep(0.005)
        await end()
    sender.kill()
    await sender.wait()
    return {"cpu": spent / lasted / calls, "memory": grown / calls, "first": times}


def private_memory() -> float:
    """What the process alone has in memory, in MB."""
    try:
        text = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_")) / 1024


def main() -> None:
    """Run both sides in turns and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--calls", type=int, default=1, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.side is not None:
        found = asyncio.run(measure(chosen.side, chosen.calls, chosen.seconds))
        sys.stdout.write(json.dumps(found) + "\n")
        return
    results: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for _ in range(chosen.rounds):
        for calls in CALLS:
            for side in SIDES:
                results.setdefault((side, calls), []).append(_run(side, calls, chosen.seconds))
    ratios: dict[str, list[float]] = {"bare": [], "listen": []}
    for calls in CALLS:
        for side in SIDES:
            runs = results[side, calls]
            cpu = [100 * run["cpu"] for run in runs]
            sys.stdout.write(
                f"{side:6} {calls:2} calls: {statistics.median(cpu):5.2f} % of a core per call "
                f"(min {min(cpu):.2f}, max {max(cpu):.2f}), "
                f"{statistics.median(run['memory'] for run in runs):5.2f} MB per call\n"
            )
        for other, found in ratios.items():
            pairs = zip(results["ours", calls], results[other, calls], strict=True)
            found.append(statistics.median(mine["cpu"] / theirs["cpu"] for mine, theirs in pairs))
    for side in SIDES:
        first = sorted(1000 * t for calls in CALLS for run in results[side, calls] for t in run["first"])
        p50, p99 = (first[min(len(first) - 1, round(share * len(first)))] for share in (0.5, 0.99))
        sys.stdout.write(f"{side:6} offer to first frame: p50 {p50:.0f} ms, p99 {p99:.0f} ms ({len(first)} calls)\n")
    sys.stdout.write(f"ours over one that sends nothing: {', '.join(f'{one:.2f}' for one in ratios['listen'])}\n")
    sys.stdout.write(f"ratio: {max(ratios['bare']):.2f} (goal {GOAL:.2f})\n")


def _run(side: str, calls: int, seconds: float) -> dict[str, Any]:
    command = [sys.executable, __file__, "--side", side, "--calls", str(calls), "--seconds", str(seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    return dict(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
