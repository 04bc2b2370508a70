"""A start call gets an answer in time, whatever its handler does."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from ziwo_async.errors import ConfigError, HandlerRejected
from ziwo_async.webhooks import Answer, Decision, Rule, StartCall, TrackerService, call
from ziwo_async.webhooks.request import HookRequest

from .serving import KEY, form, post, send, serve

FALLBACK = [call("0505874603", timeout=20)]
START = StartCall(did_called="061234567")


def service(function: Callable[..., Any] | None = None, *, deadline: float = 20.0, **more: Any) -> TrackerService:
    tracker = TrackerService(keys=[KEY], start_timeout=30.0, deadline=deadline, **{"fallback": FALLBACK, **more})
    if function is not None:
        tracker.on_start(function)
    return tracker


async def decide(function: Callable[..., Any], **more: Any) -> Decision:
    return await service(function, **more).decide(START)


# --- hanging ----------------------------------------------------------------------------------------------------------


async def test_a_handler_that_hangs_gets_the_fallback_on_both_servers(server: str) -> None:
    cancelled = asyncio.Event()

    async def hang(start: StartCall) -> Rule:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    tracker = service(hang, deadline=0.1)
    async with serve(tracker, server) as port:
        reply = await send(port, post("/startCall", *form(didCalled="061234567")))
        async with asyncio.timeout(30):
            await cancelled.wait()
    assert reply.status == 200
    assert json.loads(reply.body)["content"] == {
        "didCalled": "061234567",
        "rules": [{"action": "call", "number": "0505874603", "timeout": 20}],
    }
    assert (tracker.stats.timed_out, tracker.stats.fell_back, tracker.stats.started) == (1, 1, 1)


async def test_a_handler_that_does_not_heed_its_cancellation_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    free = asyncio.Event()
    ended: list[str] = []

    async def stubborn(start: StartCall) -> Rule:
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                ended.append("cancelled")
        raise RuntimeError("too late for anybody")

    tracker = service(stubborn, deadline=0.05)
    decision = await tracker.decide(START)
    assert decision.source == "fallback"
    assert decision.problem == "the handler took more than 0.1 s"
    assert "the fallback is sent" in caplog.text
    free.set()
    await tracker.aclose()
    assert ended == ["cancelled"]


async def test_a_plain_handler_that_hangs_in_its_thread_gets_the_fallback() -> None:
    free = threading.Event()
    try:
        decision = await decide(lambda start: free.wait(60), deadline=0.1)
    finally:
        free.set()
    assert (decision.source, list(decision.answer.rules)) == ("fallback", FALLBACK)


async def test_hanging_threads_do_not_keep_the_other_calls_waiting() -> None:
    free = threading.Event()
    tracker = service(lambda start: free.wait(60), deadline=0.2)
    try:
        decisions = await asyncio.gather(*(tracker.decide(START) for _ in range(100)))
    finally:
        free.set()
    assert {decision.source for decision in decisions} == {"fallback"}
    await tracker.aclose()


async def test_calls_do_not_pile_up_behind_threads_that_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ziwo_async.webhooks.handler._MOST_GIVEN_UP", 50)
    free = threading.Event()
    hangs = True

    def handler(start: StartCall) -> Rule:
        if hangs:
            free.wait(60)
        return call("1")

    tracker, patient = service(handler), service(handler)
    try:
        for each in (tracker, patient):
            each._deadline = 0.2
            await asyncio.gather(*(each.decide(START) for _ in range(32 + 50)))
            each._deadline = 20.0
            decision = await each.decide(START)  # at once: nobody waits for a thread any more
            assert (decision.source, decision.problem) == ("fallback", "the handler failed: RuntimeError")
        # Closed, it gets new threads; else it begins again when one of the old ones is free.
        hangs = False
        await tracker.aclose()
        assert (await tracker.decide(START)).source == "handler"
    finally:
        free.set()
    async with asyncio.timeout(30):
        while (await patient.decide(START)).source != "handler":
            await asyncio.sleep(0.01)
    await patient.aclose()


async def test_the_time_counts_from_the_arrival_of_the_request() -> None:
    async def waits(start: StartCall) -> Rule:
        await asyncio.Event().wait()
        raise AssertionError

    tracker = service(waits)
    body, kind = form(didCalled="061234567")
    headers = [(b"x-api-key", KEY.encode()), (b"content-type", kind)]

    async def chunks() -> AsyncIterator[bytes]:
        yield body

    # Reading the body took all of the 20 seconds.
    arrived = asyncio.get_running_loop().time() - 20.0
    request = HookRequest("POST", "/startCall", headers, chunks(), whole=None, arrived=arrived)
    response = await tracker.handle(request)
    assert response.status == 200
    assert (tracker.stats.timed_out, tracker.stats.fell_back) == (1, 1)


async def test_being_cancelled_cancels_the_handler() -> None:
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(start: StartCall) -> Rule:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    task = asyncio.create_task(decide(handler))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await cancelled.wait()


# --- failing ----------------------------------------------------------------------------------------------------------


def raises(error: BaseException) -> Callable[[StartCall], Rule]:
    def handler(start: StartCall) -> Rule:
        raise error

    return handler


def raises_later(error: BaseException) -> Callable[[StartCall], Any]:
    async def handler(start: StartCall) -> Rule:
        raise error

    return handler


class OutOfOrder(BaseException):
    """As some libraries' own timeouts are: no `Exception`."""


