"""What a feed remembers, and the stores: a private SQLite file that threads, processes and crashes leave whole."""

from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ziwo_async.errors import ConfigError, PlaceError, ZiwoError
from ziwo_async.rest.models.cdr import Cdr
from ziwo_async.rest.places import MemoryPlaces, Place, SqlitePlaces

from .archive import NOON, row

HOUR = timedelta(hours=1)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    return MemoryPlaces() if request.param == "memory" else SqlitePlaces(tmp_path / "places.sqlite")


async def test_a_store_keeps_what_it_is_given(store):
    assert await store.load("a") is None
    await store.save("a", "one")
    await store.save("b", "two")
    await store.save("a", "three")
    assert [await store.load("a"), await store.load("b"), await store.load("A")] == ["three", "two", None]


async def test_many_at_once(store):
    await asyncio.gather(*(store.save(f"n{n % 7}", str(n)) for n in range(200)))
    assert all([await store.load(f"n{n}") for n in range(7)])


# --- the file -------------------------------------------------------------------------------------------------------


async def test_the_file_is_private_and_made_at_the_first_use(tmp_path):
    path = tmp_path / "places.sqlite"
    places = SqlitePlaces(path)
    assert not path.exists()
    before = os.umask(0)
    try:
        await places.save("a", "one")
    finally:
        os.umask(before)
    for file in tmp_path.iterdir():  # the log beside it too
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert {file.name for file in tmp_path.iterdir()} >= {"places.sqlite", "places.sqlite-wal"}
    assert str(path) in repr(places)


async def test_another_process_reads_it_while_it_is_open(tmp_path):
    places = SqlitePlaces(tmp_path / "p")
    await places.save("a", "one")
    code = (
        "import asyncio, sys; from ziwo_async.rest.places import SqlitePlaces; p = SqlitePlaces(sys.argv[1]);"
        "print(asyncio.run(p.load('a'))); asyncio.run(p.save('a', 'two'))"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code, tmp_path / "p"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "one\n"
    assert await places.load("a") == "two"


async def test_what_was_saved_survives_a_killed_process(tmp_path):
    code = (
        "import asyncio, os, sys; from ziwo_async.rest.places import SqlitePlaces;"
        "p = SqlitePlaces(sys.argv[1]); asyncio.run(p.save('a', 'one')); os.kill(os.getpid(), 9)"
    )
    done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code, tmp_path / "p"], check=False)
    assert done.returncode == -9
    assert await SqlitePlaces(tmp_path / "p").load("a") == "one"


async def test_closing_is_not_the_end(tmp_path):
    places = SqlitePlaces(tmp_path / "p")
    places.close()
    await places.save("a", "one")
    places.close()
    places.close()
    assert await places.load("a") == "one"


async def test_a_forgotten_store_closes_its_file(tmp_path):
    await SqlitePlaces(tmp_path / "p").save("a", "one")
    async with asyncio.timeout(10):
        # The last connection takes the log away; the thread that saved may hold the store a moment longer than we do.
        while {file.name for file in tmp_path.iterdir()} != {"p"}:
            gc.collect()
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("relative", [False, True])
async def test_the_default_path(tmp_path, monkeypatch, relative):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", "state" if relative else str(tmp_path / "state"))
    places = SqlitePlaces()
    await places.save("a", "one")
    folder = (tmp_path / "home/.local/state" if relative else tmp_path / "state") / "ziwo_async"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / "places.sqlite").is_file()
    assert await SqlitePlaces().load("a") == "one"


def readable_by_others(path):
    path.write_bytes(b"")
    path.chmod(0o644)


def no_sqlite(path):
    path.write_bytes(b"this is a text and no database, whatever it is called" * 40)
    path.chmod(0o600)


def a_link(path):
    (path.parent / "target").write_bytes(b"")
    (path.parent / "target").chmod(0o600)
    path.symlink_to(path.parent / "target")


def a_folder(path):
    path.mkdir(mode=0o700)


def no_folder(path):
    path.parent.rmdir()


@pytest.mark.parametrize("spoil", [readable_by_others, no_sqlite, a_link, a_folder, no_folder])
async def test_a_file_that_cannot_be_used(tmp_path, spoil):
    path = tmp_path / "sub" / "places.sqlite"
    path.parent.mkdir()
    spoil(path)
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"places\.sqlite cannot be used") as caught:
            await SqlitePlaces(path).save("a", "one")
        assert caught.value.__cause__ is None
        assert not caught.value.retryable


async def test_a_file_that_breaks_later(tmp_path):
    places = SqlitePlaces(tmp_path / "p")
    await places.save("a", "one")
    other = sqlite3.connect(tmp_path / "p")
    other.execute("DROP TABLE places")
    other.close()
    with pytest.raises(PlaceError, match="cannot be read"):
        await places.load("a")
    with pytest.raises(PlaceError, match="cannot be written"):
        await places.save("a", "two")


