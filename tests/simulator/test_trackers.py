"""Call trackers, their logs, and the test of their services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from ziwo_async.simulator import Simulator, SimulatorError, World

from .api import Api

FORM = {
    "name": "calltracker-01",
    "startRequestURL": "https://ct.example.com/start.php",
    "startRequestAPIKey": "",
    "startRequestTimeout": "10000",
    "endRequestURL": "https://username:password@ct.example.com:8080/end.php",
    "endRequestAPIKey": "secret",
    "endRequestTimeout": "",
    "welcomePlayback": "",
    "errorPlayback": "cafe",
}


class Service:
    """A tracker's web service."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[tuple[str, Any, dict[str, str]]] = []
        self.released = asyncio.Event()

    async def start(self, request: web.Request) -> web.Response:
        assert request.content_type == "multipart/form-data"
        self.seen.append(("start", dict(await request.post()), dict(request.headers)))
        return web.json_response({"result": True, "content": {"rules": []}})

    async def end(self, request: web.Request) -> web.Response:
        self.seen.append(("end", await request.json(), dict(request.headers)))
        return web.Response(status=500)

    async def hang(self, request: web.Request) -> web.Response:
        await self.released.wait()
        return web.Response()

    async def redirect(self, request: web.Request) -> web.Response:
        raise web.HTTPFound("/end")


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service, app = Service(), web.Application()
    for name in ("start", "end", "hang", "redirect"):
        app.router.add_post(f"/{name}", getattr(service, name))
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield service
    service.released.set()
    await runner.cleanup()


async def test_create_get_update(api: Api, world: World) -> None:
    made = await api("POST", "/admin/callTrackers", data=FORM)
    assert made.status == 200
    shown = (await api.get("/admin/callTrackers/1")).content
    assert shown == made.content
    assert (shown["id"], shown["name"], shown["status"]) == (1, "calltracker-01", "active")
    assert (shown["startRequestAPIKey"], shown["startRequestTimeout"]) == (None, 10000)
    assert (shown["endRequestAPIKey"], shown["endRequestTimeout"]) == ("secret", None)
    changed = {"startRequestURL": "https://other.example.com/", "startRequestTimeout": "500", "name": "other"}
    assert (await api("PUT", "/admin/callTrackers/1", data=changed)).content == {}
    shown = (await api.get("/admin/callTrackers/1")).content
    assert (shown["name"], shown["startRequestURL"]) == ("calltracker-01", "https://other.example.com/")
    assert (shown["startRequestTimeout"], shown["endRequestAPIKey"]) == (500, "secret")
    assert "secret" not in repr(world.trackers.find("1"))
    assert (await api.get("/admin/callTrackers/calltracker-01")).status == 404  # documented by id only


async def test_what_cannot_be_created(api: Api, world: World) -> None:
    world.add_tracker("taken")
    for wrong in ({"name": "taken"}, {"name": ""}, {}, {"name": "x", "startRequestTimeout": "soon"}):
        assert (await api("POST", "/admin/callTrackers/", data=wrong)).status == 400
    assert len(world.trackers) == 1
    with pytest.raises(SimulatorError, match="no field"):
        world.add_tracker("x", startURL="http://127.0.0.1/")
    assert (await api("PUT", "/admin/callTrackers/1", data={"endRequestTimeout": "-1"})).status == 400


@pytest.mark.parametrize("name", ["1", "calltracker-01"])
async def test_block_unblock_delete_by_id_or_name(api: Api, world: World, name: str) -> None:
    tracker = world.add_tracker("calltracker-01")
    assert (await api("PUT", f"/admin/callTrackers/{name}/block", data="")).content == {}
    assert tracker.blocked
    assert (await api.get("/admin/callTrackers/1")).content["status"] == "blocked"
    assert (await api("PUT", f"/admin/callTrackers/{name}/unblock", data="")).content == {}
    assert not tracker.blocked
    assert (await api("DELETE", f"/admin/callTrackers/{name}", data="")).content == {}
    assert len(world.trackers) == 0
    for method, path in (("DELETE", ""), ("PUT", "/block"), ("PUT", "/test"), ("PUT", ""), ("GET", "")):
        assert (await api(method, f"/admin/callTrackers/{name}{path}")).status == 404


