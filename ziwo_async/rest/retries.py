"""How this package tries again: stamina, with the program's own policy."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, Callable
from typing import TypeAlias

import stamina

from ..config import RetryPolicy

__all__ = ["attempts"]

# stamina logs every retry as a warning; without a handler Python would print a bare "stamina.retry_scheduled" on stderr
# of a program that has set up no logging. Where logging is set up, this changes nothing.
logging.getLogger("stamina").addHandler(logging.NullHandler())

_On: TypeAlias = type[Exception] | Callable[[Exception], bool | float]


def attempts(on: _On, retry: RetryPolicy) -> AsyncIterable[stamina.Attempt]:
    """Give one attempt after the other, with the pauses between them; each is a context manager around the work.

    Args:
        on: The class of errors after which it is tried again, or a function that tells.
        retry: How often, and how long the pauses are.
    """
    return stamina.retry_context(
        on=on,
        attempts=retry.attempts,
        timeout=None,
        wait_initial=retry.base,
        wait_max=retry.cap,
        wait_jitter=retry.base,
    )
