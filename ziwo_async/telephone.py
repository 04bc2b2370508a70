"""Telephone numbers: are these two the same?

Everywhere else in this package a number is kept as it was given, and ZIWO gives the same one in many spellings:
`+971 50 123 4567`, `00971501234567`, `971501234567`, `0501234567`. With the extra `numbers`
(`pip install "ziwo_async[numbers]"`) they are read by the rules of their country. Without it, and where the country is
not known, two numbers are the same when their last nine digits are (source: integrators); two that both name their
country have to be the same as a whole.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from importlib.util import find_spec

from .errors import BadArgument, ConfigError

__all__ = ["digits", "number_key", "same_number", "to_e164"]

_FEWEST, _MOST = 7, 17
"""How many digits a telephone number has: fewer are an extension, an agent or a service, more are two numbers."""
_TELLING = 9
"""So many last digits make two numbers the same, when nothing more is known."""
_KEY = 4
"""So many last digits no way of writing a number changes: what stands before them may be a prefix of its country."""
_OTHER_MARKS = frozenset("*#@,;:=&%")
"""What telephone numbers have not: service codes, addresses, pauses before an extension."""
_NOISE = re.compile("[^0-9+]")
_INTERNATIONAL = re.compile(r"\A(?:\++(?:00)?|00(?=[1-9]))")


def digits(number: str) -> str:
    """Give the digits of a number, in ASCII, without the international prefix `+` or `00`.

    Spaces and punctuation go too, and so does the `(0)` of `+971 (0)50 123 4567`. A number that is dialled inside its
    country keeps its leading zero.

    Args:
        number: The number, in any spelling.
    """
    return _split(number)[1]


def same_number(a: str, b: str, *, region: str | None = None) -> bool:
    """Whether two texts are the same telephone number.

    What is no telephone number is only the same as itself: an agent (`agent-0011`, `0011`), another short number, a
    service code (`*97`), a name. Nothing is the same as an empty text: two callers who hide their numbers need not be
    one.

    Args:
        a: One number, in any spelling.
        b: The other one.
        region: ISO code of two letters: the country of numbers that do not name theirs. It counts only with the extra
            `numbers`.

    Raises:
        BadArgument: There is no such region.
    """
    home = _checked(region)
    if not _is_number(a) or not _is_number(b):
        return a.strip() == b.strip() != ""
    one, other = _international(a, home), _international(b, home)
    if one is not None and other is not None:
        return one == other
    return digits(a)[-_TELLING:] == digits(b)[-_TELLING:]


def number_key(number: str) -> str:
    """Give what all spellings of a number have in common, to find it in a table; the numbers found are then compared.

    Where `same_number` is true, the keys are equal. Many numbers have the same key.

    Args:
        number: The number, in any spelling.
    """
    return digits(number)[-_KEY:] if _is_number(number) else number.strip()


def to_e164(number: str, region: str | None = None) -> str:
    """Write a number the one international way, such as `+971501234567`. Needs the extra `numbers`.

    Args:
        number: The number, in any spelling.
        region: ISO code of two letters: the country of a number that does not name its own.

    Raises:
        ConfigError: The extra is not installed.
        BadArgument: It is no telephone number, or its country is not known.
    """
    if not _has_rules():
        raise ConfigError('to_e164 needs the extra "numbers": pip install "ziwo_async[numbers]"')
    home = _checked(region)
    found = _parsed(number, home) if _is_number(number) else None
    if found is None:
        hint = "" if home is not None or _split(number)[0] else "; is it a national one? Then its region is needed"
        raise BadArgument(f"{number[:40]!r} is no telephone number that can be written internationally{hint}")
    return found


def _split(number: str) -> tuple[bool, str]:
    """Whether a number names its country (`+` or `00`), and its digits without that."""
    text = "".join(str(unicodedata.decimal(c, c)) for c in unicodedata.normalize("NFKC", number))
    bare = _NOISE.sub("", text)
    if _INTERNATIONAL.match(bare) is None:
        return False, bare.replace("+", "")
    bare = _NOISE.sub("", text.replace("(0)", ""))
    return True, _INTERNATIONAL.sub("", bare).replace("+", "")


def _is_number(text: str) -> bool:
    if any(c.isalpha() or c in _OTHER_MARKS for c in text):
        return False
    return _FEWEST <= len(digits(text)) <= _MOST


def _international(number: str, home: str | None) -> str | None:
    """One spelling for all that are the same number; None when the country is not known."""
    found = _parsed(number, home) if _has_rules() else None
    if found is None:
        named, bare = _split(number)
        return f"+{bare}" if named else None
    return found


@lru_cache(maxsize=4096)  # tables compare the same numbers again and again, and parsing takes a tenth of a millisecond
def _parsed(number: str, home: str | None) -> str | None:
    import phonenumbers

    named, bare = _split(number)
    try:
        parsed = phonenumbers.parse(f"+{bare}" if named else bare, home)
    except phonenumbers.NumberParseException:
        return None
    # Strictly: what is only possible inside a town has no international form.
    if phonenumbers.is_possible_number_with_reason(parsed) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _checked(region: str | None) -> str | None:
    if region is None:
        return None
    code = region.upper()
    if not re.fullmatch("[A-Z]{2}", code) or not _is_region(code):
        raise BadArgument(f"{region[:40]!r} is no region: ISO codes of two letters are, such as AE")
    return code


def _is_region(code: str) -> bool:
    if not _has_rules():
        return True
    import phonenumbers

    return code in phonenumbers.SUPPORTED_REGIONS


@cache
def _has_rules() -> bool:
    return find_spec("phonenumbers") is not None
