"""Coach an agent: when somebody has been speaking for long without a pause, play a tip that only the agent hears.

    pip install 'ziwo_async[cli,media]'
    ziwo simulate --media                        # in one terminal; it prints how to log in as agents 5555 and 0011
    python examples/bot_reacting_to_calls.py     # in another one, as agent 0011: it takes the calls of customers
    python examples/coaching_bot.py 0011         # in a third one, as agent 5555: it coaches agent 0011
    python examples/coaching_bot.py 0011 --tip ask-a-question.wav --after 30

The user needs the role permission `eavesdrop`. The tip is any sound file, such as a few spoken words; without one the
program makes a chime, `tip.wav`. An eavesdrop call has both voices in one, so the bot does not know whose it is: after
20 seconds it is mostly a customer who tells a long story. Between the agent's calls there is hold music, which counts
as a voice, too; then nobody hears the tip. Who must be told that they are listened to is for you to know:
docs/explanation/consent.md.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import time
import wave
from array import array
from contextlib import suppress
from pathlib import Path

from ziwo_async import AiortcMedia, VoiceActivity, VoiceStarted, WhisperSession, ZiwoClient

NOTES = (880, 660)  # Hz
NOTE_SECONDS = 0.4
RATE = 16_000
# Somebody who is quiet for less than this has only taken a breath.
SPEECH = VoiceActivity(pause=1.0)


def make_chime(path: Path) -> None:
    """Two notes that fade out, in place of spoken words, unless there is a file."""
    if path.exists():
        return
    count = round(NOTE_SECONDS * RATE)
    samples = array(
        "h",
        (
            round(9000 * (1 - n / count) * math.sin(2 * math.pi * hertz * n / RATE))
            for hertz in NOTES
            for n in range(count)
        ),
    )
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())


async def give_tip(session: WhisperSession, tip: Path, seconds: float) -> None:
    await asyncio.sleep(seconds)  # cancelled when the voice pauses before that
    print(f"tip: {tip}", flush=True)
    await session.play(tip)


async def coach(session: WhisperSession, tip: Path, after: float) -> None:
    waiting: asyncio.Task[None] | None = None
    async with asyncio.TaskGroup() as tasks:
        async for event in session.call.audio.voice(SPEECH):  # ends with the call
            if isinstance(event, VoiceStarted):
                print("somebody speaks", flush=True)
                already = time.time() - event.at
                waiting = tasks.create_task(give_tip(session, tip, after - already))
            elif waiting is not None:
                print(f"a pause, after {event.seconds:.1f} s", flush=True)
                waiting.cancel()


async def main(agent: str, tip: Path, after: float) -> None:
    ziwo = ZiwoClient.from_env(media=AiortcMedia())
    await asyncio.to_thread(make_chime, tip)
    async with ziwo, ziwo.phone, ziwo.eavesdrop(agent, whisper="agent") as session:  # nobody else hears us
        await coach(session, tip, after)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Coach an agent by voice.")
    parser.add_argument("agent", nargs="?", default="0011", help="the agent's number (ccLogin)")
    parser.add_argument("--tip", type=Path, default=Path("tip.wav"), help="what the agent hears")
    parser.add_argument("--after", type=float, default=20.0, metavar="SECONDS", help="of speech without a pause")
    arguments = parser.parse_args()
    with suppress(KeyboardInterrupt):
        asyncio.run(main(arguments.agent, arguments.tip, arguments.after))
