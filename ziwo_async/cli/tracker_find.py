"""A call tracker as a user names it."""

from __future__ import annotations

from .. import BadArgument, CallTracker, ZiwoClient
from .running import is_number

__all__ = ["find_tracker"]


async def find_tracker(ziwo: ZiwoClient, id_or_name: str) -> CallTracker:
    """Find a tracker by its number or, where ZIWO takes only that, by its exact name.

    Raises:
        BadArgument: There is none of this name.
        NotFound: There is none of this number.
    """
    if is_number(id_or_name):
        return await ziwo.trackers.get(int(id_or_name))
    async for tracker in ziwo.trackers.list(search=id_or_name):
        if tracker.name == id_or_name:
            return tracker
    raise BadArgument(f"there is no call tracker {id_or_name!r}: see `ziwo trackers list`")
