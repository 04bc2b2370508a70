"""The same end call, however often and from wherever: its handler runs once."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import stat
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from ziwo_async.errors import ConfigError, StoreError
from ziwo_async.webhooks import Claim, EndCall, MemoryOnce, OnceStore, SqliteOnce, TrackerService

from .serving import KEY, post, send, serve

Make = Callable[..., OnceStore]


@pytest.fixture(params=["memory", "sqlite"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes a store; two that it makes know of each other only if they are files."""
    return MemoryOnce if request.param == "memory" else lambda **more: SqliteOnce(tmp_path / "once.sqlite", **more)


@pytest.fixture
async def store(make: Make) -> AsyncIterator[OnceStore]:
    made = make()
    yield made
    if isinstance(made, SqliteOnce):
        made.close()


def end_call(call_id: str = "a", **more: Any) -> bytes:
    return post("/endCall", json.dumps({"callID": call_id, "id": 1, **more}).encode())


class Told:
    """A handler that counts, and can be held up."""

    def __init__(self) -> None:
        self.calls: list[str | None] = []
        self.began = asyncio.Event()
        self.go_on = asyncio.Event()
        self.error: BaseException | None = None

    async def __call__(self, end: EndCall) -> None:
        self.calls.append(end.call_id)
        self.began.set()
        await self.go_on.wait()
        if self.error is not None:
            raise self.error


def service(store: OnceStore | None, told: Callable[..., Any], **more: Any) -> TrackerService:
    tracker = TrackerService(keys=[KEY], once=store, **more)
    tracker.on_end(told)
    return tracker


# --- a hundred at once ------------------------------------------------------------------------------------------------


async def test_a_hundred_at_once_run_the_handler_once(server: str, store: OnceStore) -> None:
    told = Told()
    tracker = service(store, told)
    async with serve(tracker, server) as port:
        requests = [asyncio.create_task(send(port, end_call())) for _ in range(100)]
        async with asyncio.timeout(30):
            await told.began.wait()
            while tracker.stats.repeated < 99:  # all of them are there, and the handler still runs
                await asyncio.sleep(0.01)
        told.go_on.set()
        replies = await asyncio.gather(*requests)
        later = await send(port, end_call())
    assert [reply.status for reply in replies] == [200] * 100
    assert {reply.body for reply in (*replies, later)} == {b'{"result":true,"content":{},"info":{}}'}
    assert told.calls == ["a"]
    assert (tracker.stats.handled, tracker.stats.repeated) == (1, 100)


async def test_a_hundred_calls_at_once_run_it_a_hundred_times(server: str, store: OnceStore) -> None:
    told = Told()
    told.go_on.set()
    async with serve(service(store, told), server) as port:
        replies = await asyncio.gather(*(send(port, end_call(f"call-{number}")) for number in range(100)))
    assert {reply.status for reply in replies} == {200}
    assert sorted(told.calls, key=str) == sorted(f"call-{number}" for number in range(100))


async def test_two_services_on_one_file_run_it_once(tmp_path: Path) -> None:
    first, second = Told(), Told()
    path = tmp_path / "once.sqlite"
    services = [service(SqliteOnce(path), told) for told in (first, second)]
    async with serve(services[0], "aiohttp") as one, serve(services[1], "uvicorn") as two:
        first.go_on.set()
        second.go_on.set()
        replies = await asyncio.gather(*(send(port, end_call()) for port in (one, two) for _ in range(50)))
    assert {reply.status for reply in replies} == {200}
    assert len(first.calls) + len(second.calls) == 1


PROCESS = """
import asyncio, sys
from pathlib import Path
from aiohttp import web
from ziwo_async.webhooks import EndCall, SqliteOnce, TrackerService

tracker = TrackerService(keys=[sys.argv[1]], once=SqliteOnce(sys.argv[2]))

@tracker.on_end
def ended(end: EndCall) -> None:
    with open(sys.argv[3], "a") as file:
        file.write(f"{end.call_id}\\n")

async def main() -> None:
    app = web.Application()
    app.add_routes(tracker.routes())
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()

asyncio.run(main())
"""


