"""The user that is logged in."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr

from .base import Model, Open, Utc

__all__ = ["Profile"]


class Profile(Model):
    """The user that is logged in (content of `GET /profile` and of the login).

    Source: official web client (User, UserInfo) and Android SDK (login content). No field but `id` is certain to be
    there.

    Attributes:
        id: The user's number.
        first_name: Given name.
        last_name: Family name.
        username: E-mail address.
        status: Status of the account (`active`), not the presence.
        type: `agent` or `admin`.
        photo: Hash of the photo file, served under `/storage/`.
        role_id: Number of the role.
        role: The role with its permissions; open data.
        roles: More of the same; open data.
        last_login_at: Last login.
        created_at: Creation of the record.
        updated_at: Last change of the record.
        contact_number: The user's own phone number.
        profile_type: `users`.
        cc_login: The agent's number, such as `0011`. A string, because leading zeros matter.
        cc_password: Secret from which the phone's password is made.
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
        language_code: ISO language.
        country_code: ISO country.
        plan: Seen in admin listings only.
        internal: Seen in admin listings only.
    """

    firm: ClassVar[frozenset[str]] = frozenset({"ccLogin", "ccPassword"})

    id: int
    first_name: str | None = None
    last_name: str | None = None
    username: str | None = None
    status: str | None = None
    type: str | None = None
    photo: str | None = None
    role_id: int | None = None
    role: Open = None
    roles: Open = None
    last_login_at: Utc = None
    created_at: Utc = None
    updated_at: Utc = None
    contact_number: str | None = None
    profile_type: str | None = None
    cc_login: str | None = None
    cc_password: SecretStr | None = None
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
    language_code: str | None = None
    country_code: str | None = None
    plan: Open = None
    internal: bool | None = None
