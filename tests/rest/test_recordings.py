"""Recordings and voicemails: three routes, waiting for what is not ready, and nobody else gets our credentials."""

from __future__ import annotations

import asyncio
import gc

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from ziwo_async.config import RetryPolicy
from ziwo_async.errors import (
    ApiError,
    BadArgument,
    BadCredentials,
    ConnectionLost,
    DecodeError,
    Forbidden,
    NotFound,
    RecordingNotReady,
    ServerError,
)
from ziwo_async.rest.auth import Credentials
from ziwo_async.rest.call_id import call_uuid
from ziwo_async.rest.models.cdr import Cdr
from ziwo_async.rest.models.recording import SignedUrl
from ziwo_async.rest.recordings import RecordingsResource, VoicemailsResource
from ziwo_async.rest.sound import MP3, OGG, WAV, is_sound_type, sound_of
from ziwo_async.rest.transport import Transport
from ziwo_async.testing import serve

from .shelf import CALL, HISTORY, SIGNED, SURVEILLANCE, Endless, Shelf, mp3

SOUND = mp3(200_000)


@pytest.fixture
def recordings(kit, ziwo) -> RecordingsResource:
    return RecordingsResource(kit.transport(ziwo.url), retry=kit.quick)


@pytest.fixture
def voicemails(kit, ziwo) -> VoicemailsResource:
    return VoicemailsResource(kit.transport(ziwo.url), retry=kit.quick)


def asked(ziwo) -> list[str]:
    return [path for _, path in ziwo.seen if path != "/auth/login"]


async def whole(stream) -> bytes:
    return b"".join([chunk async for chunk in stream.chunks()])


# --- routes ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def routes(kit, ziwo, elsewhere):
    """Let the routes answer: a status, or 200 for the sound."""

    def arrange(surveillance: int, signed: int, storage: int, history: int) -> None:
        for server, path, status in (
            (ziwo, SURVEILLANCE, surveillance),
            (elsewhere, "/bucket/x.mp3", storage),
            (ziwo, HISTORY, history),
        ):
            if status == 200:
                server.on("GET", path, Shelf(SOUND))
            else:
                server.answers("GET", path, lambda status=status: kit.failed(status, "words of the server"))
        found = {"url": f"{elsewhere.url}/bucket/x.mp3?sig=CANARY", "id": 46}
        if signed == 200:
            ziwo.answers("GET", SIGNED, lambda: kit.ok(found))
        else:
            ziwo.answers("GET", SIGNED, lambda: kit.failed(signed, "no"))

    return arrange


@pytest.mark.parametrize(
    ("answers", "route", "paths"),
    [
        ((200, 200, 200, 200), "surveillance", [SURVEILLANCE]),
        ((404, 200, 200, 200), "signed", [SURVEILLANCE, SIGNED]),
        ((404, 404, 200, 200), "history", [SURVEILLANCE, SIGNED, HISTORY]),
        ((404, 200, 404, 200), "history", [SURVEILLANCE, SIGNED, HISTORY]),
        ((404, 200, 403, 200), "history", [SURVEILLANCE, SIGNED, HISTORY]),
        ((404, 200, 401, 200), "history", [SURVEILLANCE, SIGNED, HISTORY]),
    ],
)
async def test_auto_takes_the_first_route_that_has_it(recordings, ziwo, tmp_path, routes, answers, route, paths):
    routes(*answers)
    got = await recordings.download(CALL, tmp_path)
    assert got.route == route
    assert got.path.read_bytes() == SOUND
    assert asked(ziwo) == paths


async def test_auto_goes_past_a_refusal(kit, ziwo, routes):
    routes(403, 403, 200, 200)
    transport = kit.transport(ziwo.url, Credentials.from_token("CANARY-t"))
    assert await RecordingsResource(transport, retry=kit.quick).wait_until_ready(CALL) == "history"


