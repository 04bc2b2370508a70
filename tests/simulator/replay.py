"""Replays the client side of a captured session against the simulator and compares what the server says.

Time is compressed: timers of a second and more do not run, they are parked and fire when the recording's clock
passes them; everything else is waited for, not slept for.
"""

from __future__ import annotations

import ast
import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ziwo_async.simulator import Clock, ServerOptions, Simulator, World
from ziwo_async.simulator.clock import Timer

from .backend import Backend
from .client import RawClient

DATA = Path(__file__).parent.parent / "data" / "transcripts"
PATIENCE = 20.0

ALLOWED = {
    "id of a server request": "must be a number that rises on each connection; its value depends on the server's past",
    "callID made by the server": "must be the same one wherever the recording has the same one",
    "sessid made by the server": "likewise",
    "sdp": "must have the same profile, setup and fingerprint kind, never mid or BUNDLE; ports, keys, codecs differ",
    "variables": "must have the same names; verto_svar_* also the same values",
    "client-address": "must be the client's own address; stock FreeSWITCH has none (ZIWO's addition)",
    "serno": "must be an integer (epoch)",
    "idle ping": "may come or not: 30 s of silence end at another moment when time is compressed",
    "order across connections": "frames are compared in order on each connection, not between two",
}
"""What may differ in every transcript, and what is demanded instead."""


class ParkedTimer(Timer):
    def __init__(self, clock: ReplayClock, due: float, callback: Callable[[], None]) -> None:
        self.clock, self.due, self.callback = clock, due, callback

    def cancel(self) -> None:
        self.clock.parked.discard(self)
        self.clock.forget(self)


class ReplayClock(Clock):
    """Timers from `PARK` seconds on are parked; `advance` moves the clock and fires them in order.

    Shorter ones run by the event loop. The clock shows the recording's time, moved on by what has fired: how long the
    replay itself takes does not count, so that a busy machine replays the same.
    """

    PARK = 0.9
    GAP = 0.04  # a pause in the recording that is longer than the server's own delays

    def __init__(self) -> None:
        super().__init__()
        self.parked: set[ParkedTimer] = set()
        self.running: set[Timer] = set()
        self.fired = asyncio.Event()
        self.last = 0.0
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def later(self, delay: float, callback: Callable[[], None]) -> Timer:
        due = self.now + delay
        if delay >= self.PARK:
            parked = ParkedTimer(self, due, callback)
            self.parked.add(parked)
            return parked

        def fire() -> None:
            self._move(due)
            callback()

        timer = super().later(delay, fire)
        self.running.add(timer)
        return timer

    def forget(self, timer: Timer) -> None:
        super().forget(timer)
        self.running.discard(timer)
        self.fired.set()

    async def quiet(self) -> None:
        """Wait until no short timer runs any more: the server has done what it had to do."""
        async with asyncio.timeout(PATIENCE):
            while self.running:
                self.fired.clear()
                await self.fired.wait()

    async def advance(self, now: float) -> None:
        if now - self.last > self.GAP:
            await self.quiet()
        self.last = max(self.last, now)
        await self.elapse(now)

    async def elapse(self, now: float) -> None:
        while due := sorted((t for t in self.parked if t.due <= now), key=lambda t: t.due):
            self._move(due[0].due)
            due[0].cancel()
            self.guarded(due[0].callback)
            await asyncio.sleep(0)
        self._move(now)

    def _move(self, now: float) -> None:
        self.now = max(self.now, now)


