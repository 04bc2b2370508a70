"""Queues: where callers wait for an agent."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, JsonValue

from ..envelope import as_list
from .agent import Agent
from .base import Model, Open, Utc

__all__ = ["Queue"]


def _rows(value: JsonValue) -> object:
    rows = None if value is None else as_list(value)
    return value if rows is None else rows


class Queue(Model):
    """A queue (sources: official web client, Android SDK).

    Attributes:
        id: The queue's number.
        name: Its name; a telephone number is linked to the queue by it (`Number.link_data`).
        extension: The number under which it is called from inside.
        agents: Who serves it, in the lists that tell it.
        status: Status of the record, such as `active`.
        priority: Its weight against other queues.
        strategy_type: How the next agent is chosen.
        max_wait_time: How long callers wait at most; the unit is not documented.
        language: Language of the announcements.
        moh: Music on hold.
        image: Hash of its picture, for `ziwo.static.storage`.
        caller_id_number: The number shown to those whom its agents call.
        announcement_type: Open data.
        enable_cookies: A setting; its meaning is not documented.
        survey_required: Whether callers are asked for their opinion.
        timeslots: Working hours; here a text, at numbers a list.
        non_working_hours_did: Where calls go outside of them.
        wait_timeout_did: Where those go that waited too long.
        urgent_message: Open data.
        created_at: Creation of the record.
        updated_at: Last change of the record.
        deleted_at: Its deletion.
    """

    id: int
    name: str | None = None
    extension: str | None = None
    agents: Annotated[tuple[Agent, ...] | None, BeforeValidator(_rows)] = None
    status: str | None = None
    priority: int | None = None
    strategy_type: str | None = None
    max_wait_time: int | None = None
    language: str | None = None
    moh: str | None = None
    image: str | None = None
    caller_id_number: str | None = Field(default=None, alias="callerIDNumber")
    announcement_type: Open = None
    enable_cookies: bool | None = None
    survey_required: bool | None = None
    timeslots: str | None = None
    non_working_hours_did: str | None = Field(default=None, alias="nonWorkingHoursDID")
    wait_timeout_did: str | None = Field(default=None, alias="waitTimeoutDID")
    urgent_message: Open = None
    created_at: Utc = None
    updated_at: Utc = None
    deleted_at: Utc = None
