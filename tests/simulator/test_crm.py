"""The customer data base."""

from __future__ import annotations

from ziwo_async.simulator import World

from .api import Api


async def test_customers_are_found_by_phone_and_words(api: Api, world: World) -> None:
    world.add_customer_record(first_name="Zed", last_name="Last", phone="+971 50 123 4567", tags=["vip"], notes=["hi"])
    world.add_customer_record(first_name="Amy", last_name="First", phone="+33612345678", email="amy@acme.example")
    path = "/agent/crm/customers"
    assert [row["firstName"] for row in await api.rows(path)] == ["Zed", "Amy"]
    assert [row["firstName"] for row in await api.rows(f"{path}/", order="name", limit=1)] == ["Amy"]
    assert [row["firstName"] for row in await api.rows(path, order="~name", limit=1)] == ["Zed"]
    assert [row["id"] for row in await api.rows(path, phone="0501234567")] == ["1"]
    assert [row["id"] for row in await api.rows(path, phone="00971501234567")] == ["1"]
    assert await api.rows(path, phone="0501234568") == []
    assert [row["id"] for row in await api.rows(path, q="AMY@")] == ["2"]
    (row,) = await api.rows(path, q="zed last")
    assert row["tagsCount"] == 1
    assert not {"tags", "notes"} & set(row)
    (row,) = await api.rows(f"{path}?q=zed&dataset=tags&dataset=notes")
    assert ([tag["name"] for tag in row["tags"]], [note["content"] for note in row["notes"]]) == (["vip"], ["hi"])
    assert (await api.get(path, limit=1, skip=1)).info == {"totalRecords": 2}


async def test_what_is_created_has_an_id(api: Api, world: World) -> None:
    profile = {"firstName": "Eve", "lastName": "New", "email": "eve@acme.example", "birthday": "1990-01-31"}
    made = await api("POST", "/crm/profiles", data=profile)
    assert (made.status, made.content["id"], made.content["birthday"]) == (200, "1", "1990-01-31")
    (row,) = await api.rows("/agent/crm/customers", q="eve")
    assert (row["id"], row["dob"], row["email"]) == ("1", "1990-01-31", "eve@acme.example")
    number = await api("POST", "/crm/numbers", data={"number": "+971501234567", "type": "mobile"})
    assert number.content == {"id": "2", "number": "+971501234567", "type": "mobile"}
    address = await api("POST", "/crm/addresses", data={"addressLine1": "1 Main St", "city": "Dubai", "unknown": "x"})
    assert address.content == {"id": "3", "addressLine1": "1 Main St", "city": "Dubai"}
    assert [kind for kind, _ in world.records.entities] == ["number", "address"]
    for path in ("/crm/profiles", "/crm/numbers", "/crm/addresses"):
        assert (await api("POST", path, data={"zip": "1"})).status == 400
