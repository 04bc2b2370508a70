"""How a program ends or fails: a second signal, and a disk that is full."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from ziwo_async import SqliteStore

from ..phone.kit import Desk, environment_of, until, within

STUBBORN = """
import asyncio
from ziwo_async import Active, Call, Ringing, Router, ZiwoClient

router = Router()

@router.on(Ringing)
async def answer(call: Call, event: Ringing) -> None:
    await call.answer()

@router.on(Active)
async def hangs(call: Call, event: Active) -> None:
    print("active", flush=True)
    while not client.phone._core.draining:
        await asyncio.sleep(0.01)
    # A second signal within 0.2 s counts as the first one, come twice.
    await asyncio.sleep(0.3)
    print("draining", flush=True)
    await asyncio.Event().wait()

client = ZiwoClient.from_env(router=router)
client.run()
"""


async def test_a_second_signal_leaves_the_calls_that_are_up_at_the_server(desk: Desk) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STUBBORN, env=environment_of(desk.agent, desk.sim.api_url),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        await until(lambda: desk.world.is_client_ready(desk.agent), seconds=20)
        there = await desk.customer.dials(desk.agent)
        assert await within(process.stdout.readline(), 20) == b"active\n"
        process.send_signal(signal.SIGTERM)
        assert await within(process.stdout.readline(), 20) == b"draining\n"
        assert there.state == "active"
        process.send_signal(signal.SIGTERM)
        _, err = await within(process.communicate(), 20)
    finally:
        if process.returncode is None:
            process.kill()
            await within(process.communicate(), 20)
    assert process.returncode == 6
    assert err == b"ziwo_async: forced to stop; calls and handlers were cut off\n"
    # No goodbye was said: the server keeps the call for its detach window.
    await there.reaches("detached")


async def test_a_full_disk_costs_the_ledger_and_no_call(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = SqliteStore(tmp_path / "ledger.db")
    phone = desk.phone(ledger=store)
    await phone.start()
    # SQLite itself says that the disk is full.
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    there, call = await desk.talks(phone, headers={f"verto_h_{number}": "x" * 1_000 for number in range(20)})
    await until(lambda: "cannot be written" in caplog.text)
    assert "disk is full" in caplog.text
    await within(call.hold())
    await within(call.unhold())
    assert [record.name for record in caplog.records].count("ziwo_async.ledger") == 1
    await within(call.hangup())
    assert there.state == "ended"
    await within(phone.aclose())
    store.close()
    with sqlite3.connect(tmp_path / "ledger.db") as db:
        assert db.execute("SELECT count(*) FROM ledgers").fetchone() == (1,)
    db.close()
