"""Countries, where files are, stored files, and the ping."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from ziwo_async.errors import (
    ApiError,
    BadArgument,
    CannotConnect,
    ConfigError,
    DecodeError,
    NotFound,
    RequestTimeout,
)
from ziwo_async.rest.auth import Credentials
from ziwo_async.rest.monitor import MonitorResource
from ziwo_async.rest.static import StaticResource
from ziwo_async.testing import serve

FRANCE = {
    "countryCode": "FR",
    "callingCode": 33,
    "name": "France",
    "officialName": "French Republic",
    "region": "Europe",
    "currency": ["EUR"],
    "tld": [".fr"],
    "sample": {"numbers": {"mobile": {"internationalFormat": "+33 6 12 34 56 78", "nationalFormat": "06 12 34 56 78"}}},
}


@pytest.fixture
def static(kit, ziwo):
    return StaticResource(kit.transport(ziwo.url))


def serve_file(ziwo, data):
    async def send(request):
        return web.Response(body=data, content_type="image/png")

    ziwo.on("GET", "/storage/abc", send)


async def test_countries(static, ziwo, kit):
    ziwo.answers("GET", "/static/countries", lambda: kit.ok([FRANCE, {"countryCode": "AQ", "sample": None}]))
    france, antarctica = await static.countries()
    assert (france.code, france.calling_code, france.name, france.region) == ("FR", "33", "France", "Europe")
    assert france.sample is not None
    assert france.sample.numbers is not None
    assert france.sample.numbers.mobile is not None
    assert france.sample.numbers.mobile.national_format == "06 12 34 56 78"
    assert antarctica.code == "AQ"
    assert antarctica.calling_code is None


async def test_countries_keyed_by_code(static, ziwo, kit):
    ziwo.answers("GET", "/static/countries", lambda: kit.ok({"FR": FRANCE}))
    assert [country.code for country in await static.countries()] == ["FR"]


async def test_endpoints(static, ziwo, kit):
    prefix = "https://acme-api.aswat.co/surveillance/recordings/"
    ziwo.answers("GET", "/static/callRecordingsEndpoint", lambda: kit.ok({"endpoint": prefix}))
    ziwo.answers("GET", "/static/storageEndpoint", lambda: kit.ok({"endpoint": "/storage/"}))
    assert await static.recordings_endpoint("a&b=c") == prefix
    assert ziwo.raw_paths[-1] == "/static/callRecordingsEndpoint?callId=a%26b%3Dc"
    assert await static.storage_endpoint() == "/storage/"
    with pytest.raises(BadArgument):
        await static.recordings_endpoint("")


@pytest.mark.parametrize("content", [[], {"endpoint": None}, "x"])
async def test_no_endpoint(static, ziwo, kit, content):
    ziwo.answers("GET", "/static/storageEndpoint", lambda: kit.ok(content))
    with pytest.raises(DecodeError):
        await static.storage_endpoint()


async def test_a_stored_file(static, ziwo):
    data = bytes(range(256)) * 1000
    serve_file(ziwo, data)
    assert await static.storage("abc") == data
    assert await static.storage("abc", limit=len(data)) == data
    assert "access_token" in ziwo.headers[-1]


async def test_an_empty_file(static, ziwo):
    serve_file(ziwo, b"")
    assert await static.storage("abc", limit=1) == b""


async def test_a_file_that_is_too_large(static, ziwo):
    serve_file(ziwo, b"x" * 1001)
    with pytest.raises(DecodeError, match="larger than 1000 bytes") as caught:
        await static.storage("abc", limit=1000)
    assert caught.value.path == "/storage/abc"
    serve_file(ziwo, b"x" * (8 * 1024 * 1024 + 1))
    with pytest.raises(DecodeError, match="larger than 8388608 bytes"):
        await static.storage("abc")


async def test_a_file_without_end_is_read_to_the_limit_only(static, ziwo):
    async def send(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    ziwo.on("GET", "/storage/abc", send)
    with pytest.raises(DecodeError, match="larger than"):
        await static.storage("abc", limit=100_000)


async def test_an_error_is_no_file_whatever_its_status(static, ziwo, kit):
    ziwo.answers("GET", "/storage/abc", lambda: kit.failed(200, "no such file"))
    with pytest.raises(ApiError, match="HTTP 200: no such file"):
        await static.storage("abc")
    ziwo.answers("GET", "/storage/abc", lambda: web.Response(status=304))
    with pytest.raises(ApiError, match="HTTP 304"):
        await static.storage("abc")


@pytest.mark.parametrize("data", [b"{", b'{"a": 1}', b'{"result": true}', b"[]", b"\x89PNG"])
async def test_a_file_that_looks_like_json_is_a_file(static, ziwo, data):
    serve_file(ziwo, data)
    assert await static.storage("abc") == data


async def test_a_file_that_trickles_has_an_end(static, ziwo):
    async def trickle(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.01)

    ziwo.on("GET", "/storage/abc", trickle)
    with pytest.raises(RequestTimeout, match=r"did not come within 0\.1 s"):
        await static.storage("abc", timeout=0.1)
    with pytest.raises(BadArgument):
        await static.storage("abc", timeout=0)


async def test_a_file_that_is_not_there(static, ziwo, kit):
    ziwo.answers("GET", "/storage/abc", lambda: kit.failed(404, "no such file"))
    with pytest.raises(NotFound, match="no such file"):
        await static.storage("abc")


async def test_the_name_of_a_file_stays_in_its_segment(static, ziwo, kit):
    with pytest.raises(BadArgument):
        await static.storage("abc", limit=0)
    for name in ("", "..", "a\x00b", "a/../../profile"):
        with pytest.raises(ConfigError):
            await static.storage(name)
    assert ziwo.seen == []
    await static.storage("a/b?x#y")
    assert ziwo.raw_paths[-1] == "/storage/a%2Fb%3Fx%23y"


# --- ping -----------------------------------------------------------------------------------------------------------


async def test_ping_needs_no_login(kit, ziwo):
    ziwo.answers("GET", "/monitor/ping", web.Response, lambda: kit.ok({}))
    monitor = MonitorResource(kit.transport(ziwo.url))
    await monitor.ping()
    await monitor.ping("acme")
    assert ziwo.raw_paths == ["/monitor/ping", "/monitor/ping?callCenter=acme"]
    assert ziwo.logins == 0
    assert all("access_token" not in headers for headers in ziwo.headers)


async def test_ping_of_what_is_not_there(kit, ziwo):
    ziwo.answers("GET", "/monitor/ping", lambda: kit.failed(404, "no such contact centre"))
    with pytest.raises(NotFound):
        await MonitorResource(kit.transport(ziwo.url)).ping()
    url = ziwo.url
    await ziwo.stop()
    with pytest.raises(CannotConnect):
        await MonitorResource(kit.transport(url)).ping()


# --- the simulator --------------------------------------------------------------------------------------------------


async def test_static_data_of_a_contact_centre(kit):
    async with serve() as world:
        agent = world.agent("0011")
        name = world.add_file(b"a photo", "image/png")
        transport = kit.transport(world.api_url, Credentials.from_password(agent.username, agent.password))
        static = StaticResource(transport)
        countries = {country.code: country for country in await static.countries()}
        assert countries["FR"].calling_code == "33"
        assert (await static.recordings_endpoint("x")).startswith(world.api_url)
        assert (await static.storage_endpoint()).startswith("/storage")
        assert await static.storage(name) == b"a photo"
        with pytest.raises(NotFound):
            await static.storage("no-such-file")
        await MonitorResource(transport).ping("acme")
