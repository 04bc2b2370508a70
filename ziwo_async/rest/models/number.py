"""The contact centre's own telephone numbers (DIDs)."""

from __future__ import annotations

from ...events import OpenEnum
from .base import Model, Open, Utc

__all__ = ["LinkType", "Number", "NumberStorage"]


class LinkType(OpenEnum):
    """What a number leads to (sources: ZIWO docs, ZIWO's Verto tutorial). There are other words."""

    QUEUE = "queue"
    CALL_TRACKER = "callTracker"


class NumberStorage(Model):
    """The sound file of a number (source: official web client).

    Attributes:
        original_name: Name of the file that was uploaded.
        category: What it is for.
    """

    original_name: str | None = None
    category: str | None = None


class Number(Model):
    """A telephone number of the contact centre (sources: official web client, integrators). Numbers are as given.

    Attributes:
        id: The record's number.
        did: The number.
        did_called: The number as callers' networks send it.
        did_display: The number as it is shown.
        link_type: What kind of thing it leads to.
        link_data: Name of that thing, such as `Queue.name`.
        status: Status of the record, such as `active`.
        type: Kind of number; the words are not documented.
        timeslots: Working hours; open data (a list).
        beyond_timeslots_link_type: What kind of thing it leads to outside of them.
        beyond_timeslots_link_data: Name of that thing; open data.
        urgent_message: Open data.
        storage: Its sound file.
        created_at: Creation of the record.
        updated_at: Last change of the record.
        deleted_at: Its deletion.
    """

    id: int
    did: str | None = None
    did_called: str | None = None
    did_display: str | None = None
    link_type: LinkType | None = None
    link_data: str | None = None
    status: str | None = None
    type: str | None = None
    timeslots: Open = None
    beyond_timeslots_link_type: LinkType | None = None
    beyond_timeslots_link_data: Open = None
    urgent_message: Open = None
    storage: NumberStorage | None = None
    created_at: Utc = None
    updated_at: Utc = None
    deleted_at: Utc = None
