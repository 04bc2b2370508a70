"""Call trackers in virtual time: minutes of ringing cost nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest

from ziwo_async import Call, CallEnded, Ringing, Router, WrongState
from ziwo_async.simulator import SimCall
from ziwo_async.testing import VirtualLoop, run_virtual, serve_virtual

from .receiver import DID, call, linked

PORT = 8099


@asynccontextmanager
async def service(
    rules: list[dict[str, object]], seen: list[str], late: Callable[[], float] = float
) -> AsyncGenerator[str]:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.casefold().split("content-length: ")[1].split("\r\n")[0])
        await reader.readexactly(length)
        seen.append(head.split()[1])
        await asyncio.sleep(late())
        body = json.dumps({"result": True, "content": {"rules": rules}, "info": {}}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        with contextlib.suppress(ConnectionError):
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


def a_bad_day(seed: int) -> list[str]:
    """Calls whose service, agents, numbers and callers all do what they like; gives how each came out."""

    async def main(loop: VirtualLoop) -> list[str]:
        rng, seen, routers = loop.rng, list[str](), {"0011": Router(), "5555": Router()}
        numbers = ["0011", "5555", "7777", "1", "01", "02", "03"]

        async def answer(ringing: Call, event: Ringing) -> None:
            await asyncio.sleep(rng.choice([0.0, 0.01, 3.0, 9.99, 10.0, 10.01, 30.0]))
            with contextlib.suppress(WrongState, CallEnded):  # it rings no more
                await (ringing.answer() if rng.random() < 0.7 else ringing.hangup())

        for router in routers.values():
            router.during(Ringing)(answer)
        rules = [call(rng.choice(numbers), timeout=10) for _ in range(rng.randrange(5))]
        async with (
            service(rules, seen, lambda: rng.choice([0.0, 1.0, 9.0, 12.0])) as url,
            serve_virtual(loop) as world,
            world.phone("0011", router=routers["0011"]),
            world.phone("5555", router=routers["5555"]),
        ):
            world.add_agent("7777")
            linked(world, url, errorPlayback=rng.choice(["beef", None]))
            world.hooks.voicemail_flag = rng.choice(["action", "number"])  # no member of a rule is true: never
            world.customer("01").will(answer_after=rng.choice([0.0, 5.0, 10.0])).hangs_up_after(rng.choice([0.0, 7.0]))
            world.customer("02").is_busy(after=rng.choice([0.0, 10.0]))
            world.customer("03").never_answers(after=15.0)
            calls = []
            for number in range(4):
                customer = world.customer(f"+97150000000{number}").hangs_up_after(rng.choice([0.0, 20.0]))
                calls.append(await customer.dials(DID))
                await asyncio.sleep(rng.choice([0.0, 0.05, 5.0]))
                if rng.random() < 0.5:
                    loop.call_later(rng.choice([0.0, 0.1, 5.0, 10.0, 10.1, 22.0]), hang_up, loop, calls[-1])
            records = [await world.history.of(there, 3600.0) for there in calls]
            ends = [await world.hooks.of(there, "end", 3600.0) for there in calls]
            await world.hooks.settle(3600.0)
            await asyncio.sleep(60)
            assert [found.kind for found in world.hooks.sent].count("end") == 4
            assert seen.count("/endCall") == 4
            assert world.simulator.switch.legs == {}
            for there, record, end in zip(calls, records, ends, strict=True):
                tracked, outside, far = there.tracked, there.outside, there.forward
                assert tracked is not None
                assert outside is not None
                assert (there.state, tracked.state, outside.ended) == ("ended", "over", True)
                assert "ringing" not in [tried.outcome for tried in tracked.tried]
                assert outside.timers == []
                assert far is None or (far.ended and far.timers == [])
                answered = [tried.outcome for tried in tracked.tried].count("answered")
                assert answered == (record.result == "answered"), (tracked.tried, record)
                assert end.fields["disposition"] == ("ANSWER" if answered else end.fields["disposition"])
            return [
                f"{there.tracked!r} {record.result} {record.cause}"
                for there, record in zip(calls, records, strict=True)
            ]

    return run_virtual(main, seed=seed)


def hang_up(loop: asyncio.AbstractEventLoop, there: SimCall) -> None:
    loop.create_task(there.hangs_up())


@pytest.mark.parametrize("seed", range(25))
def test_nothing_is_left_of_calls_that_anybody_ends_at_any_time(seed: int) -> None:
    assert a_bad_day(seed) == a_bad_day(seed)
