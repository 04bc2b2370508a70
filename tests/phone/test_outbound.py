"""Calls that go out: with and without early media, refused, failing, transferred."""

from __future__ import annotations

import asyncio

import pytest

from ziwo_async import (
    Active,
    BadArgument,
    CallEnded,
    CallRefused,
    Destroy,
    DialogState,
    Direction,
    Early,
    Hangup,
    HangupBy,
    Held,
    Phone,
    Ringing,
    TransferFailed,
    WrongState,
    ZiwoClient,
    check_flow,
)

from .kit import CUSTOMER, Desk, hasty, until, within


async def test_an_outbound_call_with_early_media_goes_through_the_documented_states(
    desk: Desk, ziwo: ZiwoClient
) -> None:
    desk.customer.will(answer_after=0.01, early_media=True)
    call = await within(ziwo.phone.dial(CUSTOMER))
    assert (call.direction, call.customer_number) == (Direction.OUTBOUND, CUSTOMER)
    await call.wait_for(Active, 5)
    await within(call.hangup())
    assert desk.seen.words(call.id) == ["requesting", "trying", "early", "active", "hangup", "destroy"]
    assert check_flow(call.state_flow).verdict == "documented"
    assert call.primary_call_id == call.id


async def test_an_outbound_call_without_early_media_gets_its_early_state_inferred(desk: Desk, ziwo: ZiwoClient) -> None:
    desk.customer.will(answer_after=0.01, early_media=False)
    call = await within(ziwo.phone.dial(CUSTOMER))
    await call.wait_for(Active, 5)
    assert desk.seen.words(call.id) == ["requesting", "trying", "early*", "active"]
    assert (await call.wait_for(Early, 1)).inferred


async def test_dial_returns_when_the_server_took_the_call(desk: Desk, ziwo: ZiwoClient) -> None:
    desk.customer.never_answers()
    call = await within(ziwo.phone.dial(CUSTOMER))
    assert call.state is DialogState.TRYING
    assert ziwo.phone.calls == (call,)


async def test_variables_of_dial_and_set_variables_reach_the_server(desk: Desk, ziwo: ZiwoClient) -> None:
    call = await within(ziwo.phone.dial(CUSTOMER, variables={"crm": "42", "vip": True}, call_id="call_42"))
    assert call.id == "call_42"
    there = await desk.customer.is_called()
    assert there.variables["verto_dvar_crm"] == "42"
    assert there.variables["verto_dvar_vip"] == "true"
    await within(call.set_variables({"note": "hello", "vip": False}))
    assert there.variables["verto_dvar_note"] == "hello"
    assert there.variables["verto_dvar_vip"] == "false"


@pytest.mark.parametrize("value", ["", 7, None, {"a": "b"}])
async def test_a_variable_that_the_server_would_drop_silently_is_refused(
    desk: Desk, ziwo: ZiwoClient, value: object
) -> None:
    call = await within(ziwo.phone.dial(CUSTOMER))
    with pytest.raises(BadArgument, match="'note' must be a string"):
        await call.set_variables({"note": value})  # type: ignore[dict-item]
    assert desk.frames("verto.sendToCall") == []


@pytest.mark.parametrize("number", ["", "  ", "1" * 129, "12\n34", "\x00"])
async def test_what_can_be_no_number_is_refused_before_anything_is_sent(
    desk: Desk, ziwo: ZiwoClient, number: str
) -> None:
    with pytest.raises(BadArgument, match="is not a number that can be dialled"):
        await ziwo.phone.dial(number)
    assert desk.frames("verto.invite") == []
    assert ziwo.phone.calls == ()


async def test_a_call_id_must_be_printable_and_free(desk: Desk, ziwo: ZiwoClient) -> None:
    for bad in ("", "a\nb"):
        with pytest.raises(BadArgument, match="call id"):
            await ziwo.phone.dial(CUSTOMER, call_id=bad)
    first = await within(ziwo.phone.dial(CUSTOMER, call_id="one"))
    await first.wait_for(Active, 5)
    with pytest.raises(WrongState, match="has this id already"):
        await ziwo.phone.dial(CUSTOMER, call_id="one")
    # The live call has kept its media: a failed second try must not take them away.
    assert ziwo.phone._core.media.has("one")
    assert first.state is DialogState.ACTIVE


@pytest.mark.parametrize(("cause", "code"), [("CALL_REJECTED", 21), ("USER_BUSY", 17), ("NO_ANSWER", 19)])
async def test_a_customer_who_does_not_take_the_call_ends_it_with_their_cause(
    desk: Desk, ziwo: ZiwoClient, cause: str, code: int
) -> None:
    desk.customer.will_reject(cause=cause)
    call = await within(ziwo.phone.dial(CUSTOMER))
    hangup = await call.wait_for(Hangup, 5)
    assert (hangup.cause, hangup.cause_code, hangup.by) == (cause, code, HangupBy.REMOTE)
    assert desk.seen.words(call.id) == ["requesting", "trying", "hangup", "destroy"]
    with pytest.raises(CallEnded, match=cause):
        await call.wait_for(Active, 5)


