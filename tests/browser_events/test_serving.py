"""What the server tells, to whom, and how it ends; without a browser."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from ziwo_async import ConfigError, SpendPolicy, Timeouts, ZiwoClient
from ziwo_async.browser import BrowserEvents
from ziwo_async.serving import streams
from ziwo_async.testing import FaultProxy, ServedWorld

from .kit import CUSTOMER, PATIENCE, Site, client_of, site
from .test_backlog import event

READ = ("/ziwo/calls", "/ziwo/events")


@asynccontextmanager
async def http(at: Site) -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)  # an address is no name
    async with aiohttp.ClientSession(at.url, cookie_jar=jar, timeout=aiohttp.ClientTimeout(PATIENCE)) as session:
        yield session


def token_of(events: BrowserEvents) -> str:
    return events.link("").partition("=")[2]


async def enter(session: aiohttp.ClientSession, events: BrowserEvents) -> aiohttp.ClientResponse:
    return await session.post("/ziwo/session", json={"token": token_of(events)})


async def calls(session: aiohttp.ClientSession, after: str = "", **options: Any) -> dict[str, Any]:
    async with session.get("/ziwo/calls", params={"after": after}, **options) as response:
        assert response.status == 200, await response.text()
        found: dict[str, Any] = await response.json()
        return found


async def messages(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, str, dict[str, Any]]]:
    """The events of a stream: kind, id, data. Heartbeats are left out."""
    key = kind = ""
    async for raw in response.content:
        name, _, value = raw.decode().rstrip("\n").partition(": ")
        if name == "id":
            key = value
        elif name == "event":
            kind = value
        elif name == "data" and kind != "beat":
            yield kind, key, json.loads(value)


# --- who may see it ---------------------------------------------------------------------------------------------------


async def test_nothing_is_told_without_the_token(ziwo: ZiwoClient) -> None:
    async with BrowserEvents(ziwo, control=True) as events, site(events) as at, http(at) as session:
        token = token_of(events)
        for path in READ:
            for given in ({}, {"params": {"token": token}}, {"headers": {"Authorization": f"Bearer {token}"}},
                          {"headers": {"Cookie": "ziwo_events=x"}}):  # fmt: skip
                async with session.get(path, **given) as response:
                    assert response.status == 401
                    assert response.headers["Cache-Control"] == "no-store"
        async with session.post("/ziwo/control", json={}) as response:
            assert response.status == 401
        for body, status in (({"token": "wrong"}, 401), ({"token": "\ud800"}, 401), ({"token": 5}, 400), ([], 400)):
            async with session.post("/ziwo/session", json=body) as response:
                assert response.status == status
                assert "Set-Cookie" not in response.headers
        response = await enter(session, events)
        assert response.status == 204
        assert re.fullmatch(
            r"ziwo_events_\d+=[\w-]{43}; HttpOnly; Path=/; SameSite=Strict", response.headers["Set-Cookie"]
        )
        assert await calls(session) | {"id": "", "control": ""} == {"id": "", "control": "", "live": True, "calls": []}


@pytest.mark.parametrize("allow", [None, lambda request: True])
async def test_other_names_and_other_sites_are_refused(ziwo: ZiwoClient, allow: Any) -> None:
    async with BrowserEvents(ziwo, allow=allow, control=True) as events, site(events) as at, http(at) as session:
        if allow is None:
            await enter(session, events)
        control = (await calls(session))["control"]
        port = at.url.rpartition(":")[2].rstrip("/")
        for headers in (
            {"Host": "evil.example"},  # DNS rebinding: the browser says the name that it looked up
            {"Host": f"127.0.0.1.evil.example:{port}"},
            {"Host": ""},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:1"},
            {"Origin": f"https://127.0.0.1:{port}"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},  # another port of this machine
        ):
            for path in READ:
                async with session.get(path, headers=headers) as response:
                    assert response.status == 403, (path, headers)
            sent = {**headers, "X-Ziwo-Control": control}
            async with session.post("/ziwo/control", json={"action": "call"}, headers=sent) as response:
                assert response.status == 403, headers
        assert await status_of(port, f"127.0.0.1:{port}", "evil.example") in {400, 403}


async def status_of(port: str, *hosts: str) -> int:
    """What a request that names these hosts is answered with."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    lines = "".join(f"Host: {host}\r\n" for host in hosts)
    writer.write(f"GET /ziwo/calls HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode())
    async with asyncio.timeout(PATIENCE):
        answer = await reader.read()
    writer.close()
    return int(answer.split()[1])


async def test_bytes_that_make_no_sense_are_refused_as_what_they_are(ziwo: ZiwoClient) -> None:
    async with BrowserEvents(ziwo, control=True) as events, site(events) as at:
        host = at.url.split("/")[2]
        port = host.rpartition(":")[2]
        for line, status in (
            (f"Cookie: ziwo_events_{port}=\xff", 401),
            (f'Cookie: ziwo_events_{port}="\xff"', 401),
            ("Origin: \xff", 403),
            ("Sec-Fetch-Site: \xff", 403),
        ):
            assert await answered(host, f"GET /ziwo/calls HTTP/1.1\r\n{line}\r\n") == status, line
        json_ = "POST /ziwo/session HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
        assert await answered(host, json_, b"\xff\xfe") == 400
        assert await answered(host, f"{json_}Content-Encoding: gzip\r\n", b"{}") == 400


async def answered(host: str, head: str, body: bytes = b"") -> int:
    """The status of the answer to a request as it is written here, in Latin 1."""
    reader, writer = await asyncio.open_connection(*host.split(":"))
    writer.write(f"{head}Host: {host}\r\nConnection: close\r\n\r\n".encode("latin-1") + body)
    async with asyncio.timeout(PATIENCE):
        answer = await reader.readline()
    writer.close()
    return int(answer.split()[1])


async def test_the_names_that_were_given_are_answered_to(ziwo: ZiwoClient) -> None:
    """As behind a proxy that has the TLS and keeps the name."""
    async with (
        BrowserEvents(ziwo, origins=["https://crm.example/", "http://[::1]:8000"]) as events,
        site(events) as at,
        aiohttp.ClientSession(at.url, cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        headers = {"Host": "crm.example", "Origin": "https://crm.example"}
        body = {"token": token_of(events)}
        for bad in ({"Origin": "http://crm.example"}, {"Origin": "https://evil.example"}, {"Host": "www.crm.example"}):
            async with session.post("/ziwo/session", json=body, headers={**headers, **bad}) as response:
                assert response.status == 403, bad
        async with session.post("/ziwo/session", json=body, headers=headers) as response:
            assert response.status == 204
            cookie = response.headers["Set-Cookie"]
        assert cookie.endswith("; HttpOnly; Path=/; SameSite=Strict; Secure")
        assert cookie.startswith("ziwo_events=")
        sent = {"Host": "crm.example", "Cookie": cookie.partition(";")[0]}
        assert (await calls(session, headers=sent))["live"] is True


async def test_what_is_no_origin_is_refused(ziwo: ZiwoClient) -> None:
    for origin in ("crm.example", "https://crm.example/path", "ftp://x", "https://*", "https://a b", "https://x:", ""):
        with pytest.raises(ConfigError, match="no origin"):
            BrowserEvents(ziwo, origins=[origin])


async def test_a_service_that_knows_its_users_says_who(ziwo: ZiwoClient) -> None:
    async def allow(request: web.Request) -> bool:
        if request.headers.get("X-User") == "nobody":
            raise web.HTTPUnauthorized(text="Log in.")
        return request.headers.get("X-User") == "ann"

    async with BrowserEvents(ziwo, allow=allow, control=True) as events, site(events) as at, http(at) as session:
        with pytest.raises(ConfigError, match="no token"):
            events.link(at.url)
        control = (await calls(session, headers={"X-User": "ann"}))["control"]
        for user, status in (("bob", 403), ("nobody", 401)):
            for path in READ:
                async with session.get(path, headers={"X-User": user}) as response:
                    assert response.status == status
            headers = {"X-User": user, "X-Ziwo-Control": control}
            async with session.post("/ziwo/control", json={}, headers=headers) as response:
                assert response.status == status
        async with session.post("/ziwo/session", json={}) as response:
            assert response.status == 405  # nothing to hand over; the page of the kit takes every GET


async def test_one_browser_sees_several_agents(ziwo: ZiwoClient) -> None:
    """Each has its own events, under its own prefix; the cookie of one is not that of the other."""
    async with BrowserEvents(ziwo) as one, BrowserEvents(ziwo) as other, BrowserEvents(ziwo) as third:
        app = web.Application()
        prefixes = {"/ziwo": one, "/agents/5555": other, "": third}
        for prefix, events in prefixes.items():
            events.add_to(app, prefix)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            async with http(Site(f"http://127.0.0.1:{runner.addresses[0][1]}/", {})) as session:
                for prefix, events in prefixes.items():
                    async with session.post(f"{prefix}/session", json={"token": token_of(events)}) as entered:
                        assert entered.status == 204
                    refused = {name: await status_at(session, name) for name in prefixes}
                    done = list(prefixes)[: list(prefixes).index(prefix) + 1]
                    assert refused == {name: 200 if name in done else 401 for name in prefixes}
        finally:
            await runner.cleanup()


async def status_at(session: aiohttp.ClientSession, prefix: str) -> int:
    async with session.get(f"{prefix}/calls") as response:
        return response.status


async def test_what_says_yes_by_mistake_says_no(ziwo: ZiwoClient) -> None:
    def allow(request: web.Request) -> str:
        return "ann"

    mistaken: Any = allow
    async with BrowserEvents(ziwo, allow=mistaken) as events, site(events) as at, http(at) as session:
        assert (await session.get("/ziwo/calls")).status == 403


async def test_secrets_are_in_no_log_and_no_repr(ziwo: ZiwoClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with BrowserEvents(ziwo, control=True) as events, site(events) as at, http(at) as session:
        cookie = (await enter(session, events)).cookies.popitem()[1].value
        control = (await calls(session))["control"]
        async with session.post("/ziwo/control", json={"action": "x"}, headers={"X-Ziwo-Control": control}) as response:
            assert response.status == 400
        for secret in (token_of(events), cookie, control):
            assert secret not in caplog.text
            assert secret not in repr(events)
            assert secret not in await (await session.get("/ziwo/ziwo-events.js")).text()


# --- the stream -------------------------------------------------------------------------------------------------------


async def test_a_stream_goes_on_where_it_was(ziwo: ZiwoClient) -> None:
    publish = ziwo.phone.dispatcher.publish
    async with BrowserEvents(ziwo) as events, site(events) as at, http(at) as session, asyncio.timeout(PATIENCE):
        await enter(session, events)
        async with session.get("/ziwo/events") as response:
            assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            assert response.headers["Cache-Control"] == "no-store"
            told = messages(response)
            kind, start, news = await anext(told)
            assert (kind, news["calls"], news["control"]) == ("calls", [], None)
            for number in range(3):
                publish(event(str(number), "ringing"), None, None)
            found = [await anext(told) for _ in range(3)]
            assert [(kind, data["callID"]) for kind, _, data in found] == [("state", str(n)) for n in range(3)]
        publish(event("3", "ringing"), None, None)  # while nobody listens
        for given in ({"headers": {"Last-Event-ID": found[1][1]}}, {"params": {"after": found[1][1]}}):
            async with session.get("/ziwo/events", **given) as response:  # type: ignore[arg-type]
                told = messages(response)
                assert [(await anext(told))[2]["callID"] for _ in range(2)] == ["2", "3"]
        # The browser's own reconnect keeps the address, and knows better.
        given = {"headers": {"Last-Event-ID": found[2][1]}, "params": {"after": start}}
        async with session.get("/ziwo/events", **given) as response:
            assert (await anext(messages(response)))[2]["callID"] == "3"
        assert [told["detail"]["callID"] for told in (await calls(session, found[0][1]))["events"]] == ["1", "2", "3"]


async def test_a_page_that_reads_too_slowly_is_told_the_calls_as_they_are(ziwo: ZiwoClient) -> None:
    publish, text = ziwo.phone.dispatcher.publish, "x" * 60_000
    async with BrowserEvents(ziwo) as events, site(events) as at, http(at) as session, asyncio.timeout(PATIENCE):
        await enter(session, events)
        port = int(at.url.rpartition(":")[2].rstrip("/"))
        async with FaultProxy("127.0.0.1", port) as proxy:
            cookies = {"Cookie": "; ".join(f"{c.key}={c.value}" for c in session.cookie_jar)}
            url = f"http://{proxy.address}/ziwo/events"
            names = {**cookies, "Host": f"127.0.0.1:{port}"}
            async with aiohttp.ClientSession() as slow, slow.get(url, headers=names) as response:
                told = messages(response)
                await anext(told)
                proxy.stall()
                publish(event("last", "ringing"), None, None)
                for number in range(400):  # more than all the sockets on the way hold
                    publish(event(str(number), "ringing", "hangup", "destroy", padding=text), None, None)
                    await asyncio.sleep(0)
                proxy.resume()
                seen = [kind async for kind, _, _ in until_call(told, "last", "calls")]
        assert seen[-1] == "calls"
        assert len(seen) < 400


async def test_a_page_that_reads_nothing_is_cut_off(ziwo: ZiwoClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_SLOWEST_WRITE", 0.05)
    async with BrowserEvents(ziwo, allow=lambda request: True) as events, site(events) as at:
        port = int(at.url.rpartition(":")[2].rstrip("/"))
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(f"GET /ziwo/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        async with asyncio.timeout(PATIENCE):
            await reader.readexactly(12)
            number = 0
            while len(events._streams):
                told = event(str(number), "ringing", "hangup", "destroy", padding="x" * 100_000)
                ziwo.phone.dispatcher.publish(told, None, None)
                number += 1
                await asyncio.sleep(0.001)
        writer.close()


async def until_call(
    told: AsyncIterator[tuple[str, str, dict[str, Any]]], call_id: str, kind: str
) -> AsyncIterator[tuple[str, str, dict[str, Any]]]:
    async for found in told:
        yield found
        if found[0] == kind and call_id in [call["callID"] for call in found[2]["calls"]]:
            return


async def test_events_that_were_dropped_before_they_were_read_are_made_up_for(
    world: ServedWorld, ziwo: ZiwoClient
) -> None:
    world.customer(CUSTOMER).never_answers()
    async with BrowserEvents(ziwo) as events:
        call = await ziwo.phone.dial(CUSTOMER)
        await call.wait_for("trying", PATIENCE)
        start, _ = events._backlog.everything()
        ended = event("gone", "ringing", "hangup", "destroy")
        for _ in range(10_100):  # nobody can read meanwhile
            ziwo.phone.dispatcher.publish(ended, None, None)
        async with asyncio.timeout(PATIENCE):
            while events._backlog.after(start) is not None:
                await asyncio.sleep(0.01)
        assert list(events.calls) == [call.id]


async def test_events_of_the_live_feed_that_were_dropped_end_no_call(world: ServedWorld) -> None:
    pytest.importorskip("socketio")
    watcher = client_of(world, world.agent("0011"))
    async with watcher, BrowserEvents(watcher, source="live") as events:
        publish = watcher.live.dispatcher.publish
        start, _ = events._backlog.everything()
        publish(event("up", "ringing"), None, None)
        async with asyncio.timeout(PATIENCE):
            while "up" not in events.calls:
                await asyncio.sleep(0.01)
            ended = event("gone", "ringing", "hangup", "destroy")
            for _ in range(10_100):  # nobody can read meanwhile
                publish(ended, None, None)
            while events._backlog.after(start) is not None:
                await asyncio.sleep(0.01)
        assert list(events.calls) == ["up"]


async def test_open_streams_have_a_limit(ziwo: ZiwoClient) -> None:
    async with BrowserEvents(ziwo, allow=lambda request: True) as events, site(events) as at, http(at) as session:
        opened = await asyncio.gather(*(session.get("/ziwo/events") for _ in range(64)))
        assert {stream.status for stream in opened} == {200}
        assert len(events._streams) == 64
        async with session.get("/ziwo/events") as one_more:
            assert one_more.status == 503
        for stream in opened:
            stream.close()


async def test_streams_end_with_the_app_and_with_the_events(ziwo: ZiwoClient) -> None:
    async with BrowserEvents(ziwo, allow=lambda request: True) as events, site(events) as at, http(at) as session:
        response = await session.get("/ziwo/events")
        told = messages(response)
        await anext(told)
        ending = asyncio.create_task(anext(told, None))
        events.end_streams()
        async with asyncio.timeout(PATIENCE):
            assert await ending is None
        async with session.get("/ziwo/events") as refused:
            assert refused.status == 503


async def test_the_app_ends_the_streams_by_itself(ziwo: ZiwoClient) -> None:
    async with BrowserEvents(ziwo, allow=lambda request: True) as events, aiohttp.ClientSession() as session:
        async with asyncio.timeout(PATIENCE):
            async with site(events) as at:
                response = await session.get(f"{at.url}ziwo/events")
                told = messages(response)
                await anext(told)
            assert await anext(told, None) is None


async def test_nothing_is_told_before_it_runs_and_it_runs_once(ziwo: ZiwoClient) -> None:
    events = BrowserEvents(ziwo, allow=lambda request: True)
    async with site(events) as at, http(at) as session:
        for path in READ:
            async with session.get(path) as response:
                assert response.status == 503
        async with events:
            await calls(session)
            with pytest.raises(ConfigError, match="only once"):
                await events.__aenter__()
        async with session.get("/ziwo/calls") as response:
            assert response.status == 503


async def test_a_start_that_is_cancelled_leaves_nothing_behind(ziwo: ZiwoClient) -> None:
    before = asyncio.all_tasks()
    starting = asyncio.create_task(BrowserEvents(ziwo).__aenter__())
    while len(asyncio.all_tasks() - before) < 2:  # itself, and what it waits for
        await asyncio.sleep(0)
    starting.cancel()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(starting, return_exceptions=True)
    assert starting.cancelled()
    assert [task.get_name() for task in asyncio.all_tasks() - before if "browser" in task.get_name()] == []


async def test_it_says_when_the_phone_is_away(world: ServedWorld) -> None:
    """As long as the phone is not connected; and it may be started later than the events."""
    ziwo = client_of(world)
    async with ziwo, BrowserEvents(ziwo, allow=lambda request: True) as events, site(events) as at, http(at) as session:
        assert (await calls(session))["live"] is False
        async with session.get("/ziwo/events") as response, asyncio.timeout(PATIENCE):
            beats = (json.loads(line[6:])["live"] async for line in response.content if line.startswith(b'data: {"id"')
                     and b"calls" not in line)  # fmt: skip
            assert await anext(beats) is False
            async with ziwo.phone:
                assert await anext(beats) is True
            assert await anext(beats) is False


async def test_calls_that_are_up_already_are_known(world: ServedWorld, ziwo: ZiwoClient) -> None:
    await (await world.customer(CUSTOMER).dials(world.agent("5555"))).reaches("ringing", PATIENCE)
    async with asyncio.timeout(PATIENCE):
        while not ziwo.phone.calls:
            await asyncio.sleep(0.01)
    async with BrowserEvents(ziwo, allow=lambda request: True) as events, site(events) as at, http(at) as session:
        (call,) = (await calls(session))["calls"]
        assert (call["state"], call["customerNumber"]) == ("ringing", CUSTOMER)
        assert call["stateFlow"][0]["state"] == "ringing"
        assert list(events.calls) == [call["callID"]]
    async with BrowserEvents(ziwo, where=lambda event: event.direction == "outbound") as none:
        assert not none.calls


async def test_what_cannot_be_judged_is_not_told(ziwo: ZiwoClient, caplog: pytest.LogCaptureFixture) -> None:
    def broken(told: object) -> bool:
        raise RuntimeError("broken")

    async with BrowserEvents(ziwo, where=broken) as events:
        ziwo.phone.dispatcher.publish(event("1", "ringing"), None, None)
        async with asyncio.timeout(PATIENCE):
            while "where= failed" not in caplog.text:
                await asyncio.sleep(0.01)
        assert not events.calls
        assert events._owner.running


async def test_events_of_the_live_feed_are_told_by_agent(world: ServedWorld) -> None:
    pytest.importorskip("socketio")
    watcher, agents = client_of(world, world.agent("0011")), [client_of(world), client_of(world, world.agent("0011"))]
    async with (
        watcher,
        watcher.live,
        BrowserEvents(watcher, allow=lambda r: True, source="live", where=lambda e: e.agent == "5555") as events,
        agents[0],
        agents[0].phone,
        agents[1],
        agents[1].phone,
        asyncio.timeout(PATIENCE),
    ):
        await world.customer("+97150000009").dials(world.agent("0011"))
        await world.customer(CUSTOMER).dials(world.agent("5555"))
        while not events.calls:
            await asyncio.sleep(0.01)
        (call,) = events.calls.values()
        assert (call.agent, call.customer_number, str(call.state)) == ("5555", CUSTOMER, "ringing")
        assert events.live
        assert "live feed" in repr(events)


async def test_the_live_feed_cannot_be_commanded(ziwo: ZiwoClient) -> None:
    with pytest.raises(ConfigError, match="own phone"):
        BrowserEvents(ziwo, source="live", control=True)
    with pytest.raises(ConfigError, match="phone or live"):
        BrowserEvents(ziwo, source="both")  # type: ignore[arg-type]
    for prefix in ("ziwo", "/ziwo/", "/"):
        with pytest.raises(ConfigError, match="prefix"):
            BrowserEvents(ziwo).routes(prefix)


# --- commands ---------------------------------------------------------------------------------------------------------


def command(action: str, key: int = 0, **given: object) -> dict[str, object]:
    return {"id": f"command-of-a-test-{key}", "action": action, **given}


@asynccontextmanager
async def commanded(ziwo: ZiwoClient) -> AsyncIterator[tuple[aiohttp.ClientSession, BrowserEvents]]:
    """A session that may command."""
    async with (
        BrowserEvents(ziwo, allow=lambda r: True, control=True) as events,
        site(events) as at,
        http(at) as session,
    ):
        session.headers["X-Ziwo-Control"] = (await calls(session))["control"]
        yield session, events


async def test_without_control_there_is_nothing_to_command(ziwo: ZiwoClient) -> None:
    async with BrowserEvents(ziwo, allow=lambda request: True) as events, site(events) as at, http(at) as session:
        assert (await calls(session))["control"] is None
        async with session.post("/ziwo/control", json=command("call", number="1")) as response:
            assert response.status == 405


async def test_a_command_needs_its_token_and_json(ziwo: ZiwoClient) -> None:
    async with commanded(ziwo) as (session, _):
        for token in ("", "wrong", "\N{LATIN SMALL LETTER O WITH DIAERESIS}"):
            headers = {"X-Ziwo-Control": token}
            async with session.post(
                "/ziwo/control", json=command("call", number=CUSTOMER), headers=headers
            ) as response:
                assert response.status == 403
        async with session.post("/ziwo/control", data={"action": "call", "number": CUSTOMER}) as response:
            assert response.status == 415  # a form of another site
        async with session.post("/ziwo/control", json=command("call", x="x" * 5_000)) as response:
            assert response.status == 413
        assert not ziwo.phone.calls


IMPOSSIBLE: list[tuple[dict[str, object], int, str]] = [
    ({}, 400, "BadArgument"),
    ({"id": "short", "action": "call", "number": CUSTOMER}, 400, "BadArgument"),
    ({"id": "x" * 65, "action": "call", "number": CUSTOMER}, 400, "BadArgument"),
    ({"id": ["x" * 16], "action": "call"}, 400, "BadArgument"),
    (command("call"), 400, "BadArgument"),
    (command("call", number=5), 400, "BadArgument"),
    (command("call", number=""), 400, "BadArgument"),
    (command("call", number="1\r\n2"), 400, "BadArgument"),
    (command("answer"), 400, "BadArgument"),
    (command("answer", callID="nothing"), 404, "CallGone"),
    (command("answer", callID="out"), 409, "WrongState"),
    (command("dtmf", callID="out"), 400, "BadArgument"),
    (command("dtmf", callID="out", digits="x"), 400, "BadArgument"),
    (command("transfer", callID="out", number=""), 400, "BadArgument"),
    (command("explode", callID="out"), 400, "BadArgument"),
    (command("__init__", callID="out"), 400, "BadArgument"),
]


async def test_commands_that_cannot_be_done(world: ServedWorld, ziwo: ZiwoClient) -> None:
    world.customer(CUSTOMER).never_answers()
    async with commanded(ziwo) as (session, events):
        await ziwo.phone.dial(CUSTOMER, call_id="out")
        async with asyncio.timeout(PATIENCE):
            while "out" not in events.calls:
                await asyncio.sleep(0.01)
        for number, (given, status, error) in enumerate(IMPOSSIBLE):
            own = {"id": f"command-of-a-test-{number}"} if "command" in str(given.get("id")) else {}
            async with session.post("/ziwo/control", json=given | own) as response:
                assert (response.status, (await response.json())["error"]) == (status, error), given
        assert len(ziwo.phone.calls) == 1


async def test_a_command_that_is_sent_twice_is_done_once(world: ServedWorld, ziwo: ZiwoClient) -> None:
    """As browsers do with a connection that ends under a request."""
    async with commanded(ziwo) as (session, _):
        twice = [session.post("/ziwo/control", json=command("call", number=CUSTOMER)) for _ in range(5)]
        answers = await asyncio.gather(*twice)
        assert {response.status for response in answers} == {200}
        (call_id,) = {(await response.json())["callID"] for response in answers}
        async with session.post("/ziwo/control", json=command("call", number=CUSTOMER)) as late:
            assert (await late.json())["callID"] == call_id
        assert len([call for call in world.calls if call.direction == "outbound"]) == 1


async def test_commands_are_remembered_within_bounds(ziwo: ZiwoClient) -> None:
    async with commanded(ziwo) as (_, events):
        assert events._control is not None
        for number in range(400):
            assert (await events._control.do(command("answer", number, callID="x")))[0] == 404
        assert len(events._control._tasks) == 256


async def test_what_may_be_dialled_is_asked(world: ServedWorld) -> None:
    ziwo = client_of(world, spend=SpendPolicy(allowed_prefixes=("+44",)))
    async with ziwo, ziwo.phone, commanded(ziwo) as (session, _):
        response = await session.post("/ziwo/control", json=command("call", number=CUSTOMER))
        assert (response.status, (await response.json())["error"]) == (403, "SpendRefused")


async def test_only_calls_that_were_told_can_be_commanded(world: ServedWorld, ziwo: ZiwoClient) -> None:
    world.customer(CUSTOMER).never_answers()
    hidden = await ziwo.phone.dial(CUSTOMER)
    async with (
        BrowserEvents(ziwo, allow=lambda r: True, control=True, where=lambda e: False) as events,
        site(events) as at,
        http(at) as session,
    ):
        session.headers["X-Ziwo-Control"] = (await calls(session))["control"]
        async with session.post("/ziwo/control", json=command("hangup", callID=hidden.id)) as response:
            assert response.status == 404
    assert not hidden.is_over


async def test_the_end_does_not_wait_for_commands(world: ServedWorld) -> None:
    ziwo = client_of(world, timeouts=Timeouts(verto_request=600, close=0.5))
    async with ziwo, ziwo.phone, commanded(ziwo) as (session, events):
        world.faults.dropped_reply("verto.invite")
        asked = asyncio.create_task(session.post("/ziwo/control", json=command("call", number=CUSTOMER)))
        async with asyncio.timeout(PATIENCE):
            while not events._control or not events._control._tasks:
                await asyncio.sleep(0.01)
            await events.__aexit__(None, None, None)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)


# --- the package ------------------------------------------------------------------------------------------------------


async def test_the_script_is_in_the_package_and_served_to_everybody(ziwo: ZiwoClient) -> None:
    shipped = files("ziwo_async.browser").joinpath("page")
    assert [file.name for file in shipped.iterdir()] == ["ziwo-events.js"]
    async with BrowserEvents(ziwo) as events, site(events) as at, http(at) as session:
        response = await session.get("/ziwo/ziwo-events.js")
        assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert await response.text() == shipped.joinpath("ziwo-events.js").read_text(encoding="utf-8")
