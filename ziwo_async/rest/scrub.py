"""Takes secrets out of texts of a server, which like to repeat what they were given, in whatever encoding."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from html.entities import codepoint2name
from itertools import groupby
from typing import TypeAlias

from pydantic import JsonValue

__all__ = ["Scrub", "scrub", "scrub_data"]

Scrub: TypeAlias = Callable[[str], str]
"""Takes secrets out of a text, which must be whole: a secret that was cut, or whose spaces were, is not found."""

_PLAIN = re.compile(r"[A-Za-z0-9\-._~]*")  # what no encoding changes
_SHOWN = "***"


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Replace secrets in a text: as they are, percent-encoded, and escaped for HTML or JSON.

    Args:
        text: The text, whole.
        secrets: What must not be in it; empty ones are skipped.
    """
    # The longest first: one may be a part of another.
    for secret in sorted({secret.strip() or secret for secret in secrets}, key=len, reverse=True):
        if secret:
            plain = _PLAIN.fullmatch(secret) is not None
            text = text.replace(secret, _SHOWN) if plain else _any_encoding(secret).sub(_SHOWN, text)
    return text


def scrub_data(value: JsonValue, clean: Scrub) -> JsonValue:
    """Take secrets out of every text in open data.

    Args:
        value: The data; it is not changed.
        clean: What takes them out of one text.
    """
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [scrub_data(item, clean) for item in value]
    if isinstance(value, dict):
        return {clean(key): scrub_data(item, clean) for key, item in value.items()}
    return value


@lru_cache(maxsize=64)
def _any_encoding(secret: str) -> re.Pattern[str]:
    found: list[str] = []
    for spaces, run in groupby(secret, str.isspace):
        ways = [_one_of(char) for char in run]
        # Spaces may have been made fewer.
        found += [f"(?:{'|'.join(dict.fromkeys(ways))}){{1,16}}"] if spaces else ways
    return re.compile("".join(found))


def _one_of(char: str) -> str:
    """Give a pattern for all the ways in which one character may be written."""
    if _PLAIN.fullmatch(char):
        return char
    code = ord(char)
    escaped = json.dumps(char)[1:-1]
    utf16 = char.encode("utf-16-be", "surrogatepass")
    ways = {
        re.escape(char),
        re.escape(escaped),
        re.escape(json.dumps(escaped)[1:-1]),
        "(?i:" + "".join(rf"\\u{utf16[at : at + 2].hex()}" for at in range(0, len(utf16), 2)) + ")",
        "(?i:" + "".join(f"%{byte:02x}" for byte in char.encode("utf-8", "surrogatepass")) + ")",
        f"(?i:&#0{{0,8}}{code};?|&#x0{{0,8}}{code:x};?)",
    }
    if code in codepoint2name:
        ways.add(f"&{codepoint2name[code]};?")
    if char in "/'":
        ways.add(rf"\\{char}")
    if char.isspace():
        ways |= {r"\s", r"\+"}
    # The longest first, so that `\"` is taken whole.
    return "(?:" + "|".join(sorted(ways, key=len, reverse=True)) + ")"
