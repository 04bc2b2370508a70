"""SDP as FreeSWITCH writes it, and what it accepts.

Modelled on captured offers and answers: one audio section, never `a=mid` nor `a=group:BUNDLE`; `RTP/SAVPF` in the
first offer of a call and `UDP/TLS/RTP/SAVPF` in answers and in `verto.attach`; candidates for components 1 and 2.
Without media behind it, ports and fingerprints are made up.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["CODECS", "MediaLine", "Parts", "answer", "attach_offer", "media_line", "offer"]

_OPUS = re.compile(r"^a=rtpmap:(\d+) opus/48000", re.IGNORECASE)
_MLINE = re.compile(r"^m=audio (\d+) ([A-Z/]+) ([\d ]+)$")
_CANDIDATE = re.compile(r"^a=candidate:\S+ \d+ (?:udp|UDP) \d+ (\S+) \d+ typ ")
_OPUS_OFFER = "useinbandfec=1; maxaveragebitrate=30000; maxplaybackrate=48000; ptime=20; minptime=10; maxptime=40"
_OFFERED = {
    "opus": (102, "opus/48000/2", _OPUS_OFFER),
    "PCMU": (0, "PCMU/8000", ""),
    "PCMA": (8, "PCMA/8000", ""),
    "L16": (103, "L16/8000", ""),
}
_ALPHABET = string.ascii_letters + string.digits


CODECS = ("opus", "PCMU", "PCMA")
"""What an offer names when nothing else is said."""


@dataclass(frozen=True, slots=True)
class MediaLine:
    """What matters of a client's SDP: its profile and the codec the server picks (payload type and rtpmap)."""

    profile: str
    payload: int
    rtpmap: str


def media_line(sdp: str, *, require_candidates: bool) -> MediaLine | None:
    """The audio line of a client's SDP as FreeSWITCH would take it, or None when it is of no use.

    Of no use are: no audio section, no codec out of opus, PCMU and PCMA, and (for a WebRTC profile) no ICE
    candidate, or only mDNS ones (`.local`); all measured.
    """
    lines = sdp.replace("\r\n", "\n").split("\n")
    matches = [match for line in lines if (match := _MLINE.match(line))]
    if not matches:
        return None
    port, profile, formats = matches[0].groups()
    if profile not in ("UDP/TLS/RTP/SAVPF", "RTP/SAVPF", "RTP/AVP", "RTP/AVPF"):
        return None
    offered = [int(number) for number in formats.split()]
    codec = _codec(lines, offered)
    if codec is None or (port == "0"):
        return None
    hosts = [match.group(1) for line in lines if (match := _CANDIDATE.match(line))]
    if require_candidates and "SAVPF" in profile and all(host.endswith(".local") for host in hosts):
        return None
    return MediaLine(profile, *codec)


def _codec(lines: list[str], offered: list[int]) -> tuple[int, str] | None:
    opus = {int(match.group(1)) for line in lines if (match := _OPUS.match(line))}
    for payload in offered:
        if payload in opus:
            return payload, "opus/48000/2"
    static = {0: "PCMU/8000", 8: "PCMA/8000"}
    return next(((payload, static[payload]) for payload in offered if payload in static), None)


def _word(rng: random.Random, length: int) -> str:
    return "".join(rng.choices(_ALPHABET, k=length))


def _fingerprint(rng: random.Random, octets: int) -> str:
    return ":".join(f"{rng.randrange(256):02X}" for _ in range(octets))