async def test_two_processes_on_one_file_run_it_once_each_and_so_does_the_next(tmp_path: Path) -> None:
    script, done = tmp_path / "service.py", tmp_path / "done"
    script.write_text(PROCESS)
    command = (sys.executable, str(script), KEY, str(tmp_path / "once.sqlite"), str(done))

    async def start() -> tuple[asyncio.subprocess.Process, int]:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        assert process.stdout is not None
        return process, int(await process.stdout.readline())

    async def stop(process: asyncio.subprocess.Process) -> None:
        process.kill()
        await process.communicate()

    calls = [f"call-{number}" for number in range(5)]
    started = await asyncio.gather(start(), start())
    try:
        replies = await asyncio.gather(
            *(send(port, end_call(call_id)) for call_id in calls for _, port in started for _ in range(5))
        )
    finally:
        await asyncio.gather(*(stop(process) for process, _ in started))
    assert {reply.status for reply in replies} == {200}
    assert sorted(done.read_text().split()) == calls
    # Killed, and yet remembered.
    told = Told()
    async with serve(service(SqliteOnce(tmp_path / "once.sqlite"), told), "aiohttp") as port:
        assert {(await send(port, end_call(call_id))).status for call_id in calls} == {200}
    assert told.calls == []


# --- failing ----------------------------------------------------------------------------------------------------------


async def test_a_handler_that_raised_may_try_again(store: OnceStore, caplog: pytest.LogCaptureFixture) -> None:
    told = Told()
    told.go_on.set()
    told.error = ValueError("the database is down")
    tracker = service(store, told)
    async with serve(tracker, "aiohttp") as port:
        failed = await send(port, end_call())
        assert (failed.status, json.loads(failed.body)["result"]) == (500, False)
        assert b"database" not in failed.body
        told.error = None
        assert (await send(port, end_call())).status == 200
        assert (await send(port, end_call())).status == 200
    assert told.calls == ["a", "a"]
    assert (tracker.stats.failed, tracker.stats.handled, tracker.stats.repeated) == (1, 1, 1)
    assert "the database is down" in caplog.text


async def test_a_handler_that_raises_what_is_no_exception_may_try_again_too(server: str, store: OnceStore) -> None:
    class OutOfOrder(BaseException):
        pass

    told = Told()
    told.go_on.set()
    told.error = OutOfOrder()
    tracker = service(store, told)
    async with serve(tracker, server) as port:
        assert (await send(port, end_call())).status == 500
        told.error = None
        assert (await send(port, end_call())).status == 200
    assert (told.calls, tracker.stats.failed) == (["a", "a"], 1)


async def test_repeats_of_a_handler_that_fails_get_its_500(store: OnceStore) -> None:
    told = Told()
    told.error = ValueError()
    tracker = service(store, told)
    async with serve(tracker, "aiohttp") as port:
        requests = [asyncio.create_task(send(port, end_call())) for _ in range(10)]
        async with asyncio.timeout(30):
            while tracker.stats.repeated < 9:
                await asyncio.sleep(0.01)
        told.go_on.set()
        assert {reply.status for reply in await asyncio.gather(*requests)} == {500}
    assert told.calls == ["a"]


async def test_a_handler_that_hangs_is_cancelled_and_may_try_again(store: OnceStore) -> None:
    told = Told()
    tracker = service(store, told, end_timeout=0.1)
    async with serve(tracker, "aiohttp") as port:
        assert (await send(port, end_call())).status == 500
        told.go_on.set()
        assert (await send(port, end_call())).status == 200
    assert (told.calls, tracker.stats.timed_out, tracker.stats.failed) == (["a", "a"], 1, 0)


async def test_while_a_thread_hangs_nobody_else_begins(store: OnceStore) -> None:
    free = threading.Event()
    calls: list[str | None] = []

    def hangs(end: EndCall) -> None:
        calls.append(end.call_id)
        free.wait(60)

    tracker = service(store, hangs, end_timeout=0.05)
    async with serve(tracker, "aiohttp") as port:
        try:
            first = await send(port, end_call())
            again = await send(port, end_call())
            assert (first.status, again.status, again.headers["retry-after"]) == (503, 503, "5")
        finally:
            free.set()
        async with asyncio.timeout(30):
            while tracker.stats.handled == 0:
                await asyncio.sleep(0.01)
        assert (await send(port, end_call())).status == 200
    assert calls == ["a"]


