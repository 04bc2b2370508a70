"""The numbers (DIDs) of a contact centre."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SimNumber"]


@dataclass(slots=True, kw_only=True)
class SimNumber:
    """A number that customers dial.

    Attributes:
        id: Its number in the directory.
        did: The number itself.
        display: How it is shown.
        link_type: What a call to it reaches: `queue`, `callTracker`, ...
        link_name: Name of the thing it is linked to.
        created_at: Seconds since the epoch.
    """

    id: int
    did: str
    display: str
    link_type: str
    link_name: str
    created_at: float
