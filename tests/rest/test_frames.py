"""What an error tracker would show: the variables of our frames, and of aiohttp's, in a traceback."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable

import pytest
from aiohttp import web
from pydantic import SecretStr

from ziwo_async import ZiwoError
from ziwo_async.rest.auth import Credentials
from ziwo_async.rest.calls import CallsResource
from ziwo_async.rest.own_agent import OwnAgentResource
from ziwo_async.rest.recordings import RecordingsResource
from ziwo_async.rest.session import SessionResource
from ziwo_async.rest.trackers import CallTrackersResource

UUID = "5d2f3c1a-7f0e-4f6e-9d8b-0a1b2c3d4e5f"


async def frames(work: Awaitable[object]) -> str:
    """Give the variables of all frames but that of the test, and of each error that the error came from."""
    try:
        await work
    except (ZiwoError, TimeoutError) as error:
        found: list[str] = []
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        while shown is not None:
            found += [str(frame.locals) for frame in shown.stack if "/tests/" not in frame.filename]
            shown = shown.__cause__ or shown.__context__
        assert found
        return "\n".join(found)
    raise AssertionError("it should have failed")


@pytest.fixture
def silent(ziwo):
    async def handler(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    return handler


async def within(seconds: float, work: Awaitable[object]) -> None:
    async with asyncio.timeout(seconds):
        await work


async def test_a_time_limit_of_the_program_during_a_login(kit, ziwo, silent):
    ziwo.on("POST", "/auth/login", silent)
    shown = await frames(within(0.05, kit.transport(ziwo.url).login()))
    assert "CANARY" not in shown
    assert "password=SecretStr('**********')" in shown  # what our own frames have of it


async def test_a_time_limit_of_the_program_while_a_signed_address_is_opened(kit, ziwo, silent):
    ziwo.on("GET", "/signed", silent)
    transport = kit.transport(ziwo.url, Credentials.from_token("CANARY-t"))

    async def read() -> None:
        async with transport.stream(SecretStr(f"{ziwo.url}/signed?sig=CANARY-signed")):
            pass

    assert "CANARY" not in await frames(within(0.05, read()))


@pytest.mark.parametrize(
    "answer",
    [
        {"result": True, "content": {"ccPassword": "CANARY-cc", "id": "x"}},
        {"result": True, "content": [{"ccPassword": "CANARY-cc"}]},
        {"result": False, "content": {"ccPassword": "CANARY-cc"}, "error": {"message": "no"}},
    ],
)
async def test_the_content_of_an_answer_that_cannot_be_read(kit, ziwo, answer):
    ziwo.answers("GET", "/profile", lambda: web.json_response(answer))
    ziwo.answers("GET", "/agents/channels/calls/listQueues", lambda: web.json_response(answer))
    transport = kit.transport(ziwo.url)
    assert "CANARY" not in await frames(SessionResource(transport).profile())
    assert "CANARY" not in await frames(OwnAgentResource(transport).queues())


async def test_a_login_answer_whose_token_cannot_be_used(kit, ziwo):
    ziwo.answers("POST", "/auth/login", lambda: kit.ok({"access_token": "CANARY\r\nX: y"}))
    assert "CANARY" not in await frames(kit.transport(ziwo.url).login())


async def test_secrets_in_arguments(kit, ziwo):
    for method, path in (("PUT", "/agents"), ("PUT", "/auth/device"), ("POST", "/admin/callTrackers")):
        ziwo.answers(method, path, lambda: kit.failed(400, "no"))
    ziwo.answers("PUT", "/admin/callTrackers/1", lambda: kit.failed(400, "no"))
    transport = kit.transport(ziwo.url)
    agent, trackers = OwnAgentResource(transport), CallTrackersResource(transport)
    hook = "https://user:CANARY@ct.example.com/start"
    for work in (
        agent.update_profile(password="CANARY-new", current_password="CANARY-old"),
        SessionResource(transport).register_device("CANARY-device"),
        trackers.create("x", start_url=hook, end_url=hook, start_api_key="CANARY-key", end_api_key="CANARY-key"),
        trackers.create("x", start_url="CANARY:CANARY", end_url=hook),
        trackers.update(1, start_url=hook, end_api_key="CANARY-key"),
    ):
        assert "CANARY" not in await frames(work)
    assert ziwo.count("PUT", "/agents") == 1


@pytest.mark.parametrize("answer", [404, 302, 200])
async def test_a_signed_address(kit, ziwo, elsewhere, tmp_path, answer):
    signed = f"{elsewhere.url}/CANARY-path?sig=CANARY-sig"
    ziwo.answers("GET", f"/callHistory/{UUID}/recording/signed-url", lambda: kit.ok({"url": signed}))
    location = {"Location": "http://example.com/?sig=CANARY-other"} if answer == 302 else {}
    elsewhere.answers("GET", "/CANARY-path", lambda: web.Response(status=answer, text="<html>", headers=location))
    recordings = RecordingsResource(kit.transport(ziwo.url), retry=kit.quick)
    work = recordings.download(UUID, tmp_path / "x.mp3", route="signed", wait=0.0)
    assert "CANARY" not in await frames(work)


async def test_a_record_of_the_history(kit, ziwo):
    ziwo.answers("GET", "/callHistory/7", lambda: kit.ok("CANARY-text"))
    assert "CANARY" not in await frames(CallsResource(kit.transport(ziwo.url)).get(7))
