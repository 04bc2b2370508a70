"""Failures of other clients with calls, over a loss or without one. Each test names the tracker."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
from typing import Any

import pytest

from ziwo_async import (
    Active,
    Call,
    CallEnded,
    Destroy,
    DialogState,
    Hangup,
    HangupBy,
    ReconnectPolicy,
    Ringing,
    Router,
    SessionLost,
    SessionRestored,
    UnknownFrame,
    WrongState,
)

from ..phone.kit import CUSTOMER, Desk, Line, Rogue, Rogues, environment_of, until, within
from .rig import LOGIN, Rig, in_virtual_time

SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 1 UDP/TLS/RTP/SAVPF 8\r\n"
GONE = {"error": {"message": "CALL DOES NOT EXIST", "code": -32002}}


def params_of(call_id: str) -> dict[str, Any]:
    return {"callID": call_id, "sdp": SDP, "caller_id_number": "+971", "callee_id_number": "agent-5555"}


# -- what becomes of calls over a loss --------------------------------------------------------------------------------


async def test_freeswitch_539_five_kinds_of_calls_over_one_loss_are_each_told_as_what_they_are(
    desk: Desk, rogue: Rogues
) -> None:
    """freeswitch #539, telnyx-webrtc PR 666, 630, 640: `reattached_sessions` was empty, or taken for all there is."""
    byes: list[str] = []

    def modify(request: dict[str, Any]) -> dict[str, Any]:
        return GONE

    def bye(request: dict[str, Any]) -> dict[str, Any]:
        byes.append(request["params"]["dialogParams"]["callID"])
        return {"result": {"message": "CALL ENDED"}}

    async def script(server: Rogue, line: Line) -> None:
        line.replies_to |= {"verto.modify": modify, "verto.bye": bye}
        request = await line.next()
        await line.result(request, message="logged in")
        if len(server.lines) == 1:
            await line.send(id=1, method="verto.clientReady", params={"reattached_sessions": []})
            for number, call_id in enumerate(("kept", "lost", "ours", "rings")):
                await line.send(id=2 + number, method="verto.invite", params=params_of(call_id))
            return
        for number, call_id in enumerate(("kept", "unknown", "ours")):
            await line.send(id=2 + number, method="verto.attach", params=params_of(call_id))
        listed = ["kept", "unknown", "ours"]
        await line.send(id=9, method="verto.clientReady", params={"reattached_sessions": listed})

    server = await rogue(script)
    phone = desk.phone(url=server.url, reconnect=ReconnectPolicy(base=0.2, cap=0.2))
    await phone.start()
    await until(lambda: len(phone.calls) == 4)
    calls = {call.id: call for call in phone.calls}
    for call_id in ("kept", "lost", "ours"):
        await within(calls[call_id].answer())
    server.lines[0].cut()
    await desk.seen.wait(SessionLost)
    # Unanswered: the server ended it with the connection, and that is told at once.
    (gone,) = desk.seen.of(Hangup)
    assert (gone.call_id, gone.by) == ("rings", HangupBy.LOST)
    assert gone.current_call.hangup_cause == "DESTINATION_OUT_OF_ORDER"
    await within(calls["ours"].hangup())

    restored = await desk.seen.wait(SessionRestored)
    assert sorted(restored.kept) == ["kept", "unknown"]
    assert (restored.lost, restored.unknown) == (("lost",), ("unknown",))
    await until(lambda: sorted(call.id for call in phone.calls if call.state is DialogState.ACTIVE) == [*restored.kept])
    await until(lambda: byes == ["ours"])
    by = {event.call_id: event.by for event in desk.seen.of(Hangup)}
    assert by == {"rings": HangupBy.LOST, "ours": HangupBy.LOCAL, "lost": HangupBy.LOST}
    assert sorted(event.call_id for event in desk.seen.of(Destroy)) == ["lost", "ours", "rings"]


@in_virtual_time()
async def test_rocket_chat_7345_a_hangup_that_got_lost_is_said_again_within_11_seconds(rig: Rig) -> None:
    """Rocket.Chat React Native PR 7345, telnyx-webrtc PR 630: the hangup went into a dead socket, the call went on."""
    phone = await rig.started()
    there, call = await rig.desk.talks(phone)
    rig.proxy.black_hole("to_server", on="present")
    before = rig.now
    await call.hangup()
    assert rig.now - before == pytest.approx(5.0, abs=0.1)  # Timeouts.close
    assert call.is_over
    assert there.state == "active"
    await there.reaches("ended", 60)
    # A command without a reply makes the phone look for a sign of life at once: 5 s more, then the reconnect.
    assert rig.now - before <= 5 + 5 + 0.5 + LOGIN
    assert len(rig.seen.of(Destroy)) == 1
    assert phone.calls == ()


