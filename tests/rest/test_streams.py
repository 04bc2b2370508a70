"""Bodies that are read piece by piece, and where a redirect may lead them."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from ziwo_async.config import RetryPolicy, Timeouts
from ziwo_async.errors import (
    ApiError,
    ClientClosed,
    ConnectionLost,
    Forbidden,
    NotFound,
    RequestTimeout,
    ServerError,
    TokenExpired,
)
from ziwo_async.rest.auth import Credentials
from ziwo_async.rest.prepared import redirected

PATH = "/surveillance/recordings/x.mp3"
SOUND = bytes(range(256)) * 1024


async def whole(transport, path=PATH, **options) -> bytes:
    async with transport.stream(path, **options) as body:
        return b"".join([chunk async for chunk in body.chunks()])


def sound() -> web.Response:
    return web.Response(body=SOUND, content_type="audio/mpeg", headers={"ETag": '"1"'})


async def test_a_body_comes_in_pieces_with_its_headers(kit, ziwo):
    ziwo.answers("GET", PATH, sound)
    async with kit.transport(ziwo.url).stream(PATH, headers={"Range": "bytes=0-"}) as body:
        assert (body.status, body.header("etag"), body.header("nothing")) == (200, '"1"', None)
        sizes = [len(chunk) async for chunk in body.chunks()]
    assert sum(sizes) == len(SOUND)
    assert max(sizes) <= 64 * 1024
    assert ziwo.headers[-1]["Range"] == "bytes=0-"


async def test_an_expired_token_is_renewed_once(kit, ziwo):
    def guarded(request: web.Request):
        return sound() if ziwo.allowed(request) else kit.failed(401, "old")

    async def handler(request):
        return guarded(request)

    ziwo.on("GET", PATH, handler)
    transport = kit.transport(ziwo.url)
    await transport.login()
    ziwo.tokens.clear()
    assert await whole(transport) == SOUND
    assert ziwo.logins == 2


async def test_a_token_of_elsewhere_cannot_be_renewed(kit, ziwo):
    ziwo.answers("GET", PATH, lambda: kit.failed(401, "old"))
    with pytest.raises(TokenExpired):
        await whole(kit.transport(ziwo.url, Credentials.from_token("CANARY-t")))


@pytest.mark.parametrize(("status", "kind"), [(403, Forbidden), (404, NotFound), (418, ApiError)])
async def test_errors_have_their_class_and_their_words(kit, ziwo, status, kind):
    ziwo.answers("GET", PATH, lambda: kit.failed(status, "no such thing"))
    with pytest.raises(kind, match="no such thing"):
        await whole(kit.transport(ziwo.url))


async def test_a_range_that_cannot_be_served_is_for_the_caller_to_see(kit, ziwo):
    ziwo.answers("GET", PATH, lambda: web.Response(status=416))
    async with kit.transport(ziwo.url).stream(PATH) as body:
        assert body.status == 416


async def test_opening_is_tried_again_and_reading_is_not(kit, ziwo):
    ziwo.answers("GET", PATH, lambda: kit.failed(503, "busy"), lambda: kit.failed(500, "oops"), sound)
    assert await whole(kit.transport(ziwo.url)) == SOUND
    assert ziwo.count("GET", PATH) == 3
    ziwo.answers("GET", PATH, lambda: kit.failed(503, "busy"))
    with pytest.raises(ServerError, match="busy"):
        await whole(kit.transport(ziwo.url))


async def test_a_body_that_breaks_off(kit, ziwo):
    async def broken(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"x" * 10)
        assert request.transport is not None
        request.transport.abort()
        return response

    ziwo.on("GET", PATH, broken)
    with pytest.raises(ConnectionLost):
        await whole(kit.transport(ziwo.url))
    assert ziwo.count("GET", PATH) == 1


async def test_a_body_that_stands_still(kit, ziwo):
    async def still(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"x" * 10)
        await ziwo.disconnected.wait()
        return response

    ziwo.on("GET", PATH, still)
    with pytest.raises(RequestTimeout):
        await whole(kit.transport(ziwo.url, timeouts=Timeouts(request=0.1)))


async def test_a_server_that_never_begins(kit, ziwo):
    async def silent(request: web.Request) -> web.StreamResponse:
        await ziwo.disconnected.wait()
        return web.Response()

    ziwo.on("GET", PATH, silent)
    with pytest.raises(RequestTimeout):
        await whole(kit.transport(ziwo.url, timeouts=Timeouts(request=0.1), retry=RetryPolicy(attempts=1)))


async def test_leaving_early_does_not_read_on(kit, ziwo):
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    ziwo.on("GET", PATH, endless)
    async with kit.transport(ziwo.url).stream(PATH) as body:
        assert await body.read(10) == b"x" * 10
    await ziwo.disconnected.wait()


async def test_a_closed_transport(kit, ziwo):
    transport = kit.transport(ziwo.url)
    await transport.login()
    await transport.aclose()
    with pytest.raises(ClientClosed):
        await whole(transport)


# --- redirects ------------------------------------------------------------------------------------------------------


async def test_another_host_sees_no_credential_and_nothing_of_the_borrowed_session(kit, ziwo, elsewhere):
    elsewhere.answers("GET", "/bucket/x.mp3", sound)
    ziwo.answers("GET", PATH, lambda: web.Response(status=302, headers={"Location": f"{elsewhere.url}/bucket/x.mp3"}))
    session = aiohttp.ClientSession(
        headers={"Authorization": "CANARY-basic", "X-Mine": "CANARY-own"},
        cookies={"c": "CANARY-cookie"},
        cookie_jar=aiohttp.CookieJar(unsafe=True),
    )
    async with session:
        transport = kit.transport(ziwo.url, http=session)
        assert await whole(transport, headers={"Range": "bytes=5-"}) == SOUND
        assert await whole(transport, f"{elsewhere.url}/bucket/x.mp3") == SOUND
    assert ziwo.headers[-1]["access_token"]
    assert len(elsewhere.headers) == 2
    for headers in elsewhere.headers:
        assert "CANARY" not in str(headers)
        assert {name.lower() for name in headers} <= {"host", "accept", "accept-encoding", "user-agent", "range"}
    assert elsewhere.headers[0]["Range"] == "bytes=5-"


@pytest.mark.parametrize("path", ["/surveillance/recordings/y.mp3", "/callHistory/7/recording", "/storage/abc"])
async def test_the_own_host_sees_the_token_where_files_are(kit, ziwo, path):
    ziwo.answers("GET", PATH, lambda: web.Response(status=307, headers={"Location": path}))
    ziwo.answers("GET", path, sound)
    assert await whole(kit.transport(ziwo.url)) == SOUND
    assert ziwo.headers[-1]["access_token"] in ziwo.tokens


@pytest.mark.parametrize(
    "path",
    [
        "/other",
        "/auth/logout",
        "/storage/../auth/logout",
        "/storage/%2e%2e/x",
        "/storage/..%2fx",
        "/storage/%252e%252e/",
    ],
)
async def test_the_own_host_sees_no_token_elsewhere(kit, ziwo, path):
    ziwo.answers("GET", PATH, lambda: web.Response(status=307, headers={"Location": path}))
    with pytest.raises(Forbidden):  # the server wants a token there, and another login would not help
        await whole(kit.transport(ziwo.url))
    assert len(ziwo.seen) == 3
    assert "access_token" not in ziwo.headers[-1]
    assert ziwo.logins == 1


async def test_http_on_loopback_is_not_followed_when_the_api_is_elsewhere(kit, elsewhere):
    with pytest.raises(ApiError, match=r"leads to http://127\.0\.0\.1, which is not followed"):
        redirected(f"{elsewhere.url}/x")
    transport = kit.transport("https://acme-api.aswat.co", Credentials.from_token("CANARY-t"))
    with pytest.raises(ApiError, match=r"leads to http://127\.0\.0\.1, which is not followed"):
        await whole(transport, f"{elsewhere.url}/x")
    assert elsewhere.seen == []


@pytest.mark.parametrize("status", [304, 300, 399])
async def test_what_is_no_file_is_no_body(kit, ziwo, status):
    ziwo.answers("GET", PATH, lambda: web.Response(status=status))
    with pytest.raises(ApiError, match=f"no file comes with HTTP {status}"):
        await whole(kit.transport(ziwo.url))


async def test_the_words_of_an_error_may_not_take_for_ever(kit, ziwo):
    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=404)
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.01)

    ziwo.on("GET", PATH, trickle)
    with pytest.raises(RequestTimeout, match=r"did not come within 0\.1 s"):
        await whole(kit.transport(ziwo.url, timeouts=Timeouts(request=0.1)))


async def test_a_redirect_back_from_elsewhere_does_not_carry_the_token_there_first(kit, ziwo, elsewhere):
    ziwo.answers("GET", PATH, lambda: web.Response(status=302, headers={"Location": f"{elsewhere.url}/a"}))
    elsewhere.answers("GET", "/a", lambda: web.Response(status=302, headers={"Location": f"{ziwo.url}/b"}))
    ziwo.answers("GET", "/b", sound)
    assert await whole(kit.transport(ziwo.url)) == SOUND
    assert "access_token" not in elsewhere.headers[-1]


async def test_redirects_have_an_end(kit, ziwo):
    ziwo.answers("GET", PATH, lambda: web.Response(status=302, headers={"Location": PATH}))
    with pytest.raises(ApiError, match="more than 5 redirects"):
        await whole(kit.transport(ziwo.url))


@pytest.mark.parametrize(
    "address",
    [
        "http://example.com/x",
        "ftp://example.com/x",
        "file:///etc/passwd",
        "https://user:CANARY@example.com/x",
        "//user@example.com/x",
        "https:///x",
        "javascript:alert(1)",
        "http://[bad/x",
        "",
    ],
)
def test_addresses_that_are_not_followed(address):
    with pytest.raises(ApiError, match="is not followed") as caught:
        redirected(address)
    assert "CANARY" not in str(caught.value)


async def test_a_redirect_to_plain_http_is_not_followed(kit, ziwo):
    ziwo.answers("GET", PATH, lambda: web.Response(status=302, headers={"Location": "http://example.com/x?CANARY=1"}))
    with pytest.raises(ApiError, match=r"leads to http://example\.com, which is not followed") as caught:
        await whole(kit.transport(ziwo.url))
    assert "CANARY" not in str(caught.value)


async def test_what_another_host_refuses_is_no_matter_of_our_login(kit, ziwo, elsewhere):
    secret = f"{elsewhere.url}/CANARY-path?sig=CANARY-query"
    ziwo.answers("GET", PATH, lambda: web.Response(status=302, headers={"Location": secret}))
    elsewhere.answers("GET", "/CANARY-path", lambda: kit.failed(403, "no access to /CANARY-path"))
    transport = kit.transport(ziwo.url)
    with pytest.raises(Forbidden, match="said by another host") as caught:
        await whole(transport)
    assert "CANARY" not in str(caught.value)
    with pytest.raises(Forbidden) as caught:
        await whole(transport, secret)
    assert "CANARY" not in str(caught.value)
    assert ziwo.logins == 1


async def test_a_401_of_another_host_is_not_taken_for_our_own(kit, ziwo, elsewhere):
    ziwo.answers("GET", PATH, lambda: web.Response(status=302, headers={"Location": f"{elsewhere.url}/x"}))
    elsewhere.answers("GET", "/x", lambda: kit.failed(401, "who are you"))
    with pytest.raises(Forbidden, match="said by another host"):
        await whole(kit.transport(ziwo.url))
    assert ziwo.logins == 1
