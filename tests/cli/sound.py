"""A contact centre with sound: a conversation to listen to, a file to play, and what is in a recording."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ziwo_async import AiortcMedia, Call, Ringing, ZiwoClient
from ziwo_async.media import Tone
from ziwo_async.simulator import SimCall, Simulator
from ziwo_async.testing import FAST_SERVER, ServedWorld

from ..media.kit import read_wav, sine, strength, wav_file

__all__ = ["AGENT", "CUSTOMER", "TIP", "conversation", "eavesdrop_call", "make_tip", "serve_with_sound", "tones_in"]

CUSTOMER, AGENT, TIP = 500, 700, 900
"""What the parties and the file sound like, in Hz."""
NUMBER = "+97150000000"
PATIENCE = 40.0
_RATE = 16_000


@asynccontextmanager
async def serve_with_sound() -> AsyncIterator[ServedWorld]:
    """Like `serve`, with real media."""
    world = ServedWorld(agents=("0011", "5555"))
    async with Simulator(world, options=FAST_SERVER, media=True):
        yield world


@asynccontextmanager
async def conversation(world: ServedWorld) -> AsyncIterator[tuple[SimCall, Call]]:
    """Agent 5555 talks to a customer, and both make their tones; the call as the server and as the agent has it."""
    agent = world.agent("5555")
    media = AiortcMedia(stun=())
    desk = ZiwoClient(username=agent.username, password=agent.password, api_url=world.api_url, media=media)
    async with desk, desk.phone:
        async with desk.expect(Ringing, timeout=PATIENCE) as ringing:
            talk = await world.customer(NUMBER).speaks(CUSTOMER).dials(agent)
        call = desk.phone.call(ringing.event.call_id)
        assert call is not None
        await call.answer()
        call.audio.play(Tone(AGENT))
        yield talk, call


def eavesdrop_call(world: ServedWorld) -> SimCall:
    """The call of the supervisor."""
    (call,) = (call for call in world.calls if call.customer is None)
    return call


def make_tip(path: Path, seconds: float = 0.3) -> Path:
    """A WAV file with a tone of its own."""
    return wav_file(path, sine(TIP, seconds, _RATE), _RATE)


def tones_in(path: Path, *, least: float = 0.05) -> set[int]:
    """Which of the tones are in a recording; in its pieces, since the gaps of a busy machine break a tone's phase."""
    pcm, rate, channels = read_wav(path)
    assert channels == 1
    step = rate // 5 * 2
    pieces = [pcm[at : at + step] for at in range(0, len(pcm), step)]
    heard = [piece for piece in pieces if any(piece)]
    return {
        hz
        for hz in (CUSTOMER, AGENT, TIP)
        if sum(strength(piece, rate, hz) for piece in heard) >= least * len(heard) > 0
    }
