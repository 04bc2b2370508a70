"""The CDR web hook: the same guard, once for each call and action."""

from __future__ import annotations

import asyncio
import json

import pytest

from ziwo_async import CallResult
from ziwo_async.errors import ConfigError, HandlerRejected
from ziwo_async.webhooks import CdrHook, EndCall, MemoryOnce, TrackerService, call

from .serving import KEY, form, post, send, serve

CDR = {
    "id": 5,
    "callID": "a",
    "direction": "inbound",
    "result": "no-answer",
    "didCalled": "061234567",
    "callerIDNumber": "0501234567",
    "duration": 12,
    "recordingFile": None,
    "extendedInfo": {"agents": {"ccPassword": "s3cret"}},
}


def cdr(action: object = "create", content: object = None) -> bytes:
    return post("/cdr", json.dumps({"action": action, "content": CDR if content is None else content}).encode())


async def test_a_cdr_is_typed_and_handled_once_for_each_action(server: str) -> None:
    hook = CdrHook(keys=[KEY])
    told: list[tuple[EndCall, str]] = []

    @hook.on_cdr
    async def on_cdr(found: EndCall, action: str) -> None:
        told.append((found, action))

    async with serve(hook, server) as port:
        replies = await asyncio.gather(*(send(port, cdr()) for _ in range(100)))
        replies.append(await send(port, cdr("update")))
        replies.append(await send(port, cdr("create", {**CDR, "callID": "b"})))
    assert {(reply.status, reply.body) for reply in replies} == {
        (200, b'{"result":true,"content":{},"info":{}}'),
    }
    assert [(found.call_id, action) for found, action in told] == [("a", "create"), ("a", "update"), ("b", "create")]
    found = told[0][0]
    assert (found.result, found.missed, found.customer_number) == (CallResult.NO_ANSWER, True, "0501234567")
    assert "s3cret" not in repr(found)
    assert hook.stats.handled == 3


async def test_the_guard_is_the_same(server: str) -> None:
    hook = CdrHook(keys=[KEY])
    hook.on_cdr(lambda found, action: pytest.fail("it ran"))
    body = json.dumps({"action": "create", "content": CDR}).encode()
    async with serve(hook, server) as port:
        for keys in ((), (b"",), (b"\xff" * 20,), (KEY.encode(), KEY.encode())):
            assert (await send(port, post("/cdr", body, keys=keys))).status == 401


@pytest.mark.parametrize(
    "request_bytes",
    [
        cdr(action=""),
        cdr(action=5),
        cdr(action="x" * 100),
        cdr(content=[]),
        cdr(content={}),
        cdr(content={"callID": {}}),
        post("/cdr", b"{}"),
        post("/cdr", *form(action="create")),
    ],
)
async def test_what_is_no_cdr_is_400(request_bytes: bytes) -> None:
    async with serve(CdrHook(keys=[KEY]), "aiohttp") as port:
        assert (await send(port, request_bytes)).status == 400


async def test_a_hook_and_a_tracker_may_share_a_store_and_an_application(server: str) -> None:
    once = MemoryOnce()
    tracker, hook = TrackerService(keys=[KEY], once=once), CdrHook(keys=[KEY], once=once, path="/records")
    told: list[str] = []
    tracker.on_end(lambda end: told.append("end"))
    hook.on_cdr(lambda found, action: told.append("cdr"))
    async with serve(tracker, server, "/hooks") as one, serve(hook, server, "/hooks/v1") as two:
        body = json.dumps({"action": "create", "content": CDR}).encode()
        for _ in range(2):
            assert (await send(one, post("/hooks/endCall", json.dumps(CDR).encode()))).status == 200
            assert (await send(two, post("/hooks/v1/records", body))).status == 200
            assert (await send(two, post("/records", body))).status == 404
    assert told == ["end", "cdr"]


def test_what_makes_no_sense_is_refused() -> None:
    hook = CdrHook(keys=[KEY])
    with pytest.raises(HandlerRejected, match="2 arguments"):
        hook.on_cdr(lambda found: None)  # type: ignore[misc, arg-type]
    hook.on_cdr(lambda found, action: None)
    with pytest.raises(HandlerRejected, match="already"):
        hook.on_cdr(lambda found, action: None)
    with pytest.raises(ConfigError):
        CdrHook(keys=[KEY], path="cdr")
    for prefix in ("hooks", "/hooks/", "/", "/{a}", "/a?b"):
        with pytest.raises(ConfigError, match="prefix"):
            hook.routes(prefix)
        with pytest.raises(ConfigError, match="prefix"):
            hook.asgi(prefix)
    assert call("1").number == "1"
