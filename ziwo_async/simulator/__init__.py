"""A contact centre in a process: ZIWO's REST API and its Verto server over real sockets on loopback.

    world = World()
    async with Simulator(world) as sim:
        ...                                               # connect to sim.api_url, sim.verto_url
        call = await world.customer("+97150000000").dials(world.agent("0011"))
        await call.reaches("active")

It imitates ZIWO's own FreeSWITCH (1.10.11 plus their changes) frame by frame, its oddities included, as captured
from that server; `tests/simulator/test_transcripts.py` compares the two. With `media=True` it carries sound too, over
real RTP: see `ziwo_async.simulator.rtp`. It calls the services of call trackers, and a CDR web hook, as ZIWO does: see
`ziwo_async.simulator.hooks`.
"""

from __future__ import annotations

from .api import Quirks
from .calls import SimCall
from .clock import Clock
from .customers import CustomerRecord
from .faults import Faults
from .history import Cdr, History
from .hooks import Hooks
from .journal import Journal, JournalEntry
from .legs import Leg, Outside, Party
from .numbers import SimNumber
from .options import ServerOptions
from .people import Script, SimAgent, SimCustomer
from .problems import NotRunning, SimulatorError, UnknownAgent, WaitedInVain
from .queues import SimQueue
from .server import Simulator
from .statuses import SimStatus
from .trackers import SimTracker
from .world import World

__all__ = [
    "Cdr",
    "Clock",
    "CustomerRecord",
    "Faults",
    "History",
    "Hooks",
    "Journal",
    "JournalEntry",
    "Leg",
    "NotRunning",
    "Outside",
    "Party",
    "Quirks",
    "Script",
    "ServerOptions",
    "SimAgent",
    "SimCall",
    "SimCustomer",
    "SimNumber",
    "SimQueue",
    "SimStatus",
    "SimTracker",
    "Simulator",
    "SimulatorError",
    "UnknownAgent",
    "WaitedInVain",
    "World",
]
