"""An orderly end: no new calls, handlers finish, calls are kept or hung up; and the end that is forced."""

from __future__ import annotations

import asyncio
import logging

import pytest

from ziwo_async import (
    Active,
    Call,
    ClientClosed,
    DialogState,
    Hangup,
    MemoryStore,
    Phone,
    Ringing,
    Router,
    SessionClosed,
    SessionRestored,
)

from .kit import CUSTOMER, Desk, Seen, until, within


class Slow:
    """A handler of each kind that runs until the test lets it go."""

    def __init__(self, *, during: bool = True) -> None:
        self.router = Router()
        self.go = asyncio.Event()
        self.began: list[str] = []
        self.ended: list[str] = []
        self.router.on(Active)(self.on_active)
        if during:
            self.router.during(Active)(self.during_active)

    async def on_active(self, call: Call, event: Active) -> None:
        await self._work("on")

    async def during_active(self, call: Call, event: Active) -> None:
        await self._work("during")

    async def _work(self, name: str) -> None:
        self.began.append(name)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.ended.append(f"{name} cancelled")
            raise
        self.ended.append(name)


async def working(desk: Desk, *, during: bool = True, **options: object) -> tuple[Phone, Slow]:
    slow = Slow(during=during)
    phone = desk.phone(**options)
    phone.router.include(slow.router)
    await phone.start()
    return phone, slow


async def test_handlers_finish_first_then_the_calls_are_ended_then_the_tasks_of_the_calls(desk: Desk) -> None:
    router = Router()

    @router.during(Active)
    async def until_hangup(call: Call, event: Active) -> None:
        ended = await call.wait_for(Hangup)
        slow.ended.append(f"saw {ended.cause}")

    phone, slow = await working(desk, during=False)
    phone.router.include(router)
    there, call = await desk.talks(phone)
    await until(lambda: slow.began == ["on"])
    draining = asyncio.ensure_future(phone.drain(5))
    await asyncio.sleep(0.02)
    assert not draining.done()
    assert call.state is DialogState.ACTIVE
    slow.go.set()
    await within(draining)
    assert slow.ended == ["on", "saw NORMAL_CLEARING"]
    assert there.state == "ended"
    assert desk.seen.words(call.id)[-2:] == ["hangup", "destroy"]
    assert desk.seen.session() == ["SessionReady", "SessionClosed"]


async def test_a_drain_may_wait_until_the_calls_are_over_by_themselves(desk: Desk) -> None:
    phone, slow = await working(desk)
    there, call = await desk.talks(phone)
    slow.go.set()
    draining = asyncio.ensure_future(phone.drain(5, calls="finish"))
    await asyncio.sleep(0.02)
    assert not draining.done()
    assert call.state is DialogState.ACTIVE
    await there.hangs_up()
    await within(draining)
    assert (await call.wait_for(Hangup)).by == "remote"


async def test_a_call_that_does_not_end_by_itself_is_hung_up_when_the_time_is_over(desk: Desk) -> None:
    phone, slow = await working(desk)
    there, call = await desk.talks(phone)
    slow.go.set()
    await within(phone.drain(0.02, calls="finish"))
    assert there.state == "ended"
    assert (await call.wait_for(Hangup)).by == "local"


async def test_draining_takes_no_new_calls(desk: Desk) -> None:
    phone, slow = await working(desk)
    await desk.talks(phone)
    await until(lambda: len(slow.began) == 2)
    draining = asyncio.ensure_future(phone.drain(5))
    await asyncio.sleep(0)
    with pytest.raises(ClientClosed, match="takes no new calls"):
        await phone.dial(CUSTOMER)
    late = await desk.world.customer("+97152222222").dials(desk.agent)
    await desk.seen.wait(Ringing, lambda event: event.call_id == late.id)
    rejected = await desk.seen.wait(Hangup, lambda event: event.call_id == late.id)
    assert (rejected.cause, rejected.by) == ("USER_BUSY", "local")
    slow.go.set()
    await within(draining)


async def test_a_handler_that_does_not_finish_is_cancelled_when_the_time_is_up(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    phone, slow = await working(desk)
    there, _ = await desk.talks(phone)
    await until(lambda: len(slow.began) == 2)
    with caplog.at_level(logging.WARNING, "ziwo_async.phone"):
        await within(phone.drain(0.02), 8)
    assert sorted(slow.ended) == ["during cancelled", "on cancelled"]
    assert there.state == "ended"
    assert "handlers or calls still go on 0.02 s after the phone was asked to drain" in caplog.text


async def test_calls_can_be_kept_for_the_next_process(desk: Desk) -> None:
    store = MemoryStore()
    phone, slow = await working(desk, ledger=store)
    there, call = await desk.talks(phone)
    ringing_there, ringing = await desk.rings(phone, desk.world.customer("+97152222222"))
    await until(lambda: len(slow.began) == 2)
    # The handlers of a call that is kept are not waited for: the next process has its own.
    await within(phone.drain(60, calls="keep"))
    (closed,) = desk.seen.of(SessionClosed)
    assert closed.kept == (call.id,)
    assert desk.seen.words(call.id)[-1] == "active"
    assert desk.seen.words(ringing.id)[-2:] == ["hangup", "destroy"]
    assert (there.state, ringing_there.state) == ("detached", "ended")

    desk.seen = Seen()
    heir = desk.phone(ledger=store)
    await heir.start()
    restored = await desk.seen.wait(SessionRestored)
    assert restored.kept == (call.id,)
    await until(lambda: desk.seen.words(call.id) == ["recovering", "active"])


async def test_draining_from_a_handler_returns_at_once_and_closes_behind_it(desk: Desk) -> None:
    router = Router()
    returned = asyncio.Event()
    phone = desk.phone()

    @router.on(Ringing)
    async def enough(call: Call, event: Ringing) -> None:
        await phone.drain(5)
        returned.set()

    phone.router.include(router)
    await phone.start()
    await desk.customer.dials(desk.agent)
    await within(returned.wait())
    await within(phone.wait_closed())
    assert desk.seen.session()[-1] == "SessionClosed"


async def test_draining_is_safe_before_the_start_and_after_the_end(desk: Desk) -> None:
    unborn = desk.phone()
    await within(unborn.drain())
    phone = desk.phone()
    await phone.start()
    await within(phone.aclose())
    await within(phone.drain())
    await within(phone.drain(calls="keep"))


async def test_draining_while_the_connection_is_away_ends_and_tells_the_calls(desk: Desk) -> None:
    phone, slow = await working(desk)
    _, call = await desk.talks(phone)
    slow.go.set()
    desk.sim.faults.refuse_connections()
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await until(lambda: not phone.ready)
    await within(phone.drain(5))
    assert desk.seen.words(call.id)[-2:] == ["hangup", "destroy"]


async def test_abort_says_goodbye_to_nobody_and_cancels_handlers(desk: Desk) -> None:
    phone, slow = await working(desk)
    there, _ = await desk.talks(phone)
    await until(lambda: len(slow.began) == 2)
    await within(phone.abort())
    assert sorted(slow.ended) == ["during cancelled", "on cancelled"]
    assert desk.frames("verto.bye") == []
    # The server keeps the call for its detach window, as if the program had been killed.
    await until(lambda: there.state == "detached")


async def test_abort_cuts_a_drain_short(desk: Desk) -> None:
    phone, slow = await working(desk)
    await desk.talks(phone)
    await until(lambda: len(slow.began) == 2)
    draining = asyncio.ensure_future(phone.drain(600))
    await asyncio.sleep(0)
    await within(phone.abort())
    await within(draining)
    assert desk.frames("verto.bye") == []
