"""What may be kept of a frame in a recording: no secret, and on request no telephone number.

Secrets go by key (whatever contains `passw`, `token`, `sessid`, ...), inside session descriptions by attribute, and by
value: what was once seen under such a key is hidden wherever it turns up later. Call ids stay, since a replay needs
them. A session id becomes `[session-1]`, the next one `[session-2]`, so that a replay can still tell them apart.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NamedTuple, cast

from ..verto.frames import MAX_INBOUND
from .wire import HIDDEN, hide_in_sdp, is_list, redact

__all__ = ["Cleaned", "Cleaner"]

_SECRET = re.compile(r"passw|passphrase|pwd|secret|token|sess(ion)?id|apikey|authorization|credential|cookie|ufrag|"
                     r"fingerprint|clientaddress|freeswitch(hostname|switchname|ipv4|ipv6)")  # fmt: skip
_PUNCTUATION = re.compile(r"[^a-z0-9]")
_NUMBER_KEY = re.compile(r"phone|number|msisdn|mobile|caller|callee|customer|destination")
_IDS = frozenset({"callID", "replaceCallID", "verto_h_primaryCallID", "uuid", "reattached_sessions"})
# Not inside of a UUID or a word; %2B is a plus sign in headers.
_NUMBER = re.compile(r"(?:(?<![A-Za-z0-9_-])|(?<=%2B)|(?<=%2b))\+?\d{7,15}(?![A-Za-z0-9_-])")
_SPACED = re.compile(r"(?<![A-Za-z0-9_])\+?\d(?:[ ().\-/]{0,2}\d){6,14}(?![A-Za-z0-9_])")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# A shorter secret is hidden by its key only: it might stand in innocent words.
_SHORTEST = 8
_MOST_SECRETS = 1_000
_KEPT_OF_TOO_LARGE = 2_000


class Cleaned(NamedTuple):
    """A frame as it may be kept.

    Attributes:
        frame: The JSON object, when it is a plain one.
        raw: Else its text.
        size: Its length in bytes when only its beginning is kept, else 0.
    """

    frame: dict[str, Any] | None
    raw: str
    size: int = 0


class _Pairs(list[tuple[str, Any]]):
    """An object in which a key stands twice: FreeSWITCH sends such errors."""


class _Twice(ValueError):
    """A key stands twice."""


class Cleaner:
    """Takes secrets out of frames, and remembers them for the frames to come."""

    def __init__(self, *, mask_numbers: bool = False) -> None:
        """Make a cleaner that knows no secret yet.

        Args:
            mask_numbers: Whether telephone numbers are masked (`+9715****526`), and DTMF digits hidden.
        """
        self._mask = mask_numbers
        self._secrets: dict[str, str] = {}
        self._sessions: dict[str, str] = {}

    def frame(self, raw: str | bytes) -> Cleaned:
        """Clean one frame, as it is on the wire."""
        text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
        if len(raw) > MAX_INBOUND:
            return Cleaned(None, self._plain(text)[:_KEPT_OF_TOO_LARGE], len(raw))
        try:
            try:
                value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite)
            except _Twice:
                return Cleaned(None, _dump(self._clean(json.loads(text, object_pairs_hook=_Pairs), "")))
            if isinstance(value, dict):
                return Cleaned(cast("dict[str, Any]", self._clean(value, "")), "")
        except (ValueError, RecursionError):
            # No JSON, or none that everybody can read: kept as text.
            pass
        return Cleaned(None, self._plain(text))

    def text(self, text: str) -> str:
        """Clean a text that is no frame, such as the reason of a close frame."""
        text = hide_in_sdp(text)
        for secret, placeholder in self._secrets.items():
            if secret in text:
                text = text.replace(secret, placeholder)
        return _NUMBER.sub(_masked, text) if self._mask else text

    def _plain(self, text: str) -> str:
        return self.text(redact(text))

    def _clean(self, value: Any, key: str) -> Any:
        if isinstance(value, _Pairs):
            return _Pairs((self.text(name), self._member(name, item)) for name, item in value)
        if isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            return {self.text(name): self._member(name, item) for name, item in members.items()}
        if is_list(value):
            return [self._clean(item, key) for item in value]
        if isinstance(value, str):
            return self._string(value, key)
        if self._mask and type(value) is int and abs(value) >= 10**6 and _NUMBER_KEY.search(key.lower()):
            return _NUMBER.sub(_masked, str(value))
        return value

    def _member(self, name: str, value: Any) -> Any:
        if _SECRET.search(_PUNCTUATION.sub("", name.lower())) and value is not None and not isinstance(value, bool):
            return self._hide(name, value)
        return self._clean(value, name)

    def _hide(self, name: str, value: Any) -> str:
        secret = value if isinstance(value, str) else json.dumps(value)
        placeholder = HIDDEN
        if "sess" in name.lower():
            placeholder = self._sessions.setdefault(secret, f"[session-{len(self._sessions) + 1}]")
        new = isinstance(value, str) and value not in self._secrets and value != placeholder
        if new and len(value) >= _SHORTEST and len(self._secrets) < _MOST_SECRETS:
            self._secrets[value] = placeholder
            # The longest first: a secret may be the beginning of another one.
            self._secrets = dict(sorted(self._secrets.items(), key=lambda item: -len(item[0])))
        return placeholder

    def _string(self, value: str, key: str) -> str:
        if not self._mask or key == "sdp":
            return hide_in_sdp(self._known(value))
        if key == "dtmf":
            return "*" * len(value)
        if key in _IDS or _UUID.fullmatch(value):
            return self._known(value)
        value = self.text(value)
        return _SPACED.sub(_masked, value) if _NUMBER_KEY.search(key.lower()) else value

    def _known(self, value: str) -> str:
        for secret, placeholder in self._secrets.items():
            if secret in value:
                value = value.replace(secret, placeholder)
        return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Twice
    return made


def _no_number(name: str) -> None:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(digits)
    return number


def _dump(value: Any) -> str:
    if isinstance(value, _Pairs):
        return "{" + ",".join(f"{json.dumps(name)}:{_dump(item)}" for name, item in value) + "}"
    if is_list(value):
        return "[" + ",".join(_dump(item) for item in value) + "]"
    return json.dumps(value, allow_nan=False)


def _masked(found: re.Match[str]) -> str:
    number = found.group()
    return f"{number[:5]}****{number[-3:]}" if len(number) > 9 else f"{number[:2]}****{number[-1:]}"