@pytest.mark.parametrize("opened", [False, True])
async def test_a_locked_file_is_worth_another_try(tmp_path, monkeypatch, opened):
    monkeypatch.setattr("ziwo_async._sqlite._BUSY_SECONDS", 0.01)
    places = SqlitePlaces(tmp_path / "p")
    if opened:
        await places.save("a", "one")
    else:
        (tmp_path / "p").touch(mode=0o600)
    backup = sqlite3.connect(tmp_path / "p", isolation_level=None)
    backup.execute("BEGIN EXCLUSIVE")
    with pytest.raises(PlaceError, match="locked") as caught:
        await places.save("a", "two")
    assert caught.value.retryable
    assert caught.value.__cause__ is None
    backup.execute("ROLLBACK")
    backup.close()
    await places.save("a", "two")
    assert await places.load("a") == "two"


async def test_a_damaged_file_is_not_worth_another_try(tmp_path):
    places = SqlitePlaces(tmp_path / "p")
    await places.save("a", "one")
    other = sqlite3.connect(tmp_path / "p", isolation_level=None)
    other.execute("UPDATE places SET place = ?", (b"one",))
    other.close()
    with pytest.raises(PlaceError, match="no text") as caught:
        await places.load("a")
    assert not caught.value.retryable


def test_the_error_is_one_of_ours():
    assert issubclass(PlaceError, ZiwoError)


# --- the place ------------------------------------------------------------------------------------------------------


def cdr(number: int, start: datetime = NOON, **fields: object) -> Cdr:
    return Cdr.model_validate(row(number, start, **fields))  # type: ignore[arg-type]


@given(MOMENTS, MOMENTS, MOMENTS, st.dictionaries(st.text(), MOMENTS, max_size=5))
def test_a_place_comes_back_as_it_was(floor, newest, horizon, given_):
    place = Place(floor=floor, newest=newest, horizon=horizon, given=given_)
    assert Place.from_json(place.to_json()) == place


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        "[]",
        "{}",
        '{"version": 2}',
        '{"version": 1, "given": []}',
        Place.at(NOON, HOUR).to_json().replace("+00:00", ""),
        Place.at(NOON, HOUR).to_json().replace('"floor": "', '"floor": "x'),
        Place.at(NOON, HOUR).to_json().replace("floor", "flour"),
    ],
)
def test_a_damaged_place(text):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the text says
        Place.from_json(text)


def test_what_a_place_wants():
    place = Place.at(NOON, HOUR)
    assert place.wants(cdr(1))
    assert not place.wants(cdr(2, direction="outbound"))
    assert not place.wants(cdr(3, result="answered"))
    assert place.wants(cdr(4, voicemail=True, result="answered"))
    assert not place.wants(cdr(5, NOON - timedelta(seconds=31)))  # ended before it
    assert place.wants(cdr(6, NOON - timedelta(seconds=30)))  # ended at it
    assert place.wants(cdr(7, NOON - HOUR, seconds=3600))
    assert not place.wants(cdr(8, NOON - HOUR - timedelta(seconds=1), seconds=9999))  # longer than the overlap
    assert not place.wants(cdr(9, startedAt=None))
    assert place.wants(cdr(10, NOON - timedelta(seconds=30), endedAt=None))  # the duration tells the end
    assert not place.wants(cdr(11, NOON - timedelta(seconds=30), endedAt=None, duration=None))


def test_what_a_place_forgets():
    place = Place.at(NOON, HOUR)
    for number, minutes in enumerate((0, 30, 90)):
        call = cdr(number, NOON + timedelta(minutes=minutes))
        place.handled(call)
        place.passed(call, NOON + 2 * HOUR)
    assert place.newest == NOON + timedelta(minutes=90)
    place.leave(place.newest - HOUR)
    assert len(place.given) == 2
    assert not any(place.wants(cdr(n, NOON + timedelta(minutes=m))) for n, m in ((0, 0), (1, 30), (2, 90)))
    place.leave(NOON)  # never back
    assert place.horizon == NOON + timedelta(minutes=30)
    place.passed(cdr(3, NOON), NOON + 2 * HOUR)
    assert place.newest == NOON + timedelta(minutes=90)


def test_no_call_takes_a_place_into_the_future():
    place = Place.at(NOON, HOUR)
    place.passed(cdr(1, NOON + timedelta(days=9)), NOON + HOUR)
    assert place.newest == NOON + HOUR
    place.passed(cdr(2, NOON + timedelta(days=9)), NOON - HOUR)  # a clock that was set back
    assert place.newest == NOON + HOUR


def test_a_place_in_the_future_is_healed():
    place = Place(floor=NOON, newest=NOON + 30 * HOUR, horizon=NOON + 24 * HOUR)
    assert not place.heal(NOON - HOUR, HOUR)  # a clock that shows a time before the feed began is wrong
    assert place.horizon == NOON + 24 * HOUR
    assert place.heal(NOON + 3 * HOUR, HOUR)
    assert (place.newest, place.horizon) == (NOON + 3 * HOUR, NOON + 2 * HOUR)
    assert not place.heal(NOON + 3 * HOUR, HOUR)


def test_an_absurd_duration_is_none():
    place = Place.at(NOON, HOUR)
    assert place.wants(cdr(1, NOON, endedAt=None, duration=10**12))
    assert not place.wants(cdr(2, NOON - timedelta(seconds=1), endedAt=None, duration=10**12))


def test_a_place_holds_no_phone_numbers():
    place = Place.at(NOON, HOUR)
    place.handled(cdr(1))
    assert "97150" not in place.to_json()
