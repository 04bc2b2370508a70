"""What counts as a secret in open data: told by the name under which it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from pydantic import JsonValue

__all__ = ["HIDDEN", "hide_secrets", "is_secret", "secrets_in"]

HIDDEN = "**********"
_ENDINGS = (
    "apikey",
    "authorization",
    "credential",
    "credentials",
    "passphrase",
    "passwd",
    "password",
    "secret",
    "sessid",
    "sessionid",
    "signedurl",
    "token",
)
_MAY_HAVE_SECRETS = (dict, list, str)
_USER_INFO = re.compile(r"(?<=//)[^\s/?#]*@")
_PAIR = re.compile(r"(?<=[?&;#])([^\s=&;#?]{1,64})=([^\s&#;]+(?:;(?![^\s=&;#?]+=)[^\s&#;]*)*)")
# How storages call what signs an address; it opens the file to whoever has it.
_SIGNS = frozenset({"signature", "sig", "xamzsignature", "xgoogsignature"})


@lru_cache(maxsize=4096)
def is_secret(key: str) -> bool:
    """Whether what stands under this name is a secret, in any spelling (`ccPassword`, `access_token`, `Api-Key`).

    Told by how the name ends: a server has more tokens and passwords than anybody lists.

    Args:
        key: The name.
    """
    return _letters(key).endswith(_ENDINGS)


def hide_secrets(value: JsonValue) -> JsonValue:
    """Replace every secret in open data (live calls carry the agent's `ccPassword`; source: Android SDK).

    A flag (`needsPassword`) is none. Of an address, user, password and what signs it are replaced.

    Args:
        value: The data; it is not changed.
    """
    if isinstance(value, dict):
        return {
            key: item
            if item is None or item is True or item is False
            else HIDDEN
            if is_secret(key)
            else hide_secrets(item)
            if isinstance(item, _MAY_HAVE_SECRETS)
            else item
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [hide_secrets(item) if isinstance(item, _MAY_HAVE_SECRETS) else item for item in value]
    if isinstance(value, str) and ("//" in value or "=" in value):
        return _without_credentials(value)
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


def _letters(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "")


def _without_credentials(text: str) -> str:
    return _PAIR.sub(_hidden_pair, _USER_INFO.sub("***@", text))


def _hidden_pair(pair: re.Match[str]) -> str:
    name = pair[1]
    return f"{name}=***" if is_secret(name) or _letters(name) in _SIGNS else pair[0]
