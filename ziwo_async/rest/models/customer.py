"""The customer data base (CDB): what is found in it, and the four entities it is made of."""

from __future__ import annotations

from .base import Model, Open, Utc

__all__ = ["Customer", "CustomerAddress", "CustomerNumber", "CustomerProfile", "CustomerSocialAccount"]


class Customer(Model):
    """A customer, as agents find it (source: Android SDK).

    Attributes:
        id: Identifier, a text.
        first_name: Given name.
        last_name: Family name.
        title: How to address them.
        gender: As given.
        phone: Phone number, as given.
        email: E-mail address.
        dob: Date of birth, as given.
        has_opted_out_marketing: They want no advertising.
        timezone_id: Their time zone.
        tags_count: How many tags there are.
        tags: The tags, when asked for; open data.
        notes: The notes, when asked for; open data.
        created_at: Creation of the record.
        updated_at: Last change of the record.
        deleted_at: When it was deleted; None when it was not.
    """

    id: str
    first_name: str | None = None
    last_name: str | None = None
    title: str | None = None
    gender: str | None = None
    phone: str | None = None
    email: str | None = None
    dob: str | None = None
    has_opted_out_marketing: bool | None = None
    timezone_id: str | None = None
    tags_count: int | None = None
    tags: Open = None
    notes: Open = None
    created_at: Utc = None
    updated_at: Utc = None
    deleted_at: Utc = None


class CustomerProfile(Model):
    """What belongs to one customer alone; addresses, numbers and social accounts are linked to it.

    The entities are ZIWO docs' words; the fields were seen at an integrator, in what is sent to create one. Of an
    answer only `id` is known.

    Attributes:
        id: Identifier.
        first_name: Given name.
        last_name: Family name.
        email: E-mail address.
        gender: As given.
        salutation: How to address them.
        marital_status: As given.
        nationality: As given.
        birthday: As given.
    """

    id: str
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    gender: str | None = None
    salutation: str | None = None
    marital_status: str | None = None
    nationality: str | None = None
    birthday: str | None = None


class CustomerNumber(Model):
    """A phone number, which several profiles can share. Sources as for `CustomerProfile`.

    Attributes:
        id: Identifier.
        number: The number, as given.
        type: What kind of number it is, as given.
    """

    id: str
    number: str | None = None
    type: str | None = None


class CustomerAddress(Model):
    """A postal address, which several profiles can share. Sources as for `CustomerProfile`.

    Attributes:
        id: Identifier.
        address_line1: First line.
        address_line2: Second line.
        city: City.
        state: State.
        country: Country, as given.
        type: What kind of address it is, as given.
        zip: Postal code.
    """

    id: str
    address_line1: str | None = None
    address_line2: str | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = None
    type: str | None = None
    zip: str | None = None


class CustomerSocialAccount(Model):
    """A social account, which several profiles can share.

    ZIWO docs name the entity and its operations. No source shows a field of it, nor a route, so no method gives one:
    the model is for what you get by `client.request`. `id` is here because every entity of the CRM that was seen has
    one; all else that is sent is in `model_extra`, in the server's spelling.

    Attributes:
        id: Identifier (weakly sourced: by analogy to the other entities).
    """

    id: str
