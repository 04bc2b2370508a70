"""After a loss: what is asked, said again, given up, and believed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from ziwo_async import (
    Call,
    Destroy,
    DialogState,
    Forbidden,
    Hangup,
    Liveness,
    Phone,
    ReconnectPolicy,
    RequestTimeout,
    SessionClosed,
    SessionLost,
    SessionRestored,
)
from ziwo_async.dispatch.backoff import Backoff
from ziwo_async.phone.clockwatch import ClockWatch
from ziwo_async.phone.connection import Socket, open_socket

from .kit import AGAIN_AT_ONCE, Desk, Line, Rogue, Rogues, hasty, until, within

SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 8\r\n"
GONE = {"error": {"message": "CALL DOES NOT EXIST", "code": -32002}}


def params_of(call_id: str) -> dict[str, Any]:
    return {
        "callID": call_id, "sdp": SDP, "caller_id_number": "+971", "callee_id_number": "agent-5555",
        "display_direction": "outbound",
    }  # fmt: skip


class Keeper:
    """A server with one call, which it treats after a loss as the test says."""

    def __init__(self, *, known: bool, offered_at: int) -> None:
        self.known = known
        self.offered_at = offered_at
        self.logins = 0
        self.asked = 0
        self.byes: list[str] = []
        self.sessids: list[str] = []

    async def script(self, server: Rogue, line: Line) -> None:
        self.logins += 1
        line.replies_to["verto.modify"] = self.modify
        line.replies_to["verto.bye"] = self.bye
        request = await line.next()
        self.sessids.append(request["params"]["sessid"])
        await line.result(request, message="logged in")
        offered = self.logins == self.offered_at
        if offered:
            await line.send(id=2, method="verto.attach", params=params_of("c"))
        await line.send(id=3, method="verto.clientReady", params={"reattached_sessions": ["c"] if offered else []})
        if self.logins == 1:
            await line.send(id=4, method="verto.invite", params=params_of("c"))

    def modify(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        return {"result": {"action": request["params"]["action"], "holdState": "active"}} if self.known else GONE

    def bye(self, request: dict[str, Any]) -> dict[str, Any]:
        self.byes.append(request["params"]["dialogParams"]["callID"])
        return {"result": {"message": "CALL ENDED"}} if self.known else GONE


async def talking(desk: Desk, server: Rogue, **options: Any) -> tuple[Phone, Call]:
    phone = desk.phone(url=server.url, **options)
    await phone.start()
    await until(lambda: phone.call("c"))
    call = phone.call("c")
    assert call is not None
    await within(call.answer())
    return phone, call


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ziwo_async.phone.supervisor._ASK_AGAIN_AFTER", 0.01)


async def test_a_call_that_is_not_offered_again_and_not_known_is_lost_after_one_question(
    desk: Desk, rogue: Rogues
) -> None:
    keeper = Keeper(known=False, offered_at=0)
    server = await rogue(keeper.script)
    _, call = await talking(desk, server)
    server.lines[-1].cut()
    restored = await desk.seen.wait(SessionRestored)
    assert (restored.kept, restored.lost, restored.unknown) == ((), ("c",), ())
    (hangup,) = desk.seen.of(Hangup)
    assert (hangup.by, hangup.cause) == ("lost", None)
    assert len(desk.seen.of(Destroy)) == 1
    assert (keeper.logins, keeper.asked, keeper.byes) == (2, 1, [])
    assert call.is_over


async def test_a_call_that_the_server_has_but_does_not_offer_is_asked_for_by_one_more_login(
    desk: Desk, rogue: Rogues
) -> None:
    # As FreeSWITCH up to 1.10.6 does when the second login finds the old socket half open (freeswitch #539).
    keeper = Keeper(known=True, offered_at=3)
    server = await rogue(keeper.script)
    _, call = await talking(desk, server)
    server.lines[-1].cut()
    restored = await desk.seen.wait(SessionRestored)
    assert (restored.kept, restored.lost) == (("c",), ())
    await until(lambda: call.state is DialogState.ACTIVE)
    assert desk.seen.words("c") == ["ringing", "answering", "active", "recovering", "active"]
    assert (keeper.logins, keeper.asked) == (3, 1)
    assert desk.seen.session() == ["SessionReady", "SessionLost", "SessionRestored"]
    assert len(set(keeper.sessids)) == 1


async def test_a_call_that_is_not_offered_the_second_time_either_is_lost_and_ended_at_the_server(
    desk: Desk, rogue: Rogues
) -> None:
    keeper = Keeper(known=True, offered_at=0)
    server = await rogue(keeper.script)
    _, call = await talking(desk, server)
    server.lines[-1].cut()
    restored = await desk.seen.wait(SessionRestored)
    assert (restored.kept, restored.lost) == ((), ("c",))
    assert call.is_over
    await until(lambda: keeper.byes == ["c"])
    assert (keeper.logins, keeper.asked) == (3, 2)
    assert len(desk.seen.of(SessionRestored)) == 1


async def test_a_hangup_that_could_not_be_sent_is_sent_after_the_login_though_the_call_is_not_offered(
    desk: Desk, rogue: Rogues
) -> None:
    keeper = Keeper(known=True, offered_at=0)
    server = await rogue(keeper.script)
    phone, call = await talking(desk, server, reconnect=ReconnectPolicy(base=0.2, cap=0.2))
    server.lines[-1].cut()
    await desk.seen.wait(SessionLost)
    await within(call.hangup())
    assert call.is_over
    await desk.seen.wait(SessionRestored)
    await until(lambda: keeper.byes == ["c"])
    assert len(desk.seen.of(Destroy)) == 1
    assert phone.calls == ()


async def test_a_bye_whose_confirmation_was_lost_with_the_connection_is_said_again(desk: Desk, rogue: Rogues) -> None:
    keeper = Keeper(known=True, offered_at=0)
    server = await rogue(keeper.script)
    _, call = await talking(desk, server)

    def lost(request: dict[str, Any]) -> None:
        server.lines[-1].cut()

    server.lines[-1].replies_to["verto.bye"] = lost
    await within(call.hangup())
    await desk.seen.wait(SessionRestored)
    await until(lambda: keeper.byes == ["c"])
    assert [event.by for event in desk.seen.of(Hangup)] == ["local"]


async def test_late_frames_of_an_old_connection_change_nothing(desk: Desk) -> None:
    # centrifuge-go PR 150: messages of an ended session were delivered into the next one.
    takers: list[Callable[[bytes], None]] = []

    async def connector(*given: Any) -> Socket:
        socket = await open_socket(*given)
        start = socket.start

        def noted(on_message: Callable[[bytes], None]) -> None:
            takers.append(on_message)
            start(on_message)

        socket.start = noted  # type: ignore[method-assign]
        return socket

    phone = desk.phone(connector=connector)
    await phone.start()
    _, call = await desk.talks(phone)
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionRestored)
    await until(lambda: call.state is DialogState.ACTIVE)
    before = list(desk.seen.events)
    bye = f'{{"jsonrpc":"2.0","id":9,"method":"verto.bye","params":{{"callID":"{call.id}","cause":"NORMAL_CLEARING"}}}}'
    takers[0](bye.encode())
    takers[0](b'{"jsonrpc":"2.0","id":10,"method":"verto.punt","params":{}}')
    assert desk.seen.events == before
    assert call.state is DialogState.ACTIVE
    assert phone.ready


async def test_a_session_that_cannot_be_taken_up_is_replaced_by_a_fresh_one(desk: Desk, rogue: Rogues) -> None:
    # discord.js #8486: a session that could not be resumed was tried again for ever.
    sessids: list[str] = []

    async def script(server: Rogue, line: Line) -> None:
        request = await line.next()
        sessids.append(request["params"]["sessid"])
        if len(set(sessids)) == 1 and len(sessids) > 1:
            line.cut()
            return
        await line.result(request, message="logged in")
        await line.send(id=3, method="verto.clientReady", params={"reattached_sessions": []})

    server = await rogue(script)
    phone = desk.phone(url=server.url)
    await phone.start()
    server.lines[-1].cut()
    await desk.seen.wait(SessionRestored)
    assert sessids[0] == sessids[1] == sessids[2] != sessids[3]
    assert len(sessids) == 4


async def test_when_the_fresh_session_is_refused_as_a_duplicate_the_old_one_is_tried_again(
    desk: Desk, rogue: Rogues
) -> None:
    sessids: list[str] = []

    async def script(server: Rogue, line: Line) -> None:
        request = await line.next()
        sessids.append(request["params"]["sessid"])
        if len(sessids) in (2, 3):
            line.cut()
            return
        while sessids[-1] != sessids[0]:
            await line.error(request, code=-32003, message="Duplicate Session")
            request = await line.next()
        await line.result(request, message="logged in")
        await line.send(id=3, method="verto.clientReady", params={"reattached_sessions": []})

    server = await rogue(script)
    phone = desk.phone(url=server.url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ziwo_async.phone.signin._OWN_DUPLICATE", (0.001,))
        await phone.start()
        server.lines[-1].cut()
        await desk.seen.wait(SessionRestored)
    assert sessids[3] != sessids[0] == sessids[4]
    assert desk.seen.session() == ["SessionReady", "SessionLost", "LoginBlocked", "SessionRestored"]


async def test_a_rejected_address_is_final(desk: Desk) -> None:
    phone = desk.phone()
    await phone.start()
    desk.sim.faults.fail_next("login", -32004, "IP Rejected")
    await desk.sim.faults.cut_phone_socket(desk.agent)
    with pytest.raises(Forbidden, match="network address"):
        await within(phone.wait_closed())
    assert desk.seen.of(SessionClosed)[0].error == "Forbidden"


# -- when to look ------------------------------------------------------------------------------------------------


async def test_a_request_without_an_answer_makes_the_phone_look_for_a_sign_of_life(desk: Desk) -> None:
    phone = desk.phone(liveness=Liveness(silence=60, reply=0.1, tick=60))
    await phone.start()
    _, call = await desk.talks(phone)
    hasty(phone, verto_request=0.05)
    await desk.sim.faults.half_open(desk.agent)
    with pytest.raises(RequestTimeout):
        await call.dtmf("1")
    lost = await desk.seen.wait(SessionLost)
    assert "no sign of life" in lost.reason
    await desk.seen.wait(SessionRestored)


async def test_a_clock_that_jumped_makes_the_phone_look_for_a_sign_of_life(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept = [0.0]

    class Sleepy(ClockWatch):
        def __init__(self, loop_time: Callable[[], float], jump: float) -> None:
            super().__init__(loop_time, jump, slept_time=lambda: loop_time() + slept[0])

    monkeypatch.setattr("ziwo_async.phone.connection.ClockWatch", Sleepy)
    phone = desk.phone(liveness=Liveness(silence=60, reply=0.1, tick=0.01))
    await phone.start()
    await asyncio.sleep(0.05)
    assert desk.frames("verto.ping") == []
    slept[0] = 31.0
    await until(lambda: len(desk.frames("verto.ping")) == 1)
    await desk.sim.faults.half_open(desk.agent)
    slept[0] = 3600.0
    lost = await desk.seen.wait(SessionLost)
    assert "no sign of life" in lost.reason
    await desk.seen.wait(SessionRestored)


def test_a_clock_jump_is_told_from_the_passing_of_time() -> None:
    loop, slept = [0.0], [0.0]
    watch = ClockWatch(lambda: loop[0], 30.0, slept_time=lambda: slept[0])

    def moves(by: float, asleep: float = 0.0) -> bool:
        loop[0] += by
        slept[0] += by + asleep
        return watch.jumped(2.0)

    assert not moves(2.0)
    assert not moves(31.9)  # late by less than 30 s: a busy machine
    assert moves(32.1)  # the program stood still
    assert not moves(2.0, asleep=29.0)
    assert moves(2.0, asleep=31.0)  # the machine slept, which the loop's clock does not see
    assert not moves(2.0)


# -- how long to wait --------------------------------------------------------------------------------------------


class Longest(random.Random):
    """Jitter that always waits as long as it may."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_while_a_call_waits_in_the_detach_window_the_wait_is_short() -> None:
    backoff = Backoff(ReconnectPolicy(), Longest())
    assert [backoff.next(None, calls_wait=True) for _ in range(6)] == [0.5, 1, 2, 4, 4, 4]
    assert backoff.next(None) == 30


