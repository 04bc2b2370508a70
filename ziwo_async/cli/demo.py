"""`ziwo demo`: two calls through every documented state, against a simulator in this process.

`ziwo demo whisper` is next door.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from .. import EXIT_CODES, Active, Call, Destroy, Event, Held, Ringing, Router, Verdict, ZiwoClient, check_flow
from ..simulator import SimAgent, Simulator, World
from .demo_whisper import whisper
from .running import fail, following, run
from .screen import Screen
from .views import Timeline, show_json

__all__ = ["demo"]

_CALLER = "+971501234567"
_CALLED = "+971507654321"
# No step takes longer than this, unless something is wrong.
_PATIENCE = 10.0

_NEXT = """
Next, in two terminals:

  1.  ziwo simulate                 a contact centre on this machine; customers keep calling
  2.  the 15-line bot of README.md  it answers them

More:  ziwo demo whisper                 a supervisor listens in and whispers, with real sound
       ziwo demo --json | ziwo flow -    the same calls as documented objects, judged
       docs/tutorial/index.md            your first bot in 10 minutes
"""


demo = typer.Typer(help="Two calls through every state, or `whisper`: a supervisor in a call. Needs no account.")
demo.command()(whisper)


@demo.callback(invoke_without_command=True)
def calls(
    context: typer.Context,
    json: Annotated[
        bool, typer.Option("--json", help="Only the documented object of each state, one JSON object a line.")
    ] = False,
    speed: Annotated[float, typer.Option(min=0.5, max=100.0, help="How many times faster than real.")] = 1.0,
) -> None:
    """Run an inbound and an outbound call against a simulator in this process. Needs no account and no network.

    `ziwo demo whisper` lets a supervisor listen in and whisper instead, with real sound.
    """
    if context.invoked_subcommand is not None:
        if json or speed != 1.0:
            fail(f"--json and --speed are not for `demo {context.invoked_subcommand}`", EXIT_CODES["configuration"])
        return
    run(_demo(speed, show_json if json else None))


async def _demo(speed: float, json_view: Callable[[Event], None] | None) -> int:
    console = Screen()
    say: Callable[[str], None] = (
        _silent if json_view else lambda text: console.print(text, highlight=False, soft_wrap=True)
    )
    show = json_view or Timeline(console).show
    pause = _pauses(speed)
    world = World("demo", agents=("5555",))
    agent = world.agent("5555")
    async with Simulator(world) as simulator:
        say(f"A contact centre in this process: REST on {simulator.api_url}, phone on {simulator.verto_url}")
        bot = _Bot(pause)
        ziwo = ZiwoClient(
            username=agent.username, password=agent.password, api_url=simulator.api_url, router=bot.router
        )
        async with following(ziwo, show):
            await pause(0.3)
            flows = [
                await _inbound(ziwo, world, agent, bot, pause, say),
                await _outbound(ziwo, world, speed, pause, say),
            ]
    say(_NEXT.rstrip())
    return EXIT_CODES["stopped" if all(flow is Verdict.DOCUMENTED for flow in flows) else "failed"]


def _silent(text: str) -> None:
    del text


def _pauses(speed: float) -> Callable[[float], Awaitable[None]]:
    async def pause(seconds: float) -> None:
        await asyncio.sleep(seconds / speed)

    return pause


class _Bot:
    """Answers what rings, puts it on hold for a moment, and says when it is done."""

    def __init__(self, pause: Callable[[float], Awaitable[None]]) -> None:
        self.router = Router()
        self.done = asyncio.Event()

        @self.router.during(Ringing)
        async def answer(call: Call, event: Ringing) -> None:
            del event
            await pause(0.8)
            await call.answer()
            await _hold_for_a_moment(call, pause)
            self.done.set()


async def _hold_for_a_moment(call: Call, pause: Callable[[float], Awaitable[None]]) -> None:
    await call.wait_for(Active, _PATIENCE)
    await pause(0.7)
    await call.hold()
    await call.wait_for(Held, _PATIENCE)
    await pause(0.7)
    await call.unhold()
    await pause(0.6)


async def _inbound(
    ziwo: ZiwoClient,
    world: World,
    agent: SimAgent,
    bot: _Bot,
    pause: Callable[[float], Awaitable[None]],
    say: Callable[[str], None],
) -> Verdict:
    say("\nInbound: a customer calls the agent; the bot answers, holds, and the customer hangs up\n")
    async with ziwo.expect(Destroy, timeout=_PATIENCE) as ended:
        talk = await world.customer(_CALLER).dials(agent)
        async with asyncio.timeout(_PATIENCE):
            await bot.done.wait()
        await talk.hangs_up()
    await pause(0.3)
    return check_flow(ended.event.state_flow).verdict


async def _outbound(
    ziwo: ZiwoClient,
    world: World,
    speed: float,
    pause: Callable[[float], Awaitable[None]],
    say: Callable[[str], None],
) -> Verdict:
    say("\nOutbound: the bot calls a customer, holds, and hangs up\n")
    world.customer(_CALLED).will(ring=0.5 / speed, early_media=True, answer_after=0.8 / speed)
    call = await ziwo.phone.dial(_CALLED)
    await _hold_for_a_moment(call, pause)
    await call.hangup()
    await pause(0.1)
    return check_flow(call.state_flow).verdict
