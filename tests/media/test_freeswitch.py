"""What keeps plain aiortc from talking to FreeSWITCH: each point works, and does not once its cure is taken away."""

from __future__ import annotations

import asyncio
import hashlib
import re
import struct
import warnings
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiortc import RTCDtlsFingerprint, RTCDtlsParameters
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL, crypto

from ziwo_async import MediaError
from ziwo_async.media import Tone, freeswitch
from ziwo_async.media.session import AiortcSession
from ziwo_async.simulator.problems import SimulatorError
from ziwo_async.simulator.rtp import Peer
from ziwo_async.simulator.rtp import Tone as ServerTone

from .kit import OURS, SERVER, heard_by, hears, media, session_of, talking, within


async def no_audio(session: AiortcSession, peer: Peer) -> bool:
    """Whether nothing is received within a second, which is ten times what it takes."""
    try:
        async with asyncio.timeout(1.0):
            async for _ in session.audio.frames():
                return False
    except TimeoutError:
        return True
    return True


@pytest.mark.parametrize("outbound", [True, False])
async def test_both_sides_hear_each_other(outbound: bool) -> None:
    async with talking(outbound=outbound) as (session, peer, _):
        session.audio.play(Tone(OURS))
        await hears(session, SERVER)
        assert await heard_by(peer, OURS)
        assert peer.flushed == 0


# -- 1. no mid ---------------------------------------------------------------------------------------------------------


def test_a_mid_is_written_after_the_section_and_only_once() -> None:
    plain = "v=0\r\nm=audio 9 RTP/SAVPF 0\r\na=sendrecv\r\n"
    named = "v=0\r\nm=audio 9 RTP/SAVPF 0\r\na=mid:7\r\na=sendrecv\r\n"
    assert freeswitch.with_mid(plain, "7") == named
    assert freeswitch.with_mid(named) == named
    assert freeswitch.with_mid(plain.replace("\r\n", "\n"), "7") == named.replace("\r\n", "\n")


async def test_without_a_mid_there_is_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeswitch, "with_mid", lambda sdp, mid="0": sdp)
    async with session_of() as (session, _), Peer() as peer:
        offer = await session.offer()
        with pytest.raises(MediaError, match="do not match"):
            await session.accept(peer.answer(offer))


# -- 2. RSA ------------------------------------------------------------------------------------------------------------


