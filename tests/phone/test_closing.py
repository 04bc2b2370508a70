"""`aclose()` in every state, from every side; commands on what is closed, not started or over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from ziwo_async import (
    Active,
    Call,
    CallEnded,
    CallGone,
    ClientClosed,
    Destroy,
    DialogEvent,
    DialogState,
    Event,
    Phone,
    ReconnectPolicy,
    Ringing,
    SessionClosed,
    SessionEvent,
    SessionLost,
    Timeouts,
    WrongState,
    ZiwoClient,
    ZiwoError,
)
from ziwo_async.phone.account import Account

from .kit import CUSTOMER, Desk, Line, Rogue, Rogues, assert_nothing_left, until, within


async def test_a_phone_that_was_never_started_closes(desk: Desk) -> None:
    phone = desk.phone()
    await within(phone.aclose())
    await within(phone.aclose())
    assert_nothing_left(phone)
    with pytest.raises(ClientClosed):
        await phone.start()
    assert desk.seen.events == []


async def test_a_phone_that_connects_closes(desk: Desk) -> None:
    asked = asyncio.Event()

    async def provider(fresh: bool) -> Account:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    phone = desk.phone_by(provider)
    starting = asyncio.create_task(phone.start())
    await within(asked.wait())
    await within(phone.aclose())
    with pytest.raises(ClientClosed, match="closed while it was starting"):
        await within(starting)
    assert_nothing_left(phone)
    assert desk.seen.events == []


async def test_a_phone_that_logs_in_closes(desk: Desk, rogue: Rogues) -> None:
    async def script(rogue: Rogue, line: Line) -> None:
        line.replies_to["login"] = lambda request: None

    server = await rogue(script)
    phone = desk.phone(url=server.url)
    starting = asyncio.create_task(phone.start())
    await until(lambda: server.lines and server.lines[0].frames)
    await within(phone.aclose())
    with pytest.raises(ZiwoError):
        await within(starting)
    assert_nothing_left(phone)


async def test_a_phone_that_waits_for_client_ready_closes(desk: Desk, rogue: Rogues) -> None:
    logged_in = asyncio.Event()

    async def script(rogue: Rogue, line: Line) -> None:
        await line.result(await line.next(), message="logged in")
        logged_in.set()

    server = await rogue(script)
    phone = desk.phone(url=server.url)
    starting = asyncio.create_task(phone.start())
    await within(logged_in.wait())
    await within(phone.aclose())
    with pytest.raises(ClientClosed):
        await within(starting)
    assert_nothing_left(phone)


async def test_a_ready_phone_closes_and_says_so_last(desk: Desk) -> None:
    phone = desk.phone()
    await phone.start()
    await within(phone.aclose())
    assert desk.seen.session() == ["SessionReady", "SessionClosed"]
    closed = desk.seen.of(SessionClosed)[0]
    assert (closed.reason, closed.error) == ("closed by the program", None)
    await within(phone.wait_closed())
    assert not phone.ready


async def test_calls_in_every_state_are_hung_up_by_closing(desk: Desk) -> None:
    phone = desk.phone()
    await phone.start()
    customers = [desk.world.customer(f"+9715000000{n}") for n in range(6)]
    _, ringing = await desk.rings(phone, customers[0])
    _, active = await desk.talks(phone, customers[1])
    _, held = await desk.talks(phone, customers[2])
    await within(held.hold())
    customers[3].never_answers()
    trying = await within(phone.dial(customers[3].number))
    customers[4].never_answers(early_media=True)
    early = await within(phone.dial(customers[4].number))
    await early.wait_for("early", 5)
    desk.sim.faults.drop_next("verto.invite", executed=False)
    requesting = asyncio.create_task(phone.dial(customers[5].number))
    await until(lambda: len(phone.calls) == 6)
    await within(phone.aclose())
    with pytest.raises(ZiwoError):
        await within(requesting)
    causes = {call.id: call.cause for call in (ringing, active, held, trying, early)}
    assert list(causes.values()) == [
        "CALL_REJECTED", "NORMAL_CLEARING", "NORMAL_CLEARING", "ORIGINATOR_CANCEL", "ORIGINATOR_CANCEL",
    ]  # fmt: skip
    assert not desk.sim.switch.legs
    assert len(desk.seen.of(Destroy)) == 6
    assert isinstance(desk.seen.events[-1], SessionClosed)


async def test_a_phone_that_reconnects_closes_and_its_calls_end(desk: Desk) -> None:
    phone = desk.phone(reconnect=ReconnectPolicy(base=60, cap=60))
    await phone.start()
    _, call = await desk.talks(phone)
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionLost)
    await within(phone.aclose())
    assert desk.seen.words(call.id)[-2:] == ["hangup", "destroy"]
    assert desk.seen.session() == ["SessionReady", "SessionLost", "SessionClosed"]


async def test_closing_twice_at_once_and_from_another_task_is_one_closing(desk: Desk) -> None:
    phone = desk.phone()
    await phone.start()
    await desk.talks(phone)
    await within(asyncio.gather(*(asyncio.create_task(phone.aclose()) for _ in range(5))))
    await within(phone.aclose())
    assert desk.seen.session() == ["SessionReady", "SessionClosed"]
    assert len(desk.frames("verto.bye")) == 1


async def test_a_client_closes_twice_and_at_once(desk: Desk) -> None:
    client = desk.client()
    await client.phone.start()
    await within(asyncio.gather(client.aclose(), client.aclose(), client.aclose()))
    await within(client.aclose())
    assert not desk.agent.ready


async def test_exit_stacks_may_enter_and_leave_in_different_tasks(desk: Desk) -> None:
    stack = AsyncExitStack()
    client = desk.client()

    async def enter() -> None:
        await stack.enter_async_context(client)
        await stack.enter_async_context(client.phone)
        await stack.enter_async_context(client.events(Event))

    await asyncio.create_task(enter())
    there, call = await asyncio.create_task(desk.rings(client.phone))
    await asyncio.create_task(call.answer())
    await there.reaches("active")
    await within(asyncio.create_task(stack.aclose()))
    assert_nothing_left(client.phone)


async def test_an_error_in_the_block_closes_the_phone_and_goes_on(desk: Desk) -> None:
    phone = desk.phone()
    with pytest.raises(LookupError):
        async with phone:
            raise LookupError
    assert_nothing_left(phone)


async def test_a_handler_may_close_the_phone(desk: Desk) -> None:
    phone = desk.phone(timeouts=Timeouts(close=0.1))
    closed = asyncio.Event()

    @desk.seen.router.on(Ringing)
    async def close(call: Call, event: Ringing) -> None:
        try:
            await phone.aclose()
        finally:
            closed.set()

    await phone.start()
    await desk.customer.dials(desk.agent)
    await within(closed.wait())
    await within(phone.aclose())
    assert_nothing_left(phone)


async def test_handlers_that_have_an_event_may_finish_when_the_phone_closes(desk: Desk) -> None:
    phone = desk.phone()
    begun, finished = asyncio.Event(), asyncio.Event()

    @desk.seen.router.on(Ringing)
    async def slow(call: Call, event: Ringing) -> None:
        begun.set()
        await call.wait_for(Destroy)
        finished.set()

    await phone.start()
    await desk.rings(phone)
    await within(begun.wait())
    await within(phone.aclose())
    assert finished.is_set()


async def test_a_handler_that_hangs_is_cancelled_at_the_time_limit(desk: Desk) -> None:
    phone = desk.phone(timeouts=Timeouts(close=0.05))
    ended: list[str] = []

    @desk.seen.router.on(Ringing)
    async def hang(call: Call, event: Ringing) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    await phone.start()
    await desk.rings(phone)
    await within(phone.aclose())
    assert ended == ["cancelled"]


async def test_waiters_and_streams_end_when_the_phone_closes(desk: Desk, ziwo: ZiwoClient) -> None:
    _, call = await desk.rings(ziwo.phone)
    waiting = asyncio.create_task(ziwo.phone.dispatcher.wait_for(SessionLost, None, None, "a loss"))
    active = asyncio.create_task(call.wait_for(Active))
    got: list[str] = []

    async def read() -> None:
        async with ziwo.events(Event) as events:
            got.extend([type(event).__name__ async for event in events])

    reading = asyncio.create_task(read())
    await until(lambda: ziwo.phone.dispatcher.listeners == 3)
    await within(ziwo.aclose())
    with pytest.raises(ClientClosed, match="the phone was closed"):
        await within(waiting)
    with pytest.raises(CallEnded):
        await within(active)
    await within(reading)
    assert got == ["Hangup", "Destroy", "SessionClosed"]


# -- commands on what cannot take them ----------------------------------------------------------------------------


def commands(call: Call) -> list[Callable[[], Awaitable[object]]]:
    return [
        call.answer,
        call.hold,
        call.unhold,
        call.mute,
        call.unmute,
        lambda: call.dtmf("1"),
        lambda: call.transfer(CUSTOMER),
        lambda: call.attended_transfer(CUSTOMER),
        lambda: call.set_variables({"a": "b"}),
    ]


async def test_a_call_that_is_over_refuses_every_command_and_a_hangup_does_nothing(
    desk: Desk, ziwo: ZiwoClient
) -> None:
    _, call = await desk.talks(ziwo.phone)
    await within(call.hangup())
    sent = len(desk.sim.journal.frames("in"))
    for command in commands(call):
        with pytest.raises((WrongState, CallEnded), match=call.id):
            await within(command())
    await within(call.hangup())
    assert len(desk.sim.journal.frames("in")) == sent
    assert call.muted is False


async def test_a_call_that_the_server_does_not_know_any_more_ends(desk: Desk, ziwo: ZiwoClient) -> None:
    there, call = await desk.talks(ziwo.phone)
    assert there.leg is not None
    # Ended without a word, as by another session's bye.
    desk.sim.switch.end(there.leg, "NORMAL_CLEARING", silent=True)
    with pytest.raises((CallGone, CallEnded)):
        await within(call.hold())
    assert call.is_over
    _, second = await desk.talks(ziwo.phone)
    assert desk.world.calls[-1].leg is not None
    desk.sim.switch.end(desk.world.calls[-1].leg, "NORMAL_CLEARING", silent=True)
    with pytest.raises(CallGone, match="for no call"):
        await within(second.dtmf("1"))
    await within(second.hangup())
    assert desk.seen.words(second.id)[-2:] == ["hangup", "destroy"]


async def test_answering_a_call_that_has_just_gone_is_call_ended(desk: Desk, ziwo: ZiwoClient) -> None:
    there, call = await desk.rings(ziwo.phone)
    assert there.leg is not None
    desk.sim.switch.end(there.leg, "ORIGINATOR_CANCEL", silent=True)
    with pytest.raises(CallEnded):
        await within(call.answer())
    assert call.is_over


async def test_a_closed_phone_refuses_every_command(desk: Desk, ziwo: ZiwoClient) -> None:
    _, call = await desk.talks(ziwo.phone)
    await within(ziwo.aclose())
    for command in (lambda: ziwo.phone.dial(CUSTOMER), lambda: ziwo.phone.request("verto.ping")):
        with pytest.raises(ClientClosed, match="not started, or closed"):
            await command()
    for command in commands(call):
        with pytest.raises(ZiwoError):
            await within(command())
    await within(call.hangup())


async def test_a_phone_that_was_not_started_refuses_every_command(desk: Desk) -> None:
    phone = desk.phone()
    with pytest.raises(ClientClosed, match="not started"):
        await phone.dial(CUSTOMER)
    with pytest.raises(ClientClosed, match="not started"):
        await phone.request("verto.ping")
    assert phone.calls == ()
    assert phone.login == ""
    assert "not started" in repr(phone)


async def test_a_phone_starts_once(desk: Desk) -> None:
    phone = desk.phone()
    await phone.start()
    with pytest.raises(ClientClosed, match="starts only once"):
        await phone.start()
    assert phone.ready


async def test_nothing_is_published_after_the_phone_said_that_it_is_closed(desk: Desk) -> None:
    client = desk.client()
    await client.phone.start()
    await desk.talks(client.phone)
    await within(client.aclose())
    assert isinstance(desk.seen.events[-1], SessionEvent)
    assert not [event for event in desk.seen.events if isinstance(event, DialogEvent) and event.state == "held"]
    assert desk.seen.session()[-1] == "SessionClosed"


async def test_a_server_that_never_closes_its_side_does_not_hold_the_phone(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    phone: Phone = desk.phone(timeouts=Timeouts(close=0.05))
    await phone.start()
    _, call = await desk.talks(phone)
    await desk.sim.faults.half_open(desk.agent)
    await within(phone.aclose(), 3)
    assert call.state is DialogState.DESTROY
    assert "did not end" not in caplog.text
    # The half-open socket stays at the server until it is reset.
    await desk.sim.faults.cut_phone_socket(desk.agent)
