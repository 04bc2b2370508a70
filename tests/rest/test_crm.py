"""The customer data base: the search of agents, and the creations that are known."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from aiohttp import web

from ziwo_async.errors import ApiError, BadArgument, DecodeError
from ziwo_async.rest.crm import CrmResource
from ziwo_async.rest.models.customer import CustomerSocialAccount

ROW = {
    "id": "c-1",
    "firstName": "Grace",
    "lastName": "Hopper",
    "title": "Dr",
    "gender": "female",
    "phone": "+97150000000",
    "email": "grace@acme.test",
    "dob": "1906-12-09",
    "hasOptedOutMarketing": True,
    "timezoneId": 4,
    "tagsCount": 1,
    "createdAt": "2024-01-02T03:04:05.678Z",
    "updatedAt": "2024-01-02T03:04:05.678Z",
    "deletedAt": None,
    "tags": [{"id": 1, "name": "vip", "apiKey": "CANARY-1"}],
    "new": {"password": "CANARY-2"},
}


@pytest.fixture
def crm(kit, ziwo) -> CrmResource:
    return CrmResource(kit.transport(ziwo.url))


async def test_customers_as_they_are_found(kit, ziwo, crm):
    queries: list[list[tuple[str, str]]] = []

    async def found(request: web.Request) -> web.Response:
        queries.append(sorted(request.query.items()))
        return kit.ok([ROW])

    ziwo.on("GET", "/agent/crm/customers", found)
    (customer,) = await crm.customers(phone="+97150000000", with_tags=True, with_notes=True).all()
    assert (customer.id, customer.first_name, customer.phone) == ("c-1", "Grace", "+97150000000")
    assert customer.timezone_id == "4"
    assert customer.has_opted_out_marketing is True
    assert customer.created_at == datetime(2024, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    assert customer.tags == [{"id": 1, "name": "vip", "apiKey": "**********"}]
    assert customer.notes is None
    assert "CANARY" not in repr(customer)
    assert "CANARY" not in customer.model_dump_json()
    assert ("phone", "+97150000000") in queries[0]
    assert [value for name, value in queries[0] if name == "dataset"] == ["notes", "tags"]  # repeated, no brackets
    await crm.customers(q="hop").first()
    assert queries[-1] == [("limit", "50"), ("order", "name"), ("q", "hop"), ("skip", "0")]


async def test_customers_come_in_pages(kit, ziwo, crm):
    async def page(request: web.Request) -> web.Response:
        skip, limit = int(request.query["skip"]), int(request.query["limit"])
        return kit.ok([{"id": n} for n in range(skip, min(skip + limit, 1100))], total=1100)

    ziwo.on("GET", "/agent/crm/customers", page)
    assert [c.id for c in await crm.customers(page_size=500).all()] == [str(n) for n in range(1100)]
    assert ziwo.count("GET", "/agent/crm/customers") == 3


async def test_phone_and_words_together(ziwo, crm):
    with pytest.raises(BadArgument, match="not by both"):
        crm.customers(phone="1", q="2")
    assert ziwo.seen == []


CREATIONS = [
    (
        "/crm/profiles",
        lambda crm: crm.create_profile(
            first_name="Grace",
            last_name="Hopper",
            email="g@acme.test",
            gender="female",
            salutation="Dr",
            marital_status="married",
            nationality="US",
            birthday=date(1906, 12, 9),
        ),
        {
            "firstName": "Grace",
            "lastName": "Hopper",
            "email": "g@acme.test",
            "gender": "female",
            "salutation": "Dr",
            "maritalStatus": "married",
            "nationality": "US",
            "birthday": "1906-12-09",
        },
    ),
    ("/crm/profiles", lambda crm: crm.create_profile(birthday="09/12/1906"), {"birthday": "09/12/1906"}),
    (
        "/crm/numbers",
        lambda crm: crm.create_number("+971 50", type="mobile"),
        {"number": "+971 50", "type": "mobile"},
    ),
    ("/crm/numbers", lambda crm: crm.create_number("050"), {"number": "050"}),
    (
        "/crm/addresses",
        lambda crm: crm.create_address(
            address_line1="1 A Road", address_line2="", city="B", state="C", country="AE", type="home", zip="00000"
        ),
        {
            "addressLine1": "1 A Road",
            "addressLine2": "",
            "city": "B",
            "state": "C",
            "country": "AE",
            "type": "home",
            "zip": "00000",
        },
    ),
]


@pytest.mark.parametrize(("path", "create", "sent"), CREATIONS)
async def test_creations_send_a_form_and_read_the_entity(kit, ziwo, crm, path, create, sent):
    forms: list[dict[str, str]] = []

    async def made(request: web.Request) -> web.Response:
        assert request.content_type == "application/x-www-form-urlencoded"
        forms.append({key: str(value) for key, value in (await request.post()).items()})
        return kit.ok({"id": 17, **forms[-1], "new": 1})

    ziwo.on("POST", path, made)
    entity = await create(crm)
    assert forms == [sent]
    assert entity.id == "17"
    assert entity.model_extra == {"new": 1}
    assert entity.model_dump(by_alias=True, exclude_none=True) == {"id": "17", **sent, "new": 1}


@pytest.mark.parametrize(("path", "create", "sent"), CREATIONS)
async def test_creations_are_sent_once(kit, ziwo, crm, path, create, sent):
    ziwo.answers("POST", path, lambda: kit.failed(502, "no"))
    with pytest.raises(ApiError):
        await create(crm)
    ziwo.answers("POST", path, lambda: kit.ok({}))
    with pytest.raises(DecodeError):
        await create(crm)
    assert ziwo.count("POST", path) == 2


async def test_nothing_to_create(ziwo, crm):
    for create in (crm.create_profile(), crm.create_address(), crm.create_number(" ")):
        with pytest.raises(BadArgument):
            await create
    assert ziwo.seen == []


def test_a_social_account_is_named_and_open():
    account = CustomerSocialAccount.model_validate({"id": 3, "network": "x", "password": "CANARY"})
    assert account.id == "3"
    assert account.model_extra == {"network": "x", "password": "**********"}


# --- against the simulator ------------------------------------------------------------------------------------------


async def test_what_was_created_is_found(ziwo_world, ziwo_client):
    profile = await ziwo_client.crm.create_profile(first_name="Grace", last_name="Hopper", birthday=date(1906, 12, 9))
    ziwo_world.add_customer_record(first_name="Ada", phone="+97150000000", tags=["vip"], notes=["called twice"])
    assert [c.first_name for c in await ziwo_client.crm.customers().all()] == ["Ada", "Grace"]
    assert [c.first_name for c in await ziwo_client.crm.customers(order="~name").all()] == ["Grace", "Ada"]
    (grace,) = await ziwo_client.crm.customers(q="hop").all()
    assert (grace.id, grace.dob) == (profile.id, "1906-12-09")
    (ada,) = await ziwo_client.crm.customers(phone="0097150000000", with_tags=True, with_notes=True).all()
    assert (ada.tags_count, ada.tags, ada.notes) == (
        1,
        [{"id": 1, "name": "vip"}],
        [{"id": 1, "content": "called twice"}],
    )
    assert (await ziwo_client.crm.create_number("+97150", type="mobile")).number == "+97150"
    assert (await ziwo_client.crm.create_address(address_line1="1 A Road", zip="0")).zip == "0"
