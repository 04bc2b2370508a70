"""`ziwo demo whisper`: a supervisor listens in and whispers, with real sound, against a simulator in this process.

Each of the three makes a tone of its own, so that who hears whom is measured where it is heard, and not assumed.
"""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from .. import EXIT_CODES, AiortcMedia, Call, Ringing, WhisperSession, ZiwoClient
from ..media import Tone
from ..simulator import SimAgent, SimCall, Simulator, World
from ..simulator.rtp import RATE, Heard
from .meter import loudness
from .running import fail, run

if TYPE_CHECKING:
    from ..media import CallAudio

__all__ = ["whisper"]

_Ears: TypeAlias = Mapping[str, Callable[[], Awaitable[Heard]]]
_Steps: TypeAlias = tuple[tuple[Literal["agent", "both", "none"], str, Mapping[str, set[str]]], ...]

_CALLER = "+971501234567"
_VOICES = {"customer": 500, "agent": 700, "supervisor": 1100}  # Hz
_STEPS: _Steps = (
    ("none", "The supervisor only listens", {"customer": {"agent"}, "agent": {"customer"}}),
    ("agent", "The supervisor whispers", {"customer": {"agent"}, "agent": {"customer", "supervisor"}}),
    ("both", "The supervisor speaks", {"customer": {"agent", "supervisor"}, "agent": {"customer", "supervisor"}}),
)
"""Who must hear whom in each of the three modes; the supervisor always hears both of them."""
_MEASURED = 0.6
_SETTLING = 0.4
_PATIENCE = 10.0
_FULL_SCALE = 32768


def whisper(
    record: Annotated[Path, typer.Option(metavar="FILE", help="Where the recording goes.")] = Path("whisper.wav"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a recording that exists.")] = False,
) -> None:
    """Listen to a call and whisper, with real sound; measure who hears whom, and record it. Needs the extra `media`."""
    if record.is_file() and not overwrite:
        fail(f"{record} exists; use --overwrite, or --record with another name", EXIT_CODES["configuration"])
    run(_demo(record, overwrite=overwrite))


async def _demo(record: Path, *, overwrite: bool) -> int:
    world = World("demo", agents=("5555", "0011"))
    agent, supervisor = world.agent("5555"), world.agent("0011")
    theirs, ours = AiortcMedia(), AiortcMedia()  # says what is missing, before anything is begun
    async with (
        Simulator(world, media=True) as simulator,
        _client(simulator, agent, theirs) as desk,
        _client(simulator, supervisor, ours) as ziwo,
        desk.phone,
        ziwo.phone,
    ):
        typer.echo(
            f"A contact centre with sound in this process: REST on {simulator.api_url}, phone on {simulator.verto_url}"
        )
        talk, call = await _conversation(world, agent, desk)
        typer.echo(f"Customer {_CALLER} talks to agent 5555, supervisor 0011 listens in. Each of them is a tone.")
        async with ziwo.eavesdrop("5555") as session:
            recording = await session.record(record, overwrite=overwrite)
            session.play(Tone(_VOICES["supervisor"]))
            ears: _Ears = {
                "customer": lambda: talk.heard_by_customer(_MEASURED),
                "agent": lambda: _heard(call.audio),
                "supervisor": lambda: _heard(session.call.audio),
            }
            right = await _walk(session, ears)
            path = await recording.stop()
    typer.echo(f"\n{path}: {recording.seconds:.1f} s, what the supervisor heard and said")
    if not right:
        fail("that is not what everybody should hear", EXIT_CODES["failed"])
    return EXIT_CODES["stopped"]


def _client(simulator: Simulator, agent: SimAgent, media: AiortcMedia) -> ZiwoClient:
    return ZiwoClient(username=agent.username, password=agent.password, api_url=simulator.api_url, media=media)


async def _conversation(world: World, agent: SimAgent, desk: ZiwoClient) -> tuple[SimCall, Call]:
    """Let a customer call the agent, who answers; both speak."""
    customer = world.customer(_CALLER).speaks(_VOICES["customer"])
    async with desk.expect(Ringing, timeout=_PATIENCE) as ringing:
        talk = await customer.dials(agent)
    call = desk.phone.call(ringing.event.call_id)
    assert call is not None
    await call.answer()
    call.audio.play(Tone(_VOICES["agent"]))
    return talk, call


async def _walk(session: WhisperSession, ears: _Ears) -> bool:
    """Go through the three modes; gives whether everybody heard those whom they should, and nobody else."""
    right = True
    for mode, title, expected in _STEPS:
        await session.whisper(mode)
        await asyncio.sleep(_SETTLING)
        typer.echo(f"\n{f'{title} (whisper={mode})':<42}" + "".join(f"{name:>12}" for name in _VOICES))
        found = dict(zip(ears, await asyncio.gather(*(listen() for listen in ears.values())), strict=True))
        for name, heard in found.items():
            cells = (f"{_told(heard, hz) if name != other else '':>12}" for other, hz in _VOICES.items())
            typer.echo(f"{f'  the {name} hears':<42}{''.join(cells)}")
            audible = {other for other, hz in _VOICES.items() if heard.has(hz)}
            right = right and audible == expected.get(name, {"customer", "agent"})
    return right


def _told(heard: Heard, hz: int) -> str:
    if not heard.has(hz):
        return "-"
    return loudness(20 * math.log10(heard.level(hz) / math.sqrt(2) / _FULL_SCALE)).strip()


async def _heard(audio: CallAudio) -> Heard:
    """Listen at a client for a moment."""
    samples = array("h")
    count = 0
    async with asyncio.timeout(_PATIENCE), audio.frames(RATE) as frames:
        while len(samples) < _MEASURED * RATE:
            samples.frombytes((await anext(frames)).pcm)
            count += 1
    return Heard(samples, count)