@dataclass(frozen=True, slots=True)
class Parts:
    """What differs from one description to the next.

    Attributes:
        session: Number of the session.
        port: Port of the one candidate.
        stream: Name of the stream.
        ssrc: RTP source.
        cname: RTCP name.
        ufrag: ICE user name fragment.
        pwd: ICE password.
        foundation: Of the candidate.
        host: Address of the candidate.
        fingerprint: Algorithm and value; empty: made up.
    """

    session: int
    port: int
    stream: str
    ssrc: int
    cname: str
    ufrag: str
    pwd: str
    foundation: int
    host: str = "127.0.0.1"
    fingerprint: str = ""

    @classmethod
    def make(cls, rng: random.Random) -> Parts:
        """Made-up ones."""
        return cls(
            session=1_795_000_000 + rng.randrange(1_000_000),
            port=2 * rng.randrange(20_000, 20_500),
            stream=_word(rng, 32),
            ssrc=rng.randrange(1, 2**32),
            cname=_word(rng, 16),
            ufrag=_word(rng, 16),
            pwd=_word(rng, 24),
            foundation=rng.randrange(10**9, 10**10),
        )

    def head(self, profile: str, formats: str) -> list[str]:
        """The lines up to the media line."""
        return [
            "v=0",
            f"o=FreeSWITCH {self.session} {self.session + 1} IN IP4 {self.host}",
            "s=FreeSWITCH",
            f"c=IN IP4 {self.host}",
            "t=0 0",
            f"a=msid-semantic: WMS {self.stream}",
            f"m=audio {self.port} {profile} {formats}",
        ]

    def ssrc_lines(self) -> list[str]:
        """The lines about the RTP source."""
        return [
            f"a=ssrc:{self.ssrc} cname:{self.cname}",
            f"a=ssrc:{self.ssrc} msid:{self.stream} a0",
            f"a=ssrc:{self.ssrc} mslabel:{self.stream}",
            f"a=ssrc:{self.ssrc} label:{self.stream}a0",
        ]

    def dtls(self, rng: random.Random, algorithm: str, octets: int) -> str:
        """The line of the fingerprint."""
        return f"a=fingerprint:{self.fingerprint or f'{algorithm} {_fingerprint(rng, octets)}'}"

    def rtcp(self) -> str:
        """The line of the RTCP port."""
        return f"a=rtcp:{self.port} IN IP4 {self.host}"

    def ice(self, components: tuple[tuple[int, int], ...]) -> list[str]:
        """The lines of ICE; a candidate for each component and priority."""
        return [
            f"a=ice-ufrag:{self.ufrag}",
            f"a=ice-pwd:{self.pwd}",
            *(
                f"a=candidate:{self.foundation} {number} udp {priority} {self.host} {self.port} typ host generation 0"
                for number, priority in components
            ),
        ]


_FIRST = (1, 2_130_706_431)


def offer(rng: random.Random, parts: Parts | None = None, codecs: Sequence[str] = CODECS) -> str:
    """The offer of a `verto.invite`.

    Args:
        rng: Makes up what is not given.
        parts: What is real in it.
        codecs: Out of opus, PCMU, PCMA and L16.
    """
    parts = parts or Parts.make(rng)
    lines: list[str] = []
    for payload, rtpmap, fmtp in (_OFFERED[codec] for codec in codecs):
        lines.append(f"a=rtpmap:{payload} {rtpmap}")
        if fmtp:
            lines.append(f"a=fmtp:{payload} {fmtp}")
    return _text(
        parts.head("RTP/SAVPF", " ".join(str(_OFFERED[codec][0]) for codec in codecs)),
        lines,
        [parts.dtls(rng, "sha-256", 32), "a=setup:actpass", "a=rtcp-mux", parts.rtcp()],
        parts.ssrc_lines(),
        parts.ice((_FIRST, (2, 2_130_706_431))),
        ["a=silenceSupp:off - - - -", "a=ptime:20", "a=sendrecv"],
    )


def answer(rng: random.Random, line: MediaLine, parts: Parts | None = None) -> str:
    """The answer to a client's offer (`verto.media`, `verto.answer`, `updateMedia`)."""
    parts = parts or Parts.make(rng)
    body = [*_codec_lines(line), "a=silenceSupp:off - - - -", "a=ptime:20", "a=sendrecv"]
    if "SAVPF" not in line.profile:
        return _text(parts.head(line.profile, str(line.payload)), body)
    return _text(
        parts.head("UDP/TLS/RTP/SAVPF", str(line.payload)),
        body,
        [parts.dtls(rng, "sha-256", 32), "a=setup:active", "a=rtcp-mux", parts.rtcp()],
        parts.ice((_FIRST,)),
        ["a=end-of-candidates"],
        parts.ssrc_lines(),
    )


def attach_offer(
    rng: random.Random, line: MediaLine, parts: Parts | None = None, *, renegotiation: bool = False
) -> str:
    """The offer of a `verto.attach`: the one codec in use. In the middle of a call it ends without a word (s09)."""
    parts = parts or Parts.make(rng)
    return _text(
        parts.head("UDP/TLS/RTP/SAVPF", str(line.payload)),
        [*_codec_lines(line), "a=silenceSupp:off - - - -", "a=ptime:20", "a=sendrecv"],
        [parts.dtls(rng, "sha-512", 64), "a=setup:actpass", "a=rtcp-mux", parts.rtcp()],
        parts.ice((_FIRST, (2, 2_130_706_430))),
        [] if renegotiation else ["a=end-of-candidates"],
        parts.ssrc_lines(),
    )


def _codec_lines(line: MediaLine) -> list[str]:
    lines = [f"a=rtpmap:{line.payload} {line.rtpmap}"]
    if line.rtpmap.startswith("opus"):
        lines.append(f"a=fmtp:{line.payload} useinbandfec=1; minptime=10; maxptime=40")
    return lines


def _text(*blocks: list[str]) -> str:
    return "".join(f"{line}\r\n" for block in blocks for line in block)
