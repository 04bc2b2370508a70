"""Listen to an agent: record the conversation, and print how loud it is and when somebody speaks.

    pip install 'ziwo_async[cli,media]'
    ziwo simulate --media                        # in one terminal; it prints how to log in as agents 5555 and 0011
    python examples/bot_reacting_to_calls.py     # in another one, as agent 0011: it takes the calls of customers
    python examples/whisper_bot.py 0011          # in a third one, as agent 5555: it listens to them

The user needs the role permission `eavesdrop`. The eavesdrop call rings this program's phone and is answered by itself;
between the agent's calls there is hold music. Ctrl-C ends it, and the recording is whole then. Who must be told that
they are listened to and recorded is for you to know: docs/explanation/consent.md.
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress
from pathlib import Path

from ziwo_async import AiortcMedia, EavesdropAudit, Router, VoiceStarted, WhisperSession, ZiwoClient

router = Router()


@router.on(EavesdropAudit)
async def keep(event: EavesdropAudit) -> None:
    # One for each step: asked for, answered, ended. A real program keeps these where nobody can change them.
    failed = f", failed: {event.error}" if event.error else ""
    print(f"audit: {event.at:%H:%M:%S} {event.user} {event.action} agent {event.agent}{failed}", flush=True)


async def print_levels(session: WhisperSession) -> None:
    async for levels in session.call.audio.levels(every=1.0):
        print(f"heard: {levels.received:.0f} dB", flush=True)  # 0 is the loudest there is, -100 is silence


async def print_voices(session: WhisperSession) -> None:
    async for event in session.call.audio.voice():
        if isinstance(event, VoiceStarted):
            print("somebody speaks", flush=True)
        else:
            print(f"nobody speaks, after {event.seconds:.1f} s", flush=True)


async def main(agent: str, folder: Path) -> None:
    ziwo = ZiwoClient.from_env(router=router, media=AiortcMedia())
    await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
    async with ziwo, ziwo.phone, ziwo.eavesdrop(agent) as session:
        recording = await session.record(folder)  # named by the call
        try:
            async with asyncio.TaskGroup() as tasks:  # both end with the call
                tasks.create_task(print_levels(session))
                tasks.create_task(print_voices(session))
        finally:
            print(f"recorded: {await recording.stop()}, {recording.seconds:.1f} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Listen to an agent and record.")
    parser.add_argument("agent", nargs="?", default="0011", help="the agent's number (ccLogin)")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("conversations"), help="where recordings go")
    arguments = parser.parse_args()
    with suppress(KeyboardInterrupt):
        asyncio.run(main(arguments.agent, arguments.folder))
