"""Who may call a hook: ZIWO sends a key in a header, and nothing is signed (source: ZIWO docs)."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256

from pydantic import SecretStr

from ..errors import ConfigError

__all__ = ["Guard"]

_SHORTEST = 16


class Guard:
    """Knows the keys as digests alone, so that neither a repr nor a frame of an error can show one."""

    def __init__(self, keys: Sequence[str | SecretStr], *, insecure: bool) -> None:
        """Take the keys.

        Args:
            keys: The keys, each of which is enough.
            insecure: Whether there may be none, or short ones.

        Raises:
            ConfigError: There is none, or one is too short or cannot be sent in a header.
        """
        if isinstance(keys, (str, bytes, SecretStr)):
            raise ConfigError("keys is a list of keys, such as keys=[key]")
        self._digests = tuple(_digest_of(key, insecure) for key in keys)
        if not self._digests and not insecure:
            raise ConfigError(
                "a hook without a key can be called by anybody: give keys=[...], the same as in ZIWO's tracker, "
                "or say insecure=True"
            )

    def __repr__(self) -> str:
        return f"<Guard with {len(self._digests)} keys>"

    def lets_in(self, given: Sequence[bytes]) -> bool:
        """Whether a request has one of the keys, in exactly one `X-API-Key`.

        The time it takes tells nothing about a key: digests of equal length are compared, and all of them.

        Args:
            given: The values of all its headers of this name, as they came.
        """
        if not self._digests:
            return True
        digest = sha256(given[0] if len(given) == 1 else b"").digest()
        right = 0
        for known in self._digests:
            right |= hmac.compare_digest(digest, known)
        return bool(right)


def _digest_of(key: object, insecure: bool) -> bytes:
    text = key.get_secret_value() if isinstance(key, SecretStr) else key
    if not isinstance(text, str) or not text:
        raise ConfigError("a key of a hook is empty, or no text")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigError("a key of a hook is made of ASCII letters, digits and signs, without spaces")
    if len(text) < _SHORTEST and not insecure:
        raise ConfigError(f"a key of a hook has at least {_SHORTEST} characters; secrets.token_urlsafe(32) makes one")
    return sha256(text.encode()).digest()
