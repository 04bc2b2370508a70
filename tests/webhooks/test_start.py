"""What a start call carries, in which kind of body, and what comes again."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlencode

import pytest
from pydantic import ValidationError

from ziwo_async.errors import BadArgument
from ziwo_async.webhooks import Answer, EndCall, Rule, StartCall, TrackerService, call

from .serving import KEY, form, post, send, serve

FIELDS = {"didCalled": "061234567", "callID": "c-1", "callerIDNumber": "+971501234567", "x": "1"}
BODIES = {
    "multipart": form(**FIELDS),
    "urlencoded": (urlencode(FIELDS).encode(), b"application/x-www-form-urlencoded"),
    "JSON": (json.dumps(FIELDS).encode(), b"application/json"),
    "JSON, not said": (json.dumps(FIELDS).encode(), b""),
}


@pytest.mark.parametrize("kind", BODIES)
async def test_each_kind_of_body_is_the_same_call(server: str, kind: str) -> None:
    tracker = TrackerService(keys=[KEY])
    asked: list[StartCall] = []

    @tracker.on_start
    async def route(start: StartCall) -> Rule:
        asked.append(start)
        return call("1")

    async with serve(tracker, server) as port:
        assert (await send(port, post("/startCall", *BODIES[kind]))).status == 200
    (start,) = asked
    assert (start.did_called, start.call_id, start.caller) == ("061234567", "c-1", "+971501234567")
    assert start.model_extra == {"x": "1"}
    assert start.model_dump(by_alias=True) == FIELDS


async def test_the_name_of_the_callers_field_is_an_option(server: str) -> None:
    tracker = TrackerService(keys=[KEY], caller_field="ani")
    asked: list[StartCall] = []

    @tracker.on_start
    def route(start: StartCall) -> Rule:
        asked.append(start)
        return call("1")

    async with serve(tracker, server) as port:
        for fields in ({"ani": "1", "callerIDNumber": "2", "caller": "3"}, {"callerIDNumber": "2"}):
            assert (await send(port, post("/startCall", *form(didCalled="06", **fields)))).status == 200
    assert [(start.caller, start.model_extra) for start in asked] == [
        ("1", {"callerIDNumber": "2", "caller": "3"}),
        (None, {"callerIDNumber": "2"}),
    ]


def test_numbers_of_json_are_texts_and_secrets_are_hidden() -> None:
    start = StartCall.of({"didCalled": 61234567, "token": "t0p", "url": "https://u:p@x/", "did_called": "7"})
    assert start.did_called == "61234567"
    assert start.model_extra == {"token": "**********", "url": "https://***@x/", "did_called": "7"}
    assert "t0p" not in repr(start)
    for wrong in ({}, {"did_called": "06"}, {"didCalled": ""}, {"didCalled": None}, {"didCalled": ["1", "2"]}):
        with pytest.raises(ValidationError) as caught:
            StartCall.of(wrong)  # type: ignore[arg-type]
        assert "input_value" not in str(caught.value)


def test_odd_values_do_not_cost_the_call() -> None:
    for odd in (["1", "2"], {"a": 1}, True, 1.5):
        start = StartCall.of({"didCalled": "06", "callID": odd, "callerIDNumber": odd})  # type: ignore[dict-item]
        assert (start.call_id, start.caller) == (None, None)
        assert start.model_extra == {"callID": odd, "callerIDNumber": odd}
    for nothing in ("", None):
        start = StartCall.of({"didCalled": "06", "callID": nothing, "callerIDNumber": nothing})
        assert (start.call_id, start.caller, start.model_extra) == (None, None, {})
    start = StartCall.of({"didCalled": "06", "callID": 7, "ani": 971501234567}, caller_field="ani")
    assert (start.call_id, start.caller) == ("7", "971501234567")


# --- a request that comes again ---------------------------------------------------------------------------------------


class Route:
    """A handler that counts, and can be held up."""

    def __init__(self) -> None:
        self.count = 0
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.error: Exception | None = None

    async def __call__(self, start: StartCall) -> Rule:
        self.count += 1
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        return call(str(self.count))


def numbers(reply_bodies: list[bytes]) -> list[str]:
    return [json.loads(body)["content"]["rules"][0]["number"] for body in reply_bodies]


async def test_the_same_call_gets_the_same_answer_and_other_calls_their_own(server: str) -> None:
    route = Route()
    tracker = TrackerService(keys=[KEY])
    tracker.on_start(route)
    bodies = []
    async with serve(tracker, server) as port:
        for fields in (
            {"callID": "a"},
            {"callID": "a"},
            {"callID": "b"},
            {"callID": "a", "didCalled": "07"},
            {"callID": "a" * 300},
            {"callID": "a" * 300},
        ):
            bodies.append((await send(port, post("/startCall", *form(**{"didCalled": "06", **fields})))).body)
    assert numbers(bodies) == ["1", "1", "2", "3", "4", "5"]


async def test_without_an_id_each_request_is_a_call_of_its_own(server: str) -> None:
    route = Route()
    tracker = TrackerService(keys=[KEY])
    tracker.on_start(route)
    async with serve(tracker, server) as port:
        bodies = [(await send(port, post("/startCall", *form(didCalled="06")))).body for _ in range(3)]
    assert numbers(bodies) == ["1", "2", "3"]


async def test_the_same_call_fifty_times_at_once_is_decided_once(server: str) -> None:
    route = Route()
    route.go_on.clear()
    tracker = TrackerService(keys=[KEY], start_timeout=60)
    tracker.on_start(route)
    async with serve(tracker, server) as port:
        request = post("/startCall", *form(didCalled="06", callID="a"))
        requests = [asyncio.create_task(send(port, request)) for _ in range(50)]
        async with asyncio.timeout(30):
            while tracker.stats.repeated < 49:
                await asyncio.sleep(0.01)
        route.go_on.set()
        bodies = [reply.body for reply in await asyncio.gather(*requests)]
    assert numbers(bodies) == ["1"] * 50
    assert (route.count, tracker.stats.started) == (1, 1)


async def test_a_fallback_is_not_kept() -> None:
    route = Route()
    route.error = ValueError()
    tracker = TrackerService(keys=[KEY], fallback=[call("fallback")])
    tracker.on_start(route)
    async with serve(tracker, "aiohttp") as port:
        request = post("/startCall", *form(didCalled="06", callID="a"))
        first = (await send(port, request)).body
        route.error = None
        second = (await send(port, request)).body
    assert numbers([first, second]) == ["fallback", "2"]


async def test_answers_are_kept_for_half_a_minute_and_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ziwo_async.webhooks.tracker._MOST_KEPT", 3)
    monkeypatch.setattr("ziwo_async.webhooks.tracker._KEPT", 0.05)
    route = Route()
    tracker = TrackerService(keys=[KEY])
    tracker.on_start(route)
    async with serve(tracker, "aiohttp") as port:
        for number in range(8):
            await send(port, post("/startCall", *form(didCalled="06", callID=str(number))))
            assert len(tracker._answers) <= 3
        async with asyncio.timeout(30):
            while route.count < 9:
                await send(port, post("/startCall", *form(didCalled="06", callID="7")))


async def test_closing_waits_for_a_decision() -> None:
    route = Route()
    route.go_on.clear()
    tracker = TrackerService(keys=[KEY], fallback=[call("fallback")], start_timeout=60)
    tracker.on_start(route)
    async with serve(tracker, "aiohttp") as port:
        request = asyncio.create_task(send(port, post("/startCall", *form(didCalled="06", callID="a"))))
        async with asyncio.timeout(30):
            while route.count == 0:
                await asyncio.sleep(0.01)
            closing = asyncio.create_task(tracker.aclose())
            route.go_on.set()
            await closing
            assert numbers([(await request).body]) == ["1"]


# --- rules ------------------------------------------------------------------------------------------------------------


def test_a_rule_is_what_ziwo_shows() -> None:
    rule = call("0505874603", caller_id="042789926", timeout=10)
    assert rule == Rule("0505874603", "042789926", 10)
    assert rule.to_dict() == {"action": "call", "number": "0505874603", "callerID": "042789926", "timeout": 10}
    assert call("1").to_dict() == {"action": "call", "number": "1", "timeout": 20}


@pytest.mark.parametrize("number", ["", "  ", "1\n2", "\ud800", "1" * 65, 5, None])
def test_numbers_that_could_never_work_are_refused(number: str) -> None:
    with pytest.raises(BadArgument):
        call(number)
    if number is not None:
        with pytest.raises(BadArgument):
            call("1", caller_id=number)


@pytest.mark.parametrize("timeout", [0, -1, 3601, 1.5, True, "5", None])
def test_timeouts_that_could_never_work_are_refused(timeout: int) -> None:
    with pytest.raises(BadArgument, match="timeout"):
        call("1", timeout=timeout)


def test_extra_keys_cannot_replace_documented_ones() -> None:
    for key in ("action", "number", "callerID", "timeout"):
        with pytest.raises(BadArgument, match=key):
            call("1", extra={key: "x"})
    for key in ("didCalled", "rules"):
        with pytest.raises(BadArgument, match=key):
            Answer([call("1")], extra={key: "x"})
    with pytest.raises(BadArgument, match="action"):
        Rule("1", action="")


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), object(), "\ud800"])
def test_extra_keys_are_json(value: object) -> None:
    with pytest.raises(BadArgument, match="JSON"):
        Answer(extra={"x": value})  # type: ignore[dict-item]
    with pytest.raises(BadArgument, match="JSON"):
        call("1", extra={"x": value})  # type: ignore[dict-item]
    with pytest.raises(BadArgument, match="mapping"):
        Answer(extra=["x"])  # type: ignore[arg-type]


def test_extra_keys_are_a_copy() -> None:
    extra = {"a": {"b": [1]}}
    answer = Answer([call("1")], extra=extra)  # type: ignore[arg-type]
    extra["a"]["b"].append(2)
    assert answer.content("06")["a"] == {"b": [1]}


def test_an_end_call_that_is_old_is_late() -> None:
    assert EndCall.model_validate({"callID": "a", "endDateTime": "2016-07-10T11:37:03.000Z"}).late
    assert not EndCall.model_validate({"callID": "a", "endDateTime": "2999-01-01T00:00:00.000Z"}).late
    assert not EndCall.model_validate({"callID": "a"}).late
    assert EndCall.model_validate({"callID": "a", "id": None}).id == ""
