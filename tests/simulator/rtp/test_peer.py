"""A peer behaves as FreeSWITCH does, over real RTP; each of the five points is shown to bite without its cure."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from ziwo_async.simulator import WaitedInVain
from ziwo_async.simulator import sdp as sdps
from ziwo_async.simulator.rtp import MediaRefused, Peer, Tone

from .bare import BareClient, Cures

# The serial number of FreeSWITCH's certificate is 0, which `cryptography` will refuse one day.
pytestmark = [pytest.mark.media, pytest.mark.filterwarnings("ignore:Parsed a serial number")]

ECDSA_ONLY = Cures(suites=False)
PASSIVE = Cures(suites=False, passive=True, controlling=True)
FATAL_ALERT = bytes.fromhex("15 fefd 0000 000000000000 0002 0228")
"""DTLS: handshake_failure, from anybody."""

PASSIVE_AND_CONTROLLED = Cures(suites=False, passive=True)


@pytest.fixture(autouse=True)
async def nothing_is_left() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    assert asyncio.all_tasks() - before <= {asyncio.current_task()}


async def dial(client: BareClient, peer: Peer) -> None:
    """The client's call is answered."""
    await client.accept(peer.answer(await client.offer()))
    await peer.connected()


async def ring(client: BareClient, peer: Peer) -> None:
    """The client answers a call, or takes one over."""
    peer.accept(await client.answer(peer.offer()))
    await peer.connected()


def value(sdp: str, pattern: str) -> list[str]:
    return re.findall(pattern, sdp, re.MULTILINE)


# ---- descriptions ------------------------------------------------------------------------------------------------


def shape(sdp: str) -> str:
    """A description without its random values."""
    for pattern in (
        r"(?m)^o=.*$",
        r"(?<=WMS )\w+",
        r"(?<=m=audio )\d+",
        r"(?<=a=rtcp:)\d+",
        r"(?<=a=ssrc:)\d+",
        r"(?<=cname:)\w+",
        r"(?<=msid:)\w+",
        r"(?<=mslabel:)\w+",
        r"(?<=label:)\w+",
        r"(?<=ice-ufrag:)\w+",
        r"(?<=ice-pwd:)\w+",
        r"(?<=candidate:)\d+",
        r"(?<=127.0.0.1 )\d+",
        r"[0-9A-F]{2}(:[0-9A-F]{2})+",
    ):
        sdp = re.sub(pattern, "*", sdp)
    return sdp


async def test_an_offer_is_written_as_freeswitch_writes_it() -> None:
    async with Peer() as peer:
        offer = peer.offer()
    assert shape(offer) == shape(sdps.offer(random.Random(1)))
    assert value(offer, r"^m=audio \d+ (\S+) ") == ["RTP/SAVPF"]
    assert value(offer, r"^a=setup:(\w+)") == ["actpass"]
    assert value(offer, r"^a=candidate:\d+ (\d) ") == ["1", "2"]
    assert value(offer, r"^a=fingerprint:(\S+) ") == ["sha-256"]


async def test_an_answer_is_written_as_freeswitch_writes_it() -> None:
    async with BareClient() as client, Peer() as peer:
        offer = await client.offer()
        answer = peer.answer(offer)
        line = sdps.media_line(offer, require_candidates=True)
    assert line is not None
    assert shape(answer) == shape(sdps.answer(random.Random(1), line))
    assert value(answer, r"^m=audio \d+ (\S+ \d+)") == ["UDP/TLS/RTP/SAVPF 96"]
    assert value(answer, r"^a=setup:(\w+)") == ["active"]
    for text in ("a=mid", "BUNDLE"):
        assert text not in answer


async def test_the_offer_of_a_re_attach_has_the_codec_in_use_and_the_clients_hash() -> None:
    async with BareClient() as client, Peer() as first:
        await dial(client, first)
        async with Peer(after=first) as again:
            offer = again.offer()
        assert first.line is not None
        assert shape(offer) == shape(sdps.attach_offer(random.Random(1), first.line))
        assert value(offer, r"^m=audio \d+ (\S+ \d+)") == ["UDP/TLS/RTP/SAVPF 96"]
        assert value(offer, r"^a=fingerprint:(\S+) ") == ["sha-512"]
        assert value(offer, r"^a=setup:(\w+)") == ["actpass"]


async def test_each_peer_names_its_own_port_and_credentials() -> None:
    async with Peer() as one, Peer() as other:
        offers = one.offer(), other.offer()
        for pattern in (r"^m=audio (\d+)", r"^a=ice-ufrag:(\w+)", r"^a=ice-pwd:(\w+)", r"^a=ssrc:(\d+) cname"):
            assert value(offers[0], pattern) != value(offers[1], pattern)
        port = value(offers[0], r"^m=audio (\d+)")[0]
        assert value(offers[0], r"^a=candidate:.* 127\.0\.0\.1 (\d+) typ") == [port, port]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken, pytest.raises(OSError, match="in use"):
            taken.bind(("127.0.0.1", int(port)))


