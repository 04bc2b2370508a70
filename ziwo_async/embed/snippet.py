"""How values get into a page, and stay values there."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping

from pydantic import JsonValue, SecretStr

from .checks import matching

__all__ = ["TokenInPage", "element", "literal", "nonce_attribute", "revealed", "warned", "word"]

_NONCE = re.compile(r"[A-Za-z0-9+/_-]{1,200}={0,2}")


class TokenInPage(UserWarning):
    """A snippet has an agent's token in it: whoever can read the page, or run a script on its site, is that agent."""


def literal(value: Mapping[str, JsonValue], indent: str = "") -> str:
    """Write a JavaScript literal that stays one inside a script element: ASCII, and no character of markup."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, indent=2).replace("\n", f"\n{indent}")
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def element(code: str, nonce: str | None) -> str:
    """Write a script element. The code has no `<`."""
    return f"<script{nonce_attribute(nonce)}>\n{code}</script>\n"


def nonce_attribute(nonce: str | None) -> str:
    """Write the attribute of a script element for the page's Content-Security-Policy, or nothing."""
    if nonce is None:
        return ""
    matching("nonce", nonce, _NONCE, "a nonce in base64")
    return f' nonce="{nonce}"'


def warned(token: SecretStr | None) -> str:
    """Warn the caller's caller when there is a token, and give a comment that warns who reads the page."""
    if token is None:
        return ""
    text = "the snippet has an agent's token in it: serve it to this agent alone, over https, and let nobody keep it"
    warnings.warn(text, TokenInPage, stacklevel=3)
    return "<!-- The token of one agent is in this page: it is for this agent alone. -->\n"


def revealed(secret: SecretStr | None) -> str | None:
    """Give what is in a secret, if there is one."""
    return None if secret is None else secret.get_secret_value()


def word(flag: bool) -> str:
    """Write a truth value as local storage keeps it."""
    return "true" if flag else "false"
