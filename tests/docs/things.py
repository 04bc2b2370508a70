"""What blocks need beside a contact centre: each word of `needs:` that is no call, and the names that it makes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ziwo_async.testing import ServedWorld

__all__ = ["CALLS", "SETTINGS", "THINGS", "make", "words"]

CUSTOMER = "+97150000000"
CALLS = ("ringing", "call", "second")
"""The words of `needs:` that are calls."""
SETTINGS = ("media", "supervisor")
"""The words of `needs:` that say how the contact centre and the client are made."""


def history(world: ServedWorld, folder: Path) -> dict[str, Any]:
    """Six calls of the last hours: an answered one (`call_id`), an outbound one, three missed ones, and a colleague's.

    The last of the missed ones left a message (`voicemail_id`).
    """
    agent, colleague = world.agent("5555"), world.agent("0011")
    queue = world.queue("support", agents=[agent, colleague])
    did = world.add_number("+97144000000", link=queue).did
    now = datetime.now(UTC)

    def at(hours: float) -> datetime:
        return now - timedelta(hours=hours)

    answered = world.history.add(
        customer=CUSTOMER, agent=agent, queue=queue, did=did, ring=4, talk=60, started_at=at(5.0), tags=["order"]
    )
    world.history.add(customer=CUSTOMER, agent=agent, direction="outbound", ring=5, talk=20, started_at=at(4.0))
    world.history.add(customer="+97150000001", queue=queue, did=did, wait=20, result="cancel", started_at=at(3.0))
    world.history.add(customer="+97150000002", agent=colleague, did=did, ring=3, talk=30, started_at=at(2.5))
    world.history.add(customer="+97150000003", agent=agent, did=did, ring=30, started_at=at(2.0))
    voicemail = world.history.add(customer="+97150000004", did=did, wait=9, talk=6, voicemail=True, started_at=at(1.0))
    return {"call_id": answered.call_id, "voicemail_id": voicemail.call_id, "folder": folder}


def customers(world: ServedWorld, folder: Path) -> dict[str, Any]:
    """A customer in the CRM."""
    world.add_customer_record(first_name="Aisha", last_name="Khan", phone=CUSTOMER, tags=["gold"])
    return {}


def tracker(world: ServedWorld, folder: Path) -> dict[str, Any]:
    """A call tracker (`tracker_id`), whose services are ZIWO's own demonstration routes."""
    service = f"{world.api_url}/callTrackers/example"
    made = world.add_tracker(
        "masking",
        startRequestURL=f"{service}/startCall",
        startRequestAPIKey="start-secret",
        endRequestURL=f"{service}/endCall",
    )
    return {"tracker_id": made.id}


THINGS: dict[str, Callable[[ServedWorld, Path], dict[str, Any]]] = {
    "history": history,
    "customers": customers,
    "tracker": tracker,
}


def words(needs: str) -> list[str]:
    """Give the words of a `needs:` option."""
    return needs.replace(",", " ").split()


def make(needs: list[str], world: ServedWorld, folder: Path) -> dict[str, Any]:
    """Put into a contact centre what is needed, calls excepted; give the names that the block may use."""
    names: dict[str, Any] = {}
    folder.mkdir()
    for need in needs:
        if need in THINGS:
            names |= THINGS[need](world, folder)
    return names
