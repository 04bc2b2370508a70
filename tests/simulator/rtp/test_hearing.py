"""Who hears whom, in every state of a call: the plan, and what the mixer makes of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal

import pytest

from ziwo_async.simulator import Leg, Outside, Party, SimAgent, SimCall, World
from ziwo_async.simulator.rtp import HOLD_MUSIC, RINGBACK, Mixer, Silence, Tone
from ziwo_async.simulator.rtp.hearing import Hearing
from ziwo_async.simulator.rtp.mixer import Patch
from ziwo_async.simulator.rtp.pcm import FRAME, Ear, Frame, Source

pytestmark = pytest.mark.media

AGENT, OTHER, CUSTOMER, SUPERVISOR = 440, 660, 880, 1_100
EVERYTHING = (AGENT, OTHER, CUSTOMER, SUPERVISOR, HOLD_MUSIC, RINGBACK)


@dataclass
class Ears:
    """A listener that remembers."""

    ear: Ear = field(default_factory=lambda: Ear(0.1))

    async def put(self, frame: Frame | None) -> None:
        self.ear.hear(frame)

    def tones(self) -> set[int] | None:
        """What was heard; None: nothing was sent at all."""
        heard = self.ear.heard()
        return {hz for hz in EVERYTHING if heard.has(hz)} if heard.frames else None


class Scene:
    """Channels, put together by hand."""

    def __init__(self) -> None:
        self.world = World()
        self.world.add_agent("7777")
        self.legs: dict[str, Leg] = {}
        self.voices: dict[Leg, Source] = {}
        voice = Tone(CUSTOMER)
        self.hearing = Hearing(self.legs, self.voices, lambda _: voice)

    def leg(self, cc_login: str, hz: int, *, answered: bool = True) -> Leg:
        agent: SimAgent = self.world.agent(cc_login)
        name = f"{cc_login}-{len(self.legs)}"
        party = Party(name, name)
        leg = Leg(call_id=name, sessid=name, agent=agent, dialled=False, caller=party, callee=party, answered=answered)
        leg.call = SimCall(self.world, name, None)
        self.legs[name] = leg
        self.voices[leg] = Tone(hz)
        return leg

    def customer(self, leg: Leg | None = None, *, service: bool = False, answered: bool = True) -> Outside:
        outside = Outside(
            uuid="x", party=Party("c", "+1"), service=service, customer=self.world.customer("+1"), answered=answered
        )
        outside.call = SimCall(self.world, "x", None)
        outside.other = leg
        if leg is not None:
            leg.other = outside
        return outside

    def supervisor(self, *, on: Leg | None = None, whisper: str = "none") -> Leg:
        spy = self.leg("7777", SUPERVISOR)
        assert spy.call is not None
        spy.call.whisper = whisper
        if on is not None:
            spy.spies_on = on.call_id
        else:
            spy.spied_agent = self.world.agent("0011")
        return spy

    async def hear(self, *parties: Leg | Outside) -> list[set[int] | None]:
        """What each party hears."""
        ears = [Ears() for _ in parties]

        def plan() -> list[Patch]:
            both = zip(ears, parties, strict=True)
            return [
                Patch(ear, self.hearing.by_leg(party) if isinstance(party, Leg) else self.hearing.by_outside(party))
                for ear, party in both
            ]

        mixer = Mixer(plan)
        for _ in range(5):
            await mixer.tick()
        return [ear.tones() for ear in ears]


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_agent_and_customer_hear_each_other_and_not_themselves(scene: Scene) -> None:
    agent = scene.leg("0011", AGENT)
    customer = scene.customer(agent)
    assert await scene.hear(agent, customer) == [{CUSTOMER}, {AGENT}]


async def test_two_agents_hear_each_other(scene: Scene) -> None:
    one, other = scene.leg("0011", AGENT), scene.leg("5555", OTHER)
    one.other, other.other = other, one
    assert await scene.hear(one, other) == [{OTHER}, {AGENT}]


async def test_an_echo_gives_back_what_was_said(scene: Scene) -> None:
    agent = scene.leg("0011", AGENT)
    scene.customer(agent, service=True)
    assert await scene.hear(agent) == [{AGENT}]


async def test_a_held_agent_gets_nothing_and_the_other_side_music(scene: Scene) -> None:
    agent = scene.leg("0011", AGENT)
    customer = scene.customer(agent)
    agent.held = True
    assert await scene.hear(agent, customer) == [None, {HOLD_MUSIC}]
    one, other = scene.leg("0011", AGENT), scene.leg("5555", OTHER)
    one.other, other.other = other, one
    other.held = True
    assert await scene.hear(one, other) == [{HOLD_MUSIC}, None]


async def test_while_detached_nobody_is_sent_anything(scene: Scene) -> None:
    one, other = scene.leg("0011", AGENT), scene.leg("5555", OTHER)
    one.other, other.other = other, one
    one.attached = False
    assert await scene.hear(one, other) == [None, None]


async def test_before_the_answer_there_is_ringback_at_most(scene: Scene) -> None:
    ringing, early = scene.leg("0011", AGENT, answered=False), scene.leg("5555", OTHER, answered=False)
    early.media_sent = True
    caller, clicked = scene.customer(), scene.leg("0011", AGENT)
    scene.customer(clicked, answered=False)
    assert await scene.hear(ringing, early, caller, clicked) == [None, {RINGBACK}, {RINGBACK}, {RINGBACK}]


async def test_whoever_waits_in_a_queue_hears_music(scene: Scene) -> None:
    caller = scene.customer()
    assert caller.call is not None
    caller.call.queue = scene.world.queue("sales")
    assert await scene.hear(caller) == [{HOLD_MUSIC}]


async def test_parked_and_ended_legs_are_sent_nothing(scene: Scene) -> None:
    parked, ended = scene.leg("0011", AGENT), scene.leg("5555", OTHER)
    scene.customer(ended)
    ended.ended = True
    assert await scene.hear(parked, ended) == [None, None]


# ---- listening in ------------------------------------------------------------------------------------------------

Whisper = Literal["none", "agent", "customer", "both"]


@pytest.mark.parametrize(
    ("whisper", "agent_hears", "customer_hears"),
    [
        ("none", {CUSTOMER}, {AGENT}),
        ("agent", {CUSTOMER, SUPERVISOR}, {AGENT}),
        ("customer", {CUSTOMER}, {AGENT, SUPERVISOR}),
        ("both", {CUSTOMER, SUPERVISOR}, {AGENT, SUPERVISOR}),
    ],
)
@pytest.mark.parametrize("mode", ["call", "agent"])
async def test_a_supervisor_hears_both_and_is_heard_as_asked(
    scene: Scene, mode: str, whisper: Whisper, agent_hears: set[int], customer_hears: set[int]
) -> None:
    agent = scene.leg("0011", AGENT)
    customer = scene.customer(agent)
    spy = scene.supervisor(on=agent if mode == "call" else None, whisper=whisper)
    assert await scene.hear(spy, agent, customer) == [{AGENT, CUSTOMER}, agent_hears, customer_hears]


async def test_a_call_between_agents_is_heard_from_the_watched_ones_side(scene: Scene) -> None:
    one, other = scene.leg("0011", AGENT), scene.leg("5555", OTHER)
    one.other, other.other = other, one
    spy = scene.supervisor(whisper="agent")
    assert await scene.hear(spy, one, other) == [{AGENT, OTHER}, {OTHER, SUPERVISOR}, {AGENT}]
    assert spy.call is not None
    spy.call.whisper = "customer"
    # The far end is an agent's leg too, but nobody watches that agent.
    assert await scene.hear(one, other) == [{OTHER}, {AGENT, SUPERVISOR}]


async def test_of_an_idle_agent_the_supervisor_hears_music(scene: Scene) -> None:
    spy = scene.supervisor()
    assert await scene.hear(spy) == [{HOLD_MUSIC}]
    ringing = scene.leg("0011", AGENT, answered=False)
    scene.customer(ringing)
    assert await scene.hear(spy) == [{HOLD_MUSIC}], "a call counts from its bridge on"
    ringing.answered = True
    assert await scene.hear(spy) == [{AGENT, CUSTOMER}]
    del scene.legs[ringing.call_id]
    assert await scene.hear(spy) == [{HOLD_MUSIC}]


async def test_during_hold_the_supervisor_hears_both_and_is_heard_by_nobody(scene: Scene) -> None:
    agent = scene.leg("0011", AGENT)
    customer = scene.customer(agent)
    spy = scene.supervisor(whisper="both")
    agent.held = True
    assert await scene.hear(spy, agent, customer) == [{AGENT, CUSTOMER}, None, {HOLD_MUSIC}]


async def test_a_supervisor_who_holds_or_is_detached_neither_hears_nor_is_heard(scene: Scene) -> None:
    agent = scene.leg("0011", AGENT)
    customer = scene.customer(agent)
    spy = scene.supervisor(whisper="both")
    spy.held = True
    assert await scene.hear(spy, agent, customer) == [None, {CUSTOMER}, {AGENT}]
    spy.held, spy.attached = False, False
    assert await scene.hear(spy, agent, customer) == [None, {CUSTOMER}, {AGENT}]


async def test_two_supervisors_do_not_hear_each_other(scene: Scene) -> None:
    agent = scene.leg("0011", AGENT)
    scene.customer(agent)
    first, second = scene.supervisor(whisper="agent"), scene.supervisor(whisper="none")
    scene.voices[second] = Tone(OTHER)
    assert await scene.hear(first, second, agent) == [{AGENT, CUSTOMER}, {AGENT, CUSTOMER}, {CUSTOMER, SUPERVISOR}]


async def test_a_watched_echo_is_the_agent_alone(scene: Scene) -> None:
    agent = scene.leg("0011", AGENT)
    scene.customer(agent, service=True)
    assert await scene.hear(scene.supervisor()) == [{AGENT}]


# ---- the mixer ---------------------------------------------------------------------------------------------------


class Counting:
    """A source that says how often it was asked."""

    def __init__(self) -> None:
        self.taken = 0

    def take(self) -> Frame:
        self.taken += 1
        return Silence().take()


async def test_a_source_is_taken_from_once_however_many_hear_it_or_nobody_does() -> None:
    heard, unheard, ears = Counting(), Counting(), [Ears(), Ears()]
    mixer = Mixer(lambda: [Patch(ears[0], [heard], unheard), Patch(ears[1], [heard, heard], None)])
    for _ in range(3):
        await mixer.tick()
    assert (heard.taken, unheard.taken) == (3, 3)


async def test_the_mixer_runs_every_20_ms_and_ends() -> None:
    source, full = Counting(), asyncio.Event()

    class Counter:
        async def put(self, frame: Frame | None) -> None:
            assert frame is not None
            assert len(frame) == FRAME
            if source.taken == 10:
                full.set()

    loop = asyncio.get_running_loop()
    began = loop.time()
    async with Mixer(lambda: [Patch(Counter(), [source])]), asyncio.timeout(20):
        await full.wait()
        assert loop.time() - began >= 0.17, "nine times 20 ms lie between ten frames"
    taken = source.taken
    await asyncio.sleep(0.03)
    assert source.taken == taken


async def test_a_mistake_in_the_plan_is_not_hidden() -> None:
    asked = asyncio.Event()

    def plan() -> list[Patch]:
        asked.set()
        raise RuntimeError("bug")

    with pytest.raises(RuntimeError, match="bug"):
        async with Mixer(plan):
            await asked.wait()
