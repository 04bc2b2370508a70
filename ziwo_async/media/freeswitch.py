# pyright: reportPrivateUsage=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
"""What keeps plain aiortc from talking to FreeSWITCH, measured, and the cure of each. All that reaches inside is here.

1. **No mid.** FreeSWITCH never writes `a=mid`; aiortc then says "Media sections in answer do not match offer".
   Cure: `with_mid` writes it in.
2. **RSA certificate.** As DTLS client (inbound calls, re-attach) aiortc offers suites for ECDSA certificates only, and
   FreeSWITCH's is RSA: the handshake fails and the call dies half a second after the answer. Cure: `RsaCertificate`
   offers suites for both. Its certificate further has the serial number 0, about which `cryptography` warns, and which
   it will refuse; `check_fingerprint` compares digests without reading the rest of it.
3. **ICE role.** FreeSWITCH derives its role from the DTLS role and not from who offered, so that both sides may claim
   the same one. aioice then changes its role after its check has succeeded, nobody nominates, and ICE hangs for ever,
   by luck of the tie-breaker. Cure: `yield_role` always takes the role that FreeSWITCH leaves, and nominates then.
4. **RTP marker.** aiortc sets it on every audio packet, and FreeSWITCH empties its read buffer at each marker in a
   bridged call: nobody hears us, while echo tests pass. Cure: `rtp_packet` writes our packets, and never sets it.
5. **Loopback.** aioice leaves 127.0.0.1 out, so that a server on the same machine cannot be reached. Cure: `gather`
   asks the connection itself for candidates on the addresses that we want; nothing global is patched. It also caps the
   time: aioice waits 5 s for a STUN server that does not answer.

All of that reaches into aiortc's inside; `check_version` warns when it is a version that was not tried.
"""

from __future__ import annotations

import asyncio
import re
import struct
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import aioice
import aiortc
from aioice import Candidate, ice
from aiortc import RTCCertificate, RTCDtlsParameters, RTCDtlsTransport
from aiortc.rtcdtlstransport import SRTPProtectionProfile, State

if TYPE_CHECKING:
    from OpenSSL import SSL

__all__ = [
    "KNOWN_GOOD",
    "RsaCertificate",
    "check_fingerprint",
    "check_version",
    "gather",
    "rtp_packet",
    "with_mid",
    "yield_role",
]

KNOWN_GOOD = {"aiortc": ((1, 13), (1, 16)), "aioice": ((0, 13), (0, 13))}
"""The first and the last releases with which the tests of this file were run."""

_SECTION = re.compile(r"^(m=\S+ .*?)(\r?\n)", re.MULTILINE)
_SUITES = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
    b"ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:"
    b"ECDHE-RSA-AES256-SHA"
)
_HEADER = struct.Struct("!BBHII")
_VERSION = 0x80
_LATE = 0.05


def check_version(**versions: str) -> None:
    """Warn when aiortc, or what it builds on, is a release that the cures were not tried with.

    Args:
        versions: By default those that are installed.
    """
    for name, version in (versions or {"aiortc": aiortc.__version__, "aioice": aioice.__version__}).items():
        found = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
        first, last = KNOWN_GOOD[name]
        if not first <= found <= last:
            tried = " to ".join(".".join(map(str, bound)) for bound in dict.fromkeys((first, last)))
            warnings.warn(
                f"{name} {version} was not tried with FreeSWITCH by this package ({tried} was): calls may have no "
                "audio. Install that, or run the tests in tests/media first.",
                RuntimeWarning,
                stacklevel=3,
            )


# 1.
def with_mid(sdp: str, mid: str = "0") -> str:
    """The server's description with the `a=mid` that it never has."""
    return sdp if "\na=mid:" in sdp else _SECTION.sub(rf"\1\2a=mid:{mid}\2", sdp, count=1)


# 2.
class RsaCertificate(RTCCertificate):
    """Our certificate (ECDSA), whose connections also take a peer with an RSA certificate."""

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(_SUITES)
        return context