def test_a_name_that_is_taken_is_tried_every_20_s_to_5_minutes() -> None:
    longest = Backoff(ReconnectPolicy(), Longest())
    assert [longest.blocked(n) for n in range(1, 8)] == [25, 50, 100, 200, 300, 300, 300]
    plain = Backoff(ReconnectPolicy(), random.Random(1))
    assert all(20 <= plain.blocked(1) <= 25 for _ in range(100))


async def test_the_short_wait_ends_with_the_detach_window(desk: Desk) -> None:
    for window, longest in ((60.0, 0.02), (0.001, 5.0)):
        policy = ReconnectPolicy(base=5.0, cap=5.0, cap_with_calls=0.02, detach_window=window)
        phone = desk.phone(reconnect=policy, rng=Longest(), strict_flows=False)
        await phone.start()
        _, call = await desk.talks(phone)
        count = len(desk.seen.of(SessionRestored))
        desk.sim.faults.refuse_connections(window < 1)
        await desk.sim.faults.cut_phone_socket(desk.agent)
        if longest < 1:
            await desk.seen.wait(SessionRestored, count=count + 1)
        else:
            await desk.seen.wait(SessionLost, count=2)
            await asyncio.sleep(0.1)
            assert not phone.ready
        await within(call.hangup())
        await within(phone.aclose())
    assert AGAIN_AT_ONCE.detach_window == 120


async def test_a_call_found_gone_by_a_login_that_came_to_nothing_is_told_lost_by_the_next(
    desk: Desk, rogue: Rogues
) -> None:
    async def script(server: Rogue, line: Line) -> None:
        await line.log_in()
        if len(server.lines) == 1:
            await line.send(id=4, method="verto.invite", params=params_of("gone"))
            await line.send(id=5, method="verto.invite", params=params_of("there"))
            return
        request = await line.next()
        while request["method"] == "verto.modify":
            if request["params"]["dialogParams"]["callID"] == "gone":
                await line.error(request, **GONE["error"])
            elif len(server.lines) == 2:
                line.cut()
                return
            else:
                await line.error(request, **GONE["error"])
            request = await line.next()

    server = await rogue(script)
    phone = desk.phone(url=server.url)
    await phone.start()
    await until(lambda: len(phone.calls) == 2)
    for call in phone.calls:
        await within(call.answer())
    server.lines[0].cut()
    restored = await desk.seen.wait(SessionRestored)
    assert restored.lost == ("gone", "there")
    assert len(server.lines) == 3
    assert len(desk.seen.of(Destroy)) == 2
