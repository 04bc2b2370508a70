"""The examples of the REST API, each run as its docstring says, against a contact centre with a past."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ziwo_async import Call, Ringing, Router, ZiwoClient
from ziwo_async.testing import ServedWorld

from ..cli.kit import ROOT, program
from .account import login

EXAMPLES = ROOT / "examples"
CUSTOMER = "+97150000000"
PATIENCE = 40.0


# --- missed_calls.py ------------------------------------------------------------------------------------------------


def ago(minutes: float) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


async def remembered(state: Path, call_id: str) -> None:
    """Wait until the feed's place has the call: it is handled."""
    file = state / "ziwo_async" / "places.sqlite"
    async with asyncio.timeout(PATIENCE):
        while not file.exists() or not _has(file, call_id):
            await asyncio.sleep(0.02)


def _has(file: Path, call_id: str) -> bool:
    db = sqlite3.connect(file)
    try:
        return any(call_id in place for (place,) in db.execute("SELECT place FROM places"))
    except sqlite3.OperationalError:  # not made yet
        return False
    finally:
        db.close()


async def test_missed_calls_are_told_once_and_those_of_a_pause_too(world: ServedWorld, tmp_path: Path) -> None:
    env = {**login(world), "XDG_STATE_HOME": str(tmp_path)}
    agent, queue = world.agent("5555"), world.queue("support")
    world.history.add(customer="+97150000009", queue=queue, wait=5, result="cancel", started_at=ago(120))  # too old
    missed = world.history.add(customer="+97150000001", queue=queue, wait=20, result="cancel", started_at=ago(20))
    world.history.add(customer="+97150000002", agent=agent, ring=3, talk=30, started_at=ago(10))
    async with program(sys.executable, EXAMPLES / "missed_calls.py", env=env, cwd=tmp_path) as feed:
        await feed.says(r"missed: \+97150000001 at .*, support$")
        await remembered(tmp_path, missed.call_id)
        assert await feed.stops() == 0
    assert len(feed.out) == 1
    assert feed.err == []

    world.history.add(customer="+97150000003", wait=9, talk=6, voicemail=True, did="+97144000000", started_at=ago(1))
    world.history.add(customer="+97150000002", agent=agent, ring=3, talk=30, started_at=ago(1))
    async with program(sys.executable, EXAMPLES / "missed_calls.py", env=env, cwd=tmp_path) as feed:
        await feed.says(r"missed: \+97150000003 at .*, \+97144000000, left a message$")
        assert await feed.stops() == 0
    assert len(feed.out) == 1


async def test_missed_calls_call_back_and_never_twice(world: ServedWorld, tmp_path: Path) -> None:
    env = {**login(world), "XDG_STATE_HOME": str(tmp_path)}
    world.history.add(customer=CUSTOMER, wait=20, result="cancel", started_at=ago(20))
    world.history.add(customer="+33123456789", wait=20, result="cancel", started_at=ago(10))  # forbidden by its policy
    customer = world.customer(CUSTOMER)
    command = (sys.executable, EXAMPLES / "missed_calls.py", "--call-back")
    router = Router()

    @router.on(Ringing)
    async def pick_up(call: Call, event: Ringing) -> None:
        await call.answer()

    agent = world.agent("5555")
    async with (
        ZiwoClient(username=agent.username, password=agent.password, api_url=world.api_url, router=router) as ziwo,
        ziwo.phone,
    ):
        async with program(*command, env=env, cwd=tmp_path) as feed:
            await feed.says("calling back")
            out = await customer.is_called()
            await out.reaches("active")
            await feed.says("not called back: .*begins with none of")
            feed.process.kill()
        # As after a crash in the worst moment: the feed does not know that the calls were handled.
        for file in (tmp_path / "ziwo_async").glob("places.sqlite*"):
            file.unlink()
        async with program(*command, env=env, cwd=tmp_path) as feed:
            await feed.says("called back already", times=2)
            assert await feed.stops() == 0
        assert len([call for call in world.calls if call.direction == "outbound"]) == 1


# --- recordings_of_a_day.py -----------------------------------------------------------------------------------------


def downloads(world: ServedWorld) -> int:
    return sum(entry.kind == "http" and "/surveillance/" in entry.text for entry in world.journal)


