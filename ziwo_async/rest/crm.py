"""Resource: the customer data base (CRM)."""

from __future__ import annotations

from datetime import date

from ..errors import BadArgument
from .models.customer import Customer, CustomerAddress, CustomerNumber, CustomerProfile
from .paging import PAGE_SIZE, Listing
from .prepared import Form
from .resource import Resource

__all__ = ["CrmResource"]


class CrmResource(Resource):
    """The customer data base (CDB): profiles, and the addresses, numbers and social accounts linked to them.

    ZIWO's page names more operations: update and delete of each entity, add of a social account, link and unlink, and
    search. Their paths are not known, so they are not here; with the path from your instance's own documentation, use
    `client.request`.
    """

    def customers(
        self,
        *,
        phone: str | None = None,
        q: str | None = None,
        order: str = "name",
        with_tags: bool = False,
        with_notes: bool = False,
        page_size: int = PAGE_SIZE,
    ) -> Listing[Customer]:
        """Find customers. Needs: any agent.

        (`GET /agent/crm/customers`; source: Android SDK)

        Args:
            phone: Those with this phone number; not together with `q`.
            q: Those with these words.
            order: Field to sort by; `~name` for the reverse.
            with_tags: With their tags.
            with_notes: With their notes.
            page_size: How many to ask for at a time; the SDK asks for 500.

        Raises:
            BadArgument: Both `phone` and `q` are given.
        """
        if phone is not None and q is not None:
            raise BadArgument("customers are looked for by phone or by q, not by both")
        datasets = [name for name, wanted in (("tags", with_tags), ("notes", with_notes)) if wanted]
        params = {"order": order, "phone": phone, "q": q, "dataset": datasets or None}
        return self._listing(
            Customer, "/agent/crm/customers", key=lambda item: item.id, params=params, page_size=page_size
        )

    async def create_profile(
        self,
        *,
        first_name: str | None = None,
        last_name: str | None = None,
        email: str | None = None,
        gender: str | None = None,
        salutation: str | None = None,
        marital_status: str | None = None,
        nationality: str | None = None,
        birthday: date | str | None = None,
    ) -> CustomerProfile:
        """Create a profile. Never sent twice. Needs: not known.

        Nor is known which fields ZIWO wants at least, and which words it takes.
        (`POST /crm/profiles`; source: old load tests of a ZIWO test instance, not documented)

        Args:
            first_name: Given name.
            last_name: Family name.
            email: E-mail address.
            gender: Gender.
            salutation: How to address them.
            marital_status: Marital status.
            nationality: Nationality.
            birthday: Day of birth; a date is sent as `YYYY-MM-DD`.

        Raises:
            BadArgument: Nothing is given.
            DecodeError: The answer has no id; the profile may have been created.
        """
        form: Form = {
            "firstName": first_name,
            "lastName": last_name,
            "email": email,
            "gender": gender,
            "salutation": salutation,
            "maritalStatus": marital_status,
            "nationality": nationality,
            "birthday": f"{birthday:%Y-%m-%d}" if isinstance(birthday, date) else birthday,
        }
        return await self._one(CustomerProfile, "POST", "/crm/profiles", form=_something(form))

    async def create_number(self, number: str, *, type: str | None = None) -> CustomerNumber:  # noqa: A002
        """Create a phone number, to be linked to profiles. Never sent twice.

        Needs: not known. (`POST /crm/numbers`; source: old load tests of a ZIWO test instance, not documented)

        Args:
            number: The number, as given.
            type: What kind of number it is; which words ZIWO takes is not known.

        Raises:
            BadArgument: The number is empty.
            DecodeError: The answer has no id; the number may have been created.
        """
        if not number.strip():
            raise BadArgument("the phone number is empty")
        return await self._one(CustomerNumber, "POST", "/crm/numbers", form={"number": number, "type": type})

    async def create_address(
        self,
        *,
        address_line1: str | None = None,
        address_line2: str | None = None,
        city: str | None = None,
        state: str | None = None,
        country: str | None = None,
        type: str | None = None,  # noqa: A002
        zip: str | None = None,  # noqa: A002
    ) -> CustomerAddress:
        """Create an address, to be linked to profiles. Never sent twice.

        Needs: not known. (`POST /crm/addresses`; source: old load tests of a ZIWO test instance, not documented)

        Args:
            address_line1: First line.
            address_line2: Second line.
            city: City.
            state: State.
            country: Country; in which form is not known.
            type: What kind of address it is; which words ZIWO takes is not known.
            zip: Postal code.

        Raises:
            BadArgument: Nothing is given.
            DecodeError: The answer has no id; the address may have been created.
        """
        form: Form = {
            "addressLine1": address_line1,
            "addressLine2": address_line2,
            "city": city,
            "state": state,
            "country": country,
            "type": type,
            "zip": zip,
        }
        return await self._one(CustomerAddress, "POST", "/crm/addresses", form=_something(form))


def _something(form: Form) -> Form:
    if all(value is None for value in form.values()):
        raise BadArgument("nothing is given to create")
    return form