async def test_a_sender_that_gives_up_does_not_stop_the_handler(server: str, store: OnceStore) -> None:
    told = Told()
    tracker = service(store, told)
    async with serve(tracker, server) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(end_call())
        async with asyncio.timeout(30):
            await told.began.wait()
            writer.transport.abort()
            told.go_on.set()
            while tracker.stats.handled == 0:
                await asyncio.sleep(0.01)
        assert (await send(port, end_call())).status == 200
    assert told.calls == ["a"]


async def test_closing_waits_for_a_handler(store: OnceStore) -> None:
    told = Told()
    tracker = service(store, told)
    async with serve(tracker, "aiohttp") as port:
        request = asyncio.create_task(send(port, end_call()))
        await told.began.wait()
        closing = asyncio.create_task(tracker.aclose())
        told.go_on.set()
        await closing
        assert (await request).status == 200


class Broken:
    """A store that fails at one of its steps."""

    lease = 60.0

    def __init__(self, at: str) -> None:
        self.at = at

    async def claim(self, key: str, owner: str) -> Claim:
        if self.at == "claim":
            raise StoreError("the disk is full")
        return "yours"

    async def finish(self, key: str, owner: str) -> None:
        if self.at == "finish":
            raise StoreError("the disk is full")

    async def release(self, key: str, owner: str) -> None:
        if self.at == "release":
            raise StoreError("the disk is full")


@pytest.mark.parametrize(("at", "status", "calls"), [("claim", 503, 0), ("finish", 200, 1), ("release", 500, 1)])
async def test_a_store_that_fails(at: str, status: int, calls: int, caplog: pytest.LogCaptureFixture) -> None:
    told = Told()
    told.go_on.set()
    told.error = ValueError() if at == "release" else None
    async with serve(service(Broken(at), told), "aiohttp") as port:
        assert (await send(port, end_call())).status == status
    assert len(told.calls) == calls
    assert "the disk is full" in caplog.text


# --- what is a call ---------------------------------------------------------------------------------------------------


async def test_a_call_without_an_id_of_its_own_goes_by_its_record(store: OnceStore) -> None:
    told = Told()
    told.go_on.set()
    async with serve(service(store, told), "aiohttp") as port:
        for record in ("46:1", "46:1", "46:2"):
            assert (await send(port, post("/endCall", json.dumps({"id": record}).encode()))).status == 200
        assert (await send(port, post("/endCall", b'{"duration": 3}'))).status == 400
    assert told.calls == [None, None]


async def test_an_id_may_be_very_long(store: OnceStore) -> None:
    told = Told()
    told.go_on.set()
    async with serve(service(store, told), "aiohttp") as port:
        for last in "aab":
            assert (await send(port, end_call("x" * 100_000 + last))).status == 200
    assert len(told.calls) == 2


async def test_without_a_handler_an_end_call_is_taken(server: str) -> None:
    async with serve(TrackerService(keys=[KEY]), server) as port:
        assert (await send(port, end_call())).status == 200


# --- the stores -------------------------------------------------------------------------------------------------------


async def test_of_many_that_claim_one_gets_it(store: OnceStore) -> None:
    claims = await asyncio.gather(*(store.claim("a", f"owner-{number}") for number in range(20)))
    assert sorted(claims) == ["busy"] * 19 + ["yours"]
    winner = f"owner-{claims.index('yours')}"
    assert await store.claim("a", winner) == "yours"
    await store.finish("a", "somebody else")
    await store.release("a", "somebody else")
    assert await store.claim("a", "another") == "busy"
    await store.finish("a", winner)
    assert await store.claim("a", "another") == "done"
    assert await store.claim("a", winner) == "done"
    await store.release("a", winner)
    assert await store.claim("a", winner) == "done"
    assert await store.claim("b", "another") == "yours"
    await store.release("b", "another")
    assert await store.claim("b", winner) == "yours"


async def test_a_claim_that_is_not_renewed_is_free_after_its_lease(make: Make) -> None:
    store = make(lease=0.1)
    assert await store.claim("a", "one") == "yours"
    async with asyncio.timeout(30):
        while await store.claim("a", "two") != "yours":
            await asyncio.sleep(0.01)
    await store.finish("a", "one")
    assert await store.claim("a", "two") == "yours"


