"""Cancellation at every turn of the loop: nothing is left, and the phone is still usable, or closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ziwo_async import Call, ClientClosed, DialogState, Event, Phone, SessionReady, ZiwoClient

from .kit import CUSTOMER, Desk, StepCount, assert_nothing_left, until, within

FAR = 400


async def at_every_turn(
    prepare: Callable[[], Coroutine[Any, Any, Callable[[], Coroutine[Any, Any, Any]]]],
    check: Callable[[bool], Coroutine[Any, Any, None]],
    every: int = 1,
) -> int:
    """Prepare an operation, cancel it at turn 1, 2, 3 ... until it completes, and check after each."""
    for turn in range(1, FAR, every):
        operation = await prepare()
        done = await StepCount().run(operation, turn)
        await check(done)
        if done:
            return turn
    raise AssertionError(f"not done within {FAR} turns")


async def cancelled_after(turns: int, operation: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """Cancel an operation that waits for ever; every turn until then is a turn of the loop."""
    task = asyncio.create_task(operation())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.done()


async def usable(desk: Desk, phone: Phone) -> None:
    """Requests are answered, and nothing waits."""
    await within(phone.request("verto.subscribe", {"eventChannel": "presence"}))
    await desk.settled(phone)
    await until(lambda: not phone._core.session.open_requests, "a request is never answered")
    assert phone.dispatcher.listeners == 0
    assert phone.ready


async def gone(desk: Desk, phone: Phone) -> None:
    for call in phone.calls:
        await within(call.hangup())
    await until(lambda: not phone.calls and not desk.sim.switch.legs, "a call lives on")
    await until(lambda: not phone._core.media._entries, "media live on")


async def test_start_of_a_phone(desk: Desk) -> None:
    phones: list[Phone] = []

    async def prepare() -> Callable[[], Coroutine[Any, Any, Any]]:
        phones.append(desk.phone())
        return phones[-1].start

    async def check(done: bool) -> None:
        phone = phones[-1]
        if done:
            await within(phone.aclose())
        assert_nothing_left(phone)
        with pytest.raises(ClientClosed):
            await phone.start()
        await until(lambda: not desk.sim.verto.sessions(), "the server still sees a phone")

    assert await at_every_turn(prepare, check) > 5


async def test_start_of_a_client_with_its_rest_login(desk: Desk) -> None:
    clients: list[ZiwoClient] = []

    async def prepare() -> Callable[[], Coroutine[Any, Any, Any]]:
        clients.append(desk.client())
        return clients[-1].phone.start

    async def check(done: bool) -> None:
        await within(clients[-1].aclose())
        assert_nothing_left(clients[-1].phone)
        await until(lambda: not desk.sim.verto.sessions(), "the server still sees a phone")

    assert await at_every_turn(prepare, check, every=2) > 10


async def test_dial(desk: Desk) -> None:
    desk.customer.never_answers()
    phone = desk.phone()
    await phone.start()

    async def prepare() -> Callable[[], Coroutine[Any, Any, Any]]:
        return lambda: phone.dial(CUSTOMER)

    async def check(done: bool) -> None:
        if done:
            assert phone.calls[0].state is DialogState.TRYING
        else:
            # A call nobody holds is hung up behind.
            await until(lambda: not phone.calls and not desk.sim.switch.legs, "the call rings on")
        await gone(desk, phone)
        await usable(desk, phone)

    assert await at_every_turn(prepare, check) > 1


async def ringing_phone(desk: Desk) -> tuple[Phone, Callable[[], Coroutine[Any, Any, Call]]]:
    phone = desk.phone()
    await phone.start()

    async def ring() -> Call:
        _, call = await desk.rings(phone)
        return call

    return phone, ring


async def test_answer(desk: Desk) -> None:
    phone, ring = await ringing_phone(desk)

    async def prepare() -> Callable[[], Coroutine[Any, Any, Any]]:
        return (await ring()).answer

    async def check(done: bool) -> None:
        (call,) = phone.calls
        if done:
            assert call.state is DialogState.ACTIVE
        elif call.state is DialogState.RINGING:
            await within(call.answer())
        else:
            # The answer was written: the server's word still moves the call.
            await call.wait_for("active", 5)
        await gone(desk, phone)
        await usable(desk, phone)

    assert await at_every_turn(prepare, check) > 1


@pytest.mark.parametrize("command", ["hold", "dtmf", "set_variables", "transfer", "mute"])
async def test_commands_of_a_call(desk: Desk, command: str) -> None:
    phone = desk.phone()
    await phone.start()
    arguments: dict[str, Any] = {"dtmf": "1", "set_variables": {"a": "b"}, "transfer": CUSTOMER}

    async def prepare() -> Callable[[], Coroutine[Any, Any, Any]]:
        _, call = await desk.talks(phone)
        method = getattr(call, command)
        return (lambda: method(arguments[command])) if command in arguments else method

    async def check(done: bool) -> None:
        await usable(desk, phone)
        if command == "hold" and done:
            assert phone.calls[0].state is DialogState.HELD
        await gone(desk, phone)

    await at_every_turn(prepare, check)


async def test_attended_transfer(desk: Desk) -> None:
    phone = desk.phone()
    await phone.start()
    desk.world.customer("+97150000003").never_answers()

    async def prepare() -> Callable[[], Coroutine[Any, Any, Any]]:
        _, call = await desk.talks(phone)
        return lambda: call.attended_transfer("+97150000003")

    async def check(done: bool) -> None:
        await usable(desk, phone)
        await gone(desk, phone)

    assert await at_every_turn(prepare, check) > 2


async def test_a_cancelled_hangup_goes_on_to_its_end(desk: Desk) -> None:
    phone = desk.phone()
    await phone.start()
    calls: list[Call] = []

    async def prepare() -> Callable[[], Coroutine[Any, Any, Any]]:
        _, call = await desk.talks(phone)
        calls.append(call)
        return call.hangup

    async def check(done: bool) -> None:
        call = calls[-1]
        if call.state is DialogState.ACTIVE:
            await within(call.hangup())
        await until(lambda: call.is_over, "the hangup stops half-way")
        assert desk.seen.words(call.id).count("destroy") == 1
        await gone(desk, phone)
        await usable(desk, phone)

    assert await at_every_turn(prepare, check) > 1


async def test_waiting_leaves_no_waiter(desk: Desk) -> None:
    phone = desk.phone()
    await phone.start()
    _, call = await desk.rings(phone)
    for turn in range(1, 6):
        await cancelled_after(turn, lambda: call.wait_for("active"))
        assert phone.dispatcher.listeners == 0
    await usable(desk, phone)


async def test_a_cancelled_expectation_leaves_no_waiter(desk: Desk, ziwo: ZiwoClient) -> None:
    async def expecting() -> None:
        async with ziwo.expect(SessionReady):
            await asyncio.sleep(0)

    for turn in range(1, 6):
        await cancelled_after(turn, expecting)
        assert ziwo.phone.dispatcher.listeners == 0


async def test_a_cancelled_stream_loses_no_event(desk: Desk, ziwo: ZiwoClient) -> None:
    got: list[Event] = []
    async with ziwo.events(Event) as events:

        async def read() -> None:
            got.append(await anext(events))

        for turn in range(1, 40):
            if turn % 4 == 0:
                await desk.inject(method="verto.nonsense", params={"n": turn})
            await cancelled_after(turn % 7, read)
        await within(ziwo.phone.request("verto.ping"))
        events.end()
        got.extend([event async for event in events])
    assert [event.params["n"] for event in got] == list(range(4, 40, 4))  # type: ignore[attr-defined]


async def test_a_cancelled_aclose_still_closes(desk: Desk) -> None:
    phones: list[Phone] = []

    async def prepare() -> Callable[[], Coroutine[Any, Any, Any]]:
        phone = desk.phone()
        phones.append(phone)
        await phone.start()
        await desk.talks(phone)
        return phone.aclose

    async def check(done: bool) -> None:
        phone = phones[-1]
        # Shielded: cancelled or not, when it returns it has closed; before its first turn it may not have begun.
        await within(phone.aclose())
        assert_nothing_left(phone)
        await until(lambda: not desk.sim.verto.sessions() and not desk.sim.switch.legs, "it is not closed")

    assert await at_every_turn(prepare, check) > 1


async def test_a_cancelled_aclose_of_a_client_still_closes(desk: Desk) -> None:
    clients: list[ZiwoClient] = []

    async def prepare() -> Callable[[], Coroutine[Any, Any, Any]]:
        client = desk.client()
        clients.append(client)
        await client.phone.start()
        return client.aclose

    async def check(done: bool) -> None:
        await within(clients[-1].aclose())
        assert_nothing_left(clients[-1].phone)
        await until(lambda: not desk.sim.verto.sessions(), "it is not closed")

    await at_every_turn(prepare, check)


async def test_a_start_that_times_out_leaves_nothing(desk: Desk) -> None:
    desk.sim.faults.delay_replies(10)
    phone = desk.phone()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await phone.start()
    assert_nothing_left(phone)
    await until(lambda: not desk.sim.verto.sessions())
