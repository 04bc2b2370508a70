"""What may be given: each check raises `BadArgument`, before anything is made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pydantic import SecretStr

from ..config import normalise_instance
from ..errors import BadArgument

__all__ = [
    "check_flags",
    "check_token",
    "contact_center_name",
    "country",
    "matching",
    "number",
    "one_of",
    "several",
    "text_of",
    "whole",
]

_LONGEST_TOKEN = 16_384
_NUMBER = re.compile(r"\+?[0-9]{1,20}")
_COUNTRY = re.compile(r"[A-Za-z]{2}")


def contact_center_name(name: object) -> str:
    """Give the bare name of a contact centre. Raises `InvalidInstanceName`, too."""
    return normalise_instance(text_of("contact_center", name))


def check_token(token: object, embed: object, contact_center: str | None) -> None:
    """Refuse a token that is none, that nobody asked to embed, or whose contact centre is not known."""
    check_flags(embed_token=embed)
    if token is None:
        if embed:
            raise BadArgument("embed_token needs the token that is to be embedded")
        return
    if not isinstance(token, SecretStr):
        raise BadArgument("token is a SecretStr, so that nothing shows it by accident")
    text = token.get_secret_value()
    if not text or len(text) > _LONGEST_TOKEN or not text.isascii() or not text.isprintable() or " " in text:
        raise BadArgument("token is no access token: empty, too long, or with characters that none has")
    if not embed:
        raise BadArgument(
            "a token in a page is readable by whoever gets the page, and by every script on its site;"
            " if you want that, say embed_token=True"
        )
    if contact_center is None:
        raise BadArgument("a token needs contact_center: it is valid in one contact centre")


def text_of(what: str, value: object) -> str:
    """Give a text."""
    if not isinstance(value, str):
        raise BadArgument(f"{what} is a text, not {_shown(value)}")
    return value


def one_of(what: str, value: object, words: Sequence[str]) -> None:
    """Refuse what is none of these words."""
    if value not in words:
        raise BadArgument(f"{what}: {_shown(value)} is none of {', '.join(words)}")


def matching(what: str, value: object, shape: re.Pattern[str], name: str) -> None:
    """Refuse what has not this shape."""
    if not isinstance(value, str) or shape.fullmatch(value) is None:
        raise BadArgument(f"{what}: {_shown(value)} is not {name}")


def number(what: str, value: object) -> None:
    """Refuse what is neither a telephone number nor a ccLogin, in digits."""
    matching(what, value, _NUMBER, "a number in digits, with or without a leading +")


def country(what: str, value: object) -> str:
    """Give a code of two letters."""
    matching(what, value, _COUNTRY, "a country in two letters, such as AE")
    return str(value)


def several(what: str, value: Iterable[str]) -> tuple[str, ...]:
    """Give a list that nobody else can change; a single text is none."""
    given: object = value
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise BadArgument(f"{what} is a list of texts, not {_shown(given)}")
    return tuple(value)


def whole(what: str, value: object, least: int, most: int) -> None:
    """Refuse what is neither None nor a whole number between these."""
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise BadArgument(f"{what} is a whole number from {least} to {most}")


def check_flags(**flags: object) -> None:
    """Refuse what is neither True nor False."""
    for what, value in flags.items():
        if not isinstance(value, bool):
            raise BadArgument(f"{what} is True or False, not {_shown(value)}")


def _shown(value: object) -> str:
    return repr(value[:80]) if isinstance(value, str) else type(value).__name__