async def test_recordings_of_a_day(world: ServedWorld, tmp_path: Path) -> None:
    agent = world.agent("5555")
    day = (datetime.now(UTC) - timedelta(days=1)).date()
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    talked = world.history.add(customer=CUSTOMER, agent=agent, ring=2, talk=20, started_at=noon)
    message = world.history.add(customer=CUSTOMER, voicemail=True, talk=4, started_at=noon + timedelta(hours=1))
    long = world.history.add(customer=CUSTOMER, agent=agent, ring=2, talk=900, started_at=noon + timedelta(hours=2))
    never = world.history.add(customer=CUSTOMER, agent=agent, talk=9, recording=False, started_at=noon)
    world.history.add(customer=CUSTOMER, agent=agent, result="cancel", started_at=noon)
    world.history.add(customer=CUSTOMER, agent=agent, talk=9, started_at=noon + timedelta(days=1))
    sound = world.history.recordings[long.call_id] = b"ID3" + bytes(range(256)) * 4000
    folder = tmp_path / "recordings" / str(day)
    command = (sys.executable, EXAMPLES / "recordings_of_a_day.py")

    world.faults.cut_download(after=len(sound), times=2)  # the first two are shorter, and come whole
    world.faults.cut_download(after=300_000)
    world.faults.cut_download(after=0, times=10)
    async with program(*command, env=login(world), cwd=tmp_path) as first:
        assert await first.ends() == 1
    assert {path.name for path in folder.iterdir()} == {
        f"{talked.call_id}.mp3",
        f"{message.call_id}.mp3",
        f"{long.call_id}.part",
        f"{long.call_id}.part.json",
    }
    assert len(first.err) == 1
    assert first.err[0].startswith(f"{noon + timedelta(hours=2)} inbound {CUSTOMER}: ")
    assert sum("no recording" in line for line in first.out) == 1
    part = (folder / f"{long.call_id}.part").stat().st_size
    assert 0 < part < len(sound)

    while world.faults.take_cut() is not None:
        pass
    before = downloads(world)
    async with program(*command, str(day), str(folder), env=login(world), cwd=tmp_path) as second:
        assert await second.ends() == 0
    assert (folder / f"{long.call_id}.mp3").read_bytes() == sound
    assert len(list(folder.iterdir())) == 3
    # Those that were there are not asked for again: only the broken one, and the one that was never recorded.
    assert downloads(world) == before + 2
    assert never.call_id not in second.text
    assert second.err == []


# --- crm_lookup.py --------------------------------------------------------------------------------------------------


async def test_crm_lookup(world: ServedWorld) -> None:
    agent = world.agent("5555")
    world.add_customer_record(first_name="Aisha", last_name="Khan", title="Dr", phone="0097150000000")
    start = datetime.now(UTC).replace(second=0, microsecond=0)
    for days, talk in ((1, 60.0), (9, 0.0), (5, 30.0), (20, 10.0), (40, 99.0)):
        world.history.add(
            customer=CUSTOMER,
            agent=agent,
            ring=3,
            talk=talk,
            started_at=start - timedelta(days=days),
            direction="inbound",
        )
    world.history.add(customer="+97150000001", agent=agent, talk=5, started_at=start - timedelta(days=1))
    async with program(sys.executable, EXAMPLES / "crm_lookup.py", env=login(world)) as lookup:
        await agent.comes_online(PATIENCE)
        call = await world.customer(CUSTOMER).dials(agent)
        await lookup.says("no talk")
        stranger = await world.customer("+97150000007").dials(agent)
        await lookup.says(r"\+97150000007: not in the CRM")
        assert call.state == "ringing"
        await call.hangs_up()
        await stranger.hangs_up()
        assert await lookup.stops() == 0
    assert lookup.out == [
        f"{CUSTOMER}: Dr Aisha Khan",
        f"  {start - timedelta(days=1):%Y-%m-%d %H:%M} inbound answered, 0:01:00 talk",
        f"  {start - timedelta(days=5):%Y-%m-%d %H:%M} inbound answered, 0:00:30 talk",
        f"  {start - timedelta(days=9):%Y-%m-%d %H:%M} inbound no-answer, no talk",
        "+97150000007: not in the CRM",
    ]
    assert lookup.err == []
