"""Slow, flaky and broken answers on order."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from ziwo_async.simulator import Simulator, World

from .api import Api


async def test_slow_answers(api: Api, sim: Simulator, http: aiohttp.ClientSession) -> None:
    loop = asyncio.get_running_loop()
    sim.faults.slow_http(0.2, "/profile")
    begin = loop.time()
    async with asyncio.timeout(0.15):
        await api.get("/monitor/ping")
    assert (await api.get("/profile")).status == 200
    assert loop.time() - begin >= 0.2
    sim.faults.slow_http(30.0)
    sim.faults.slow_http(0.0, "/profile")
    assert (await api.get("/profile")).status == 200
    with pytest.raises(TimeoutError):
        await api("GET", "/monitor/ping", timeout=aiohttp.ClientTimeout(total=0.05))
    sim.faults.slow_http(0.0)
    assert (await api.get("/monitor/ping")).status == 200


async def test_every_nth_answer_is_an_error(api: Api, sim: Simulator, world: World) -> None:
    sim.faults.flaky_http(every=3, status=502)
    answers = [await api("PUT", "/agents/status", data={"number": str(n % 5)}) for n in range(1, 7)]
    assert [answer.status for answer in answers] == [200, 200, 502, 200, 200, 502]
    assert answers[2].error == "Out of order"
    assert world.agent("0011").status == "Logged Out"  # the sixth, Available, was not done


async def test_flaky_on_one_path(api: Api, sim: Simulator) -> None:
    sim.faults.flaky_http(every=1, path="/profile")
    assert [(await api.get(path)).status for path in ("/profile", "/monitor/ping", "/profile")] == [503, 200, 503]
    sim.faults.flaky_http(every=0, path="/profile")
    assert (await api.get("/profile")).status == 200


async def what_comes(response: aiohttp.ClientResponse) -> bytes:
    """The bytes until the connection breaks."""
    got = b""
    try:
        async for chunk in response.content.iter_any():
            got += chunk
    except aiohttp.ClientPayloadError:
        return got
    raise AssertionError("the connection was to break")


async def test_a_download_is_cut_and_resumed(api: Api, sim: Simulator, world: World) -> None:
    cdr = world.history.add(customer="+971", talk=60)
    path, whole = f"/surveillance/recordings/{cdr.call_id}.mp3", world.history.recording(cdr)
    assert whole is not None
    sim.faults.cut_download(after=100_000, times=2)
    got = b""
    for _ in range(2):
        ask = {**api.headers, "Range": f"bytes={len(got)}-"}
        async with api.http.get(path, headers=ask) as response:
            got += await what_comes(response)
    assert got == whole[: len(got)]
    assert 0 < len(got) <= 200_000
    status, _, rest = await api.raw("GET", path, headers={"Range": f"bytes={len(got)}-"})
    assert (status, got + rest) == (206, whole)


async def test_a_cut_is_a_reset(api: Api, sim: Simulator, world: World) -> None:
    cdr = world.history.add(customer="+971", talk=10)
    sim.faults.cut_download(after=0)
    reader, writer = await asyncio.open_connection(*sim.api_url.removeprefix("http://").split(":"))
    token = api.headers["access_token"]
    request = f"GET /surveillance/recordings/{cdr.call_id}.mp3 HTTP/1.1\r\nHost: x\r\naccess_token: {token}\r\n\r\n"
    writer.write(request.encode())
    async with asyncio.timeout(20):
        with pytest.raises(ConnectionResetError):
            await reader.read()  # to the end, which a proper close would give
    writer.close()


async def test_stored_and_signed_files_are_cut_too(api: Api, anonymous: Api, sim: Simulator, world: World) -> None:
    cdr = world.history.add(customer="+971", talk=10)
    url = (await api.get(f"/callHistory/{cdr.call_id}/recording/signed-url")).content["url"]
    name = world.add_file(b"x" * 1000)
    for where in (url, f"/storage/{name}"):
        sim.faults.cut_download(after=10)
        with pytest.raises(aiohttp.ClientPayloadError):
            await api.raw("GET", where)
        assert (await api.raw("GET", where))[0] == 200


async def test_a_message_in_info(api: Api, anonymous: Api, sim: Simulator) -> None:
    sim.faults.info_next("This route is deprecated")
    sim.faults.info_next({"warning": "again"}, times=2)
    assert (await api.get("/profile")).info == {"message": "This route is deprecated"}
    assert (await api.get("/admin/agents/")).info == {"warning": "again", "totalRecords": 2}
    refused = await anonymous.get("/profile")
    assert (refused.status, refused.info) == (401, {"warning": "again"})
    assert (await api.get("/profile")).info == {}


async def test_a_client_that_leaves_in_the_middle_harms_nobody(api: Api, sim: Simulator, world: World) -> None:
    cdr = world.history.add(customer="+971", talk=1)
    world.history.recordings[cdr.call_id] = bytes(20_000_000)
    async with api.http.get(f"/surveillance/recordings/{cdr.call_id}.mp3", headers=api.headers) as response:
        assert await response.content.readany()
        response.close()
    assert (await api.get("/profile")).status == 200


async def test_the_journal_has_no_query_and_no_secret(api: Api, sim: Simulator, world: World) -> None:
    cdr = world.history.add(customer="+971", talk=1)
    await api.get("/callHistory/", contactNumber="+971501234567")
    url = (await api.get(f"/callHistory/{cdr.call_id}/recording/signed-url")).content["url"]
    await api.raw("GET", url)
    lines = [entry.text for entry in sim.journal if entry.kind == "http"]
    assert lines == ["GET /callHistory/ 200", f"GET /callHistory/{cdr.call_id}/recording/signed-url 200"]
