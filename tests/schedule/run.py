"""Runs a plan in virtual time against the simulator, and says what of it went wrong."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sys
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from ziwo_async import ClientClosed, LoginLimiter, Phone, ZiwoError
from ziwo_async.simulator import Clock, JournalEntry, Simulator, World
from ziwo_async.testing import Deadlock, LeftBehind, LinkOptions, Runaway, VirtualLoop, run_virtual

from .desk import Desk, Made
from .plan import AGENTS, ECHO, NUMBERS, Plan
from .steps import Steps
from .witness import Errors

_LAST_LINES = 60
_HEALING = 420.0
_SETTLING = 20.0
_CLOSING = 40.0
_DRAINING = 10.0
_RINGING = 70.0
_PROBES = 4


@dataclass
class Result:
    """What came of a plan.

    Attributes:
        wrong: What went wrong; empty when nothing did.
        digest: SHA-256 of every frame and event with its time.
        last: The end of that trace.
        seconds: Virtual time it took.
        counts: How many lines of the trace, frames and events there were.
    """

    wrong: list[str] = field(default_factory=list[str])
    digest: str = ""
    last: list[str] = field(default_factory=list[str])
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict[str, int])


class Run:
    """One run of a plan."""

    def __init__(self, plan: Plan, loop: VirtualLoop) -> None:
        self.plan = plan
        self.loop = loop
        self.result = Result()
        self.phones: list[Made] = []
        self.limiter = LoginLimiter(clock=loop.time)
        self.desks: list[Desk] = []
        self.actions: list[asyncio.Task[None]] = []
        self.timers: list[asyncio.TimerHandle] = []
        self._hash = hashlib.sha256()
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._lines = 0
        self.suspended = 0.0
        self.slept = 0.0
        self.world = World(seed=plan.seed, agents=AGENTS)
        for number in NUMBERS:
            self.world.customer(number)
        loop.network.options = plan.network
        self.sim = Simulator(self.world, options=plan.server, clock=Clock(epoch=loop.epoch), serve_rest=False)
        # The journal is bounded; the trace is not.
        setattr(self.sim.journal, "add", self._frame)  # noqa: B010

    # ---- the trace -------------------------------------------------------------------------------------------

    def note(self, line: str) -> None:
        line = f"{self.loop.elapsed:.6f} {line}"
        self._lines += 1
        self._hash.update(line.encode())
        self._last.append(line)

    def _frame(self, entry: JournalEntry) -> None:
        self.note(f"{'<' if entry.kind == 'out' else '>'} {entry.peer} {entry.agent} {entry.text}")

    def wrong(self, what: str) -> None:
        self.result.wrong.append(f"at {self.loop.elapsed:.3f} s: {what}")

    # ---- the run ---------------------------------------------------------------------------------------------

    async def main(self) -> None:
        async with self.sim:
            self.desks += [Desk(self, agent) for agent in self.world.agents[: self.plan.phones]]
            for desk in self.desks:
                async with asyncio.timeout(60):
                    await desk.start()
            begin = self.loop.elapsed
            for step in self.plan.steps:
                if (wait := begin + step.at - self.loop.elapsed) > 0:
                    await asyncio.sleep(wait)
                self._nobody_is_deaf()
                self.note(str(step))
                getattr(Steps(self, step.where), step.what)(*step.args)
            # The last steps have begun, too.
            await asyncio.sleep(0.01)
            await self._heal()
            await self._finish_actions()
            for desk in self.desks:
                await self._all_is_well(desk)
            await asyncio.gather(*(self._close(desk, self.plan.close) for desk in self.desks))
            for made in self.phones:
                await self._nothing_left(made)
            # Longer than any call outlives its phone: those that were kept are over now, too.
            await asyncio.sleep(self.plan.server.detach_timeout + _RINGING)
            if self.sim.switch.legs or self.sim.verto.sessions():
                self.wrong(f"the server still has {self.sim.verto.sessions()} and the calls {[*self.sim.switch.legs]}")

    def _nobody_is_deaf(self) -> None:
        """A phone that is ready has heard of the server not long ago, or has noticed that it did not."""
        liveness = self.plan.liveness
        for desk in self.desks:
            connection = desk.phone._core.connection
            if connection is None or not desk.phone.ready:
                continue
            silence = self.loop.time() - max(connection._heard, self.slept)
            if silence > liveness.silence + liveness.reply + 2 * liveness.tick + 1:
                self.wrong(f"{desk.witness.name} is ready, and has heard nothing for {silence:.1f} s")

    async def restart(self, desk: Desk, how: str, *, same_session: bool) -> None:
        """The program ends, and another takes its place."""
        old = desk.phone
        await self._close(desk, how)
        if desk.phone is old:
            desk.open(old._core.session.sessid if same_session else None)
            await desk.start()

    async def _heal(self) -> None:
        """End every fault, so that all can become well again."""
        for timer in self.timers:
            if not timer.cancelled() and timer.when() > self.loop.time():
                timer.cancel()
        network, faults = self.loop.network, self.sim.faults
        network.options = LinkOptions()
        network.refuse(False)
        network.come_back()
        for link in network.links:
            link.options = LinkOptions()
        faults.refuse_connections(False)
        faults.close_during_login(0)
        faults.delay_replies(0)
        faults.slow_server(0)
        faults._plan.failures.clear()
        faults._plan.drops.clear()
        faults._plan.swaps.clear()
        for agent in self.world.agents:
            faults.release(agent)
        for session in self.sim.verto.sessions():
            if session._frozen:
                session.abort()  # TCP has given up at last

    async def _finish_actions(self) -> None:
        if self.actions:
            _, still = await asyncio.wait(self.actions, timeout=_HEALING)
            for task in still:
                self.wrong(f"an action never ended: {task!r}")
        for task in self.actions:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                self.wrong(f"an action failed with {error!r}")

    async def _all_is_well(self, desk: Desk) -> None:
        """A phone that did not fail is ready again, agrees with the server about its calls, and can be used."""
        for attempt in range(_PROBES):
            if not await self._is_ready(desk):
                return
            await asyncio.sleep(_SETTLING)
            if not await self._is_ready(desk):
                return
            problem = self._disagreement(desk) or await self._probe(desk.phone)
            if problem is None:
                return
            self.note(f"{desk.witness.name} attempt {attempt}: {problem}")
            if attempt == _PROBES - 1:
                self.wrong(f"{desk.witness.name} is ready, but {problem}")

    async def _is_ready(self, desk: Desk) -> bool:
        """Wait until the phone is ready; False when it failed or was closed, as it may."""
        phone, since = desk.phone, self.loop.elapsed
        while not phone.ready and phone._core.failure is None and phone._owner.running:
            if self.loop.elapsed > since + _HEALING:
                self.wrong(f"{desk.witness.name} is not ready {_HEALING:g} s after everything was healed: {phone!r}")
                return False
            await asyncio.sleep(1)
        failure = phone._core.failure
        if isinstance(failure, ClientClosed):
            self.wrong(f"{desk.witness.name} failed: {failure}")
        return failure is None and phone._owner.running

    def _disagreement(self, desk: Desk) -> str | None:
        ours = {call.id for call in desk.phone.calls}
        sessid = desk.phone._core.session.sessid
        theirs = {leg.call_id for leg in self.sim.switch.legs.values() if leg.sessid == sessid}
        if ours - theirs:
            return f"it has calls that the server does not know: {sorted(ours - theirs)}"
        core = desk.phone._core
        if left := {*core.media._entries, *core.media._offers} - ours:
            return f"it holds the media of calls that are over: {sorted(left)}"
        if core.open_requests > 1:  # a ping may be on its way
            return f"{core.open_requests} requests wait for a reply"
        if theirs - ours:
            return f"the server has calls that it does not know: {sorted(theirs - ours)}"
        return None

    async def _probe(self, phone: Phone) -> str | None:
        try:
            async with asyncio.timeout(_SETTLING):
                call = await phone.dial(ECHO)
                await call.wait_for("active")
                await call.hangup()
        except (ZiwoError, TimeoutError) as error:
            return f"a call fails: {error!r}"
        return None

    async def _close(self, desk: Desk, how: str) -> None:
        phone, since = desk.phone, self.loop.elapsed - self.suspended
        match how:
            case "cancel":
                closing = self.loop.create_task(phone.aclose())
                await asyncio.sleep(0)
                closing.cancel()
                await asyncio.wait([closing])
            case "exit":
                await phone.__aexit__(None, None, None)
            case "drain":
                await phone.drain(_DRAINING)
            case "drain, keep":
                await phone.drain(_DRAINING, calls="keep")
            case "abort":
                await phone.abort()
            case _:
                await asyncio.gather(*(phone.aclose() for _ in range(2 if how == "twice" else 1)))
        took = self.loop.elapsed - self.suspended - since
        if took > _CLOSING:
            self.wrong(f"{desk.witness.name} took {took:.1f} s to close")

    async def _nothing_left(self, made: Made) -> None:
        phone, name = made.phone, made.name
        made.witness.closed()
        self.result.wrong += [f"{name}: {what}" for what in made.witness.wrong]
        await self._all_counted(made)
        core = phone._core
        left = {
            "open requests": core.open_requests,
            "open requests of the session": len(core.session.open_requests),
            "calls of the session": len(core.session.calls),
            "calls": len(core.calls),
            "connection": int(core.connection is not None),
            "media": len(core.media._entries),
            "media sessions": made.media.open_sessions,
            "offers": len(core.media._offers),
            "listeners": phone.dispatcher.listeners,
            "tasks": int(phone._owner.running),
        }
        if any(left.values()):
            self.wrong(f"{name} left behind: { {what: count for what, count in left.items() if count} }")

    async def _all_counted(self, made: Made) -> None:
        """No event is lost without being counted."""
        await asyncio.wait([made.reader], timeout=_HEALING)
        counters = made.phone.dispatcher.counters
        handlers, streams = counters["handlers"], counters["streams"]
        if not made.reader.done():
            self.wrong(f"{made.name}: the stream did not end: {made.reader!r}")
            return
        if handlers.waiting or made.bot.handled != handlers.handled:
            self.wrong(f"{made.name}: {made.bot.handled} events were handled, but the phone counts {handlers}")
        if streams.waiting or made.reader.result() != streams.handled:
            self.wrong(f"{made.name}: {made.reader.result()} events were read, but the phone counts {streams}")


def run_plan(plan: Plan) -> Result:
    """Run a plan in virtual time; never raises for what the run does wrong."""
    runs: list[Run] = []

    async def main(loop: VirtualLoop) -> None:
        run = Run(plan, loop)
        runs.append(run)
        await run.main()

    errors = Errors()
    unraisable: list[Any] = []
    log, hook = logging.getLogger("ziwo_async"), sys.unraisablehook
    log.addHandler(errors)
    was_propagating, log.propagate = log.propagate, False
    sys.unraisablehook = unraisable.append
    trouble: list[str] = []
    try:
        run_virtual(main, seed=plan.seed, limit=plan.seconds + 3_000)
    except (Deadlock, Runaway, LeftBehind, Exception) as error:
        trouble.append(f"{type(error).__name__}: {_told(error)}")
    finally:
        log.removeHandler(errors)
        log.propagate = was_propagating
        sys.unraisablehook = hook
    run = runs[0]
    result = run.result
    result.wrong += trouble
    result.wrong += [f"logged as an error: {line}" for line in errors.lines if not _may_be_logged(line, plan)]
    result.wrong += [f"an error that nobody could take: {args.exc_value!r} in {args.object!r}" for args in unraisable]
    result.digest = run._hash.hexdigest()
    result.last = list(run._last)
    result.seconds = run.loop.elapsed
    result.counts = {"lines": run._lines, "events": sum(desk.witness.published for desk in run.phones)}
    return result


def _may_be_logged(line: str, plan: Plan) -> bool:
    """Errors that the plan itself makes: media that fail, and a machine that slept while a phone was closed."""
    if "the engine is broken today" in line or "this handler is broken" in line:
        return True
    if "did not end within" in line:
        return plan.has("suspend")
    return line.startswith("the media of call") and plan.has("fail_next")


def _told(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return f"{error.message}: {'; '.join(repr(inner) for inner in error.exceptions)}"
    return str(error)


def shortest_prefix(plan: Plan) -> Plan:
    """The shortest beginning of a failing plan that fails, too (whatever it is that then goes wrong)."""
    for count in range(len(plan.steps) + 1):
        if run_plan(plan.first(count)).wrong:
            return plan.first(count)
    return plan


__all__ = ["Result", "Run", "run_plan", "shortest_prefix"]
