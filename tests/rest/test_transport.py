"""The transport against a real server: the token, logins, errors, retries."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr
from yarl import URL

from ziwo_async.config import RetryPolicy, Timeouts
from ziwo_async.errors import (
    ApiError,
    AuthError,
    BadCredentials,
    ClientClosed,
    ConfigError,
    Conflict,
    DecodeError,
    Forbidden,
    NotFound,
    RateLimited,
    RequestTimeout,
    ServerError,
    TokenExpired,
)
from ziwo_async.rest import auth
from ziwo_async.rest.auth import Credentials, Header, origin_guard


async def test_the_first_request_logs_in_and_the_next_one_does_not(kit, ziwo):
    transport = kit.transport(ziwo.url)
    assert "not logged in" in repr(transport)
    reply = await transport.request("GET", "/profile")
    assert reply.content["ccLogin"] == "0011"
    assert reply.status == 200
    await transport.request("GET", "/profile")
    assert ziwo.seen == [("POST", "/auth/login"), ("GET", "/profile"), ("GET", "/profile")]
    assert ziwo.login_forms == [{"username": kit.USER, "password": kit.PASSWORD}]
    assert ziwo.headers[0]["Content-Type"] == "application/x-www-form-urlencoded"
    assert "access_token" not in ziwo.headers[0]
    assert ziwo.headers[1]["access_token"] in ziwo.tokens
    assert transport.base_url == ziwo.url
    assert "logged in" in repr(transport)
    assert "CANARY" not in repr(transport) + repr(reply) + repr(vars(transport))


async def test_the_token_is_never_in_the_session(kit, ziwo):
    async with aiohttp.ClientSession(headers={"X-Mine": "1"}) as session:
        transport = kit.transport(ziwo.url, http=session)
        await transport.request("GET", "/profile")
        assert "access_token" not in session.headers
        assert ziwo.headers[1]["X-Mine"] == "1"


async def test_many_refused_requests_cause_one_login(kit, ziwo):
    transport = kit.transport(ziwo.url)
    await transport.login()
    ziwo.tokens.clear()
    arrived = 0
    everybody = asyncio.Event()

    async def profile(request: web.Request) -> web.Response:
        nonlocal arrived
        if ziwo.allowed(request):
            return kit.ok({"id": 1})
        arrived += 1
        if arrived == 100:
            everybody.set()
        await everybody.wait()
        return kit.failed(401, "expired")

    ziwo.on("GET", "/profile", profile)
    replies = await asyncio.gather(*(transport.request("GET", "/profile") for _ in range(100)))
    assert [reply.content for reply in replies] == [{"id": 1}] * 100
    assert arrived == 100
    assert ziwo.logins == 2


async def test_many_first_requests_cause_one_login_even_when_it_fails(kit, ziwo):
    everybody = asyncio.Event()

    async def login(request: web.Request) -> web.Response:
        await everybody.wait()
        return await ziwo.login(request)

    ziwo.on("POST", "/auth/login", login)
    transport = kit.transport(ziwo.url, kit.password("CANARY-wrong"))
    waiters = [asyncio.ensure_future(transport.request("GET", "/profile")) for _ in range(50)]
    while not ziwo.seen:
        await asyncio.sleep(0)
    everybody.set()
    results = await asyncio.gather(*waiters, return_exceptions=True)
    assert {type(result) for result in results} == {BadCredentials}
    assert len({id(result) for result in results}) == 50, "one instance must not be raised in several tasks"
    assert ziwo.logins == 1
    assert "***" in str(results[0])
    assert ziwo.count("GET", "/profile") == 0
    # Nor later: servers lock users out for trying the same password again and again.
    with pytest.raises(BadCredentials) as caught:
        await transport.request("GET", "/profile")
    assert caught.value is not results[0]
    assert ziwo.logins == 1


async def test_a_provider_is_asked_again_after_a_refusal(kit, ziwo):
    passwords = ["CANARY-wrong", kit.PASSWORD]

    async def provider() -> Credentials:
        return kit.password(passwords.pop(0))

    transport = kit.transport(ziwo.url, provider)
    with pytest.raises(BadCredentials):
        await transport.request("GET", "/profile")
    assert (await transport.request("GET", "/profile")).status == 200
    assert ziwo.logins == 2


@pytest.mark.parametrize("status", [304, 300, 226])
async def test_a_status_with_which_nothing_comes(kit, ziwo, status):
    ziwo.answers("GET", "/x", lambda: web.Response(status=status))
    if status < 300:
        assert (await kit.transport(ziwo.url).request("GET", "/x")).content is None
        return
    with pytest.raises(ApiError, match="no answer comes with this status"):
        await kit.transport(ziwo.url).request("GET", "/x")


async def test_a_byte_order_mark(kit, ziwo):
    ziwo.answers("GET", "/x", lambda: web.Response(body=b'\xef\xbb\xbf{"content": 1}'))
    assert (await kit.transport(ziwo.url).request("GET", "/x")).content == 1


async def test_a_login_that_failed_for_another_reason_is_tried_again(kit, ziwo):
    ziwo.answers("POST", "/auth/login", lambda: kit.failed(500, "oops"), lambda: kit.ok({"access_token": "CANARY-t"}))
    transport = kit.transport(ziwo.url)
    with pytest.raises(ServerError):
        await transport.login()
    await transport.login()


async def test_a_provider_that_breaks_is_asked_once_for_all_waiters(kit, ziwo):
    asked = 0

    async def provider() -> Credentials:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        raise KeyError("CANARY-vault")

    transport = kit.transport(ziwo.url, provider)
    results = await asyncio.gather(*(transport.request("GET", "/p") for _ in range(20)), return_exceptions=True)
    assert asked == 1
    assert [type(result) for result in results] == [KeyError] + 19 * [AuthError]
    assert str(results[1]) == "the credentials provider failed (KeyError)"
    assert results[1].retryable
    with pytest.raises(KeyError):
        await transport.request("GET", "/p")


async def test_a_waiter_logs_in_when_the_first_one_is_cancelled(kit, ziwo):
    calls = 0

    async def login(request: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        if calls == 1:
            await asyncio.Event().wait()
        return await ziwo.login(request)

    ziwo.on("POST", "/auth/login", login)
    transport = kit.transport(ziwo.url)
    first = asyncio.create_task(transport.request("GET", "/profile"))
    while not ziwo.seen:
        await asyncio.sleep(0)
    second = asyncio.create_task(transport.request("GET", "/profile"))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).status == 200
    with pytest.raises(asyncio.CancelledError):
        await first
    await asyncio.wait_for(ziwo.disconnected.wait(), 10)


async def test_a_token_that_was_just_given_and_is_refused(kit, ziwo):
    ziwo.answers("GET", "/profile", lambda: kit.failed(401, "no"))
    transport = kit.transport(ziwo.url)
    with pytest.raises(BadCredentials, match="GET /profile"):
        await transport.request("GET", "/profile")
    assert ziwo.logins == 2
    assert ziwo.count("GET", "/profile") == 2


async def test_a_write_too_is_sent_again_after_a_login(kit, ziwo):
    transport = kit.transport(ziwo.url)
    await transport.login()
    ziwo.tokens.clear()
    assert (await transport.request("POST", "/thing", form={"a": 1})).status == 200
    assert ziwo.count("POST", "/thing") == 2


async def test_token_login_needs_no_login_and_ends_with_token_expired(kit, ziwo):
    ziwo.tokens.add("CANARY-given")
    transport = kit.transport(ziwo.url, Credentials.from_token("CANARY-given"))
    await transport.request("GET", "/profile")
    ziwo.tokens.clear()
    for _ in range(2):
        with pytest.raises(TokenExpired) as caught:
            await transport.request("GET", "/profile")
        assert not caught.value.retryable
    assert ziwo.logins == 0
    # The second time is not even sent: the token is known to be bad, and there is no other one.
    assert ziwo.count("GET", "/profile") == 2


async def test_the_provider_is_asked_again_and_may_have_a_new_token(kit, ziwo):
    ziwo.tokens.add("CANARY-second")
    given = ["CANARY-first", "CANARY-second", "CANARY-third"]
    asked = 0

    async def provider() -> Credentials:
        nonlocal asked
        asked += 1
        return Credentials.from_token(given.pop(0))

    transport = kit.transport(ziwo.url, provider)
    assert (await transport.request("GET", "/profile")).status == 200
    assert asked == 2
    assert (await transport.access_token()).get_secret_value() == "CANARY-second"
    ziwo.tokens.clear()
    with pytest.raises(TokenExpired, match="the token that it was given last"):
        await transport.request("GET", "/profile")


async def test_a_token_with_a_password_behind_it(kit, ziwo):
    credentials = Credentials(
        username=kit.USER, password=SecretStr(kit.PASSWORD), token=SecretStr("CANARY-old"), remember=True
    )
    transport = kit.transport(ziwo.url, credentials)
    assert (await transport.request("GET", "/profile")).status == 200
    assert ziwo.login_forms[0]["remember"] == "true"
    ziwo.tokens.clear()
    assert (await transport.request("GET", "/profile")).status == 200
    assert ziwo.logins == 2, "the old token is not tried a second time"
    assert [headers.get("access_token") for headers in ziwo.headers].count("CANARY-old") == 1


async def test_a_provider_that_hangs(kit, ziwo):
    async def provider() -> Credentials:
        await asyncio.Event().wait()
        raise AssertionError

    transport = kit.transport(ziwo.url, provider, timeouts=Timeouts(login=0.01))
    with pytest.raises(RequestTimeout, match="credentials provider"):
        await transport.request("GET", "/profile")
    assert ziwo.seen == []


async def test_the_password_may_change_between_logins(kit, ziwo):
    passwords = [kit.PASSWORD, "CANARY-new"]

    async def provider() -> Credentials:
        return kit.password(passwords.pop(0))

    transport = kit.transport(ziwo.url, provider)
    await transport.login()
    ziwo.tokens.clear()
    ziwo.password = "CANARY-new"
    assert (await transport.request("GET", "/profile")).status == 200


# --- 403 ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def old_tokens(monkeypatch):
    monkeypatch.setattr(auth, "_FRESH", 0.0)


@pytest.mark.usefixtures("old_tokens")
async def test_a_403_may_be_an_expired_token(kit, ziwo):
    ziwo.answers("GET", "/x", lambda: kit.failed(403, "relog"), lambda: kit.ok({"a": 1}))
    transport = kit.transport(ziwo.url)
    assert (await transport.request("GET", "/x")).content == {"a": 1}
    assert ziwo.logins == 2


async def test_a_403_to_a_fresh_token_is_about_permission(kit, ziwo):
    paths = [f"/callHistory/{number}" for number in range(400)]
    for path in paths:
        ziwo.answers("GET", path, lambda: kit.failed(403, "no permission"))
    transport = kit.transport(ziwo.url)
    for path in paths:
        with pytest.raises(Forbidden):
            await transport.request("GET", path)
    assert ziwo.logins == 1


@pytest.mark.usefixtures("old_tokens")
async def test_a_403_that_stays_is_forbidden_and_costs_one_login_only_once(kit, ziwo):
    ziwo.answers("GET", "/x", lambda: kit.failed(403, "no permission"))
    transport = kit.transport(ziwo.url)
    for _ in range(3):
        with pytest.raises(Forbidden, match="no permission"):
            await transport.request("GET", "/x")
    assert ziwo.logins == 2
    assert ziwo.count("GET", "/x") == 4


async def test_a_403_with_a_token_from_elsewhere_is_final(kit, ziwo):
    ziwo.answers("GET", "/x", lambda: kit.failed(403, "no"))
    transport = kit.transport(ziwo.url, Credentials.from_token("CANARY-t"))
    with pytest.raises(Forbidden):
        await transport.request("GET", "/x")
    assert ziwo.seen == [("GET", "/x")]


# --- login answers --------------------------------------------------------------------------------------------------


async def test_result_false_at_login_is_bad_credentials(kit, ziwo):
    ziwo.answers("POST", "/auth/login", lambda: kit.failed(200, f"no user with {kit.PASSWORD}"))
    with pytest.raises(BadCredentials, match=r"no user with \*\*\*"):
        await kit.transport(ziwo.url).login()


@pytest.mark.parametrize("content", [{}, [], "CANARY", {"access_token": 5}, {"access_token": "CANARY\r\nX: y"}])
async def test_a_login_answer_without_a_usable_token(kit, ziwo, content):
    ziwo.answers("POST", "/auth/login", lambda: kit.ok(content))
    with pytest.raises(DecodeError, match="access_token") as caught:
        await kit.transport(ziwo.url).login()
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind"), [(403, Forbidden), (404, NotFound), (500, ServerError), (429, RateLimited)]
)
async def test_other_login_failures_are_not_about_the_password_and_not_retried(kit, ziwo, status, kind):
    ziwo.answers("POST", "/auth/login", lambda: kit.failed(status, "hm"))
    with pytest.raises(kind):
        await kit.transport(ziwo.url).request("GET", "/profile")
    assert ziwo.seen == [("POST", "/auth/login")]


async def test_logout_ends_only_what_we_began(kit, ziwo):
    transport = kit.transport(ziwo.url)
    await transport.logout()
    assert ziwo.seen == []
    await transport.login()
    await transport.logout()
    assert ziwo.seen[-1] == ("POST", "/auth/logout")
    await transport.logout()
    assert ziwo.count("POST", "/auth/logout") == 1
    await transport.request("GET", "/profile")
    assert ziwo.logins == 2
    ziwo.tokens.clear()
    await transport.logout()  # a 401 here means that it has ended already
    assert ziwo.logins == 2

    ziwo.tokens.add("CANARY-t")
    given = kit.transport(ziwo.url, Credentials.from_token("CANARY-t"))
    await given.request("GET", "/profile")
    await given.logout()
    assert ziwo.count("POST", "/auth/logout") == 2


async def test_a_logout_that_fails_says_so_and_forgets_the_token(kit, ziwo):
    transport = kit.transport(ziwo.url)
    await transport.login()
    ziwo.answers("POST", "/auth/logout", lambda: kit.failed(500, "oops"))
    with pytest.raises(ServerError, match="oops"):
        await transport.logout()
    assert "not logged in" in repr(transport)


# --- statuses and bodies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ApiError),
        (404, NotFound),
        (409, Conflict),
        (412, Conflict),
        (418, ApiError),
        (500, ServerError),
        (503, ServerError),
    ],
)
async def test_statuses(kit, ziwo, status, kind):
    ziwo.answers("POST", "/x", lambda: kit.failed(status, "the reason"))
    with pytest.raises(kind, match="the reason") as caught:
        await kit.transport(ziwo.url).request("POST", "/x")
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.method, caught.value.path) == (status, "POST", "/x")
    assert caught.value.message == "the reason"


async def test_result_false_with_http_200_is_an_error(kit, ziwo):
    ziwo.answers("GET", "/x", lambda: kit.failed(200, "queue is closed"))
    with pytest.raises(ApiError, match="queue is closed") as caught:
        await kit.transport(ziwo.url).request("GET", "/x")
    assert caught.value.status == 200


@pytest.mark.parametrize(
    "body", [b"<html><body>CANARY</body></html>", b"CANARY{", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}']
)
async def test_a_body_that_is_no_json(kit, ziwo, body):
    ziwo.answers("GET", "/x", lambda: web.Response(body=body, content_type="text/html"))
    with pytest.raises(DecodeError) as caught:
        await kit.transport(ziwo.url).request("GET", "/x")
    assert caught.value.status == 200
    assert "CANARY" not in str(caught.value)
    assert ziwo.count("GET", "/x") == 1


@pytest.mark.parametrize(("status", "kind"), [(404, NotFound), (502, ServerError)])
async def test_an_html_error_page_keeps_its_status(kit, ziwo, status, kind):
    ziwo.answers("POST", "/x", lambda: web.Response(status=status, body=b" <h1>CANARY</h1>", content_type="text/html"))
    with pytest.raises(kind, match="HTML page") as caught:
        await kit.transport(ziwo.url).request("POST", "/x")
    assert "CANARY" not in str(caught.value)


async def test_an_empty_answer(kit, ziwo):
    ziwo.answers("POST", "/x", lambda: web.Response(status=204))
    reply = await kit.transport(ziwo.url).request("POST", "/x")
    assert (reply.content, reply.status, reply.info) == (None, 204, {})


@pytest.mark.parametrize("compress", [False, True])
async def test_a_body_over_the_cap(kit, ziwo, compress):
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if compress:
            response.enable_compression()
        await response.prepare(request)
        try:
            for _ in range(64):
                await response.write(b" " * (256 * 1024))
        except ConnectionError:
            pass  # the client hangs up in the middle: that is the point
        return response

    ziwo.on("GET", "/x", endless)
    with pytest.raises(DecodeError, match="larger than 8 MiB"):
        await kit.transport(ziwo.url).request("GET", "/x")
    assert ziwo.count("GET", "/x") == 1


async def test_totals_and_info_come_through(kit, ziwo):
    ziwo.answers("GET", "/x", lambda: kit.ok([1, 2], totalRecords=40))
    reply = await kit.transport(ziwo.url).request(
        "GET", "/x", params={"limit": 2, "queues[]": ["a b", "c"], "skip": None}
    )
    assert reply.content == [1, 2]
    assert reply.total == 40


async def test_parameters_and_bodies_on_the_wire(kit, ziwo):
    got: list[tuple[str, str, str]] = []

    async def echo(request: web.Request) -> web.Response:
        got.append((request.rel_url.raw_query_string, request.headers.get("Content-Type", ""), await request.text()))
        return kit.ok({})

    for method in ("GET", "POST", "PUT"):
        ziwo.on(method, "/x", echo)
    transport = kit.transport(ziwo.url)
    await transport.request("GET", "/x", params={"queues[]": ["a b", "c&d"], "on": True, "n": 1, "none": None})
    await transport.request("POST", "/x", form={"number": "+971", "secret": SecretStr("CANARY s"), "tags": ["a", "b"]})
    await transport.request("PUT", "/x", json={"firstName": "Zoë"})
    await transport.request("PUT", "/x", json={})
    assert got == [
        ("queues%5B%5D=a+b&queues%5B%5D=c%26d&on=true&n=1", "", ""),
        ("", "application/x-www-form-urlencoded", "number=%2B971&secret=CANARY+s&tags=a&tags=b"),
        ("", "application/json", '{"firstName":"Zoë"}'),
        ("", "application/json", "{}"),
    ]


# --- redirects ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_redirect_is_an_error_and_the_token_stays_home(kit, ziwo, elsewhere, status, method):
    target = f"{elsewhere.url}/steal?token=CANARY"
    ziwo.answers(method, "/x", lambda: web.Response(status=status, headers={"Location": target}))
    with pytest.raises(ApiError, match="redirects to") as caught:
        await kit.transport(ziwo.url).request(method, "/x")
    assert elsewhere.url in str(caught.value)
    assert "CANARY" not in str(caught.value)
    assert "steal" not in str(caught.value)
    assert caught.value.status == status
    assert elsewhere.seen == []


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        (None, "another path"),
        ("/login?CANARY", "another path"),
        ("//[bad", "unreadable"),
        ("http://u:CANARY@h/", "http://h:80"),
    ],
)
async def test_odd_redirects(kit, ziwo, location, shown):
    headers = {} if location is None else {"Location": location}
    ziwo.answers("GET", "/x", lambda: web.Response(status=302, headers=headers))
    with pytest.raises(ApiError, match=shown) as caught:
        await kit.transport(ziwo.url).request("GET", "/x")
    assert "CANARY" not in str(caught.value)


async def test_the_login_does_not_follow_a_redirect_either(kit, ziwo, elsewhere):
    ziwo.answers("POST", "/auth/login", lambda: web.Response(status=307, headers={"Location": elsewhere.url}))
    with pytest.raises(ApiError, match="redirects to"):
        await kit.transport(ziwo.url).login()
    assert elsewhere.seen == []


async def test_the_guard_stops_the_token_even_if_redirects_were_followed(kit, ziwo, elsewhere):
    ziwo.answers("GET", "/x", lambda: web.Response(status=302, headers={"Location": f"{elsewhere.url}/steal"}))
    guard = origin_guard(URL(ziwo.url), Header("access_token", SecretStr("CANARY")))
    async with aiohttp.ClientSession(middlewares=(guard,)) as session:
        with pytest.raises(ConfigError, match="refused to send"):
            await session.get(f"{ziwo.url}/x", allow_redirects=True)
    assert ziwo.headers[-1]["access_token"] == "CANARY"
    assert elsewhere.seen == []


# --- retries --------------------------------------------------------------------------------------------------------


async def test_reads_are_retried_and_may_recover(kit, ziwo):
    ziwo.answers("GET", "/x", lambda: kit.failed(503, "later"), lambda: kit.failed(500, "hm"), lambda: kit.ok({"a": 1}))
    assert (await kit.transport(ziwo.url).request("GET", "/x")).content == {"a": 1}
    assert ziwo.count("GET", "/x") == 3


@pytest.mark.parametrize("attempts", [1, 2, 3])
async def test_reads_give_up_after_so_many_attempts(kit, ziwo, attempts):
    ziwo.answers("GET", "/x", lambda: kit.failed(503, "later"))
    transport = kit.transport(ziwo.url, retry=RetryPolicy(attempts=attempts, base=0.001, cap=0.001))
    with pytest.raises(ServerError, match="later") as caught:
        await transport.request("GET", "/x")
    assert caught.value.retryable
    assert ziwo.count("GET", "/x") == attempts


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_writes_are_never_retried(kit, ziwo, method, status):
    ziwo.answers(method, "/x", lambda: kit.failed(status, "later"))
    with pytest.raises(ApiError):
        await kit.transport(ziwo.url).request(method, "/x")
    assert ziwo.count(method, "/x") == 1


@pytest.mark.parametrize("status", [400, 404, 409])
async def test_other_errors_of_reads_are_not_retried(kit, ziwo, status):
    ziwo.answers("GET", "/x", lambda: kit.failed(status, "no"))
    with pytest.raises(ApiError):
        await kit.transport(ziwo.url).request("GET", "/x")
    assert ziwo.count("GET", "/x") == 1


async def test_too_many_requests_is_waited_for(kit, ziwo):
    ziwo.answers(
        "GET",
        "/x",
        lambda: kit.failed(429, "slow down", **{"Retry-After": "0.01"}),
        lambda: kit.failed(429, "slow down"),
        lambda: kit.ok({"a": 1}),
    )
    assert (await kit.transport(ziwo.url).request("GET", "/x")).content == {"a": 1}
    assert ziwo.count("GET", "/x") == 3


async def test_a_long_retry_after_is_an_error_at_once_and_shuts_the_gate_for_all(kit, ziwo):
    ziwo.answers("GET", "/x", lambda: kit.failed(429, "slow down", **{"Retry-After": "3600"}))
    transport = kit.transport(ziwo.url)
    with pytest.raises(RateLimited, match="slow down") as caught:
        await transport.request("GET", "/x")
    assert caught.value.retry_after == 3600
    assert ziwo.count("GET", "/x") == 1
    for method in ("GET", "POST"):
        with pytest.raises(RateLimited, match="without requests") as caught:
            await transport.request(method, "/other")
        assert caught.value.retry_after is not None
        assert 3500 < caught.value.retry_after <= 3600
    assert ("GET", "/other") not in ziwo.seen
    assert ("POST", "/other") not in ziwo.seen


# --- requests that are wrong in themselves --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "profile",
        "",
        "https://evil.com/",
        "//evil.com/x",
        "/a//b",
        "/../x",
        "/a/../b",
        "/a/..",
        "/a/./b",
        "/a/%2e%2E/b",
        "/a/%2e%2e%2fb",
        "/a/..%5cb",
        "/a\r\nX: y",
        "/a b",
        "/a\\b",
        "/a?x=CANARY",
        "/a#b",
        "/é",
        "/a%zz",
        "/a\x00",
    ],
)
async def test_a_path_that_could_lead_elsewhere_is_refused_before_io(kit, ziwo, path):
    with pytest.raises(ConfigError) as caught:
        await kit.transport(ziwo.url).request("GET", path)
    assert "CANARY" not in str(caught.value)
    assert str(caught.value).isprintable()
    assert ziwo.seen == []


@pytest.mark.parametrize("method", ["get", "HEAD", "TRACE", "GET /x", ""])
async def test_unknown_methods_are_refused(kit, ziwo, method):
    with pytest.raises(ConfigError, match="methods"):
        await kit.transport(ziwo.url).request(method, "/x")


async def test_two_bodies_are_refused(kit, ziwo):
    with pytest.raises(ConfigError, match="two bodies"):
        await kit.transport(ziwo.url).request("POST", "/x", form={}, json={})


@pytest.mark.parametrize("url", ["http://api.example", "ftp://x", "", "https://u:p@api.example"])
async def test_the_address_has_to_be_https(kit, url):
    with pytest.raises(ConfigError):
        kit.transport(url)


# --- closing --------------------------------------------------------------------------------------------------------


async def test_closing_is_idempotent_and_final(kit, ziwo):
    async with kit.transport(ziwo.url) as transport:
        await transport.request("GET", "/profile")
    await transport.aclose()
    with pytest.raises(ClientClosed):
        await transport.request("GET", "/profile")
    assert "closed" in repr(transport)


async def test_closing_fails_what_is_under_way(kit, ziwo):
    arrived = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError

    ziwo.on("GET", "/x", hang)
    transport = kit.transport(ziwo.url)
    under_way = asyncio.create_task(transport.request("GET", "/x"))
    await arrived.wait()
    await transport.aclose()
    with pytest.raises(ClientClosed):
        await under_way


async def test_a_borrowed_session_is_used_as_it_is_and_never_closed(kit, ziwo, elsewhere):
    async with aiohttp.ClientSession(
        elsewhere.url, headers={"X-App": "mine", "Accept": "text/html"}, raise_for_status=True
    ) as session:
        async with kit.transport(ziwo.url, http=session) as transport:
            await transport.request("GET", "/profile")
            ziwo.answers("GET", "/x", lambda: kit.failed(404, "no"))
            with pytest.raises(NotFound):
                await transport.request("GET", "/x")
        assert not session.closed
        assert ziwo.headers[1]["X-App"] == "mine"
        assert elsewhere.seen == []
        async with session.get("/mine", raise_for_status=False) as response:
            assert response.status == 401
        assert "access_token" not in elsewhere.headers[0]


async def test_a_borrowed_session_that_its_owner_closed(kit, ziwo):
    session = aiohttp.ClientSession()
    await session.close()
    with pytest.raises(ClientClosed, match="passed in"):
        await kit.transport(ziwo.url, http=session).request("GET", "/profile")


async def test_cancelling_in_the_middle_leaves_nothing_open(kit, ziwo):
    arrived = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"result": ')
        arrived.set()
        await asyncio.Event().wait()
        return response

    ziwo.on("GET", "/x", slow)
    async with aiohttp.ClientSession() as session:
        transport = kit.transport(ziwo.url, http=session)
        task = asyncio.create_task(transport.request("GET", "/x"))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(ziwo.disconnected.wait(), 10)
        assert asyncio.all_tasks() - {asyncio.current_task()} == {
            t for t in asyncio.all_tasks() if "RequestHandler" in repr(t)
        }
        # and the transport still works
        assert (await transport.request("GET", "/profile")).status == 200
