"""The address of a customer's record in a CRM: from a number that is no more than a number, and safe to open."""

from __future__ import annotations

import inspect
import unicodedata
from collections.abc import Awaitable, Callable
from typing import TypeAlias
from urllib.parse import urlsplit

from ..errors import BadArgument, ConfigError
from ..telephone import digits, same_number, to_e164

__all__ = ["UrlFor", "plain_number", "record_url", "safe_url"]

UrlFor: TypeAlias = Callable[[str], str | Awaitable[str | None] | None]
"""Gives the address of the record of a customer's number, or None where there is none. May be async."""

_LONGEST = 2048
_SHORTEST_ABROAD = 7


def plain_number(number: str, *, region: str | None = None) -> str:
    """Write a number with `+` and digits alone, international where that is possible.

    With the extra `numbers` it is E.164, where it is a telephone number whose country is known. Otherwise its digits
    are left, after a `+` where it named its country.

    Args:
        number: The number, in any spelling.
        region: ISO code of two letters: the country of numbers that do not name theirs. Needs the extra `numbers`.

    Returns:
        The number; empty when there are no digits in it, as for callers who hide theirs.

    Raises:
        BadArgument: There is no such region.
    """
    same_number("", "", region=region)  # refuses a region that does not exist, whatever the number is
    try:
        return to_e164(number, region)
    except (BadArgument, ConfigError):
        bare, start = digits(number), number.lstrip()
        # `0011` is an agent, not the number 11 of another country.
        if bare and (start.startswith("+") or (start.startswith("00") and len(bare) >= _SHORTEST_ABROAD)):
            return f"+{bare}"
        return "".join(str(unicodedata.decimal(c)) for c in number if c.isdecimal())


def safe_url(url: str) -> str:
    """Refuse an address that a page must not open.

    Args:
        url: What is to be opened.

    Returns:
        The same.

    Raises:
        BadArgument: It is not http or https (`javascript:`, `data:`), names no host, has a password in it, or
            characters that have no place in an address: browsers drop line breaks and tabs, and read what is left.
    """
    if not url.isascii() or not url.isprintable() or len(url) > _LONGEST or any(c in url for c in ' \\"<>`'):
        raise BadArgument("the address of a record must be printable ASCII, without spaces: quote what is put into it")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadArgument("the address of a record is no address") from None
    del port  # only read, because reading it checks it
    if parts.scheme not in {"http", "https"} or not host:
        raise BadArgument(f"the address of a record must be http or https and name a host, not {parts.scheme[:20]!r}")
    if parts.username is not None or parts.password is not None:
        raise BadArgument("the address of a record must not have a user or a password in it")
    return url


async def record_url(url_for: UrlFor, number: str, *, region: str | None = None) -> str | None:
    """Ask for the record of a customer, safely: the number is normalised, the address is checked.

    Args:
        url_for: Gives the address; it may be async.
        number: The customer's number, as the event has it.
        region: As for `plain_number`.

    Returns:
        The address; None when the customer hides the number, or `url_for` knows no record.

    Raises:
        BadArgument: The address is not safe to open, or no text.
    """
    plain = plain_number(number, region=region)
    if not plain:
        return None
    found = url_for(plain)
    if inspect.isawaitable(found):
        found = await found
    if found is None:
        return None
    if not isinstance(found, str):
        raise BadArgument(f"the address of a record must be a text, not {type(found).__name__}")
    return safe_url(found)
