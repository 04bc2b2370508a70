"""Calls that come in: ringing, answering, active, and how they end."""

from __future__ import annotations

import pytest

from ziwo_async import (
    Active,
    Answering,
    BadArgument,
    CallEnded,
    Destroy,
    DialogState,
    Direction,
    ExpectTimeout,
    Hangup,
    HangupBy,
    Held,
    PartyChanged,
    Ringing,
    SessionReady,
    WrongState,
    ZiwoClient,
    check_flow,
)

from .kit import CUSTOMER, Desk, within


async def test_after_the_login_the_phone_is_ready_and_the_position_is_reported(desk: Desk) -> None:
    client = desk.client()
    async with client, client.phone:
        assert desk.seen.of(SessionReady)[0].login == "agent-5555"
        assert client.phone.ready
        assert client.phone.login == "agent-5555"
        assert desk.agent.ready
        assert desk.agent.status == "Available"
        assert "agent-5555" in repr(client.phone)
    assert not desk.agent.ready
    assert not desk.agent.connected
    assert desk.seen.session() == ["SessionReady", "SessionClosed"]


async def test_without_autologin_the_position_is_left_alone(desk: Desk) -> None:
    client = desk.client(autologin=False)
    async with client, client.phone:
        assert desk.agent.connected
        assert not desk.agent.ready


async def test_an_inbound_call_goes_through_the_documented_states(desk: Desk, ziwo: ZiwoClient) -> None:
    there, call = await desk.rings(ziwo.phone)
    assert (call.state, call.direction, call.customer_number) == (DialogState.RINGING, Direction.INBOUND, CUSTOMER)
    assert call in ziwo.phone.calls
    await within(call.answer())
    assert call.state is DialogState.ACTIVE
    await there.reaches("active")
    await within(call.hold())
    assert (call.state, there.state) == (DialogState.HELD, "held")
    await within(call.unhold())
    assert (call.state, there.state) == (DialogState.ACTIVE, "active")
    await there.hangs_up()
    destroy = await call.wait_for(Destroy, 5)
    assert desk.seen.words(call.id) == ["ringing", "answering", "active", "held", "active", "hangup", "destroy"]
    assert (destroy.cause, destroy.cause_code, destroy.by) == ("NORMAL_CLEARING", 16, HangupBy.REMOTE)
    assert check_flow(destroy.state_flow).verdict == "documented"
    assert call.is_over
    assert call.cause == "NORMAL_CLEARING"
    assert ziwo.phone.calls == ()
    assert ziwo.phone.call(call.id) is None


async def test_the_handle_tells_ids_and_headers_of_the_call(desk: Desk, ziwo: ZiwoClient) -> None:
    there, call = await desk.rings(ziwo.phone, headers={"verto_h_crm": "42"})
    assert call.id == there.id
    assert call.primary_call_id == there.primary_call_id != call.id
    assert call.headers["verto_h_crm"] == "42"
    assert call.data.caller_id_name == "Customer"
    assert [str(step.state) for step in call.state_flow] == ["ringing"]
    assert call.id in repr(call)
    assert CUSTOMER in repr(call)


async def test_a_caller_who_gives_up_ends_the_call_with_their_cause(desk: Desk, ziwo: ZiwoClient) -> None:
    there, call = await desk.rings(ziwo.phone)
    await there.cancels()
    hangup = await call.wait_for(Hangup, 5)
    assert (hangup.cause, hangup.cause_code, hangup.by) == ("ORIGINATOR_CANCEL", 487, HangupBy.REMOTE)
    assert desk.seen.words(call.id) == ["ringing", "hangup", "destroy"]


async def test_a_call_nobody_answers_ends_with_no_answer(desk: Desk, ziwo: ZiwoClient) -> None:
    _, call = await desk.rings(ziwo.phone, ring_timeout=0.02)
    hangup = await call.wait_for("hangup", 5)
    assert hangup.current_call.hangup_cause == "NO_ANSWER"


async def test_answering_a_second_call_holds_the_first_when_asked(desk: Desk, ziwo: ZiwoClient) -> None:
    _, first = await desk.talks(ziwo.phone)
    _, second = await desk.rings(ziwo.phone, desk.world.customer("+97150000001"))
    await within(second.answer(hold_others=True))
    assert (first.state, second.state) == (DialogState.HELD, DialogState.ACTIVE)
    await within(first.unhold(hold_others=True))
    assert (first.state, second.state) == (DialogState.ACTIVE, DialogState.HELD)


