"""The SQLite file that several tables, threads and processes share."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import ziwo_async._sqlite as module
from ziwo_async._sqlite import SqliteFile
from ziwo_async.errors import ConfigError, StoreError, ZiwoError

SCHEMA = ("CREATE TABLE IF NOT EXISTS words (word TEXT NOT NULL)",)


def file(path: Path) -> SqliteFile:
    return SqliteFile(path, what="words", schema=SCHEMA)


def add(word: str):
    return lambda db: db.execute("INSERT INTO words VALUES (?)", (word,)).rowcount


def words(db: sqlite3.Connection) -> list[str]:
    return [word for (word,) in db.execute("SELECT word FROM words ORDER BY rowid")]


async def test_it_is_made_at_its_first_use_and_only_its_owner_can_read_it(tmp_path):
    there = file(tmp_path / "f")
    assert list(tmp_path.iterdir()) == []
    await there.write(add("one"))
    assert {stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()} == {0o600}
    assert await there.read(words) == ["one"]
    there.close()
    there.close()
    assert await there.read(words) == ["one"]
    there.close()


async def test_a_file_that_nothing_refers_to_is_closed(tmp_path):
    await file(tmp_path / "f").write(add("one"))
    async with asyncio.timeout(10):
        while {one.name for one in tmp_path.iterdir()} != {"f"}:  # the last connection takes its log away
            gc.collect()
            await asyncio.sleep(0.001)


async def test_what_raises_changes_nothing(tmp_path):
    there = file(tmp_path / "f")

    def half(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO words VALUES ('half')")
        raise KeyError("no")

    with pytest.raises(KeyError):
        await there.write(half)
    with pytest.raises(StoreError, match=r"words .*f cannot be written: no such table: elsewhere") as caught:
        await there.write(lambda db: (half_done(db), db.execute("INSERT INTO elsewhere VALUES (1)")))
    assert not caught.value.retryable
    assert caught.value.__cause__ is None
    with pytest.raises(StoreError, match="cannot be read"):
        await there.read(lambda db: db.execute("SELECT * FROM elsewhere"))
    assert await there.read(words) == []
    assert isinstance(caught.value, ZiwoError)
    there.close()


def half_done(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO words VALUES ('half')")


def readable_by_others(path):
    path.write_bytes(b"")
    path.chmod(0o644)


def no_sqlite(path):
    path.write_bytes(b"this is a text and no database, whatever it is called" * 40)
    path.chmod(0o600)


def no_folder(path):
    path.parent.rmdir()


@pytest.mark.parametrize("spoil", [readable_by_others, no_sqlite, no_folder])
async def test_a_file_that_cannot_be_used(tmp_path, spoil):
    path = tmp_path / "sub" / "f"
    path.parent.mkdir()
    spoil(path)
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"the file of words .*f cannot be used") as caught:
            await file(path).write(add("one"))
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("opened", [False, True])
async def test_a_locked_file_is_worth_another_try(tmp_path, monkeypatch, opened):
    monkeypatch.setattr(module, "_BUSY_SECONDS", 0.01)
    there = file(tmp_path / "f")
    if opened:
        await there.write(add("one"))
    else:
        (tmp_path / "f").touch(mode=0o600)
    with closing(sqlite3.connect(tmp_path / "f", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked") as caught:
            await there.write(add("two"))
        assert caught.value.retryable
        if opened:
            assert await there.read(words) == ["one"]  # who writes keeps nobody from reading
        other.execute("ROLLBACK")
    await there.write(add("two"))
    there.close()


async def test_a_locked_file_keeps_nobody_from_other_work(tmp_path):
    there = file(tmp_path / "f")
    await there.write(add("one"))
    with closing(sqlite3.connect(tmp_path / "f", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        waiting = [asyncio.create_task(there.write(add(str(n)))) for n in range(50)]
        # More than the event loop has threads of its own, and it has them all; it does not stand still either.
        assert await asyncio.gather(*(asyncio.to_thread(abs, -n) for n in range(50))) == list(range(50))
        assert not any(task.done() for task in waiting)
        for task in waiting[10:]:
            task.cancel()
        await asyncio.wait(waiting[10:])
        other.execute("ROLLBACK")
    await asyncio.wait(waiting)
    assert len(await there.read(words)) == 11  # what had not begun when it was cancelled did not happen
    there.close()


async def test_what_is_deleted_is_overwritten(tmp_path):
    there = file(tmp_path / "f")
    await there.write(add("+971501234567"))
    await there.write(lambda db: db.execute("DELETE FROM words").rowcount)
    there.close()
    assert b"+971501234567" not in (tmp_path / "f").read_bytes()


async def test_many_at_once_in_one_process(tmp_path):
    one, other = file(tmp_path / "f"), file(tmp_path / "f")
    await asyncio.gather(*(there.write(add(str(n))) for n in range(50) for there in (one, other)))
    assert len(await one.read(words)) == 100
    one.close()
    other.close()


PROGRAM = """
import asyncio, sys
from ziwo_async._sqlite import SqliteFile

async def main():
    there = SqliteFile(sys.argv[1], what="words", schema=("CREATE TABLE IF NOT EXISTS words (word TEXT NOT NULL)",))
    sys.stdin.read()
    for n in range(25):
        await there.write(lambda db: db.execute("INSERT INTO words VALUES ('x')").rowcount)
    there.close()

asyncio.run(main())
"""


def test_several_processes_may_begin_with_it_at_the_same_moment(tmp_path):
    programs = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, tmp_path / "f"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for program in programs:
        assert program.stdin is not None
        program.stdin.close()  # they are all there: go
        program.stdin = None
    said = [program.communicate(timeout=30)[1] for program in programs]
    assert [program.returncode for program in programs] == [0, 0, 0], said
    with closing(sqlite3.connect(tmp_path / "f")) as db:
        assert len(words(db)) == 75
