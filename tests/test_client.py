"""The front door: construction, `from_env`, borrowed HTTP sessions, and `run()` with its exit codes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from ziwo_async import (
    EXIT_CODES,
    BadArgument,
    CallGone,
    ConfigError,
    Credentials,
    DuplicateSession,
    HandlerRejected,
    RequestTimeout,
    Ringing,
    Router,
    SessionReady,
    ZiwoClient,
    ZiwoError,
    exit_code,
)
from ziwo_async.errors import BadCredentials, CannotConnect, ClientClosed, SessionTakenOver

from .phone.kit import Desk, contact_centre, environment_of, nothing_left, until, within


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with nothing_left(), contact_centre() as made:
        yield made


async def test_rest_alone_opens_no_phone(desk: Desk) -> None:
    async with desk.client() as client:
        assert (await client.session.profile()).cc_login == "5555"
        assert (await client.request("GET", "/profile")).content["ccLogin"] == "5555"  # type: ignore[index,call-overload]
    assert desk.sim.journal.frames("in") == []


async def test_a_borrowed_http_session_is_not_closed(desk: Desk) -> None:
    async with aiohttp.ClientSession() as http:
        client = desk.client(http=http)
        async with client, client.phone:
            assert client.phone.ready
        assert not http.closed
        assert "access_token" not in http.headers
    assert http.closed


async def test_a_token_is_enough(desk: Desk) -> None:
    async with desk.client() as first:
        login = await first.request(
            "POST", "/auth/login", form={"username": desk.agent.username, "password": desk.agent.password}
        )
        token = login.content["access_token"]  # type: ignore[index,call-overload]
        second = desk.client(token=token)
        async with second, second.phone:
            assert second.phone.login == "agent-5555"
        assert "by token" in repr(second)


async def test_a_provider_is_asked_for_credentials(desk: Desk) -> None:
    asked: list[int] = []

    async def provider() -> Credentials:
        asked.append(1)
        return Credentials.from_password(desk.agent.username, desk.agent.password)

    client = desk.client(credentials=provider)
    async with client, client.phone:
        assert asked == [1]


def test_credentials_of_two_kinds_are_refused() -> None:
    async def provider() -> Credentials:
        raise AssertionError

    with pytest.raises(ConfigError, match="not both"):
        ZiwoClient("acme", username="u", password="p", credentials=provider)
    with pytest.raises(ConfigError):
        ZiwoClient("acme")
    with pytest.raises(ConfigError):
        ZiwoClient(username="u", password="p")


async def test_a_secret_string_is_taken_for_password_token_and_session_id(desk: Desk) -> None:
    sessid = SecretStr("5a1c0e1e-0000-4000-8000-000000000009")
    client = desk.client(password=SecretStr(desk.agent.password), session_id=sessid)
    async with client, client.phone:
        assert sessid.get_secret_value() in desk.sim.journal.frames("in")[0]


async def test_a_router_given_is_used_and_more_can_be_included(desk: Desk) -> None:
    rang: list[str] = []
    one, two = Router(), Router()

    @one.on(Ringing)
    async def first(call: object, event: Ringing) -> None:
        rang.append("one")

    @two.on(Ringing)
    async def second(call: object, event: Ringing) -> None:
        rang.append("two")

    client = desk.client(router=one)
    client.include(two)
    with pytest.raises(HandlerRejected):
        client.include(one)
    async with client, client.phone:
        await desk.rings(client.phone)
        await until(lambda: len(rang) == 2)
    assert rang == ["one", "two"]


async def test_from_env_reads_the_variables(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_of(desk.agent, desk.sim.api_url).items():
        monkeypatch.setenv(name, value)
    router = Router()
    router.include(desk.seen.router)
    client = ZiwoClient.from_env(router=router)
    async with client, client.phone:
        assert isinstance(desk.seen.events[0], SessionReady)
    monkeypatch.delenv("ZIWO_PASSWORD")
    with pytest.raises(ConfigError, match="ZIWO_PASSWORD"):
        ZiwoClient.from_env()


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (SessionTakenOver("x"), "taken over"),
        (ConfigError("x"), "configuration"),
        (BadCredentials("x"), "authentication"),
        (CannotConnect("x"), "connection"),
        (ClientClosed("x"), "failed"),
        # The nearest class decides, not the first base: these are subclasses of the ones above.
        (DuplicateSession("x"), "authentication"),
        (BadArgument("x"), "configuration"),
        (RequestTimeout("x"), "connection"),
        (CallGone("x", call_id="c"), "failed"),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: ZiwoError, word: str) -> None:
    assert exit_code(error) == EXIT_CODES[word]


# -- run(), in a process of its own ---------------------------------------------------------------------------------

BOT = """
import sys
from ziwo_async import Call, Ringing, Router, SessionReady, ZiwoClient

