"""The history of calls: one's own, and for admins everybody's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ...verto.frames import JsonObject
from ..customers import same_number
from ..history import Cdr
from . import rows
from .ask import Ask, Route, whole_number
from .cdr_rows import cdr
from .envelopes import Page, Refused

__all__ = ["ROUTES"]

_PAGE = 50

_KEYS: dict[str, Callable[[Cdr], Any]] = {
    "id": lambda found: found.id,
    "startedAt": lambda found: found.started_at,
    "endedAt": lambda found: found.ended_at,
    "duration": lambda found: found.duration,
    "talkTime": lambda found: found.talk,
}


async def own_calls(ask: Ask) -> Page:
    """The calls that the agent took part in."""
    return _page(ask, (found for found in ask.world.history if ask.agent in found.agents))


async def all_calls(ask: Ask) -> Page:
    """Everybody's calls."""
    return _page(ask, ask.world.history)


def _page(ask: Ask, calls: Iterable[Cdr]) -> Page:
    tests = _filters(ask)
    found = [record for record in calls if all(test(record) for test in tests)]
    ordered = ask.sort(found, _KEYS, ask.api.quirks.order)
    datasets = ask.many("dataset")
    return Page([cdr(record, ask.world, datasets) for record in ask.cut(ordered, usual=_PAGE)], len(ordered))


def _filters(ask: Ask) -> list[Callable[[Cdr], bool]]:
    """What the query asks for; a parameter that is missing or empty asks for nothing."""
    tests: list[Callable[[Cdr], bool]] = []
    begin, end = ask.period()
    if (begin, end) != (float("-inf"), float("inf")):
        tests.append(lambda found: begin <= found.started_at < end)
    if directions := ask.many("directions"):
        tests.append(lambda found: found.direction in directions)
    if agents := ask.many("agents"):
        tests.append(lambda found: any(str(agent.id) in agents for agent in found.agents))
    if queues := ask.many("queues"):
        tests.append(lambda found: found.queue is not None and str(found.queue.id) in queues)
    if numbers := ask.many("numbers"):
        dids = {number.did for number in ask.world.numbers if str(number.id) in numbers}
        tests.append(lambda found: found.did in dids)
    if call_id := ask.text("callID"):
        tests.append(lambda found: found.call_id == call_id)
    if contact := ask.text("contactNumber"):
        tests.append(lambda found: same_number(found.customer, contact))
    if (abandoned := ask.flag("abandoned")) is not None:
        tests.append(lambda found: (found.direction == "inbound" and found.answered_at is None) is abandoned)
    if (recorded := ask.flag("recordings")) is not None:
        tests.append(lambda found: found.has_recording is recorded)
    return tests


async def one_call(ask: Ask) -> JsonObject:
    """One record, by its number."""
    number = whole_number(ask.named("id"))
    found = None if number is None else ask.world.history.by_id(number)
    if found is None:
        raise Refused(404, "No such call")
    return cdr(found, ask.world, ask.many("dataset"))


async def list_agents(ask: Ask) -> Page:
    """The agents by whom calls can be filtered (seen in use by an integrator); none of ours is ever deleted."""
    if ask.flag("deleted") is True:
        return Page.all([])
    return Page.all([rows.agent_short(agent) for agent in ask.world.agents])


ROUTES = (
    Route("GET", "/agents/channels/calls/", own_calls),
    Route("GET", "/callHistory/", all_calls, right="admin"),
    Route("GET", "/callHistory/listAgents/", list_agents, right="admin"),
    Route("GET", "/callHistory/{id}", one_call, right="admin"),
)
