"""Recordings and voicemails: three ways to the same bytes."""

from __future__ import annotations

from aiohttp import web

from ...verto.frames import JsonObject
from ..history import Cdr
from .ask import Ask, Route
from .envelopes import Refused
from .signed import send_recording

__all__ = ["ROUTES"]


async def by_file_name(ask: Ask) -> web.StreamResponse:
    """The recording or voicemail of a call, by the call's UUID."""
    return await send_recording(ask.api, ask.http, _recorded(ask))


async def of_call(ask: Ask) -> web.StreamResponse:
    """The same under the call (seen in use by an integrator): the bytes, or a redirect, see `Quirks`."""
    record = _recorded(ask)
    if ask.api.quirks.redirect_recordings:
        return web.Response(status=302, headers={"Location": ask.api.signed.url_for(record)})
    return await send_recording(ask.api, ask.http, record)


async def signed_url(ask: Ask) -> JsonObject:
    """A URL on another origin that needs no token (seen in use by integrators)."""
    record = _recorded(ask)
    return {"url": ask.api.signed.url_for(record), "id": record.id}


def _recorded(ask: Ask) -> Cdr:
    record = ask.world.history.by_call_id(ask.named("call_id"))
    if record is None or not record.has_recording or ask.api.faults.take_hidden():
        raise Refused(404, "No such recording")
    return record


ROUTES = (
    Route("GET", "/surveillance/recordings/{call_id}.mp3", by_file_name, "recording"),
    Route("GET", "/callHistory/{call_id}/recording", of_call, "recording"),
    Route("GET", "/callHistory/{call_id}/recording/signed-url", signed_url),
)
