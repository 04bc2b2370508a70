"""What may be shown of a frame: secrets are taken out before a frame reaches a log.

By key (`passwd`, `sessid`, tokens), and inside session descriptions by attribute (`ice-pwd`, `ice-ufrag`, ...).
`cleaner.py` does the same for recordings, more strictly.
"""

from __future__ import annotations

import logging
import re
from typing import Any, TypeGuard, cast

from ..events import UnknownFrame

__all__ = ["HIDDEN", "hide_in_sdp", "is_list", "log", "redact", "redacted", "show"]

log = logging.getLogger("ziwo_async.wire")

HIDDEN = "[hidden]"
_KEYS = ("passwd", "password", "sessid", "access_token", "token", "api_key", "ccpassword", "authorization")
_BY_KEY = re.compile(rf'("(?:{"|".join(_KEYS)})"\s*:\s*)"(?:[^"\\]|\\.)*"?', re.IGNORECASE)
_IN_SDP = re.compile(r"(a=(?:ice-pwd|ice-ufrag|crypto|fingerprint):)[^\\\r\n\"]+")
_IN_CANDIDATE = re.compile(r"(candidate:[^\\\r\n\"]*? ufrag )[^\s\\\"]+")
_SHOWN = 4_000


def redact(text: str) -> str:
    """Take the secrets out of a frame's text, whether it is whole JSON or not."""
    return hide_in_sdp(_BY_KEY.sub(rf'\1"{HIDDEN}"', text))


def hide_in_sdp(text: str) -> str:
    """Take out what would let others into the media: ICE credentials, SDES keys, certificate fingerprints."""
    return _IN_CANDIDATE.sub(rf"\1{HIDDEN}", _IN_SDP.sub(rf"\1{HIDDEN}", text))


def redacted(event: UnknownFrame) -> UnknownFrame:
    """Take the secrets out of a frame that we do not know: events are printed and sent on."""
    return event.model_copy(update={"params": _without(event.params), "text": redact(event.text)})


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {key: HIDDEN if key.lower() in _KEYS else _without(item) for key, item in items}
    if is_list(value):
        return [_without(item) for item in value]
    return redact(value) if isinstance(value, str) else value


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether it is a list, of whatever."""
    return isinstance(value, list)


def show(arrow: str, raw: str | bytes) -> None:
    """Log a frame at DEBUG, redacted and cut to 4 000 characters. Costs nothing when that level is off."""
    if log.isEnabledFor(logging.DEBUG):
        text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
        log.debug("%s %s", arrow, redact(text)[:_SHOWN])
