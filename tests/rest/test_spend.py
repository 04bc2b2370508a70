"""The spend guard by itself: rates, prefixes, dry runs; and what becomes of requests that dial when things go wrong."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from ziwo_async.config import Timeouts
from ziwo_async.errors import (
    ApiError,
    BadArgument,
    BadCredentials,
    CannotConnect,
    ClientClosed,
    ConfigError,
    ConnectionLost,
    DecodeError,
    Forbidden,
    RateLimited,
    RequestTimeout,
    ServerError,
    SpendRefused,
    ZiwoError,
)
from ziwo_async.rest.auth import Credentials
from ziwo_async.rest.click_to_call import click_to_call
from ziwo_async.rest.cti import CtiResource
from ziwo_async.rest.eavesdrops import EavesdropsResource
from ziwo_async.spend import SpendGuard, SpendPolicy

KEY = "CANARY-cti-key-77"
NUMBER = "+97150000000"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def guard(**policy: object) -> SpendGuard:
    return SpendGuard(SpendPolicy(**policy))  # type: ignore[arg-type]


def refusal(guard: SpendGuard, number: str | None = NUMBER) -> SpendRefused:
    with pytest.raises(SpendRefused) as caught:
        guard.check("dial", number)
    return caught.value


# --- the policy -----------------------------------------------------------------------------------------------------


def test_a_policy_that_says_nothing_allows_everything():
    free = guard()
    for number in (NUMBER, "sip:a@b", "", None):
        for _ in range(1000):
            free.check("CTI call", number)


@pytest.mark.parametrize("rate", [0, -1, True, 1.5, "3"])
def test_a_rate_that_makes_no_sense(rate):
    with pytest.raises(ConfigError, match="calls_per_minute"):
        SpendPolicy(calls_per_minute=rate)


@pytest.mark.parametrize("prefixes", ["+971", "", (), [], ("",), ("+971", " "), ("abc",), ("++1",), ("1+",), (971,)])
def test_prefixes_that_make_no_sense(prefixes):
    with pytest.raises(ConfigError, match="allowed_prefixes"):
        SpendPolicy(allowed_prefixes=prefixes)


def test_a_policy_is_a_frozen_value():
    policy = SpendPolicy(allowed_prefixes=["+971"])  # type: ignore[arg-type]
    assert policy == SpendPolicy(allowed_prefixes=("+971",))
    assert hash(policy) == hash(SpendPolicy(allowed_prefixes=("+971",)))
    with pytest.raises(AttributeError):
        policy.dry_run = True  # type: ignore[misc]


# --- the prefix -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefixes", "number"),
    [
        (("+971",), "+971500000000"),
        (("+971",), "00971 50 000-0000"),
        (("00971",), "+971500000000"),
        (("+971", "+33"), "+33 1 76 43 14 77"),
        (("+971",), "(+971) 50.000.0000"),
        (("+971",), "0 0971500000000"),
        (("+",), "0033176431477"),
        (("05",), "050-000-0000"),
        (("*",), "*98#"),
        (("5555",), "5555"),
        (("+971 (50)",), "+97150"),
    ],
)
def test_allowed_numbers(prefixes, number):
    guard(allowed_prefixes=prefixes).check("dial", number)


@pytest.mark.parametrize(
    ("prefixes", "number"),
    [
        (("+971",), "+1 900 555 0100"),
        (("+971",), "971500000000"),
        (("+971",), "+9 7"),
        (("+971",), "000971500000000"),
        (("+971",), "+00971500000000"),
        (("+971",), "+97150,+19005550100"),
        (("+971",), "+97150;+1900"),
        (("+971",), "+97150|+1900"),
        (("+971",), "+971+1900"),
        (("+971",), "+97150@evil.example"),
        (("+971",), "sip:+97150@evil.example"),
        (("+971",), "+971/../1900"),
        (("+971",), "+97150 ext 3"),
        (("+971",), "\uff0b97150"),
        (("+971",), "+\u0669\u0667\u0661\u0665\u0660"),
        (("+971",), "+971\u0665\u0660"),
        (("+971",), "+97150\n1900"),
        (("+971",), ""),
        (("+971",), " - "),
        (("0",), "0019005550100"),
        (("5",), "agent-5555"),
        (("+",), "0501234567"),
    ],
)
def test_refused_numbers(prefixes, number):
    error = refusal(guard(allowed_prefixes=prefixes), number)
    assert (error.reason, error.number, error.retry_after, error.retryable) == ("prefix", number, None, False)


@given(st.text(alphabet="+0123456789*#- .()abc@,;/\u0661", max_size=12))
def test_with_prefixes_only_numbers_that_begin_so_pass(number):
    ours = guard(allowed_prefixes=("+971", "0097"))
    bare = "".join(c for c in number if c not in " .-()")
    plain = "+" + bare[2:] if bare.startswith("00") else bare
    allowed = set(plain) <= set("+0123456789*#") and "+" not in plain[1:] and plain.startswith(("+971", "+97"))
    try:
        ours.check("dial", number)
    except SpendRefused:
        assert not allowed
    else:
        assert allowed


def test_eavesdropping_has_no_number_and_counts():
    ours = guard(allowed_prefixes=("+971",), calls_per_minute=1)
    ours.check("eavesdrop", None)
    assert refusal(ours).reason == "rate"


# --- the rate -------------------------------------------------------------------------------------------------------


def test_the_rate_is_a_sliding_minute():
    clock = Clock()
    ours = SpendGuard(SpendPolicy(calls_per_minute=2), clock=clock)
    ours.check("dial", NUMBER)
    clock.now += 40
    ours.check("eavesdrop", None)
    error = refusal(ours)
    assert (error.reason, error.number, error.retry_after, error.retryable) == ("rate", NUMBER, 20.0, True)
    clock.now += 19.9
    assert refusal(ours).retry_after == pytest.approx(0.1)
    clock.now += 0.1
    ours.check("CTI call", NUMBER)
    # The refused ones did not count; the second of the beginning still does.
    assert refusal(ours).retry_after == pytest.approx(40)


@given(st.integers(1, 4), st.lists(st.floats(0, 90), max_size=60))
def test_no_minute_ever_sees_more_than_allowed(rate, pauses):
    clock = Clock()
    ours = SpendGuard(SpendPolicy(calls_per_minute=rate), clock=clock)
    passed: list[float] = []
    for pause in pauses:
        clock.now += pause
        recent = [moment for moment in passed if moment + 60.0 > clock.now]
        if len(recent) == rate:
            assert refusal(ours).retry_after == pytest.approx(recent[0] + 60 - clock.now)
        else:
            ours.check("dial", NUMBER)
            passed.append(clock.now)


def test_what_is_refused_for_its_prefix_does_not_count():
    ours = guard(calls_per_minute=1, allowed_prefixes=("+971",))
    for _ in range(5):
        assert refusal(ours, "+1900").reason == "prefix"
    ours.check("dial", NUMBER)


def test_threads_together_get_no_more_than_one_would(monkeypatch):
    class Slow(deque[float]):
        """Lets other threads in between the look and the count."""

        def __len__(self) -> int:
            seen = super().__len__()
            time.sleep(0.0002)
            return seen

    ours = guard(calls_per_minute=50)
    monkeypatch.setattr(ours, "_passed", Slow(maxlen=50))
    passed: list[int] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        for _ in range(40):
            try:
                ours.check("dial", NUMBER)
            except SpendRefused:
                continue
            passed.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 50


# --- the dry run ----------------------------------------------------------------------------------------------------


def test_a_dry_run_refuses_all_and_logs_each_at_info(caplog):
    ours = guard(dry_run=True, calls_per_minute=1, allowed_prefixes=("+971",))
    for _ in range(3):
        error = refusal(ours)
        assert (error.reason, error.retryable, error.retry_after) == ("dry run", False, None)
    assert refusal(ours, None).number is None
    # It tells, too, what a real run would refuse.
    assert refusal(ours, "+1900").reason == "prefix"
    told = [(r.levelno, r.getMessage()) for r in caplog.records if r.name == "ziwo_async.spend"]
    assert len(told) == 5
    assert told[0] == (logging.INFO, f"dial '{NUMBER}' was not sent: this is a dry run")


def test_a_number_cannot_break_the_log_line(caplog):
    refusal(guard(dry_run=True), "+971\r\nforged" + "9" * 500)
    (record,) = [r for r in caplog.records if r.name == "ziwo_async.spend"]
    assert "\n" not in record.getMessage()
    assert len(record.getMessage()) < 120


# --- requests that dial ---------------------------------------------------------------------------------------------

EAVESDROP = "/live/calls/eavesdrop/5555"
OWN_CLICK = f"/integrations/cti/agents/call/{NUMBER}"
CTI_PATH = f"/integrations/cti/agents/0011/call/{NUMBER}"
CTI_FORM = "/integrations/cti/agents/0011/call"

WAYS = {
    "eavesdrop": (EAVESDROP, lambda t, g=None: EavesdropsResource(t, g).create("5555")),
    "click to call": (OWN_CLICK, lambda t, g=None: click_to_call(t, NUMBER, guard=g)),
    "CTI call": (CTI_PATH, lambda t, g=None: CtiResource(t, g).call("0011", NUMBER)),
    "CTI call in form": (CTI_FORM, lambda t, g=None: CtiResource(t, g).call("0011", NUMBER, in_form=True)),
}
every_way = pytest.mark.parametrize(("path", "dial"), WAYS.values(), ids=WAYS)


def transport(kit, ziwo, **options):
    return kit.transport(ziwo.url, api_key=SecretStr(KEY), **options)


async def uncertain(awaitable, kind: type[ZiwoError]) -> ZiwoError:
    """The error says that the call may have been made, and that trying again is no good idea."""
    with pytest.raises(kind) as caught:
        await awaitable
    error = caught.value
    assert str(error).endswith("; the call may have been made all the same")
    assert str(error).count("the call may have been made") == 1
    assert error.retryable is False
    assert kind.retryable is (kind is not DecodeError)  # of the class, nothing has changed
    return error


@every_way
async def test_the_server_reads_the_request_and_cuts_the_connection(kit, ziwo, path, dial):
    async def cut(request: web.Request) -> web.Response:
        await request.read()
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    ziwo.on("POST", path, cut)
    await uncertain(dial(transport(kit, ziwo)), ConnectionLost)
    assert ziwo.count("POST", path) == 1


@every_way
async def test_the_server_fails(kit, ziwo, path, dial):
    ziwo.answers("POST", path, lambda: kit.failed(500, "out of lines"))
    error = await uncertain(dial(transport(kit, ziwo)), ServerError)
    assert isinstance(error, ServerError)
    assert (error.status, error.message) == (500, "out of lines")
    assert ziwo.count("POST", path) == 1


@every_way
async def test_the_server_does_not_answer_in_time(kit, ziwo, path, dial):
    async def never(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.Event().wait()
        return web.Response()

    ziwo.on("POST", path, never)
    await uncertain(dial(transport(kit, ziwo, timeouts=Timeouts(request=0.15))), RequestTimeout)
    assert ziwo.count("POST", path) == 1


@every_way
@pytest.mark.parametrize("content", [{}, [], None, {"callID": None}, {"callID": ""}, {"callID": {}}, 5, "", "  ", [1]])
async def test_the_answer_has_no_call_id(kit, ziwo, path, dial, content):
    ziwo.answers("POST", path, lambda: kit.ok(content))
    await uncertain(dial(transport(kit, ziwo)), DecodeError)
    assert ziwo.count("POST", path) == 1


@every_way
async def test_the_answer_is_no_json(kit, ziwo, path, dial):
    ziwo.answers("POST", path, lambda: web.Response(text="<html>"))
    await uncertain(dial(transport(kit, ziwo)), DecodeError)
    assert ziwo.count("POST", path) == 1


@every_way
@pytest.mark.parametrize(
    ("status", "kind", "again"), [(429, RateLimited, True), (403, Forbidden, False), (404, ApiError, False)]
)
async def test_a_refusal_is_a_refusal(kit, ziwo, path, dial, status, kind, again):
    # A token, because with a password a 403 is tried once more with a new one: see the next test.
    ziwo.tokens.add("CANARY-token")
    ziwo.answers("POST", path, lambda: kit.failed(status, "no"))
    with pytest.raises(kind) as caught:
        await dial(transport(kit, ziwo, credentials=Credentials.from_token("CANARY-token")))
    assert "may have been made" not in str(caught.value)
    assert caught.value.retryable is again
    assert ziwo.count("POST", path) == 1


async def test_a_token_that_was_refused_dialled_nothing_and_is_renewed_once(kit, ziwo):
    ziwo.answers("POST", EAVESDROP, lambda: kit.failed(401, "expired"), lambda: kit.ok({"callID": "c-1"}))
    call = await EavesdropsResource(transport(kit, ziwo)).create("5555")
    assert call.call_id == "c-1"
    assert ziwo.logins == 2
    assert ziwo.count("POST", EAVESDROP) == 2


async def test_a_wrong_api_key_dialled_nothing(kit, ziwo):
    ziwo.answers("POST", CTI_PATH, lambda: kit.failed(401, "bad key"))
    with pytest.raises(BadCredentials):
        await CtiResource(transport(kit, ziwo)).call("0011", NUMBER)
    assert ziwo.count("POST", CTI_PATH) == 1


async def test_result_false_is_a_refusal(kit, ziwo):
    ziwo.answers("POST", CTI_PATH, lambda: web.json_response({"result": False, "error": {"message": "agent busy"}}))
    with pytest.raises(ApiError, match="agent busy") as caught:
        await CtiResource(transport(kit, ziwo)).call("0011", NUMBER)
    assert "may have been made" not in str(caught.value)


async def test_a_login_that_fails_is_no_call_that_may_have_been_made(kit, ziwo):
    ziwo.answers("POST", "/auth/login", lambda: kit.failed(500, "no"))
    with pytest.raises(ServerError) as caught:
        await click_to_call(transport(kit, ziwo), NUMBER)
    assert "may have been made" not in str(caught.value)
    assert ziwo.count("POST", OWN_CLICK) == 0


@pytest.mark.parametrize("how", ["cut", "no JSON", "500"])
async def test_a_renewal_that_breaks_is_no_call_that_may_have_been_made(kit, ziwo, how):
    logins = 0

    async def login(request: web.Request) -> web.Response:
        nonlocal logins
        logins += 1
        if logins == 1:
            return await ziwo.login(request)
        if how == "cut":
            assert request.transport is not None
            request.transport.abort()
        return web.Response(text="<html>", status=500 if how == "500" else 200)

    ziwo.on("POST", "/auth/login", login)
    ziwo.answers("POST", OWN_CLICK, lambda: kit.failed(401, "expired"))
    with pytest.raises(ZiwoError) as caught:
        await click_to_call(transport(kit, ziwo), NUMBER)
    assert logins == 2
    assert "may have been made" not in str(caught.value)


@every_way
async def test_a_client_that_closes_may_have_made_the_call(kit, ziwo, path, dial):
    there = asyncio.Event()

    async def silent(request: web.Request) -> web.Response:
        there.set()
        await asyncio.Event().wait()
        return web.Response()

    ziwo.on("POST", path, silent)
    ours = transport(kit, ziwo)
    dialling = asyncio.ensure_future(dial(ours))
    await there.wait()
    await ours.aclose()
    with pytest.raises(ClientClosed, match="the call may have been made all the same"):
        await dialling
    with pytest.raises(ClientClosed) as caught:
        await dial(ours)
    assert "may have been made" not in str(caught.value)


async def test_numbers_that_are_no_text(kit, ziwo):
    ours = transport(kit, ziwo)
    for wrong in (
        click_to_call(ours, 5),
        CtiResource(ours).call("0011", 5),
        CtiResource(ours).call(11, NUMBER),
        CtiResource(ours).current_call(11),
        CtiResource(ours).agent_login(11),
    ):
        with pytest.raises(BadArgument, match="is a text"):
            await wrong
    assert ziwo.seen == []


async def test_nobody_listens(kit, ziwo):
    await ziwo.stop()
    with pytest.raises(CannotConnect) as caught:
        await CtiResource(transport(kit, ziwo)).call("0011", NUMBER)
    assert "may have been made" not in str(caught.value)
    assert caught.value.retryable


@every_way
async def test_what_the_guard_refuses_sends_nothing_at_all(kit, ziwo, path, dial):
    ziwo.answers("POST", path, lambda: kit.ok({"callID": "c-1"}))
    with pytest.raises(SpendRefused):
        await dial(transport(kit, ziwo), guard(dry_run=True))
    assert ziwo.seen == []  # no login either


@every_way
async def test_one_rate_for_all(kit, ziwo, path, dial):
    for other, _ in WAYS.values():
        ziwo.answers("POST", other, lambda: kit.ok({"callID": "c-1"}))
    ours = guard(calls_per_minute=2, allowed_prefixes=("+971",))
    ours.check("dial", NUMBER)  # the phone
    assert (await dial(transport(kit, ziwo), ours)).call_id == "c-1"
    for _, another in WAYS.values():
        with pytest.raises(SpendRefused, match="2 a minute"):
            await another(transport(kit, ziwo), ours)
    assert sum(ziwo.count("POST", other) for other, _ in WAYS.values()) == 1


async def test_a_call_that_failed_counts_because_it_may_have_been_made(kit, ziwo):
    ziwo.answers("POST", CTI_PATH, lambda: kit.failed(500, "no"))
    cti = CtiResource(transport(kit, ziwo), guard(calls_per_minute=1))
    await uncertain(cti.call("0011", NUMBER), ServerError)
    with pytest.raises(SpendRefused):
        await cti.call("0011", NUMBER)


@pytest.mark.parametrize("number", ["", " ", "1" * 129, "+971\n50", "\x00"])
async def test_a_bad_number_is_refused_before_the_guard_counts(kit, ziwo, number):
    ours = guard(calls_per_minute=1)
    cti = CtiResource(transport(kit, ziwo), ours)
    for attempt in (
        cti.call("0011", number),
        cti.call("0011", number, in_form=True),
        click_to_call(transport(kit, ziwo), number, guard=ours),
    ):
        with pytest.raises(BadArgument):
            await attempt
    for bad in (cti.call("", NUMBER), cti.call("..", NUMBER), cti.call("0011", "..")):
        with pytest.raises(ConfigError):
            await bad
    assert ziwo.seen == []
    ours.check("dial", NUMBER)