def check_fingerprint(dtls: RTCDtlsTransport) -> None:
    """Let a transport compare the peer's fingerprints by the digest alone."""

    def validate(remote: RTCDtlsParameters) -> None:
        certificate = None if dtls._ssl is None else dtls._ssl.get_peer_certificate()
        known = [one for one in remote.fingerprints if one.algorithm.lower() in ("sha-256", "sha-384", "sha-512")]
        if (
            certificate is None
            or not known
            or any(
                certificate.digest(one.algorithm.lower().replace("-", "")).decode() != one.value.upper()
                for one in known
            )
        ):
            dtls._set_state(State.FAILED)

    _put(dtls, "_validate_peer_identity", validate)


# 3.
def yield_role(connection: ice.Connection) -> None:
    """Let a connection take the role that its peer leaves it, and nominate when that is the controlling one."""
    switch = connection.switch_role

    def claim() -> None:
        # The larger tie-breaker controls: with the largest a controlled side takes over, with the least a
        # controlling one gives way. The peer is never told to change.
        connection._tie_breaker = 0 if connection.ice_controlling else 2**64 - 1

    def switch_and_nominate(ice_controlling: bool) -> None:
        switch(ice_controlling)
        claim()
        if ice_controlling:
            for pair in connection._check_list:
                if pair.state is ice.CandidatePair.State.SUCCEEDED and pair.task is None:
                    pair.task = asyncio.create_task(connection.check_start(pair))

    claim()
    _put(connection, "switch_role", switch_and_nominate)


# 4.
def rtp_packet(payload_type: int, sequence: int, timestamp: int, ssrc: int, payload: bytes) -> bytes:
    """An RTP packet (RFC 3550) without the marker bit."""
    return _HEADER.pack(_VERSION, payload_type & 0x7F, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload


# 5.
async def gather(
    connection: ice.Connection, *, loopback: bool, stun: Sequence[tuple[str, int]], limit: float
) -> Sequence[tuple[str, int]]:
    """Gather a connection's candidates, in place of what it would do itself.

    Args:
        connection: One that has gathered nothing yet.
        loopback: Only on this machine, without STUN.
        stun: The servers to ask which address the world sees.
        limit: Seconds that they get.

    Returns:
        The STUN servers that did not answer.
    """
    connection._local_candidates_start = True
    addresses = ["127.0.0.1"] if loopback else ice.get_host_addresses(use_ipv4=True, use_ipv6=True)
    found = await connection.get_component_candidates(component=1, addresses=addresses)
    silent: Sequence[tuple[str, int]] = ()
    if stun and not loopback:
        outside, silent = await _ask(connection, stun, limit)
        found += outside
    connection._local_candidates += found
    connection._local_candidates_end = True
    return silent


async def _ask(
    connection: ice.Connection, stun: Sequence[tuple[str, int]], limit: float
) -> tuple[list[Candidate], Sequence[tuple[str, int]]]:
    asked = {
        asyncio.create_task(_reflexive(protocol, server)): server
        for server in stun
        for protocol in connection._protocols
        if ":" not in protocol.local_candidate.host
    }
    found: dict[tuple[str, int], Candidate] = {}
    answered: set[tuple[str, int]] = set()
    waiting, ends = set(asked), asyncio.get_running_loop().time() + limit
    try:
        while waiting and (left := ends - asyncio.get_running_loop().time()) > 0:
            done, waiting = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task.exception() is None:
                    candidate = task.result()
                    found[candidate.host, candidate.port] = candidate
                    answered.add(asked[task])
            if found:
                # One address is enough; others that come right behind it are taken along.
                ends = min(ends, asyncio.get_running_loop().time() + _LATE)
    finally:
        for task in waiting:
            task.cancel()
        if waiting:
            await asyncio.wait(waiting)
    return list(found.values()), () if answered else [server for server in stun if server not in answered]


async def _reflexive(protocol: ice.StunProtocol, server: tuple[str, int]) -> Candidate:
    found = cast("Candidate | tuple[Candidate, None]", await ice.server_reflexive_candidate(protocol, server))
    return found[0] if isinstance(found, tuple) else found


def _put(where: object, name: str, method: object) -> None:
    """Replace a method of one object; that it is there at all is the check that aiortc still works that way."""
    if not hasattr(where, name):
        raise AttributeError(f"aiortc {aiortc.__version__} has no {type(where).__name__}.{name} any more")
    setattr(where, name, method)
