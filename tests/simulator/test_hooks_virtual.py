"""Call trackers in virtual time: minutes of ringing cost nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from ziwo_async import Call, Ringing, Router
from ziwo_async.testing import VirtualLoop, run_virtual, serve_virtual

from .receiver import DID, call, linked

PORT = 8099


@asynccontextmanager
async def service(rules: list[dict[str, object]], seen: list[str]) -> AsyncGenerator[str]:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.casefold().split("content-length: ")[1].split("\r\n")[0])
        await reader.readexactly(length)
        seen.append(head.split()[1])
        body = json.dumps({"result": True, "content": {"rules": rules}, "info": {}}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(one, "127.0.0.1", PORT):
        yield f"http://127.0.0.1:{PORT}"


def test_rules_have_their_times() -> None:
    async def main(loop: VirtualLoop) -> tuple[list[tuple[str, float]], list[str], float]:
        router, seen = Router(), list[str]()

        @router.during(Ringing)
        async def answer(ringing: Call, event: Ringing) -> None:
            assert event.customer_number == "042789926"
            await ringing.answer()

        rules = [
            call("0505874603", timeout=40),
            call("0011", timeout=600),
            call("5555", timeout=30, callerID="042789926"),
        ]
        async with (
            service(rules, seen) as url,
            serve_virtual(loop) as world,
            world.phone("0011", router=Router()),
            world.phone("5555", router=router),
        ):
            linked(world, url)
            world.customer("0505874603").will(answer_after=3600.0)
            there = await world.customer("+971500000000").hangs_up_after(60.0).dials(DID)
            assert there.tracked is not None
            await there.tracked.reaches("talking", 3600.0)
            began = [(tried.rule.number, tried.at - there.tracked.tried[0].at) for tried in there.tracked.tried]
            await world.hooks.of(there, "end", 3600.0)
            cdr = await world.history.of(there)
            return began, seen, cdr.talk

    began, seen, talk = run_virtual(main)
    assert [number for number, _ in began] == ["0505874603", "0011", "5555"]
    assert [round(at) for _, at in began] == [0, 40, 640]
    assert seen == ["/startCall", "/endCall"]
    assert 59 < talk < 61
    assert run_virtual(main) == (began, seen, talk)


def test_a_service_that_nobody_runs_or_that_hangs() -> None:
    async def main(loop: VirtualLoop) -> list[tuple[str, float]]:
        found: list[tuple[str, float]] = []

        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                await reader.read()
            writer.close()

        async with serve_virtual(loop) as world:
            linked(world, f"http://127.0.0.1:{PORT}", errorPlayback="beef")
            world.hooks.playback_seconds = 20.0
            for running in (False, True):
                server = await asyncio.start_server(hang, "127.0.0.1", PORT) if running else None
                there = await world.customer("+971500000000").dials(DID)
                cdr = await world.history.of(there, 3600.0)
                assert there.tracked is not None
                found.append((there.tracked.problem, round(cdr.duration)))
                await world.hooks.settle(3600.0)
                if server is not None:
                    server.close()
                    await server.wait_closed()
        return found

    assert run_virtual(main) == [("Cannot connect", 20), ("No answer in time", 30)]
