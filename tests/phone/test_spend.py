"""The spend guard at the phone: what it refuses never reaches the server; what the server asks is not its business."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import pytest

from ziwo_async import Active, BadArgument, Call, ClientClosed, DialogState, Phone, TransferFailed
from ziwo_async.errors import SpendRefused
from ziwo_async.spend import SpendGuard, SpendPolicy

from .kit import CUSTOMER, Desk, until, within

THIRD = "+97150000001"
FAR = "+19005550100"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def started(desk: Desk, guard: SpendGuard) -> Phone:
    phone = desk.phone(guard=guard)
    await phone.start()
    return phone


def only_971() -> SpendGuard:
    return SpendGuard(SpendPolicy(allowed_prefixes=("+971",)))


async def test_a_number_without_an_allowed_prefix_is_never_dialled(desk: Desk) -> None:
    phone = await started(desk, only_971())
    with pytest.raises(SpendRefused) as caught:
        await phone.dial(FAR)
    assert (caught.value.reason, caught.value.number) == ("prefix", FAR)
    assert desk.frames("verto.invite") == []
    assert phone.calls == ()
    assert desk.seen.words() == []
    call = await within(phone.dial(CUSTOMER))
    await call.wait_for(Active, 5)


async def test_the_rate_holds_for_dial_transfer_and_consultation_together(desk: Desk) -> None:
    clock = Clock()
    phone = await started(desk, SpendGuard(SpendPolicy(calls_per_minute=3), clock=clock))
    _, call = await desk.talks(phone)  # an inbound call costs nothing
    transfer = await within(call.attended_transfer(THIRD))
    await within(transfer.cancel())
    await within(phone.dial(CUSTOMER))
    await within(call.transfer(THIRD))
    with pytest.raises(SpendRefused) as caught:
        await phone.dial(CUSTOMER)
    assert (caught.value.reason, caught.value.retry_after, caught.value.retryable) == ("rate", 60.0, True)
    assert len(desk.frames("verto.invite")) == 2
    clock.now += 60
    await within(phone.dial(CUSTOMER))


async def test_a_dry_run_dials_nothing_and_says_so(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    phone = await started(desk, SpendGuard(SpendPolicy(dry_run=True)))
    with caplog.at_level(logging.INFO, "ziwo_async.spend"), pytest.raises(SpendRefused, match="dry run"):
        await phone.dial(CUSTOMER)
    assert [record.getMessage() for record in caplog.records if record.name == "ziwo_async.spend"] == [
        f"dial '{CUSTOMER}' was not sent: this is a dry run"
    ]
    assert desk.frames("verto.invite") == []


@pytest.mark.parametrize("command", [lambda call: call.transfer(FAR), lambda call: call.attended_transfer(FAR)])
async def test_a_refused_transfer_leaves_the_call_as_it_is(
    desk: Desk, command: Callable[[Call], Awaitable[object]]
) -> None:
    phone = await started(desk, only_971())
    _, call = await desk.talks(phone)
    with pytest.raises(SpendRefused, match="begins with none of"):
        await within(command(call))
    assert call.state is DialogState.ACTIVE
    assert "held" not in desk.seen.words(call.id)  # the customer heard no music
    assert desk.frames("verto.modify") == []
    assert desk.frames("verto.invite") == []


async def test_an_allowed_transfer_goes_on_to_the_server(desk: Desk) -> None:
    phone = await started(desk, only_971())
    _, call = await desk.talks(phone)
    desk.sim.faults.fail_next("verto.modify", -32002, "CALL ERROR")
    with pytest.raises(TransferFailed):
        await within(call.transfer("0097150-000 0001"))
    assert desk.frames("verto.modify")[0]["params"]["destination"] == "0097150-000 0001"  # as given


async def test_what_the_server_asks_to_dial_is_not_refused(desk: Desk) -> None:
    phone = await started(desk, SpendGuard(SpendPolicy(calls_per_minute=1, allowed_prefixes=("+1",), dry_run=True)))
    assert await within(desk.agent.told_to_dial(CUSTOMER, uuid="call_42"))
    call = phone.call("call_42")
    assert call is not None
    await call.wait_for(Active, 5)


async def test_a_phone_that_cannot_call_says_that_and_counts_nothing(desk: Desk) -> None:
    guard = SpendGuard(SpendPolicy(calls_per_minute=1))
    phone = desk.phone(guard=guard)
    with pytest.raises(ClientClosed):
        await phone.dial(CUSTOMER)
    await phone.start()
    with pytest.raises(BadArgument):
        await phone.dial(" ")
    with pytest.raises(BadArgument):
        await phone.dial(CUSTOMER, call_id="")
    await within(phone.dial(CUSTOMER))
    with pytest.raises(SpendRefused):
        await phone.dial(CUSTOMER)


async def test_two_phones_share_a_guard(desk: Desk) -> None:
    guard = SpendGuard(SpendPolicy(calls_per_minute=1))
    first, second = await started(desk, guard), desk.phone(desk.other, guard=guard)
    await second.start()
    await within(first.dial(CUSTOMER))
    with pytest.raises(SpendRefused):
        await second.dial(CUSTOMER)
    await until(lambda: len(desk.frames("verto.invite")) == 1)
    assert desk.frames("verto.invite", desk.other) == []
