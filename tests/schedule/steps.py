"""What can happen in a schedule: one method for each word of the plan."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from ziwo_async import Call, ZiwoError
from ziwo_async.simulator import SimCall, SimulatorError
from ziwo_async.testing import Link

if TYPE_CHECKING:
    from .desk import Desk
    from .run import Run

T = TypeVar("T")

# What a program must expect of an action; anything else that it raises is a bug of the package.
EXPECTED = (ZiwoError, SimulatorError)


class Steps:
    def __init__(self, run: Run, where: float) -> None:
        self.run = run
        self.loop = run.loop
        self.sim = run.sim
        self.where = where

    # ---- who it is about -------------------------------------------------------------------------------------

    def one_of(self, found: list[T] | tuple[T, ...]) -> T | None:
        return found[int(self.where * len(found)) % len(found)] if found else None

    @property
    def desk(self) -> Desk:
        found = self.one_of(self.run.desks)
        assert found is not None
        return found

    @property
    def call(self) -> Call | None:
        return self.one_of([call for desk in self.run.desks for call in desk.phone.calls])

    @property
    def there(self) -> SimCall | None:
        return self.one_of([call for call in self.sim.world.calls[-20:] if call.state not in ("ended", "waiting")])

    @property
    def link(self) -> Link | None:
        return self.one_of(self.loop.network.links)

    def start(self, patience: float | None, action: Coroutine[Any, Any, Any]) -> None:
        """Let an action of a program run beside the rest; its caller may lose patience."""
        task = self.loop.create_task(self._act(action), name=f"action {len(self.run.actions)}")
        self.run.actions.append(task)
        if patience is not None:
            timer = self.loop.call_later(patience, task.cancel)
            task.add_done_callback(lambda _: timer.cancel())

    async def _act(self, action: Coroutine[Any, Any, Any]) -> None:
        try:
            await action
        except EXPECTED as error:
            self.run.note(f"refused {type(error).__name__}: {error}")
        finally:
            action.close()  # cancelled before its first step, it would complain that nobody awaited it

    def later(self, seconds: float, action: Any, *args: Any) -> None:
        self.run.timers.append(self.loop.call_later(seconds, action, *args))

    # ---- calls -----------------------------------------------------------------------------------------------

    def customer_calls(self, number: str, ring: float | None) -> None:
        agent = self.desk.agent
        self.start(None, self.sim.world.customer(number).dials(agent, ring_timeout=ring))

    def dial(self, patience: float | None, number: str) -> None:
        self.start(patience, self.desk.phone.dial(number))

    def script(self, number: str, how: str, after: float, early: bool, then: float | None) -> None:
        customer = self.sim.world.customer(number)
        customer.hangs_up_after(then)
        match how:
            case "answers":
                customer.will(answer_after=after, early_media=early)
            case "rejects":
                customer.will_reject(after=after, early_media=early)
            case "busy":
                customer.is_busy(after=after, early_media=early)
            case "never":
                customer.never_answers(after=after + 5, early_media=early)
            case _:
                customer.will(answer_after=None, early_media=early)

    def customer_hangs_up(self) -> None:
        if self.there is not None:
            self.start(None, self.there.hangs_up())

    def party_changes(self) -> None:
        if self.there is not None:
            self.start(None, self.there.changes_party("Somebody", "+4912345"))

    def renegotiate(self) -> None:
        if self.there is not None and self.there.state in ("active", "held"):
            self.start(None, self.there.is_renegotiated())

    def message(self) -> None:
        self.start(None, self.desk.agent.send({"note": 1}))

    def pick_up(self) -> None:
        if self.there is not None:
            self.start(None, self.desk.agent.picks_up(self.there))

    def told_to_dial(self, number: str) -> None:
        self.start(None, self.desk.agent.told_to_dial(number))

    # ---- what a program does ---------------------------------------------------------------------------------

    def answer(self, patience: float | None, hold_others: bool) -> None:
        if self.call is not None:
            self.start(patience, self.call.answer(hold_others=hold_others))

    def hang_up(self, patience: float | None, cause: str | None) -> None:
        if self.call is not None:
            self.start(patience, self.call.hangup(cause))

    def hold(self, patience: float | None) -> None:
        if self.call is not None:
            self.start(patience, self.call.hold())

    def unhold(self, patience: float | None) -> None:
        if self.call is not None:
            self.start(patience, self.call.unhold())

    def dtmf(self, patience: float | None, digits: str) -> None:
        if self.call is not None:
            self.start(patience, self.call.dtmf(digits))

    def transfer(self, patience: float | None, number: str) -> None:
        if self.call is not None:
            self.start(patience, self.call.transfer(number))

    def consult(self, patience: float | None, number: str, complete: bool, after: float) -> None:
        if self.call is not None:
            self.start(patience, self._consult(self.call, number, complete, after))

    async def _consult(self, call: Call, number: str, complete: bool, after: float) -> None:
        transfer = await call.attended_transfer(number)
        await asyncio.sleep(after)
        await (transfer.complete() if complete else transfer.cancel())

    def mute(self, patience: float | None, on: bool) -> None:
        if self.call is not None:
            self.start(patience, self.call.mute() if on else self.call.unmute())

    def set_variables(self, patience: float | None) -> None:
        if self.call is not None:
            self.start(patience, self.call.set_variables({"mood": "good", "vip": True}))

    def wait_for(self, patience: float | None, state: str, limit: float) -> None:
        if self.call is not None:
            self.start(patience, self.call.wait_for(state, timeout=limit))

    # ---- the network -----------------------------------------------------------------------------------------

    def reset(self) -> None:
        if self.link is not None:
            self.link.reset()

    def cut(self, way: Any) -> None:
        if self.link is not None:
            self.link.cut(way)

    def stall(self, way: Any, seconds: float) -> None:
        if self.link is not None:
            self.link.stall(way)
            self.later(seconds, self.link.resume, way)

    def vanish(self, seconds: float) -> None:
        self.loop.network.vanish()
        self.later(seconds, self.loop.network.come_back)

    def refuse(self, seconds: float) -> None:
        self.loop.network.refuse()
        self.later(seconds, self.loop.network.refuse, False)

    def carry(self, latency: float, jitter: float, split: bool) -> None:
        options = replace(self.loop.network.options, latency=latency, jitter=jitter, split=split)
        self.loop.network.options = options
        for link in self.loop.network.links:
            link.options = options

    def suspend(self, seconds: float) -> None:
        self.loop.suspend(seconds)
        self.run.suspended += seconds
        self.run.slept = self.loop.time()

    # ---- the server ------------------------------------------------------------------------------------------

    def server_cuts(self) -> None:
        self.start(None, self.sim.faults.cut_phone_socket(self.desk.agent))

    def server_closes(self) -> None:
        self.start(None, self.sim.faults.close_phone_socket(self.desk.agent))

    def half_open(self) -> None:
        self.start(None, self.sim.faults.half_open(self.desk.agent))

    def close_during_login(self, times: int) -> None:
        self.sim.faults.close_during_login(times)

    def slow_replies(self, seconds: float, lasting: float) -> None:
        self.sim.faults.delay_replies(seconds)
        self.later(lasting, self.sim.faults.delay_replies, 0)

    def fail_next(self, method: str, code: int | None, message: str) -> None:
        self.sim.faults.fail_next(method, code, message)

    def drop_next(self, method: str, executed: bool) -> None:
        self.sim.faults.drop_next(method, executed=executed)

    def strange(self, index: int) -> None:
        call_id = "" if self.call is None else self.call.id
        text = STRANGE[index % len(STRANGE)].replace("CALL", call_id)
        self.start(None, self.sim.faults.inject(self.desk.agent, text))

    def punt(self) -> None:
        self.start(None, self.sim.faults.punt(self.desk.agent))

    def duplicate(self, tries: int, lasting: float) -> None:
        self.sim.faults.duplicate(self.desk.agent, tries)
        self.later(lasting, self.sim.faults.release, self.desk.agent)

    def detach_expires(self) -> None:
        self.start(None, self.sim.faults.detach_expired(self.desk.agent))

    def server_restarts(self, down: float) -> None:
        self.start(None, self.sim.faults.server_restart(down))

    def slow_server(self, seconds: float, lasting: float) -> None:
        self.sim.faults.slow_server(seconds)
        self.later(lasting, self.sim.faults.slow_server, 0)

    def reordered(self) -> None:
        self.sim.faults.reordered(self.desk.agent)

    def login_expires(self) -> None:
        self.start(None, self.sim.faults.login_expired(self.desk.agent))

    # ---- the program comes and goes --------------------------------------------------------------------------

    def restart(self, how: str, same_session: bool) -> None:
        self.start(None, self.run.restart(self.desk, how, same_session=same_session))


STRANGE = (
    "not JSON at all",
    "[]",
    '{"jsonrpc":"2.0","id":900,"method":"verto.tomorrow","params":{"callID":"CALL"}}',
    '{"jsonrpc":"2.0","id":901,"method":"verto.bye","params":{"callID":"of-nobody"}}',
    '{"jsonrpc":"2.0","id":902,"method":"verto.answer","params":{"callID":"CALL","sdp":"v=0"}}',
    '{"jsonrpc":"2.0","id":903,"method":"verto.media","params":{"callID":"CALL","sdp":"v=0"}}',
    '{"jsonrpc":"2.0","id":904,"method":"verto.clientReady","params":{"reattached_sessions":["CALL"]}}',
    '{"jsonrpc":"2.0","id":123456,"result":{"message":"to nobody"}}',
)
