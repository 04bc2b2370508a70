"""Who gets in: exactly one right key in the header, and nothing else, whatever the bytes."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from hmac import compare_digest

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from ziwo_async.errors import ConfigError
from ziwo_async.webhooks import CdrHook, TrackerService, call
from ziwo_async.webhooks.guard import Guard
from ziwo_async.webhooks.request import HookRequest

from .serving import KEY, form, post, send, serve

OTHER = "another-key-for-the-change-of-keys"
RIGHT = KEY.encode()
FORGED = {
    "missing": (),
    "empty": (b"",),
    "blank": (b"   ",),
    "wrong": (b"x" * len(KEY),),
    "first half": (RIGHT[:-1],),
    "too much": (RIGHT + b"x",),
    "other case": (RIGHT.upper(),),
    "long": (RIGHT * 120,),
    "Latin-1": (b"\xe9" * len(KEY),),
    "UTF-8": ("ключ-длиной-в-шестнадцать".encode(),),
    "broken UTF-8": (RIGHT + b"\xff\xfe\x80",),
    "quoted": (b'"' + RIGHT + b'"',),
    "two right ones": (RIGHT, RIGHT),
    "right, then wrong": (RIGHT, b"x"),
    "wrong, then right": (b"x", RIGHT),
    "in a list": (RIGHT + b", " + RIGHT,),
    "bearer": (b"Bearer " + RIGHT,),
    "hundred": (b"x",) * 20,
}


@pytest.fixture
def tracker() -> TrackerService:
    return TrackerService(keys=[OTHER, SecretStr(KEY)], fallback=[call("047654321")])


async def test_forged_keys_get_the_same_401_and_nothing_runs(server: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    tracker = TrackerService(keys=[KEY])
    ran: list[object] = []
    tracker.on_start(ran.append)  # type: ignore[type-var]
    tracker.on_end(ran.append)
    bodies = {"/startCall": form(didCalled="061234567"), "/endCall": (b'{"callID": "a"}', b"application/json")}
    replies = {}
    async with serve(tracker, server) as port:
        for name, keys in FORGED.items():
            for path, (body, kind) in bodies.items():
                replies[name, path] = await send(port, post(path, body, kind, keys=keys))
    assert {name: reply.status for name, reply in replies.items() if reply.status != 401} == {}
    assert {reply.body for reply in replies.values()} == {
        b'{"result":false,"content":{},"info":{},"error":{"message":"unauthorized"}}'
    }
    assert not ran
    assert tracker.stats.refused == len(replies)
    assert KEY not in caplog.text
    # One line, not one for each: who guesses must not be able to fill the disk.
    assert sum("X-API-Key" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.parametrize("key", [KEY, OTHER])
async def test_each_key_gets_in_with_the_header_in_any_letters(server: str, tracker: TrackerService, key: str) -> None:
    async with serve(tracker, server) as port:
        for name in (b"X-API-Key", b"x-api-key", b"X-API-KEY", b"X-Api-Key"):
            request = post("/startCall", *form(didCalled="06"), keys=(), more=b"%s: %s \r\n" % (name, key.encode()))
            assert (await send(port, request)).status == 200


async def test_the_key_is_asked_for_before_the_body_is_read(server: str, tracker: TrackerService) -> None:
    head = b"POST /startCall HTTP/1.1\r\nHost: x\r\nX-API-Key: wrong\r\nContent-Length: 1000000000\r\n\r\n"
    async with serve(tracker, server) as port:
        assert (await send(port, head)).status == 401


async def test_a_key_anywhere_else_is_none(server: str, tracker: TrackerService) -> None:
    body, kind = form(**{"didCalled": "06", "X-API-Key": KEY, "api_key": KEY})
    async with serve(tracker, server) as port:
        request = post(f"/startCall?X-API-Key={KEY}&token={KEY}", body, kind, keys=(), more=b"api_key: %s\r\n" % RIGHT)
        assert (await send(port, request)).status == 401


async def test_without_keys_it_is_open_only_when_that_was_said(server: str) -> None:
    tracker = TrackerService(insecure=True, fallback=[call("047654321")])
    async with serve(tracker, server) as port:
        assert (await send(port, post("/startCall", *form(didCalled="06"), keys=()))).status == 200
        assert (await send(port, post("/startCall", *form(didCalled="06"), keys=(b"any", b"two")))).status == 200


async def test_a_short_key_is_a_key_when_insecure(server: str) -> None:
    tracker = TrackerService(keys=["short"], insecure=True, fallback=[call("047654321")])
    async with serve(tracker, server) as port:
        assert (await send(port, post("/startCall", *form(didCalled="06"), keys=(b"short",)))).status == 200
        assert (await send(port, post("/startCall", *form(didCalled="06"), keys=()))).status == 401


@pytest.mark.parametrize("service", [TrackerService, CdrHook])
@pytest.mark.parametrize(
    "keys", [[], [""], ["fifteen-letters"], [KEY, "short"], [KEY + "\n"], ["ключ" * 10], ["two words " * 3], KEY]
)
def test_keys_that_protect_nothing_are_refused(service: type[TrackerService], keys: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        service(keys=keys)
    assert not any(len(key) > 5 and key.strip() in str(caught.value) for key in keys)


@pytest.mark.parametrize("keys", [[""], ["\x00"], ["a b"]])
def test_keys_that_no_header_can_carry_are_refused_even_then(keys: list[str]) -> None:
    with pytest.raises(ConfigError):
        TrackerService(keys=keys, insecure=True)


def test_no_repr_has_a_key(tracker: TrackerService) -> None:
    assert KEY not in repr(tracker)
    assert KEY not in repr(vars(tracker))
    assert repr(tracker) == "<TrackerService /startCall /endCall>"


@pytest.mark.parametrize("keys", [*FORGED.values(), (RIGHT,), (OTHER.encode(),)], ids=[*FORGED, "right", "other"])
def test_the_same_is_compared_whatever_was_sent(keys: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.extend((len(one), len(other)))
        return compare_digest(one, other)

    guard = Guard([OTHER, KEY], insecure=False)
    monkeypatch.setattr("ziwo_async.webhooks.guard.hmac.compare_digest", compare)
    assert guard.lets_in(keys) is (keys in ((RIGHT,), (OTHER.encode(),)))
    # In constant time, digests of one length, and both keys: the time tells neither how much of which was right.
    assert compared == [32] * 4


@given(st.lists(st.one_of(st.binary(max_size=64), st.just(RIGHT)), max_size=3))
async def test_no_bytes_make_anything_but_a_yes_or_a_no(values: list[bytes]) -> None:
    guard = Guard([KEY], insecure=False)
    assert guard.lets_in(values) is (values == [RIGHT])


@given(
    st.sampled_from(["POST", "GET", "X" * 20]),
    st.sampled_from(["/startCall", "/endCall", "/other"]),
    st.lists(
        st.tuples(
            st.sampled_from([b"X-API-Key", b"Content-Type", b"Content-Length", b"content-encoding", b"x", b"\xff"]),
            st.one_of(
                st.binary(max_size=20),
                st.sampled_from([RIGHT, b"application/json", b"application/x-www-form-urlencoded", b"30", b"identity"]),
            ),
        ),
        max_size=5,
    ),
    st.one_of(st.binary(max_size=60), st.sampled_from([b'{"didCalled": "06"}', b'{"callID": "a"}', b"didCalled=06"])),
    st.booleans(),
)
async def test_no_request_at_all_makes_a_500(
    method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes, whole: bool
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield body[:5]
        yield body[5:]

    service = TrackerService(keys=[KEY], fallback=[call("1")])
    service.on_start(lambda start: call(start.did_called[:9]))
    request = HookRequest(method, path, headers, chunks(), whole=body if whole else None, arrived=0.0)
    response = await service.handle(request)
    assert response.status in (200, 400, 401, 404, 405, 413, 415)
    assert json.loads(response.body)["result"] is (response.status == 200)


async def test_a_mistake_of_ours_tells_the_sender_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("what only we may know")

    monkeypatch.setattr("ziwo_async.webhooks.service.fields_of", broken)
    async with serve(TrackerService(keys=[KEY], fallback=[call("1")]), "aiohttp") as port:
        reply = await send(port, post("/startCall", b"{}"))
    assert reply.status == 500
    assert b"only we" not in reply.body
    assert "only we" in caplog.text


async def test_the_401_is_an_envelope(server: str, tracker: TrackerService) -> None:
    async with serve(tracker, server) as port:
        reply = await send(port, post("/endCall", b"{}", keys=()))
    assert json.loads(reply.body)["result"] is False
    assert reply.headers["connection"] == "close"
