"""Nothing is told after the end, and a reply that never comes leaves no call in between; the search found all these."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ziwo_async import (
    Call,
    ClientClosed,
    DialogState,
    Event,
    MemoryStore,
    RequestTimeout,
    Ringing,
    SessionClosed,
    SessionRestored,
    WrongState,
)
from ziwo_async.phone.media import NullMedia

from .kit import CUSTOMER, Desk, Line, Rogue, Rogues, hasty, until, within
from .test_recovery import params_of

SOON = 0.3
"""Seconds until a reply that was dropped is given up."""


async def test_a_lost_reply_to_an_attach_does_not_leave_the_call_recovering(desk: Desk) -> None:
    phone = desk.phone()
    await phone.start()
    _, call = await desk.talks(phone)
    hasty(phone, verto_request=SOON)
    desk.sim.faults.drop_next("verto.attach")
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionRestored)
    await until(lambda: call.state is DialogState.ACTIVE)
    assert desk.seen.words(call.id)[-2:] == ["recovering", "active"]


async def test_a_lost_reply_to_hold_does_not_leave_the_two_sides_with_different_states(desk: Desk) -> None:
    phone = desk.phone()
    await phone.start()
    there, call = await desk.talks(phone)
    hasty(phone, verto_request=SOON)
    desk.sim.faults.drop_next("verto.modify")
    with pytest.raises(RequestTimeout):
        await call.hold()
    await until(lambda: call.state is DialogState.HELD)
    assert there.state == "held"


async def test_a_server_that_never_answers_modify_is_asked_once(desk: Desk) -> None:
    phone = desk.phone()
    await phone.start()
    _, call = await desk.talks(phone)
    hasty(phone, verto_request=SOON)
    for _ in range(5):
        desk.sim.faults.drop_next("verto.modify", executed=False)
    with pytest.raises(RequestTimeout):
        await call.hold()
    await asyncio.sleep(2 * SOON)
    assert [frame["params"]["action"] for frame in desk.frames("verto.modify")] == ["hold", "status"]


async def test_a_lost_reply_to_an_answer_does_not_leave_the_call_answering(desk: Desk) -> None:
    phone = desk.phone()
    await phone.start()
    there, call = await desk.rings(phone)
    hasty(phone, verto_request=SOON)
    desk.sim.faults.drop_next("verto.answer")
    with pytest.raises(RequestTimeout):
        await call.answer()
    await there.changes_party("Other", "+1")
    await until(lambda: call.state is DialogState.ACTIVE)


async def test_a_hangup_in_the_moment_of_a_loss_is_told_before_its_destroy(desk: Desk) -> None:
    phone = desk.phone()
    await phone.start()
    _, call = await desk.talks(phone)
    connection = phone._core.connection
    assert connection is not None
    ending = asyncio.ensure_future(call.hangup())
    await asyncio.sleep(0)
    connection.cut("the test")
    await within(ending)
    assert desk.seen.words(call.id)[-2:] == ["hangup", "destroy"]


async def test_nothing_of_a_kept_call_is_told_after_the_end_and_the_ledger_still_has_it(
    desk: Desk, rogue: Rogues
) -> None:
    async def script(server: Rogue, line: Line) -> None:
        await line.log_in()
        await line.send(id=4, method="verto.invite", params=params_of("c"))

    server = await rogue(script)
    store = MemoryStore()
    phone = desk.phone(url=server.url, ledger=store)
    await phone.start()
    await until(lambda: phone.call("c"))
    call = phone.call("c")
    assert call is not None
    await within(call.answer())
    receive = phone._core.receive

    def told(event: Event) -> bool:
        # What the server says while we close.
        receive('{"jsonrpc":"2.0","id":9,"method":"verto.bye","params":{"callID":"c","cause":"NORMAL_CLEARING"}}')
        receive('{"jsonrpc":"2.0","id":9,"method":"verto.invite","params":{"callID":"new","sdp":"v=0"}}')
        return False

    phone.router.on(SessionClosed, when=told)(_never)
    before: list[Event] = []
    draining = asyncio.ensure_future(phone.drain(1, calls="keep"))
    await desk.seen.wait(SessionClosed)
    before.extend(desk.seen.events)
    await within(draining)
    assert [type(event).__name__ for event in desk.seen.events] == [type(event).__name__ for event in before]
    assert '"call_id":"c"' in next(iter(store._ledgers.values()))


async def _never(event: SessionClosed) -> None:
    raise AssertionError


class Slow(NullMedia):
    """Media that take until the test lets them go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.asked = asyncio.Event()

    async def open(self, call_id: str) -> Any:
        self.asked.set()
        await self.go.wait()
        return await super().open(call_id)


async def test_a_call_that_is_being_made_when_the_phone_closes_is_not_made(desk: Desk) -> None:
    media = Slow()
    phone = desk.phone(media=media)
    await phone.start()
    dialling = asyncio.ensure_future(phone.dial(CUSTOMER))
    await within(media.asked.wait())
    closing = asyncio.ensure_future(phone.aclose())
    await asyncio.sleep(0)
    media.go.set()
    with pytest.raises(ClientClosed, match="closed"):
        await within(dialling)
    await within(closing)
    assert desk.frames("verto.invite") == []


async def test_a_call_that_rings_before_the_phone_is_ready_is_ended_when_the_start_is_given_up(
    desk: Desk, rogue: Rogues
) -> None:
    async def script(server: Rogue, line: Line) -> None:
        request = await line.next()
        await line.result(request, message="logged in")
        await line.send(id=4, method="verto.invite", params=params_of("c"))

    server = await rogue(script)
    phone = desk.phone(url=server.url)
    starting = asyncio.ensure_future(phone.start())
    await until(lambda: desk.seen.words("c") == ["ringing"])
    await within(phone.aclose())
    with pytest.raises(ClientClosed):
        await within(starting)
    assert desk.seen.words("c") == ["ringing", "hangup", "destroy"]


async def test_a_call_whose_bye_overtook_its_invite_is_told_with_its_handle_and_leaves_nothing(desk: Desk) -> None:
    phone = desk.phone()
    told: list[tuple[str, str]] = []

    @phone.router.on(Ringing)
    async def rings(call: Call, event: Ringing) -> None:
        told.append((call.id, str(call.state)))
        with pytest.raises(WrongState):
            await call.answer()

    await phone.start()
    await desk.inject(method="verto.bye", params={"callID": "c", "cause": "ORIGINATOR_CANCEL", "causeCode": 487})
    await desk.inject(method="verto.invite", params=params_of("c"))
    await until(lambda: told == [("c", "destroy")])
    assert desk.seen.words("c") == ["ringing", "hangup", "destroy"]
    await within(phone.dispatcher.idle())
    assert phone.calls == ()