router = Router()

@router.on(SessionReady)
async def ready(event: SessionReady) -> None:
    print("ready", flush=True)

@router.during(Ringing)
async def answer(call: Call, event: Ringing) -> None:
    await call.answer()
    print("answered", flush=True)

ZiwoClient.from_env().run(router)
print("after", flush=True)
"""


async def bot(desk: Desk, **more: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error::ResourceWarning", "-c", BOT,
        env=environment_of(desk.agent, desk.sim.api_url, **more),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await within(process.stdout.readline(), 20)).decode().strip()


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str, str]:
    out, err = await within(process.communicate(), 20)
    assert process.returncode is not None
    # Let the transports of the process close in this loop.
    await asyncio.sleep(0)
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_hangs_up_logs_out_and_exits_with_0(desk: Desk, number: signal.Signals) -> None:
    process = await bot(desk)
    assert await line(process) == "ready"
    there = await desk.customer.dials(desk.agent)
    assert await line(process) == "answered"
    process.send_signal(number)
    code, out, err = await ended(process)
    assert (code, out.strip(), err) == (0, "after", "")
    assert there.cause == "NORMAL_CLEARING"
    assert not desk.agent.ready


async def refused(desk: Desk, code: int, text: str, **more: str) -> None:
    told, out, err = await ended(await bot(desk, **more))
    assert (told, out) == (code, "")
    assert text in err
    if code != EXIT_CODES["configuration"]:
        assert err.startswith("ziwo_async: ")
        assert len(err.splitlines()) == 1


async def test_a_wrong_password_exits_with_3(desk: Desk) -> None:
    await refused(desk, 3, "refuses user and password", ZIWO_PASSWORD="wrong")


async def test_no_connection_exits_with_4(desk: Desk) -> None:
    await refused(desk, 4, "cannot", ZIWO_VERTO_URL="ws://127.0.0.1:9")


async def test_a_user_without_a_phone_exits_with_2(desk: Desk) -> None:
    desk.sim.faults.next_http(
        200, body={"result": True, "content": {"id": 1, "type": "admin"}, "info": {}}, path="/profile"
    )
    await refused(desk, 2, "has no phone")


async def test_a_session_taken_over_exits_with_5(desk: Desk) -> None:
    process = await bot(desk)
    assert await line(process) == "ready"
    await desk.inject(method="verto.punt", params={})
    await desk.sim.faults.close_phone_socket(desk.agent)
    code, _, err = await ended(process)
    assert code == 5
    assert "another client logged in" in err


async def test_run_adds_the_router_it_is_given(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    client = desk.client(password="wrong")
    more = Router()

    async def main(*_: object) -> str:
        return "stopped"

    monkeypatch.setattr("ziwo_async.client.run_until_stopped", main)
    await asyncio.to_thread(client.run, more)
    assert more in client.phone.router.included()


def test_run_without_credentials_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("ZIWO_"):
            monkeypatch.delenv(name)
    with pytest.raises(ConfigError, match="ZIWO_CONTACT_CENTER"):
        ZiwoClient.from_env()


async def test_the_client_shows_no_secret(desk: Desk) -> None:
    client: Any = desk.client()
    assert desk.agent.password not in repr(client)


def test_an_error_while_it_is_made_has_no_secret_in_its_frames() -> None:
    """Tools that report errors show the variables of each frame, and the repr of what is half made."""
    with pytest.raises(ConfigError) as caught:
        ZiwoClient(username="u", password="CANARY-pw", token="CANARY-t", api_key="CANARY-k", api_url="ftp://x")
    shown = [
        repr(value)
        for entry in caught.traceback
        if "ziwo_async" in str(entry.path)
        for value in entry.frame.f_locals.values()
    ]
    assert "<ZiwoClient not made>" in shown
    assert [text for text in shown if "CANARY" in text] == []
