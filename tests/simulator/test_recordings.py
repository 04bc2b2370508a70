"""Recordings: real audio, three ways to it, ranges, and another origin."""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from ziwo_async.simulator import Cdr, Simulator, World
from ziwo_async.simulator.audio import mp3, wav

from .api import Api
from .conftest import FAST

av = pytest.importorskip("av")


@pytest.fixture
def cdr(world: World) -> Cdr:
    return world.history.add(customer="+971", agent=world.agent("0011"), ring=4, talk=12.5)


def path(cdr: Cdr) -> str:
    return f"/surveillance/recordings/{cdr.call_id}.mp3"


@pytest.mark.parametrize("seconds", [0.0, 0.2, 1.0, 12.5, 61.0])
def test_mp3_is_real(seconds: float) -> None:
    data = mp3(seconds, "b10c6840-a9e7-11e8-8476-8d2a2f09b159")
    with av.open(io.BytesIO(data)) as container:
        (stream,) = container.streams
        assert stream.codec_context.name.startswith("mp3")
        frames = list(container.decode(stream))
    length = sum(frame.samples for frame in frames) / frames[0].sample_rate
    assert length == pytest.approx(max(seconds, 0.288), abs=0.04)
    assert not any(any(bytes(plane)) for frame in frames for plane in frame.planes)
    assert len(data) == pytest.approx(4000 * length, rel=0.01)


def test_bytes_of_two_recordings_can_be_told_apart() -> None:
    one, other = mp3(3.0, "one"), mp3(3.0, "other")
    assert len(one) == len(other)
    frames = [one[at : at + 144] for at in range(0, len(one), 144)]
    assert len(set(frames)) == len(frames)
    assert not set(frames) & {other[at : at + 144] for at in range(0, len(other), 144)}


def test_wav_is_a_tone() -> None:
    with wave.open(io.BytesIO(wav(1.25, ""))) as file:
        assert (file.getframerate(), file.getnframes()) == (8000, 10_000)
        assert any(file.readframes(100))


async def test_three_ways_to_the_same_bytes(api: Api, anonymous: Api, cdr: Cdr, sim: Simulator) -> None:
    status, headers, data = await api.raw("GET", path(cdr))
    assert (status, headers["Content-Type"], headers["Accept-Ranges"]) == (200, "audio/mpeg", "bytes")
    assert headers["Content-Length"] == str(len(data))
    assert (await api.raw("GET", f"/callHistory/{cdr.call_id}/recording"))[2] == data
    signed = (await api.get(f"/callHistory/{cdr.call_id}/recording/signed-url")).content
    assert signed["id"] == cdr.id
    assert signed["url"].startswith(f"{sim.rest.signed.origin}/")
    assert sim.rest.signed.origin != sim.api_url
    status, headers, found = await anonymous.raw("GET", signed["url"])
    assert (status, headers["Content-Type"], found) == (200, "audio/mpeg", data)


async def test_the_token_may_be_in_the_query(api: Api, anonymous: Api, cdr: Cdr) -> None:
    token = api.headers["access_token"]
    for where in (path(cdr), f"/callHistory/{cdr.call_id}/recording"):
        assert (await anonymous.raw("GET", where))[0] == 401
        assert (await anonymous.raw("GET", where, params={"access_token": token}))[0] == 200
    assert (await anonymous.get("/profile", access_token=token)).status == 401


async def test_what_has_no_recording(api: Api, world: World, sim: Simulator) -> None:
    missed = world.history.add(customer="+971", ring=20)
    listened = world.history.add(direction="service", talk=5)
    deleted = world.history.add(customer="+971", talk=5)
    world.history.delete(deleted)
    for cdr in (missed, listened, deleted):
        for where in (path(cdr), *(f"/callHistory/{cdr.call_id}/recording{end}" for end in ("", "/signed-url"))):
            assert (await api.get(where)).status == 404
    assert (await api.get("/surveillance/recordings/..%2Fsecret.mp3")).status == 404


async def test_a_recording_that_is_not_ready(api: Api, world: World, sim: Simulator) -> None:
    cdr = world.history.add(customer="+971", talk=5, recording_ready=False)
    assert (await api.get(f"/callHistory/{cdr.id}")).content["recordingFile"] is None
    assert (await api.get(path(cdr))).status == 404
    cdr.recording_ready = True
    assert (await api.get(f"/callHistory/{cdr.id}")).content["recordingFile"] == f"{cdr.call_id}.mp3"
    sim.faults.hide_recordings(2)
    assert [(await api.raw("GET", path(cdr)))[0] for _ in range(3)] == [404, 404, 200]


async def test_voicemail_is_at_the_same_place(api: Api, world: World) -> None:
    cdr = world.history.add(customer="+971", voicemail=True, talk=3)
    row = (await api.get(f"/callHistory/{cdr.id}")).content
    assert (row["voicemail"], row["result"], row["answeredAt"]) == (True, "no-answer", None)
    status, _, data = await api.raw("GET", f"/surveillance/recordings/{row['recordingFile']}")
    assert (status, data) == (200, mp3(3, cdr.call_id))