async def test_a_number_that_does_not_exist_ends_the_call(desk: Desk, ziwo: ZiwoClient) -> None:
    call = await within(ziwo.phone.dial("000"))
    assert (await call.wait_for(Hangup, 5)).cause == "UNALLOCATED_NUMBER"


async def test_an_agent_who_is_absent_ends_the_call(desk: Desk, ziwo: ZiwoClient) -> None:
    call = await within(ziwo.phone.dial("agent-0011"))
    hangup = await call.wait_for(Hangup, 5)
    assert (hangup.cause, hangup.cause_code) == ("USER_NOT_REGISTERED", 806)


async def test_a_call_that_the_server_refuses_is_an_error_with_its_cause(desk: Desk, ziwo: ZiwoClient) -> None:
    desk.sim.faults.fail_next("verto.invite", -32002, "CALL ERROR", cause="DESTINATION_OUT_OF_ORDER", causeCode=27)
    with pytest.raises(CallRefused, match="DESTINATION_OUT_OF_ORDER 27") as caught:
        await within(ziwo.phone.dial(CUSTOMER))
    assert (caught.value.cause, caught.value.cause_code) == ("DESTINATION_OUT_OF_ORDER", 27)
    assert desk.seen.words() == ["requesting", "hangup", "destroy"]
    assert ziwo.phone.calls == ()
    assert (await within(ziwo.phone.dial(CUSTOMER))).state is DialogState.TRYING


# -- commands ---------------------------------------------------------------------------------------------------


async def test_mute_is_local_and_told_once(desk: Desk, ziwo: ZiwoClient) -> None:
    _, call = await desk.talks(ziwo.phone)
    before = len(desk.sim.journal.frames("in"))
    await within(call.mute())
    await within(call.mute())
    assert call.muted
    await within(call.unmute())
    await within(call.unmute())
    assert not call.muted
    told = [type(e).__name__ for e in desk.seen.events if type(e).__name__ in ("Muted", "Unmuted")]
    assert told == ["Muted", "Unmuted"]
    assert len(desk.sim.journal.frames("in")) == before


async def test_dtmf_arrives_in_one_message(desk: Desk, ziwo: ZiwoClient) -> None:
    _, call = await desk.talks(ziwo.phone)
    for digits in ("12#", "0w*A@150"):
        await within(call.dtmf(digits))
    assert desk.world.dtmf == [(call.id, "12#"), (call.id, "0w*A@150")]


@pytest.mark.parametrize("digits", ["", "12x", "1 2", "12@", "\uff11", "1\n"])
async def test_digits_that_do_not_exist_are_refused(desk: Desk, ziwo: ZiwoClient, digits: str) -> None:
    _, call = await desk.talks(ziwo.phone)
    with pytest.raises(BadArgument, match="no DTMF digits"):
        await call.dtmf(digits)
    assert desk.world.dtmf == []


async def test_a_hold_that_the_server_does_not_do_is_an_error(desk: Desk, ziwo: ZiwoClient) -> None:
    _, call = await desk.rings(ziwo.phone)
    with pytest.raises(WrongState, match="ringing"):
        await call.hold()
    await within(call.answer())
    # Accepted by the server before the call is bridged there: it then answers "active" to a hold.
    there = desk.world.calls[-1]
    await there.reaches("active")
    assert there.leg is not None
    there.leg.answered = False
    with pytest.raises(WrongState, match="the server did not hold it: its hold state is 'active'"):
        await within(call.hold())
    there.leg.answered = True
    assert call.state is DialogState.ACTIVE


async def test_a_blind_transfer_sends_the_customer_on_and_ends_our_leg(desk: Desk) -> None:
    one, two = desk.client(), desk.client(desk.other)
    await one.phone.start()
    await two.phone.start()
    _, call = await desk.talks(one.phone)
    async with two.expect(Ringing, where=lambda e: e.call_id != call.id, timeout=5) as expected:
        await within(call.transfer("agent-0011"))
    ended = await call.wait_for(Destroy, 5)
    assert ended.cause == "NORMAL_CLEARING"
    assert expected.event.customer_number == CUSTOMER


async def test_a_transfer_that_the_server_refuses_leaves_the_call_alone(desk: Desk, ziwo: ZiwoClient) -> None:
    call = await within(ziwo.phone.dial("9196"))
    await call.wait_for(Active, 5)
    with pytest.raises(TransferFailed, match="call is not bridged"):
        await within(call.transfer("000"))
    with pytest.raises(BadArgument):
        await call.transfer("")
    assert call.state is DialogState.ACTIVE


