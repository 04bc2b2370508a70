"""Call trackers (source: ZIWO developers page)."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal

import aiohttp
from yarl import URL

from ...verto.frames import JsonObject
from ..problems import SimulatorError
from . import rows
from .ask import Ask, Handler, Route
from .directory import admin_page
from .envelopes import Page, Refused
from .tracker_calls import end_request, start_rules

if TYPE_CHECKING:
    from ..trackers import SimTracker

__all__ = ["ROUTES"]

_DUMMY_DID = "061234567"
_TIME_LIMIT = 10.0


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

    Only services on this machine are called: others are said to be `tried: false`.
    """
    tracker = _tracker(ask, by_name=False)
    call_id = ask.world.history.new_call_id()
    form = aiohttp.FormData({"didCalled": _DUMMY_DID}, default_to_multipart=True)
    start = await _request(ask, tracker, "start", call_id, data=form)
    end = await _request(
        ask, tracker, "end", call_id, json=end_request(call_id, _DUMMY_DID, tracker.name, ask.world.now())
    )
    return {"callID": call_id, "startCall": start, "endCall": end}


async def _request(
    ask: Ask,
    tracker: SimTracker,
    kind: Literal["start", "end"],
    call_id: str,
    *,
    data: aiohttp.FormData | None = None,
    json: JsonObject | None = None,
) -> JsonObject:
    text = tracker.text(f"{kind}RequestURL")
    if text is None:
        return {"tried": False, "status": None, "error": "No URL is set"}
    status, problem = None, ""
    try:
        url = URL(text)
        shown = str(url.with_user(None))
    except ValueError:
        return {"tried": False, "status": None, "error": "The URL is not valid"}
    if not _is_here(url):
        return {"tried": False, "status": None, "error": "Only services on this machine are called"}
    key = tracker.text(f"{kind}RequestAPIKey")
    limit = tracker.seconds(f"{kind}RequestTimeout")
    timeout = aiohttp.ClientTimeout(total=_TIME_LIMIT if limit is None else limit)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers={} if key is None else {"X-API-KEY": key}) as session,
            session.post(url, data=data, json=json, allow_redirects=False) as response,
        ):
            status = response.status
            await response.content.read(1)
    except TimeoutError:
        problem = "No answer in time"
    except aiohttp.ClientError as error:
        problem = type(error).__name__
    ask.world.trackers.log(tracker, kind, call_id=call_id, url=shown, status=status, error=problem)
    return {"tried": True, "status": status, "error": problem or None}


def _is_here(url: URL) -> bool:
    """Whether the host is this machine; no name is looked up."""
    if url.scheme not in ("http", "https") or url.host is None:
        return False
    try:
        return url.host == "localhost" or ip_address(url.host).is_loopback
    except ValueError:
        return False


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
