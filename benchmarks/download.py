"""CPU seconds of a 50 MB download to a file, as a ratio to a bare aiohttp loop that writes the same; and its memory.

Both sides get the same bytes from the same server in the same run, each in a fresh process, in turns; the server is a
third process. What is measured is the client process's CPU time (user + system, all threads). Ours checks, resumes,
reports progress and calls fsync; the bare loop does none of that. The last line is `ratio: N.NN (goal 0.80)`: the bare
loop's CPU over ours. The exit code is 1 when our peak memory grew by more than 20 MB.

    python benchmarks/download.py [--megabytes 50] [--rounds 7] [--profile]
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import pstats
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GOAL = 0.8
MOST_GROWTH = 20.0
_MB = 1024 * 1024
_SMALL, _LARGE = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
_FRAME = b"\xff\xfb\x90\x00" + bytes(413)


def serve(megabytes: int) -> None:
    """Serve a small recording and a large one, one request for each connection; prints its port first."""
    large = (_FRAME * (megabytes * _MB // len(_FRAME) + 1))[: megabytes * _MB]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            peer, _ = listener.accept()
            with peer:
                request = b""
                while b"\r\n\r\n" not in request and (more := peer.recv(4096)):
                    request += more
                body = large if _LARGE.encode() in request.split(b"\r\n", 1)[0] else _FRAME
                head = f'Content-Type: audio/mpeg\r\nContent-Length: {len(body)}\r\nETag: "1"\r\nConnection: close'
                peer.sendall(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
                peer.sendall(body)


async def floor(port: int, folder: Path, profile: cProfile.Profile | None) -> dict[str, float]:
    """Bare aiohttp: what comes is written, in the event loop."""
    import aiohttp

    async with aiohttp.ClientSession() as session:

        async def once(call_id: str) -> Path:
            path = folder / call_id
            url = f"http://127.0.0.1:{port}/surveillance/recordings/{call_id}.mp3"
            async with session.get(url, headers={"access_token": "bench"}) as response:
                response.raise_for_status()
                with path.open("wb") as file:
                    async for chunk in response.content.iter_chunked(64 * 1024):
                        file.write(chunk)
            return path

        return await measured(once, profile)


async def product(port: int, folder: Path, profile: cProfile.Profile | None) -> dict[str, float]:
    """The client, with a progress callback as a progress bar has one."""
    from ziwo_async import ZiwoClient

    received = 0

    def progress(done: object) -> None:
        nonlocal received
        received += 1

    async with ZiwoClient(api_url=f"http://127.0.0.1:{port}", token="bench") as ziwo:

        async def once(call_id: str) -> Path:
            return (await ziwo.recordings.download(call_id, folder, progress=progress)).path

        return await measured(once, profile)


async def measured(once, profile: cProfile.Profile | None) -> dict[str, float]:  # type: ignore[no-untyped-def]
    """CPU seconds of the large download, and the growth of the peak memory in MB, after a small one that warms up."""
    await once(_SMALL)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if profile is not None:
        profile.enable()
    began = time.process_time()
    path = await once(_LARGE)
    cpu = time.process_time() - began
    if profile is not None:
        profile.disable()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"cpu": cpu, "grown": grown / (_MB if sys.platform == "darwin" else 1024), "size": path.stat().st_size}


def worker(side: str, chosen: argparse.Namespace) -> None:
    """Run one side once and print its figures."""
    profile = cProfile.Profile() if chosen.profile else None
    run = floor if side == "floor" else product
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(run(chosen.port, Path(folder), profile))
    if profile is not None:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    if found["size"] != chosen.megabytes * _MB:
        raise SystemExit(f"{found['size']:.0f} bytes came")
    sys.stdout.write(json.dumps(found) + "\n")


def main() -> None:
    """Run both sides in turns and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--profile", action="store_true", help="print where the product's time goes")
    parser.add_argument("--side", choices=["floor", "product", "server"], help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.side == "server":
        serve(chosen.megabytes)
        return
    if chosen.side is not None:
        worker(chosen.side, chosen)
        return
    size = ["--megabytes", str(chosen.megabytes)]
    server = subprocess.Popen([sys.executable, __file__, "--side", "server", *size], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        if chosen.profile:
            sys.stdout.write(_run("product", port, *size, "--profile"))
        found: dict[str, list[dict[str, float]]] = {"floor": [], "product": []}
        for _ in range(chosen.rounds):
            for side, figures in found.items():
                figures.append(json.loads(_run(side, port, *size).splitlines()[-1]))
    finally:
        server.kill()
        server.wait()
    middle = {side: statistics.median(each["cpu"] for each in figures) for side, figures in found.items()}
    for side, figures in found.items():
        cpu = [each["cpu"] * 1000 for each in figures]
        grown = max(each["grown"] for each in figures)
        sys.stdout.write(
            f"{side:8} {statistics.median(cpu):6.1f} ms of CPU (min {min(cpu):.1f}, max {max(cpu):.1f}), "
            f"peak memory grew by {grown:.1f} MB at most\n"
        )
    sys.stdout.write(f"ratio: {middle['floor'] / middle['product']:.2f} (goal {GOAL:.2f})\n")
    if max(each["grown"] for each in found["product"]) > MOST_GROWTH:
        sys.stderr.write(f"the peak memory grew by more than {MOST_GROWTH:.0f} MB\n")
        raise SystemExit(1)


def _run(side: str, port: int, *more: str) -> str:
    command = [sys.executable, __file__, "--side", side, "--port", str(port), *more]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


if __name__ == "__main__":
    main()
