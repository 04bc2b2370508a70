"""Downloads to files: whole or not at all, resumed, private, and unimpressed by what servers and disks do."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
import stat
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from ziwo_async.config import RetryPolicy, Timeouts
from ziwo_async.errors import (
    ApiError,
    BadArgument,
    ConnectionLost,
    DecodeError,
    RecordingNotReady,
    RequestTimeout,
)
from ziwo_async.rest.auth import Credentials
from ziwo_async.rest.download import in_thread
from ziwo_async.rest.models.recording import Progress, Recording
from ziwo_async.rest.recordings import RecordingsResource
from ziwo_async.rest.transport import Transport

from .conftest import Ziwo
from .shelf import CALL, HISTORY, SIGNED, SURVEILLANCE, Endless, Shelf, mp3

PIECE = 512 * 1024
LONG = mp3(PIECE * 2 + 12345)
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")


@pytest.fixture
def shelf(ziwo) -> Shelf:
    made = Shelf(mp3(300_000))
    ziwo.on("GET", SURVEILLANCE, made)
    return made


@pytest.fixture
def recordings(kit, ziwo) -> RecordingsResource:
    return RecordingsResource(kit.transport(ziwo.url), retry=kit.quick)


def inside(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- any name -------------------------------------------------------------------------------------------------------


HOSTILE = st.sampled_from(
    ["..", "../", "/", "\0", "\\", ":", "~", "$HOME", "%2e%2e%2f", "\n", "\ud800", "\udcff", "\u202e"]
)
NAMES = st.lists(
    st.text(max_size=8) | HOSTILE | st.sampled_from(["CON", ".part", ".part.json", "-rf", "x" * 125]), max_size=4
)
ALMOST = st.tuples(st.sampled_from([CALL, CALL[:-1], CALL + ".mp3"]), HOSTILE | st.text(max_size=3), st.integers(0, 40))
CALL_IDS = (
    st.uuids().map(str)
    | st.uuids().map(lambda made: str(made).upper())
    | ALMOST.map(lambda given: given[0][: given[2]] + given[1] + given[0][given[2] :])
    | NAMES.map("".join)
)


async def downloaded(call_id: str, target: str) -> tuple[Recording | Exception, list[str]]:
    """Download from a server that has every recording; give what came of it, and the requests."""
    server = Ziwo()
    await server.start()
    for each in {CALL, call_id}:
        server.on("GET", f"/surveillance/recordings/{each}.mp3", Shelf(mp3(1000)))
    transport = Transport(server.url, Credentials(token=SecretStr("t")), retry=RetryPolicy(attempts=1))
    try:
        return await RecordingsResource(transport).download(call_id, target, wait=0), server.raw_paths
    except (BadArgument, OSError) as error:
        return error, server.raw_paths
    finally:
        await transport.aclose()
        await server.stop()


def everything(folder: str) -> set[str]:
    return {os.path.join(where, name) for where, _, names in os.walk(folder) for name in names}


@posix
@settings(max_examples=80)
@given(NAMES.map("".join))
@example("x" * 250)
@example("x" * 255)
@example("x" * 300)
@example("\ud800")
def test_a_file_comes_where_its_name_says_or_nowhere(name):
    with tempfile.TemporaryDirectory() as outer:
        folder = os.path.join(outer, "a", "b")
        os.makedirs(folder)
        target = f"{folder}/{name}"
        is_folder = "\0" not in name and encodable(target) and os.path.isdir(target)
        got, _ = asyncio.run(downloaded(CALL, target))
        if not isinstance(got, Recording):
            assert everything(outer) == set()
            return
        expected = os.path.join(target, f"{CALL}.mp3") if is_folder else target
        assert str(got.path) == str(Path(expected))
        assert len(everything(outer)) <= 1  # `..` may lead out of it: the caller says where
        assert os.path.getsize(expected) == 1000
        os.unlink(expected)
        assert everything(outer) == set()


def encodable(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


@posix
@settings(max_examples=80)
@given(CALL_IDS)
@example("../../etc/passwd")
@example(f"../{CALL}")
def test_in_a_folder_a_call_id_is_the_name_or_is_refused(call_id):
    with tempfile.TemporaryDirectory() as outer:
        folder = os.path.join(outer, "a", "b")
        os.makedirs(folder)
        got, asked = asyncio.run(downloaded(call_id, folder))
        if isinstance(got, Recording):
            assert re.fullmatch(r"[0-9A-Fa-f-]{36}", call_id, re.ASCII)
            assert everything(outer) == {os.path.join(folder, f"{call_id}.mp3")}
        else:
            assert isinstance(got, BadArgument)
            assert everything(outer) == set()
            assert asked == []


# --- the ordinary way -----------------------------------------------------------------------------------------------


async def test_into_a_folder(recordings, shelf, tmp_path):
    shelf.headers["Content-Disposition"] = 'attachment; filename="../../evil.sh"'
    got = await recordings.download(CALL, tmp_path)
    assert inside(tmp_path) == [f"{CALL}.mp3"]
    assert got.path == tmp_path / f"{CALL}.mp3"
    assert got.path.read_bytes() == shelf.data
    assert (got.size, got.content_type, got.call_id, got.route) == (300_000, "audio/mpeg", CALL, "surveillance")
    assert shelf.asked[0]["Accept-Encoding"] == "identity"
    if sys.platform != "win32":
        assert stat.S_IMODE(got.path.stat().st_mode) == 0o600


async def test_into_a_file(recordings, shelf, tmp_path):
    got = await recordings.download(CALL, str(tmp_path / "يوم.sound"))
    assert inside(tmp_path) == ["يوم.sound"]
    assert got.path.read_bytes() == shelf.data


async def test_the_kind_of_sound_gives_the_extension(recordings, shelf, tmp_path):
    shelf.data = b"RIFF\0\0\0\0WAVEfmt " + bytes(100)
    got = await recordings.download(CALL, tmp_path)
    assert (got.path.name, got.content_type) == (f"{CALL}.wav", "audio/wav")


async def test_a_tiny_recording(recordings, shelf, tmp_path):
    shelf.data = b"\xff\xfb\x90\x00"
    assert (await recordings.download(CALL, tmp_path)).size == 4


async def test_without_a_length(recordings, shelf, tmp_path):
    shelf.told = False
    seen: list[Progress] = []
    got = await recordings.download(CALL, tmp_path, progress=seen.append)
    assert got.path.read_bytes() == shelf.data
    assert {item.total for item in seen} == {None}


async def test_progress(recordings, shelf, tmp_path):
    shelf.data = LONG
    shelf.cuts = [700_000]
    seen: list[Progress] = []
    await recordings.download(CALL, tmp_path, progress=seen.append)
    received = [item.received for item in seen]
    assert received == sorted(received)
    assert seen[-1] == Progress(len(LONG), len(LONG))
    assert len(seen) > 10


async def test_a_progress_callback_that_fails_ends_the_download(recordings, shelf, tmp_path):
    def callback(progress: Progress) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await recordings.download(CALL, tmp_path, progress=callback, resume=False)
    assert inside(tmp_path) == []


@posix
async def test_the_event_loop_touches_no_file(recordings, shelf, tmp_path, monkeypatch):
    shelf.data = LONG
    blocking: list[tuple[str, bool, int]] = []

    def watch(name: str) -> None:
        real = getattr(os, name)

        def watched(*given: object, **named: object) -> object:
            mine = threading.current_thread() is threading.main_thread()
            blocking.append((name, mine, len(given[1]) if name == "write" else 0))  # type: ignore[arg-type]
            return real(*given, **named)

        monkeypatch.setattr(os, name, watched)

    for name in ("write", "fsync", "link", "unlink", "ftruncate", "lstat"):
        watch(name)
    await recordings.download(CALL, tmp_path)
    monkeypatch.undo()
    assert {name for name, _, _ in blocking} == {"write", "fsync", "link", "unlink", "ftruncate", "lstat"}
    assert not any(in_loop for _, in_loop, _ in blocking)
    assert [name for name, _, _ in blocking].index("fsync") < [name for name, _, _ in blocking].index("link")


# --- breaks within one call -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(
    "cut", [0, 1, 3, 15, 16, 17, 65535, 65536, 65537, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, len(LONG) - 1]
)
async def test_a_break_anywhere(recordings, shelf, tmp_path, cut, reset):
    shelf.data, shelf.cuts, shelf.reset, shelf.watched = LONG, [cut], reset, True
    got = await recordings.download(CALL, tmp_path, progress=shelf.watch)
    assert got.path.read_bytes() == LONG
    assert inside(tmp_path) == [f"{CALL}.mp3"]
    if cut >= 16:
        assert shelf.starts == [None, cut], "it goes on at the very byte"
        assert shelf.asked[1]["If-Range"] == '"v1"'


async def test_many_breaks_as_long_as_there_is_progress(recordings, shelf, tmp_path):
    shelf.cuts, shelf.watched = [20, 16, 16, 50, 70_000, 16, 17, 18, 100_000], True
    got = await recordings.download(CALL, tmp_path, progress=shelf.watch)
    assert got.path.read_bytes() == shelf.data
    assert len(shelf.asked) == 10


async def test_breaks_that_are_not_waited_for(recordings, shelf, tmp_path):
    shelf.data = LONG
    shelf.cuts = [70_000, 100, 300_000]
    assert (await recordings.download(CALL, tmp_path)).path.read_bytes() == LONG


async def test_no_progress_ends_it(recordings, shelf, tmp_path, kit):
    shelf.cuts, shelf.watched = [50_000, *([0] * 20)], True
    with pytest.raises(ConnectionLost):
        await recordings.download(CALL, tmp_path, progress=shelf.watch)
    assert shelf.starts == [None, *([50_000] * kit.quick.attempts)]
    assert inside(tmp_path) == [f"{CALL}.part", f"{CALL}.part.json"]


async def test_a_server_without_ranges(recordings, shelf, tmp_path):
    shelf.cuts, shelf.ranges, shelf.watched = [100_000], False, True
    seen: list[int] = []
    got = await recordings.download(
        CALL, tmp_path, progress=lambda item: (seen.append(item.received), shelf.watch(item))
    )
    assert got.path.read_bytes() == shelf.data
    assert shelf.starts == [None, 100_000]
    assert seen != sorted(seen), "the progress fell back"


@pytest.mark.parametrize("validator", [{}, {"ETag": 'W/"weak"'}, {"ETag": '"' + "x" * 300 + '"'}])
async def test_without_a_validator_it_begins_anew(recordings, shelf, tmp_path, validator):
    shelf.headers = {"Content-Type": "audio/mpeg", **validator}
    shelf.cuts = [100_000]
    assert (await recordings.download(CALL, tmp_path)).path.read_bytes() == shelf.data
    assert shelf.starts == [None, None]


async def test_without_a_validator_no_part_stays(recordings, shelf, tmp_path):
    del shelf.headers["ETag"]
    shelf.cuts = [100_000] * 20
    with pytest.raises(ConnectionLost):
        await recordings.download(CALL, tmp_path)
    assert inside(tmp_path) == []


async def test_the_date_as_validator(recordings, shelf, tmp_path):
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    shelf.headers = {"Content-Type": "audio/mpeg", "Last-Modified": date}
    shelf.cuts, shelf.watched = [100_000], True
    assert (await recordings.download(CALL, tmp_path, progress=shelf.watch)).path.read_bytes() == shelf.data
    assert shelf.starts == [None, 100_000]
    assert shelf.asked[1]["If-Range"] == date


def replaced(shelf: Shelf, how: str) -> None:
    if how == "new version":
        shelf.data, shelf.headers["ETag"] = mp3(200_000, seed=2), '"v2"'
    elif how == "new version, If-Range ignored":
        shelf.data, shelf.headers["ETag"], shelf.careless = mp3(200_000, seed=2), '"v2"', True
    elif how == "new version of the same length, If-Range ignored":
        shelf.data, shelf.headers["ETag"], shelf.careless = mp3(300_000, seed=2), '"v2"', True
    elif how == "shorter, If-Range ignored":  # 416
        shelf.data, shelf.headers["ETag"], shelf.careless = mp3(50_000, seed=2), '"v2"', True
    elif how == "the ETag is gone":
        shelf.data, shelf.careless = mp3(200_000, seed=2), True
        del shelf.headers["ETag"]
    else:
        shelf.content_range = how


@pytest.mark.parametrize(
    "how",
    [
        "new version",
        "new version, If-Range ignored",
        "new version of the same length, If-Range ignored",
        "shorter, If-Range ignored",
        "the ETag is gone",
        "bytes 99999-299999/300000",
        "bytes 0-299999/300000",
        "bytes 100000-299999/300001",
        "bytes=100000-299999/300000",
        "100000-",
    ],
)
@pytest.mark.parametrize("across", [False, True])
async def test_what_cannot_go_on_begins_anew(recordings, shelf, tmp_path, how, across):
    if across:
        await left_a_part(recordings, shelf, tmp_path)
        replaced(shelf, how)
        got = await recordings.download(CALL, tmp_path)
    else:
        shelf.cuts, shelf.watched = [100_000], True

        def replace(progress: Progress) -> None:
            if progress.received == 100_000 and len(shelf.asked) == 1:
                replaced(shelf, how)
            shelf.watch(progress)

        got = await recordings.download(CALL, tmp_path, progress=replace)
    assert got.path.read_bytes() == shelf.data
    assert got.size == len(shelf.data)
    assert shelf.starts[-1] == (100_000 if how == "new version" else None), "what was sent instead is not used"
    assert inside(tmp_path) == [f"{CALL}.mp3"]


async def test_a_range_of_unknown_total(recordings, shelf, tmp_path):
    shelf.cuts, shelf.watched = [100_000], True
    shelf.content_range = "bytes 100000-299999/*"
    assert (await recordings.download(CALL, tmp_path, progress=shelf.watch)).path.read_bytes() == shelf.data
    assert shelf.starts == [None, 100_000]


async def test_a_storage_that_gives_a_range_in_slices(recordings, shelf, tmp_path):
    # Less comes than was asked for, and that is fine: the rest is asked for.
    shelf.cuts, shelf.watched = [100_000], True
    full = shelf.data

    def change(progress: Progress) -> None:
        if progress.received == 100_000:
            shelf.data, shelf.content_range = full[:200_000], "bytes 100000-199999/300000"
        elif progress.received == 200_000:
            shelf.data, shelf.content_range = full, None
        shelf.watch(progress)

    assert (await recordings.download(CALL, tmp_path, progress=change)).path.read_bytes() == full
    assert shelf.starts == [None, 100_000, 200_000]


async def test_more_than_was_told_in_a_range(recordings, shelf, tmp_path):
    shelf.cuts, shelf.told, shelf.watched = [100_000], False, True
    shelf.content_range = "bytes 100000-199999/200000"
    with pytest.raises(DecodeError, match="more comes than the 200000 bytes"):
        await recordings.download(CALL, tmp_path, progress=shelf.watch)
    assert inside(tmp_path) == []


# --- breaks across calls --------------------------------------------------------------------------------------------


async def left_a_part(recordings, shelf: Shelf, folder: Path, size: int = 100_000) -> None:
    shelf.cuts, shelf.watched = [size, *([0] * 3)], True
    with pytest.raises(ConnectionLost):
        await recordings.download(CALL, folder, progress=shelf.watch)
    assert inside(folder) == [f"{CALL}.part", f"{CALL}.part.json"]
    shelf.asked.clear()


async def test_the_next_call_goes_on(recordings, shelf, tmp_path, ziwo):
    await left_a_part(recordings, shelf, tmp_path)
    part, note = tmp_path / f"{CALL}.part", tmp_path / f"{CALL}.part.json"
    assert part.read_bytes() == shelf.data[:100_000]
    assert json.loads(note.read_bytes()) == {
        "ziwo_async.part": 1, "call_id": CALL, "route": "surveillance", "validator": '"v1"', "total": 300_000
    }  # fmt: skip
    assert "CANARY" not in note.read_text()
    assert ziwo.url not in note.read_text()
    if sys.platform != "win32":
        assert {stat.S_IMODE(path.stat().st_mode) for path in (part, note)} == {0o600}
    got = await recordings.download(CALL, tmp_path)
    assert got.path.read_bytes() == shelf.data
    assert shelf.starts == [100_000]
    assert inside(tmp_path) == [f"{CALL}.mp3"]


async def test_a_part_is_not_taken_up_when_that_is_not_wanted(recordings, shelf, tmp_path):
    await left_a_part(recordings, shelf, tmp_path)
    await recordings.download(CALL, tmp_path, resume=False)
    assert shelf.starts == [None]
    assert inside(tmp_path) == [f"{CALL}.mp3"]


async def test_the_part_of_another_call(recordings, shelf, tmp_path, ziwo):
    other = "11111111-7c1f-4f5e-9a53-2f8f0c9b7d11"
    second = Shelf(mp3(250_000, seed=3))
    ziwo.on("GET", f"/surveillance/recordings/{other}.mp3", second)
    shelf.cuts, shelf.watched = [100_000, *([0] * 3)], True
    with pytest.raises(ConnectionLost):
        await recordings.download(CALL, tmp_path / "call.mp3", progress=shelf.watch)
    assert (await recordings.download(other, tmp_path / "call.mp3")).path.read_bytes() == second.data
    assert second.starts == [None]


async def test_the_part_of_another_route(recordings, shelf, tmp_path, ziwo):
    await left_a_part(recordings, shelf, tmp_path)
    second = Shelf(mp3(250_000, seed=3))
    ziwo.on("GET", HISTORY, second)
    assert (await recordings.download(CALL, tmp_path, route="history")).path.read_bytes() == second.data
    assert second.starts == [None], "the same ETag elsewhere says nothing"


async def test_a_signed_route_goes_on_with_a_new_address(recordings, tmp_path, ziwo, elsewhere, kit):
    shelf = Shelf(mp3(300_000), cuts=[100_000], watched=True)
    elsewhere.on("GET", "/bucket/1", shelf)
    elsewhere.on("GET", "/bucket/2", shelf)
    numbers = iter((1, 2))
    ziwo.answers("GET", SIGNED, lambda: kit.ok({"url": f"{elsewhere.url}/bucket/{next(numbers)}?sig=CANARY", "id": 5}))
    got = await recordings.download(CALL, tmp_path, route="signed", progress=shelf.watch)
    assert got.path.read_bytes() == shelf.data
    assert shelf.starts == [None, 100_000]
    assert elsewhere.seen == [("GET", "/bucket/1"), ("GET", "/bucket/2")]


async def test_not_ready_keeps_an_older_part_and_leaves_no_new_one(recordings, shelf, tmp_path):
    shelf.not_ready = 1
    with pytest.raises(RecordingNotReady):
        await recordings.download(CALL, tmp_path, route="surveillance", wait=0)
    assert inside(tmp_path) == []
    await left_a_part(recordings, shelf, tmp_path)
    shelf.not_ready = 1
    with pytest.raises(RecordingNotReady):
        await recordings.download(CALL, tmp_path, route="surveillance", wait=0)
    assert inside(tmp_path) == [f"{CALL}.part", f"{CALL}.part.json"]


# --- time and cancellation ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resume", [False, True])
async def test_cancelled(recordings, ziwo, tmp_path, resume):
    endless = Endless(pause=0.001)
    ziwo.on("GET", SURVEILLANCE, endless)
    begun = asyncio.Event()
    task = asyncio.create_task(recordings.download(CALL, tmp_path, resume=resume, progress=lambda item: begun.set()))
    await asyncio.wait_for(begun.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert inside(tmp_path) == ([f"{CALL}.part", f"{CALL}.part.json"] if resume else [])
    if resume:
        assert (tmp_path / f"{CALL}.part").stat().st_size > 0, "what had come is kept"
    await asyncio.wait_for(ziwo.disconnected.wait(), 10)


async def test_cancelled_while_it_is_not_ready(ziwo, tmp_path, kit):
    recordings = RecordingsResource(kit.transport(ziwo.url))
    ziwo.on("GET", SURVEILLANCE, Shelf(b"", not_ready=1000))
    task = asyncio.create_task(recordings.download(CALL, tmp_path, route="surveillance"))
    while ("GET", SURVEILLANCE) not in ziwo.seen:
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert inside(tmp_path) == []


async def test_a_slow_drip_ends_with_the_time_limit(recordings, ziwo, tmp_path):
    ziwo.on("GET", SURVEILLANCE, Endless(piece=b"\xff\xfb\x90\x00", pause=0.005))
    with pytest.raises(RequestTimeout, match=r"within 1 s"):
        await recordings.download(CALL, tmp_path, timeout=1)
    assert inside(tmp_path) == [f"{CALL}.part", f"{CALL}.part.json"]


async def test_silence_in_the_middle(kit, ziwo, tmp_path):
    recordings = RecordingsResource(
        kit.transport(ziwo.url, timeouts=Timeouts(request=0.5)), retry=RetryPolicy(attempts=1, base=0.001, cap=0.001)
    )
    ziwo.on("GET", SURVEILLANCE, Endless(pause=3600))
    with pytest.raises(RequestTimeout):
        await recordings.download(CALL, tmp_path)
    assert inside(tmp_path) == [f"{CALL}.part", f"{CALL}.part.json"]


async def test_in_thread_waits_for_the_thread_even_when_cancelled():
    started, go, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        go.wait(10)
        ended.set()
        raise LookupError

    task = asyncio.create_task(in_thread(work))
    while not started.is_set():
        await asyncio.sleep(0.001)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


# --- the target -----------------------------------------------------------------------------------------------------


async def test_what_exists_is_not_asked_for(recordings, ziwo, shelf, tmp_path):
    (tmp_path / f"{CALL}.mp3").write_bytes(b"mine")
    for target in (tmp_path, tmp_path / f"{CALL}.mp3"):
        with pytest.raises(BadArgument, match="exists: pass overwrite=True"):
            await recordings.download(CALL, target)
    assert ziwo.seen == []
    assert inside(tmp_path) == [f"{CALL}.mp3"]
    assert (tmp_path / f"{CALL}.mp3").read_bytes() == b"mine"
    got = await recordings.download(CALL, tmp_path, overwrite=True)
    assert got.path.read_bytes() == shelf.data
    assert inside(tmp_path) == [f"{CALL}.mp3"]


async def test_a_file_that_is_overwritten_stays_until_the_new_one_is_whole(recordings, shelf, tmp_path):
    target = tmp_path / "call.mp3"
    target.write_bytes(b"mine")
    seen: set[bytes] = set()
    await recordings.download(CALL, target, overwrite=True, progress=lambda item: seen.add(target.read_bytes()))
    assert seen == {b"mine"}
    assert target.read_bytes() == shelf.data


@posix
async def test_a_link_is_replaced_and_not_followed(recordings, shelf, tmp_path):
    (tmp_path / "aim").write_bytes(b"mine")
    link = tmp_path / "call.mp3"
    link.symlink_to("aim")
    with pytest.raises(BadArgument, match="exists"):
        await recordings.download(CALL, link)
    await recordings.download(CALL, link, overwrite=True)
    assert not link.is_symlink()
    assert (tmp_path / "aim").read_bytes() == b"mine"


@posix
async def test_what_is_no_file_is_not_replaced(recordings, ziwo, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadArgument, match="is no file"):
        await recordings.download(CALL, tmp_path / "pipe", overwrite=True)
    with pytest.raises(BadArgument, match="is no file"):
        await recordings.download(CALL, os.devnull, overwrite=True)
    assert ziwo.seen == []


@pytest.mark.parametrize(
    "name", ["no/such/folder/x.mp3", "a\0b", "", "x" * 300, "é" * 200, "nowhere/", "file/x.mp3", b"bytes"]
)
async def test_targets_that_cannot_be(recordings, ziwo, tmp_path, name):
    (tmp_path / "file").write_bytes(b"")
    target = name if isinstance(name, bytes) or not name else f"{tmp_path}/{name}"
    with pytest.raises(BadArgument):
        await recordings.download(CALL, target)
    assert ziwo.seen == []
    assert inside(tmp_path) == ["file"]


async def test_a_target_that_comes_in_the_meantime_is_not_overwritten(recordings, shelf, tmp_path):
    target = tmp_path / "call.mp3"
    with pytest.raises(BadArgument, match="exists"):
        await recordings.download(CALL, target, progress=lambda item: target.write_bytes(b"mine"))
    assert target.read_bytes() == b"mine"
    shelf.asked.clear()
    await recordings.download(CALL, target, overwrite=True)
    assert target.read_bytes() == shelf.data
    assert shelf.starts == [len(shelf.data) - 1], "the bytes were there: only their version is asked for"


# --- the part -------------------------------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("suffix", [".part", ".part.json"])
async def test_a_link_in_the_parts_place_is_refused(recordings, ziwo, tmp_path, suffix):
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "aim").write_bytes(b"mine")
    (folder / f"{CALL}{suffix}").symlink_to(tmp_path / "aim")
    with pytest.raises(BadArgument):
        await recordings.download(CALL, folder)
    assert (tmp_path / "aim").read_bytes() == b"mine"
    assert inside(folder) == [f"{CALL}{suffix}"]
    assert ziwo.seen == []


@posix
async def test_a_dangling_link_in_the_parts_place_makes_no_file_elsewhere(recordings, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / f"{CALL}.part").symlink_to(tmp_path / "aim")
    with pytest.raises(BadArgument):
        await recordings.download(CALL, folder)
    assert inside(tmp_path) == ["folder"]


@pytest.mark.parametrize(
    ("part", "note"),
    [
        (b"of another program", None),
        (b"of another program", b"its own notes"),
        (b"of another program", b'{"ziwo_async.part": 2}'),
        (b"of another program", b'{"ziwo_async.part": 1, "call_id": "x", "route": "/etc", "validator": null}'),
        (b"x", b'{"ziwo_async.part": 1, "call_id": "x", "route": "signed", "validator": "a\\r\\nX: y", "total": 1}'),
        (b"x", b'{"ziwo_async.part": 1, "call_id": "x", "route": "signed", "validator": 5, "total": 1}'),
        (b"x", b'{"ziwo_async.part": 1, "call_id": "x", "route": "signed", "validator": "5", "total": "1"}'),
        (b"x", b"[]"),
        (None, b"its own notes"),
    ],
)
async def test_a_part_that_is_not_ours_is_refused(recordings, ziwo, tmp_path, part, note):
    files = {f"{CALL}.part": part, f"{CALL}.part.json": note}
    files = {name: data for name, data in files.items() if data is not None}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(BadArgument, match="not written by this package"):
        await recordings.download(CALL, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
    assert ziwo.seen == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("suffix", [".part", ".part.json"])
async def test_a_part_of_another_user_is_refused(recordings, shelf, tmp_path, suffix):
    await left_a_part(recordings, shelf, tmp_path)
    os.chown(tmp_path / f"{CALL}{suffix}", 12345, 12345)
    with pytest.raises(BadArgument, match="no file of this user"):
        await recordings.download(CALL, tmp_path)
    assert shelf.asked == []


@posix
async def test_a_note_behind_a_link_is_refused(recordings, shelf, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    await left_a_part(recordings, shelf, folder)
    (folder / f"{CALL}.part.json").rename(tmp_path / "aim")
    (folder / f"{CALL}.part.json").symlink_to(tmp_path / "aim")
    with pytest.raises(BadArgument):
        await recordings.download(CALL, folder)
    assert shelf.asked == []


async def test_a_part_that_is_longer_than_its_note_says(recordings, shelf, tmp_path):
    await left_a_part(recordings, shelf, tmp_path)
    (tmp_path / f"{CALL}.part").write_bytes(bytes(300_001))
    assert (await recordings.download(CALL, tmp_path)).path.read_bytes() == shelf.data
    assert shelf.starts == [None]


async def test_an_empty_part_and_a_note_of_a_crash_are_taken(recordings, shelf, tmp_path):
    (tmp_path / f"{CALL}.part").write_bytes(b"")
    (tmp_path / f"{CALL}.part.json").write_bytes(b"")
    await recordings.download(CALL, tmp_path)
    assert inside(tmp_path) == [f"{CALL}.mp3"]


@posix
async def test_a_crash_between_the_files_two_names(recordings, shelf, tmp_path):
    target = tmp_path / "call.mp3"
    await recordings.download(CALL, target)
    os.link(target, tmp_path / "call.mp3.part")
    first, shelf.data = shelf.data, mp3(1000, seed=5)
    os.link(target, tmp_path / "witness")
    await recordings.download(CALL, target, overwrite=True)
    assert target.read_bytes() == shelf.data
    assert (tmp_path / "witness").read_bytes() == first, "what has another name is not written to"
    assert inside(tmp_path) == ["call.mp3", "witness"]


async def test_two_downloads_of_one_target_at_once(recordings, shelf, tmp_path):
    shelf.data = LONG
    results = await asyncio.gather(*(recordings.download(CALL, tmp_path) for _ in range(6)), return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    assert len(failures) == 5
    assert {type(failure) for failure in failures} == {BadArgument}
    assert inside(tmp_path) == [f"{CALL}.mp3"]
    assert (tmp_path / f"{CALL}.mp3").read_bytes() == LONG


@posix
async def test_a_download_in_another_process_is_in_the_way(recordings, ziwo, tmp_path):
    import fcntl

    (tmp_path / f"{CALL}.part").write_bytes(b"")
    with (tmp_path / f"{CALL}.part").open("rb+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BadArgument, match="another download of the same target"):
            await recordings.download(CALL, tmp_path)
    assert ziwo.seen == []


# --- bad bodies and bad disks ---------------------------------------------------------------------------------------


async def test_an_endless_body(recordings, ziwo, tmp_path):
    ziwo.on("GET", SURVEILLANCE, endless := Endless())
    with pytest.raises(DecodeError, match=r"larger than 2000000 bytes \(max_bytes\)"):
        await recordings.download(CALL, tmp_path, max_bytes=2_000_000)
    assert inside(tmp_path) == []
    assert endless.sent < 20_000_000


async def test_a_length_over_the_limit_is_not_read(recordings, shelf, tmp_path):
    seen: list[Progress] = []
    with pytest.raises(DecodeError, match="larger than 299999 bytes"):
        await recordings.download(CALL, tmp_path, max_bytes=299_999, progress=seen.append)
    assert (inside(tmp_path), seen) == ([], [])
    await recordings.download(CALL, tmp_path, max_bytes=300_000)


async def test_a_compressed_body(recordings, ziwo, tmp_path):
    bomb = gzip.compress(bytes(50_000_000))
    ziwo.on("GET", SURVEILLANCE, Endless(piece=bomb, **{"Content-Encoding": "gzip"}))
    with pytest.raises(DecodeError, match="compressed"):
        await recordings.download(CALL, tmp_path)
    assert inside(tmp_path) == []


@pytest.mark.parametrize(
    ("body", "kind", "error", "words"),
    [
        (b"", "audio/mpeg", DecodeError, "empty"),
        (b'{"result": false, "error": {"message": "no rights"}}', "application/json", ApiError, "no rights"),
        (b'{"result": false, "error": {"message": "no rights"}}', "audio/mpeg", ApiError, "no rights"),
        (b'{"result": true, "content": {}}', "application/json", DecodeError, "JSON"),
        (b"\n <!DOCTYPE html>" + b"CANARY" * 50_000, "text/html", DecodeError, "HTML page"),
        (b"<html>CANARY</html>", "audio/mpeg", DecodeError, "HTML page"),
        (b"<html>CANARY</html>", "application/octet-stream", DecodeError, "HTML page"),
        (b"CANARY plain words", "audio/mpeg", DecodeError, "no sound that we know"),
        (b"\x89PNG\r\n\x1a\nCANARY", "image/png", DecodeError, "no sound that we know"),
        (mp3(1000), "text/html", DecodeError, "no sound that we know"),
        (b"\xff", "audio/mpeg", DecodeError, "no sound that we know"),
    ],
)
async def test_what_is_no_sound_leaves_no_file(recordings, ziwo, tmp_path, body, kind, error, words):
    ziwo.on("GET", SURVEILLANCE, Shelf(body, headers={"Content-Type": kind, "ETag": '"v1"'}))
    with pytest.raises(error, match=words) as caught:
        await recordings.download(CALL, tmp_path)
    assert type(caught.value) is error
    assert (caught.value.status, caught.value.path) == (200, SURVEILLANCE)
    assert "CANARY" not in str(caught.value)
    assert inside(tmp_path) == []


async def test_a_page_in_the_middle_does_not_cost_the_part(recordings, shelf, tmp_path, ziwo):
    await left_a_part(recordings, shelf, tmp_path)
    ziwo.on("GET", SURVEILLANCE, Shelf(b"<html>log in to this hotel</html>", headers={"Content-Type": "text/html"}))
    with pytest.raises(DecodeError, match="HTML page"):
        await recordings.download(CALL, tmp_path)
    ziwo.on("GET", SURVEILLANCE, shelf)
    shelf.asked.clear()
    assert (await recordings.download(CALL, tmp_path)).path.read_bytes() == shelf.data
    assert shelf.starts == [100_000]


FULL_DISK = """
import asyncio, errno, resource, sys
from ziwo_async.rest.auth import Credentials
from ziwo_async.rest.recordings import RecordingsResource
from ziwo_async.rest.transport import Transport

async def main(url, call, target, resume):
    async with Transport(url, Credentials.from_token("CANARY-t")) as transport:
        try:
            await RecordingsResource(transport).download(call, target, resume=resume == "yes")
        except OSError as error:
            print(errno.errorcode[error.errno], error.filename)

resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
asyncio.run(main(*sys.argv[1:]))
"""


@posix
@pytest.mark.parametrize("resume", ["yes", "no"])
async def test_a_file_that_may_not_grow(recordings, ziwo, shelf, tmp_path, resume):
    shelf.data = LONG
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FULL_DISK, ziwo.url, CALL, str(tmp_path), resume, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert output.decode().split() == ["EFBIG", str(tmp_path / f"{CALL}.part")]
    assert inside(tmp_path) == ([f"{CALL}.part", f"{CALL}.part.json"] if resume == "yes" else [])
    if resume == "yes":
        assert (tmp_path / f"{CALL}.part").stat().st_size == 600_000
        shelf.asked.clear()
        assert (await recordings.download(CALL, tmp_path)).path.read_bytes() == LONG
        assert shelf.starts == [600_000]
