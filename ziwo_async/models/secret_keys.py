"""What counts as a secret in open data: told by the name under which it stands."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from pydantic import JsonValue

__all__ = ["HIDDEN", "hide_secrets", "is_secret", "secrets_in"]

HIDDEN = "**********"
_NAMES = frozenset({
    "accesstoken",
    "apikey",
    "ccpassword",
    "currentpassword",
    "devicetoken",
    "endrequestapikey",
    "passwd",
    "password",
    "sessid",
    "startrequestapikey",
})  # fmt: skip


@lru_cache(maxsize=4096)
def is_secret(key: str) -> bool:
    """Whether what stands under this name is a secret, in any spelling (`ccPassword`, `access_token`, `Api-Key`).

    Args:
        key: The name.
    """
    return key.lower().replace("_", "").replace("-", "") in _NAMES


def hide_secrets(value: JsonValue) -> JsonValue:
    """Replace every secret in open data (live calls carry the agent's `ccPassword`; source: Android SDK).

    Args:
        value: The data; it is not changed.
    """
    if isinstance(value, dict):
        return {
            key: item
            if item is None
            else HIDDEN
            if is_secret(key)
            else hide_secrets(item)
            if isinstance(item, (dict, list))
            else item
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [hide_secrets(item) if isinstance(item, (dict, list)) else item for item in value]
    return value


def secrets_in(value: JsonValue) -> Iterator[str]:
    """Give every secret text in open data.

    Args:
        value: The data.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str) and is_secret(key):
                yield item
            else:
                yield from secrets_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from secrets_in(item)
