"""Offers and answers: both directions, early media, re-attach, odd codecs, sizes, and how long STUN may take."""

from __future__ import annotations

import asyncio
import random
import re
import socket
from collections.abc import Iterator

import pytest

from ziwo_async import MediaError
from ziwo_async.media import Tone, sdp
from ziwo_async.media.stun import FALLBACK, StunList
from ziwo_async.simulator.rtp import Peer
from ziwo_async.simulator.rtp import Tone as ServerTone

from .kit import OURS, SERVER, heard_by, hears, media, session_of, talking, until, within

ADDRESS = r"^a=candidate:\S+ \d+ udp \d+ (\S+) (\d+) typ (\w+)"


async def test_an_offer_is_complete_and_has_our_codecs_only() -> None:
    async with session_of() as (session, _):
        offer = await session.offer()
    assert re.search(r"^m=audio \d+ UDP/TLS/RTP/SAVPF ([\d ]+)\r$", offer, re.MULTILINE)
    assert re.findall(r"^a=rtpmap:\d+ (\S+)\r$", offer, re.MULTILINE) == ["opus/48000/2", "PCMU/8000", "PCMA/8000"]
    assert re.findall(ADDRESS, offer, re.MULTILINE)
    assert "a=end-of-candidates" in offer
    assert "trickle" not in offer
    assert "a=setup:actpass" in offer


async def test_early_media_is_heard_before_the_answer_and_a_second_answer_is_ignored() -> None:
    async with session_of() as (session, news), Peer() as peer:
        peer.play(ServerTone(SERVER))
        answer = peer.answer(await session.offer())
        await session.accept(answer)
        await hears(session, SERVER)
        await session.accept(answer)
        await session.accept("not even a description")
        await hears(session, SERVER)
        assert len(news) == 1


async def test_an_answer_without_an_offer_is_ignored() -> None:
    async with session_of() as (session, _):
        await session.accept("v=0")


@pytest.mark.parametrize("outbound", [True, False])
async def test_a_reattached_call_gets_a_new_connection_and_keeps_its_audio(outbound: bool) -> None:
    async with talking(outbound=outbound) as (session, peer, news):
        playback = session.audio.play(Tone(OURS))
        stream = session.audio.frames()
        await within(anext(stream))
        before = session._line
        async with Peer(after=peer) as again:
            again.play(ServerTone(700))
            again.accept(await within(session.answer(again.offer())))
            await peer.reaches("over")
            await hears(session, 700)
            assert await heard_by(again, OURS)
            assert again.flushed == 0
        assert session._line is not before
        await within(anext(stream))
        assert not playback.done
        assert len(news) == 1


async def test_a_call_is_taken_over_by_a_process_that_never_saw_its_first_offer() -> None:
    for first_outbound in (True, False):
        async with talking(outbound=first_outbound) as (first, peer, _):
            await first.close()
            async with Peer(after=peer) as again, session_of() as (second, _news):
                again.play(ServerTone(SERVER))
                again.accept(await within(second.answer(again.offer())))
                await hears(second, SERVER)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA", "opus"])
async def test_an_offer_with_one_codec_is_taken(codec: str) -> None:
    async with talking(codecs=[codec]) as (session, peer, news):
        session.audio.play(Tone(OURS))
        await hears(session, SERVER)
        assert await heard_by(peer, OURS)
        assert [event.to_cloudevent()["data"]["codec"] for event in news] == [codec]


async def test_codecs_may_change_with_a_reattachment() -> None:
    async with talking(codecs=["PCMU"]) as (session, _peer, _):
        stream = session.audio.frames(48000)
        await within(anext(stream))
        async with Peer(codecs=["opus"]) as again:
            again.play(ServerTone(SERVER))
            again.accept(await session.answer(again.offer()))
            await hears(session, SERVER)
            session.audio.play(Tone(OURS))
            assert await heard_by(again, OURS)
            assert len((await within(anext(stream))).pcm) == 1920


async def test_an_offer_with_an_odd_codec_is_an_error_that_names_it() -> None:
    async with session_of() as (session, _), Peer(codecs=["L16"]) as peer:
        with pytest.raises(MediaError, match=r"call c1: the server's offer has no codec .* only L16"):
            await session.answer(peer.offer())


async def test_an_attach_that_cannot_be_leaves_the_connection_that_stands() -> None:
    async with talking() as (session, _, _):
        with pytest.raises(MediaError):
            await session.answer("v=0\r\nm=audio 1 RTP/SAVPF 9\r\n")
        await hears(session, SERVER)


