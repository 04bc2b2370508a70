"""`ziwo simulate`: a contact centre on this machine, for a bot in another terminal."""

from __future__ import annotations

import asyncio
import itertools
import json as jsonlib
import sys
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from .. import EXIT_CODES
from ..simulator import SimAgent, SimCall, Simulator, WaitedInVain, World
from .running import fail, run
from .screen import Screen
from .simulated import ANSWERS, BUSY, CALLERS, ECHO, RING, SILENT, add_tracker, make_world

__all__ = ["simulate"]

API_PORT = 8055
"""Where the contact centre listens by default, so that its address can be written down."""
_TALK = 4.0
_BREATH = 0.3


def simulate(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the REST API; 0: any free one.")] = API_PORT,
    verto_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the phones; 0: any free one.")] = 0,
    agent: Annotated[list[str] | None, typer.Option(help="Number of an agent; again for more.")] = None,
    calls_every: Annotated[
        float, typer.Option(min=0.0, max=3600.0, help="Seconds between two calls of customers; 0: nobody calls.")
    ] = 5.0,
    media: Annotated[
        bool, typer.Option("--media", help="Calls have sound: each customer is a tone. Needs the extra `media`.")
    ] = False,
    plain_agents: Annotated[
        bool,
        typer.Option("--plain-agents", help="Agents have no rights, as at most contact centres; the admin has all."),
    ] = False,
    slow: Annotated[
        float, typer.Option(min=0.0, max=3600.0, metavar="SECONDS", help="How late each answer of the REST API is.")
    ] = 0.0,
    flaky: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Each n-th request to the REST API fails with HTTP 503.")
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="Call tracker services there too, not on this machine only; again for more."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Only the addresses and logins, as one JSON object.")] = False,
) -> None:
    """Serve a contact centre on 127.0.0.1 until Ctrl-C; customers keep calling the agents that are connected.

    It has queues, numbers, a call tracker, customers and a history. Every agent may do what an admin may, and listen
    to calls, unless you say --plain-agents.
    """
    world = make_world(tuple(dict.fromkeys(agent or ["5555", "0011"])), rights=() if plain_agents else None)
    try:
        simulator = Simulator(world, port=port, verto_port=verto_port, media=media)
    except ImportError as error:
        fail(str(error), EXIT_CODES["configuration"])
    simulator.faults.slow_http(slow)
    simulator.faults.flaky_http(flaky or 0)
    simulator.hooks.allowed_hosts.update(allow_host or ())
    run(_simulate(simulator, calls_every, json))


async def _simulate(simulator: Simulator, calls_every: float, json: bool) -> int:
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(simulator)
        except OSError as error:
            fail(f"cannot listen: {error.strerror or error}; try --port 0", EXIT_CODES["connection"])
        add_tracker(simulator)
        sys.stdout.write((jsonlib.dumps(addresses(simulator)) if json else welcome(simulator)) + "\n")
        sys.stdout.flush()
        try:
            await _keep_calling(simulator.world, calls_every, None if json else Screen())
        except ExceptionGroup as group:
            outputs, others = group.split(OSError)
            if outputs is None or others is not None:
                raise
            raise outputs.exceptions[0] from None  # the output ended early, or is full
    return EXIT_CODES["stopped"]


def addresses(simulator: Simulator) -> dict[str, object]:
    """What a program needs to log in."""
    admin = _admin(simulator.world)
    return {
        "api_url": simulator.api_url,
        "verto_url": simulator.verto_url,
        "api_key": simulator.world.cti_key,
        "agents": [
            {"agent": agent.ccLogin, "username": agent.username, "password": agent.password}
            for agent in simulator.world.agents
        ],
        "admin": {"username": admin.username, "password": admin.password},
    }


def welcome(simulator: Simulator) -> str:
    """How to log in, for people; the `export` lines can be pasted."""
    first, *others = simulator.world.agents
    admin = _admin(simulator.world)
    lines = [
        f"A contact centre on this machine: {simulator.api_url} (Ctrl-C ends it).",
        "In another terminal:",
        "",
        f"export ZIWO_API_URL={simulator.api_url}",
        f"export ZIWO_USERNAME={first.username}",
        f"export ZIWO_PASSWORD={first.password}",
        "",
        "and then your bot, or: ziwo listen, or: ziwo history, or: ziwo dial NUMBER",
        "",
        f"  {ANSWERS}  answers          {BUSY}  is busy",
        f"  {SILENT}  never answers    {ECHO:<13}  the echo test",
        "",
        f"  CTI, for every agent's phone: export ZIWO_API_KEY={simulator.world.cti_key}",
    ]
    lines += [f"  agent {agent.ccLogin}: {agent.username}, {agent.password}" for agent in others]
    lines.append(f"  admin, who has no phone: {admin.username}, {admin.password}")
    if not first.rights:
        lines.append("  The agents have no rights: what is for admins, and to listen to calls, is refused (403).")
    return "\n".join([*lines, ""])


def _admin(world: World) -> SimAgent:
    return next(user for user in world.users if not user.ccLogin)


async def _keep_calling(world: World, every: float, console: Console | None) -> None:
    if every == 0:
        await asyncio.Event().wait()
    async with asyncio.TaskGroup() as calls:
        for number in itertools.cycle(CALLERS):
            agent = await _someone_free(world)
            customer = world.customer(number).hangs_up_after(_TALK)
            call = await customer.dials(agent, ring_timeout=RING)
            calls.create_task(_watch(call, number, agent, console))
            await asyncio.sleep(every)


async def _someone_free(world: World) -> SimAgent:
    def look() -> SimAgent | None:
        free = [agent for agent in world.agents if world.is_client_ready(agent) and not agent.calls]
        return min(free, key=lambda agent: _calls_of(world, agent), default=None)

    while True:
        try:
            await world.watch.until(look, 3600.0, lambda: "nobody is connected")
        except WaitedInVain:
            continue
        # Somebody who has just hung up may be about to leave.
        await asyncio.sleep(_BREATH)
        if (agent := look()) is not None:
            return agent


def _calls_of(world: World, agent: SimAgent) -> int:
    return sum(any(leg.agent is agent for leg in call.legs) for call in world.calls)


async def _watch(call: SimCall, number: str, agent: SimAgent, console: Console | None) -> None:
    _tell(console, f"{number} calls agent {agent.ccLogin}")
    outcome = "not answered"
    try:
        await call.reaches("active", RING + 5)
        outcome = "over"
        _tell(console, f"{number} talks to agent {agent.ccLogin}")
        await call.reaches("ended", 3600.0)
    except WaitedInVain:
        if call.state != "ended":
            raise
    _tell(console, f"{number} {outcome}: {call.cause}")


def _tell(console: Console | None, text: str) -> None:
    if console is not None:
        moment = datetime.now().astimezone()
        console.print(Text(f"{moment:%H:%M:%S}  {text}"), soft_wrap=True, highlight=False)
