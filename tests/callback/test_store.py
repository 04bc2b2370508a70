"""The file: private, shared, limited, and whole after anything."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from ziwo_async.callback import Callback, Plan, SqliteCallbacks
from ziwo_async.callback.machine import Ready, step
from ziwo_async.callback.store import Limits
from ziwo_async.errors import StoreError

NOW = 1_800_000_000.0
LIMITS = Limits(per_contact=3, window=3600.0, open=100)


@pytest.fixture
def store(tmp_path: Path):
    made = SqliteCallbacks(tmp_path / "callbacks.sqlite")
    yield made
    made.close()


def asked(name: str, *, contact: str | None = None, at: float = NOW) -> Callback:
    number = contact or f"+9715{sum(map(ord, name)):07}"
    plan = Plan(extensions=("0011", "5555"))
    return Callback(id=name, contact=number, requested_at=at, expires_at=at + 900, due_at=at, plan=plan)


async def test_the_file_is_private(store, tmp_path):
    await store.add(asked("a"), None, LIMITS, NOW)
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert "callbacks.sqlite" in repr(store)


async def test_a_dial_is_on_the_disk_when_it_is_stored(store, tmp_path):
    """FULL: also when the power fails."""
    await store.get("a")
    assert await store._file.read(lambda db: db.execute("PRAGMA synchronous").fetchone()[0]) == 2


async def test_what_is_due(store):
    for name, due in (("a", NOW - 1), ("b", NOW + 5), ("c", NOW + 110), ("d", NOW + 130)):
        await store.add(replace(asked(name), due_at=due), None, LIMITS, NOW)
    days = Plan(extensions=("0011",), extension_delay=200_000.0)
    await store.add(replace(asked("e"), plan=days, due_at=NOW + 200_000), None, LIMITS, NOW)
    found, later = await store.due(NOW)
    assert [it.id for it in found] == ["a", "d"]  # "d" was written by a clock that was ahead: no pause is so long
    assert later == NOW + 5
    assert [it.id for it in await store.open()] == ["a", "b", "c", "d", "e"]


async def test_an_agent_of_an_open_dial_is_taken(store):
    for name in ("a", "b"):
        await store.add(asked(name), None, LIMITS, NOW)
    taken: list[frozenset[str]] = []

    def dial(it: Callback, others: frozenset[str]) -> Callback:
        taken.append(others)
        return step(it, Ready(), NOW)

    await store.change("a", dial)
    await store.change("b", lambda it, others: taken.append(others) or it)
    await store.change("a", lambda it, others: taken.append(others) or replace(it, attempts=(), state="waiting"))
    await store.change("b", lambda it, others: taken.append(others) or it)
    assert taken == [frozenset(), frozenset({"0011"}), frozenset(), frozenset()]
    assert await store.change("nobody", lambda it, _: it) is None


async def test_changes_of_many_are_one_after_the_other(store, tmp_path):
    await store.add(asked("a"), None, LIMITS, NOW)
    others = [SqliteCallbacks(tmp_path / "callbacks.sqlite") for _ in range(4)]
    await asyncio.gather(
        *(each.change("a", lambda it, _: replace(it, round=it.round + 1)) for each in others for _ in range(10))
    )
    found = await store.get("a")
    assert found is not None
    assert found.round == 40
    for each in others:
        each.close()


async def test_a_change_that_fails_changes_nothing(store):
    await store.add(asked("a"), None, LIMITS, NOW)

    def broken(it: Callback, _: frozenset[str]) -> Callback:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.change("a", broken)
    assert await store.get("a") == asked("a")


async def test_what_is_over_is_forgotten_after_a_while(store):
    over = replace(asked("a"), state="connected", due_at=None, ended_at=NOW)
    await store.add(over, "key-a", LIMITS, NOW)
    await store.add(asked("b"), "key-b", LIMITS, NOW)
    await store.add(replace(over, id="c", contact="+97150000009", requested_at=NOW + 50), None, LIMITS, NOW)
    assert await store.purge(NOW + 10) == 1
    assert await store.get("a") is None
    assert await store.get("b") is not None
    again, new = await store.add(asked("a2"), "key-a", LIMITS, NOW)
    assert new
    assert again.id == "a2"


async def test_one_damaged_record_does_not_stop_the_others(store, tmp_path, caplog):
    for name in ("a", "b"):
        await store.add(asked(name), None, LIMITS, NOW)
    with sqlite3.connect(tmp_path / "callbacks.sqlite") as db:
        db.execute("UPDATE callbacks SET record = '{\"id\": 5}' WHERE id = 'a'")
    db.close()
    for _ in range(3):
        found, _ = await store.due(NOW)
        assert [it.id for it in found] == ["b"]
    assert [record.levelno for record in caplog.records if "callback a" in record.message] == [logging.ERROR]
    with pytest.raises(StoreError, match="cannot be read"):
        await store.get("a")
    with pytest.raises(StoreError):
        await store.change("a", lambda it, _: it)