@pytest.mark.parametrize(
    ("route", "paths"), [("surveillance", [SURVEILLANCE]), ("signed", [SIGNED]), ("history", [HISTORY])]
)
async def test_one_route(recordings, ziwo, routes, route, paths):
    routes(200, 200, 200, 200)
    async with recordings.stream(CALL, route=route) as stream:
        assert stream.route == route
        assert await whole(stream) == SOUND
    assert asked(ziwo) == paths


async def test_refused_everywhere(recordings, routes):
    routes(403, 403, 200, 403)
    with pytest.raises(Forbidden, match=SURVEILLANCE):
        await recordings.wait_until_ready(CALL)


async def test_refused_here_and_absent_there_is_not_ready(recordings, routes):
    routes(404, 403, 200, 403)
    with pytest.raises(RecordingNotReady):
        await recordings.wait_until_ready(CALL, timeout=0)


@pytest.mark.parametrize("status", [400, 409, 500])
async def test_other_errors_are_told_at_once(recordings, ziwo, kit, routes, status):
    routes(status, 200, 200, 200)
    with pytest.raises(ApiError, match="words of the server") as caught:
        await recordings.wait_until_ready(CALL)
    assert (caught.value.status, caught.value.path) == (status, SURVEILLANCE)
    assert set(asked(ziwo)) == {SURVEILLANCE}


async def test_a_bad_token_is_told_as_such(kit, ziwo):
    ziwo.answers("GET", SURVEILLANCE, lambda: kit.failed(401, "no"))
    with pytest.raises(BadCredentials):
        await RecordingsResource(kit.transport(ziwo.url)).wait_until_ready(CALL)


@pytest.mark.parametrize("status", [204, 206, 302, 304, 416])
async def test_answers_that_nobody_asked_for(recordings, ziwo, status):
    ziwo.answers("GET", SURVEILLANCE, lambda: web.Response(status=status))
    with pytest.raises(ApiError) as caught:
        await recordings.wait_until_ready(CALL)
    assert (caught.value.status, caught.value.path) == (status, SURVEILLANCE)


async def test_a_body_that_ends_with_its_connection(recordings, caplog, tmp_path):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n" + SOUND)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        transport = Transport(f"http://127.0.0.1:{port}", Credentials.from_token("CANARY-t"))
        async with transport:
            got = await RecordingsResource(transport).download(CALL, tmp_path)
    assert got.path.read_bytes() == SOUND
    assert "a cut would go unseen" in caplog.text


# --- waiting --------------------------------------------------------------------------------------------------------


async def test_not_ready_and_then_it_is(recordings, ziwo, tmp_path):
    shelf = Shelf(SOUND, not_ready=4)
    ziwo.on("GET", SURVEILLANCE, shelf)
    for path in (SIGNED, HISTORY):
        ziwo.on("GET", path, Shelf(b"", not_ready=100))
    assert (await recordings.download(CALL, tmp_path)).size == len(SOUND)
    assert asked(ziwo) == [SURVEILLANCE, SIGNED, HISTORY] * 4 + [SURVEILLANCE]


async def test_the_pauses_grow_up_to_the_wait(kit, ziwo):
    ziwo.on("GET", SURVEILLANCE, shelf := Shelf(b"", not_ready=1000))
    retry = RetryPolicy(base=0.01, cap=0.2)
    recordings = RecordingsResource(kit.transport(ziwo.url), retry=retry)
    with pytest.raises(RecordingNotReady, match=r"looked for 0\.5 s") as caught:
        await recordings.wait_until_ready(CALL, timeout=0.5, route="surveillance")
    # 10, 20, 40, 80, 160, 190 (what is left) ms: about 7 looks. With equal pauses it would be 50.
    assert 2 <= len(shelf.asked) <= 9
    assert isinstance(caught.value, NotFound)
    assert caught.value.retryable
    assert (caught.value.status, caught.value.method, caught.value.path) == (404, "GET", SURVEILLANCE)


