"""What becomes of requests, logins and sessions when the client closes, or its event loop is another one."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from ziwo_async import ZiwoClient
from ziwo_async.errors import ClientClosed, ConfigError, ZiwoError

PATH = "/surveillance/recordings/x.mp3"


@pytest.fixture
def stuck(ziwo):
    """Make a route never answer; gives the event that says that a request is there."""

    def make(method: str, path: str) -> asyncio.Event:
        there = asyncio.Event()

        async def handler(request: web.Request) -> web.Response:
            await request.read()
            there.set()
            await asyncio.Event().wait()
            return web.Response()

        ziwo.on(method, path, handler)
        return there

    return make


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_requests_under_way(kit, ziwo, stuck, method):
    there = stuck(method, "/x")
    transport = kit.transport(ziwo.url)
    asking = asyncio.ensure_future(transport.request(method, "/x"))
    await there.wait()
    await transport.aclose()
    with pytest.raises(ClientClosed, match="while a request was under way"):
        await asking


async def test_a_login_under_way(kit, ziwo, stuck):
    there = stuck("POST", "/auth/login")
    transport = kit.transport(ziwo.url)
    asking = asyncio.ensure_future(transport.login())
    await there.wait()
    await transport.aclose()
    with pytest.raises(ClientClosed):
        await asking


async def test_a_body_that_is_being_read(kit, ziwo):
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x")
        await asyncio.Event().wait()
        return response

    ziwo.on("GET", PATH, endless)
    async with asyncio.timeout(5):  # less than the limit of a request
        transport = kit.transport(ziwo.url)

        async def read() -> None:
            async with transport.stream(PATH) as body:
                async for _ in body.chunks():
                    begun.set()

        begun = asyncio.Event()
        reading = asyncio.ensure_future(read())
        await begun.wait()
        await transport.aclose()
        with pytest.raises(ClientClosed):
            await reading


async def test_an_answer_that_is_half_there(kit, ziwo):
    half = asyncio.Event()

    async def begin(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"{")
        half.set()
        await asyncio.Event().wait()
        return response

    ziwo.on("POST", "/x", begin)
    async with asyncio.timeout(5):
        transport = kit.transport(ziwo.url)
        asking = asyncio.ensure_future(transport.request("POST", "/x"))
        await half.wait()
        while not transport._exchange._being_read:
            await asyncio.sleep(0)
        await transport.aclose()
        with pytest.raises(ClientClosed):
            await asking


async def test_a_body_that_is_left_open_while_its_client_closes(kit, ziwo):
    ziwo.answers("GET", PATH, lambda: web.Response(body=b"x" * 10_000_000))
    transport = kit.transport(ziwo.url)

    async def read() -> None:
        async with transport.stream(PATH) as body:
            async for _ in body.chunks():
                await transport.aclose()

    with pytest.raises(ClientClosed):
        await read()


async def test_a_login_under_way_is_logged_out_again(ziwo):
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def login(request: web.Request) -> web.Response:
        begun.set()
        await go_on.wait()
        return await ziwo.login(request)

    ziwo.on("POST", "/auth/login", login)
    client = ZiwoClient(api_url=ziwo.url, username="agent@acme.test", password=ziwo.password)
    asking = asyncio.ensure_future(client.session.profile())
    await begun.wait()
    closing = asyncio.ensure_future(client.aclose())
    await asyncio.sleep(0)
    go_on.set()
    await closing
    await asyncio.gather(asking, return_exceptions=True)
    assert ziwo.count("POST", "/auth/logout") == 1
    assert ziwo.headers[ziwo.seen.index(("POST", "/auth/logout"))]["access_token"] in ziwo.tokens


async def test_nobody_logs_in_after_the_last_logout(kit, ziwo):
    transport = kit.transport(ziwo.url)
    await transport.login()
    await transport.logout(for_good=True)
    with pytest.raises(ClientClosed):
        await transport.request("GET", "/profile")
    assert ziwo.logins == 1


async def test_a_pause_that_the_server_wants_keeps_nobody_logged_in(kit, ziwo):
    ziwo.answers("GET", "/x", lambda: kit.failed(429, "slow", **{"Retry-After": "99999999999999"}))
    transport = kit.transport(ziwo.url)
    with pytest.raises(ZiwoError) as caught:
        await transport.request("GET", "/x")
    assert caught.value.retry_after == 3600
    await transport.logout()
    assert ziwo.count("POST", "/auth/logout") == 1


def test_a_client_in_another_event_loop(kit):
    server = kit.Server

    async def once(transport) -> None:
        ziwo = server()
        await ziwo.start()
        try:
            await transport(ziwo.url).request("GET", "/profile")
        finally:
            await ziwo.stop()

    made = []

    def transport(url):
        made.append(kit.transport(url))
        return made[0]

    asyncio.run(once(transport))

    async def again() -> None:
        with pytest.raises(ConfigError, match="one client for each event loop"):
            await made[0].request("GET", "/profile")
        await made[0].aclose()
        with pytest.raises(ClientClosed):
            await made[0].request("GET", "/profile")

    asyncio.run(again())


def test_a_whole_client_in_another_event_loop_closes_quietly(kit):
    made: list[ZiwoClient] = []

    async def first() -> None:
        ziwo = kit.Server()
        await ziwo.start()
        made.append(ZiwoClient(api_url=ziwo.url, username=kit.USER, password=kit.PASSWORD))
        await made[0].session.profile()
        await ziwo.stop()

    asyncio.run(first())
    asyncio.run(made[0].aclose())
