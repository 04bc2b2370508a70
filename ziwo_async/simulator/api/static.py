"""Static data: countries, where recordings and stored files are."""

from __future__ import annotations

from aiohttp import web

from ...verto.frames import JsonObject
from .ask import Ask, Route
from .envelopes import Page, Refused
from .files import send_bytes

__all__ = ["ROUTES"]

_COUNTRIES = (
    ("AE", "971", "AED", "United Arab Emirates", "Asia", ".ae", "50 123 4567", "050 123 4567"),
    ("BH", "973", "BHD", "Bahrain", "Asia", ".bh", "3600 1234", "3600 1234"),
    ("EG", "20", "EGP", "Egypt", "Africa", ".eg", "100 123 4567", "0100 123 4567"),
    ("FR", "33", "EUR", "France", "Europe", ".fr", "6 12 34 56 78", "06 12 34 56 78"),
    ("GB", "44", "GBP", "United Kingdom", "Europe", ".uk", "7400 123456", "07400 123456"),
    ("IN", "91", "INR", "India", "Asia", ".in", "81234 56789", "081234 56789"),
    ("SA", "966", "SAR", "Saudi Arabia", "Asia", ".sa", "51 234 5678", "051 234 5678"),
)


async def countries(ask: Ask) -> Page:
    """Some countries; the real list has all."""
    return Page.all(
        [
            {
                "countryCode": code,
                "callingCode": calling,
                "currency": currency,
                "name": name,
                "officialName": name,
                "region": region,
                "tld": domain,
                "sample": {
                    "numbers": {
                        "mobile": {"internationalFormat": f"+{calling} {number}", "nationalFormat": national},
                    }
                },
            }
            for code, calling, currency, name, region, domain, number, national in _COUNTRIES
        ]
    )


async def recordings_endpoint(ask: Ask) -> JsonObject:
    """Where recordings are: a prefix to which the file name is added."""
    return {"endpoint": f"{ask.api.api_url}/surveillance/recordings/"}


async def storage_endpoint(ask: Ask) -> JsonObject:
    """Where stored files are, relative to the base URL."""
    return {"endpoint": "/storage/"}


async def stored_file(ask: Ask) -> web.StreamResponse:
    """A stored file."""
    found = ask.world.files.get(ask.named("hash"))
    if found is None:
        raise Refused(404, "No such file")
    return await send_bytes(ask.http, found.data, found.content_type, ask.api.faults)


ROUTES = (
    Route("GET", "/static/countries/", countries),
    Route("GET", "/static/callRecordingsEndpoint", recordings_endpoint),
    Route("GET", "/static/storageEndpoint", storage_endpoint),
    Route("GET", "/storage/{hash}", stored_file),
)
