"""Start calls a second and their p99 with 200 at once, as a ratio to a bare aiohttp handler.

Each server is a process of its own; the load comes from this one over 200 kept connections, each with the request that
ZIWO documents (multipart, `didCalled`, `X-API-Key`), the next as soon as the answer is there. They are measured in
turns. `bare` reads the form and answers JSON, and checks nothing; `empty` reads no form and answers bytes made before.
The last line is `ratio: N.NN (goal at least 0.60)`: start calls a second of the service over those of `bare`.

    python benchmarks/webhooks.py [--calls 4000] [--at-once 200] [--rounds 7]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from _webhooks_server import KEY

GOAL = 0.6
_SERVER = Path(__file__).parent / "_webhooks_server.py"
_BOUNDARY = "------------------------d74496d66958873e"
_BODY = (
    f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="didCalled"\r\n\r\n061234567\r\n--{_BOUNDARY}--\r\n'
).encode()
_REQUEST = (
    f"POST /startCall HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\nX-API-Key: {KEY}\r\n"
    f"Content-Length: {len(_BODY)}\r\nContent-Type: multipart/form-data; boundary={_BOUNDARY}\r\n\r\n"
).encode() + _BODY
_ANSWER = b'"rules":'


class Caller(asyncio.Protocol):
    """One connection: the next request as soon as the answer is there."""

    def __init__(self, left: list[int], times: list[float], ended: asyncio.Event) -> None:
        self.left = left
        self.times = times
        self.ended = ended
        self.buffer = b""
        self.began = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def ask(self) -> None:
        """Send the next request, if there is one."""
        assert self.transport is not None
        if self.left[0] == 0:
            return
        self.left[0] -= 1
        self.began = time.perf_counter()
        self.transport.write(_REQUEST)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, blank, body = self.buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) < length:
            return
        if not head.startswith(b"HTTP/1.1 200") or _ANSWER not in body.replace(b": ", b":"):
            raise SystemExit(f"a wrong answer: {self.buffer!r}")
        self.buffer = b""
        self.times.append(time.perf_counter() - self.began)
        if self.left[1] == len(self.times):
            self.ended.set()
        self.ask()


async def load(port: int, calls: int, at_once: int) -> tuple[float, list[float]]:
    """Make so many start calls; give the seconds of all, and of each."""
    loop = asyncio.get_running_loop()
    left, times, ended = [calls, calls], list[float](), asyncio.Event()
    callers: list[Caller] = []
    for _ in range(at_once):
        _, caller = await loop.create_connection(lambda: Caller(left, times, ended), "127.0.0.1", port)
        callers.append(caller)
    began = time.perf_counter()
    for caller in callers:
        caller.ask()
    async with asyncio.timeout(300):
        await ended.wait()
    seconds = time.perf_counter() - began
    for caller in callers:
        assert caller.transport is not None
        caller.transport.close()
    return seconds, times


@contextmanager
def server(name: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A server as a process."""
    command = [sys.executable, str(_SERVER), name]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process
    finally:
        process.kill()
        process.communicate()


def cpu(process: subprocess.Popen[str]) -> float:
    """The CPU seconds that a server has used."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def main() -> None:
    """Measure all in turns and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--at-once", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    rates: dict[str, list[float]] = {"empty": [], "bare": [], "service": []}
    tails: dict[str, list[float]] = {name: [] for name in rates}
    spent: dict[str, list[float]] = {name: [] for name in rates}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(server(name)) for name in rates}
        for port, _ in servers.values():
            asyncio.run(load(port, 4 * chosen.at_once, chosen.at_once))
        for _ in range(chosen.rounds):
            for name, (port, process) in servers.items():
                before = cpu(process)
                seconds, times = asyncio.run(load(port, chosen.calls, chosen.at_once))
                spent[name].append((cpu(process) - before) / chosen.calls * 1e6)
                rates[name].append(chosen.calls / seconds)
                tails[name].append(statistics.quantiles(times, n=100)[98] * 1000)
    for name, found in rates.items():
        sys.stdout.write(
            f"{name:8} {statistics.median(found):7,.0f} start calls a second (min {min(found):,.0f}, max "
            f"{max(found):,.0f}), p99 {statistics.median(tails[name]):5.1f} ms, "
            f"{statistics.median(spent[name]):4.0f} us of CPU a call\n"
        )
    ours = statistics.median(rates["service"])
    sys.stdout.write(f"against one that does nothing at all: {ours / statistics.median(rates['empty']):.2f}\n")
    sys.stdout.write(f"ratio: {ours / statistics.median(rates['bare']):.2f} (goal at least {GOAL:.2f})\n")


if __name__ == "__main__":
    main()
