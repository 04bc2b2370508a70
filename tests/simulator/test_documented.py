"""The examples of ZIWO's developers page, with the answers that the page shows."""

from __future__ import annotations

import aiohttp
import pytest

from ziwo_async.simulator import Simulator, World

from .api import Api, phone

TOKEN = "b10c6840-a9e7-11e8-8476-8d2a2f09b159"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TRACKER = (
    "startRequestURL=https%3A//ct.example.com/start.php&startRequestAPIKey=&startRequestTimeout=10000"
    "&endRequestURL=https%3A//username%3Apassword%40ct.example.com%3A8080/end.php&endRequestAPIKey="
    "&endRequestTimeout=10000&welcomePlayback=&errorPlayback="
)


@pytest.fixture
def page(anonymous: Api, sim: Simulator, world: World) -> Api:
    """Requests with the page's token."""
    sim.rest.accept_token(TOKEN, world.agent("0011"))
    anonymous.headers["access_token"] = TOKEN
    return anonymous


async def test_call_history(page: Api, world: World) -> None:
    world.history.add(id=46, customer="+971", talk=1)
    answer = await page.get("/callHistory/46")
    assert (answer.status, answer.content["id"]) == (200, 46)


async def test_recording_and_voicemail(page: Api, world: World) -> None:
    for voicemail in (False, True):
        cdr = world.history.add(customer="+971", talk=1, voicemail=voicemail)
        status, headers, _ = await page.raw("GET", f"/surveillance/recordings/{cdr.call_id}.mp3")
        assert (status, headers["Content-Type"]) == (200, "audio/mpeg")


async def test_create_eavesdrop(page: Api, world: World, connect) -> None:
    client = await phone(connect, world.agent("0011"))
    for body in ({"data": "", "headers": FORM}, {"data": {"positionName": "agent-0011"}}):
        answer = await page("POST", "/live/calls/eavesdrop/5555", **body)
        assert (answer.status, list(answer.content), answer.info) == (200, ["callID"], {})
        assert (await client.expect("verto.invite"))["callID"] == answer.content["callID"]
    assert (await page("POST", "/live/calls/eavesdrop/5555", data={"positionName": "mydesk"})).status == 404


async def test_update_eavesdrop(page: Api, world: World, sim: Simulator, connect) -> None:
    await phone(connect, world.agent("0011"))
    call_id = "e0a89fd6-f0da-481e-9372-622e6eb09ec2"
    call = sim.commands.spy_on_agent(world.agent("0011"), world.agent("5555"), {}, call_id=call_id)
    answer = await page("PUT", f"/live/calls/eavesdrop/{call_id}", data="whisper=agent", headers=FORM)
    assert (answer.status, answer.content, answer.info) == (200, {}, {})
    assert call.whisper == "agent"


async def test_start_call_example(anonymous: Api) -> None:
    form = aiohttp.FormData({"didCalled": "061234567"}, default_to_multipart=True)
    headers = {"X-API-Key": "some-random-uuid-comes-here"}
    answer = await anonymous("POST", "/callTrackers/example/startCall", data=form, headers=headers)
    rule = {"action": "call", "number": "0505874603", "callerID": "042789926", "timeout": 10}
    assert answer == (200, {"didCalled": "061234567", "rules": [rule]}, {}, "")


async def test_end_call_example(anonymous: Api, world: World) -> None:
    headers = {"X-API-Key": "some-random-uuid-comes-here"}
    cdr = {"callID": "fdf893f5-ff46-44a9-ac63-7491e7b09dce", "id": "46:5196"}
    assert (await anonymous("POST", "/callTrackers/example/endCall", json=cdr, headers=headers)).status == 200
    assert len(world.history) == 0


async def test_get_call_trackers(page: Api, world: World) -> None:
    base = "http://127.0.0.1:7000/callTrackers/example"
    world.add_tracker("CT", startRequestURL=f"{base}/startCall", endRequestURL=f"{base}/endCall")
    shown = {
        "id": 1,
        "name": "CT",
        "startRequestURL": f"{base}/startCall",
        "endRequestURL": f"{base}/endCall",
        "startRequestAPIKey": None,
        "endRequestAPIKey": None,
        "startRequestTimeout": None,
        "endRequestTimeout": None,
    }
    for path in ("/admin/callTrackers/?limit=1&skip=0&search&order", "/admin/callTrackers/1"):
        answer = await page.get(path)
        assert answer.status == 200
        assert list(answer.content.items())[: len(shown)] == list(shown.items())


async def test_changes_of_call_trackers(page: Api, world: World) -> None:
    made = await page("POST", "/admin/callTrackers", data=f"name=calltracker-01&{TRACKER}", headers=FORM)
    assert made.status == 200
    assert made.content["endRequestURL"] == "https://username:password@ct.example.com:8080/end.php"
    for method, path, body in (
        ("PUT", "", TRACKER),
        ("PUT", "/block", ""),
        ("PUT", "/unblock", ""),
        ("DELETE", "", ""),
    ):
        answer = await page(method, f"/admin/callTrackers/1{path}", data=body, headers=FORM)
        assert answer == (200, {}, {}, ""), (method, path)
    assert len(world.trackers) == 0


async def test_call_tracker_logs_and_test(page: Api, world: World) -> None:
    world.add_tracker("one")
    world.add_tracker("two", startRequestURL="https://ct.example.com/start.php")
    answer = await page.get(
        "/admin/callTrackers/logs?fromDate=2015-01-01&toDate=2017-01-01&fetchStart=0&fetchStop=50&callTrackers[]=1"
    )
    assert (answer.status, answer.content) == (200, [])
    assert (await page("PUT", "/admin/callTrackers/2/test", data="", headers=FORM)).status == 200
