"""What is looked at in the server's session descriptions before the media library sees them."""

from __future__ import annotations

import ipaddress
import re

from ..errors import MediaError

__all__ = ["CODECS", "check", "cleaned", "is_loopback"]

CODECS = ("opus", "PCMU", "PCMA")
"""The codecs that are offered and taken, best first."""

# A description of the server's is some 1.5 KB with one section and a handful of candidates.
_LONGEST = 64 * 1024
_LONGEST_LINE = 4 * 1024
_MOST_SECTIONS = 4
_MOST_CANDIDATES = 64

_AUDIO = re.compile(r"^m=audio \d+ (\S+) ([\d ]+)", re.MULTILINE)
_RTPMAP = re.compile(r"^a=rtpmap:(\d+) ([\w.-]+)/", re.MULTILINE)
_CANDIDATE = re.compile(r"^a=candidate:\S+ \d+ \S+ \d+ (\S+) \d+ typ ", re.MULTILINE)
_CANDIDATE_LINE = re.compile(r"^a=candidate:\S+ \d+ \S+ \d+ (\S+) \d+ typ .*\n?", re.MULTILINE)
_FINGERPRINT = re.compile(r"^a=fingerprint:sha-(?:256|384|512) ", re.MULTILINE | re.IGNORECASE)
_STATIC = {"0": "PCMU", "3": "GSM", "8": "PCMA", "9": "G722", "18": "G729"}


def check(sdp: str, call_id: str, what: str) -> None:
    """Refuse a description that cannot give audio, with a sentence that says why.

    Args:
        sdp: The description.
        call_id: For the error.
        what: What it is, for the error: `offer` or `answer`.

    Raises:
        MediaError: It has no codec of ours, is not encrypted, is no description, or larger than any honest one.
    """
    reason = _reason(sdp)
    if reason is not None:
        raise MediaError(f"the server's {what} {reason}", call_id=call_id)


def _reason(sdp: str) -> str | None:
    if len(sdp) > _LONGEST or any(len(line) > _LONGEST_LINE for line in sdp.splitlines()):
        return "is larger than any that makes sense"
    if sdp.count("\nm=") > _MOST_SECTIONS or len(_CANDIDATE.findall(sdp)) > _MOST_CANDIDATES:
        return "has more sections or candidates than make sense"
    audio = _AUDIO.search(sdp)
    if audio is None:
        return "has no audio"
    names = codecs_of(sdp, audio.group(2))
    if not {name.lower() for name in names} & {name.lower() for name in CODECS}:
        return f"has no codec that we speak ({', '.join(CODECS)}), only {', '.join(names) or 'none'}"
    if "SAVP" not in audio.group(1) or _FINGERPRINT.search(sdp) is None:
        return f"is not encrypted as WebRTC is ({audio.group(1)}, or no fingerprint of SHA-256 or better)"
    return None


def codecs_of(sdp: str, formats: str) -> list[str]:
    """The names of the codecs behind payload types."""
    named = {**_STATIC, **dict(_RTPMAP.findall(sdp))}
    return [named.get(number, f"payload type {number}") for number in formats.split()]


def cleaned(sdp: str) -> str:
    """A description without candidates that name a host: they are of no use, and a look-up takes long."""
    return _CANDIDATE_LINE.sub(lambda found: found.group() if _is_address(found.group(1)) else "", sdp)


def is_loopback(sdp: str) -> bool:
    """Whether the other side can be reached on this machine only."""
    hosts = _CANDIDATE.findall(sdp)
    return bool(hosts) and all(_is_loopback(host) for host in hosts)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_loopback
