"""Services of call trackers that fail, and callers who do not wait."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from aiohttp import web

from ziwo_async.simulator import Simulator, World

from .api import Api, phone
from .client import Connect
from .receiver import DID, Receiver, call, linked, receiver

CUSTOMER = "+971500000000"


@pytest.fixture
async def service() -> AsyncGenerator[Receiver]:
    async with receiver() as running:
        yield running


async def fails(world: World, sim: Simulator) -> str:
    """Call; the error is played, the caller hung up, and the end told. Gives the problem."""
    sim.hooks.playback_seconds = 0.02
    there = await world.customer(CUSTOMER).dials(DID)
    cdr = await world.history.of(there)
    tracked = there.tracked
    assert tracked is not None
    assert (cdr.result, cdr.cause, cdr.hung_up_by) == ("failed", "NORMAL_TEMPORARY_FAILURE", "unknown")
    assert tracked.playbacks == [("error", "beef")]
    assert tracked.tried == []
    return tracked.problem


def answer(value: Any, status: int = 200) -> web.Response:
    return web.json_response(value, status=status)


GOOD = call("0505874603", callerID="042789926", timeout=10)


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (lambda: web.Response(text="<html>"), "not JSON"),
        (lambda: web.Response(body=b"[" * 200_000), "not JSON"),
        (lambda: web.Response(status=204), "HTTP status 204"),
        (lambda: web.Response(status=302, headers={"Location": "/startCall"}), "HTTP status 302"),
        (lambda: answer({"result": True, "content": {"rules": [GOOD]}}, 500), "HTTP status 500"),
        (lambda: answer([]), "result is not true"),
        (lambda: answer({"result": False, "content": {"rules": [GOOD]}}), "result is not true"),
        (lambda: answer({"result": True, "content": []}), "content is no object"),
        (lambda: answer({"result": True, "content": {"rules": GOOD}}), "content.rules is no list"),
        (lambda: answer({"result": True, "content": {"rules": [GOOD, "1"]}}), "rule 2: the action is not call"),
        (lambda: answer({"result": True, "content": {"rules": [{**GOOD, "action": "x"}]}}), "the action is not call"),
        (lambda: answer({"result": True, "content": {"rules": [{**GOOD, "number": 5}]}}), "the number is no text"),
        (lambda: answer({"result": True, "content": {"rules": [{**GOOD, "callerID": 5}]}}), "callerID is no text"),
        (lambda: answer({"result": True, "content": {"rules": [{**GOOD, "timeout": "10"}]}}), "timeout is no number"),
        (lambda: web.Response(body=b" " * 300_000), "no HTTP that can be read"),
    ],
)
async def test_an_answer_of_no_use_is_a_failure(
    world: World, sim: Simulator, service: Receiver, reply: Any, problem: str
) -> None:
    linked(world, service, errorPlayback="beef")
    service.reply = reply
    assert problem in await fails(world, sim)
    await sim.hooks.settle()
    assert len(service.of("/endCall")) == 1


async def test_a_service_that_hangs_has_its_time_limit(world: World, sim: Simulator, service: Receiver) -> None:
    linked(world, service, errorPlayback="beef", startRequestTimeout=50)
    service.hangs = True
    assert await fails(world, sim) == "No answer in time"
    (log, *_) = world.trackers.logs
    assert (log.kind, log.status, log.error) == ("start", None, "No answer in time")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (None, "No URL is set"),
        ("http://127.0.0.1:1/", "Cannot connect"),
        ("http://10.0.0.1/", "Only services on this machine are called"),
        ("http://[::ffff:10.0.0.1]/", "Only services on this machine are called"),
        ("http://169.254.169.254/latest/", "Only services on this machine are called"),
        ("http://localhost.example.com/", "Only services on this machine are called"),
        ("ftp://127.0.0.1/", "Only services on this machine are called"),
        ("http://127.0.0.1:99999/", "The URL is not valid"),
    ],
)
async def test_a_service_that_cannot_be_asked(world: World, sim: Simulator, url: str | None, problem: str) -> None:
    linked(world, "http://127.0.0.1:1", errorPlayback="beef", startRequestURL=url, endRequestURL=None)
    assert await fails(world, sim) == problem


async def test_a_blocked_tracker_is_not_asked(world: World, sim: Simulator, service: Receiver) -> None:
    linked(world, service, errorPlayback="beef")
    tracker = world.trackers.find("CT")
    assert tracker is not None
    world.trackers.block(tracker, True)
    assert await fails(world, sim) == "the tracker is blocked"
    await sim.hooks.settle()
    assert service.received == []
    assert list(world.trackers.logs) == []


async def test_a_wrong_key_is_a_failure(world: World, sim: Simulator, service: Receiver) -> None:
    linked(world, service, errorPlayback="beef", startRequestAPIKey="another")
    assert "HTTP status 401" in await fails(world, sim)


async def test_a_key_that_is_no_header_is_not_sent(world: World, sim: Simulator, service: Receiver) -> None:
    linked(world, service, errorPlayback="beef", startRequestAPIKey="a\r\nX: y")
    assert await fails(world, sim) == "The API key is no header"
    assert service.of("/startCall") == []


async def test_a_key_of_odd_characters_is_sent_as_far_as_it_can_be(
    world: World, sim: Simulator, service: Receiver
) -> None:
    linked(world, service, errorPlayback="beef", startRequestAPIKey="\ud800é")
    assert "HTTP status 401" in await fails(world, sim)
    assert service.of("/startCall")[0].keys == ["?é"]


async def test_a_caller_who_hangs_up_while_the_service_thinks(world: World, sim: Simulator, service: Receiver) -> None:
    linked(world, service)
    service.hangs = True
    there = await world.customer(CUSTOMER).dials(DID)
    await service.began.wait()
    service.hangs = False
    await there.hangs_up()
    cdr = await world.history.of(there)
    assert (cdr.result, cdr.cause) == ("cancel", "ORIGINATOR_CANCEL")
    await sim.hooks.of(there, "end")
    assert [found.kind for found in sim.hooks.sent] == ["end"]  # the other was never done
    assert sim.switch.legs == {}


async def test_a_caller_who_hangs_up_while_an_agent_rings(
    world: World, sim: Simulator, service: Receiver, connect: Connect
) -> None:
    linked(world, service)
    one, two = await phone(connect, world.agent("0011")), await phone(connect, world.agent("5555"))
    service.rules(call("0011", timeout=30), call("5555", timeout=30))
    there = await world.customer(CUSTOMER).dials(DID)
    await one.expect("verto.invite")
    await there.hangs_up()
    assert (await one.expect("verto.bye"))["cause"] == "ORIGINATOR_CANCEL"
    cdr = await world.history.of(there)
    assert (cdr.result, cdr.hung_up_by) == ("cancel", "originator")
    assert there.tracked is not None
    assert [tried.outcome for tried in there.tracked.tried] == ["ORIGINATOR_CANCEL"]
    assert sim.switch.legs == {}
    assert two.received.empty()


async def test_a_caller_who_hangs_up_while_somebody_outside_rings_or_talks(
    world: World, sim: Simulator, service: Receiver
) -> None:
    linked(world, service)
    far = world.customer("047654321").will(answer_after=None)
    service.rules(call("047654321", timeout=30), call("0505874603"))
    ringing = await world.customer(CUSTOMER).dials(DID)
    await ringing.reaches("ringing")
    await ringing.hangs_up()
    assert (await world.history.of(ringing)).result == "cancel"
    far.will(answer_after=0.0)
    talking = await world.customer(CUSTOMER).dials(DID)
    await talking.reaches("active")
    await talking.hangs_up()
    cdr = await world.history.of(talking)
    assert (cdr.result, cdr.hung_up_by, talking.cause) == ("answered", "originator", "NORMAL_CLEARING")
    for there in (ringing, talking):
        assert there.forward is not None
        assert there.forward.ended
        assert there.forward.timers == []


async def test_the_server_that_is_killed_while_a_rule_rings(
    world: World, sim: Simulator, service: Receiver, connect: Connect
) -> None:
    linked(world, service)
    client = await phone(connect, world.agent("0011"))
    service.rules(call("0011"), call("047654321"))
    there = await world.customer(CUSTOMER).dials(DID)
    await client.expect("verto.invite")
    await sim.faults.server_restart()
    cdr = await world.history.of(there)
    assert (cdr.cause, cdr.hung_up_by) == ("SYSTEM_SHUTDOWN", "unknown")
    assert there.forward is None


async def test_the_simulator_closes_with_requests_under_way(world: World, service: Receiver) -> None:
    linked(world, service)
    service.hangs = True
    async with Simulator(world) as sim:
        there = await world.customer(CUSTOMER).dials(DID)
        await service.began.wait()
    assert list(sim.hooks.sent) == []
    assert there.tracked is not None
    assert world.history.listeners == []


async def test_the_test_of_a_tracker_goes_the_same_way(
    world: World, sim: Simulator, service: Receiver, api: Api
) -> None:
    linked(world, service)
    answer = (await api("PUT", "/admin/callTrackers/1/test")).content
    assert (answer["startCall"]["status"], answer["endCall"]["status"]) == (200, 200)
    assert [found.call_id for found in sim.hooks.sent] == [answer["callID"]] * 2