THIRD = "+97150000003"


async def test_an_attended_transfer_that_is_completed_ends_both_our_legs(desk: Desk, ziwo: ZiwoClient) -> None:
    desk.world.customer(THIRD).will(answer_after=0.003)
    _, call = await desk.talks(ziwo.phone)
    transfer = await within(call.attended_transfer(THIRD))
    assert call.state is DialogState.HELD
    assert transfer.source is call
    assert transfer.consult.primary_call_id == call.primary_call_id
    await transfer.consult.wait_for(Active, 5)
    await within(transfer.complete())
    await call.wait_for(Destroy, 5)
    await transfer.consult.wait_for(Destroy, 5)
    assert ziwo.phone.calls == ()


async def test_an_attended_transfer_that_is_cancelled_goes_back_to_the_customer(desk: Desk, ziwo: ZiwoClient) -> None:
    desk.world.customer(THIRD).will(answer_after=0.003)
    there, call = await desk.talks(ziwo.phone)
    transfer = await within(call.attended_transfer(THIRD))
    await transfer.consult.wait_for(Active, 5)
    await within(transfer.cancel())
    assert transfer.consult.state is DialogState.DESTROY
    assert (call.state, there.state) == (DialogState.ACTIVE, "active")


async def test_an_attended_transfer_may_be_completed_while_the_third_party_rings(desk: Desk) -> None:
    one, two = desk.client(), desk.client(desk.other)
    await one.phone.start()
    await two.phone.start()
    _, call = await desk.talks(one.phone)
    async with two.expect(Ringing, where=lambda e: e.call_id != call.id, timeout=5) as expected:
        transfer = await within(call.attended_transfer("agent-0011"))
    await within(transfer.complete())
    await call.wait_for(Destroy, 5)
    there = two.phone.call(expected.event.call_id)
    assert there is not None
    await within(there.answer())
    await transfer.consult.wait_for(Destroy, 5)
    assert there.state is DialogState.ACTIVE


async def test_an_attended_transfer_cancelled_while_the_third_party_rings_stops_the_ringing(
    desk: Desk, ziwo: ZiwoClient
) -> None:
    desk.world.customer(THIRD).never_answers()
    _, call = await desk.talks(ziwo.phone)
    transfer = await within(call.attended_transfer(THIRD))
    consult = await desk.world.customer(THIRD).is_called()
    await within(transfer.cancel())
    assert transfer.consult.cause == "ORIGINATOR_CANCEL"
    assert consult.state == "ended"
    assert call.state is DialogState.ACTIVE


async def test_an_attended_transfer_whose_consultation_is_refused_takes_the_customer_off_hold(
    desk: Desk, ziwo: ZiwoClient
) -> None:
    there, call = await desk.talks(ziwo.phone)
    desk.sim.faults.fail_next("verto.invite", -32002, "CALL ERROR")
    with pytest.raises(CallRefused):
        await within(call.attended_transfer(THIRD))
    assert (call.state, there.state) == (DialogState.ACTIVE, "active")
    assert ziwo.phone.calls == (call,)


async def test_an_attended_transfer_cannot_be_completed_when_the_third_party_was_busy(
    desk: Desk, ziwo: ZiwoClient
) -> None:
    desk.world.customer(THIRD).is_busy()
    _, call = await desk.talks(ziwo.phone)
    transfer = await within(call.attended_transfer(THIRD))
    await transfer.consult.wait_for(Destroy, 5)
    with pytest.raises(CallEnded, match="USER_BUSY"):
        await transfer.complete()
    assert call.state is DialogState.HELD
    await within(transfer.cancel())
    assert call.state is DialogState.ACTIVE


async def test_an_attended_transfer_whose_customer_hangs_up_meanwhile_says_so(desk: Desk, ziwo: ZiwoClient) -> None:
    desk.world.customer(THIRD).will(answer_after=0.003)
    there, call = await desk.talks(ziwo.phone)
    transfer = await within(call.attended_transfer(THIRD))
    await transfer.consult.wait_for(Active, 5)
    await there.hangs_up()
    await call.wait_for(Destroy, 5)
    with pytest.raises((CallEnded, WrongState)):
        await within(transfer.complete())
    await within(transfer.cancel())
    assert ziwo.phone.calls == ()


async def test_an_attended_transfer_takes_a_customer_who_is_on_hold_already(desk: Desk, ziwo: ZiwoClient) -> None:
    _, call = await desk.talks(ziwo.phone)
    await within(call.hold())
    transfer = await within(call.attended_transfer(CUSTOMER))
    assert desk.seen.words(call.id).count("held") == 1
    await within(transfer.cancel())