GOOD = "v=0\r\nm=audio 9 RTP/SAVPF 0\r\na=fingerprint:sha-256 AA\r\na=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no audio"),
        ("m=video 9 RTP/SAVPF 96", "no audio"),
        (GOOD.replace("RTP/SAVPF 0", "RTP/SAVPF 9"), "only G722"),
        (GOOD.replace("RTP/SAVPF 0", "RTP/SAVPF 101"), "only payload type 101"),
        (GOOD.replace("SAVPF", "AVP"), "not encrypted"),
        (GOOD.replace("a=fingerprint:sha-256 AA", ""), "not encrypted"),
        (GOOD + "a=x\r\n" * 20_000, "larger"),
        (GOOD + "a=" + "x" * 5000, "larger"),
        (GOOD + GOOD * 5, "more sections"),
        (GOOD + "a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n" * 70, "more sections or candidates"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused_with_a_reason(text: str, reason: str) -> None:
    sdp.check(GOOD, "c", "offer")
    with pytest.raises(MediaError, match=reason):
        sdp.check(text, "c", "offer")


@pytest.mark.parametrize(
    ("host", "here"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("10.0.0.1", False), ("x.local", False)],
)
def test_loopback_is_told_by_the_candidates(host: str, here: bool) -> None:
    assert sdp.is_loopback(GOOD.replace("127.0.0.1", host)) is here
    assert not sdp.is_loopback("v=0")


def test_names_instead_of_addresses_are_left_out() -> None:
    named = "a=candidate:2 1 udp 1 x-y.local 9 typ host\r\n"
    assert sdp.cleaned(GOOD + named) == GOOD
    assert sdp.cleaned(GOOD + named.replace("x-y.local", "fd00::2")) != GOOD


def mutated(text: str, rng: random.Random) -> str:
    """A description in which a line is gone, doubled, moved or has other characters."""
    lines = text.splitlines(keepends=True)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(lines))
        match rng.randrange(5):
            case 0:
                del lines[at]
            case 1:
                lines.insert(rng.randrange(len(lines)), lines[at])
            case 2:
                lines[at] = lines[at][: rng.randrange(len(lines[at]))] + "\r\n"
            case 3:
                cut = rng.randrange(len(lines[at]))
                lines[at] = lines[at][:cut] + rng.choice("\0 :-/é9") + lines[at][cut + 1 :]
            case _:
                lines[at] = lines[at].replace(" ", " 99999999999999999999 ", 1)
    return "".join(lines)


@pytest.mark.parametrize("seed", range(4))
async def test_descriptions_in_pieces_are_media_errors_and_nothing_else(seed: int) -> None:
    rng, refused = random.Random(seed), 0
    async with session_of() as (session, _), Peer() as peer:
        offer = peer.offer()
        for _ in range(25):
            try:
                await within(session.answer(mutated(offer, rng)), 1.0)
            except MediaError:
                refused += 1
        assert 0 < refused < 25


async def test_a_closed_session_makes_nothing_any_more() -> None:
    async with session_of() as (session, _):
        await session.close()
        with pytest.raises(MediaError, match="closed"):
            await session.offer()


# -- STUN --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def deaf() -> Iterator[str]:
    """A STUN server that takes requests and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{listener.getsockname()[1]}"


async def test_an_unreachable_stun_server_costs_no_more_than_the_limit_and_only_once(deaf: str) -> None:
    engine = media(loopback=False, stun=[deaf], gather_limit=1.0)
    loop = asyncio.get_running_loop()
    async with session_of(engine, "one") as (first, _), session_of(engine, "two") as (second, _):
        began = loop.time()
        async with asyncio.timeout(4.0):  # aioice's own patience is 5 s
            assert "a=end-of-candidates" in await first.offer()
        waited = loop.time() - began
        async with asyncio.timeout(0.9):
            await second.offer()
    addressed = bool(re.findall(ADDRESS, await _offer_of(engine), re.MULTILINE))
    assert waited >= 1.0 or not addressed, "with an address to ask from, it asks"


async def _offer_of(engine: object) -> str:
    async with session_of(engine) as (session, _):  # type: ignore[arg-type]
        return await session.offer()


async def test_a_cancelled_gathering_leaves_nothing(deaf: str) -> None:
    async with session_of(media(loopback=False, stun=[deaf])) as (session, _):
        task = asyncio.ensure_future(session.offer())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_the_list_is_asked_for_once_and_read_as_zivo_gives_it() -> None:
    asked = 0

    async def ask() -> object:
        nonlocal asked
        asked += 1
        return {"stun": ["stun1.acme.example:3479", "stun:stun2.acme.example", 7, "no host at all!"]}

    now = 0.0
    servers = StunList(ask, clock=lambda: now)
    expected = [("stun1.acme.example", 3479), ("stun2.acme.example", 3478)]
    assert await asyncio.gather(servers.servers(), servers.servers()) == [expected, expected]
    assert asked == 1
    servers.silent(expected[:1])
    assert await servers.servers() == expected[1:]
    now = 61.0
    assert await servers.servers() == expected
    now = 3601.0
    await servers.servers()
    assert asked == 2


@pytest.mark.parametrize("told", [None, [], {}, {"stun": "x"}, {"stun": []}, {"stun": [1]}, OSError("no way")])
async def test_without_a_list_the_documented_server_is_used(told: object) -> None:
    async def ask() -> object:
        if isinstance(told, Exception):
            raise told
        return told

    host, _, port = FALLBACK[0].partition(":")
    assert await StunList(ask).servers() == [(host, int(port))]


async def test_a_list_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ziwo_async.media.stun._ASK_LIMIT", 0.01)

    async def ask() -> object:
        return await asyncio.get_running_loop().create_future()

    assert len(await within(StunList(ask).servers())) == 1
    assert await StunList(()).servers() == []


async def test_what_stun_tells_is_offered() -> None:
    pytest.importorskip("aioice")
    from aioice import stun

    class Server(asyncio.DatagramProtocol):
        asked = 0

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            self.asked += 1
            request = stun.parse_message(data)
            response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id)
            response.attributes["XOR-MAPPED-ADDRESS"] = ("192.0.2.77", 4242)
            self.transport.sendto(bytes(response), addr)  # type: ignore[attr-defined]

    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(Server, local_addr=("0.0.0.0", 0))
    try:
        port = transport.get_extra_info("sockname")[1]
        async with session_of(media(loopback=False, stun=[f"127.0.0.1:{port}"])) as (session, _):
            offer = await within(session.offer(), 1.5)
        found = re.findall(ADDRESS, offer, re.MULTILINE)
        if not any(":" not in host and kind == "host" for host, _, kind in found):
            pytest.skip("this machine has no address but loopback")
        assert ("192.0.2.77", "4242", "srflx") in found
        assert server.asked
    finally:
        transport.close()
        await until(transport.is_closing)
