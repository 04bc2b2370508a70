"""Event-socket commands of the recordings, as actions on the world; and the test servers' dialplan and users."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ziwo_async.simulator import Leg, Party, SimAgent, SimCall, Simulator, World

if TYPE_CHECKING:
    from .replay import Replay

INVISIBLE = re.compile(
    r"uuid_send_info|uuid_send_message|uuid_hold|uuid_transfer|uuid_recv_dtmf|bgapi originate .*loopback|"
    r"uuid_setvar \S+ crm|verto_pickup$|verto_dial( a agent-0011)?$"
)
"""Commands of which no client sees anything (and two with wrong usage)."""


def freeswitch_world() -> World:
    """Users and numbers of the stock FreeSWITCH test servers."""
    world = World("test", agents=())
    for number in ("1001", "1002", "1003", "1010", "2001", "2003", "2005"):
        world.add_agent(number, position=number, verto_password="1234", effective_name=f"Extension {number}")
    world.extension("71002", world.agent("1002"), ringback=True)
    dialplan(world)
    return world


def ziwo_world() -> World:
    """Agents and numbers of the test server that runs ZIWO's fork."""
    world = World("test", agents=())
    for number in ("0011", "0012", "0013", "0014", "0015", "0016", "0020"):
        world.add_agent(number, verto_password="1234")
    dialplan(world)
    world.customer("85555").will(ring=0.0, early_media=True, answer_after=2.0)
    return world


def dialplan(world: World) -> None:
    for number in ("9197", "9198", "9664", "5561", "5564"):
        world.service(number)
    world.service("5555").will(early_media=True, answer_after=2.0).hangs_up_after(5.0)
    world.service("5556").will_reject()
    world.service("5557").is_busy()
    world.service("5558").never_answers(after=10.0)
    world.service("5559").hangs_up_after(0.0)
    world.service("5560").will(early_media=False, answer_after=3.0)
    world.service("5562").is_busy(after=1.5, early_media=True)
    svar = world.service("5565")
    svar.variables["verto_svar_hello"] = "world"
    svar.headers["verto_h_X-From-Dialplan"] = "abc"