async def test_one_look(recordings, ziwo):
    ziwo.on("GET", SURVEILLANCE, shelf := Shelf(b"", not_ready=1000))
    for attempt in (
        recordings.wait_until_ready(CALL, timeout=0, route="surveillance"),
        recordings.stream(CALL, wait=0, route="surveillance").__aenter__(),
    ):
        shelf.asked.clear()
        with pytest.raises(RecordingNotReady):
            await attempt
        assert len(shelf.asked) == 1


# --- credentials ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ["signed", "history"])
async def test_another_origin_gets_no_credential(kit, ziwo, elsewhere, tmp_path, route):
    shelf = Shelf(SOUND, cuts=[100_000], watched=True)
    elsewhere.on("GET", "/bucket/x.mp3", shelf)
    address = f"{elsewhere.url}/bucket/x.mp3?sig=CANARY-sig"
    ziwo.answers("GET", SIGNED, lambda: kit.ok({"url": address, "id": "x"}))
    ziwo.answers("GET", HISTORY, lambda: web.Response(status=302, headers={"Location": address}))
    jar = aiohttp.CookieJar(unsafe=True)
    jar.update_cookies({"session": "CANARY-cookie"}, URL("http://127.0.0.1"))
    headers = {"Authorization": "Bearer CANARY-bearer", "X-Api-Key": "CANARY-key", "api_key": "CANARY-key-2"}
    async with aiohttp.ClientSession(cookie_jar=jar, headers=headers) as http:
        recordings = RecordingsResource(kit.transport(ziwo.url, http=http), retry=kit.quick)
        got = await recordings.download(CALL, tmp_path, route=route, progress=shelf.watch)
    assert got.path.read_bytes() == SOUND
    assert len(shelf.asked) == 2
    for seen in shelf.asked:
        assert {name.lower() for name in seen} <= {
            "host", "accept", "accept-encoding", "user-agent", "range", "if-range"
        }  # fmt: skip
        assert "CANARY" not in str(seen)
    assert "Cookie" in ziwo.headers[-1], "the cookie was there to be sent"


@pytest.mark.parametrize("status", [400, 418, 429, 500, 503])
async def test_the_storage_fails_and_its_address_is_not_told(recordings, ziwo, elsewhere, kit, status):
    address = f"{elsewhere.url}/bucket/x.mp3?sig=CANARY"
    ziwo.answers("GET", SIGNED, lambda: kit.ok({"url": address, "id": 1}))
    ziwo.answers("GET", HISTORY, lambda: web.Response(status=302, headers={"Location": address}))
    elsewhere.answers("GET", "/bucket/x.mp3", lambda: kit.failed(status, f"no such thing: {address}"))
    for route, path in (("signed", SIGNED), ("history", HISTORY)):
        with pytest.raises(ApiError) as caught:
            await recordings.wait_until_ready(CALL, route=route)
        assert caught.value.status == status
        assert caught.value.path == path
        assert "CANARY" not in str(caught.value)
        assert "bucket" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "http://storage.example/x?CANARY",
        "file:///etc/passwd",
        "ftp://storage.example/CANARY",
        "https://user:CANARY@storage.example/x",
        "//storage.example/CANARY",
        "/etc/CANARY",
        "",
        "https://[CANARY",
    ],
)
async def test_signed_addresses_that_are_not_followed(recordings, ziwo, kit, address):
    ziwo.answers("GET", SIGNED, lambda: kit.ok({"url": address, "id": 1}))
    with pytest.raises(ApiError) as caught:
        await recordings.wait_until_ready(CALL, route="signed")
    assert caught.value.path == SIGNED
    assert "CANARY" not in str(caught.value)
    assert set(asked(ziwo)) == {SIGNED}


async def test_words_in_a_200_are_told_without_secrets(recordings, ziwo, kit):
    async def echo(request: web.Request) -> web.Response:
        text = f"no rights for {request.headers['access_token']} at https://x.example/CANARY?a=1 today"
        return kit.failed(200, text)

    ziwo.on("GET", SURVEILLANCE, echo)
    with pytest.raises(ApiError, match=r"no rights for \*\*\* at \*\*\* today"):
        await recordings.wait_until_ready(CALL)