async def test_the_list_and_its_single_object(api: Api, world: World) -> None:
    for name in ("b", "a", "c"):
        world.add_tracker(name)
    path = "/admin/callTrackers/"
    assert [row["name"] for row in await api.rows(path)] == ["b", "a", "c"]
    assert [row["name"] for row in await api.rows(path, order="~name", limit=2)] == ["c", "b"]
    assert [row["name"] for row in await api.rows(path, search="A")] == ["a"]
    single = await api.get(f"{path}?limit=1&skip=1&search&order")
    assert (single.content["name"], single.info) == ("a", {})
    assert await api.rows(path, limit=1, skip=3) == []


async def test_the_test_asks_both_services(api: Api, world: World, service: Service) -> None:
    end = service.url.replace("http://", "http://user:pass@") + "/end"
    world.add_tracker("CT", startRequestURL=f"{service.url}/start", startRequestAPIKey="key", endRequestURL=end)
    answer = (await api("PUT", "/admin/callTrackers/1/test", data="")).content
    assert answer["startCall"] == {"tried": True, "status": 200, "error": None}
    assert answer["endCall"] == {"tried": True, "status": 500, "error": None}
    (_, form, headers), (_, cdr, end_headers) = service.seen
    assert form == {"didCalled": "061234567"}
    assert headers["X-API-KEY"] == "key"
    assert "X-API-KEY" not in end_headers
    assert end_headers["Authorization"] == "Basic dXNlcjpwYXNz"  # user:pass
    assert (cdr["callID"], cdr["didCalled"]) == (answer["callID"], "061234567")
    assert cdr["endRawTime"] - cdr["startRawTime"] == cdr["duration"]
    assert cdr["extendedInfo"]["numbers"]["linkData"] == "CT"
    rows = await api.rows("/admin/callTrackers/logs")
    assert [(row["type"], row["status"], row["callID"]) for row in rows] == [
        ("end", 500, answer["callID"]),
        ("start", 200, answer["callID"]),
    ]
    assert "pass" not in str(rows)


async def test_the_test_keeps_to_this_machine_and_its_time(api: Api, world: World, service: Service) -> None:
    tracker = world.add_tracker(
        "CT",
        startRequestURL=f"{service.url}/hang",
        startRequestTimeout=50,
        endRequestURL="https://ct.example.com/end.php",
    )
    answer = (await api("PUT", "/admin/callTrackers/1/test")).content
    assert answer["startCall"] == {"tried": True, "status": None, "error": "No answer in time"}
    assert answer["endCall"]["tried"] is False
    for url, tried in (("http://10.0.0.1/", False), ("ftp://127.0.0.1/", False), ("nonsense", False)):
        world.trackers.update(tracker, {"startRequestURL": None, "endRequestURL": url})
        answer = (await api("PUT", "/admin/callTrackers/1/test")).content
        assert (answer["startCall"]["tried"], answer["endCall"]["tried"]) == (False, tried), url
    world.trackers.update(
        tracker, {"startRequestURL": "http://127.0.0.1:1/", "endRequestURL": f"{service.url}/redirect"}
    )
    answer = (await api("PUT", "/admin/callTrackers/1/test")).content
    assert (answer["startCall"]["tried"], answer["startCall"]["status"]) == (True, None)
    assert answer["startCall"]["error"]
    assert answer["endCall"]["status"] == 302
    assert service.seen == []


async def test_logs_are_paged_by_fetch_start_and_stop(api: Api, world: World) -> None:
    first, second = world.add_tracker("one"), world.add_tracker("two")
    for number in range(60):
        world.trackers.log(
            first if number % 2 else second, "start", call_id=str(number), url="http://x/", status=200, error=""
        )
    path = "/admin/callTrackers/logs"
    page = await api.get(path, fetchStart=10, fetchStop=30)
    assert [row["id"] for row in page.content] == list(range(50, 20, -1))
    assert page.info == {"totalRecords": 60}
    assert len(await api.rows(path, fetchStart=0, fetchStop=500)) == 50
    mine = await api.rows(f"{path}?fromDate=2015-01-01&fetchStart=0&fetchStop=50&callTrackers[]={first.id}")
    assert {row["callTrackerName"] for row in mine} == {"one"}
    assert len(mine) == 30
    assert await api.rows(path, fromDate="2015-01-01", toDate="2017-01-01") == []


async def test_the_api_s_own_examples_can_be_a_tracker(api: Api, world: World, sim: Simulator) -> None:
    base = f"{sim.api_url}/callTrackers/example"
    world.add_tracker("CT", startRequestURL=f"{base}/startCall", endRequestURL=f"{base}/endCall")
    answer = (await api("PUT", "/admin/callTrackers/1/test")).content
    assert (answer["startCall"]["status"], answer["endCall"]["status"]) == (200, 200)
