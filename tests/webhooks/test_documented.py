"""What ZIWO's page shows of the two requests, as it shows it, on both servers."""

from __future__ import annotations

import json
import shlex
import tomllib
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from ziwo_async import Direction
from ziwo_async.webhooks import Answer, EndCall, Rule, StartCall, TrackerService, call

from .serving import form, post, send, serve

KEY = "some-random-uuid-comes-here"
PAGE = Path(__file__).parents[1] / "data" / "developers-page" / "requests.toml"
END_CALL = PAGE.with_name("end-call.json")
EXAMPLES = {entry["name"]: entry for entry in tomllib.loads(PAGE.read_text())["request"]}


def sent(name: str) -> dict[str, str]:
    """The options of the documented curl command."""
    words = shlex.split(EXAMPLES[name]["curl"].replace("\\\n", " "))
    return {option: value for option, value in pairwise(words) if option.startswith("--")}


async def test_the_documented_start_call_gets_the_documented_answer(server: str) -> None:
    tracker = TrackerService(keys=[KEY], start_path="/callTrackers/example/startCall")
    asked: list[StartCall] = []

    @tracker.on_start
    async def route(start: StartCall) -> Rule:
        asked.append(start)
        return call("0505874603", caller_id="042789926", timeout=10)

    options = sent("Start Call example")
    assert options["--header"] == f"X-API-Key: {KEY}"
    name, _, value = options["--form"].partition("=")
    body, kind = form(**{name: value})
    async with serve(tracker, server) as port:
        reply = await send(port, post("/callTrackers/example/startCall", body, kind, keys=(KEY.encode(),)))
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert json.loads(reply.body) == {**json.loads(EXAMPLES["Start Call example"]["answer"]), "info": {}}
    assert [(start.did_called, start.caller, start.call_id, start.model_extra) for start in asked] == [
        ("061234567", None, None, {})
    ]


async def test_step_3_rules_in_order_each_with_its_own_timeout(server: str) -> None:
    tracker = TrackerService(keys=[KEY])

    @tracker.on_start
    def route(start: StartCall) -> list[Rule]:
        return [call("061234567", timeout=10), call("047654321", caller_id=start.did_called, timeout=15)]

    async with serve(tracker, server) as port:
        reply = await send(port, post("/startCall", *form(didCalled="061234567"), keys=(KEY.encode(),)))
    assert json.loads(reply.body)["content"]["rules"] == [
        {"action": "call", "number": "061234567", "timeout": 10},
        {"action": "call", "number": "047654321", "callerID": "061234567", "timeout": 15},
    ]


async def test_step_4_a_flag_for_the_voicemail_in_either_place(server: str) -> None:
    tracker = TrackerService(keys=[KEY])

    @tracker.on_start
    async def route(start: StartCall) -> Answer:
        return Answer([call("061234567", extra={"voicemail": False})], extra={"voicemail": True})

    async with serve(tracker, server) as port:
        reply = await send(port, post("/startCall", *form(didCalled="061234567"), keys=(KEY.encode(),)))
    content = json.loads(reply.body)["content"]
    assert content["voicemail"] is True
    assert content["rules"][0]["voicemail"] is False


async def test_the_documented_end_call_is_read_whole(server: str) -> None:
    tracker = TrackerService(keys=[KEY])
    told: list[EndCall] = []

    @tracker.on_end
    async def ended(end: EndCall) -> None:
        told.append(end)

    body = END_CALL.read_bytes()
    documented: dict[str, Any] = json.loads(body)
    # The curl command of the page has a part of the body that stands above it.
    assert json.loads(sent("End call example")["--data"]).items() <= documented.items()
    async with serve(tracker, server) as port:
        reply = await send(port, post("/endCall", body, keys=(KEY.encode(),)))
    assert (reply.status, json.loads(reply.body)) == (200, {"result": True, "content": {}, "info": {}})
    end = told[0]
    assert not end.unreadable
    assert not end.model_extra
    assert (end.id, end.version, end.call_id) == ("46:5196", "3", "fdf893f5-ff46-44a9-ac63-7491e7b09dce")
    assert (end.direction, end.answered, end.missed) == (Direction.INBOUND, True, False)
    assert (end.did_called, end.customer_number, end.position) == ("061234567", "044508146", "0505874603")
    assert end.duration == timedelta(seconds=28)
    assert end.start == datetime(2016, 7, 10, 11, 36, 35, tzinfo=UTC)
    assert end.late
    (station,) = end.call_flows
    assert (station.extension_name, station.step, station.transfered, station.hangup, station.id) == (
        "general_incoming",
        1,
        False,
        True,
        "50:2071",
    )
    # Nothing of it is lost.
    dumped = end.model_dump(mode="json", by_alias=True)
    assert {key for key in documented if dumped.get(key) in (None, [], {})} == set()
    assert dumped["extendedInfo"] == documented["extendedInfo"]


async def test_the_documented_create_points_at_paths_of_ones_own(server: str) -> None:
    # startRequestURL is https://ct.example.com/start.php there, and endRequestURL .../end.php with user and password.
    tracker = TrackerService(keys=[KEY], start_path="/start.php", end_path="/end.php", fallback=[call("047654321")])
    async with serve(tracker, server) as port:
        start = await send(port, post("/start.php", *form(didCalled="061234567"), keys=(KEY.encode(),)))
        basic = b"Authorization: Basic dXNlcm5hbWU6cGFzc3dvcmQ=\r\n"
        end = await send(port, post("/end.php?a=1", b'{"callID": "a"}', keys=(KEY.encode(),), more=basic))
    assert (start.status, end.status) == (200, 200)
    assert json.loads(start.body)["content"]["rules"][0]["number"] == "047654321"