# ---- sound both ways ---------------------------------------------------------------------------------------------


async def both_hear(client: BareClient, peer: Peer) -> None:
    client.says(Tone(880))
    peer.play(Tone(440))
    arrived, left = await asyncio.gather(client.heard(0.3), peer.heard(0.3))
    assert arrived.has(440)
    assert not arrived.has(880)
    assert left.has(880)
    assert not left.has(440)


async def test_a_dialled_call_carries_sound_both_ways() -> None:
    async with BareClient() as client, Peer() as peer:
        await dial(client, peer)
        await both_hear(client, peer)


async def test_an_answered_call_carries_sound_both_ways() -> None:
    async with BareClient() as client, Peer() as peer:
        await ring(client, peer)
        await both_hear(client, peer)


@pytest.mark.parametrize("cures", [Cures(), PASSIVE], ids=["rsa", "passive"])
async def test_a_re_attached_call_carries_sound_both_ways(cures: Cures) -> None:
    async with BareClient() as client, Peer() as first:
        await dial(client, first)
        async with BareClient(cures) as later, Peer(after=first) as again:
            await ring(later, again)
            await both_hear(later, again)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA", "opus"])
async def test_one_codec_alone_can_be_offered(codec: str) -> None:
    async with BareClient() as client, Peer(codecs=[codec]) as peer:
        await ring(client, peer)
        assert peer.line is not None
        assert peer.line.rtpmap.startswith(codec)
        await both_hear(client, peer)


async def test_l16_alone_is_what_aiortc_refuses() -> None:
    async with BareClient() as client, Peer(codecs=["L16"]) as peer:
        with pytest.raises(Exception, match="Failed to set remote audio description"):
            await client.answer(peer.offer())


async def test_nothing_is_sent_when_nothing_is_played() -> None:
    async with BareClient() as client, Peer() as peer:
        await dial(client, peer)
        assert (await client.heard(0.3, timeout=0.3)).frames == 0
        peer.play(Tone(440))
        assert (await client.heard(0.2)).has(440)
        peer.play(None)
        await client.heard(1, timeout=0.3)
        assert (await client.heard(1, timeout=0.2)).frames == 0


async def test_an_echo_is_a_peer_that_plays_itself() -> None:
    async with BareClient(says=Tone(700)) as client, Peer(bridged=False) as peer:
        await dial(client, peer)
        peer.play(peer)
        assert (await client.heard(0.4)).has(700)


async def test_what_nobody_takes_does_not_pile_up() -> None:
    async with BareClient() as client, Peer() as peer:
        await dial(client, peer)
        assert (await peer.heard(0.4)).frames == 20
        taken = 0
        while peer.take() is not None:
            taken += 1
        assert taken <= 10
        assert peer.dropped >= 10


# ---- the five points ---------------------------------------------------------------------------------------------


async def test_1_without_mid_aiortc_does_not_take_the_answer() -> None:
    async with BareClient(Cures(mid=False)) as client, Peer() as peer:
        answer = peer.answer(await client.offer())
        with pytest.raises(ValueError, match="do not match offer"):
            await client.accept(answer)


@pytest.mark.parametrize("attach", [False, True], ids=["invite", "attach"])
async def test_2_a_client_with_ecdsa_suites_only_fails_in_dtls(attach: bool) -> None:
    async with BareClient(ECDSA_ONLY) as client, Peer() as first:
        await dial(client, first)  # as the server of DTLS it has its own certificate: a dialled call works
        async with BareClient(ECDSA_ONLY) as later, Peer(after=first if attach else None) as peer:
            peer.accept(await later.answer(peer.offer()))
            await peer.reaches("failed")
            with pytest.raises(MediaRefused, match="failed"):
                await peer.connected()


@pytest.mark.parametrize("attach", [False, True], ids=["invite", "attach"])
async def test_3_a_passive_client_that_does_not_nominate_is_stuck(attach: bool) -> None:
    async with BareClient() as client, Peer() as first:
        await dial(client, first)
        for _ in range(3):  # with FreeSWITCH it is luck, here it is sure
            async with BareClient(PASSIVE_AND_CONTROLLED) as later, Peer(after=first if attach else None) as peer:
                peer.accept(await later.answer(peer.offer()))
                with pytest.raises(WaitedInVain):
                    await peer.connected(0.4)
                assert later.pc.iceConnectionState == "checking"
        async with BareClient(PASSIVE) as later, Peer(after=first if attach else None) as peer:
            await ring(later, peer)


async def test_2_the_certificate_is_rsa_and_its_serial_number_is_0() -> None:
    async with BareClient() as client, Peer() as peer:
        await dial(client, peer)
        certificate = client.dtls._ssl.get_peer_certificate(as_cryptography=True)
        assert isinstance(certificate.public_key(), rsa.RSAPublicKey)
        assert certificate.serial_number == 0
        certificate.verify_directly_issued_by(certificate)