@dataclass
class Case:
    """How to replay one transcript.

    Attributes:
        name: File name without ending.
        skip: Connections that are left out, with the reason.
        differs: Named differences: (a word for it, test of the recorded frame, change of it).
        move: Events that won or lost a race: (time of the event, time of the one it is put before, reason).
        leave_out: Stretches that are left out: (connection, from, to, reason).
        server_dies: A connection that ends with 1006 was ended by the death of the server, which then starts anew; its
            request ids are compared too.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    skip: dict[str, str] = field(default_factory=dict)
    differs: list[tuple[str, Callable[[dict[str, Any]], Any]]] = field(default_factory=list)
    move: list[tuple[float, float, str]] = field(default_factory=list)
    leave_out: list[tuple[str, float, float, str]] = field(default_factory=list)
    server_dies: bool = False

    @property
    def path(self) -> Path:
        return next(DATA.glob(f"*/{self.name}.jsonl"))


class Mismatch(AssertionError):
    pass


class Replay:
    def __init__(self, case: Case, world: World, sim: Simulator, clock: ReplayClock) -> None:
        self.case, self.sim, self.clock = case, sim, clock
        self.backend = Backend(world, sim, self)
        self.clients: dict[str, RawClient] = {}
        self.names: dict[str, str] = {}
        self.last_id: dict[str, int] = {}
        self.used_differences: set[str] = set()
        self.compared = 0

    async def run(self) -> None:
        with self.case.path.open(encoding="utf-8") as lines:
            events = [json.loads(line) for line in lines]
        for moved, before, _ in self.case.move:
            event = events.pop(next(i for i, event in enumerate(events) if event["rel"] == moved))
            events.insert(next(i for i, other in enumerate(events) if other["rel"] == before), event)
        for event in events:
            conn = event.get("conn")
            if conn is None or conn in self.case.skip or self.left_out(conn, event["rel"]):
                continue
            try:
                await self.step(event, conn)
            except (AssertionError, TimeoutError) as error:
                raise Mismatch(f"at {event['rel']} s on {conn}: {error or type(error).__name__}\n{event}") from error
        await self.nothing_more()
        for client in self.clients.values():
            client.abort()

    def left_out(self, conn: str, rel: float) -> bool:
        return any(conn == name and start <= rel <= end for name, start, end, _ in self.case.leave_out)

    async def nothing_more(self) -> None:
        """What the server says beyond the recording is a difference too."""
        quiet = self.sim.options.flush_quiet * 3 + self.sim.options.bridge_delay
        try:
            async with asyncio.timeout(quiet):
                await asyncio.Event().wait()
        except TimeoutError:
            pass
        for conn, client in self.clients.items():
            while not client.received.empty():
                frame = json.loads(client.received.get_nowait())
                if frame.get("method") != "verto.ping":
                    raise Mismatch(f"more than recorded on {conn}: {frame}")

    async def step(self, event: dict[str, Any], conn: str) -> None:
        rel = event["rel"]
        if conn == "esl":
            await self.clock.advance(rel)
            await self.backend.command(event["raw"])
            return
        if conn not in self.clients:
            await self.clock.advance(rel)
            self.clients[conn] = await RawClient.connect(self.sim.verto_url, "/any/path?x=1")
        client = self.clients[conn]
        if event["dir"] == "send":
            await self.clock.advance(rel)
            self.send(client, event)
        elif event["dir"] == "recv":
            await self.receive(client, conn, event)
        else:
            await self.note(client, event)

    def send(self, client: RawClient, event: dict[str, Any]) -> None:
        if client.over.done():
            return
        if "frame" in event:
            text = json.dumps(event["frame"], ensure_ascii=False)
            for recorded, actual in self.names.items():
                text = text.replace(f'"{recorded}"', f'"{actual}"')
            client.send_text(text)
            return
        raw: str = event["raw"]
        if match := re.fullmatch(r"<PING (b'.*')>", raw):
            client.send_ping(ast.literal_eval(match[1]))
        elif match := re.fullmatch(r"<ping padded to (\d+) bytes>", raw):
            head, tail = '{"jsonrpc":"2.0","method":"verto.ping","params":{"pad":"', '"},"id":800}'
            client.send_text(head + "x" * (int(match[1]) - len(head) - len(tail)) + tail)
        else:
            client.send_text(raw)

    async def note(self, client: RawClient, event: dict[str, Any]) -> None:
        words: str = event["note"]
        await self.clock.advance(event["rel"])
        if words == "abrupt TCP abort":
            client.abort()
            await client.ended()
            await self.settled()
        elif words.startswith("network gone"):
            address = client.address
            session = next(s for s in self.sim.verto.sessions() if s.peer == address)
            session.freeze()
        elif words == "ws closed":
            by_us = re.search("NORMAL_CLOSURE|bye", str(event.get("sent"))) is not None
            if event.get("code") == 1000:
                code = await (client.close() if by_us else client.ended())
                assert code == 1000, f"close code {code}"
                assert client.close_reason == ""
            elif self.case.server_dies:
                await self.sim.faults.server_restart()
                assert await client.ended() == event["code"]
                assert client.received.empty(), "the server said something before it died"
            else:
                client.abort()
                await client.ended()
            await self.settled()

    async def settled(self) -> None:
        """The server has seen the end of every connection that is closed here."""
        over = {client.address for client in self.clients.values() if client.over.done()}
        async with asyncio.timeout(PATIENCE):
            while any(s.peer in over and not s._frozen for s in self.sim.verto.sessions()):
                await asyncio.sleep(0)

    async def receive(self, client: RawClient, conn: str, event: dict[str, Any]) -> None:
        want: Any = event["frame"]
        if isinstance(want, dict) and want.get("method") == "verto.ping":
            return  # allowed: idle ping
        for name, change in self.case.differs:
            changed = change(want)
            if changed is not None:
                self.used_differences.add(name)
                want = changed
        if want == "absent":
            return
        await self.clock.advance(event["rel"])
        await self.backend.before(want)
        if client.received.empty():
            await self.clock.elapse(event["rel"] + 0.3)
        got = await self.next(client)
        self.compare(conn, client, want, got)
        self.compared += 1

    async def next(self, client: RawClient) -> Any:
        while True:
            frame = await client.get()
            if not (isinstance(frame, dict) and frame.get("method") == "verto.ping"):
                return frame

    # ---- comparing -----------------------------------------------------------------------------------------------

    def compare(self, conn: str, client: RawClient, want: Any, got: Any) -> None:
        if isinstance(want, dict) and "method" in want and isinstance(got.get("id"), int):
            assert got["id"] > self.last_id.get(conn, 0), f"server ids must rise: {got}"
            self.last_id[conn] = got["id"]
            if not self.case.server_dies:
                want = {**want, "id": got["id"]}
        self.same(client, want, got, "")

    def same(self, client: RawClient, want: Any, got: Any, where: str) -> None:
        key = where.rpartition(".")[2]
        if isinstance(want, dict):
            assert isinstance(got, dict), f"{where}: {got!r} instead of {want!r}"
            if "client-address" in got and "client-address" not in want:
                assert "message" in want
                got = {name: value for name, value in got.items() if name != "client-address"}
            assert list(want) == list(got), f"{where or 'frame'}: members {list(got)} instead of {list(want)}: {got}"
            for name, value in want.items():
                self.same(client, value, got[name], f"{where}.{name}")
        elif isinstance(want, list):
            assert isinstance(got, list), f"{where}: {got!r} instead of {want!r}"
            assert len(want) == len(got), f"{where}: {got!r} instead of {want!r}"
            for index, (one, other) in enumerate(zip(want, got, strict=True)):
                self.same(
                    client, one, other, f"{where}[{index}].callID" if "reattached" in where else f"{where}[{index}]"
                )
        elif key == "sdp":
            same_sdp(want, got)
        elif ".variables." in where and not key.startswith("verto_svar_"):
            assert isinstance(got, str), where
        elif key == "client-address":
            assert got == client.address, where
        elif key == "serno":
            assert isinstance(got, int), where
        elif key in ("callID", "sessid") and isinstance(want, str):
            assert self.names.setdefault(want, got) == got, f"{where}: {got!r}, was {self.names[want]!r}"
        else:
            assert want == got, f"{where}: {got!r} instead of {want!r}"
            assert isinstance(got, bool) == isinstance(want, bool), where


def same_sdp(want: str, got: str) -> None:
    for text in (want, got):
        assert "a=mid" not in text, "FreeSWITCH never writes mid"
        assert "BUNDLE" not in text, "FreeSWITCH never writes BUNDLE"
    assert shape(want) == shape(got), f"SDP: {shape(got)} instead of {shape(want)}"


def shape(sdp: str) -> dict[str, Any]:
    lines = sdp.split("\r\n")
    mline = next(line for line in lines if line.startswith("m="))
    keys = ("a=setup:", "a=rtcp-mux", "a=sendrecv", "a=end-of-candidates", "a=msid-semantic")
    return {
        "profile": mline.split()[2],
        "attributes": sorted(line for line in lines if line.startswith(keys[:4])),
        "candidates": sum(line.startswith("a=candidate:") for line in lines),
    }


def options(**more: Any) -> ServerOptions:
    return ServerOptions(
        **{
            "flush_quiet": 0.01,
            "ready_delay": 0.02,
            "hold_delay": 0.01,
            "answer_settle": 0.02,
            "bridge_delay": 0.03,
            "ring_timeout": 30.0,
            "detach_timeout": 30.0,
            "dial_poll": 0.01,
            "require_candidates": True,
            **more,
        }
    )
