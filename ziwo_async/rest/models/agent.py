"""Agents: the users who take calls."""

from __future__ import annotations

from .status import Presence
from .user import User

__all__ = ["Agent"]


class Agent(User):
    """A user who takes calls (sources: Android SDK, official web client, integrators).

    Attributes:
        live_info: The presence, in the lists that have it.
        wrap_up_time: Seconds between two calls.
        no_answer_timeout: Seconds of ringing.
        roaming_timeout: Seconds of ringing on the roaming number.
        roaming_contact_number: Number that is rung while roaming.
        outbound_roaming: Whether outbound calls use the roaming number.
        auto_answer: Whether the web phone answers by itself.
    """

    live_info: Presence = None
    wrap_up_time: int | None = None
    no_answer_timeout: int | None = None
    roaming_timeout: int | None = None
    roaming_contact_number: str | None = None
    outbound_roaming: bool | None = None
    auto_answer: bool | None = None