async def test_a_signed_address_is_a_secret(recordings, ziwo, kit):
    ziwo.answers("GET", SIGNED, lambda: kit.ok({"url": "https://s.example/x?sig=CANARY", "id": 46}))
    signed = await recordings.signed_url(CALL)
    assert isinstance(signed, SignedUrl)
    assert signed.url.get_secret_value() == "https://s.example/x?sig=CANARY"
    assert signed.id == "46"
    assert "CANARY" not in repr(signed) + signed.model_dump_json() + str(signed.model_dump())
    ziwo.answers("GET", SIGNED, lambda: kit.failed(404, "not yet"))
    with pytest.raises(NotFound):
        await recordings.signed_url(CALL)
    ziwo.answers("GET", SIGNED, lambda: kit.ok({"id": "CANARY"}))
    with pytest.raises(DecodeError, match="url"):
        await recordings.signed_url(CALL)


# --- streams --------------------------------------------------------------------------------------------------------


async def test_a_stream(recordings, ziwo):
    ziwo.on("GET", SURVEILLANCE, Shelf(SOUND))
    async with recordings.stream(CALL) as stream:
        assert (stream.size, stream.content_type, stream.route) == (200_000, "audio/mpeg", "surveillance")
        assert "audio/mpeg" in repr(stream)
        pieces = [chunk async for chunk in stream.chunks()]
    assert b"".join(pieces) == SOUND
    assert max(map(len, pieces)) <= 64 * 1024


async def test_a_stream_of_unknown_length(recordings, ziwo):
    ziwo.on("GET", SURVEILLANCE, Shelf(SOUND, told=False))
    async with recordings.stream(CALL) as stream:
        assert stream.size is None
        assert await whole(stream) == SOUND


async def test_a_stream_that_is_left_early_hangs_up(recordings, ziwo):
    ziwo.on("GET", SURVEILLANCE, Endless())
    async with recordings.stream(CALL) as stream:
        async for _ in stream.chunks():
            break
    await asyncio.wait_for(ziwo.disconnected.wait(), 10)
    gc.collect()


@pytest.mark.parametrize("told", [False, True])
async def test_a_stream_that_breaks(recordings, ziwo, told):
    ziwo.on("GET", SURVEILLANCE, Shelf(SOUND, cuts=[100_000], told=told))
    async with recordings.stream(CALL) as stream:
        with pytest.raises(ConnectionLost):
            await whole(stream)


async def test_a_stream_that_is_too_long(recordings, ziwo):
    ziwo.on("GET", SURVEILLANCE, Shelf(SOUND))
    with pytest.raises(DecodeError, match="larger than 100 bytes"):
        async with recordings.stream(CALL, max_bytes=100):
            pass
    ziwo.on("GET", SURVEILLANCE, Shelf(SOUND, told=False))
    async with recordings.stream(CALL, max_bytes=199_999) as stream:
        with pytest.raises(DecodeError, match="larger than 199999 bytes"):
            await whole(stream)


async def test_an_error_of_the_user_passes_through_a_stream(recordings, ziwo):
    ziwo.on("GET", SURVEILLANCE, Shelf(SOUND))
    with pytest.raises(NotFound, match="mine"):
        async with recordings.stream(CALL):
            raise NotFound("mine", status=404, method="GET", path="/mine")
    assert ziwo.count("GET", SURVEILLANCE) == 1


# --- arguments ------------------------------------------------------------------------------------------------------


