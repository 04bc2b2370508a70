"""The times that `docs/explanation/reliability.md` states, in virtual time and with the longest jitter.

Rows whose times are asserted by a test of a known failure, or elsewhere, are not repeated here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import pytest

from ziwo_async import (
    Call,
    ConnectionLost,
    Destroy,
    DialogState,
    DuplicateSession,
    Hangup,
    HangupBy,
    LoginBlocked,
    Phone,
    RequestTimeout,
    Ringing,
    Router,
    SessionClosed,
    SessionLost,
    SessionRestored,
    SessionTakenOver,
)
from ziwo_async.simulator import ServerOptions, SimCall

from ..phone.kit import CUSTOMER, until
from .rig import LOGIN, Rig, in_virtual_time

ONE_PHONE_EACH = ServerOptions(disable_multiple_sessions=True)


async def _reset(rig: Rig) -> None:
    rig.proxy.reset()


async def _closed(rig: Rig) -> None:
    await rig.desk.sim.faults.close_phone_socket(rig.desk.agent)


async def _expired(rig: Rig) -> None:
    await rig.desk.sim.faults.login_expired(rig.desk.agent)


@pytest.mark.parametrize(("fault", "code"), [(_reset, None), (_closed, 1000), (_expired, 1000)])
@in_virtual_time()
async def test_a_connection_that_ends_is_told_at_once_and_is_back_within_a_second(
    rig: Rig, fault: Callable[[Rig], Awaitable[None]], code: int | None
) -> None:
    phone = await rig.started()
    _, call = await rig.desk.talks(phone)
    begin = rig.now
    await fault(rig)
    lost = await rig.seen.wait(SessionLost)
    assert rig.now - begin < 0.01
    assert lost.close_code == code
    with pytest.raises(ConnectionLost):
        await call.hold()
    restored = await rig.seen.wait(SessionRestored)
    assert rig.now - begin <= 0.5 + LOGIN == 1.0
    assert restored.kept == (call.id,)
    await until(lambda: rig.seen.words(call.id)[-2:] == ["recovering", "active"], seconds=1)


@pytest.mark.parametrize("calls", [True, False])
@in_virtual_time(options=ServerOptions())
async def test_a_restarted_server_is_found_within_4_seconds_with_calls_and_30_without(rig: Rig, calls: bool) -> None:
    phone = await rig.started()
    if calls:
        await rig.desk.talks(phone)
    begin = rig.now
    await rig.desk.sim.faults.server_restart(70)
    up = rig.now
    assert rig.seen.at(SessionLost) - begin < 0.01
    restored = await rig.seen.wait(SessionRestored, seconds=60)
    assert rig.now - up <= (4 if calls else 30) + LOGIN
    if calls:
        # The new server knows no call: it is asked once, and then the call is over.
        assert len(restored.lost) == 1
        assert [event.by for event in rig.seen.of(Hangup)] == [HangupBy.LOST]
        assert len(rig.seen.of(Destroy)) == 1
    assert phone.ready


@in_virtual_time()
async def test_away_for_longer_than_the_detach_window_the_call_is_told_lost_within_41_seconds_of_the_return(
    rig: Rig,
) -> None:
    phone = await rig.started()
    there, call = await rig.desk.talks(phone)
    begin = rig.now
    rig.loop.network.vanish()
    rig.proxy.black_hole(on="present")
    rig.proxy.refuse()
    await rig.seen.wait(SessionLost, seconds=60)
    assert rig.now - begin <= 15.0
    await rig.desk.sim.faults.cut_phone_socket(rig.desk.agent)  # the server's end gives up, too
    await asyncio.sleep(200)
    assert there.state == "ended"
    # Nothing can tell the phone, so its handle says what it knew.
    assert call.state is DialogState.ACTIVE
    rig.proxy.heal()
    rig.loop.network.come_back()
    back = rig.now
    restored = await rig.seen.wait(SessionRestored, seconds=60)
    # An attempt that hangs for 10 s (Timeouts.connect), or a wait of 30 s.
    assert rig.now - back <= 30 + 10 + LOGIN
    assert (restored.kept, restored.lost) == ((), (call.id,))
    assert restored.gap_seconds > 200
    (hangup,) = rig.seen.of(Hangup)
    assert (hangup.by, hangup.cause) == (HangupBy.LOST, None)
    assert len(rig.seen.of(Destroy)) == 1


@in_virtual_time(options=ONE_PHONE_EACH)
async def test_our_own_old_session_keeps_us_out_for_5_seconds_at_most(rig: Rig) -> None:
    phone = await rig.started()
    rig.desk.sim.faults.duplicate(rig.desk.agent, tries=4)
    rig.proxy.reset()
    await rig.seen.wait(SessionRestored, seconds=60)
    # Tried again on the same socket after 0.06, 0.3, 1 and 3 s.
    waited = rig.seen.at(SessionRestored) - rig.seen.at(SessionLost)
    assert 4.36 <= waited <= 0.5 + 4.36 + LOGIN
    assert rig.seen.of(LoginBlocked) == []
    assert rig.proxy.accepted == 2
    assert phone.ready


@in_virtual_time(options=ONE_PHONE_EACH)
async def test_a_name_that_stays_taken_is_tried_after_20_seconds_and_then_ever_more_rarely(rig: Rig) -> None:
    phone = await rig.started()
    rig.desk.sim.faults.duplicate(rig.desk.agent)
    rig.proxy.reset()
    # A network that vanished can lock the name for 16 minutes (measured).
    await asyncio.sleep(16 * 60)
    rig.desk.sim.faults.release(rig.desk.agent)
    freed = rig.now
    await rig.seen.wait(SessionRestored, seconds=600)
    assert rig.now - freed <= 300 + 0.5 + LOGIN
    waits = [event.retry_seconds for event in rig.seen.of(LoginBlocked)]
    assert waits == [25, 50, 100, 200, 300, 300]
    assert phone.ready


@in_virtual_time(options=ONE_PHONE_EACH)
async def test_somebody_else_in_the_session_fails_the_start_at_once(rig: Rig) -> None:
    await rig.started()
    second = rig.phone()
    begin = rig.now
    with pytest.raises(DuplicateSession):
        await second.start()
    assert rig.now - begin < LOGIN


@pytest.mark.parametrize("closes", [True, False])
@in_virtual_time()
async def test_a_punt_ends_the_phone_at_once_and_it_stays_away(rig: Rig, closes: bool) -> None:
    phone = await rig.started()
    _, call = await rig.desk.talks(phone)
    begin = rig.now
    if closes:
        await rig.desk.sim.faults.punt(rig.desk.agent)
    else:
        # A server that says so and leaves the socket open.
        await rig.desk.inject(method="verto.punt", params={})
    with pytest.raises(SessionTakenOver):
        await phone.wait_closed()
    assert rig.now - begin < 0.1
    assert [event.error for event in rig.seen.of(SessionClosed)] == ["SessionTakenOver"]
    assert call.is_over
    await asyncio.sleep(600)
    assert rig.proxy.accepted == 1


@in_virtual_time()
async def test_a_reply_that_never_comes_is_an_error_after_10_seconds_and_the_connection_stays(rig: Rig) -> None:
    phone = await rig.started()
    _, call = await rig.desk.talks(phone)
    rig.desk.sim.faults.dropped_reply("verto.modify")
    begin = rig.now
    with pytest.raises(RequestTimeout):
        await call.hold()
    assert rig.now - begin == pytest.approx(10, abs=0.1)
    await asyncio.sleep(60)
    assert rig.seen.of(SessionLost) == []


@in_virtual_time()
async def test_a_dial_whose_reply_never_comes_is_an_error_after_10_seconds_and_its_call_is_hung_up(rig: Rig) -> None:
    phone = await rig.started()
    rig.desk.customer.never_answers(after=300)
    rig.desk.sim.faults.dropped_reply("verto.invite")
    begin = rig.now
    with pytest.raises(RequestTimeout):
        await phone.dial(CUSTOMER)
    assert rig.now - begin == pytest.approx(10, abs=0.1)
    there = await rig.desk.customer.is_called()
    await there.reaches("ended")
    await rig.seen.wait(Destroy)
    assert rig.now - begin <= 11
    assert phone.calls == ()


@in_virtual_time()
async def test_a_server_that_answers_nothing_any_more_is_left_after_15_seconds(rig: Rig) -> None:
    phone = await rig.started()
    _, call = await rig.desk.talks(phone)
    rig.desk.sim.faults.slow_server(3600)
    begin = rig.now
    with pytest.raises(RequestTimeout):
        await call.dtmf("1")
    assert rig.now - begin == pytest.approx(10, abs=0.1)
    await rig.seen.wait(SessionLost, seconds=60)
    assert rig.now - begin <= 15.1
    rig.desk.sim.faults.slow_server(0)
    await rig.seen.wait(SessionRestored, seconds=120)


@in_virtual_time()
async def test_a_slow_server_that_answers_in_time_is_no_fault(rig: Rig) -> None:
    phone = await rig.started()
    _, call = await rig.desk.talks(phone)
    rig.desk.sim.faults.slow_server(4)
    await call.hold()
    await asyncio.sleep(120)
    assert rig.seen.of(SessionLost) == []


async def hanging(rig: Rig) -> tuple[Phone, SimCall]:
    """A phone with an active call whose handler never ends."""
    router = Router()
    hangs = asyncio.Event()

    @router.on(Ringing)
    async def answer(call: Call, event: Ringing) -> None:
        await call.answer()
        hangs.set()
        await asyncio.Event().wait()

    phone = rig.phone()
    phone.router.include(router)
    await phone.start()
    there = await rig.desk.customer.dials(rig.desk.agent)
    await hangs.wait()
    return phone, there


@in_virtual_time()
async def test_a_drain_ends_within_40_seconds_over_a_handler_that_hangs(rig: Rig) -> None:
    phone, there = await hanging(rig)
    begin = rig.now
    await phone.drain()
    # 30 s for the handler, 5 s more while the phone closes; then it is cancelled.
    assert 30 <= rig.now - begin <= 40
    assert there.state == "ended"
    assert rig.seen.words(there.id)[-2:] == ["hangup", "destroy"]


@pytest.mark.parametrize("after", [0, 14, 16, 20, 29, 31])
@in_virtual_time()
async def test_a_drain_ends_within_45_seconds_over_a_network_that_is_gone_and_a_handler_that_hangs(
    rig: Rig, after: float
) -> None:
    phone, there = await hanging(rig)
    begin = rig.now
    gone = rig.loop.call_later(after, rig.proxy.black_hole)
    await phone.drain()
    assert rig.now - begin <= 45
    assert rig.seen.words(there.id)[-2:] == ["hangup", "destroy"]
    assert phone.calls == ()
    gone.cancel()
    rig.proxy.reset()  # the server's end gives up, too


@in_virtual_time()
async def test_a_phone_that_cannot_log_in_for_an_hour_comes_back_by_itself(rig: Rig) -> None:
    phone = await rig.started()
    rig.proxy.refuse()
    rig.proxy.reset()
    await asyncio.sleep(3600)
    tried = rig.proxy.refused
    # Every 30 s at the latest (jitter at its longest here), and never more often than the back-off allows.
    assert 3600 / 31 <= tried <= 3600 / 29 + 6
    rig.proxy.heal()
    healed = rig.now
    await rig.seen.wait(SessionRestored, seconds=60)
    assert rig.now - healed <= 30 + LOGIN
    call = await phone.dial(CUSTOMER)
    await call.wait_for("active", 5)
    assert rig.seen.session() == ["SessionReady", "SessionLost", "SessionRestored"]


@pytest.mark.parametrize("calls", ["hangup", "finish", "keep"])
@in_virtual_time()
async def test_a_call_that_rings_when_a_drain_begins_is_turned_away_at_once(
    rig: Rig, calls: Literal["hangup", "finish", "keep"]
) -> None:
    phone, _ = await hanging(rig)
    there, ringing = await rig.desk.rings(phone, rig.desk.world.customer("+97151111111"))
    begin = rig.now
    draining = asyncio.ensure_future(phone.drain(calls=calls))
    await there.reaches("ended")
    assert rig.now - begin < 0.1
    assert there.cause == "USER_BUSY"
    await until(lambda: ringing.is_over)
    await draining
    assert rig.now - begin <= 45
