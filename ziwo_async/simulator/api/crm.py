"""The customer data base: the search agents use, and the creations of old load tests of a ZIWO test instance.

ZIWO names more operations (update, delete, link, unlink) of which no path is known: they are not here.
"""

from __future__ import annotations

from ...verto.frames import JsonObject
from ..customers import EntityKind
from . import rows
from .ask import Ask, Handler, Route
from .envelopes import Page, Refused

__all__ = ["ROUTES"]


async def customers(ask: Ask) -> Page:
    """The customers, by phone number or by words."""
    phone, words = ask.text("phone"), ask.text("q")
    found = [
        record
        for record in ask.world.records
        if (not phone or record.has_phone(phone)) and (not words or record.matches(words))
    ]
    ordered = ask.sort(
        found,
        {
            "name": lambda record: record.name.casefold(),
            "firstName": lambda record: record.first_name.casefold(),
            "lastName": lambda record: record.last_name.casefold(),
            "createdAt": lambda record: record.created_at,
        },
    )
    datasets = ask.many("dataset")
    return Page([rows.customer(record, datasets) for record in ask.cut(ordered)], len(ordered))


_PROFILE = ("firstName", "lastName", "email", "gender", "salutation", "maritalStatus", "nationality", "birthday")


async def add_profile(ask: Ask) -> JsonObject:
    """Create a customer."""
    fields = await ask.fields()
    given = {name: str(fields[name]) for name in _PROFILE if fields.get(name) is not None}
    if not (given.get("firstName") or given.get("lastName")):
        raise Refused(400, "firstName is required")
    record = ask.world.records.add(
        first_name=given.get("firstName", ""),
        last_name=given.get("lastName", ""),
        phone=None,
        email=given.get("email"),
        title=given.get("salutation"),
        gender=given.get("gender"),
        birthday=given.get("birthday"),
        more=given,
    )
    stamp = rows.iso(record.created_at)
    return {"id": record.id, **given, "createdAt": stamp, "updatedAt": stamp}


def _adds(kind: EntityKind, names: tuple[str, ...]) -> Handler:
    async def add(ask: Ask) -> JsonObject:
        fields = await ask.fields()
        if not fields.get(names[0]):
            raise Refused(400, f"{names[0]} is required")
        given = {name: str(fields[name]) for name in names if fields.get(name) is not None}
        return ask.world.records.add_entity(kind, given)

    return add


add_number = _adds("number", ("number", "type"))
add_address = _adds("address", ("addressLine1", "addressLine2", "city", "state", "country", "type", "zip"))

ROUTES = (
    Route("GET", "/agent/crm/customers/", customers),
    Route("POST", "/crm/profiles", add_profile),
    Route("POST", "/crm/numbers", add_number),
    Route("POST", "/crm/addresses", add_address),
)