@given(
    st.one_of(
        st.text(),
        st.sampled_from(
            [
                "",
                ".",
                "..",
                "/etc/passwd",
                "../../x",
                "a\0b",
                "x" * 300,
                f"../{CALL}",
                f"{CALL}/..",
                f"{CALL}\n",
                f" {CALL}",
                f"{{{CALL}}}",
                f"urn:uuid:{CALL}",
                CALL.replace("-", ""),
                CALL.replace("0", "\u0660"),
                f"{CALL}.mp3",
                CALL.replace("-", "\\"),
            ]
        ),
        st.from_regex(r"\A[0-9a-f/.-]{30,40}\Z"),
    )
)
def test_call_ids_are_uuids_or_refused(text):
    if (
        len(text) == 36
        and set(text) <= set("0123456789abcdefABCDEF-")
        and [at for at, letter in enumerate(text) if letter == "-"] == [8, 13, 18, 23]
    ):
        assert call_uuid(text) == text
        return
    with pytest.raises(BadArgument) as caught:
        call_uuid(text)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("call_id", ["../../etc/passwd", "46", 46, None, "", "46:5196", f"{CALL}/../x"])
async def test_no_request_and_no_file_for_a_bad_call_id(recordings, voicemails, ziwo, tmp_path, call_id):
    words = "recordings want its callID" if str(call_id) == "46" else "callID"
    for resource in (recordings, voicemails):
        with pytest.raises(BadArgument, match=words):
            await resource.download(call_id, tmp_path)
        with pytest.raises(BadArgument, match=words):
            await resource.wait_until_ready(call_id)
        with pytest.raises(BadArgument, match=words):
            async with resource.stream(call_id):
                pass
    with pytest.raises(BadArgument, match=words):
        await recordings.signed_url(call_id)
    assert ziwo.seen == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"route": "query"},
        {"wait": -1},
        {"wait": float("nan")},
        {"wait": float("inf")},
        {"timeout": 0},
        {"timeout": float("inf")},
        {"max_bytes": 0},
    ],
)
async def test_arguments_that_could_never_work(recordings, ziwo, tmp_path, wrong):
    with pytest.raises(BadArgument):
        await recordings.download(CALL, tmp_path, **wrong)
    assert ziwo.seen == []


# --- voicemails -----------------------------------------------------------------------------------------------------


async def test_voicemails_have_one_route(voicemails, ziwo, tmp_path, kit):
    ziwo.on("GET", SURVEILLANCE, shelf := Shelf(SOUND, not_ready=2))
    got = await voicemails.download(CALL, tmp_path)
    assert got.path == tmp_path / f"{CALL}.mp3"
    assert (got.route, got.size) == ("surveillance", len(SOUND))
    assert set(asked(ziwo)) == {SURVEILLANCE}
    assert len(shelf.asked) == 3
    await voicemails.wait_until_ready(CALL)
    async with voicemails.stream(CALL) as stream:
        assert await whole(stream) == SOUND
    shelf.not_ready = 1
    with pytest.raises(RecordingNotReady):
        await voicemails.wait_until_ready(CALL, timeout=0)
    before = len(ziwo.seen)
    with pytest.raises(BadArgument, match=r"'signed' is no route here: there are auto, surveillance$"):
        await voicemails.download(CALL, tmp_path, route="signed")
    assert len(ziwo.seen) == before


# --- a call, or its id ----------------------------------------------------------------------------------------------


async def test_a_record_of_the_history_is_as_good_as_its_call_id(recordings, ziwo, tmp_path, kit):
    cdr = Cdr.model_validate({"id": 46, "callID": CALL})
    ziwo.on("GET", SURVEILLANCE, Shelf(SOUND))
    ziwo.answers("GET", SIGNED, lambda: kit.ok({"url": "https://storage.test/x", "id": 46}))
    got = await recordings.download(cdr, tmp_path)
    assert (got.path, got.call_id) == (tmp_path / f"{CALL}.mp3", CALL)
    assert await recordings.wait_until_ready(cdr) == "surveillance"
    async with recordings.stream(cdr) as stream:
        assert await whole(stream) == SOUND
    assert (await recordings.signed_url(cdr)).id == "46"


