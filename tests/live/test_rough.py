"""Servers that say nothing, or rubbish, speak an older protocol without a word, or throw us out; no secret shows."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import ssl
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest
import trustme
from aiohttp import WSMessage, WSMsgType, web
from pydantic import SecretStr

from ziwo_async import (
    BadCredentials,
    CannotConnect,
    LiveFeed,
    LiveLost,
    LiveRestored,
    Timeouts,
    ZiwoError,
)

from ..phone.kit import AGAIN_AT_ONCE, QUICK, until, within

TOKEN = "CANARY-token-0123456789"
AGENTS = json.dumps(["GET /live/agents", {"result": True, "content": {"7": {"id": 7}}, "info": {"status": 200}}])


@dataclass
class Rough:
    """A server whose every word is the test's."""

    script: Callable[[Rough, web.Request, web.WebSocketResponse], Awaitable[None]]
    heard: list[str] = field(default_factory=list)
    handshakes: list[dict[str, str]] = field(default_factory=list)
    refuse: dict[str, int] = field(default_factory=dict)
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        self.handshakes.append(query)
        if status := self.refuse.get(query.get("EIO", "")):
            return web.json_response({"code": 5, "message": f"Unsupported for {TOKEN}"}, status=status)
        ws = web.WebSocketResponse(timeout=0.1)
        await ws.prepare(request)
        await self.script(self, request, ws)
        async for message in ws:
            if message.type is WSMsgType.TEXT:
                self.heard.append(message.data)
                if message.data.startswith('42["GET /live/agents"'):
                    await ws.send_str(f"42{AGENTS}")
        return ws


