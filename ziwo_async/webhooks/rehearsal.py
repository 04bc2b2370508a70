"""Whether a handler is only tried out, as `ziwo trackers try` and `replay` do: then nothing is counted."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["is_rehearsal", "rehearsal"]

_rehearsal: ContextVar[bool] = ContextVar("ziwo_async_rehearsal", default=False)


def is_rehearsal() -> bool:
    """Whether the handler that asks is only tried out: there is no call.

    `CampaignNumbers` counts nothing then. Ask it before your handler writes, sends or rings something.
    """
    return _rehearsal.get()


@contextmanager
def rehearsal() -> Generator[None]:
    """Try handlers out: `is_rehearsal()` is true for `TrackerService.decide` inside, in its tasks and threads too."""
    token = _rehearsal.set(True)
    try:
        yield
    finally:
        _rehearsal.reset(token)
