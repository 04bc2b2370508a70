"""ZIWO's own examples: each, as its page has it, gets the documented answer from the simulator, and is what we send.

The examples are in `tests/data/developers-page/requests.toml`.
"""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp import web

from ziwo_async import NullMedia, ZiwoClient
from ziwo_async.simulator import Simulator, World

TOKEN = "b10c6840-a9e7-11e8-8476-8d2a2f09b159"
HOST = "https://your-ziwo-api.aswat.co"
EAVESDROP = "e0a89fd6-f0da-481e-9372-622e6eb09ec2"
RECORDED = "fdf893f5-ff46-44a9-ac63-7491e7b09dce"
VOICEMAIL = "0c4a0ff6-7c5f-4a2b-9a44-0c1d7a5e1f10"


@dataclass(frozen=True)
class Example:
    """A curl command, taken apart."""

    name: str
    method: str
    path: str
    headers: dict[str, str]
    data: str | None
    form: dict[str, str]
    answer: Any

    @property
    def fields(self) -> dict[str, list[str]]:
        return parse_qs(self.data or "", keep_blank_values=True)


def example(entry: dict[str, str]) -> Example:
    words = iter(shlex.split(entry["curl"].replace("\\\n", " ")))
    assert next(words) == "curl"
    method, address, headers, data, form = "GET", "", {}, None, {}
    for word in words:
        match word:
            case "--location":
                pass
            case "--request":
                method = next(words)
            case "--header":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "--data":
                data = next(words)
            case "--form":
                name, _, value = next(words).partition("=")
                form[name] = value
            case _:
                assert word.startswith(HOST), word
                address = word.removeprefix(HOST)
    answer = json.loads(entry["answer"]) if "answer" in entry else None
    return Example(entry["name"], method, address, headers, data, form, answer)


PAGE = tomllib.loads((Path(__file__).parent / "data" / "developers-page" / "requests.toml").read_text())
EXAMPLES = {entry["name"]: example(entry) for entry in PAGE["request"]}
every_example = pytest.mark.parametrize("name", EXAMPLES)


# --- against the simulator ------------------------------------------------------------------------------------------


@pytest.fixture
async def centre() -> AsyncIterator[Simulator]:
    world = World("your-ziwo")
    urls = {f"{kind}RequestURL": f"http://127.0.0.1:7000/callTrackers/example/{kind}Call" for kind in ("start", "end")}
    world.add_tracker("CT", **urls)
    dead = {f"{kind}RequestURL": "http://127.0.0.1:9/" for kind in ("start", "end")}
    world.add_tracker("second", **dead)
    async with Simulator(world) as simulator:
        simulator.rest.accept_token(TOKEN, world.agent("0011"))
        world.history.add(id=46, customer="044508146", talk=16.0, call_id=RECORDED)
        world.history.add(customer="044508146", talk=5.0, voicemail=True, call_id=VOICEMAIL)
        yield simulator


async def send(url: str, wanted: Example) -> tuple[int, str, bytes]:
    """As curl does: --data is urlencoded, --form is multipart."""
    headers = dict(wanted.headers)
    body: Any = None
    if wanted.data is not None:
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        body = wanted.data.encode()
    elif wanted.form:
        body = aiohttp.FormData(default_to_multipart=True)
        for name, value in wanted.form.items():
            body.add_field(name, value)
    async with (
        aiohttp.ClientSession() as session,
        session.request(wanted.method, f"{url}{wanted.path}", headers=headers, data=body) as response,
    ):
        return response.status, response.content_type, await response.read()


