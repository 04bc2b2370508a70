"""The user that is logged in."""

from __future__ import annotations

from pydantic import Field, SecretStr

from .base import Open
from .user import User

__all__ = ["Profile"]


class Profile(User):
    """The user that is logged in (content of `GET /profile` and of the login): a `User`, and what only they see.

    Source: official web client (User, UserInfo) and Android SDK (login content). No field but `id` is certain to be
    there.

    Attributes:
        roles: More of what `role` tells; open data.
        access_token: Only in the answer of a login; this package takes it out.
        live_info: Presence: status, state, position; open data.
        live_calls: Calls of this moment; open data.
        wrap_up_time: Seconds between two calls.
        no_answer_timeout: Seconds of ringing.
        no_answer_delay_time: Seconds after an unanswered call; type not known for certain.
        roaming_timeout: Seconds of ringing on the roaming number.
        roaming_contact_number: Number that is rung while roaming.
        outbound_roaming: Whether outbound calls use the roaming number.
        auto_answer: Whether the web phone answers by itself.
    """

    roles: Open = None
    access_token: SecretStr | None = Field(default=None, alias="access_token")
    live_info: Open = None
    live_calls: Open = None
    wrap_up_time: int | None = None
    no_answer_timeout: int | None = None
    no_answer_delay_time: Open = None
    roaming_timeout: int | None = None
    roaming_contact_number: str | None = None
    outbound_roaming: bool | None = None
    auto_answer: bool | None = None