# -- one call, answered once ------------------------------------------------------------------------------------------


async def test_telnyx_622_an_invite_that_is_offered_twice_is_answered_once(desk: Desk, rogue: Rogues) -> None:
    """telnyx-webrtc PR 622: the same invite was answered twice, and the second answer ended the call (LOSE_RACE)."""
    answers: list[str] = []

    def answered(request: dict[str, Any]) -> dict[str, Any]:
        answers.append(request["params"]["dialogParams"]["callID"])
        return {"result": {"message": "CALL ANSWERED"}}

    async def script(server: Rogue, line: Line) -> None:
        line.replies_to["verto.answer"] = answered
        await line.log_in()
        for number in range(3):
            await line.send(id=2 + number, method="verto.invite", params=params_of("c"))

    refused: list[str] = []
    router = Router()

    @router.on(Ringing)
    async def answer(call: Call, event: Ringing) -> None:
        async def once() -> None:
            try:
                await call.answer()
            except WrongState as error:
                refused.append(str(error))

        await asyncio.gather(once(), once())

    server = await rogue(script)
    phone = desk.phone(url=server.url, strict_flows=False)
    phone.router.include(router)
    await phone.start()
    await until(lambda: phone.call("c") is not None and phone.call("c").state is DialogState.ACTIVE)  # type: ignore[union-attr]
    await desk.settled(phone)
    assert answers == ["c"]
    assert len(refused) == 1
    assert desk.seen.words("c") == ["ringing", "answering", "active"]


async def test_telnyx_622_of_two_sockets_that_answer_one_gets_the_call_and_the_other_is_told(desk: Desk) -> None:
    """The same with two sockets of one credential: the loser's call ends with LOSE_RACE, and nothing breaks."""
    first, second = desk.phone(), desk.phone()
    await first.start()
    await second.start()
    there = await desk.customer.dials(desk.agent)
    await desk.seen.wait(Ringing, count=2)
    calls = [call for phone in (first, second) for call in phone.calls]
    assert len(calls) == 2

    async def answer(call: Call) -> None:
        with contextlib.suppress(CallEnded):
            await call.answer()

    await within(asyncio.gather(*(answer(call) for call in calls)))
    await there.reaches("active")
    await until(lambda: len([call for call in calls if call.is_over]) == 1)
    (lost,) = desk.seen.of(Hangup)
    assert lost.cause == "LOSE_RACE"
    assert [call.state for call in calls if not call.is_over] == [DialogState.ACTIVE]
    assert first.ready
    assert second.ready


# -- an end that is none ----------------------------------------------------------------------------------------------


async def test_nyxx_592_a_phone_that_aborts_sends_no_close_frame_and_its_call_is_kept(
    desk: Desk, rogue: Rogues
) -> None:
    """nyxx PR 592 (hikari closes with 3000 for the same reason): a polite close ended what could have been resumed."""
    server = await rogue(lambda server, line: line.log_in())
    phone = desk.phone(url=server.url)
    await phone.start()
    await within(phone.abort())
    await until(lambda: server.lines[0].socket.close_code is not None)
    assert server.lines[0].socket.close_code == 1006

    phone = desk.phone()
    await phone.start()
    there, _ = await desk.talks(phone)
    await within(phone.abort())
    await there.reaches("detached")


BOT = """
from ziwo_async import Active, Call, Ringing, Router, ZiwoClient

router = Router()

@router.on(Ringing)
async def answer(call: Call, event: Ringing) -> None:
    await call.answer()

@router.on(Active)
async def active(call: Call, event: Active) -> None:
    print("active", flush=True)

ZiwoClient.from_env(router=router).run()
"""