async def test_answering_a_second_call_leaves_the_first_alone_when_not_asked(desk: Desk, ziwo: ZiwoClient) -> None:
    _, first = await desk.talks(ziwo.phone)
    _, second = await desk.rings(ziwo.phone, desk.world.customer("+97150000001"))
    await within(second.answer())
    assert (first.state, second.state) == (DialogState.ACTIVE, DialogState.ACTIVE)


async def test_a_call_is_answered_only_once(desk: Desk, ziwo: ZiwoClient) -> None:
    _, call = await desk.talks(ziwo.phone)
    with pytest.raises(WrongState, match="active"):
        await call.answer()
    assert len(desk.frames("verto.answer")) == 1


async def test_an_internal_call_says_so(desk: Desk) -> None:
    desk.world.extension("0011", desk.other)
    caller = desk.client(desk.other)
    called = desk.client()
    await caller.phone.start()
    await called.phone.start()
    called.phone._core.session.agents = frozenset({"0011", "5555"})
    async with called.expect(Ringing, where=lambda event: event.direction == "internal", timeout=5) as expected:
        await caller.phone.dial("agent-5555")
    assert expected.event.direction is Direction.INTERNAL


async def test_the_party_on_the_other_end_is_told_when_it_changes(desk: Desk, ziwo: ZiwoClient) -> None:
    there, call = await desk.talks(ziwo.phone)
    await call.wait_for(PartyChanged, 5)
    async with ziwo.expect(PartyChanged, where=lambda e: e.display_number == "777", timeout=5) as expected:
        await there.changes_party("Carol", "777")
    assert expected.event.display_name == "Carol"
    assert (call.data.display_name, call.data.display_number) == ("Carol", "777")


# -- wait_for -----------------------------------------------------------------------------------------------------


async def test_wait_for_takes_a_word_a_member_and_a_class(desk: Desk, ziwo: ZiwoClient) -> None:
    _, call = await desk.talks(ziwo.phone)
    assert isinstance(await call.wait_for("active", 1), Active)
    assert isinstance(await call.wait_for(DialogState.ACTIVE, 1), Active)
    assert (await call.wait_for(Active, 1)).state is DialogState.ACTIVE


async def test_wait_for_a_state_that_a_call_has_only_once_returns_it_later_too(desk: Desk, ziwo: ZiwoClient) -> None:
    _, call = await desk.talks(ziwo.phone)
    assert isinstance(await call.wait_for(Ringing, 1), Ringing)
    assert isinstance(await call.wait_for("answering", 1), Answering)
    await within(call.hangup())
    assert (await call.wait_for(Hangup, 1)).by is HangupBy.LOCAL
    assert isinstance(await call.wait_for("destroy", 1), Destroy)


async def test_wait_for_a_state_that_is_past_waits_for_the_next_time(desk: Desk, ziwo: ZiwoClient) -> None:
    _, call = await desk.talks(ziwo.phone)
    await within(call.hold())
    with pytest.raises(ExpectTimeout, match="active"):
        await call.wait_for(Active, 0.02)
    async with ziwo.expect(Active, timeout=5):
        await within(call.unhold())


async def test_wait_for_has_a_time_limit_that_names_the_call(desk: Desk, ziwo: ZiwoClient) -> None:
    _, call = await desk.rings(ziwo.phone)
    with pytest.raises(ExpectTimeout, match=f"'active' of call {call.id} did not come within 0.01 s"):
        await call.wait_for("active", timeout=0.01)
    with pytest.raises(TimeoutError):
        await call.wait_for(PartyChanged, timeout=0.01)
    assert ziwo.phone.dispatcher.listeners == 0


async def test_wait_for_ends_when_the_call_ends_first(desk: Desk, ziwo: ZiwoClient) -> None:
    there, call = await desk.rings(ziwo.phone)
    await there.hangs_up("USER_BUSY")
    with pytest.raises(CallEnded, match=r"it ended before 'active' came .USER_BUSY, by remote") as caught:
        await call.wait_for(Active, 5)
    assert (caught.value.call_id, caught.value.cause, caught.value.cause_code) == (call.id, "USER_BUSY", 17)
    with pytest.raises(CallEnded):
        await call.wait_for(Held)
    with pytest.raises(CallEnded):
        await call.wait_for(PartyChanged)


async def test_wait_for_refuses_a_word_that_is_no_state(desk: Desk, ziwo: ZiwoClient) -> None:
    _, call = await desk.rings(ziwo.phone)
    with pytest.raises(BadArgument, match=r"no state 'talking'.*requesting"):
        await call.wait_for("talking")
