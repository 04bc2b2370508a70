"""Call trackers (source: ZIWO developers page)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...verto.frames import JsonObject
from ..problems import SimulatorError
from . import rows
from .ask import Ask, Handler, Route
from .directory import admin_page
from .envelopes import Page, Refused
from .tracker_calls import start_rules

if TYPE_CHECKING:
    from ..hooks import HookRequest
    from ..trackers import SimTracker

__all__ = ["ROUTES"]


async def list_all(ask: Ask) -> Page | JsonObject:
    """The call trackers. ZIWO's page shows that `limit=1` is answered with the tracker itself instead of a list."""
    words = ask.text("search").casefold()
    found = [tracker for tracker in ask.world.trackers if words in tracker.name.casefold()]
    page = admin_page(
        ask,
        found,
        rows.tracker,
        {
            "id": lambda tracker: tracker.id,
            "name": lambda tracker: tracker.name.casefold(),
            "createdAt": lambda tracker: tracker.created_at,
            # The page's own example; no source tells which number of a tracker it means.
            "did": lambda tracker: min((n.did for n in ask.world.numbers if n.link_name == tracker.name), default=""),
        },
    )
    return page.rows[0] if ask.count("limit") == 1 and page.rows else page


async def get(ask: Ask) -> JsonObject:
    """One call tracker, by id."""
    return rows.tracker(_tracker(ask, by_name=False))


async def create(ask: Ask) -> JsonObject:
    """Create a call tracker; the page shows no answer, this one is the tracker."""
    fields = await ask.fields()
    try:
        return rows.tracker(ask.world.trackers.add(str(fields.get("name") or ""), fields))
    except SimulatorError as problem:
        raise Refused(400, str(problem)) from None


async def update(ask: Ask) -> JsonObject:
    """Change a call tracker, by id; its name stays."""
    tracker = _tracker(ask, by_name=False)
    try:
        ask.world.trackers.update(tracker, await ask.fields())
    except SimulatorError as problem:
        raise Refused(400, str(problem)) from None
    return {}


def _blocks(blocked: bool) -> Handler:
    async def block(ask: Ask) -> JsonObject:
        ask.world.trackers.block(_tracker(ask), blocked)
        return {}

    return block


async def delete(ask: Ask) -> JsonObject:
    """Delete a call tracker, by id or name."""
    ask.world.trackers.remove(_tracker(ask))
    return {}


async def logs(ask: Ask) -> Page:
    """The requests that were made to the trackers' services, newest first; `fetchStop` is the page's length."""
    begin, end = ask.period()
    wanted = ask.many("callTrackers")
    found = [
        log
        for log in reversed(ask.world.trackers.logs)
        if begin <= log.at < end and (not wanted or str(log.tracker_id) in wanted)
    ]
    most = ask.api.quirks.admin_limit
    return Page([rows.tracker_log(log) for log in ask.cut(found, usual=most, most=most)], len(found))


def _tracker(ask: Ask, *, by_name: bool = True) -> SimTracker:
    found = ask.world.trackers.find(ask.named("tracker"), by_name=by_name)
    if found is None:
        raise Refused(404, "No such call tracker")
    return found


# ---- the test ------------------------------------------------------------------------------------------------


async def test(ask: Ask) -> JsonObject:
    """Ask the tracker's services as a dummy call would; no source shows the answer's fields, these are our own.

    Only services on this machine are called, unless `Hooks.allowed_hosts` has others: the rest is `tried: false`.
    """
    tracker = _tracker(ask, by_name=False)
    call_id = ask.world.history.new_call_id()
    hooks = ask.world.running().hooks
    (start,) = await hooks.send("start", tracker, call_id=call_id)
    (end,) = await hooks.send("end", tracker, call_id=call_id)
    return {"callID": call_id, "startCall": _outcome(start), "endCall": _outcome(end)}


def _outcome(done: HookRequest) -> JsonObject:
    return {"tried": done.tried, "status": done.status, "error": done.error or None}


# ---- ZIWO's demonstration of the services --------------------------------------------------------------------


async def example_start(ask: Ask) -> JsonObject:
    """What the service at startRequestURL is to answer: rules that are tried in turn."""
    return start_rules(str((await ask.fields()).get("didCalled", "")))


async def example_end(ask: Ask) -> JsonObject:
    """The service at endRequestURL takes the call's record; nothing is stored here."""
    await ask.fields()
    return {}


ROUTES = (
    Route("GET", "/admin/callTrackers/", list_all, right="admin"),
    Route("POST", "/admin/callTrackers/", create, right="admin"),
    Route("GET", "/admin/callTrackers/logs/", logs, right="admin"),
    Route("GET", "/admin/callTrackers/{tracker}", get, right="admin"),
    Route("PUT", "/admin/callTrackers/{tracker}", update, right="admin"),
    Route("DELETE", "/admin/callTrackers/{tracker}", delete, right="admin"),
    Route("PUT", "/admin/callTrackers/{tracker}/block", _blocks(True), right="admin"),
    Route("PUT", "/admin/callTrackers/{tracker}/unblock", _blocks(False), right="admin"),
    Route("PUT", "/admin/callTrackers/{tracker}/test", test, right="admin"),
    Route("POST", "/callTrackers/example/startCall", example_start, "open"),
    Route("POST", "/callTrackers/example/endCall", example_end, "open"),
)
