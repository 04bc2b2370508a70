"""`ziwo recording get`."""

from __future__ import annotations

import asyncio
import os
import re
import uuid
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ziwo_async.testing import ServedWorld

from .centre import PASSWORD, Ziwo
from .kit import ZIWO, finished, program
from .terminal import on_a_terminal

SOUND = b"ID3\x03\x00\x00\x00\x00\x00\x00" + bytes(range(256)) * 8000


def recorded(world: ServedWorld, *, voicemail: bool = False) -> str:
    call_id: str = world.history.add(customer="+971500000001", talk=3, voicemail=voicemail).call_id
    world.history.recordings[call_id] = SOUND
    return call_id


def test_it_prints_the_path_of_a_file_named_by_the_call(ziwo: Ziwo, tmp_path: Path) -> None:
    call_id = ziwo.centre.do(recorded)
    path = tmp_path / f"{call_id}.mp3"
    assert ziwo.ok("recording", "get", call_id, "-o", str(tmp_path)) == f"{path}\n"
    assert path.read_bytes() == SOUND
    assert f"{path} exists: use --overwrite" in ziwo.refuses(2, "recording", "get", call_id, "-o", str(tmp_path))
    assert ziwo.ok("recording", "get", call_id, "-o", str(path), "--overwrite")


def test_a_voicemail(ziwo: Ziwo, tmp_path: Path) -> None:
    call_id = ziwo.centre.do(lambda world: recorded(world, voicemail=True))
    target = tmp_path / "message.mp3"
    assert ziwo.ok("recording", "get", "--voicemail", call_id, "-o", str(target)) == f"{target}\n"
    assert target.read_bytes() == SOUND


def test_it_waits_until_the_recording_is_ready(ziwo: Ziwo, tmp_path: Path) -> None:
    call_id = ziwo.centre.do(recorded)
    ziwo.centre.do(lambda world: world.faults.hide_recordings(3))
    assert ziwo.ok("recording", "get", call_id, "-o", str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (
            ("00000000-0000-4000-8000-000000000000", "--wait", "0"),
            1,
            "ziwo: there is no recording of this call (yet); ",
        ),
        (("00000000-0000-4000-8000-000000000000", "--wait", "0", "--voicemail"), 1, "ziwo: there is no voicemail of "),
        (("46",), 2, "46 is the number of a record"),
        (("../../etc/passwd",), 2, "etc/passwd"),
        (("00000000-0000-4000-8000-000000000000", "-o", "/nowhere/at/all.mp3"), 2, "there is no folder /nowhere/at"),
    ],
)
def test_what_cannot_be_had(ziwo: Ziwo, arguments: tuple[str, ...], code: int, says: str) -> None:
    assert says in ziwo.refuses(code, "recording", "get", *arguments)


async def test_a_file_that_cannot_be_written_is_one_line(ziwo: Ziwo, tmp_path: Path) -> None:
    call_id = ziwo.centre.do(recorded)
    env = {name: value for name, value in ziwo.env.items() if value is not None}
    get = (*ZIWO, "recording", "get", call_id, "-o", str(tmp_path))
    # Where coverage is measured, its data would not fit either.
    limited = 'unset COVERAGE_PROCESS_CONFIG; ulimit -f 64; exec "$@"'
    code, refused = await finished("sh", "-c", limited, "sh", *get, env=env)
    assert (code, refused.out) == (1, [])
    assert refused.err == ["ziwo: the recording cannot be written: File too large"]


def test_a_part_that_is_a_link_is_refused(ziwo: Ziwo, tmp_path: Path) -> None:
    call_id = ziwo.centre.do(recorded)
    (tmp_path / f"{call_id}.part").symlink_to(tmp_path / "victim")
    assert str(tmp_path) in ziwo.refuses(2, "recording", "get", call_id, "-o", str(tmp_path))
    assert not (tmp_path / "victim").exists()


def test_on_a_terminal_there_is_a_bar(ziwo: Ziwo, tmp_path: Path) -> None:
    call_id = ziwo.centre.do(recorded)
    env = {name: value for name, value in ziwo.env.items() if value is not None}
    with on_a_terminal("recording", "get", call_id, "-o", str(tmp_path), **{**env, "TERM": "xterm"}) as terminal:
        terminal.shows(f"{call_id}.mp3")
        assert terminal.process.wait(20) == 0
        assert re.search(r"/2\.0 MB", terminal.shown)
        assert PASSWORD not in terminal.shown


async def test_ctrl_c_leaves_a_part_and_the_same_command_goes_on(tmp_path: Path) -> None:
    call_id, half = str(uuid.uuid4()), len(SOUND) // 2
    ranges: list[str | None] = []
    sent = asyncio.Event()

    async def recording(request: web.Request) -> web.StreamResponse:
        ranges.append(request.headers.get("Range"))
        start = int(found[1]) if (found := re.match(r"bytes=(\d+)-", ranges[-1] or "")) else 0
        headers = {"ETag": '"1"', "Content-Type": "audio/mpeg", "Content-Length": str(len(SOUND) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(SOUND) - 1}/{len(SOUND)}"
        response = web.StreamResponse(status=206 if start else 200, headers=headers)
        await response.prepare(request)
        if start:
            await response.write(SOUND[start:])
        else:
            await response.write(SOUND[:half])
            sent.set()
            await asyncio.sleep(3600)
        return response

    app = web.Application()
    app.router.add_get(f"/surveillance/recordings/{call_id}.mp3", recording)
    async with TestServer(app) as server:
        env = {"ZIWO_API_URL": f"http://127.0.0.1:{server.port}", "ZIWO_TOKEN": "canary-token"}
        command = (*ZIWO, "recording", "get", call_id, "-o", str(tmp_path))
        part = tmp_path / f"{call_id}.part"
        async with program(*command, env=env) as running:
            async with asyncio.timeout(20):
                await sent.wait()
                while not (part.exists() and part.stat().st_size):  # the first bytes have come
                    await asyncio.sleep(0.01)
            assert await running.stops() == 1
            assert running.out == []
            assert re.fullmatch(r"ziwo: stopped at \d+ bytes; the same command goes on from there", running.errors)
        left = part.stat().st_size
        assert 0 < left <= half
        async with program(*command, env=env) as running:
            assert await running.ends() == 0
            assert running.out == [str(tmp_path / f"{call_id}.mp3")]
        assert ranges == [None, f"bytes={left}-"]
    assert (tmp_path / f"{call_id}.mp3").read_bytes() == SOUND
    assert os.listdir(tmp_path) == [f"{call_id}.mp3"]