async def bot(desk: Desk) -> asyncio.subprocess.Process:
    """The program above in a process of its own, ready for calls."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BOT, env=environment_of(desk.agent, desk.sim.api_url), stdout=asyncio.subprocess.PIPE
    )
    await until(lambda: desk.world.is_client_ready(desk.agent), seconds=20)
    return process


async def end(process: asyncio.subprocess.Process, number: signal.Signals) -> int:
    if process.returncode is None:
        process.send_signal(number)
    await within(process.communicate(), 20)
    assert process.returncode is not None
    await asyncio.sleep(0)
    return process.returncode


async def test_nyxx_592_a_killed_process_without_a_ledger_leaves_its_call_at_the_server(desk: Desk) -> None:
    """Nobody knows the session id any more: the call stays at the server until its detach window is over."""
    processes = [await bot(desk)]
    try:
        there = await desk.customer.dials(desk.agent)
        assert processes[0].stdout is not None
        assert await within(processes[0].stdout.readline(), 20) == b"active\n"
        assert await end(processes[0], signal.SIGKILL) == -signal.SIGKILL
        await there.reaches("detached")
        processes.append(await bot(desk))
        assert there.state == "detached"
        await desk.sim.faults.detach_expired(desk.agent)
        assert there.state == "ended"
        assert await end(processes[1], signal.SIGTERM) == 0
    finally:
        for process in processes:
            await end(process, signal.SIGKILL)


# -- frames and tasks -------------------------------------------------------------------------------------------------


@in_virtual_time()
async def test_home_assistant_56922_a_frame_that_is_too_large_is_told_with_its_size_and_costs_nothing(
    rig: Rig,
) -> None:
    """home-assistant #56922, zwave-js PR 307, SenseLink #21: 1009, reconnect, the same message again, for ever."""
    phone = await rig.started()
    _, call = await rig.desk.talks(phone)
    params = {"callID": call.id, "noise": "x" * 2_000_000}
    await rig.desk.inject(method="verto.display", params=params)
    told = await rig.seen.wait(UnknownFrame)
    assert told.size is not None
    assert told.size > 2_000_000
    assert "too large" in told.reason
    await asyncio.sleep(60)
    assert rig.seen.of(SessionLost) == []
    assert call.state is DialogState.ACTIVE


@in_virtual_time()
async def test_home_assistant_56922_a_frame_over_the_hard_limit_at_every_login_is_no_hot_loop(rig: Rig) -> None:
    """Over 8 MiB the socket ends (1009), so that memory is bounded; the back-off grows though each login succeeds."""
    faults = rig.desk.sim.faults
    phone = await rig.started()
    begin = rig.now
    while rig.now - begin < 600:
        if phone.ready:
            await faults.inject(rig.desk.agent, "x" * (8 * 1_048_576 + 1))
            await until(lambda: not phone.ready)
        await asyncio.sleep(1)
    lost = rig.seen.of(SessionLost)
    assert all("1009" in event.reason for event in lost)
    # 0.5, 1, 2, 4, 8, 16 and then every 30 s.
    assert len(lost) <= 6 + 600 / 30 + 1
    await asyncio.sleep(31)
    assert phone.ready


@in_virtual_time()
async def test_hap_python_460_no_task_is_collected_though_the_collector_runs_in_every_turn(rig: Rig) -> None:
    """HAP-python PR 460, aioambient #486, bolna PR 809: tasks that nobody held were collected in the middle."""
    selector = rig.loop._selector
    plain = selector.select

    def collecting(timeout: float | None) -> list[Any]:
        gc.collect()
        return plain(timeout)

    handled: list[str] = []
    begun: list[str] = []
    ended: list[str] = []
    router = Router()

    @router.during(Ringing)
    async def answers(call: Call, event: Ringing) -> None:
        await asyncio.sleep(0.2)
        await call.answer()
        handled.append(call.id)

    @router.during(Active, grace=0.1)
    async def waits(call: Call, event: Active) -> None:
        begun.append(call.id)
        try:
            # Nobody but this task holds what it waits for.
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(call.id)
            raise

    gc.freeze()
    try:
        setattr(selector, "select", collecting)  # noqa: B010
        phone = rig.phone()
        phone.router.include(router)
        await phone.start()
        for turn in range(5):
            # Tasks that nobody awaits: handlers, answers to attach, a dial that the server asks for, late byes.
            there = await rig.desk.world.customer(f"+9715{turn:08d}").dials(rig.desk.agent)
            await rig.seen.wait(Ringing, count=turn + 1)
            await until(lambda count=turn + 1: len(handled) == count)
            await rig.desk.agent.told_to_dial(CUSTOMER)
            await until(lambda: any(call.direction == "outbound" and call.state == "active" for call in phone.calls))
            rig.proxy.reset()
            await rig.seen.wait(SessionRestored, count=turn + 1)
            await until(lambda: all(call.state is DialogState.ACTIVE for call in phone.calls))
            assert len(phone.calls) == 2
            for call in phone.calls:
                await call.hangup()
            await there.reaches("ended")
        assert len(handled) == 5
        await asyncio.sleep(1)
        # Two calls in each turn, active once before the loss and once after it.
        assert len(begun) == 20
        assert sorted(ended) == sorted(begun)
    finally:
        setattr(selector, "select", plain)  # noqa: B010
        gc.unfreeze()
