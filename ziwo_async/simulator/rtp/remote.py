"""What the client's session description says about its transport."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Remote"]

_ATTRIBUTE = re.compile(r"^a=(ice-ufrag|ice-pwd|setup|fingerprint):(.+?)\r?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Remote:
    """The client's side of ICE and DTLS.

    Attributes:
        ufrag: ICE user name fragment.
        pwd: ICE password.
        setup: DTLS role: `actpass`, `active` or `passive`; empty when it says nothing.
        fingerprints: Algorithm and value of each fingerprint, in order.
    """

    ufrag: str
    pwd: str
    setup: str
    fingerprints: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, sdp: str) -> Remote | None:
        """Read a description; None when it has no ICE or no DTLS (plain RTP)."""
        found: dict[str, str] = {}
        fingerprints: list[tuple[str, str]] = []
        for name, value in _ATTRIBUTE.findall(sdp):
            algorithm, _, digest = value.partition(" ")
            if name == "fingerprint":
                fingerprints.append((algorithm.lower(), digest.strip()))
            else:
                found[name] = value.strip()
        if "ice-ufrag" not in found or "ice-pwd" not in found or not fingerprints:
            return None
        return cls(found["ice-ufrag"], found["ice-pwd"], found.get("setup", ""), tuple(fingerprints))
