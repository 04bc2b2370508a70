"""People: everybody who can log in."""

from __future__ import annotations

from typing import ClassVar

from pydantic import SecretStr

from .base import Model, Open, Utc

__all__ = ["User"]


class User(Model):
    """Somebody who can log in (sources: Android SDK, official web client, integrators).

    Which fields a record has depends on the list it comes from; no field but `id` is certain.

    Attributes:
        id: The user's number.
        first_name: Given name.
        last_name: Family name.
        username: E-mail address.
        status: Status of the account (`active`), not the presence.
        type: `agent` or `admin`.
        photo: Hash of the photo, for `ziwo.static.storage`.
        role_id: Number of the role.
        role: The role with its permissions; open data.
        contact_number: The user's own phone number, as given.
        cc_login: The agent's number, such as `0011`; None for those who take no calls. Leading zeros matter.
        cc_password: Secret from which the phone's password is made, where the server tells it.
        profile_type: `users`.
        language_code: ISO language.
        country_code: ISO country.
        plan: Open data; seen in admins' lists only.
        internal: Seen in admins' lists only.
        last_login_at: Last login.
        created_at: Creation of the record.
        updated_at: Last change of the record.
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
    contact_number: str | None = None
    cc_login: str | None = None
    cc_password: SecretStr | None = None
    profile_type: str | None = None
    language_code: str | None = None
    country_code: str | None = None
    plan: Open = None
    internal: bool | None = None
    last_login_at: Utc = None
    created_at: Utc = None
    updated_at: Utc = None

    @property
    def full_name(self) -> str:
        """Given name and family name, as far as they are known."""
        return " ".join(name for name in (self.first_name, self.last_name) if name)