async def test_what_was_handled_too_slowly_is_remembered_unless_somebody_else_is_at_it(make: Make) -> None:
    store = make(lease=0.1)
    for key in ("a", "b"):
        assert await store.claim(key, "one") == "yours"
    async with asyncio.timeout(30):
        while await store.claim("a", "two") != "yours":
            await asyncio.sleep(0.01)
    await store.release("a", "two")
    for key in ("a", "b"):
        await store.finish(key, "one")
        assert await store.claim(key, "three") == "done"


async def test_what_was_handled_is_forgotten_after_its_time(make: Make) -> None:
    store = make(ttl=0.1)
    for key in ("a", "b"):
        assert await store.claim(key, "one") == "yours"
        await store.finish(key, "one")
    async with asyncio.timeout(30):
        for key in ("a", "b"):
            while await store.claim(key, "two") != "yours":
                await asyncio.sleep(0.01)


async def test_the_claim_of_a_handler_that_runs_is_renewed(caplog: pytest.LogCaptureFixture) -> None:
    told = Told()
    claims: list[str] = []

    class Watched(MemoryOnce):
        async def claim(self, key: str, owner: str) -> Claim:
            claims.append(owner)
            if len(claims) == 3:
                raise StoreError("the disk is full")
            return "busy" if len(claims) == 4 else "yours"

    tracker = service(Watched(lease=0.03), told)
    async with serve(tracker, "aiohttp") as port:
        request = asyncio.create_task(send(port, end_call()))
        async with asyncio.timeout(30):
            while len(claims) < 6:
                await asyncio.sleep(0.01)
        told.go_on.set()
        assert (await request).status == 200
    assert len(set(claims)) == 1
    assert told.calls == ["a"]
    assert "could not be renewed" in caplog.text
    assert "another process may run it too" in caplog.text


async def test_the_memory_has_a_bound() -> None:
    store = MemoryOnce(limit=10)
    for number in range(100):
        assert await store.claim(str(number), "one") == "yours"
        await store.finish(str(number), "one")
    assert len(store) == 10
    assert await store.claim("99", "two") == "done"
    assert await store.claim("0", "two") == "yours"


async def test_the_file_holds_no_more_than_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "once.sqlite"
    store = SqliteOnce(path, ttl=0.05)
    for number in range(20):
        await store.claim(str(number), "one")
        await store.finish(str(number), "one")
    async with asyncio.timeout(30):
        while True:
            await store.claim("new", "one")
            db = sqlite3.connect(path)
            rows = db.execute("SELECT count(*) FROM once").fetchone()[0]
            db.close()
            if rows == 1:
                break
            await asyncio.sleep(0.01)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    store.close()
    assert await store.claim("new", "two") == "busy"
    store.close()
    assert repr(store) == f"<SqliteOnce {path}>"


async def test_a_file_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    path = tmp_path / "once.sqlite"
    path.write_text("this is no database, but it is long enough to be taken for one" * 20)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="cannot be used"):
        await SqliteOnce(path).claim("a", "one")
    path.unlink()
    with pytest.raises(ConfigError, match="cannot be used"):
        await SqliteOnce(tmp_path / "no" / "once.sqlite").claim("a", "one")
    if os.name == "posix":
        path.touch()
        path.chmod(0o644)
        with pytest.raises(ConfigError, match="others can read it"):
            await SqliteOnce(path).claim("a", "one")


async def test_a_file_that_another_program_has_locked_is_tried_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ziwo_async._sqlite._BUSY_SECONDS", 0.05)
    path = tmp_path / "once.sqlite"
    store, told = SqliteOnce(path), Told()
    told.go_on.set()
    tracker = service(store, told)
    await store.claim("other", "one")
    locked = sqlite3.connect(path, isolation_level=None)
    try:
        locked.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError) as caught:
            await store.claim("a", "one")
        assert caught.value.retryable
        with pytest.raises(StoreError) as caught:
            await SqliteOnce(path).claim("a", "one")
        assert caught.value.retryable
        async with serve(tracker, "aiohttp") as port:
            assert (await send(port, end_call())).status == 503
            locked.execute("ROLLBACK")
            assert (await send(port, end_call())).status == 200
    finally:
        locked.close()
    assert told.calls == ["a"]


@pytest.mark.parametrize("options", [{"ttl": 0}, {"lease": 0}, {"ttl": float("inf")}, {"ttl": float("nan")}])
def test_stores_that_make_no_sense_are_refused(make: Make, options: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        make(**options)
