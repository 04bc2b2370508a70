"""What a request proves itself with: the token, the instance's api_key, or nothing."""

from __future__ import annotations

import pytest
from aiohttp import web
from pydantic import SecretStr

from ziwo_async import ZiwoClient
from ziwo_async.errors import ApiError, BadCredentials, ConfigError, Forbidden
from ziwo_async.rest.transport import Transport

KEY = "CANARY-key-77aa"
CALL = "/integrations/cti/agents/0011/call/00971500000000"


def keyed(kit, url: str) -> Transport:
    made = Transport(url, None, api_key=SecretStr(KEY), retry=kit.quick)
    kit.transports.append(made)
    return made


async def test_the_api_key_travels_in_its_header_and_nothing_logs_in(kit, ziwo):
    ziwo.answers("POST", CALL, lambda: kit.ok({"callID": "c1"}))
    reply = await keyed(kit, ziwo.url).request("POST", CALL, credential="api_key")
    assert reply.content == {"callID": "c1"}
    assert ziwo.headers[-1]["api_key"] == KEY
    assert "access_token" not in ziwo.headers[-1]
    assert ziwo.logins == 0


async def test_a_request_with_nothing_carries_nothing(kit, ziwo):
    ziwo.answers("GET", "/monitor/ping", lambda: kit.ok({}))
    await keyed(kit, ziwo.url).request("GET", "/monitor/ping", credential="none")
    assert not {"api_key", "access_token"} & {name.lower() for name in ziwo.headers[-1]}


async def test_a_client_with_only_a_key_says_what_a_login_needs(kit, ziwo):
    with pytest.raises(ConfigError, match="only an api_key"):
        await keyed(kit, ziwo.url).request("GET", "/profile")
    assert ziwo.seen == []


async def test_without_a_key_nothing_is_sent_and_the_error_names_the_variable(kit, ziwo):
    with pytest.raises(ConfigError, match="ZIWO_API_KEY"):
        await kit.transport(ziwo.url).request("POST", CALL, credential="api_key")
    assert ziwo.seen == []


@pytest.mark.parametrize("key", ["", "CANARY x", "CANARY\r\nX: y"])
def test_a_key_that_no_header_can_carry(key):
    with pytest.raises(ConfigError, match="api_key") as caught:
        Transport("http://127.0.0.1:1", None, api_key=SecretStr(key))
    assert "CANARY" not in str(caught.value)


async def test_a_refused_key_is_not_tried_again(kit, ziwo):
    ziwo.answers("POST", CALL, lambda: kit.failed(401, f"unknown key {KEY}"))
    with pytest.raises(BadCredentials, match="refuses the api_key") as caught:
        await keyed(kit, ziwo.url).request("POST", CALL, credential="api_key")
    assert "CANARY" not in str(caught.value)
    assert ziwo.count("POST", CALL) == 1


@pytest.mark.parametrize(("status", "kind"), [(403, Forbidden), (500, ApiError), (200, ApiError)])
async def test_a_server_that_repeats_the_key_does_not_get_it_into_the_error(kit, ziwo, status, kind):
    answer = {"result": False, "error": {"message": f"no right for {KEY}"}}
    ziwo.answers("POST", CALL, lambda: web.json_response(answer, status=status))
    with pytest.raises(kind, match=r"no right for \*\*\*") as caught:
        await keyed(kit, ziwo.url).request("POST", CALL, credential="api_key")
    assert "CANARY" not in str(caught.value)
    assert "CANARY" not in repr(vars(caught.value))


async def test_the_client_takes_the_key_and_needs_no_login_for_it(kit, ziwo):
    ziwo.answers("POST", CALL, lambda: kit.ok({"callID": "c1"}))
    async with ZiwoClient(api_url=ziwo.url, api_key=KEY) as client:
        assert (await client.request("POST", CALL, credential="api_key")).content == {"callID": "c1"}
        assert "CANARY" not in repr(client)
        assert "by api_key" in repr(client)
    assert ziwo.seen == [("POST", CALL)]


async def test_the_key_comes_from_the_environment(kit, ziwo, monkeypatch):
    ziwo.answers("POST", CALL, lambda: kit.ok({}))
    monkeypatch.setenv("ZIWO_API_URL", ziwo.url)
    monkeypatch.setenv("ZIWO_API_KEY", KEY)
    async with ZiwoClient.from_env() as client:
        await client.request("POST", CALL, credential="api_key")
    assert ziwo.headers[-1]["api_key"] == KEY