async def test_without_rsa_suites_there_is_no_media(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(freeswitch.RsaCertificate, "_create_ssl_context")
    async with session_of() as (session, _), Peer() as peer:
        peer.accept(await session.answer(peer.offer()))
        with pytest.raises(SimulatorError, match="failed"):
            await peer.connected()


async def test_a_wrong_fingerprint_is_refused() -> None:
    async with session_of() as (session, _), Peer() as peer:
        peer.play(ServerTone(SERVER))
        offer = re.sub(r"(a=fingerprint:sha-256 )..", r"\g<1>00", peer.offer())
        peer.accept(await session.answer(offer))
        assert await no_audio(session, peer)


@pytest.mark.parametrize("algorithm", ["sha-1", "md5"])
async def test_a_weak_fingerprint_is_refused(algorithm: str) -> None:
    async with session_of() as (session, _), Peer() as peer:
        with pytest.raises(MediaError, match="not encrypted"):
            await session.answer(peer.offer().replace("sha-256", algorithm))


def with_serial_zero() -> tuple[bytes, rsa.RSAPrivateKey]:
    """A certificate as FreeSWITCH makes it; what makes certificates here refuses that number."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "FreeSWITCH")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    der = made.public_bytes(serialization.Encoding.DER)
    assert der.count(b"\x02\x01\x01") == 1
    return der.replace(b"\x02\x01\x01", b"\x02\x01\x00"), key


class Transport:
    """As much of aiortc's transport as looks at the peer's certificate."""

    def __init__(self, peer: SSL.Connection) -> None:
        self._ssl = peer
        self.state: object = None

    def _set_state(self, state: object) -> None:
        self.state = state

    def _validate_peer_identity(self, remote: RTCDtlsParameters) -> None:
        raise AssertionError("it was not replaced")


@pytest.mark.parametrize("right", [True, False])
def test_a_certificate_with_serial_number_zero_is_compared_without_a_warning(tmp_path: Path, right: bool) -> None:
    der, key = with_serial_zero()
    (tmp_path / "certificate.der").write_bytes(der)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate_file(str(tmp_path / "certificate.der"), crypto.FILETYPE_ASN1)
    context.use_privatekey(key)
    client, server = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None), SSL.Connection(context, None)
    client.set_connect_state()
    server.set_accept_state()
    for _ in range(3):
        for one, other in ((client, server), (server, client)):
            with suppress(SSL.WantReadError):
                one.do_handshake()
            with suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(65536))
    transport = Transport(client)
    freeswitch.check_fingerprint(transport)  # type: ignore[arg-type]
    digest = ":".join(f"{b:02X}" for b in hashlib.sha256(der).digest())
    shown = digest.lower() if right else digest.replace(digest[:2], "00" if digest[:2] != "00" else "11", 1)
    transport._validate_peer_identity(RTCDtlsParameters([RTCDtlsFingerprint("SHA-256", shown)]))
    assert (transport.state is None) is right


# -- 3. role -----------------------------------------------------------------------------------------------------------


class StubbornPeer(Peer):
    """FreeSWITCH when both sides claim the same ICE role: it keeps it."""

    async def clash(self, session: AiortcSession, *, controlled: bool) -> None:
        self.play(ServerTone(SERVER))
        answer = await within(session.answer(self.offer()))
        self.accept(answer)
        assert self._remote is not None
        self._open().expect(self._remote.ufrag, self._remote.pwd, controlled=controlled)


async def test_a_server_that_claims_our_role_gets_it() -> None:
    for _ in range(3):
        async with session_of() as (session, _), StubbornPeer() as peer:
            await peer.clash(session, controlled=True)
            await hears(session, SERVER)


async def test_without_yielding_ice_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeswitch, "yield_role", lambda connection: None)
    async with session_of() as (session, _), StubbornPeer() as peer:
        await peer.clash(session, controlled=True)
        assert await no_audio(session, peer)


# -- 4. marker ---------------------------------------------------------------------------------------------------------


def test_a_packet_has_no_marker() -> None:
    packet = freeswitch.rtp_packet(0x80 | 96, 65536, 2**32, 7, b"abc")
    assert struct.unpack("!BBHII", packet[:12]) == (0x80, 96, 0, 0, 7)
    assert packet[12:] == b"abc"


async def test_with_a_marker_a_bridged_call_hears_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = freeswitch.rtp_packet

    def marked(*parts: Any) -> bytes:
        packet = bytearray(plain(*parts))
        packet[1] |= 0x80
        return bytes(packet)

    monkeypatch.setattr(freeswitch, "rtp_packet", marked)
    async with talking() as (session, peer, _):
        session.audio.play(Tone(OURS))
        assert not await heard_by(peer, OURS)
        assert peer.flushed


# -- 5. loopback -------------------------------------------------------------------------------------------------------


async def test_loopback_has_one_candidate_and_needs_no_stun() -> None:
    async def never() -> object:
        raise AssertionError("a server on this machine needs no STUN")

    async with session_of(media(stun=never)) as (session, _):
        offer = await session.offer()
    assert re.findall(r"^a=candidate:.*?(\S+) \d+ typ (\w+)", offer, re.MULTILINE) == [("127.0.0.1", "host")]


async def test_loopback_is_noticed_by_the_offer_and_by_the_servers_address() -> None:
    engine = media(loopback=None)
    async with session_of(engine) as (session, _), Peer() as peer:
        answer = await session.answer(peer.offer())
        assert "127.0.0.1 " in answer
    for url, here in (("ws://127.0.0.1:1/x", True), ("wss://localhost", True), ("wss://acme.example", False)):
        engine.note_server(url)
        async with session_of(engine) as (session, _):
            assert (" 127.0.0.1 " in await session.offer()) is here, url


async def test_an_engine_for_the_world_offers_no_loopback() -> None:
    async with session_of(media(loopback=False)) as (session, _):
        assert "a=candidate" not in (offer := await session.offer()) or " 127.0.0.1 " not in offer


# -- the version -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.12.0", "1.17.0", "2.0.0"])
def test_a_version_that_was_not_tried_warns(version: str) -> None:
    with pytest.warns(RuntimeWarning, match=rf"aiortc {version} was not tried .*\(1\.13 to 1\.16 was\)"):
        freeswitch.check_version(aiortc=version)
    with pytest.warns(RuntimeWarning, match=r"aioice 0\.12\.1 was not tried .*\(0\.13 was\)"):
        freeswitch.check_version(aioice="0.12.1")


@pytest.mark.parametrize("version", ["1.13.0", "1.14.0", "1.16.9"])
def test_a_version_that_was_tried_does_not(version: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        freeswitch.check_version(aiortc=version, aioice="0.13.0")
    freeswitch.check_version()
