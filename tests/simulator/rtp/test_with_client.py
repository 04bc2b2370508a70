"""The whole of it: `ZiwoClient` with `AiortcMedia` against a simulator with sound."""

from __future__ import annotations

import asyncio
import wave
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from ziwo_async import Active, ReconnectPolicy, Ringing, Router, ZiwoClient
from ziwo_async.media import AiortcMedia, CallAudio
from ziwo_async.media import Tone as Said
from ziwo_async.phone.call import Call
from ziwo_async.simulator import SimAgent, SimCall, Simulator, World
from ziwo_async.simulator.rtp import HOLD_MUSIC, RATE, Heard

from .phone import AGENT, CUSTOMER, NUMBER, comes

pytestmark = pytest.mark.media

SUPERVISOR = 1_100

MakeClient = Callable[[SimAgent], Awaitable[ZiwoClient]]


@pytest.fixture
async def client_of(sim: Simulator) -> AsyncIterator[MakeClient]:
    """Clients of agents, their phones started; a call that rings is answered, and says the agent's tone."""
    async with AsyncExitStack() as stack:

        async def make(agent: SimAgent) -> ZiwoClient:
            router = Router()

            @router.on(Ringing, when=lambda event: event.customer_number == NUMBER)
            async def pick_up(call: Call, event: Ringing) -> None:
                await call.answer()

            ziwo = ZiwoClient(
                username=agent.username,
                password=agent.password,
                api_url=sim.api_url,
                router=router,
                media=AiortcMedia(),
                reconnect=ReconnectPolicy(base=0.01, cap=0.05),
            )
            await stack.enter_async_context(ziwo)
            await stack.enter_async_context(ziwo.phone)
            return ziwo

        yield make


async def arrives(audio: CallAudio, *wanted: int, of: tuple[int, ...] = ()) -> None:
    """Wait until exactly these tones arrive at the client."""
    everything = {AGENT, CUSTOMER, SUPERVISOR, HOLD_MUSIC, *wanted, *of}
    heard: set[int] = set()
    async with asyncio.timeout(20):
        async with audio.frames(rate=RATE) as frames:
            while heard != set(wanted):
                samples = array("h")
                for _ in range(10):
                    samples.frombytes((await anext(frames)).pcm)
                stretch = Heard(samples, 10)
                heard = {hz for hz in everything if stretch.has(hz)}


async def talk(world: World, ziwo: ZiwoClient) -> tuple[SimCall, Call]:
    """A customer calls, the agent's bot answers and says its tone."""
    sim_call = await world.customer(NUMBER).dials(world.agent("0011"))
    await sim_call.media_comes_up()
    call = next(iter(ziwo.phone.calls))
    await call.wait_for(Active)
    call.audio.play(Said(AGENT))
    return sim_call, call


async def test_dial_hold_and_back(world: World, client_of: MakeClient) -> None:
    world.customer(NUMBER).will(answer_after=0.05, early_media=True)
    ziwo = await client_of(world.agent("0011"))
    call = await ziwo.phone.dial(NUMBER)
    await call.wait_for(Active)
    call.audio.play(Said(AGENT))
    sim_call = await world.customer(NUMBER).is_called()
    await asyncio.gather(comes(sim_call, AGENT), arrives(call.audio, CUSTOMER))
    await call.hold()
    await comes(sim_call, HOLD_MUSIC)
    await call.unhold()
    await asyncio.gather(comes(sim_call, AGENT), arrives(call.audio, CUSTOMER))


async def test_an_inbound_call_and_its_recovery_after_a_cut(
    world: World, client_of: MakeClient, sim: Simulator
) -> None:
    ziwo = await client_of(world.agent("0011"))
    sim_call, call = await talk(world, ziwo)
    await asyncio.gather(comes(sim_call, AGENT), arrives(call.audio, CUSTOMER))
    await sim.faults.cut_phone_socket()
    assert sim_call.state == "detached"
    await sim_call.reaches("active")
    await sim_call.media_comes_up()
    await asyncio.gather(comes(sim_call, AGENT), arrives(call.audio, CUSTOMER))


async def test_a_whisper_session_is_heard_as_asked(world: World, client_of: MakeClient) -> None:
    agent, boss = await client_of(world.agent("0011")), await client_of(world.agent("5555"))
    async with boss.eavesdrop("0011", whisper="agent") as session:
        await arrives(session.call.audio, HOLD_MUSIC)
        session.play(Said(SUPERVISOR))
        sim_call, call = await talk(world, agent)
        for whisper, by_agent, by_customer in (
            ("agent", {CUSTOMER, SUPERVISOR}, {AGENT}),
            ("both", {CUSTOMER, SUPERVISOR}, {AGENT, SUPERVISOR}),
            ("none", {CUSTOMER}, {AGENT}),
        ):
            await session.whisper(whisper)
            await asyncio.gather(
                arrives(session.call.audio, AGENT, CUSTOMER),
                arrives(call.audio, *by_agent),
                comes(sim_call, *by_customer, of=(SUPERVISOR,)),
            )


async def test_a_whisper_session_outlives_a_cut_and_so_does_its_recording(
    world: World, client_of: MakeClient, sim: Simulator, tmp_path: Path
) -> None:
    agent, boss = await client_of(world.agent("0011")), await client_of(world.agent("5555"))
    sim_call, call = await talk(world, agent)
    async with boss.eavesdrop("0011", whisper="both") as session:
        await session.record(tmp_path / "coaching.wav", rate=RATE)
        session.play(Said(SUPERVISOR))
        everybody = (
            lambda: arrives(session.call.audio, AGENT, CUSTOMER),
            lambda: arrives(call.audio, CUSTOMER, SUPERVISOR),
            lambda: comes(sim_call, AGENT, SUPERVISOR, of=(SUPERVISOR,)),
        )
        await asyncio.gather(*(hears() for hears in everybody))
        async with boss.expect(Active, where=lambda event: event.call_id == session.call.id, timeout=5):
            await sim.faults.cut_phone_socket(world.agent("5555"))
        await asyncio.gather(*(hears() for hears in everybody))
    with wave.open(str(tmp_path / "coaching.wav")) as file:
        samples = array("h", file.readframes(file.getnframes()))
    stretches = [Heard(samples[at : at + RATE // 5], 10) for at in range(0, len(samples), RATE // 5)]
    full = [all(one.has(hz) for hz in (AGENT, CUSTOMER, SUPERVISOR)) for one in stretches]
    assert True in full[: len(full) // 2]
    assert True in full[len(full) // 2 :]
