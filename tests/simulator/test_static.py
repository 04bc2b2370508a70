"""Static data and stored files."""

from __future__ import annotations

from ziwo_async.simulator import World

from .api import Api


async def test_countries(api: Api) -> None:
    rows = await api.rows("/static/countries")
    emirates = next(row for row in rows if row["countryCode"] == "AE")
    assert emirates["callingCode"] == "971"
    assert emirates["sample"]["numbers"]["mobile"]["internationalFormat"].startswith("+971 ")


async def test_the_endpoints_lead_to_the_files(api: Api, world: World) -> None:
    cdr = world.history.add(customer="+971", talk=1)
    prefix = (await api.get("/static/callRecordingsEndpoint", callId=cdr.call_id)).content["endpoint"]
    status, _, data = await api.raw("GET", f"{prefix}{cdr.call_id}.mp3")
    assert (status, data) == (200, world.history.recording(cdr))
    name = world.add_file(b"\x89PNG", "image/png")
    prefix = (await api.get("/static/storageEndpoint")).content["endpoint"]
    status, headers, data = await api.raw("GET", f"{prefix}{name}")
    assert (status, headers["Content-Type"], data) == (200, "image/png", b"\x89PNG")
    assert (await api.get("/storage/unknown")).status == 404
