"""What may be shown of a frame: secrets are taken out before a frame reaches a log.

By key (`passwd`, `sessid`, tokens), and inside session descriptions by attribute (`ice-pwd`, `ice-ufrag`).
"""

from __future__ import annotations

import logging
import re

__all__ = ["log", "redact", "show"]

log = logging.getLogger("ziwo_async.wire")

_HIDDEN = "[hidden]"
_BY_KEY = re.compile(
    r'("(?:passwd|password|sessid|access_token|token|api_key|ccPassword|authorization)"\s*:\s*)"(?:[^"\\]|\\.)*"?',
    re.IGNORECASE,
)
_IN_SDP = re.compile(r"(a=(?:ice-pwd|ice-ufrag|crypto):)[^\\\r\n\"]+")
_SHOWN = 4_000


def redact(text: str) -> str:
    """Take the secrets out of a frame's text, whether it is whole JSON or not."""
    return _IN_SDP.sub(rf"\1{_HIDDEN}", _BY_KEY.sub(rf'\1"{_HIDDEN}"', text))


def show(arrow: str, raw: str | bytes) -> None:
    """Log a frame at DEBUG, redacted and cut to 4 000 characters. Costs nothing when that level is off."""
    if log.isEnabledFor(logging.DEBUG):
        text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
        log.debug("%s %s", arrow, redact(text)[:_SHOWN])