async def test_3_the_ice_role_follows_the_dtls_role() -> None:
    async with BareClient() as client, Peer() as peer:
        await dial(client, peer)
        assert client.dtls.transport.role == "controlling"
        async with BareClient() as active, Peer(after=peer) as again:
            await ring(active, again)
            assert active.dtls.transport.role == "controlled", "the client begins DTLS, so FreeSWITCH controls"
        async with BareClient(PASSIVE) as passive, Peer(after=peer) as again:
            await ring(passive, again)
            assert passive.dtls.transport.role == "controlling"


async def test_4_the_marker_bit_makes_a_bridged_client_mute_and_an_echo_not() -> None:
    async with BareClient(Cures(marker=False), says=Tone(700)) as client, Peer() as peer:
        await dial(client, peer)
        assert (await peer.heard(0.3, timeout=0.5)).frames == 0
        assert peer.flushed > 10
        assert peer.take() is None
        peer.bridged = False
        assert (await peer.heard(0.3)).has(700)
        peer.play(peer)
        assert (await client.heard(0.4)).has(700)


async def test_5_without_a_candidate_a_client_is_refused() -> None:
    async with BareClient(Cures(loopback=False)) as client, Peer() as peer:
        offer = await client.offer()
        with pytest.raises(MediaRefused):
            peer.answer(offer)
    async with BareClient(Cures(loopback=False)) as client, Peer() as peer:
        answer = await client.answer(peer.offer())
        with pytest.raises(MediaRefused):
            peer.accept(answer)


# ---- what goes wrong ---------------------------------------------------------------------------------------------


async def test_a_wrong_fingerprint_fails() -> None:
    async with BareClient() as client, Peer() as peer:
        offer = await client.offer()
        wrong = re.sub(r"(a=fingerprint:sha-\d+ )[0-9A-F]{2}", r"\g<1>00", offer)
        await client.accept(peer.answer(wrong.replace(" 00:00", " 01:00")))
        await peer.reaches("failed")


@pytest.mark.parametrize("sdp", ["", "v=0\r\n", "m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"])
async def test_what_is_no_description_of_webrtc_is_refused(sdp: str) -> None:
    async with Peer() as peer:
        with pytest.raises(MediaRefused):
            peer.answer(sdp)


async def test_a_client_that_never_comes_leaves_the_peer_waiting() -> None:
    async with BareClient() as client, Peer() as peer:
        peer.answer(await client.offer())
        with pytest.raises(WaitedInVain, match="connecting"):
            await peer.connected(0.1)
        assert not peer.was_up


async def test_a_client_that_closes_is_noticed() -> None:
    async with BareClient() as client, Peer() as peer:
        await dial(client, peer)
        await client.close()
        await peer.reaches("over")
        peer.play(Tone(440))
        await peer.put(Tone(440).take())


async def test_strangers_on_the_port_change_nothing() -> None:
    rng = random.Random(4)
    async with BareClient() as client, Peer() as peer:
        answer = peer.answer(await client.offer())
        address = ("127.0.0.1", int(value(answer, r"^m=audio (\d+)")[0]))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            binding = bytes.fromhex("000100002112a442") + rng.randbytes(12)
            for junk in (b"", b"\x00", binding, b"\x00\x01" + rng.randbytes(60), rng.randbytes(1200), b"\x80" * 40):
                stranger.sendto(junk, address)
            await client.accept(answer)
            async with asyncio.timeout(20):
                while peer.state == "connecting":
                    stranger.sendto(FATAL_ALERT, address)
                    await asyncio.sleep(0)
            await peer.connected()
            for _ in range(50):
                stranger.sendto(rng.randbytes(rng.randrange(200)), address)
            await both_hear(client, peer)


async def test_closing_twice_or_before_anything_is_fine() -> None:
    peer = Peer()
    await peer.close()
    await peer.close()
    assert peer.state == "closed"
    told: list[str] = []
    watched = Peer(changed=lambda: told.append(watched.state))
    watched.offer()
    await watched.close()
    assert told == ["closed"]


# ---- the extra ---------------------------------------------------------------------------------------------------


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)


def test_the_extra_is_imported_when_a_peer_is_made_and_not_before() -> None:
    done = run(
        "import sys, ziwo_async.simulator, ziwo_async.simulator.rtp as rtp\n"
        "rtp.Tone(440), rtp.Mixer\n"
        "assert not {'aiortc', 'av', 'aioice'} & set(sys.modules)\n"
        "rtp.Peer\n"
        "assert 'aiortc' in sys.modules"
    )
    assert done.returncode == 0, done.stderr


def test_without_the_extra_the_error_names_it() -> None:
    done = run("import sys; sys.modules['aiortc'] = None\nfrom ziwo_async.simulator.rtp import Peer")
    assert "pip install 'ziwo_async[media]'" in done.stderr