@asynccontextmanager
async def rough(
    script: Callable[[Rough, web.Request, web.WebSocketResponse], Awaitable[None]],
    *,
    tls: ssl.SSLContext | None = None,
    **refuse: int,
) -> AsyncIterator[Rough]:
    server = Rough(script, refuse={name.removeprefix("eio"): status for name, status in refuse.items()})
    app = web.Application()
    app.router.add_get("/socket/", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    host, port = runner.addresses[0][:2]
    server.url = f"{'https' if tls else 'http'}://{host}:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()


async def token(refused: SecretStr | None) -> SecretStr:
    return SecretStr(TOKEN)


def live(server: Rough, timeouts: Timeouts = QUICK) -> LiveFeed:
    return LiveFeed(server.url, token=token, reconnect=AGAIN_AT_ONCE, timeouts=timeouts)


def opened(**more: object) -> str:
    return "0" + json.dumps({"sid": "abc", "upgrades": [], "pingInterval": 25000, "pingTimeout": 20000} | more)


async def greet(server: Rough, request: web.Request, ws: web.WebSocketResponse) -> None:
    """As a server of the version that is asked for."""
    await ws.send_str(opened())
    if request.query["EIO"] == "4":
        assert (await ws.receive_str()).startswith("40")
        await ws.send_str('40{"sid":"other"}')
    else:
        await ws.send_str("40")


@pytest.fixture(params=[4, 3], ids=["eio4", "eio3"])
def refused(request: pytest.FixtureRequest) -> dict[str, int]:
    return {"eio4": 400} if request.param == 3 else {}


async def test_the_handshake_is_what_official_clients_send(refused: dict[str, int]) -> None:
    async with rough(greet, **refused) as server, live(server) as feed:
        await within(feed.agents().first())
        eio = "3" if refused else "4"
        assert server.handshakes[-1] == {"access_token": TOKEN, "transport": "websocket", "EIO": eio}
        assert '42["subscribe","GET /live/agents"]' in server.heard
        assert '42["GET /live/agents",{}]' in server.heard


async def test_a_server_of_socket_io_2_that_takes_any_version_is_spoken_to_in_its_own() -> None:
    """It never says that it is older: it lets us in unasked, and waits for pings that a newer client never sends."""

    async def old(server: Rough, request: web.Request, ws: web.WebSocketResponse) -> None:
        await ws.send_str(opened(pingInterval=20))
        await ws.send_str("40")

    async with rough(old) as server, live(server) as feed:
        assert feed.protocol == 3
        assert [query["EIO"] for query in server.handshakes] == ["4", "3"]
        await until(lambda: server.heard.count("2") >= 2, "no pings")


async def test_what_worked_is_tried_first_again() -> None:
    async def leave(server: Rough, request: web.Request, ws: web.WebSocketResponse) -> None:
        await greet(server, request, ws)
        if len(server.handshakes) == 2:
            await ws.close()

    async with rough(leave, eio4=400) as server, live(server) as feed:
        await until(lambda: feed.connections == 2)
        assert [query["EIO"] for query in server.handshakes] == ["4", "3", "3"]


async def test_a_silent_server_is_lost(refused: dict[str, int]) -> None:
    async def silent(server: Rough, request: web.Request, ws: web.WebSocketResponse) -> None:
        await ws.send_str(opened(pingInterval=30, pingTimeout=30))
        if request.query["EIO"] == "4":
            await ws.receive_str()
            await ws.send_str('40{"sid":"other"}')
        else:
            await ws.send_str("40")

    async with rough(silent, **refused) as server:
        feed = live(server)
        async with feed, feed.events(LiveLost) as lost:
            assert (await within(anext(lost))).reason


@pytest.mark.parametrize("words", ["Invalid access token", {"message": "Invalid access token"}])
async def test_an_error_event_about_the_token_ends_the_connection_and_renews_it(
    refused: dict[str, int], words: object
) -> None:
    asked: list[SecretStr | None] = []

    async def renewing(refused: SecretStr | None) -> SecretStr:
        asked.append(refused)
        return SecretStr(f"{TOKEN}-{len(asked)}")

    async def throw_out(server: Rough, request: web.Request, ws: web.WebSocketResponse) -> None:
        await greet(server, request, ws)
        if request.query["access_token"] == f"{TOKEN}-1":
            await ws.send_str("42" + json.dumps(["error", words]))

    async with rough(throw_out, **refused) as server:
        feed = LiveFeed(server.url, token=renewing, reconnect=AGAIN_AT_ONCE, timeouts=QUICK)
        async with feed:
            await until(lambda: feed.connections == 2 and feed.connected)
            assert [None if old is None else old.get_secret_value() for old in asked] == [None, f"{TOKEN}-1"]


async def test_a_server_that_lets_nobody_stay_is_final(refused: dict[str, int]) -> None:
    async def throw_out(server: Rough, request: web.Request, ws: web.WebSocketResponse) -> None:
        await greet(server, request, ws)
        await ws.send_str('42["error","Invalid access token"]')

    async with rough(throw_out, **refused) as server:
        feed = live(server)
        with pytest.raises(BadCredentials):
            async with feed:
                await within(feed.wait_closed())


@pytest.mark.parametrize(
    "rubbish",
    [
        "42", "42[]", "42{}", "42[5]", '42["GET /live/agents"', '42["GET /live/agents",{"content":NaN}]', "43[1]", "9",
        '42["GET /live/agents"]', '42["GET /live/agents",null]', '42["GET /live/agents","{"]', "42/other,[\"x\"]",
        '42["GET /nonsense",{}]', '42["error","something else"]', '427["GET /live/agents",5]', "6",
        '451-["GET /live/agents",{"_placeholder":true,"num":0}]', "42" + "[" * 5000,
        "4", "48", "4x", "40[1]", '42["*","GET /live/agents",{}]', '42["connect_error",{"message":"x"}]',
        '42["disconnect"]', b"", b"\x00\xff",
        '42["GET /live/calls",{"content":[{"callID":"c","startDateTime":[1],"answeredDateTime":"never"}]}]',
    ],
)  # fmt: skip
async def test_rubbish_changes_nothing(refused: dict[str, int], rubbish: str | bytes) -> None:
    async def talk(server: Rough, request: web.Request, ws: web.WebSocketResponse) -> None:
        await greet(server, request, ws)
        await (ws.send_bytes(rubbish) if isinstance(rubbish, bytes) else ws.send_str(rubbish))

    async with rough(talk, **refused) as server, live(server) as feed:
        feed.calls()
        found = await within(feed.agents().first())
        assert list(found) == ["7"]
        assert feed.connections == 1


async def test_a_bug_of_ours_costs_one_event_and_not_the_feed(
    refused: dict[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(content: object) -> None:
        raise ZeroDivisionError

    async def talk(server: Rough, request: web.Request, ws: web.WebSocketResponse) -> None:
        await greet(server, request, ws)
        for _ in range(3):
            await ws.send_str('42["GET /live/stats",{"content":{}}]')

    async with rough(talk, **refused) as server:
        feed = live(server)
        feed._routes["GET /live/stats"].read = broken
        async with feed:
            assert list(await within(feed.agents().first())) == ["7"]
            assert feed.connections == 1
    assert [record.levelname for record in caplog.records if "ZeroDivisionError" in record.message] == ["ERROR"]


async def test_a_reader_that_ends_for_any_reason_is_a_lost_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    from ziwo_async.live.engine3 import EngineThree

    taken: list[object] = []
    take = EngineThree._take

    def breaking(self: EngineThree, message: WSMessage) -> None:
        taken.append(message)
        if len(taken) == 3:  # the first event after the entry
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # nobody takes it, and that is the point
            raise ZeroDivisionError
        take(self, message)

    monkeypatch.setattr(EngineThree, "_take", breaking)
    async with rough(greet, eio4=400) as server, live(server) as feed:
        await within(feed.agents().first())
        assert feed.connections == 2


@pytest.mark.parametrize("end", ["1", "41", "close", "reset"])
async def test_an_end_right_behind_the_entry_is_noticed(refused: dict[str, int], end: str) -> None:
    """It may come before the library's `connect` has returned, and that tells of no end before."""

    async def let_in_and_out(server: Rough, request: web.Request, ws: web.WebSocketResponse) -> None:
        await greet(server, request, ws)
        if len([query for query in server.handshakes if query["EIO"] == ("3" if refused else "4")]) > 1:
            return
        if end == "close":
            await ws.close()
        elif end == "reset":
            assert request.transport is not None
            request.transport.abort()
        else:
            await ws.send_str(end)

    async with rough(let_in_and_out, **refused) as server:
        feed = live(server)
        async with feed.events(LiveLost) as lost, feed:
            await within(anext(lost))
            assert list(await within(feed.agents().first())) == ["7"]


@pytest.mark.parametrize("status", [401, 403, 404, 500])
async def test_a_refused_handshake_says_what_it_was(status: int) -> None:
    async with rough(greet, eio4=status) as server:
        with pytest.raises(BadCredentials if status in (401, 403) else CannotConnect, match=str(status)):
            await within(live(server).start())
        assert {query["EIO"] for query in server.handshakes} == {"4"}


async def test_a_server_that_never_lets_us_in_is_given_up(refused: dict[str, int]) -> None:
    async def wait(server: Rough, request: web.Request, ws: web.WebSocketResponse) -> None:
        await ws.send_str(opened())

    async def say_nothing(server: Rough, request: web.Request, ws: web.WebSocketResponse) -> None: ...

    for script in (wait, say_nothing):
        async with rough(script, **refused) as server:
            with pytest.raises(CannotConnect, match=r"within 0\.1 s"):
                await within(live(server, Timeouts(connect=0.1, close=0.5)).start())


async def test_the_token_shows_nowhere(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("engineio.client", "socketio.client"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    shown: list[str] = []
    try:
        for refusal in ({}, {"eio4": 400}, {"eio4": 401}, {"eio4": 500}, {"eio4": 400, "eio3": 400}):
            async with rough(greet, **refusal) as server:
                feed = live(server)
                try:
                    async with feed:
                        await within(feed.agents().first())
                        shown += [repr(feed), repr(feed._supervisor.__dict__), repr(feed.agents())]
                except ZiwoError as error:
                    shown += ["".join(traceback.format_exception(error)), repr(error.__context__), repr(error.__dict__)]
        async with rough(greet) as server:
            gone = live(server)
        with pytest.raises(CannotConnect) as caught:
            await within(gone.start())
        shown += ["".join(traceback.format_exception(caught.value)), repr(caught.value.__context__)]
    finally:
        for name in ("engineio.client", "socketio.client"):
            logging.getLogger(name).setLevel(logging.NOTSET)
    out, err = capfd.readouterr()
    assert len(shown) >= 10
    assert TOKEN not in "\n".join([*shown, caplog.text, out, err])


SPECIAL = "CANARY/+= 0123456789"


@pytest.mark.parametrize("before", [0, 190])
async def test_a_server_that_repeats_the_token_does_not_bring_it_into_our_words(
    refused: dict[str, int], caplog: pytest.LogCaptureFixture, before: int
) -> None:
    words = "x" * before + f" {SPECIAL} or {quote(SPECIAL, safe='')} is no token"

    async def special(refused: SecretStr | None) -> SecretStr:
        return SecretStr(SPECIAL)

    async def repeat(server: Rough, request: web.Request, ws: web.WebSocketResponse) -> None:
        await greet(server, request, ws)
        refusal = {"result": False, "error": {"message": words}, "info": {"status": 403}}
        await ws.send_str("42" + json.dumps(["GET /live/stats", refusal]))
        await ws.send_str("42" + json.dumps([words, {}]))

    async def refuse(server: Rough, request: web.Request, ws: web.WebSocketResponse) -> None:
        await ws.send_str(opened())
        await ws.send_str("44" + json.dumps({"message": words} if request.query["EIO"] == "4" else words))

    async with rough(repeat, **refused) as server:
        feed = LiveFeed(server.url, token=special, reconnect=AGAIN_AT_ONCE, timeouts=QUICK)
        async with feed:
            stats = feed.stats()
            await until(lambda: stats.refused)
            await within(feed.agents().first())
            assert "CANARY" not in str(stats.refused)
    async with rough(refuse, **refused) as server:
        feed = LiveFeed(server.url, token=special, reconnect=AGAIN_AT_ONCE, timeouts=QUICK)
        with pytest.raises(BadCredentials) as caught:
            await within(feed.start())
    assert "CANARY" not in "".join(traceback.format_exception(caught.value)) + caplog.text


async def test_certificates_are_checked_in_both_protocols(refused: dict[str, int]) -> None:
    authority = trustme.CA()
    served, known, unknown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), *(ssl.create_default_context() for _ in range(2))
    authority.issue_cert("127.0.0.1").configure_cert(served)
    authority.configure_trust(known)
    async with rough(greet, tls=served, **refused) as server:
        async with LiveFeed(server.url, token=token, ssl=known, reconnect=AGAIN_AT_ONCE, timeouts=QUICK) as feed:
            assert list(await within(feed.agents().first())) == ["7"]
            assert feed.protocol == (3 if refused else 4)
        seen = len(server.handshakes)
        for context in (unknown, None):
            stranger = LiveFeed(server.url, token=token, ssl=context, reconnect=AGAIN_AT_ONCE, timeouts=QUICK)
            with pytest.raises(CannotConnect, match="no connection to https://"):
                await within(stranger.start())
        assert len(server.handshakes) == seen  # the token was sent to nobody


async def test_a_lost_feed_comes_back_by_itself(refused: dict[str, int]) -> None:
    async def leave(server: Rough, request: web.Request, ws: web.WebSocketResponse) -> None:
        await greet(server, request, ws)
        if len(server.handshakes) < 5:
            await ws.close()

    async with rough(leave, **refused) as server:
        feed = live(server)
        async with feed.events(LiveRestored) as restored, feed:
            for _ in range(2):
                await within(anext(restored))
            await within(feed.agents().first())


async def test_closing_while_it_is_away(refused: dict[str, int]) -> None:
    async def leave(server: Rough, request: web.Request, ws: web.WebSocketResponse) -> None:
        await greet(server, request, ws)
        server.refuse = {"3": 500, "4": 500}
        await ws.close()

    async with rough(leave, **refused) as server:
        feed = live(server)
        await within(feed.start())
        await until(lambda: not feed.connected)
        await asyncio.sleep(0.02)
        await within(feed.aclose())


async def test_a_start_that_is_stopped_at_any_moment_leaves_nothing(refused: dict[str, int]) -> None:
    """The moments are turns of the loop, from before the first connection to after the entry."""

    async def in_steps(server: Rough, request: web.Request, ws: web.WebSocketResponse) -> None:
        with suppress(ConnectionError, AssertionError, TypeError):
            await greet(server, request, ws)

    ended = []
    async with rough(in_steps, **refused) as server:
        for turns in range(60):
            feed = live(server)
            feed.agents()
            starting = asyncio.ensure_future(feed.start())
            for _ in range(turns):
                await asyncio.sleep(0)
            if turns % 2:
                starting.cancel()
            else:
                await within(feed.aclose())
            await asyncio.wait([starting], timeout=5)
            ended.append("cancelled" if starting.cancelled() else type(starting.exception()).__name__)
            await within(feed.aclose())
            del feed, starting
        gc.collect()  # a session that was left open says so
    assert set(ended[:4]) == {"cancelled", "ClientClosed"}
