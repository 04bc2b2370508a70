"""What an error says of a dial, how long to wait after it, and how it is told."""

from __future__ import annotations

import logging
from urllib.parse import quote

from ..errors import (
    ApiError,
    AuthError,
    BadArgument,
    CannotConnect,
    ConfigError,
    DecodeError,
    RateLimited,
    ServerError,
    SpendRefused,
    ZiwoError,
)
from .machine import Lost, NotPlaced
from .records import LONGEST_PAUSE, Callback

__all__ = ["masked", "not_dialled", "pause_after", "tell"]

_log = logging.getLogger("ziwo_async.callback")

_PAUSE = 10.0


def not_dialled(number: int, error: ZiwoError) -> NotPlaced | Lost:
    """Tell whether a dial was certainly not made, or may have been.

    Args:
        number: Which dial.
        error: What it ended with.
    """
    why = str(error)
    if isinstance(error, SpendRefused):
        if error.reason == "rate":
            return NotPlaced(number, "ours", why, pause_after(error))
        return NotPlaced(number, "contact", why)
    if isinstance(error, BadArgument):
        return NotPlaced(number, "contact", why)
    if isinstance(error, (CannotConnect, RateLimited, AuthError, ConfigError)):
        return NotPlaced(number, "ours", why, pause_after(error))
    # 408: a server in between lost patience, and does not know more than we.
    if isinstance(error, ApiError) and not isinstance(error, (ServerError, DecodeError)) and error.status != 408:
        return NotPlaced(number, "agent", why)
    return Lost(number, why)


def pause_after(error: ZiwoError) -> float:
    """Give the seconds to wait after an error: what the error asks for, within reason.

    Args:
        error: The error.
    """
    if isinstance(error, (SpendRefused, RateLimited)) and error.retry_after is not None:
        return min(max(error.retry_after, 1.0), LONGEST_PAUSE)
    return _PAUSE if error.retryable else LONGEST_PAUSE


def tell(it: Callback, error: ZiwoError) -> None:
    """Log an error. Wrong or missing credentials are for somebody to mend, and so more than a warning.

    Args:
        it: The callback.
        error: The error.
    """
    level = logging.ERROR if isinstance(error, (ConfigError, AuthError)) else logging.WARNING
    _log.log(level, "callback %s: %s", it.id, masked(it, str(error)))


def masked(it: Callback, text: str) -> str:
    """Take the visitor's number out of a text: it is personal, and logs go far.

    Args:
        it: The callback.
        text: The text.
    """
    return text.replace(quote(it.contact, safe=""), "(number)").replace(it.contact, "(number)")