@pytest.mark.parametrize(
    "error",
    [
        ValueError("secret of a customer"),
        TimeoutError(),
        asyncio.CancelledError(),
        SystemExit(3),
        StopIteration(1),
        OutOfOrder("secret of a customer"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("make", [raises, raises_later])
async def test_a_handler_that_raises_gets_the_fallback(
    make: Callable[[BaseException], Callable[..., Any]], error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = service(make(error))
    decision = await tracker.decide(START)
    assert (decision.source, list(decision.answer.rules)) == ("fallback", FALLBACK)
    assert decision.problem is not None
    assert decision.problem.startswith("the handler failed: ")
    assert "secret" not in decision.problem
    assert (tracker.stats.failed, tracker.stats.timed_out) == (1, 0)
    assert caplog.records[0].name == "ziwo_async.webhooks"
    assert caplog.records[0].exc_info is not None


@pytest.mark.parametrize(
    "nonsense", ["0505874603", 5, True, {"rules": []}, [call("1"), "2"], ["1"], b"1", {call("1").number}, object()]
)
async def test_an_answer_that_is_nonsense_gets_the_fallback(nonsense: object) -> None:
    decision = await decide(lambda start: nonsense)
    assert (decision.source, decision.problem) == ("fallback", "the handler failed: BadArgument")


@pytest.mark.parametrize("nothing", [None, [], ()])
async def test_no_rules_are_no_failure_but_get_the_fallback_too(nothing: object) -> None:
    tracker = service(lambda start: nothing)
    decision = await tracker.decide(START)
    assert (decision.source, decision.problem) == ("fallback", "the handler gave no rules")
    assert (tracker.stats.failed, tracker.stats.fell_back) == (0, 1)


async def test_a_wish_for_no_rules_is_said_with_an_answer(server: str) -> None:
    async with serve(service(lambda start: Answer(extra={"voicemail": True})), server) as port:
        reply = await send(port, post("/startCall", *form(didCalled="06")))
    assert json.loads(reply.body)["content"] == {"didCalled": "06", "rules": [], "voicemail": True}


async def test_without_a_fallback_the_request_fails_so_that_the_caller_hears_the_error_playback(server: str) -> None:
    tracker = service(raises(ValueError()), fallback=())
    async with serve(tracker, server) as port:
        reply = await send(port, post("/startCall", *form(didCalled="06")))
        assert (reply.status, json.loads(reply.body)["result"]) == (500, False)
        assert "connection" not in reply.headers or reply.headers["connection"] == "keep-alive"


async def test_without_a_handler_the_fallback_is_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    tracker = service(fallback=Answer(FALLBACK, extra={"voicemail": True}))
    decision = await tracker.decide(START)
    assert (decision.source, decision.problem, decision.answer.extra) == ("fallback", None, {"voicemail": True})
    assert not caplog.records


# --- kinds of handlers --------------------------------------------------------------------------------------------


class Callables:
    def method(self, start: StartCall) -> Rule:
        return call(start.did_called)

    async def later(self, start: StartCall) -> Rule:
        return call(start.did_called)

    async def __call__(self, start: StartCall) -> tuple[Rule, ...]:
        return (call(start.did_called),)


@pytest.mark.parametrize(
    "handler",
    [
        Callables().method,
        Callables().later,
        Callables(),
        functools.partial(Callables.later, Callables()),
        lambda start: [call(start.did_called)],
        lambda start: Callables().later(start),
        lambda start, more=1: Answer([call(start.did_called)]),
    ],
)
async def test_all_kinds_of_functions_are_handlers(handler: Callable[..., Any]) -> None:
    decision = await decide(handler)
    assert (decision.source, decision.problem) == ("handler", None)
    assert [rule.number for rule in decision.answer.rules] == ["061234567"]
    assert decision.seconds >= 0


async def test_a_plain_handler_does_not_stop_the_loop_and_an_async_one_runs_in_it() -> None:
    loop_thread = threading.get_ident()
    threads: list[int] = []

    async def here(start: StartCall) -> Rule:
        threads.append(threading.get_ident())
        return call("1")

    def there(start: StartCall) -> Rule:
        threads.append(threading.get_ident())
        return call("1")

    await decide(here)
    await decide(there)
    assert threads[0] == loop_thread != threads[1]


@pytest.mark.parametrize("wrong", [lambda: None, lambda a, b: None, "text", None, 5])
def test_what_cannot_be_called_with_a_call_is_refused(wrong: Any) -> None:
    with pytest.raises(HandlerRejected):
        service(wrong if wrong is not None else object())
    with pytest.raises(HandlerRejected):
        service().on_end(wrong)


def test_a_second_handler_is_refused() -> None:
    tracker = service(lambda start: call("1"))
    with pytest.raises(HandlerRejected, match="already"):
        tracker.on_start(lambda start: call("1"))
    tracker.on_end(lambda end: None)
    with pytest.raises(HandlerRejected, match="already"):
        tracker.on_end(lambda end: None)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"start_timeout": 0}, "start_timeout"),
        ({"deadline": 11.0}, "deadline"),
        ({"deadline": 0}, "deadline"),
        ({"start_path": "startCall"}, "start_path"),
        ({"start_path": "/{x}"}, "start_path"),
        ({"end_path": "/end/"}, "end_path"),
        ({"end_path": "/startCall"}, "two hooks"),
        ({"caller_field": ""}, "caller_field"),
        ({"caller_field": "didCalled"}, "caller_field"),
        ({"fallback": "0505874603"}, "sequence of rules"),
        ({"fallback": ["0505874603"]}, "sequence of rules"),
        ({"end_timeout": 0}, "time limit"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        TrackerService(keys=[KEY], **options)


def test_by_default_a_fifth_of_the_time_is_left_for_the_way_back() -> None:
    assert TrackerService(keys=[KEY], start_timeout=5.0)._deadline == pytest.approx(4.0)


async def test_the_log_of_a_failure_has_no_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serve(service(raises(ValueError("x"))), "aiohttp") as port:
        await send(port, post("/startCall", *form(didCalled="06")))
    assert "the handler failed" in caplog.text
    assert KEY not in caplog.text