@pytest.mark.parametrize("call_id", [None, "", "46", "../../x"])
async def test_a_record_without_a_call_id_has_no_recording(recordings, ziwo, tmp_path, call_id):
    cdr = Cdr.model_validate({"id": 46, "callID": call_id})
    with pytest.raises(BadArgument, match="callID"):
        await recordings.download(cdr, tmp_path)
    assert ziwo.seen == []
    assert list(tmp_path.iterdir()) == []


# --- is it sound? ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "sound"),
    [
        (b"ID3\x04\x00", MP3),
        (b"\xff\xfb\x90\x00", MP3),  # MPEG 1
        (b"\xff\xf3\x40\x00", MP3),  # MPEG 2
        (b"\xff\xe3\x18\x00", MP3),  # MPEG 2.5
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", WAV),
        (b"OggS\x00\x02", OGG),
        (b"", None),
        (b"\xff", None),
        (b"\xff\xfb\x90", None),
        (b"\xff\xf1\x50\x80", None),  # AAC: layer 0
        (b"\xff\xfd\x90\x00", None),  # layer II
        (b"\xff\xeb\x90\x00", None),  # reserved version
        (b"\xff\xfb\xf0\x00", None),  # bad bit rate
        (b"\xff\xfb\x9c\x00", None),  # reserved sample rate
        (b"\xff\xfe<\x00h\x00", None),  # UTF-16
        (b"RIFF\x24\x00\x00\x00AVI ", None),
        (b"\x7fELF", None),
        (b"<html>", None),
        (b"{", None),
    ],
)
def test_sound_by_its_first_bytes(head, sound):
    assert sound_of(head) == sound


@given(st.binary(max_size=32))
def test_any_bytes_can_be_looked_at(head):
    assert sound_of(head) in {None, MP3, WAV, OGG}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (None, True),
        ("", True),
        ("audio/mpeg", True),
        ("Audio/MPEG; x=y", True),
        ("application/octet-stream", True),
        ("text/html; charset=utf-8", False),
        ("application/json", False),
        ("image/png", False),
        ("x; audio/mpeg", False),
    ],
)
def test_sound_by_its_type(kind, expected):
    assert is_sound_type(kind) is expected


# --- against the simulator ------------------------------------------------------------------------------------------


async def test_a_recording_of_the_simulator(kit, tmp_path):
    async with serve(agents=("0011",)) as world:
        agent = world.agent("0011")
        call = world.history.add(customer="+97150000000", agent=agent, talk=30)
        world.history.recordings[call.call_id] = mp3(700_000)
        transport = kit.transport(world.api_url, Credentials.from_password(agent.username, agent.password))
        recordings = RecordingsResource(transport, retry=kit.quick)
        for route in ("surveillance", "signed", "history"):
            world.faults.hide_recordings(2)
            world.faults.cut_download(after=300_000, times=2)
            got = await recordings.download(call.call_id, tmp_path / route, route=route)
            assert got.path.read_bytes() == mp3(700_000)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["history", "signed", "surveillance"]


async def test_a_voicemail_of_the_simulator(kit, tmp_path):
    async with serve(agents=("0011",)) as world:
        agent = world.agent("0011")
        call = world.history.add(customer="+97150000000", voicemail=True, talk=3)
        transport = kit.transport(world.api_url, Credentials.from_password(agent.username, agent.password))
        got = await VoicemailsResource(transport, retry=kit.quick).download(call.call_id, tmp_path)
        assert got.content_type == "audio/mpeg"
        assert got.path.name == f"{call.call_id}.mp3"
        assert got.size > 1000


async def test_the_server_fails_while_it_is_not_ready(recordings, ziwo, kit):
    ziwo.answers("GET", SURVEILLANCE, lambda: kit.failed(404, "not yet"), lambda: kit.failed(500, "it broke meanwhile"))
    with pytest.raises(ServerError, match="it broke meanwhile"):
        await recordings.wait_until_ready(CALL, route="surveillance")
