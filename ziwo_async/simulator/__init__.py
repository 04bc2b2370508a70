"""A contact centre in a process: ZIWO's REST API and its Verto server over real sockets on loopback.

    world = World()
    async with Simulator(world) as sim:
        ...                                               # connect to sim.api_url, sim.verto_url
        call = await world.customer("+97150000000").dials(world.agent("0011"))
        await call.reaches("active")

It imitates ZIWO's own FreeSWITCH (1.10.11 plus their changes) frame by frame, its oddities included, as captured
from that server; `tests/simulator/test_transcripts.py` compares the two. There is signalling only: no media.
"""

from __future__ import annotations

from .calls import SimCall
from .clock import Clock
from .faults import Faults
from .journal import Journal, JournalEntry
from .legs import Leg, Outside, Party
from .options import ServerOptions
from .people import Script, SimAgent, SimCustomer, SimQueue
from .problems import NotRunning, SimulatorError, UnknownAgent, WaitedInVain
from .server import Simulator
from .world import World

__all__ = [
    "Clock",
    "Faults",
    "Journal",
    "JournalEntry",
    "Leg",
    "NotRunning",
    "Outside",
    "Party",
    "Script",
    "ServerOptions",
    "SimAgent",
    "SimCall",
    "SimCustomer",
    "SimQueue",
    "Simulator",
    "SimulatorError",
    "UnknownAgent",
    "WaitedInVain",
    "World",
]