async def test_a_test_can_set_the_bytes(api: Api, world: World, cdr: Cdr) -> None:
    world.history.recordings[cdr.call_id] = b"0123456789" * 300_000
    status, headers, data = await api.raw("GET", path(cdr))
    assert (status, len(data), headers["Content-Type"]) == (200, 3_000_000, "audio/mpeg")
    assert data == world.history.recordings[cdr.call_id]


@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [
        ("bytes=0-3", 206, "0123"),
        ("bytes=7-", 206, "789"),
        ("bytes=-2", 206, "89"),
        ("bytes=-99", 206, "0123456789"),
        ("bytes=8-99", 206, "89"),
        ("bytes=9-9", 206, "9"),
        ("bytes=10-", 416, ""),
        ("bytes=5-4", 416, ""),
        ("bytes=-0", 416, ""),
        ("bytes=-", 200, "0123456789"),
        ("bytes=0-1,3-4", 200, "0123456789"),
        ("items=0-1", 200, "0123456789"),
    ],
)
async def test_ranges(api: Api, world: World, cdr: Cdr, asked: str, status: int, expected: str) -> None:
    world.history.recordings[cdr.call_id] = b"0123456789"
    got, headers, data = await api.raw("GET", path(cdr), headers={"Range": asked})
    assert (got, data.decode()) == (status, expected)
    if status == 206:
        begin = "0123456789".index(expected)
        assert headers["Content-Range"] == f"bytes {begin}-{begin + len(expected) - 1}/10"
    elif status == 416:
        assert headers["Content-Range"] == "bytes */10"


async def test_if_range_gives_all_of_a_file_that_changed(api: Api, world: World, cdr: Cdr) -> None:
    world.history.recordings[cdr.call_id] = b"old" * 10
    _, headers, _ = await api.raw("GET", path(cdr))
    ask = {"Range": "bytes=27-", "If-Range": headers["ETag"]}
    assert (await api.raw("GET", path(cdr), headers=ask))[0::2] == (206, b"old")
    world.history.recordings[cdr.call_id] = b"new" * 10
    assert (await api.raw("GET", path(cdr), headers=ask))[0::2] == (200, b"new" * 10)


async def test_head_tells_the_length_only(api: Api, cdr: Cdr) -> None:
    status, headers, data = await api.raw("HEAD", path(cdr))
    assert (status, data, headers["Content-Length"]) == (200, b"", str(len(mp3(12.5, cdr.call_id))))


async def test_a_redirect_to_the_other_origin(api: Api, anonymous: Api, cdr: Cdr, sim: Simulator) -> None:
    sim.rest.quirks.redirect_recordings = True
    status, headers, _ = await api.raw("GET", f"/callHistory/{cdr.call_id}/recording")
    assert status == 302
    assert headers["Location"].startswith(sim.rest.signed.origin)
    await anonymous.raw("GET", headers["Location"])
    assert sim.rest.signed.credentials_seen == []
    await api.raw("GET", headers["Location"])
    await anonymous.raw("GET", f"{headers['Location']}&access_token=x", headers={"Authorization": "Basic eA=="})
    assert [seen.credentials for seen in sim.rest.signed.credentials_seen] == [
        ("access_token",),
        ("access_token", "authorization"),
    ]
    assert "signature" not in repr(sim.rest.signed.requests)


async def test_a_signed_url_is_for_one_file(api: Api, anonymous: Api, world: World, cdr: Cdr, sim: Simulator) -> None:
    other = world.history.add(customer="+971", talk=1)
    url = (await api.get(f"/callHistory/{cdr.call_id}/recording/signed-url")).content["url"]
    for wrong in (url.replace(cdr.call_id, other.call_id), url[:-1], url.partition("?")[0]):
        assert (await anonymous.raw("GET", wrong))[0] == 403
    assert (await anonymous.raw("GET", f"{sim.rest.signed.origin}/anything/else"))[0] == 403
    assert [seen.status for seen in sim.rest.signed.requests] == [403] * 4


class TestWav:
    @pytest.fixture
    async def sim(self, world: World) -> AsyncIterator[Simulator]:
        async with Simulator(world, options=replace(FAST, recording_format="wav")) as running:
            yield running

    async def test_a_tone_instead_of_silence(self, api: Api, world: World, cdr: Cdr) -> None:
        _, headers, data = await api.raw("GET", path(cdr))
        assert headers["Content-Type"] == "audio/wav"
        with wave.open(io.BytesIO(data)) as file:
            assert file.getnframes() == 100_000
        world.history.recordings[cdr.call_id] = b"given"
        assert (await api.raw("GET", path(cdr)))[2] == b"given"