# -- hanging up -------------------------------------------------------------------------------------------------


async def in_requesting(desk: Desk, phone: Phone) -> asyncio.Task[object]:
    desk.sim.faults.drop_next("verto.invite", executed=False)
    task: asyncio.Task[object] = asyncio.create_task(phone.dial(CUSTOMER))
    await until(lambda: phone.calls)
    return task


async def test_a_call_that_was_only_requested_can_be_hung_up(desk: Desk) -> None:
    phone = desk.phone(strict_flows=False)
    await phone.start()
    task = await in_requesting(desk, phone)
    (call,) = phone.calls
    assert call.state is DialogState.REQUESTING
    await within(call.hangup())
    assert call.cause == "ORIGINATOR_CANCEL"
    task.cancel()
    await asyncio.wait([task])


async def test_hanging_up_sends_the_cause_that_fits_the_state(desk: Desk, ziwo: ZiwoClient) -> None:
    desk.customer.never_answers(early_media=False)
    trying = await within(ziwo.phone.dial(CUSTOMER))
    await within(trying.hangup())
    desk.customer.never_answers(early_media=True)
    early = await within(ziwo.phone.dial(CUSTOMER))
    await early.wait_for(Early, 5)
    await within(early.hangup())
    _, ringing = await desk.rings(ziwo.phone)
    await within(ringing.hangup())
    _, active = await desk.talks(ziwo.phone)
    await within(active.hangup())
    _, held = await desk.talks(ziwo.phone)
    await within(held.hold())
    await within(held.hangup())
    said = [(frame["params"]["cause"], frame["params"]["causeCode"]) for frame in desk.frames("verto.bye")]
    assert said == [
        ("ORIGINATOR_CANCEL", 487),
        ("ORIGINATOR_CANCEL", 487),
        ("CALL_REJECTED", 21),
        ("NORMAL_CLEARING", 16),
        ("NORMAL_CLEARING", 16),
    ]
    for call in (trying, early, ringing, active, held):
        assert call.is_over
        assert (await call.wait_for(Hangup)).by is HangupBy.LOCAL
        assert desk.seen.words(call.id)[-2:] == ["hangup", "destroy"]
    assert desk.seen.words(held.id)[-3] == "held"


async def test_hanging_up_with_a_cause_of_ones_own(desk: Desk, ziwo: ZiwoClient) -> None:
    there, call = await desk.rings(ziwo.phone)
    await within(call.hangup("USER_BUSY"))
    assert there.cause == "USER_BUSY"
    _, other = await desk.rings(ziwo.phone)
    await within(other.hangup("SOMETHING_NEW"))
    params = desk.frames("verto.bye")[-1]["params"]
    assert params["cause"] == "SOMETHING_NEW"
    assert "causeCode" not in params


async def test_hanging_up_twice_or_at_the_same_time_says_bye_once(desk: Desk, ziwo: ZiwoClient) -> None:
    _, call = await desk.talks(ziwo.phone)
    await within(asyncio.gather(call.hangup(), call.hangup(), call.hangup()))
    await within(call.hangup())
    assert len(desk.frames("verto.bye")) == 1
    assert desk.seen.words(call.id).count("destroy") == 1


async def test_a_bye_that_is_never_confirmed_still_ends_the_call(desk: Desk) -> None:
    phone = desk.phone()
    await phone.start()
    _, call = await desk.talks(phone)
    hasty(phone, close=0.02)
    desk.sim.faults.drop_next("verto.bye")
    await within(call.hangup())
    assert call.is_over
    assert desk.seen.words(call.id)[-2:] == ["hangup", "destroy"]


async def test_both_sides_hanging_up_at_once_give_one_end(desk: Desk, ziwo: ZiwoClient) -> None:
    there, call = await desk.talks(ziwo.phone)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(call.hangup())
        group.create_task(there.hangs_up())
    assert desk.seen.words(call.id) == ["ringing", "answering", "active", "hangup", "destroy"]


async def test_any_other_request_can_be_sent(desk: Desk, ziwo: ZiwoClient) -> None:
    result = await within(ziwo.phone.request("verto.subscribe", {"eventChannel": "presence.all"}))
    assert result["subscribedChannels"] == ["presence.all"]
    assert (await within(ziwo.phone.request("verto.ping")))["message"] == "PONG"


async def test_held_is_an_event_class_too(desk: Desk, ziwo: ZiwoClient) -> None:
    _, call = await desk.talks(ziwo.phone)
    waiting = asyncio.create_task(call.wait_for(Held, 5))
    await within(call.hold())
    assert (await waiting).state is DialogState.HELD
