"""The edge to aiortc, aioice and PyAV: the only file of the simulator that imports them.

They are an extra, so this file is imported when a peer is made and not before. What is used of aiortc is the DTLS
transport alone; ICE, RTP and SDP are our own, because there FreeSWITCH differs from a browser.
"""

# What aiortc does not publish is used here on purpose, and nowhere else.
# pyright: reportPrivateUsage=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import tempfile
import textwrap
from array import array
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

try:
    import av
    from aioice import stun
    from aiortc.rtcdtlstransport import (
        SRTP_AES128_CM_SHA1_80,
        RTCCertificate,
        RTCDtlsFingerprint,
        RTCDtlsParameters,
        RTCDtlsTransport,
    )
    from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpReceiveParameters
    from aiortc.rtp import RtpPacket
    from av.error import FFmpegError
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.serialization import Encoding
    from OpenSSL import SSL
    from OpenSSL.crypto import FILETYPE_ASN1
except ImportError as missing:
    raise ImportError(
        f"media in the simulator needs the extra: pip install 'ziwo_async[media]' ({missing})"
    ) from missing

from .pcm import FRAME, RATE, Frame

__all__ = ["Decoder", "Dtls", "Encoder", "StunMessage", "fingerprint", "read_stun", "stun_request", "stun_response"]

_DTLS_1_2 = 0xFEFD
_HASHES = ("sha-256", "sha-384", "sha-512")


# ---- STUN ----------------------------------------------------------------------------------------------------------


class StunMessage:
    """One message of a connectivity check."""

    def __init__(self, message: Any, data: bytes) -> None:
        self._message = message
        self.data = data

    @property
    def kind(self) -> str:
        """`request`, `response`, `error` or `indication`."""
        return str(self._message.message_class.name).lower()

    @property
    def transaction(self) -> bytes:
        """What joins a request and its response."""
        return bytes(self._message.transaction_id)

    @property
    def error_code(self) -> int | None:
        """Code of an error."""
        code = self._message.attributes.get("ERROR-CODE")
        return None if code is None else int(code[0])

    @property
    def username(self) -> str:
        """`<receiver's ufrag>:<sender's ufrag>`."""
        return str(self._message.attributes.get("USERNAME", ""))

    def signed_with(self, password: str) -> bool:
        """Whether the message has a right signature."""
        return bool(self._message.check_message_integrity(password.encode()))


def read_stun(data: bytes) -> StunMessage | None:
    """A STUN message, or None when the datagram is none."""
    try:
        return StunMessage(stun.parse_message(data), data)
    except ValueError:
        return None


def stun_request(username: str, password: str, *, controlled: bool, tie_breaker: int, priority: int) -> StunMessage:
    """A connectivity check; one of the controlling side nominates at once, as FreeSWITCH's does."""
    attributes: dict[str, Any] = {"USERNAME": username, "PRIORITY": priority}
    if controlled:
        attributes["ICE-CONTROLLED"] = tie_breaker
    else:
        attributes["USE-CANDIDATE"] = None
        attributes["ICE-CONTROLLING"] = tie_breaker
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, attributes=attributes)
    message.add_message_integrity(password.encode())
    return StunMessage(message, bytes(message))


def stun_response(request: StunMessage, address: tuple[str, int], password: str) -> StunMessage:
    """The answer to a connectivity check: where it came from."""
    message = stun.Message(
        stun.Method.BINDING,
        stun.Class.RESPONSE,
        transaction_id=request.transaction,
        attributes={"XOR-MAPPED-ADDRESS": address},
    )
    message.add_message_integrity(password.encode())
    return StunMessage(message, bytes(message))


# ---- DTLS ----------------------------------------------------------------------------------------------------------


def _anybody(*_: object) -> bool:
    return True  # the fingerprint of the description decides, afterwards


class _RsaCertificate(RTCCertificate):  # type: ignore[misc,unused-ignore]
    """FreeSWITCH's own: RSA, serial number 0, and whatever cipher suites OpenSSL has, with DTLS 1.2 at most.

    A client that offers ECDSA suites only cannot use it (measured: alert handshake_failure), and one that reads it with
    `cryptography` is warned about the serial number.
    """

    def __init__(self, key: Any, der: bytes) -> None:
        self._key = key
        self._der = der
        self._context: Any = None

    def getFingerprints(self) -> list[Any]:  # noqa: N802 (aiortc's name)
        digests = ((name, hashlib.new(name.replace("-", ""), self._der).hexdigest().upper()) for name in _HASHES)
        return [
            RTCDtlsFingerprint(algorithm=name, value=":".join(textwrap.wrap(digest, 2))) for name, digest in digests
        ]

    def _create_ssl_context(self, srtp_profiles: Any) -> Any:
        if self._context is None:
            self._context = self._new_context(srtp_profiles)
        return self._context

    def _new_context(self, srtp_profiles: Any) -> Any:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_max_proto_version(_DTLS_1_2)
        context.set_options(SSL.OP_NO_TICKET)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _anybody)
        with tempfile.TemporaryDirectory() as folder:
            # The one way into OpenSSL past Python's own reading of certificates, which minds the serial number.
            file = Path(folder, "certificate")
            file.write_bytes(self._der)
            context.use_certificate_file(str(file), FILETYPE_ASN1)
        context.use_privatekey(self._key)
        context.set_cipher_list(b"DEFAULT")
        context.set_tlsext_use_srtp(b":".join(profile.openssl_profile for profile in srtp_profiles))
        return context


