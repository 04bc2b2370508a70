"""The ASGI application under a driver of our own: what no server of the tests does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from ziwo_async.webhooks import EndCall, TrackerService, call
from ziwo_async.webhooks.asgi import AsgiApp

from .serving import KEY

BODY = b'{"didCalled": "06"}'


def tracker() -> TrackerService:
    return TrackerService(keys=[KEY], fallback=[call("1")])


async def ask(
    app: AsgiApp, path: str = "/startCall", bodies: Sequence[dict[str, Any]] | None = None, **scope: Any
) -> list[dict[str, Any]]:
    """Make one request; give what was sent."""
    messages = list(bodies if bodies is not None else [{"type": "http.request", "body": BODY, "more_body": False}])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [[b"x-api-key", KEY.encode()], [b"content-type", b"application/json"]]
    whole = {"type": "http", "method": "POST", "path": path, "headers": headers, "http_version": "1.1", **scope}
    await app(whole, receive, send)
    return sent


async def test_an_answer_is_two_messages() -> None:
    start, body = await ask(tracker().asgi())
    assert (start["type"], start["status"], body["type"]) == ("http.response.start", 200, "http.response.body")
    assert dict(start["headers"])[b"content-length"] == str(len(body["body"])).encode()
    assert json.loads(body["body"])["content"]["rules"][0]["number"] == "1"


async def test_a_body_may_come_in_pieces_with_nothing_in_them() -> None:
    pieces = [{"type": "http.request", "body": BODY[at : at + 1], "more_body": True} for at in range(len(BODY))]
    pieces += [{"type": "http.request", "more_body": True}, {"type": "http.request"}]
    assert (await ask(tracker().asgi(), bodies=pieces))[0]["status"] == 200


async def test_a_client_that_has_gone_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    service = tracker()
    sent = await ask(
        service.asgi(), bodies=[{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    )
    assert sent[0]["status"] == 400
    assert service.stats.started == 0
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize(
    ("prefix", "path", "root", "status"),
    [
        ("", "/startCall", "", 200),
        ("", "/hooks/startCall", "/hooks", 200),  # mounted, by the standard
        ("", "/hooks/startCall", "/hooks/", 200),
        ("", "/startCall", "/hooks", 200),  # mounted by an older framework
        ("/v1", "/hooks/v1/startCall", "/hooks", 200),
        ("/v1", "/v1/startCall", "", 200),
        ("/v1", "/startCall", "", 404),
        ("/v1", "/v1startCall", "", 404),
        ("", "/hooksstartCall", "/hooks", 404),
        ("", "/hooks/startCall", "", 404),
        ("", "", "", 404),
    ],
)
async def test_where_it_is_mounted(prefix: str, path: str, root: str, status: int) -> None:
    assert (await ask(tracker().asgi(prefix), path, root_path=root))[0]["status"] == status


async def test_a_slash_that_a_framework_added_is_none_of_the_path() -> None:
    # As Litestar mounts: what the client sent is in raw_path alone.
    for raw, status in ((b"/hooks/startCall", 200), (b"/hooks/startCall/", 404)):
        assert (await ask(tracker().asgi(), "/startCall/", raw_path=raw))[0]["status"] == status
    assert (await ask(tracker().asgi(), "/startCall/"))[0]["status"] == 404


async def test_a_connection_of_http_2_is_not_closed_for_one_request() -> None:
    for version, closes in (("1.1", True), ("2", False), ("3", False)):
        start, _ = await ask(tracker().asgi(), "/nothing", http_version=version)
        assert (b"connection" in dict(start["headers"])) is closes


async def test_a_websocket_is_refused_and_other_connections_are_left_alone() -> None:
    sent = await ask(tracker().asgi(), bodies=[{"type": "websocket.connect"}], type="websocket")
    assert sent == [{"type": "websocket.close", "code": 1000}]
    assert await ask(tracker().asgi(), bodies=[], type="something new") == []


async def test_the_end_of_the_server_waits_for_the_handlers() -> None:
    service = tracker()
    began, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @service.on_end
    async def handler(end: EndCall) -> None:
        began.set()
        await go_on.wait()
        ended.set()

    app = service.asgi()
    body = [{"type": "http.request", "body": b'{"callID": "a"}'}]
    request = asyncio.create_task(ask(app, "/endCall", bodies=body))
    await began.wait()
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    sent: asyncio.Queue[Any] = asyncio.Queue()
    life = asyncio.create_task(app({"type": "lifespan"}, messages.get, sent.put))
    async with asyncio.timeout(30):
        messages.put_nowait({"type": "lifespan.startup"})
        assert await sent.get() == {"type": "lifespan.startup.complete"}
        messages.put_nowait({"type": "lifespan.shutdown"})
        go_on.set()
        assert await sent.get() == {"type": "lifespan.shutdown.complete"}
        await life
        assert ended.is_set()
        assert (await request)[0]["status"] == 200


async def test_handlers_that_do_not_end_are_cancelled_when_it_closes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ziwo_async.webhooks.service._PATIENCE", 0.05)
    service = tracker()
    began = asyncio.Event()

    @service.on_end
    async def handler(end: EndCall) -> None:
        began.set()
        await asyncio.Event().wait()

    request = asyncio.create_task(
        ask(service.asgi(), "/endCall", bodies=[{"type": "http.request", "body": b'{"callID": "a"}'}])
    )
    await began.wait()
    await service.aclose()
    assert (await request)[0]["status"] == 503
    assert "1 handlers were cancelled" in caplog.text
    assert {task for task in asyncio.all_tasks() if task is not asyncio.current_task()} == set()
    # Its claim is free again.
    began.clear()
    again = asyncio.create_task(
        ask(service.asgi(), "/endCall", bodies=[{"type": "http.request", "body": b'{"callID": "a"}'}])
    )
    await began.wait()
    await service.aclose()
    await again