def shape(answer: Any) -> Any:
    """An answer without what differs from call to call: ids."""
    text = json.dumps(answer)
    return json.loads(re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uuid>", text))


def holds(found: Any, documented: Any) -> bool:
    """Whether an answer has all that is documented; it may have more, as the page's examples break off."""
    if isinstance(documented, dict):
        return isinstance(found, dict) and all(
            key in found and holds(found[key], documented[key]) for key in documented
        )
    return bool(found == documented)


@every_example
async def test_the_documented_request_gets_the_documented_answer(name: str, centre: Simulator) -> None:
    wanted = EXAMPLES[name]
    world = centre.world
    phone = ZiwoClient(
        api_url=centre.api_url, username=world.agent("0011").username, password=world.agent("0011").password
    )
    async with phone:
        if "Eavesdrop" in name:
            # "the position needs to be connected before invoking this API"
            await phone.phone.start()
            centre.commands.spy_on_agent(world.agent("0011"), world.agent("5555"), {}, call_id=EAVESDROP)
        if "by name" in name:
            world.add_tracker("calltracker-01")
        status, kind, body = await send(centre.api_url, wanted)
    assert status == 200, body
    if "surveillance" in wanted.path:
        assert kind == "audio/mpeg"
        assert body[:3] == b"ID3" or body[0] == 0xFF
        return
    answer = json.loads(body)
    assert set(answer) == {"result", "content", "info"}, "the documented envelope"
    assert answer["result"] is True
    if wanted.answer is not None:
        assert holds(shape(answer), shape(wanted.answer)), answer
    if name == "Call History":
        assert answer["content"]["id"] == 46
        assert answer["content"]["callID"] == RECORDED


@every_example
async def test_without_its_token_no_example_works(name: str, centre: Simulator) -> None:
    wanted = EXAMPLES[name]
    if "example" in wanted.path:
        pytest.skip("these two need no token")
    bare = Example(name, wanted.method, wanted.path, {}, wanted.data, wanted.form, None)
    status, _, body = await send(centre.api_url, bare)
    assert status == 401
    assert json.loads(body)["result"] is False


# --- what our own methods send --------------------------------------------------------------------------------------

TRACKER = {
    "start_url": "https://ct.example.com/start.php",
    "start_timeout": 10,
    "end_url": "https://username:password@ct.example.com:8080/end.php",
    "end_timeout": 10,
}
OURS: dict[str, Callable[[ZiwoClient, Path], Awaitable[object]]] = {
    "Create Eavesdrop": lambda ziwo, _: ziwo.eavesdrops.create("5555"),
    "Update Eavesdrop": lambda ziwo, _: ziwo.eavesdrops.update(EAVESDROP, whisper="agent"),
    "Get Call Trackers": lambda ziwo, _: ziwo.trackers.list().first(),
    "Get Call Tracker": lambda ziwo, _: ziwo.trackers.get(1),
    "Create Call Tracker": lambda ziwo, _: ziwo.trackers.create("calltracker-01", **TRACKER),  # type: ignore[arg-type]
    "Update Call Tracker": lambda ziwo, _: ziwo.trackers.update(1, **TRACKER),  # type: ignore[arg-type]
    "Block Call Tracker": lambda ziwo, _: ziwo.trackers.block(1),
    "Block Call Tracker by name": lambda ziwo, _: ziwo.trackers.block("calltracker-01"),
    "Unblock Call Tracker": lambda ziwo, _: ziwo.trackers.unblock(1),
    "Get Call Tracker Request Logs": lambda ziwo, _: ziwo.trackers.logs(
        from_date=date(2015, 1, 1), to_date=date(2017, 1, 1), trackers=[1]
    ).first(),
    "Test Call Tracker": lambda ziwo, _: ziwo.trackers.test(2),
    "Delete Call Tracker": lambda ziwo, _: ziwo.trackers.delete(1),
    "Delete Call Tracker by name": lambda ziwo, _: ziwo.trackers.delete("calltracker-01"),
    "Call History": lambda ziwo, _: ziwo.calls.get(46),
    "Fetch Recordings": lambda ziwo, folder: ziwo.recordings.download(RECORDED, folder, route="surveillance"),
    "Fetch Voicemail": lambda ziwo, folder: ziwo.voicemails.download(VOICEMAIL, folder),
}


def test_every_example_has_a_method_of_ours_but_the_two_that_ziwo_sends_to_others() -> None:
    assert set(EXAMPLES) - set(OURS) == {"Start Call example", "End call example"}


@pytest.mark.parametrize("name", OURS)
async def test_our_method_sends_the_documented_request(name: str, tmp_path: Path) -> None:
    wanted = EXAMPLES[name]
    seen: list[tuple[str, str, dict[str, list[str]], dict[str, list[str]], str]] = []

    async def note(request: web.Request) -> web.Response:
        query = parse_qs(request.query_string, keep_blank_values=True)
        fields = parse_qs(await request.text(), keep_blank_values=True)
        seen.append((request.method, request.path, query, fields, request.headers["access_token"]))
        if request.path.endswith(".mp3"):
            return web.Response(body=b"\xff\xfb\x90\x00" + bytes(200), content_type="audio/mpeg")
        content = {"callID": EAVESDROP, "id": 1, "name": "CT"}
        return web.json_response({"result": True, "content": content, "info": {}})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", note)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with ZiwoClient(
            api_url=f"http://127.0.0.1:{runner.addresses[0][1]}", token=TOKEN, media=NullMedia()
        ) as ziwo:
            await OURS[name](ziwo, tmp_path)
    finally:
        await runner.cleanup()
    ((method, path, query, fields, token),) = seen
    address = urlsplit(wanted.path)
    assert (method, path, token) == (wanted.method, address.path, TOKEN)
    documented = parse_qs(address.query, keep_blank_values=True)
    # The page size of the example is its own; filters that say nothing may be left out.
    assert {k: v for k, v in query.items() if k != "limit"} == {
        key: value for key, value in documented.items() if key != "limit" and value != [""]
    }
    assert {key: value for key, value in fields.items() if value != [""]} == {
        key: value for key, value in wanted.fields.items() if value != [""]
    }
