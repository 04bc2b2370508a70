"""What is in the contact centre of `ziwo simulate`: enough for every command to show something."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from ..simulator import SimAgent, SimQueue, Simulator, World

__all__ = ["ADMIN", "ANSWERS", "API_KEY", "BUSY", "CALLERS", "ECHO", "RING", "SILENT", "add_tracker", "make_world"]

CALLERS = ("+971500000101", "+971500000102", "+971500000103", "+971500000104")
"""The customers who keep calling."""
ANSWERS, BUSY, SILENT, ECHO = "+971500000001", "+971500000002", "+971500000003", "9196"
"""Numbers to dial."""
RING = 20.0
"""How long a phone rings."""
API_KEY = "api-key-acme"
"""The key of CTI. It can be read and typed, as the passwords can: nothing here is worth a secret."""
ADMIN, _ADMIN_PASSWORD = "admin@acme.example", "password-admin"

_NAMES = (("Layla", "Haddad"), ("Omar", "Saleh"), ("Priya", "Menon"), ("Jules", "Martin"))
_SALES_NUMBER, _SUPPORT_NUMBER, _CAMPAIGN_NUMBER = "+97140000001", "+97140000002", "+97140000003"


@dataclass(frozen=True, slots=True)
class _Past:
    """A call that is over; all times but the first are seconds."""

    hours_ago: float
    caller: int
    direction: Literal["inbound", "outbound"] = "inbound"
    queue: int | None = None
    wait: float = 0.0
    ring: float = 6.0
    talk: float = 0.0
    voicemail: bool = False


_PASTS = (
    _Past(50.0, 0, queue=0, wait=4, talk=95),
    _Past(26.0, 2, queue=1, wait=31, ring=0),
    _Past(9.0, 0, queue=0, wait=2, talk=48),
    _Past(7.5, 1, queue=1, wait=12, talk=187),
    _Past(6.0, 2, queue=1, wait=45, ring=0),
    _Past(5.0, 2, "outbound", talk=64),
    _Past(4.0, 3, queue=0, wait=20, ring=8, talk=14, voicemail=True),
    _Past(3.0, 3, "outbound", ring=20),
    _Past(2.0, 1, talk=33),
    _Past(1.0, 0, queue=0, wait=9, talk=121),
    _Past(0.5, 3, queue=0, wait=60, ring=0),
)


def make_world(agents: tuple[str, ...], *, rights: Iterable[str] | None = None) -> World:
    """A contact centre with these agents, an admin, and customers that behave in different ways when called.

    Args:
        agents: Numbers of the agents.
        rights: What the agents may do; None: everything.
    """
    world = World(agents=agents)
    world.cti_key = API_KEY
    world.add_user(ADMIN, password=_ADMIN_PASSWORD)
    if rights is not None:
        for agent in world.agents:
            agent.rights.clear()
            agent.rights.update(rights)
    world.customer(ANSWERS).will(ring=1.0, answer_after=2.0)
    world.customer(BUSY).is_busy(after=1.0)
    world.customer(SILENT).never_answers(after=RING, early_media=True)
    for number, (first_name, last_name) in zip(CALLERS, _NAMES, strict=True):
        world.customer(number, name=f"{first_name} {last_name}")
        email = f"{first_name}.{last_name}@customers.example".lower()
        world.add_customer_record(
            first_name=first_name,
            last_name=last_name,
            phone=number,
            email=email,
            tags=("demo",),
            notes=("Calls often.",),
        )
    queues = world.queue("sales", agents=world.agents), world.queue("support", agents=world.agents[-1:])
    world.add_number(_SALES_NUMBER, link=queues[0])
    world.add_number(_SUPPORT_NUMBER, link=queues[1])
    for count, past in enumerate(_PASTS):
        _remember(world, past, queues, world.agents[count % len(world.agents)])
    return world


def _remember(world: World, past: _Past, queues: tuple[SimQueue, ...], agent: SimAgent) -> None:
    queue = None if past.queue is None else queues[past.queue]
    first_name, last_name = _NAMES[past.caller]
    world.history.add(
        started_at=datetime.now(UTC) - timedelta(hours=past.hours_ago),
        customer=CALLERS[past.caller],
        customer_name=f"{first_name} {last_name}",
        direction=past.direction,
        did=CALLERS[past.caller] if past.direction == "outbound" else world.did_of(queue),
        queue=queue,
        agent=agent if past.ring else None,  # nobody was rung: the caller gave up in the queue
        wait=past.wait,
        ring=past.ring,
        talk=past.talk,
        voicemail=past.voicemail,
    )


def add_tracker(simulator: Simulator) -> None:
    """Add a call tracker whose services are ZIWO's own examples, here; they need the address of the contact centre."""
    world = simulator.world
    services = f"{simulator.api_url}/callTrackers/example"
    start, end = f"{services}/startCall", f"{services}/endCall"
    tracker = world.add_tracker(
        "campaign", startRequestURL=start, startRequestTimeout=10_000, endRequestURL=end, endRequestTimeout=10_000
    )
    world.add_number(_CAMPAIGN_NUMBER, link=tracker)
    call_id = world.history.new_call_id()
    said: dict[str, object] = {"didCalled": _CAMPAIGN_NUMBER}
    world.trackers.log(tracker, "start", call_id=call_id, url=start, status=200, error="", request=said)
    world.trackers.log(tracker, "end", call_id=call_id, url=end, status=200, error="")