class Backend:
    def __init__(self, world: World, sim: Simulator, replay: Replay) -> None:
        self.world, self.sim, self.replay = world, sim, replay
        self.calls: dict[str, SimCall] = {}
        self.dials: list[Any] = []

    def leg(self, uuid: str) -> Leg:
        return self.sim.switch.legs[self.replay.names.get(uuid, uuid)]

    async def before(self, frame: Any) -> None:
        """What the test server's dialplan did by itself shortly before it sent this frame."""
        params = frame.get("params", {}) if isinstance(frame, dict) else {}
        shown = params.get("display_name")
        if shown in ("Updated Name", "Svar", "DTMF 1234"):
            self.sim.switch.show(self.leg(params["callID"]), Party(shown, params["display_number"]))
        if isinstance(frame, dict) and frame.get("method") == "verto.bye":
            call_id = self.replay.names.get(params["callID"], params["callID"])
            leg = self.sim.switch.legs.get(call_id)
            if leg is not None and leg.hunt is not None and params["cause"] == "NO_ANSWER":
                # FreeSWITCH counts whole seconds: when exactly it gives up is not ours to foresee.
                leg.hunt.time_out()
            if leg is not None and leg.callee.number == "5564":
                self.sim.switch.end(leg, "NORMAL_CLEARING")

    async def command(self, raw: str) -> None:
        text = raw.removeprefix("api ")
        if INVISIBLE.match(text):
            return
        verb, _, rest = text.partition(" ")
        await getattr(self, f"do_{verb}")(rest)

    def agent(self, login: str) -> SimAgent | None:
        return self.world.agent_by_login(login.partition("@")[0])

    async def do_originate(self, rest: str) -> None:
        variables, rest = braces(rest) if rest.startswith("{") else ({}, rest)
        if rest.startswith("loopback/"):
            inner, target = braces(rest.partition("&bridge(")[2].rstrip(")"))
            agent = self.agent(target.partition("/")[2])
            assert agent is not None
            customer = self.world.customer(
                inner["origination_caller_id_number"], name=inner["origination_caller_id_name"]
            )
            call = await customer.dials(agent, headers=prefixed(inner, "verto_h_"))
            self.calls[variables["origination_uuid"]] = call
            return
        target, _, app = rest.partition(" ")
        agent = self.agent(target.partition("/")[2])
        if agent is None or not agent.connected:
            return
        caller = Party(
            variables.get("origination_caller_id_name", ""),
            variables.get("origination_caller_id_number", "0000000000"),
        )
        common: dict[str, Any] = {"caller": caller, "call_id": variables.get("origination_uuid")}
        headers = prefixed(variables, "verto_h_")
        commands = self.sim.commands
        if match := re.match(r"&eavesdrop\((\S+)\)", app):
            call = commands.eavesdrop(agent, self.replay.names.get(match[1], match[1]), headers, **common)
        elif match := re.match(r"&userspy\((\S+)\)", app):
            spied = self.agent(match[1])
            assert spied is not None
            call = commands.spy_on_agent(agent, spied, headers, **common)
        else:
            call = commands.originate(
                agent,
                caller,
                headers,
                ring_timeout=float(variables.get("originate_timeout", "60")) + 1.0,
                call_id=common["call_id"],
                variables=prefixed(variables, "verto_svar_"),
            )
        self.calls[variables.get("origination_uuid", call.primary_call_id)] = call

    async def do_uuid_kill(self, rest: str) -> None:
        uuid, _, cause = rest.partition(" ")
        if uuid in self.calls:
            await self.calls[uuid].hangs_up(cause or "NORMAL_CLEARING")

    async def do_uuid_display(self, rest: str) -> None:
        uuid, _, shown = rest.partition(" ")
        self.sim.switch.show(self.leg(uuid), Party(*shown.split("|")))

    async def do_uuid_setvar(self, rest: str) -> None:
        uuid, name, value = rest.split(" ")
        self.leg(uuid).headers[name] = value

    async def do_uuid_media_reneg(self, rest: str) -> None:
        self.sim.switch.offer_attach(self.leg(rest.partition(" ")[0]))

    async def do_chat(self, rest: str) -> None:
        _, sender, to, body = rest.split("|")
        agent = self.agent(to)
        assert agent is not None
        await agent.gets_message(sender, body)

    async def do_verto(self, rest: str) -> None:
        self.sim.commands.announce(*rest.split(" ")[1:])

    async def do_verto_pickup(self, rest: str) -> None:
        self.sim.commands.pickup(self.replay.names.get(rest, rest))

    async def do_verto_dial(self, rest: str) -> None:
        import asyncio

        uuid, login, number = rest.split(" ", 2)
        agent = self.world.agent_by_login(login)
        if agent is not None:
            self.dials.append(asyncio.create_task(agent.told_to_dial(number, uuid=uuid)))
            await asyncio.sleep(0)

    async def do_verto_send(self, rest: str) -> None:
        order = json.loads(rest)
        agent = self.agent(order["position_name"])
        assert agent is not None
        assert await agent.send(order["data"])

    async def do_verto_send_to_position_on_call(self, rest: str) -> None:
        order = json.loads(rest)
        agent = self.agent(order["position_name"])
        assert agent is not None
        call_id = self.replay.names.get(order["uuid"], order["uuid"])
        assert self.sim.commands.send_on_call(agent, call_id, order["data"], {})


def braces(text: str) -> tuple[dict[str, str], str]:
    """Split `{a=1,b='x y'}rest`."""
    inner, rest = text[1:].split("}", 1)
    parts = re.split(r"(?<!\\),", inner)
    pairs = (part.partition("=") for part in parts)
    return {name: value.strip("'") for name, _, value in pairs}, rest


def prefixed(variables: dict[str, str], prefix: str) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name.startswith(prefix)}