@lru_cache(maxsize=1)
def _certificate() -> Any:
    # One for the process, as FreeSWITCH has one for all calls. Its own has 4096 bits, which take seconds to make.
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "FreeSWITCH")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    # No builder makes a serial number 0 any more: it is written over the 1 (behind the version, 2), and signed again.
    der, signed = certificate.public_bytes(Encoding.DER), certificate.tbs_certificate_bytes
    zero = signed.replace(b"\x02\x01\x02\x02\x01\x01", b"\x02\x01\x02\x02\x01\x00", 1)
    signature = key.sign(zero, PKCS1v15(), hashes.SHA256())
    return _RsaCertificate(key, der.replace(signed, zero)[: -len(signature)] + signature)


def fingerprint(algorithm: str) -> str:
    """Fingerprint of the certificate (`sha-256`, `sha-384` or `sha-512`); what else is asked for gives sha-256."""
    known = {found.algorithm: found.value for found in _certificate().getFingerprints()}
    name = algorithm if algorithm in known else "sha-256"
    return f"{name} {known[name]}"


class Wire(Protocol):
    """What DTLS runs over."""

    role: str

    async def _recv(self) -> bytes: ...

    async def _send(self, data: bytes) -> None: ...


class _Receiver:
    """What aiortc's transport hands packets to."""

    def __init__(self, received: Callable[[bool, bytes], None]) -> None:
        self._received = received

    def _handle_disconnect(self) -> None:
        return

    async def _handle_rtcp_packet(self, packet: Any) -> None:
        return

    async def _handle_rtp_packet(self, packet: Any, arrival_time_ms: int) -> None:
        self._received(bool(packet.marker), bytes(packet.payload))


class Dtls:
    """DTLS and SRTP over ICE.

    Args:
        wire: Sends and receives datagrams.
        client: Whether this side begins.
        payload: RTP payload type; packets of another are not received.
        received: Is called with the marker bit and the payload of each packet.
        changed: Is called when `up` or `over` may have changed.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        client: bool,
        payload: int,
        received: Callable[[bool, bytes], None],
        changed: Callable[[], None],
    ) -> None:
        self._transport: Any = RTCDtlsTransport(wire, [_certificate()])  # type: ignore[arg-type,unused-ignore]  # pyright: ignore[reportArgumentType]
        self._transport._set_role("client" if client else "server")
        self._transport._srtp_profiles = [SRTP_AES128_CM_SHA1_80]
        self._transport.on("statechange", changed)
        codec = RTCRtpCodecParameters(mimeType="audio/any", clockRate=RATE, payloadType=payload)
        self._transport._register_rtp_receiver(_Receiver(received), RTCRtpReceiveParameters(codecs=[codec]))

    @property
    def up(self) -> bool:
        """Whether media can flow."""
        return bool(self._transport.state == "connected")

    @property
    def over(self) -> bool:
        """Whether the client has closed it."""
        return bool(self._transport.state == "closed")

    async def handshake(self, fingerprints: list[tuple[str, str]]) -> bool:
        """Agree with the client; False: it failed (no cipher suite in common, or a wrong fingerprint)."""
        expected = [RTCDtlsFingerprint(algorithm=name, value=value) for name, value in fingerprints]
        await self._transport.start(RTCDtlsParameters(fingerprints=expected))
        return self.up

    def send(self, *, payload_type: int, sequence: int, timestamp: int, ssrc: int, payload: bytes) -> Awaitable[None]:
        """Send one packet."""
        packet = RtpPacket(
            payload_type=payload_type, sequence_number=sequence, timestamp=timestamp, ssrc=ssrc, payload=payload
        )
        sent: Awaitable[None] = self._transport._send_rtp(packet.serialize())
        return sent

    async def close(self) -> None:
        """Say goodbye; when this returns no task of aiortc is left."""
        task = self._transport._task
        await self._transport.stop()
        self._transport.remove_all_listeners()
        if task is not None:
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await task


# ---- codecs --------------------------------------------------------------------------------------------------------

_CODECS = {"opus": "libopus", "pcmu": "pcm_mulaw", "pcma": "pcm_alaw"}


def _context(name: str, mode: Literal["r", "w"]) -> Any:
    return av.CodecContext.create(_CODECS[name.lower()], mode)


class Encoder:
    """Frames to payloads of one codec (`opus`, `PCMU`, `PCMA`)."""

    def __init__(self, name: str) -> None:
        codec = _context(name, "w")
        codec.sample_rate = RATE
        codec.layout = "mono"
        codec.format = "s16"
        codec.time_base = Fraction(1, RATE)
        if name.lower() == "opus":
            codec.options = {"application": "voip"}
            codec.bit_rate = 30_000
        self._codec = codec
        self._pts = 0

    def encode(self, frame: Frame) -> bytes:
        """The payload of 20 ms; empty while the codec still collects."""
        sound: Any = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
        sound.planes[0].update(frame.tobytes())
        sound.sample_rate = RATE
        sound.pts = self._pts
        self._pts += FRAME
        return b"".join(bytes(packet) for packet in self._codec.encode(sound))


class Decoder:
    """Payloads of one codec to frames."""

    def __init__(self, name: str) -> None:
        opus = name.lower() == "opus"
        codec = _context(name, "r")
        codec.sample_rate = 48_000 if opus else RATE
        codec.layout = "stereo" if opus else "mono"
        codec.format = "s16"
        self._codec = codec
        self._to_line: Any = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        self._rest = array("h")

    def decode(self, payload: bytes) -> list[Frame]:
        """The frames that are complete now; a payload that is no sound gives none."""
        try:
            decoded = self._codec.decode(av.Packet(payload))
        except FFmpegError:
            return []
        for sound in decoded:
            for piece in self._to_line.resample(sound):
                self._rest.frombytes(bytes(piece.planes[0])[: 2 * piece.samples])
        count = len(self._rest) // FRAME
        frames = [self._rest[n * FRAME : (n + 1) * FRAME] for n in range(count)]
        del self._rest[: count * FRAME]
        return frames
