"""The admins' directories: queues, numbers, agents, users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ...verto.frames import JsonObject
from . import rows
from .ask import Ask, Route
from .envelopes import Page

__all__ = ["ROUTES", "admin_page"]

T = TypeVar("T")


def admin_page(
    ask: Ask, records: Sequence[T], row: Callable[[T], JsonObject], keys: dict[str, Callable[[T], Any]]
) -> Page:
    """A page of an admin's collection: `limit` (at most 50), `skip`, `order`."""
    ordered = ask.sort(records, keys)
    most = ask.api.quirks.admin_limit
    return Page([row(record) for record in ask.cut(ordered, usual=most, most=most)], len(ordered))


async def queues(ask: Ask) -> Page:
    """All queues, with their agents (seen in use by an integrator)."""
    return admin_page(
        ask,
        ask.world.queues,
        lambda queue: rows.queue(queue, agents=True),
        {"id": lambda queue: queue.id, "name": lambda queue: queue.name, "extension": lambda queue: queue.extension},
    )


async def numbers(ask: Ask) -> Page:
    """All numbers."""
    return admin_page(
        ask, ask.world.numbers, rows.number, {"id": lambda number: number.id, "did": lambda number: number.did}
    )


async def agents(ask: Ask) -> Page:
    """All agents."""
    return admin_page(ask, ask.world.agents, rows.agent_in_list, _USER_KEYS)


async def users(ask: Ask) -> Page:
    """All who can log in (seen in use by an integrator)."""
    return admin_page(ask, ask.world.users, rows.agent_in_list, _USER_KEYS)


_USER_KEYS: dict[str, Callable[[Any], Any]] = {
    "id": lambda user: user.id,
    "firstName": lambda user: user.first_name.casefold(),
    "lastName": lambda user: user.last_name.casefold(),
    "username": lambda user: user.username.casefold(),
}

ROUTES = (
    Route("GET", "/admin/queues/", queues, right="admin"),
    Route("GET", "/admin/numbers/", numbers, right="admin"),
    Route("GET", "/admin/agents/", agents, right="admin"),
    Route("GET", "/admin/users/", users, right="admin"),
)
